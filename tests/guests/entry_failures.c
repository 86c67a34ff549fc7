/*
 * entry_failures: a hypervisor whose VM entries fail, each in another phase: what it can see of that, and
 * what standard error tells a person. Then the same VMCS, put right, is entered. SDM "VM Entries",
 * "VM-Instruction Error Numbers".
 */
/* expect: status 0 */
/* expect: error pin_based_controls_allowed */
/* expect: error host_cs_selector_not_null */
/* expect: error guest_cr0_pg_needs_pe */
/* expect: error guest_cs_db */
/* expect: error SDM "Checks on VMX Controls: VM-Execution Control Fields" */
/* expect: error SDM "Checks on Host Segment and Descriptor-Table Registers" */
/* expect: error SDM "Checks on Guest Control Registers, Debug Registers, and MSRs" */
/* expect: error SDM "Checks on Guest Segment Registers" */
/* expect: error Guest CR0 (6800H) = 0000000080000020H */
#include "trap.h"
#include "vmx.h"

enum {
    PAGE = 4096,
    ERROR_LAUNCH_NOT_CLEAR = 4,
    ERROR_RESUME_NOT_LAUNCHED = 5,
    ERROR_CONTROLS = 7,
    ERROR_HOST_STATE = 8,
    ERROR_UNSUPPORTED_FIELD = 12,
    NO_SUCH_FIELD = 0x6ffe,
};
#define INVALID_GUEST_STATE (1u << 31 | EXIT_INVALID_GUEST_STATE)

static uint8_t vmcs[PAGE] __attribute__((aligned(PAGE)));
static uint8_t guest_stack[PAGE] __attribute__((aligned(16)));
static struct guest_registers registers;

static void guest(void)
{
    __asm__ volatile("vmcall");
    for (;;)
        __asm__ volatile("ud2");
}

/* The guest shares our page tables: no EPT, no VPID. */
static bool prepare(void)
{
    if (!vmx_enable() || !vmcs_create(vmcs, 0, 0))
        return false;
    vmcs_guest_long_mode((uint64_t)guest, (uint64_t)guest_stack + PAGE - 8, read_cr3());
    return vmwrite(SECONDARY_CONTROLS, 0);
}

static void expect_vmfail(bool resume, uint64_t error, int line)
{
    check_equal("entry came to an exit", vmx_run(&registers, resume), false, line);
    check_equal("VM-instruction error", vmread(VM_INSTRUCTION_ERROR), error, line);
}

static void wrong_control(void)
{
    uint64_t right = vmread(PIN_BASED_CONTROLS);
    vmwrite(PIN_BASED_CONTROLS, 0); /* bits 1, 2 and 4 must be 1 */
    expect_vmfail(false, ERROR_CONTROLS, __LINE__);
    vmwrite(PIN_BASED_CONTROLS, right);
}

static void wrong_host_state(void)
{
    uint64_t right = vmread(HOST_CS_SELECTOR);
    vmwrite(HOST_CS_SELECTOR, 0);
    expect_vmfail(false, ERROR_HOST_STATE, __LINE__);
    vmwrite(HOST_CS_SELECTOR, right);
}

/* Guest state is judged after the instruction is over: a VM exit, with bit 31 of the reason. */
static void wrong_guest_state(void)
{
    uint64_t cr0 = vmread(GUEST_CR0), rights = vmread(GUEST_CS_ACCESS_RIGHTS), rip = vmread(GUEST_RIP);
    vmwrite(GUEST_CR0, cr0 & ~1ull);                    /* PG without PE */
    vmwrite(GUEST_CS_ACCESS_RIGHTS, rights | 1u << 14); /* L and D/B */
    CHECK_EQUAL(vmx_run(&registers, false), true);
    CHECK_EQUAL(vmread(EXIT_REASON), INVALID_GUEST_STATE);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 0);
    CHECK_EQUAL(vmread(GUEST_RIP), rip);
    vmwrite(GUEST_CS_ACCESS_RIGHTS, rights);
    vmwrite(GUEST_CR0, cr0);
    vmwrite(VMCS_LINK_POINTER, 1);
    CHECK_EQUAL(vmx_run(&registers, false), true);
    CHECK_EQUAL(vmread(EXIT_REASON), INVALID_GUEST_STATE);
    CHECK_EQUAL(vmread(EXIT_QUALIFICATION), 4); /* "VMCS link pointer" */
    vmwrite(VMCS_LINK_POINTER, ~0ull);
}

static void right(void)
{
    CHECK_EQUAL(vmx_run(&registers, false), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
    CHECK_EQUAL(vmread(EXIT_INSTRUCTION_LENGTH), 3);
    expect_vmfail(false, ERROR_LAUNCH_NOT_CLEAR, __LINE__);
    CHECK_EQUAL(vmx_run(&registers, true), true);
    CHECK_EQUAL(vmread(EXIT_REASON), EXIT_VMCALL);
}

int main(void)
{
    trap_install();
    if (!prepare())
        leave(1);
    CHECK_EQUAL(vmwrite(NO_SUCH_FIELD, 0), false);
    CHECK_EQUAL(vmread(VM_INSTRUCTION_ERROR), ERROR_UNSUPPORTED_FIELD);
    expect_vmfail(true, ERROR_RESUME_NOT_LAUNCHED, __LINE__);
    wrong_control();
    wrong_host_state();
    wrong_guest_state();
    right();
    check_end();
}
