/* Event injection, pending debug exceptions and the preemption timer: SDM "Event Injection" and "Special
 * Features of VM Entry". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

static void inject(enum cpu_event_type type, uint32_t vector, uint32_t flags)
{
    b.vmx.vmcs.vm_entry_interruption_information = INTERRUPTION_VALID | (uint32_t)type << 8 | vector | flags;
}

static void nothing_is_injected(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    inject(EVENT_HARDWARE_EXCEPTION, VECTOR_UD, 0);
    b.vmx.vmcs.vm_entry_interruption_information &= ~INTERRUPTION_VALID;
    bench_enter(&b);
    assert_false(b.vmx.injection_valid);
    bench_end(&b);
}

static void external_interrupt(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    inject(EVENT_EXTERNAL_INTERRUPT, 0xec, 0);
    b.vmx.vmcs.guest_activity_state = ACTIVITY_HLT; /* kvm-unit-tests "Inject an event to a halted guest" */
    bench_enter(&b);
    assert_true(b.vmx.injection_valid);
    assert_int_equal(b.vmx.injection.type, EVENT_EXTERNAL_INTERRUPT);
    assert_int_equal(b.vmx.injection.vector, 0xec);
    assert_false(b.vmx.injection.has_error_code);
    assert_int_equal(b.state.activity_state,
                     ACTIVITY_ACTIVE); /* vectoring: active, whatever the field says */
    bench_end(&b);
}

static void exception_with_error_code(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    inject(EVENT_HARDWARE_EXCEPTION, VECTOR_PF, INTERRUPTION_ERROR_CODE);
    b.vmx.vmcs.vm_entry_exception_error_code = 7;
    b.vmx.vmcs.vm_entry_instruction_length = 3;
    b.state.cr2 = 0x1000;
    bench_enter(&b);
    assert_int_equal(b.vmx.injection.vector, VECTOR_PF);
    assert_true(b.vmx.injection.has_error_code);
    assert_int_equal(b.vmx.injection.error_code, 7);
    assert_int_equal(b.vmx.injection.cr2, 0x1000); /* delivery leaves CR2 alone */
    assert_int_equal(b.vmx.injection.instruction_length, 0);
    bench_end(&b);
}

static void software_events_carry_their_length(void **state)
{
    (void)state;
    static const enum cpu_event_type types[] = {EVENT_SOFTWARE_INTERRUPT, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION,
                                                EVENT_SOFTWARE_EXCEPTION};
    static const uint32_t vectors[] = {0x80, VECTOR_DB, VECTOR_BP};
    for (unsigned i = 0; i < 3; i++) {
        bench_setup(&b, fixture_long);
        inject(types[i], vectors[i], 0);
        b.vmx.vmcs.vm_entry_instruction_length = i + 1;
        bench_enter(&b);
        assert_int_equal(b.vmx.injection.type, types[i]);
        assert_int_equal(b.vmx.injection.vector, vectors[i]);
        assert_int_equal(b.vmx.injection.instruction_length, i + 1);
        bench_end(&b);
    }
}

/* An injected NMI blocks NMIs, or virtual NMIs where there are such. */
static void nmi_blocks(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    inject(EVENT_NMI, VECTOR_NMI, 0);
    bench_enter(&b);
    assert_int_equal(b.state.interruptibility_state, BLOCKING_BY_NMI);
    assert_false(b.vmx.virtual_nmi_blocking);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.vmx.vmcs.pin_based_controls |= PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
    inject(EVENT_NMI, VECTOR_NMI, 0);
    bench_enter(&b);
    assert_int_equal(b.state.interruptibility_state, 0);
    assert_true(b.vmx.virtual_nmi_blocking);
    bench_end(&b);
}

/* "Interruptibility State": a vectoring entry ends blocking by STI and by MOV SS. */
static void vectoring_ends_blocking(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_interruptibility_state = BLOCKING_BY_STI;
    inject(EVENT_HARDWARE_EXCEPTION, VECTOR_UD, 0);
    bench_enter(&b);
    assert_int_equal(b.state.interruptibility_state, 0);
    bench_end(&b);
}

/* The valid bit is cleared by the next VM exit: "Recording VM-Exit Information and Updating VM-Entry Control
 * Fields". */
static void valid_bit_is_cleared_on_exit(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    inject(EVENT_HARDWARE_EXCEPTION, VECTOR_UD, 0);
    bench_enter(&b);
    assert_int_equal(b.vmx.vmcs.vm_entry_interruption_information >> 31, 1);
    bench_exit(&b, &(struct vm_exit){.reason = EXIT_REASON_CPUID, .instruction_length = 2});
    assert_int_equal(b.vmx.vmcs.vm_entry_interruption_information, EVENT_HARDWARE_EXCEPTION << 8 | VECTOR_UD);
    assert_false(b.vmx.injection_valid);
    bench_end(&b);
}

static uint64_t pending_after(uint64_t pending, uint32_t blocking, uint32_t activity, int type,
                              uint32_t vector)
{
    struct vmcs v = {.guest_pending_debug_exceptions = pending,
                     .guest_interruptibility_state = blocking,
                     .guest_activity_state = activity};
    if (type >= 0)
        v.vm_entry_interruption_information = INTERRUPTION_VALID | (uint32_t)type << 8 | vector;
    return vmx_entry_pending_debug_exceptions(&v);
}

/* "Delivery of Pending Debug Exceptions after VM Entry". */
static void pending_debug_exceptions(void **state)
{
    (void)state;
    const uint64_t bs = 1 << 14, breakpoint = 1 << 12 | 1;
    assert_int_equal(pending_after(bs, 0, ACTIVITY_ACTIVE, -1, 0), bs);
    assert_int_equal(pending_after(breakpoint, BLOCKING_BY_MOV_SS, ACTIVITY_ACTIVE, -1, 0), breakpoint);
    assert_int_equal(pending_after(1, 0, ACTIVITY_ACTIVE, -1, 0), 0); /* not valid: neither bit 12 nor 14 */
    assert_int_equal(pending_after(bs, 0, ACTIVITY_HLT, -1, 0), bs);
    assert_int_equal(pending_after(bs, 0, ACTIVITY_SHUTDOWN, -1, 0), 0);
    assert_int_equal(pending_after(bs, 0, ACTIVITY_WAIT_FOR_SIPI, -1, 0), 0);
    assert_int_equal(pending_after(bs, 0, ACTIVITY_ACTIVE, EVENT_HARDWARE_EXCEPTION, VECTOR_UD), 0);
    assert_int_equal(pending_after(bs, 0, ACTIVITY_ACTIVE, EVENT_SOFTWARE_INTERRUPT, 0x80), 0);
    assert_int_equal(pending_after(bs, BLOCKING_BY_MOV_SS, ACTIVITY_ACTIVE, EVENT_SOFTWARE_INTERRUPT, 0x80),
                     bs);
    assert_int_equal(pending_after(bs, BLOCKING_BY_MOV_SS, ACTIVITY_ACTIVE, EVENT_SOFTWARE_EXCEPTION, 3), bs);
    assert_int_equal(pending_after(bs, BLOCKING_BY_MOV_SS, ACTIVITY_ACTIVE, EVENT_NMI, 2), 0);
}

/* The timer counts TSC >> 5 here. The entry ends at cycle 1000, TSC 1003: the third change of bit 5 is at TSC
 * 1088. */
static void preemption_timer(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.state.tsc_offset_root = 3;
    b.vmx.vmcs.pin_based_controls |= PIN_ACTIVATE_PREEMPTION_TIMER;
    b.vmx.vmcs.primary_vm_exit_controls |= EXIT_SAVE_PREEMPTION_TIMER_VALUE;
    b.vmx.vmcs.vmx_preemption_timer_value = 3;
    b.vmx.vmcs.tsc_offset = 77; /* the guest's offset has no influence */
    bench_enter(&b);
    assert_int_equal(vmx_next_deadline(&b.vmx), 1088 - 3);
    struct vm_exit exit;
    assert_false(vmx_pending_exit(&b.vmx, &exit));
    b.account.now = 1056 - 3; /* two changes: TSC 1024 and 1056 */
    assert_int_equal(vmx_preemption_timer_left(&b.vmx), 1);
    b.account.now = 1084;
    assert_false(vmx_pending_exit(&b.vmx, &exit));
    b.account.now = 1085;
    assert_true(vmx_pending_exit(&b.vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_PREEMPTION_TIMER_EXPIRED);
    bench_exit(&b, &exit);
    assert_int_equal(b.vmx.vmcs.vmx_preemption_timer_value, 0);
    assert_int_equal(vmx_next_deadline(&b.vmx), UINT64_MAX);
    bench_end(&b);
}

static void preemption_timer_value_is_saved_by_its_control(void **state)
{
    (void)state;
    for (unsigned save = 0; save < 2; save++) {
        bench_setup(&b, fixture_long);
        b.vmx.vmcs.pin_based_controls |= PIN_ACTIVATE_PREEMPTION_TIMER;
        if (save)
            b.vmx.vmcs.primary_vm_exit_controls |= EXIT_SAVE_PREEMPTION_TIMER_VALUE;
        b.vmx.vmcs.vmx_preemption_timer_value = 100;
        bench_enter(&b); /* TSC 1000; >> 5 is 31 */
        b.account.now = 1000 + 320;
        bench_exit(&b, &(struct vm_exit){.reason = EXIT_REASON_CPUID});
        /* the exit's own time counts */
        const uint32_t counted = (1320 + COST_EXIT) / 32 - 31;
        assert_int_equal(b.vmx.vmcs.vmx_preemption_timer_value, save ? 100 - counted : 100);
        bench_end(&b);
    }
}

/* 0 expires during VM entry: the exit follows injection, and comes before any instruction. */
static void preemption_timer_of_0(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.pin_based_controls |= PIN_ACTIVATE_PREEMPTION_TIMER;
    inject(EVENT_HARDWARE_EXCEPTION, VECTOR_UD, 0);
    bench_enter(&b);
    struct vm_exit exit;
    assert_false(vmx_pending_exit(&b.vmx, &exit));
    b.vmx.injection_valid = false; /* delivered */
    assert_true(vmx_pending_exit(&b.vmx, &exit));
    assert_int_equal(exit.reason, EXIT_REASON_PREEMPTION_TIMER_EXPIRED);
    assert_int_equal(vmx_next_deadline(&b.vmx), b.account.now);
    b.state.activity_state = ACTIVITY_WAIT_FOR_SIPI;
    assert_false(vmx_pending_exit(&b.vmx, &exit));
    assert_int_equal(vmx_next_deadline(&b.vmx), UINT64_MAX);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_injected),
        cmocka_unit_test(external_interrupt),
        cmocka_unit_test(exception_with_error_code),
        cmocka_unit_test(software_events_carry_their_length),
        cmocka_unit_test(nmi_blocks),
        cmocka_unit_test(vectoring_ends_blocking),
        cmocka_unit_test(valid_bit_is_cleared_on_exit),
        cmocka_unit_test(pending_debug_exceptions),
        cmocka_unit_test(preemption_timer),
        cmocka_unit_test(preemption_timer_value_is_saved_by_its_control),
        cmocka_unit_test(preemption_timer_of_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
