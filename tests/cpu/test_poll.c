/*
 * test_poll.c: what is taken between two instructions, and in which order. SDM volume 3A "Prioritization of
 * Concurrent Events"; volume 3C "Other Causes of VM Exits", "Event Blocking", "Activity State".
 */
#include "guest_fixture.h"

static void nothing_due(void **state)
{
    struct machine *m = *state;
    m->cpu.account.now = 77;
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    assert_int_equal(m->advanced_to, 77);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    assert_int_equal(cpu_next_deadline(&m->cpu), UINT64_MAX);
    assert_false(cpu_wants_interrupt_window(&m->cpu));
    m->deadline = 1234;
    assert_int_equal(cpu_next_deadline(&m->cpu), 1234);
}

static void interrupt_waits_for_if_and_shadows(void **state)
{
    struct machine *m = *state;
    m->interrupt = true;
    m->interrupt_vector = 40;
    m->cpu.state.rflags &= ~RFLAGS_IF;
    cpu_poll(&m->cpu);
    assert_int_equal(m->interrupts_acknowledged, 0);
    assert_true(cpu_wants_interrupt_window(&m->cpu));
    m->cpu.state.rflags |= RFLAGS_IF;
    for (uint32_t shadow = BLOCKING_BY_STI; shadow <= BLOCKING_BY_MOV_SS; shadow++) {
        m->cpu.state.interruptibility_state = shadow;
        cpu_poll(&m->cpu);
        assert_int_equal(m->interrupts_acknowledged, 0);
    }
    m->cpu.state.interruptibility_state = 0;
    m->cpu.account.now = 5;
    assert_int_equal(cpu_next_deadline(&m->cpu), 5); /* due now */
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    assert_int_equal(m->interrupts_acknowledged, 1);
    assert_int_equal(m->cpu.state.rip, handler_of(40));
}

static void nmi_goes_before_interrupt_and_blocks_the_next(void **state)
{
    struct machine *m = *state;
    m->interrupt = m->nmi = true;
    cpu_poll(&m->cpu);
    assert_int_equal(m->cpu.state.rip, handler_of(2));
    assert_int_equal(m->cpu.state.interruptibility_state, BLOCKING_BY_NMI);
    assert_int_equal(m->interrupts_acknowledged, 0);
    m->nmi = true;
    cpu_poll(&m->cpu);
    assert_int_equal(m->nmis_acknowledged, 1);
}

static void nmi_ignores_if_but_not_shadows(void **state)
{
    struct machine *m = *state;
    m->nmi = true;
    m->cpu.state.rflags &= ~RFLAGS_IF;
    m->cpu.state.interruptibility_state = BLOCKING_BY_MOV_SS;
    cpu_poll(&m->cpu);
    assert_int_equal(m->nmis_acknowledged, 0);
    m->cpu.state.interruptibility_state = BLOCKING_BY_STI;
    cpu_poll(&m->cpu);
    assert_int_equal(m->nmis_acknowledged, 0);
    m->cpu.state.interruptibility_state = 0;
    cpu_poll(&m->cpu);
    assert_int_equal(m->nmis_acknowledged, 1);
}

static void pending_debug_exception_goes_first(void **state)
{
    struct machine *m = *state;
    m->nmi = true;
    m->cpu.state.pending_debug_exceptions = 1 << 14;
    m->cpu.state.interruptibility_state = BLOCKING_BY_MOV_SS;
    cpu_poll(&m->cpu);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    m->cpu.state.interruptibility_state = 0;
    cpu_poll(&m->cpu);
    /* #DB first; the NMI then interrupts its handler */
    assert_int_equal(peek(m, STACK0_TOP - 12, 4), CODE_AT);
    assert_int_equal(peek(m, STACK0_TOP - 24, 4), handler_of(VECTOR_DB));
    assert_int_equal(m->cpu.state.rip, handler_of(2));
}

static void hlt_wakes_by_interrupt(void **state)
{
    struct machine *m = *state;
    m->cpu.state.activity_state = ACTIVITY_HLT;
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    m->interrupt = true;
    m->interrupt_vector = 33;
    m->cpu.state.rflags &= ~RFLAGS_IF;
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    m->cpu.state.rflags |= RFLAGS_IF;
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    assert_int_equal(m->cpu.state.activity_state, ACTIVITY_ACTIVE);
    assert_int_equal(m->cpu.state.rip, handler_of(33));
}

static void wait_for_sipi_takes_nothing(void **state)
{
    struct machine *m = *state;
    m->cpu.state.activity_state = ACTIVITY_WAIT_FOR_SIPI;
    m->nmi = m->interrupt = true;
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    assert_int_equal(m->nmis_acknowledged + m->interrupts_acknowledged, 0);
}

/* --- Non-root operation --- */

static void external_interrupt_exits_whatever_if_says(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.pin_based_controls = PIN_EXTERNAL_INTERRUPT_EXITING;
    m->cpu.state.rflags &= ~RFLAGS_IF;
    m->interrupt = true;
    cpu_poll(&m->cpu);
    check_exited(m, 1);
    assert_int_equal(m->interrupts_acknowledged, 0);
    assert_true(m->interrupt); /* still pending: no "acknowledge interrupt on exit" */
}

static void external_interrupt_exit_acknowledges(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.pin_based_controls = PIN_EXTERNAL_INTERRUPT_EXITING;
    m->cpu.vmx.vmcs.primary_vm_exit_controls = EXIT_ACKNOWLEDGE_INTERRUPT;
    m->interrupt = true;
    m->interrupt_vector = 0x51;
    cpu_poll(&m->cpu);
    check_exited(m, 1);
    assert_int_equal(m->interrupts_acknowledged, 1);
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_interruption_information, INFORMATION(0x51, 0));
}

/* SDM "Other Causes of VM Exits": both windows wake the processor from HLT. STI's shadow closes them until the
 * HLT is over, and they are open at once then: no time passes, and no device has to act. */
static void window_opens_after_sti_and_hlt(void **state)
{
    struct machine *m = *state;
    const uint32_t windows[] = {PRIMARY_INTERRUPT_WINDOW_EXITING, PRIMARY_NMI_WINDOW_EXITING};
    const uint32_t reasons[] = {7, 8};
    const struct insn hlt = {.id = INSN_HLT, .length = 1, .mode_bits = 32};
    for (unsigned i = 0; i < 2; i++) {
        enter_guest(m);
        m->cpu.vmx.vmcs.pin_based_controls = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
        m->cpu.vmx.vmcs.primary_proc_based_controls = windows[i];
        m->cpu.account.now = 1000;
        m->deadline = 5000;
        m->cpu.state.rip = CODE_AT;
        m->cpu.state.rflags |= RFLAGS_IF;
        m->cpu.state.interruptibility_state = BLOCKING_BY_STI;
        assert_int_equal(cpu_instruction(&m->cpu, &hlt), CPU_HALTED);
        assert_true(cpu_next_deadline(&m->cpu) <= m->cpu.account.now);
        cpu_poll(&m->cpu);
        check_exited(m, reasons[i]);
        assert_int_equal(m->cpu.vmx.vmcs.guest_activity_state, ACTIVITY_HLT);
        assert_int_equal(m->cpu.vmx.vmcs.guest_rip, CODE_AT + 1);
    }
}

static void external_interrupt_goes_through_the_guest_idt(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->interrupt = true;
    m->interrupt_vector = 50;
    cpu_poll(&m->cpu);
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(m->cpu.state.rip, handler_of(50));
}

static void nmi_exits_and_blocks_afterwards(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.pin_based_controls = PIN_NMI_EXITING;
    m->nmi = true;
    cpu_poll(&m->cpu);
    check_exited(m, 0);
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_interruption_information, INFORMATION(2, 2));
    assert_int_equal(m->cpu.vmx.vmcs.guest_interruptibility_state, 0);
    assert_int_equal(m->cpu.state.interruptibility_state & BLOCKING_BY_NMI, BLOCKING_BY_NMI);
}

static void order_of_exits(void **state)
{
    struct machine *m = *state;
    static const struct {
        bool timer, nmi_window, nmi, interrupt_window, interrupt;
        uint32_t reason;
    } rows[] = {
        {true, true, true, true, true, EXIT_REASON_PREEMPTION_TIMER_EXPIRED},
        {false, true, true, true, true, EXIT_REASON_NMI_WINDOW},
        {false, false, true, true, true, EXIT_REASON_EXCEPTION_OR_NMI},
        {false, false, false, true, true, EXIT_REASON_INTERRUPT_WINDOW},
        {false, false, false, false, true, EXIT_REASON_EXTERNAL_INTERRUPT},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enter_guest(m);
        struct vmx *vmx = &m->cpu.vmx;
        vmx->vmcs.pin_based_controls = PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
        vmx->vmcs.primary_proc_based_controls =
            (rows[i].nmi_window ? PRIMARY_NMI_WINDOW_EXITING : 0) |
            (rows[i].interrupt_window ? PRIMARY_INTERRUPT_WINDOW_EXITING : 0);
        vmx->preemption_timer_on = rows[i].timer;
        vmx->preemption_deadline = 0;
        m->nmi = rows[i].nmi;
        m->interrupt = rows[i].interrupt;
        m->cpu.state.interruptibility_state = 0;
        m->cpu.state.rflags |= RFLAGS_IF;
        cpu_poll(&m->cpu);
        assert_false(vmx->non_root);
        assert_int_equal(vmx->vmcs.exit_reason, rows[i].reason);
    }
}

static void guest_in_hlt_exits_by_timer(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.state.activity_state = ACTIVITY_HLT;
    m->cpu.vmx.preemption_timer_on = true;
    m->cpu.vmx.preemption_deadline = 500;
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    assert_int_equal(cpu_next_deadline(&m->cpu), 500);
    m->cpu.account.now = 500;
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    check_exited(m, EXIT_REASON_PREEMPTION_TIMER_EXPIRED);
    assert_int_equal(m->cpu.vmx.vmcs.guest_activity_state, ACTIVITY_HLT);
}

static void windows_are_wanted(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    assert_false(cpu_wants_interrupt_window(&m->cpu));
    m->cpu.vmx.vmcs.primary_proc_based_controls = PRIMARY_INTERRUPT_WINDOW_EXITING;
    assert_true(cpu_wants_interrupt_window(&m->cpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_due),
        TEST(interrupt_waits_for_if_and_shadows),
        TEST(nmi_goes_before_interrupt_and_blocks_the_next),
        TEST(nmi_ignores_if_but_not_shadows),
        TEST(pending_debug_exception_goes_first),
        TEST(hlt_wakes_by_interrupt),
        TEST(wait_for_sipi_takes_nothing),
        TEST(external_interrupt_exits_whatever_if_says),
        TEST(external_interrupt_exit_acknowledges),
        TEST(window_opens_after_sti_and_hlt),
        TEST(external_interrupt_goes_through_the_guest_idt),
        TEST(nmi_exits_and_blocks_afterwards),
        TEST(order_of_exits),
        TEST(guest_in_hlt_exits_by_timer),
        TEST(windows_are_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
