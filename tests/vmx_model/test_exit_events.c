/* Exceptions, NMIs, interrupts and windows: SDM "Other Causes of VM Exits" and "Information for VM Exits Due
 * to Vectored Events". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;
static struct vm_exit result;

static void setup(void)
{
    bench_setup(&b, fixture_long);
    bench_non_root(&b);
    memset(&result, 0, sizeof result);
}

static bool exits(struct cpu_event event)
{
    return vmx_event_exits(&b.vmx, &event, &result);
}

static void exception_bitmap(void **state)
{
    (void)state;
    setup();
    for (unsigned vector = 0; vector < 32; vector++) {
        if (vector == VECTOR_PF || vector == VECTOR_NMI)
            continue;
        const struct cpu_event event = {.vector = (uint8_t)vector, .type = EVENT_HARDWARE_EXCEPTION};
        b.vmx.vmcs.exception_bitmap = ~(1u << vector);
        assert_false(exits(event));
        b.vmx.vmcs.exception_bitmap = 1u << vector;
        assert_true(exits(event));
        assert_int_equal(result.reason, 0);
        assert_int_equal(result.interruption_information, 0x80000300 | vector);
        assert_int_equal(result.qualification, 0);
        assert_int_equal(result.instruction_length, 0);
    }
    b.vmx.non_root = false;
    assert_false(exits((struct cpu_event){.vector = 31, .type = EVENT_HARDWARE_EXCEPTION}));
    bench_end(&b);
}

static void error_code(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.exception_bitmap = 1u << VECTOR_GP;
    const struct cpu_event gp = {
        .vector = VECTOR_GP, .type = EVENT_HARDWARE_EXCEPTION, .has_error_code = true, .error_code = 0x18};
    assert_true(exits(gp));
    assert_int_equal(result.interruption_information, 0x80000b0d);
    assert_int_equal(result.interruption_error_code, 0x18);
    b.state.cr0 &= ~(CR0_PE | CR0_PG);
    assert_true(exits(gp));
    assert_int_equal(result.interruption_information, 0x8000030d);
    bench_end(&b);
}

/* PFEC & mask = match: the bit is followed; else it is reversed. */
static void page_faults(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    const struct cpu_event pf = {.vector = VECTOR_PF,
                                 .type = EVENT_HARDWARE_EXCEPTION,
                                 .has_error_code = true,
                                 .error_code = PF_P | PF_U,
                                 .cr2 = 0x1234567890ull};
    v->exception_bitmap = 1u << VECTOR_PF;
    assert_true(exits(pf));
    assert_int_equal(result.qualification, 0x1234567890ull);
    assert_int_equal(result.interruption_information, 0x80000b0e);
    assert_int_equal(result.interruption_error_code, 5);
    v->page_fault_error_code_match = UINT32_MAX; /* "VM exits on no page faults" */
    assert_false(exits(pf));
    v->exception_bitmap = 0;
    assert_true(exits(pf));
    v->page_fault_error_code_mask = PF_P | PF_W;
    v->page_fault_error_code_match = PF_P;
    assert_false(exits(pf));
    v->exception_bitmap = 1u << VECTOR_PF;
    assert_true(exits(pf));
    b.state.seg[SEG_CS].access_rights = 0xc09b; /* not 64-bit mode */
    assert_true(exits(pf));
    assert_int_equal(result.qualification, 0x34567890);
    bench_end(&b);
}

static void debug_exceptions(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.exception_bitmap = 1u << VECTOR_DB;
    assert_true(exits((struct cpu_event){
        .vector = VECTOR_DB, .type = EVENT_HARDWARE_EXCEPTION, .debug_conditions = 0xffff47f5}));
    assert_int_equal(result.qualification, 0x4005); /* BS, B2, B0; what DR6 reads as 1 is not there */
    assert_true(exits((struct cpu_event){
        .vector = VECTOR_DB, .type = EVENT_HARDWARE_EXCEPTION, .debug_conditions = 0x801}));
    assert_int_equal(result.qualification, 0x801); /* BLD, which DR6 has inverted */
    assert_true(exits((struct cpu_event){
        .vector = VECTOR_DB, .type = EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, .instruction_length = 1}));
    assert_int_equal(result.interruption_information, 0x80000501);
    assert_int_equal(result.instruction_length, 1);
    assert_int_equal(result.qualification, 0);
    bench_end(&b);
}

static void software_events(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.exception_bitmap = UINT32_MAX;
    assert_true(exits(
        (struct cpu_event){.vector = VECTOR_BP, .type = EVENT_SOFTWARE_EXCEPTION, .instruction_length = 2}));
    assert_int_equal(result.interruption_information, 0x80000603);
    assert_int_equal(result.instruction_length, 2);
    assert_false(
        exits((struct cpu_event){.vector = 3, .type = EVENT_SOFTWARE_INTERRUPT, .instruction_length = 2}));
    bench_end(&b);
}

static void nmis(void **state)
{
    (void)state;
    setup();
    const struct cpu_event nmi = {.vector = VECTOR_NMI, .type = EVENT_NMI};
    b.vmx.vmcs.exception_bitmap = UINT32_MAX; /* has no say */
    assert_false(exits(nmi));
    b.vmx.vmcs.pin_based_controls |= PIN_NMI_EXITING;
    assert_true(exits(nmi));
    assert_int_equal(result.interruption_information, 0x80000202);
    bench_end(&b);
}

static void external_interrupts(void **state)
{
    (void)state;
    setup();
    struct vmcs *v = &b.vmx.vmcs;
    b.state.rflags &= ~RFLAGS_IF; /* does not block them */
    assert_false(vmx_external_interrupt_exits(&b.vmx, &result));
    v->pin_based_controls |= PIN_EXTERNAL_INTERRUPT_EXITING;
    assert_true(vmx_external_interrupt_exits(&b.vmx, &result));
    assert_int_equal(result.reason, 1);
    assert_int_equal(result.interruption_information, 0);
    assert_int_equal(b.acknowledged, 0);
    v->primary_vm_exit_controls |= EXIT_ACKNOWLEDGE_INTERRUPT;
    assert_true(vmx_external_interrupt_exits(&b.vmx, &result));
    assert_int_equal(result.interruption_information, 0x80000031);
    assert_int_equal(b.acknowledged, 1);
    b.state.activity_state = ACTIVITY_HLT;
    assert_true(vmx_external_interrupt_exits(&b.vmx, &result));
    b.state.activity_state = ACTIVITY_SHUTDOWN;
    assert_false(vmx_external_interrupt_exits(&b.vmx, &result));
    b.state.activity_state = ACTIVITY_WAIT_FOR_SIPI;
    assert_false(vmx_external_interrupt_exits(&b.vmx, &result));
    bench_end(&b);
}

static bool pending(void)
{
    return vmx_pending_exit(&b.vmx, &result);
}

static void interrupt_window(void **state)
{
    (void)state;
    setup();
    assert_false(pending());
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_INTERRUPT_WINDOW_EXITING;
    assert_true(pending());
    assert_int_equal(result.reason, 7);
    b.state.rflags &= ~RFLAGS_IF;
    assert_false(pending());
    b.state.rflags |= RFLAGS_IF;
    b.state.interruptibility_state = BLOCKING_BY_STI;
    assert_false(pending());
    b.state.interruptibility_state = BLOCKING_BY_MOV_SS;
    assert_false(pending());
    b.state.interruptibility_state = BLOCKING_BY_NMI;
    assert_true(pending());
    b.state.activity_state = ACTIVITY_HLT;
    assert_true(pending());
    b.state.activity_state = ACTIVITY_SHUTDOWN;
    assert_false(pending());
    b.state.activity_state = ACTIVITY_WAIT_FOR_SIPI;
    assert_false(pending());
    bench_end(&b);
}

static void nmi_window(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.pin_based_controls |= PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_NMI_WINDOW_EXITING;
    b.state.rflags &= ~RFLAGS_IF;
    assert_true(pending());
    assert_int_equal(result.reason, 8);
    b.vmx.virtual_nmi_blocking = true;
    assert_false(pending());
    b.vmx.virtual_nmi_blocking = false;
    b.state.interruptibility_state = BLOCKING_BY_STI;
    assert_false(pending());
    b.state.interruptibility_state = 0;
    b.state.activity_state = ACTIVITY_SHUTDOWN;
    assert_true(pending());
    b.state.activity_state = ACTIVITY_WAIT_FOR_SIPI;
    assert_false(pending());
    bench_end(&b);
}

/* Timer before NMI window before interrupt window. */
static void priorities(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_NMI_WINDOW_EXITING | PRIMARY_INTERRUPT_WINDOW_EXITING;
    b.vmx.preemption_timer_on = true;
    b.vmx.preemption_deadline = 0;
    assert_true(pending());
    assert_int_equal(result.reason, 52);
    b.vmx.preemption_timer_on = false;
    assert_true(pending());
    assert_int_equal(result.reason, 8);
    b.vmx.virtual_nmi_blocking = true;
    assert_true(pending());
    assert_int_equal(result.reason, 7);
    bench_end(&b);
}

/* "Information for VM Exits During Event Delivery". */
static void vectoring_information(void **state)
{
    (void)state;
    const struct cpu_event gp = {
        .vector = VECTOR_GP, .type = EVENT_HARDWARE_EXCEPTION, .has_error_code = true, .error_code = 0x18};
    struct vm_exit exit = {.reason = EXIT_REASON_EPT_VIOLATION};
    vmx_note_vectoring(&exit, &gp);
    assert_int_equal(exit.idt_vectoring_information, 0x80000b0d);
    assert_int_equal(exit.idt_vectoring_error_code, 0x18);
    exit = (struct vm_exit){.reason = EXIT_REASON_TRIPLE_FAULT};
    vmx_note_vectoring(&exit, &gp);
    assert_int_equal(exit.idt_vectoring_information, 0);
    exit = (struct vm_exit){.reason = EXIT_REASON_EXCEPTION_OR_NMI, .interruption_information = 0x80000b08};
    vmx_note_vectoring(&exit, &gp); /* the double fault exits directly */
    assert_int_equal(exit.idt_vectoring_information, 0);
}

/* "Information About NMI Unblocking Due to IRET". */
static void nmi_unblocking(void **state)
{
    (void)state;
    setup();
    const struct vm_exit fault = {.reason = EXIT_REASON_EXCEPTION_OR_NMI,
                                  .interruption_information = 0x80000b0d};
    struct vm_exit exit = fault;
    vmx_note_nmi_unblocking(&b.vmx, &exit, false);
    assert_int_equal(exit.interruption_information, 0x80000b0d);
    vmx_note_nmi_unblocking(&b.vmx, &exit, true);
    assert_int_equal(exit.interruption_information, 0x80001b0d);
    exit = (struct vm_exit){.reason = EXIT_REASON_EPT_VIOLATION, .qualification = 0x181};
    vmx_note_nmi_unblocking(&b.vmx, &exit, true);
    assert_int_equal(exit.qualification, 0x1181);
    exit = (struct vm_exit){.reason = EXIT_REASON_SPP_RELATED_EVENT, .qualification = 1 << 11};
    vmx_note_nmi_unblocking(&b.vmx, &exit, true);
    assert_int_equal(exit.qualification, 0x1800);
    exit = (struct vm_exit){.reason = EXIT_REASON_PML_FULL};
    vmx_note_nmi_unblocking(&b.vmx, &exit, true);
    assert_int_equal(exit.qualification, 0x1000);
    exit = fault;
    exit.idt_vectoring_information = 0x80000202;
    vmx_note_nmi_unblocking(&b.vmx, &exit, true); /* not defined during event delivery */
    assert_int_equal(exit.interruption_information, 0x80000b0d);
    b.vmx.vmcs.pin_based_controls |= PIN_NMI_EXITING; /* without virtual NMIs: not defined */
    exit = fault;
    vmx_note_nmi_unblocking(&b.vmx, &exit, true);
    assert_int_equal(exit.interruption_information, 0x80000b0d);
    b.vmx.vmcs.pin_based_controls |= PIN_VIRTUAL_NMIS;
    vmx_note_nmi_unblocking(&b.vmx, &exit, true);
    assert_int_equal(exit.interruption_information, 0x80001b0d);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exception_bitmap),
        cmocka_unit_test(error_code),
        cmocka_unit_test(page_faults),
        cmocka_unit_test(debug_exceptions),
        cmocka_unit_test(software_events),
        cmocka_unit_test(nmis),
        cmocka_unit_test(external_interrupts),
        cmocka_unit_test(interrupt_window),
        cmocka_unit_test(nmi_window),
        cmocka_unit_test(priorities),
        cmocka_unit_test(vectoring_information),
        cmocka_unit_test(nmi_unblocking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
