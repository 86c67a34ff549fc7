/*
 * host_32: a hypervisor in 32-bit protected mode: VMX instructions in each mode, their operands in memory
 * against segments and pages, halves of 64-bit fields, a 32-bit guest and its exit. SDM volume 3C "VMX
 * Instruction Reference", "VMREAD, VMWRITE, and Encodings of VMCS Fields", "Loading Host State" with "host
 * address-space size" 0.
 */
/* expect: status 1 */
/* expect: options --quiet */
/* guest-bits: 32 */
#include "v86.h"

enum {
    PAGE = 4096,
    CR4_PSE = 1 << 4,
    CR4_VMXE = 1 << 13,
    CR0_NE = 1 << 5,
    CF = 1,
    ZF = 1 << 6,
    ARITHMETIC = 0x8d5,
    FEATURE_CONTROL = 0x3a,
    VMX_BASIC = 0x480,
    READ_ONLY = LAB_FREE, /* selectors */
    SHORT_DATA = LAB_FREE + 0x10,
    EXPAND_DOWN = LAB_FREE + 0x18,
    ERROR_UNSUPPORTED = 12,
    ERROR_READ_ONLY = 13,
    VM_INSTRUCTION_ERROR = 0x4400,
    EXIT_REASON = 0x4402,
    EXIT_LENGTH = 0x440c,
    DEBUGCTL = 0x2802,
    LINK = 0x2800,
    EXIT_VMCALL = 18,
    EXIT_CPUID = 10,
};

static uint8_t vmxon_region[PAGE] __attribute__((aligned(PAGE)));
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint64_t vmxon_pointer, vmcs_pointer;
static uint8_t guest_stack[PAGE];
unsigned long lab_flags; /* after the instruction that was tried */

static unsigned long flags_of(void)
{
    unsigned long flags;
    __asm__ volatile("pushf; pop %0" : "=r"(flags)::"memory");
    return flags & ARITHMETIC;
}

static unsigned long vmread(unsigned long field)
{
    unsigned long value = 0;
    __asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
    return value;
}

static void vmwrite(unsigned long field, unsigned long value)
{
    __asm__ volatile("vmwrite %1, %0" ::"r"(field), "r"(value) : "cc");
}

static void outside_vmx_operation(void)
{
    LAB_TRY("vmclear %0", ::"m"(vmcs_pointer) : "cc", "memory");
    LAB_FAULT(LAB_UD, 0, "VMCLEAR outside VMX operation");
    LAB_TRY("vmxon %0", ::"m"(vmxon_pointer) : "cc", "memory");
    LAB_FAULT(LAB_UD, 0, "VMXON with CR4.VMXE = 0");
    write_cr4(read_cr4() | CR4_VMXE);
    LAB_TRY("vmxon %0", ::"m"(vmxon_pointer) : "cc", "memory");
    LAB_FAULT(LAB_GP, 0, "VMXON with IA32_FEATURE_CONTROL unlocked");
    if (!(rdmsr(FEATURE_CONTROL) & 1))
        wrmsr(FEATURE_CONTROL, 5);
    write_cr0(read_cr0() & ~(unsigned long)CR0_NE);
    LAB_TRY("vmxon %0", ::"m"(vmxon_pointer) : "cc", "memory");
    LAB_FAULT(LAB_GP, 0, "VMXON with CR0.NE = 0");
    write_cr0(read_cr0() | CR0_NE);
    vmxon_pointer = (uint32_t)(uintptr_t)vmxon_region | 1ull << 60;
    __asm__ volatile("vmxon %0; pushf; popl lab_flags" ::"m"(vmxon_pointer) : "cc", "memory");
    LAB_EQUAL(lab_flags & ARITHMETIC, CF, "VMXON of an address beyond the width: VMfailInvalid");
    vmxon_pointer = (uint32_t)(uintptr_t)vmxon_region;
    __asm__ volatile("pushl $0x8d7; popf; vmxon %0; pushf; popl lab_flags" ::"m"(vmxon_pointer)
                     : "cc", "memory");
    LAB_EQUAL(lab_flags & ARITHMETIC, 0, "VMXON: VMsucceed");
    LAB_TRY("mov %0, %%cr4", ::"r"(read_cr4() & ~(unsigned long)CR4_VMXE) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR4.VMXE cannot be cleared in VMX operation");
    LAB_TRY("mov %0, %%cr0", ::"r"(read_cr0() & ~0x80000000ul) : "memory");
    LAB_FAULT(LAB_GP, 0, "CR0.PG cannot be cleared in VMX operation");
}

/* Neither mode knows them, whatever the privilege. */
static void other_modes(void)
{
    static const uint8_t vmread_eax[] = {0x0f, 0x78, 0xc0}, vmcall[] = {0x0f, 0x01, 0xc1};
    struct lab_state s = v86_start(vmread_eax, 3, V86_IOPL);
    lab_go(&s);
    LAB_EVENT(&s, LAB_UD, 0, 0, "VMREAD in virtual-8086 mode");
    s = v86_start(vmcall, 3, V86_IOPL);
    lab_go(&s);
    LAB_EVENT(&s, LAB_UD, 0, 0, "VMCALL in virtual-8086 mode, root operation");
    s = lab_start(vmread_eax, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, vmread_eax, "VMREAD at CPL 3");
    s = lab_start(vmcall, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, vmcall, "VMCALL at CPL 3, root operation");
    static const uint8_t invept[] = {0x66, 0x0f, 0x38, 0x80, 0xc0};
    s = lab_start(invept, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_UD, 0, invept, "INVEPT of a register");
}

/* One instruction with its operand at selector:offset, in FS; what comes of it, with all flags set before. */
static void operand(const char *name, const uint8_t *code, unsigned bytes, unsigned selector,
                    unsigned long offset, unsigned vector)
{
    static uint8_t piece[16];
    memcpy(piece, code, bytes);
    piece[bytes] = 0xcd;
    piece[bytes + 1] = LAB_DONE;
    struct lab_state s = lab_start(piece, 0);
    s.fs = selector;
    s.bx = offset;
    s.ax = VM_INSTRUCTION_ERROR;
    s.flags = LAB_FLAGS_FIXED | ARITHMETIC;
    lab_go(&s);
    LAB_EVENT(&s, vector, 0, vector == LAB_DONE ? piece + bytes + 2 : piece, "%s", name);
    if (vector != LAB_DONE)
        LAB_EQUAL(s.flags & ARITHMETIC, ARITHMETIC, "%s: the flags are as before", name);
    else
        LAB_EQUAL(s.flags & ARITHMETIC, 0, "%s: VMsucceed", name);
}
#define OPERAND(name, selector, offset, vector, ...)                                                         \
    operand(name, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), selector,          \
            (unsigned long)(offset), vector)
#define VMPTRLD_FS_EBX 0x64, 0x0f, 0xc7, 0x33
#define VMPTRST_FS_EBX 0x64, 0x0f, 0xc7, 0x3b
#define VMREAD_FS_EBX 0x64, 0x0f, 0x78, 0x03 /* of the field in EAX */
#define VMCLEAR_FS_EBX 0x64, 0x66, 0x0f, 0xc7, 0x33

static void segments(void)
{
    static uint64_t data[4];
    const uint32_t at = (uint32_t)(uintptr_t)data;
    data[0] = data[1] = vmcs_pointer;
    lab_gdt[READ_ONLY / 8] = lab_descriptor(at, 0xfff, 0x91, 0x4);
    lab_gdt[SHORT_DATA / 8] = lab_descriptor(at, 7, 0x93, 0x4);
    lab_gdt[EXPAND_DOWN / 8] = lab_descriptor(at, 7, 0x97, 0x4);
    OPERAND("VMPTRLD", LAB_DATA0, at, LAB_DONE, VMPTRLD_FS_EBX);
    OPERAND("VMPTRLD, null segment", 0, at, LAB_GP, VMPTRLD_FS_EBX);
    OPERAND("VMPTRLD of the last 8 bytes", SHORT_DATA, 0, LAB_DONE, VMPTRLD_FS_EBX);
    OPERAND("VMPTRLD one byte beyond the limit", SHORT_DATA, 1, LAB_GP, VMPTRLD_FS_EBX);
    OPERAND("VMPTRLD at the limit of an expand-down segment", EXPAND_DOWN, 7, LAB_GP, VMPTRLD_FS_EBX);
    OPERAND("VMPTRLD above the limit of an expand-down segment", EXPAND_DOWN, 8, LAB_DONE, VMPTRLD_FS_EBX);
    OPERAND("VMPTRLD, read-only", READ_ONLY, 0, LAB_DONE, VMPTRLD_FS_EBX);
    OPERAND("VMPTRST, read-only", READ_ONLY, 0, LAB_GP, VMPTRST_FS_EBX);
    OPERAND("VMPTRST, beyond the limit", SHORT_DATA, 4, LAB_GP, VMPTRST_FS_EBX);
    data[2] = 0;
    OPERAND("VMPTRST", LAB_DATA0, at + 16, LAB_DONE, VMPTRST_FS_EBX);
    LAB_EQUAL(data[2], vmcs_pointer, "VMPTRST stores the pointer");
    OPERAND("VMREAD of four bytes", SHORT_DATA, 4, LAB_DONE, VMREAD_FS_EBX);
    OPERAND("VMREAD, one byte beyond", SHORT_DATA, 5, LAB_GP, VMREAD_FS_EBX);
    OPERAND("VMREAD, read-only", READ_ONLY, 0, LAB_GP, VMREAD_FS_EBX);
    data[0] = vmcs_pointer;
    OPERAND("VMCLEAR one byte beyond the limit", SHORT_DATA, 1, LAB_GP, VMCLEAR_FS_EBX);
    OPERAND("VMPTRST into a code segment", LAB_DATA0, at, LAB_GP, 0x2e, 0x0f, 0xc7, 0x3b);
    OPERAND("VMPTRLD out of a code segment", LAB_DATA0, at, LAB_DONE, 0x2e, 0x0f, 0xc7, 0x33);
}

static void fields(void)
{
    vmwrite(DEBUGCTL, 0x11223344);
    vmwrite(DEBUGCTL + 1, 0x5);
    LAB_EQUAL(vmread(DEBUGCTL), 0x11223344, "VMREAD of the low half");
    LAB_EQUAL(vmread(DEBUGCTL + 1), 5, "VMREAD of the high half");
    vmwrite(DEBUGCTL, 0x99);
    LAB_EQUAL(vmread(DEBUGCTL + 1), 0, "a full write outside of 64-bit mode clears the high half");
    vmwrite(DEBUGCTL, 0);
    vmwrite(0x6c16 + 1, 1); /* high access to a natural-width field */
    LAB_EQUAL(flags_of(), ZF, "high access to a natural-width field: VMfailValid");
    LAB_EQUAL(vmread(VM_INSTRUCTION_ERROR), ERROR_UNSUPPORTED, "its error");
    vmwrite(0x12345678, 1);
    LAB_EQUAL(flags_of(), ZF, "VMWRITE of no field: VMfailValid");
    vmwrite(0x0802, 0xabcd1234);
    LAB_EQUAL(vmread(0x0802), 0x1234, "a 16-bit field");
    LAB_TRY(".byte 0x66, 0x0f, 0x78, 0xc0, 0, 0", ::"a"(VM_INSTRUCTION_ERROR) : "cc");
    LAB_FAULT(LAB_UD, 0, "VMREAD with 66 (AMD's EXTRQ)");
    LAB_TRY(".byte 0xf2, 0x0f, 0x79, 0xc0", ::"a"(VM_INSTRUCTION_ERROR) : "cc");
    LAB_FAULT(LAB_UD, 0, "VMWRITE with F2 (AMD's INSERTQ)");
    LAB_TRY(".byte 0xf3, 0x0f, 0x79, 0xc0", ::"a"(VM_INSTRUCTION_ERROR) : "cc");
    LAB_FAULT(LAB_UD, 0, "VMWRITE with F3");
}

extern const uint8_t guest_code[], guest_after_cpuid[];
__asm__(".pushsection .text; guest_code: cpuid; guest_after_cpuid: vmcall; hlt; .popsection");

static uint32_t allowed(uint32_t msr, uint32_t wanted)
{
    uint64_t capability = rdmsr(msr);
    return (wanted | (uint32_t)capability) & (uint32_t)(capability >> 32);
}

/* VMLAUNCH or VMRESUME, back behind it at the exit. True: entered. */
static bool enter(bool resume)
{
    unsigned long entered, flags;
    __asm__ volatile("vmwrite %%esp, %3\n\t" /* HOST_RSP */
                     "movl $1f, %%eax\n\tvmwrite %%eax, %4\n\t"
                     "pusha\n\tvmwrite %%esp, %3\n\t"
                     "testl %2, %2\n\tjnz 2f\n\tvmlaunch\n\tjmp 3f\n"
                     "2:\tvmresume\n"
                     "3:\tpushf\n\tpopl lab_flags\n\tpopa\n\txorl %0, %0\n\tjmp 4f\n"
                     "1:\tpopa\n\tmovl $1, %0\n4:"
                     : "=&S"(entered), "=m"(flags)
                     : "D"((unsigned long)resume), "r"(0x6c14ul), "r"(0x6c16ul)
                     : "eax", "cc", "memory");
    return entered;
}

static void run_guest(void)
{
    static const uint16_t data_fields[] = {0, 2, 3, 4, 5};
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) gdtr, idtr;
    __asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
    vmwrite(0x4000, allowed(0x481, 0));
    vmwrite(0x4002, allowed(0x482, 0));
    vmwrite(0x400c, allowed(0x483, 0));
    vmwrite(0x4012, allowed(0x484, 0));
    vmwrite(LINK, 0xffffffff);
    vmwrite(LINK + 1, 0xffffffff);
    vmwrite(0x6c00, read_cr0());
    vmwrite(0x6c02, read_cr3());
    vmwrite(0x6c04, read_cr4());
    vmwrite(0x0c02, LAB_CODE0);
    for (unsigned i = 0; i < 5; i++)
        vmwrite(0x0c00 + 2u * data_fields[i], LAB_DATA0);
    vmwrite(0x0c0c, LAB_TSS);
    vmwrite(0x6c0a, (unsigned long)lab_tss);
    vmwrite(0x6c0c, gdtr.base);
    vmwrite(0x6c0e, idtr.base);
    vmwrite(0x6800, read_cr0());
    vmwrite(0x6802, read_cr3());
    vmwrite(0x6804, read_cr4());
    for (unsigned i = 0; i < 8; i++) {
        const bool code = i == 1;
        vmwrite(0x0800 + 2 * i, code ? LAB_CODE0 : i == 7 ? LAB_TSS : i == 6 ? 0 : LAB_DATA0);
        vmwrite(0x4800 + 2 * i, i == 7 ? 0x67 : 0xffffffff);
        vmwrite(0x4814 + 2 * i, code ? 0xc09b : i == 7 ? 0x8b : i == 6 ? 0x10000 : 0xc093);
        vmwrite(0x6806 + 2 * i, i == 7 ? (unsigned long)lab_tss : 0);
    }
    vmwrite(0x4810, gdtr.limit);
    vmwrite(0x4812, idtr.limit);
    vmwrite(0x6816, gdtr.base);
    vmwrite(0x6818, idtr.base);
    vmwrite(0x681a, 0x400);
    vmwrite(0x681c, (unsigned long)guest_stack + PAGE);
    vmwrite(0x681e, (unsigned long)guest_code);
    vmwrite(0x6820, 2);
    LAB_CHECK(enter(false), "VMLAUNCH of a 32-bit guest by a 32-bit host");
    LAB_EQUAL(vmread(EXIT_REASON), EXIT_CPUID, "its exit");
    LAB_EQUAL(vmread(0x681e), guest_code, "RIP");
    vmwrite(0x681e, (unsigned long)guest_after_cpuid);
    LAB_CHECK(enter(true), "VMRESUME");
    LAB_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL, "its exit");
    uint16_t tr, ldtr;
    __asm__ volatile("str %0; sldt %1; sgdt %2" : "=r"(tr), "=r"(ldtr), "=m"(gdtr));
    LAB_EQUAL(tr, LAB_TSS, "TR after the exit");
    LAB_EQUAL(ldtr, 0, "LDTR after the exit");
    LAB_EQUAL(gdtr.limit, 0xffff, "GDTR's limit after the exit");
    LAB_EQUAL(enter(false), false, "VMLAUNCH of a launched VMCS");
    LAB_EQUAL(lab_flags & ARITHMETIC, ZF, "VMfailValid");
    LAB_EQUAL(vmread(VM_INSTRUCTION_ERROR), 4, "VMLAUNCH with non-clear VMCS");
    vmwrite(0x400c, vmread(0x400c) | 1 << 9);
    LAB_EQUAL(enter(true), false, "\"host address-space size\" 1 outside IA-32e mode");
    LAB_EQUAL(lab_flags & ARITHMETIC, ZF, "VMfailValid");
}

int main(void)
{
    const uint32_t revision = (uint32_t)rdmsr(VMX_BASIC) & 0x7fffffff;
    lab_init();
    lab_user_pages();
    memcpy(vmxon_region, &revision, 4);
    memcpy(vmcs, &revision, 4);
    vmxon_pointer = (uint32_t)(uintptr_t)vmxon_region;
    vmcs_pointer = (uint32_t)(uintptr_t)vmcs;
    outside_vmx_operation();
    other_modes();
    __asm__ volatile("vmclear %0; vmptrld %0" ::"m"(vmcs_pointer) : "cc", "memory");
    segments();
    fields();
    run_guest();
    __asm__ volatile("vmxoff" ::: "cc");
    write_cr4(read_cr4() & ~(unsigned long)CR4_VMXE);
    LAB_EQUAL(read_cr4() & CR4_VMXE, 0, "CR4.VMXE is free after VMXOFF");
    lab_end();
}
