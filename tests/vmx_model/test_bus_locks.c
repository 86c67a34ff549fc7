/*
 * test_bus_locks.c: the VM exit after an instruction that asserted a bus lock. SDM "Other Causes of VM
 * Exits", "Basic VM-Exit Information" (bit 26 of the exit reason), "Saving Non-Register State", "Guest
 * Non-Register State".
 */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

/* A guest with the control 1. */
static void enter(void)
{
    bench_setup(&b, fixture_long);
    b.f.profile.vmx.procbased_ctls2 |= (uint64_t)SECONDARY_VMM_BUS_LOCK_DETECTION << 32;
    b.vmx.vmcs.secondary_proc_based_controls |= SECONDARY_VMM_BUS_LOCK_DETECTION;
    bench_enter(&b);
}

static void exit_after_the_instruction(void **state)
{
    struct vm_exit exit = {0};
    (void)state;
    enter();
    assert_true(b.vmx.bus_lock_detection);
    assert_false(vmx_trap_exit(&b.vmx, &exit));
    vmx_note_bus_lock(&b.vmx);
    assert_true(vmx_boundary_due(&b.vmx));
    assert_true(vmx_trap_exit(&b.vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_BUS_LOCK);
    b.state.rflags |= RFLAGS_RF;
    b.state.pending_debug_exceptions = 1 << 12 | DR6_BUS_LOCK;
    bench_exit(&b, &exit);
    assert_int_equal(b.vmx.vmcs.exit_reason, 74 | 1 << 26);
    assert_int_equal(b.vmx.vmcs.exit_qualification, 0);
    assert_int_equal(b.vmx.vmcs.guest_pending_debug_exceptions, 1 << 12 | 1 << 11);
    assert_true(b.vmx.vmcs.guest_rflags & RFLAGS_RF);
    assert_false(b.vmx.bus_lock_detection || b.vmx.bus_lock_due);
    bench_end(&b);
}

/* An APIC write is emulated with the same instruction: its own exit says that there was a bus lock. */
static void another_exit_reports_it_too(void **state)
{
    struct vm_exit exit = {0};
    (void)state;
    enter();
    vmx_note_bus_lock(&b.vmx);
    b.vmx.trap_exit_pending = true;
    b.vmx.trap_exit = (struct vm_exit){.reason = EXIT_REASON_APIC_WRITE, .qualification = 0x300};
    assert_true(vmx_trap_exit(&b.vmx, &exit));
    bench_exit(&b, &exit);
    assert_int_equal(b.vmx.vmcs.exit_reason, EXIT_REASON_APIC_WRITE | 1 << 26);
    assert_int_equal(b.vmx.vmcs.exit_qualification, 0x300);
    bench_end(&b);
}

static void other_exits_do_not(void **state)
{
    (void)state;
    enter();
    bench_exit(&b, &(struct vm_exit){.reason = EXIT_REASON_CPUID});
    assert_int_equal(b.vmx.vmcs.exit_reason, EXIT_REASON_CPUID);
    bench_end(&b);
}

static void nothing_without_the_control(void **state)
{
    struct vm_exit exit = {0};
    (void)state;
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    vmx_note_bus_lock(&b.vmx);
    assert_false(vmx_boundary_due(&b.vmx) || vmx_trap_exit(&b.vmx, &exit));
    bench_exit(&b, &(struct vm_exit){.reason = EXIT_REASON_CPUID});
    assert_int_equal(b.vmx.vmcs.exit_reason, EXIT_REASON_CPUID);
    vmx_note_bus_lock(&b.vmx); /* in root operation */
    assert_false(b.vmx.bus_lock_due);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_after_the_instruction),
        cmocka_unit_test(another_exit_reports_it_too),
        cmocka_unit_test(other_exits_do_not),
        cmocka_unit_test(nothing_without_the_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
