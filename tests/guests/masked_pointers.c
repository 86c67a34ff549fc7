/*
 * masked_pointers: linear-address masking and VMX on the whole machine: each world has its own setting, exits
 * name linear addresses without metadata, operands of VMX instructions are reached by pointers with it. The
 * 64-bit guest runs on the host's page tables with EPT; one page is mapped by a 4-KByte entry of the EPT that
 * the host changes.
 */
/* expect: status 0 */
/* expect: options --cpu sapphirerapids --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    SAVE_EFER = 1 << 20,
    LOAD_HOST_EFER = 1 << 21,
    LOAD_GUEST_EFER = 1 << 15,
    UNCONDITIONAL_IO_EXITING = 1 << 24,
    CR3_LOAD_EXITING = 1 << 15,
    ENABLE_EPT = 1 << 1,
    EXIT_EXCEPTION = 0,
    EXIT_CR = 28,
    EXIT_ENTRY_FAILURE = 0x80000000 | 33,
    GP = 13,
    PF = 14,
    EPT_ALL = 7,
    EPT_LARGE = 1 << 7,
    EPT_WRITE_BACK = 6 << 3,
    EPT_POINTER_FORM = 3 << 3 | 6,
    /* fields that vmx.h does not name */
    CR3_TARGET_COUNT = 0x400a,
    EXIT_INTERRUPTION_INFORMATION = 0x4404,
    CR3_TARGET_VALUE_0 = 0x6008,
    GUEST_LINEAR_ADDRESS = 0x640a,
};
#define LAM_SUP (1ull << 28)
#define LAM_U57 (1ull << 61)
#define LAM_U48 (1ull << 62)
#define TAG (0x1234ull << 48)

#define TABLE(name) static uint64_t name[512] __attribute__((aligned(PAGE)))
TABLE(pml4);
TABLE(pdpt);
TABLE(pd);
TABLE(pt);
static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint8_t data[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;
static bool launched;
static uint32_t primary;

void store_it(void), load_it(void), out_string(void), load_machine_status(void), load_cr3(void),
    jump_to(void);
__asm__("store_it: mov %rax, (%rdi)\n\t"
        "vmcall\n"
        "load_it: mov (%rdi), %rax\n\t"
        "vmcall\n"
        "out_string: mov %rdi, %rsi\n\t"
        "mov $0x80, %edx\n\t"
        "outsb\n"
        "load_machine_status: lmsw (%rdi)\n\t"
        "vmcall\n"
        "load_cr3: mov %rax, %cr3\n\t"
        "mov %cr3, %rbx\n\t"
        "vmcall\n"
        "jump_to: jmp *%rdi\n");

/* Runs the guest from code on; the exit's reason. */
static uint64_t run(void (*code)(void), uint64_t rdi, uint64_t more_primary)
{
    static const uint64_t descriptor[2];
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(2ull) : "cc", "memory");
    vmwrite(PRIMARY_CONTROLS, primary | more_primary);
    vmwrite(GUEST_RIP, (uint64_t)code);
    registers.rdi = rdi;
    if (!vmx_run(&registers, launched))
        leave(1);
    const uint64_t reason = vmread(EXIT_REASON);
    launched |= reason != EXIT_ENTRY_FAILURE;
    return reason;
}

/* One to one, in pages of 2 MBytes but for the data page's 2 MBytes. */
static uint64_t *build_ept(void)
{
    const uint64_t region = (uint64_t)data >> 21;
    pml4[0] = (uint64_t)pdpt | EPT_ALL;
    pdpt[0] = (uint64_t)pd | EPT_ALL;
    for (uint64_t i = 0; i < 512; i++) {
        pd[i] = i << 21 | EPT_LARGE | EPT_WRITE_BACK | EPT_ALL;
        pt[i] = region << 21 | i << 12 | EPT_WRITE_BACK | EPT_ALL;
    }
    pd[region] = (uint64_t)pt | EPT_ALL;
    return &pt[(uint64_t)data >> 12 & 511];
}

/* The guest's CR3 decides about the guest, the host's about the host. */
static void each_world_its_own(uint64_t cr3)
{
    vmwrite(GUEST_CR3, cr3 | LAM_U48);
    registers.rax = 0x1111;
    CHECK_EQUAL(run(store_it, TAG | (uint64_t)data, 0), EXIT_VMCALL);
    CHECK_EQUAL(*(volatile uint64_t *)data, 0x1111);
    CHECK_EQUAL(vmread(GUEST_CR3), cr3 | LAM_U48);
    CHECK_EQUAL(read_cr3(), cr3);
    volatile uint64_t *pointer = (volatile uint64_t *)(TAG | (uint64_t)data);
    TRAP_TRY("mov (%0), %%rax", ::"D"(pointer) : "rax");
    CHECK_FAULT(GP, 0);
    vmwrite(HOST_CR3, cr3 | LAM_U48);
    vmwrite(HOST_CR4, read_cr4() | LAM_SUP);
    vmwrite(GUEST_CR3, cr3);
    vmwrite(EXCEPTION_BITMAP, 1 << GP | 1 << PF);
    CHECK_EQUAL(run(load_it, TAG | (uint64_t)data, 0), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION) & 0xff, GP);
    CHECK_EQUAL(read_cr3(), cr3 | LAM_U48);
    CHECK_EQUAL(read_cr4() & LAM_SUP, LAM_SUP);
    CHECK_EQUAL(*pointer, 0x1111);
    write_cr4(read_cr4() & ~LAM_SUP);
    vmwrite(HOST_CR4, read_cr4());
    vmwrite(GUEST_CR3, cr3 | LAM_U48);
}

/* SDM 3C "Information for VM Exits Due to EPT Violations" and their like: no metadata in an address. */
static void what_exits_say(uint64_t *pte)
{
    const uint64_t whole = *pte, pointer = TAG | ((uint64_t)data + 0x18);
    *pte = 0;
    CHECK_EQUAL(run(store_it, pointer, 0), EXIT_EPT_VIOLATION);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION) & 0x1bf, 2 | 3 << 7);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), (uint64_t)data + 0x18);
    CHECK_EQUAL(vmread(GUEST_PHYSICAL_ADDRESS), (uint64_t)data + 0x18);
    *pte = whole;
    CHECK_EQUAL(run(out_string, pointer, UNCONDITIONAL_IO_EXITING), EXIT_IO);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), (uint64_t)data + 0x18);
    data[0x18] = 1 << 3; /* CR0.TS */
    vmwrite(CR0_GUEST_HOST_MASK, 1 << 3);
    CHECK_EQUAL(run(load_machine_status, pointer, 0), EXIT_CR);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 0x80070);
    CHECK_EQUAL(vmread(GUEST_LINEAR_ADDRESS), (uint64_t)data + 0x18);
    vmwrite(CR0_GUEST_HOST_MASK, 0);
    const uint64_t nowhere = 1ull << 40; /* no page table has it */
    CHECK_EQUAL(run(load_it, TAG | nowhere, 0), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION) & 0xff, PF);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), nowhere);
    CHECK_EQUAL(run(jump_to, TAG | (uint64_t)load_it, 0), EXIT_EXCEPTION);
    CHECK_EQUAL(vmread(EXIT_INTERRUPTION_INFORMATION) & 0xff, GP);
    CHECK_EQUAL(vmread(GUEST_RIP), (uint64_t)jump_to);
}

/* MOV to CR3 in the guest; CR3-target values count with these bits. */
static void loads_of_cr3(uint64_t cr3)
{
    registers.rax = cr3 | LAM_U57;
    CHECK_EQUAL(run(load_cr3, 0, 0), EXIT_VMCALL);
    CHECK_EQUAL(registers.rbx, cr3 | LAM_U57);
    CHECK_EQUAL(vmread(GUEST_CR3), cr3 | LAM_U57);
    vmwrite(CR3_TARGET_COUNT, 1);
    vmwrite(CR3_TARGET_VALUE_0, cr3 | LAM_U48);
    CHECK_EQUAL(run(load_cr3, 0, CR3_LOAD_EXITING), EXIT_CR);
    registers.rax = cr3 | LAM_U48;
    CHECK_EQUAL(run(load_cr3, 0, CR3_LOAD_EXITING), EXIT_VMCALL);
    vmwrite(GUEST_CR3, cr3 | 1ull << 60);
    CHECK_EQUAL(run(load_it, (uint64_t)data, 0), EXIT_ENTRY_FAILURE);
    vmwrite(GUEST_CR3, cr3 | LAM_U48 | LAM_U57);
    CHECK_EQUAL(run(load_it, (uint64_t)data, 0), EXIT_VMCALL);
}

/* Operands of VMX instructions in memory. */
static void operands(uint64_t cr3)
{
    uint64_t *tagged = (uint64_t *)(TAG | (uint64_t)data);
    TRAP_TRY("vmptrst (%0)", ::"D"(tagged) : "cc", "memory");
    CHECK_NO_TRAP();
    CHECK_EQUAL(*(volatile uint64_t *)data, (uint64_t)vmcs);
    TRAP_TRY("vmptrld (%0)", ::"r"(tagged) : "cc", "memory");
    CHECK_NO_TRAP();
    TRAP_TRY("vmread %1, (%0)", ::"r"(tagged), "r"((uint64_t)HOST_CR3) : "cc", "memory");
    CHECK_NO_TRAP();
    CHECK_EQUAL(*(volatile uint64_t *)data, cr3 | LAM_U48);
    TRAP_TRY("vmwrite (%0), %1", ::"r"(tagged), "r"((uint64_t)GUEST_RSP) : "cc", "memory");
    CHECK_NO_TRAP();
    CHECK_EQUAL(vmread(GUEST_RSP), cr3 | LAM_U48);
    write_cr3(cr3);
    TRAP_TRY("vmptrst (%0)", ::"D"(tagged) : "cc", "memory");
    CHECK_FAULT(GP, 0);
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.secondary = ENABLE_EPT,
                                               .exit = HOST_ADDRESS_SPACE_SIZE | SAVE_EFER | LOAD_HOST_EFER,
                                               .entry = LOAD_GUEST_EFER};
    const uint64_t cr3 = read_cr3();
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)store_it, 0, cr3);
    primary = (uint32_t)vmread(PRIMARY_CONTROLS);
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr;
    __asm__ volatile("sidt %0" : "=m"(idtr));
    vmwrite(HOST_IDTR_BASE, idtr.base);
    uint64_t *pte = build_ept();
    vmwrite(EPT_POINTER, (uint64_t)pml4 | EPT_POINTER_FORM);
    CHECK_EQUAL(rdmsr(0x489) & LAM_SUP, LAM_SUP); /* IA32_VMX_CR4_FIXED1 */
    each_world_its_own(cr3);
    what_exits_say(pte);
    loads_of_cr3(cr3);
    operands(cr3);
    check_end();
}
