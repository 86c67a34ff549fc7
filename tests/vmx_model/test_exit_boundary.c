/*
 * test_exit_boundary.c: monitor trap flag, PAUSE-loop exiting, and what an exit
 * forgets. SDM "Monitor Trap Flag", "Injection of Pending MTF VM Exits", "Controls for PAUSE-Loop Exiting",
 * "Other Causes of VM Exits".
 */
#include "apic_fixture.h"

static bool monitor_trap(struct bench *b)
{
    struct vm_exit exit = {0};
    return vmx_boundary_exit(&b->vmx, &exit) && exit.reason == EXIT_REASON_MONITOR_TRAP_FLAG;
}

static void with_trap(struct bench *b)
{
    b->f.profile.vmx.true_procbased_ctls |= (uint64_t)PRIMARY_MONITOR_TRAP_FLAG << 32;
    b->vmx.non_root = false;
    bench_host_state(&b->state);
    vmx_update_regime(&b->vmx);
}

static void after_each_operation_with_the_control(void **state)
{
    struct bench *b = *state;
    with_trap(b);
    b->vmx.vmcs.primary_proc_based_controls |= PRIMARY_MONITOR_TRAP_FLAG;
    bench_enter(b);
    assert_true(b->vmx.monitor_trap);
    assert_false(monitor_trap(b)); /* nothing was executed yet */
    vmx_note_operation(&b->vmx);
    assert_true(monitor_trap(b));
    b->state.activity_state = ACTIVITY_HLT;
    assert_true(monitor_trap(b));
    b->state.activity_state = ACTIVITY_SHUTDOWN;
    assert_false(monitor_trap(b));
    b->state.activity_state = ACTIVITY_ACTIVE;
    bench_exit(b, &(struct vm_exit){.reason = EXIT_REASON_MONITOR_TRAP_FLAG});
    assert_false(b->vmx.monitor_trap || b->vmx.monitor_trap_due);
    vmx_note_operation(&b->vmx);
    assert_false(monitor_trap(b));
}

static void injected_without_the_control(void **state)
{
    struct bench *b = *state;
    with_trap(b);
    b->vmx.vmcs.vm_entry_interruption_information = INTERRUPTION_VALID | EVENT_OTHER << 8;
    bench_enter(b);
    assert_false(b->vmx.injection_valid);
    assert_true(monitor_trap(b));
    vmx_note_operation(&b->vmx); /* once only */
    assert_false(monitor_trap(b));
}

/* The boundary is that after the delivery of the injected event. */
static void waits_for_an_injected_event(void **state)
{
    struct bench *b = *state;
    with_trap(b);
    b->vmx.vmcs.primary_proc_based_controls |= PRIMARY_MONITOR_TRAP_FLAG;
    b->vmx.vmcs.vm_entry_interruption_information = INTERRUPTION_VALID | EVENT_EXTERNAL_INTERRUPT << 8 | 0x40;
    bench_enter(b);
    vmx_note_operation(&b->vmx);
    assert_false(monitor_trap(b));
    b->vmx.injection_valid = false; /* delivered */
    assert_true(monitor_trap(b));
}

/* TPR below threshold and its like go first. */
static void trap_exits_go_first(void **state)
{
    struct bench *b = *state;
    struct vm_exit exit;
    b->vmx.monitor_trap = true;
    vmx_note_operation(&b->vmx);
    vmx_note_virtualized_write(&b->vmx, 0x320, 4);
    assert_true(vmx_boundary_exit(&b->vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_APIC_WRITE);
}

/* Saved as they are, not delivered: SDM "Saving Non-Register State". */
static void pending_debug_exceptions_are_saved(void **state)
{
    struct bench *b = *state;
    b->state.pending_debug_exceptions = 1 << 14;
    bench_exit(b, &(struct vm_exit){.reason = EXIT_REASON_MONITOR_TRAP_FLAG});
    assert_int_equal(b->vmx.vmcs.guest_pending_debug_exceptions, 1 << 14);
}

static bool pause_at(struct bench *b, uint64_t cycle)
{
    const struct insn pause = {.id = INSN_PAUSE, .length = 2};
    struct vm_exit exit = {0};
    b->account.now = cycle;
    const bool exits = vmx_instruction_exits(&b->vmx, &pause, &exit);
    if (exits)
        assert_int_equal(exit.reason, EXIT_REASON_PAUSE);
    return exits;
}

static void pause_loops(void **state)
{
    struct bench *b = *state;
    struct vmcs *v = &b->vmx.vmcs;
    v->secondary_proc_based_controls |= SECONDARY_PAUSE_LOOP_EXITING;
    v->ple_gap = 10;
    v->ple_window = 25;
    assert_false(pause_at(b, 1000)); /* the first in a loop */
    assert_false(pause_at(b, 1010)); /* the gap is not exceeded */
    assert_false(pause_at(b, 1020));
    assert_false(pause_at(b, 1025)); /* nor is the window */
    assert_true(pause_at(b, 1026));
    assert_false(pause_at(b, 1037)); /* 11 after the last: a new loop */
    assert_false(pause_at(b, 1047));
    b->vmx.pause_seen = false; /* VM entry */
    assert_false(pause_at(b, 1063));
    b->state.seg[SEG_SS].access_rights |= AR_DPL; /* above CPL 0 the control is ignored */
    assert_false(pause_at(b, 1063 + 26));
    v->primary_proc_based_controls |= PRIMARY_PAUSE_EXITING;
    assert_true(pause_at(b, 2000));
    b->state.seg[SEG_SS].access_rights &= ~(uint32_t)AR_DPL;
    assert_true(pause_at(b, 3000));
}

static void exits_forget(void **state)
{
    struct bench *b = *state;
    vmx_note_virtualized_write(&b->vmx, 0x320, 4);
    b->vmx.virtual_interrupt_recognized = true;
    b->vmx.trap_exit_pending = true;
    bench_exit(b, &(struct vm_exit){.reason = EXIT_REASON_EPT_VIOLATION});
    assert_false(b->vmx.apic_write.pending || b->vmx.virtual_interrupt_recognized ||
                 b->vmx.trap_exit_pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        APIC_TEST(after_each_operation_with_the_control),
        APIC_TEST(injected_without_the_control),
        APIC_TEST(waits_for_an_injected_event),
        APIC_TEST(trap_exits_go_first),
        APIC_TEST(pending_debug_exceptions_are_saved),
        APIC_TEST(pause_loops),
        APIC_TEST(exits_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
