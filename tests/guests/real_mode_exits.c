/*
 * real_mode_exits: an unrestricted guest in real-address mode: events and their delivery, EPT violations,
 * ports, the way to protected and 64-bit mode. SDM volume 3C "Unrestricted Guests", "Information for VM Exits
 * Due to Vectored Events", "Event Injection for VM Entries to Real-Address Mode", table "Exit Qualification
 * for EPT Violations".
 */
/* expect: status 0 */
/* expect: options --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    READ_WRITE_EXECUTE = 7,
    WRITE_BACK = 6 << 3,
    LARGE = 1 << 7,
    EPTP_FOUR_LEVELS_WRITE_BACK = 3 << 3 | 6,
    ADVANCED_INFORMATION = 1 << 22, /* IA32_VMX_EPT_VPID_CAP */
    SEGMENT = 0x2000,
    STACK = 0x3000,
    SP = 0x1000,
    HOLE = 0x40000,
    IVT_HOLE = 0x50000,
    VECTOR = 0x41,
    IF = 1 << 9,
    RF = 1 << 16,
    FIXED = 2,
    UD = 6,
    SS = 12,
    GP = 13,
    IA32E_MODE_GUEST = 1 << 9,
    EFER_LME = 1 << 8,
    EFER_LMA = 1 << 10,
};
enum { EXTERNAL, NMI = 2, HARDWARE, SOFTWARE_INTERRUPT, PRIVILEGED, SOFTWARE };
enum {
    ENTRY_ERROR_CODE = 0x4018,
    ENTRY_INSTRUCTION_LENGTH = 0x401a,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    IDT_VECTORING = 0x4408,
    EXIT_INSTRUCTION_INFORMATION = 0x440e,
    GUEST_LINEAR_ADDRESS = 0x640a,
    REASON_EXCEPTION = 0,
    REASON_TRIPLE_FAULT = 2,
    EXIT_CR_ACCESS = 28,
};
#define VALID (1u << 31)
#define INFORMATION(vector, type) (VALID | (unsigned)(type) << 8 | (vector))

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint64_t ept[4][512] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;

static volatile uint8_t *at(uint32_t linear)
{
    uintptr_t address = linear;
    __asm__("" : "+r"(address));
    return (volatile uint8_t *)address;
}

static void build_ept(void)
{
    ept[0][0] = (uint64_t)ept[1] | READ_WRITE_EXECUTE;
    ept[1][0] = (uint64_t)ept[2] | READ_WRITE_EXECUTE;
    for (uint64_t i = 0; i < 512; i++) {
        ept[2][i] = i << 21 | LARGE | WRITE_BACK | READ_WRITE_EXECUTE;
        ept[3][i] = i << 12 | WRITE_BACK | READ_WRITE_EXECUTE;
    }
    ept[2][0] = (uint64_t)ept[3] | READ_WRITE_EXECUTE;
    ept[3][HOLE / PAGE] = ept[3][IVT_HOLE / PAGE] = 0;
}

static void set_segment(unsigned index, uint16_t selector)
{
    vmwrite(GUEST_ES_SELECTOR + 2 * index, selector);
    vmwrite(GUEST_ES_BASE + 2 * index, selector * 16ull);
}

static void start(const uint8_t *code, unsigned bytes, uint64_t rflags)
{
    vmcs_guest_real_mode(0, SP);
    vmwrite(ENTRY_CONTROLS, vmread(ENTRY_CONTROLS) & ~(uint64_t)IA32E_MODE_GUEST);
    set_segment(0, 0x4001);
    set_segment(1, SEGMENT);
    set_segment(2, STACK);
    set_segment(3, 0x4000);
    set_segment(4, 0);
    set_segment(5, 0);
    vmwrite(GUEST_RFLAGS, FIXED | rflags);
    vmwrite(GUEST_IDTR_LIMIT, 0x3ff);
    vmwrite(EXCEPTION_BITMAP, 1 << UD | 1 << SS | 1 << GP);
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, 0);
    for (unsigned i = 0; i < bytes; i++)
        at(SEGMENT * 16)[i] = code[i];
    *(volatile uint32_t *)at(VECTOR * 4) = (uint32_t)SEGMENT << 16 | 0x100;
    at(SEGMENT * 16 + 0x100)[0] = 0xf4;
    registers = (struct guest_registers){.rbx = 0x10, .rdx = 0x1234, .rdi = 0xffff0008};
}
#define START(flags, ...) start((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), flags)

#define RUN_TO(reason, ip) run_to(reason, ip, __LINE__)
static void run_to(uint64_t reason, uint64_t ip, int line)
{
    check_equal("entered", vmx_run(&registers, launched), true, line);
    launched = true;
    check_equal("exit reason", vmread(EXIT_REASON), reason, line);
    check_equal("IP", vmread(GUEST_RIP), ip, line);
}

#define VECTORING(information, length) vectoring(information, length, __LINE__)
static void vectoring(uint64_t information, uint64_t length, int line)
{
    check_equal("IDT-vectoring", vmread(IDT_VECTORING), information, line);
    if (length)
        check_equal("instruction length", vmread(EXIT_INSTRUCTION_LENGTH), length, line);
}

static void exceptions(void)
{
    START(0, 0x0f, 0x0b);
    RUN_TO(REASON_EXCEPTION, 0);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(UD, HARDWARE));
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED | RF);
    START(0, 0xa1, 0xff, 0xff); /* MOV AX, [FFFFH]: no error code in real-address mode */
    RUN_TO(REASON_EXCEPTION, 0);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(GP, HARDWARE));
    START(0, 0x8b, 0x46, 0x00); /* MOV AX, [BP] */
    registers.rbp = 0xffff;
    RUN_TO(REASON_EXCEPTION, 0);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(SS, HARDWARE));
    START(0, 0x0f, 0x00, 0xc0); /* SLDT and VMREAD are not recognised, VMCALL exits */
    RUN_TO(REASON_EXCEPTION, 0);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(UD, HARDWARE));
    START(0, 0x0f, 0x78, 0xc0);
    RUN_TO(REASON_EXCEPTION, 0);
    START(0, 0x0f, 0x01, 0xc1);
    RUN_TO(EXIT_VMCALL, 0);
    START(0, 0xcd, VECTOR); /* beyond the limit of the table */
    vmwrite(GUEST_IDTR_LIMIT, VECTOR * 4 + 2);
    RUN_TO(REASON_EXCEPTION, 0);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(GP, HARDWARE));
    VECTORING(INFORMATION(VECTOR, SOFTWARE_INTERRUPT), 2);
    START(0, 0xcd, VECTOR); /* the stack wraps in the middle of an item */
    vmwrite(GUEST_RSP, 1);
    RUN_TO(REASON_EXCEPTION, 0);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(SS, HARDWARE));
    VECTORING(INFORMATION(VECTOR, SOFTWARE_INTERRUPT), 2);
    START(0, 0x0f, 0x0b); /* #UD, #GP in its delivery, #DF, #GP in its: shutdown */
    vmwrite(GUEST_IDTR_LIMIT, 3);
    vmwrite(EXCEPTION_BITMAP, 0);
    RUN_TO(REASON_TRIPLE_FAULT, 0);
    VECTORING(0, 0);
}

static void deliveries(void)
{
    START(IF, 0xcd, VECTOR);
    RUN_TO(EXIT_HLT, 0x100);
    CHECK_EQUAL(vmread(GUEST_RSP), SP - 6);
    CHECK_EQUAL(*(volatile uint16_t *)at(STACK * 16 + SP - 6), 2);
    CHECK_EQUAL(*(volatile uint16_t *)at(STACK * 16 + SP - 2), FIXED | IF);
    CHECK_EQUAL(vmread(GUEST_RFLAGS), FIXED);
    START(0, 0xcd, VECTOR); /* the table lies in a page that the EPT lacks */
    vmwrite(GUEST_GDTR_BASE + 2, IVT_HOLE);
    RUN_TO(EXIT_EPT_VIOLATION, 0);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), IVT_HOLE + VECTOR * 4);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), IVT_HOLE + VECTOR * 4);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1ff, 0x181);
    VECTORING(INFORMATION(VECTOR, SOFTWARE_INTERRUPT), 2);
    static const struct {
        unsigned type, length;
    } injected[] = {{EXTERNAL, 0}, {SOFTWARE_INTERRUPT, 7}, {NMI, 0}};
    for (unsigned i = 0; i < 3; i++) {
        const unsigned vector = injected[i].type == NMI ? 2 : VECTOR;
        START(IF, 0x90);
        *(volatile uint32_t *)at(2 * 4) = (uint32_t)SEGMENT << 16 | 0x100;
        vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(vector, injected[i].type));
        vmwrite(ENTRY_INSTRUCTION_LENGTH, injected[i].length);
        RUN_TO(EXIT_HLT, 0x100);
        CHECK_EQUAL(*(volatile uint16_t *)at(STACK * 16 + SP - 6), injected[i].length);
        START(IF, 0x90);
        set_segment(2, (HOLE - SP) / 16);
        vmwrite(GUEST_RSP, SP + 2); /* the first push goes into the hole */
        vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(vector, injected[i].type));
        vmwrite(ENTRY_INSTRUCTION_LENGTH, injected[i].length);
        RUN_TO(EXIT_EPT_VIOLATION, 0);
        CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1ff, 0x182);
        VECTORING(INFORMATION(vector, injected[i].type), injected[i].length);
        CHECK_EQUAL(vmread(ENTRY_INTERRUPTION_INFORMATION) & VALID, 0);
        vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
    }
    START(0, 0x90); /* an exception that has an error code elsewhere */
    *(volatile uint32_t *)at(GP * 4) = (uint32_t)SEGMENT << 16 | 0x100;
    vmwrite(ENTRY_INTERRUPTION_INFORMATION, INFORMATION(GP, HARDWARE));
    RUN_TO(EXIT_HLT, 0x100);
    CHECK_EQUAL(vmread(GUEST_RSP), SP - 6);
}

static void accesses(void)
{
    const bool advanced = rdmsr(IA32_VMX_EPT_VPID_CAP) & ADVANCED_INFORMATION;
    START(0, 0x26, 0x89, 0x07); /* MOV ES:[BX], AX: 40010H + 10H */
    RUN_TO(EXIT_EPT_VIOLATION, 0);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), HOLE + 0x20);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), HOLE + 0x20);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1ff, 0x182);
    if (advanced) /* without paging: a user-mode linear address, writable, executable */
        CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0xe00, 0x600);
    START(0, 0xea, 0x34, 0, 0, 0x40); /* JMP FAR 4000H:34H: the fetch there */
    RUN_TO(EXIT_EPT_VIOLATION, 0x34);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), HOLE + 0x34);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1ff, 0x184);
    CHECK_EQUAL(vmread(GUEST_ES_BASE + 2), HOLE);
    START(0, 0xf3, 0x6c); /* REP INSB, by DI */
    registers.rcx = 0x10001;
    RUN_TO(EXIT_IO, 0);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 0x1234u << 16 | 0x38);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), 0x40010 + 8);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_INFORMATION) >> 7 & 7, 0);
    START(0, 0x90, 0xeb, 0xfd); /* a limit of 4 GiB in real-address mode stays: MOV AX, [EDI + DS] */
    START(0, 0x67, 0x8b, 0x07); /* MOV AX, [EDI] with EDI = 2000000H */
    registers.rdi = 0x2000000;
    vmwrite(GUEST_ES_LIMIT + 6, 0xffffffff);
    vmwrite(GUEST_ES_ACCESS_RIGHTS + 6, 0x8093);
    at(SEGMENT * 16)[3] = 0xf4;
    *(volatile uint16_t *)at(0x2000000 + 0x40000) = 0x7788;
    RUN_TO(EXIT_HLT, 3);
    CHECK_EQUAL(registers.rax, 0x7788);
    START(0, 0xf4); /* the last byte of the segment; RIP goes on at 10000H */
    at(SEGMENT * 16 + 0xffff)[0] = 0x90;
    vmwrite(GUEST_RIP, 0xffff);
    RUN_TO(REASON_EXCEPTION, 0x10000);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(GP, HARDWARE));
}

/* CR0.PE and CR0.PG are the guest's; LMA follows LME and PG, and "IA-32e mode guest" follows LMA. */
static void other_modes(void)
{
    static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
    START(0, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xf4); /* CR0.PE := 1; HLT */
    RUN_TO(EXIT_HLT, 8);
    CHECK_EQUAL(vmread(GUEST_CR0) & 1, 1);
    CHECK_EQUAL(vmread(GUEST_ES_BASE + 2), SEGMENT * 16);
    START(0, 0x0f, 0x20, 0xc0, 0x66, 0x0d, 1, 0, 0, 0x80, 0x0f, 0x22, 0xc0,
          0xf4); /* PE and PG at once, LME = 1 */
    vmwrite(GUEST_GDTR_BASE, (uint64_t)gdt);
    vmwrite(GUEST_CR3, read_cr3());
    vmwrite(GUEST_CR4, 0x2020);
    vmwrite(GUEST_IA32_EFER, EFER_LME);
    RUN_TO(EXIT_HLT, 12);
    CHECK_EQUAL(vmread(GUEST_IA32_EFER), EFER_LME | EFER_LMA);
    CHECK_EQUAL(vmread(ENTRY_CONTROLS) & IA32E_MODE_GUEST, IA32E_MODE_GUEST);
    START(0, 0x0f, 0x20, 0xc0, 0x66, 0x0d, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0, 0xf4); /* PG without PE */
    RUN_TO(REASON_EXCEPTION, 9);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION), INFORMATION(GP, HARDWARE));
    START(0, 0xb0, 0x01, 0x0f, 0x01, 0xf0, 0xf4); /* LMSW: PE by a host that watches it */
    vmwrite(CR0_GUEST_HOST_MASK, 1);
    vmwrite(CR0_READ_SHADOW, 0);
    RUN_TO(EXIT_CR_ACCESS, 2);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 1u << 16 | 3 << 4);
    vmwrite(CR0_GUEST_HOST_MASK, 0);
}

int main(void)
{
    trap_install();
    if (!vmx_enable() || !vmcs_create(vmcs, 0, 0))
        leave(1);
    build_ept();
    vmwrite(EPT_POINTER, (uint64_t)ept[0] | EPTP_FOUR_LEVELS_WRITE_BACK);
    vmwrite(VIRTUAL_PROCESSOR_IDENTIFIER, 1);
    exceptions();
    deliveries();
    accesses();
    other_modes();
    check_end();
}
