/*
 * first_vmx: what software must live with on the first processors with VT-x: what is not there faults or
 * fails, accesses to CR3 and MSRs always exit, and guests are protected and paged. SDM appendix "VMX
 * Capability Reporting Facility".
 */
/* expect: status 0 */
/* expect: options --cpu prescott --quiet */
#include "trap.h"
#include "vmx.h"

enum {
    UD = 6,
    GP = 13,
    PAGE = 4096,
    ERROR_CONTROLS = 7,
    ERROR_UNSUPPORTED_FIELD = 12,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9,
    CR3_LOAD_EXITING = 1 << 15,
    CR3_STORE_EXITING = 1 << 16,
    USE_MSR_BITMAPS = 1 << 28,
    EXIT_CR_ACCESS = 28,
    EXIT_RDMSR = 31,
    EXIT_WRMSR = 32,
    MOV_FROM_CR3_TO_RAX = 1 << 4 | 3, /* SDM table "Exit Qualification for Control-Register Accesses" */
    MOV_TO_CR3_FROM_RAX = 3,
};
#define ACTIVATE_SECONDARY_CONTROLS (1u << 31)
#define INVALID_GUEST_STATE (1u << 31 | EXIT_INVALID_GUEST_STATE)

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static struct guest_registers registers;

static void guest(void)
{
    __asm__ volatile("mov %%cr3, %%rax\n\t"
                     "mov %%rax, %%cr3\n\t"
                     "rdmsr\n\t" /* ECX: the host's choice, an MSR that is there */
                     "wrmsr\n\t"
                     "vmcall" ::
                         : "rax", "rdx");
    for (;;)
        __asm__ volatile("ud2");
}

static void no_such_msr(uint32_t index)
{
    TRAP_TRY("rdmsr", ::"c"(index) : "eax", "edx");
    CHECK_FAULT(GP, 0);
}

static void no_such_field(uint64_t field)
{
    check_equal("VMWRITE to a field that is not there", vmwrite(field, 0), false, (int)field);
    CHECK_EQUAL(vmread(VM_INSTRUCTION_ERROR), ERROR_UNSUPPORTED_FIELD);
}

static void what_is_not_there(void)
{
    static const uint64_t descriptor[2] = {1, 0};
    static const uint64_t fields[] = {VIRTUAL_PROCESSOR_IDENTIFIER, MSR_BITMAP_ADDRESS,    EPT_POINTER,
                                      GUEST_PHYSICAL_ADDRESS,       GUEST_IA32_EFER,       HOST_IA32_EFER,
                                      SECONDARY_CONTROLS,           PREEMPTION_TIMER_VALUE};
    for (uint32_t index = IA32_VMX_PROCBASED_CTLS2; index <= IA32_VMX_TRUE_ENTRY; index++)
        no_such_msr(index);
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        no_such_field(fields[i]);
    TRAP_TRY("invept %0, %1", ::"m"(descriptor), "r"(1ull));
    CHECK_FAULT(UD, 0);
    TRAP_TRY("invvpid %0, %1", ::"m"(descriptor), "r"(1ull));
    CHECK_FAULT(UD, 0);
}

static void refused(uint64_t primary)
{
    uint64_t right = vmread(PRIMARY_CONTROLS);
    vmwrite(PRIMARY_CONTROLS, primary);
    CHECK_EQUAL(vmx_run(&registers, false), false);
    CHECK_EQUAL(vmread(VM_INSTRUCTION_ERROR), ERROR_CONTROLS);
    vmwrite(PRIMARY_CONTROLS, right);
}

static void controls_that_are_refused(void)
{
    uint64_t primary = vmread(PRIMARY_CONTROLS);
    CHECK_EQUAL(primary & (CR3_LOAD_EXITING | CR3_STORE_EXITING), CR3_LOAD_EXITING | CR3_STORE_EXITING);
    refused(primary & ~(uint64_t)CR3_LOAD_EXITING);
    refused(primary & ~(uint64_t)CR3_STORE_EXITING);
    refused(primary | USE_MSR_BITMAPS);
    refused(primary | ACTIVATE_SECONDARY_CONTROLS);
}

/* CR0.PE and CR0.PG are fixed to 1: SDM "Restrictions on VMX Operation". */
static void real_mode_is_refused(void)
{
    uint64_t cr0 = vmread(GUEST_CR0);
    vmwrite(GUEST_CR0, 0x20);
    CHECK_EQUAL(vmx_run(&registers, false), true);
    CHECK_EQUAL(vmread(EXIT_REASON), INVALID_GUEST_STATE);
    vmwrite(GUEST_CR0, cr0);
}

static void run_to(bool resume, uint64_t reason, uint64_t qualification)
{
    check_equal("entered", vmx_run(&registers, resume), true, (int)reason);
    CHECK_EQUAL(vmread(EXIT_REASON), reason);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), qualification);
    vmwrite(GUEST_RIP, vmread(GUEST_RIP) + vmread(EXIT_INSTRUCTION_LENGTH));
}

int main(void)
{
    const struct vmx_wanted_controls wanted = {.exit = HOST_ADDRESS_SPACE_SIZE};
    uint64_t efer = rdmsr(IA32_EFER);
    trap_install();
    if (!vmx_enable() || !vmcs_create_with(vmcs, &wanted))
        leave(1);
    vmcs_guest_long_mode((uint64_t)guest, 0, read_cr3());
    what_is_not_there();
    controls_that_are_refused();
    real_mode_is_refused();
    registers.rcx = IA32_EFER;
    run_to(false, EXIT_CR_ACCESS, MOV_FROM_CR3_TO_RAX);
    run_to(true, EXIT_CR_ACCESS, MOV_TO_CR3_FROM_RAX);
    run_to(true, EXIT_RDMSR, 0);
    run_to(true, EXIT_WRMSR, 0);
    run_to(true, EXIT_VMCALL, 0);
    CHECK_EQUAL(rdmsr(IA32_EFER), efer); /* LMA and LME by "host address-space size" */
    check_end();
}
