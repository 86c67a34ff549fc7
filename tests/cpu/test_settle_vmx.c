/*
 * test_settle_vmx.c: events in VMX non-root operation. SDM volume 3C "Information for VM Exits During Event
 * Delivery", "VM Exits During Event Injection", "Details of Vectored-Event Injection", "Information About NMI
 * Unblocking Due to IRET", "Architectural State Before a VM Exit".
 */
#include "guest_fixture.h"

static enum cpu_status raise_event(struct machine *m, struct cpu_event event)
{
    return cpu_exception(&m->cpu, &event);
}

static enum cpu_status inject(struct machine *m, struct cpu_event event)
{
    const struct cpu_outcome entered = outcome_of(OUTCOME_VM_ENTRY);
    const struct insn vmresume = {.id = INSN_VMRESUME, .length = 3};
    m->cpu.vmx.injection_valid = true;
    m->cpu.vmx.injection = event;
    return cpu_settle(&m->cpu, &entered, &vmresume);
}

static void break_gate(struct machine *m, unsigned vector)
{
    set_gate(m, vector, CODE0, GATE_INTERRUPT32 & ~0x80u); /* #NP */
}

static void direct_exit_changes_nothing(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_PF;
    m->cpu.state.cr2 = 0x1111;
    struct cpu_event fault = exception_with_code(VECTOR_PF, 6);
    fault.cr2 = 0x2222;
    assert_int_equal(raise_event(m, fault), CPU_RUN);
    check_exited(m, 0);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    assert_int_equal(v->vm_exit_interruption_information, INFORMATION(14, 3) | INTERRUPTION_ERROR_CODE);
    assert_int_equal(v->vm_exit_interruption_error_code, 6);
    assert_int_equal(v->exit_qualification, 0x2222);
    assert_false(v->idt_vectoring_information & INTERRUPTION_VALID);
    assert_int_equal(v->guest_rip, CODE_AT);
    assert_int_equal(m->cpu.state.cr2, 0x1111);
}

static void event_that_does_not_exit_is_delivered(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    assert_int_equal(raise_event(m, exception_with_code(VECTOR_GP, 0)), CPU_RUN);
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_GP));
}

/* INT n, whose gate is not present: the #NP exits, with the INT n and its length recorded. */
static void nested_exit_records_the_software_interrupt(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_NP;
    break_gate(m, 0x30);
    raise_event(m, software_interrupt(0x30));
    check_exited(m, 0);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    assert_int_equal(v->vm_exit_interruption_information,
                     INFORMATION(VECTOR_NP, 3) | INTERRUPTION_ERROR_CODE);
    assert_int_equal(v->vm_exit_interruption_error_code, 0x30 * 8 + 2);
    assert_int_equal(v->idt_vectoring_information, INFORMATION(0x30, 4));
    assert_int_equal(v->vm_exit_instruction_length, 2);
    assert_int_equal(v->guest_rip, CODE_AT);
}

/* Nested faults are offered to the exception bitmap before they make a double fault. */
static void nested_fault_exits_before_the_double_fault(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_NP | 1 << VECTOR_DF;
    break_gate(m, VECTOR_GP);
    raise_event(m, exception_with_code(VECTOR_GP, 0x18));
    check_exited(m, 0);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    assert_int_equal(v->vm_exit_interruption_information & 0xff, VECTOR_NP);
    assert_int_equal(v->vm_exit_interruption_error_code, VECTOR_GP * 8 + 3);
    assert_int_equal(v->idt_vectoring_information, INFORMATION(VECTOR_GP, 3) | INTERRUPTION_ERROR_CODE);
    assert_int_equal(v->idt_vectoring_error_code, 0x18);
}

static void double_fault_that_exits_has_no_vectoring(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_DF;
    break_gate(m, VECTOR_GP);
    raise_event(m, exception_with_code(VECTOR_GP, 0x18));
    check_exited(m, 0);
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_interruption_information,
                     INFORMATION(VECTOR_DF, 3) | INTERRUPTION_ERROR_CODE);
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_interruption_error_code, 0);
    assert_false(m->cpu.vmx.vmcs.idt_vectoring_information & INTERRUPTION_VALID);
}

static void fault_in_double_fault_delivery_exits_first(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    break_gate(m, VECTOR_GP);
    set_gate(m, VECTOR_DF, 0x100, GATE_INTERRUPT32); /* #GP: selector beyond the GDT */
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_GP;
    raise_event(m, exception_with_code(VECTOR_NP, 0)); /* this one is delivered ... */
    assert_true(m->cpu.vmx.non_root);
    break_gate(m, VECTOR_NP);
    raise_event(
        m, exception_with_code(VECTOR_NP, 0)); /* ... and this one makes #DF, in whose delivery #GP exits */
    check_exited(m, 0);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    assert_int_equal(v->vm_exit_interruption_information & 0xff, VECTOR_GP);
    assert_int_equal(v->vm_exit_interruption_error_code, 0x101);
    assert_int_equal(v->idt_vectoring_information, INFORMATION(VECTOR_DF, 3) | INTERRUPTION_ERROR_CODE);
    assert_int_equal(v->idt_vectoring_error_code, 0);
}

static void triple_fault_exits_without_vectoring(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.state.idtr.limit = 0;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    check_exited(m, 2);
    assert_false(m->cpu.vmx.vmcs.idt_vectoring_information & INTERRUPTION_VALID);
    assert_int_equal(m->events_seen[TRACE_TRIPLE_FAULT], 0);
}

static void task_gate_exits_with_vectoring(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    set_gate(m, 32, FREE, GATE_TASK);
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x0089);
    raise_event(m, external_interrupt(32));
    check_exited(m, 9);
    assert_int_equal(m->cpu.vmx.vmcs.exit_qualification, 3u << 30 | FREE);
    assert_int_equal(m->cpu.vmx.vmcs.idt_vectoring_information, INFORMATION(32, 0));
}

/* A page fault in delivery that exits: CR2 keeps its value, blocking by STI ends, memory above the fault was
 * pushed. */
static void indirect_exit_ends_shadows(void **state)
{
    struct machine *m = *state;
    enable_paging32(m);
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_PF;
    unmap32(m, STACK0_TOP - 0x1000);
    m->cpu.state.gpr[GPR_RSP] = STACK0_TOP + 4;
    m->cpu.state.interruptibility_state = BLOCKING_BY_STI;
    m->cpu.state.cr2 = 0x77;
    raise_event(m, exception(VECTOR_UD));
    check_exited(m, 0);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    assert_int_equal(v->exit_qualification, STACK0_TOP - 4);
    assert_int_equal(v->guest_interruptibility_state, 0);
    assert_int_equal(v->guest_rsp, STACK0_TOP + 4);
    assert_int_equal(v->idt_vectoring_information, INFORMATION(VECTOR_UD, 3));
    assert_int_equal(m->cpu.state.cr2, 0x77);
    assert_int_equal(peek(m, STACK0_TOP, 4), 0x10202);
}

/* The stack's page is missing in the EPT: the VM exit comes during event delivery. */
static void ept_violation_in_delivery(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    enable_ept_without(m, STACK0_TOP - 0x1000);
    raise_event(m, software_interrupt(0x30));
    check_exited(m, EXIT_REASON_EPT_VIOLATION);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    assert_int_equal(v->guest_physical_address, STACK0_TOP - 4);
    assert_int_equal(v->exit_qualification & 7, 2); /* a write */
    assert_int_equal(v->idt_vectoring_information, INFORMATION(0x30, 4));
    assert_int_equal(v->vm_exit_instruction_length, 2);
    assert_int_equal(v->guest_rip, CODE_AT);
}

/* --- Injection --- */

static void injected_event_ignores_the_bitmap(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = UINT32_MAX;
    m->cpu.vmx.vmcs.pin_based_controls = PIN_NMI_EXITING;
    assert_int_equal(inject(m, exception_with_code(VECTOR_GP, 0x28)), CPU_RUN);
    assert_true(m->cpu.vmx.non_root);
    assert_false(m->cpu.vmx.injection_valid);
    FRAME(m, STACK0_TOP - 16, 4, 0x28, CODE_AT, CODE0, 0x202); /* RF as it was loaded */
    inject(m, (struct cpu_event){.vector = 2, .type = EVENT_NMI});
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(m->cpu.state.rip, handler_of(2));
}

static void injected_software_interrupt_skips_its_length(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    inject(m, software_interrupt(0x30));
    assert_int_equal(peek(m, STACK0_TOP - 12, 4), CODE_AT + 2);
}

static void fault_in_injection_exits_with_vectoring(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_NP;
    break_gate(m, 0x30);
    inject(m, (struct cpu_event){.vector = 0x30, .type = EVENT_SOFTWARE_INTERRUPT, .instruction_length = 5});
    check_exited(m, 0);
    assert_int_equal(m->cpu.vmx.vmcs.idt_vectoring_information, INFORMATION(0x30, 4));
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_instruction_length, 5);
}

/* A nested fault of an injected event that does not exit is delivered at the guest's RIP, and with RF. */
static void nested_fault_of_injection_is_delivered_normally(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    break_gate(m, 0x30);
    inject(m, software_interrupt(0x30));
    FRAME(m, STACK0_TOP - 16, 4, 0x30 * 8 + 2, CODE_AT, CODE0, 0x10202);
}

static void injected_double_fault_leads_to_triple_fault(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    break_gate(m, VECTOR_DF);
    inject(m, exception_with_code(VECTOR_DF, 0));
    check_exited(m, 2);
}

/* SDM volume 3C "Details of Vectored-Event Injection": "DR6, DR7, and the IA32_DEBUGCTL MSR are not modified by
 * event injection, even if the event has vector 1". Those of its own processor are: GD, LBR and BTF. */
static void injected_debug_exception_changes_no_debug_register(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    const enum cpu_event_type types[] = {EVENT_HARDWARE_EXCEPTION, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION};
    for (unsigned i = 0; i < 2; i++) {
        m->cpu.state.dr6 = 0xffff4ff1;
        m->cpu.state.dr7 = 0x2400; /* GD */
        m->cpu.state.msr.debugctl = 1;
        inject(m, (struct cpu_event){.vector = VECTOR_DB, .type = (uint8_t)types[i]});
        assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
        assert_int_equal(m->cpu.state.dr6, 0xffff4ff1);
        assert_int_equal(m->cpu.state.dr7, 0x2400);
        assert_int_equal(m->cpu.state.msr.debugctl, 1);
    }
    struct cpu_event trap = exception(VECTOR_DB);
    trap.debug_conditions = 1 << 14;
    raise_event(m, trap);
    assert_int_equal(m->cpu.state.dr6, 0xffff4ff0);
    assert_int_equal(m->cpu.state.dr7, 0x400);
    assert_int_equal(m->cpu.state.msr.debugctl, 0);
}

/* SDM volume 3C "Delivery of Pending Debug Exceptions after VM Entry" */
static void pending_debug_exception_after_entry(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    const struct cpu_outcome entered = outcome_of(OUTCOME_VM_ENTRY);
    m->cpu.state.pending_debug_exceptions = 1 << 14;
    cpu_settle(&m->cpu, &entered, NULL);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    assert_true(m->cpu.state.dr6 & 1 << 14);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_DB;
    m->cpu.state.pending_debug_exceptions = 1 << 12 | 2;
    cpu_settle(&m->cpu, &entered, NULL);
    check_exited(m, 0);
    assert_int_equal(m->cpu.vmx.vmcs.exit_qualification, 2);
}

/* --- IRET --- */

static void iret_fault_reports_nmi_unblocking(void **state)
{
    struct machine *m = *state;
    const struct insn iret = {
        .id = INSN_IRET, .length = 1, .mode_bits = 32, .operand_bits = 32, .address_bits = 32};
    enable_paging32(m);
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_PF;
    m->cpu.vmx.vmcs.pin_based_controls = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
    m->cpu.vmx.virtual_nmi_blocking = true;
    unmap32(m, STACK0_TOP);
    assert_int_equal(cpu_instruction(&m->cpu, &iret), CPU_RUN);
    check_exited(m, 0);
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_interruption_information,
                     INFORMATION(VECTOR_PF, 3) | INTERRUPTION_ERROR_CODE | INTERRUPTION_NMI_UNBLOCKING);
    assert_int_equal(m->cpu.vmx.vmcs.guest_interruptibility_state & BLOCKING_BY_NMI, 0);
}

/* "NMI exiting" 0: the exit qualification of the EPT violation says that NMIs were blocked before the IRET.
 */
static void iret_ept_violation_reports_nmi_unblocking(void **state)
{
    struct machine *m = *state;
    const struct insn iret = {
        .id = INSN_IRET, .length = 1, .mode_bits = 32, .operand_bits = 32, .address_bits = 32};
    enter_guest(m);
    enable_ept_without(m, STACK0_TOP);
    m->cpu.state.interruptibility_state = BLOCKING_BY_NMI;
    cpu_instruction(&m->cpu, &iret);
    check_exited(m, EXIT_REASON_EPT_VIOLATION);
    assert_true(m->cpu.vmx.vmcs.exit_qualification & 1 << 12);
    assert_int_equal(m->cpu.vmx.vmcs.guest_interruptibility_state, 0);
    assert_false(m->cpu.vmx.vmcs.idt_vectoring_information & INTERRUPTION_VALID);
}

static void iret_fault_without_blocking_reports_nothing(void **state)
{
    struct machine *m = *state;
    const struct insn iret = {
        .id = INSN_IRET, .length = 1, .mode_bits = 32, .operand_bits = 32, .address_bits = 32};
    enable_paging32(m);
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_PF;
    unmap32(m, STACK0_TOP);
    cpu_instruction(&m->cpu, &iret);
    check_exited(m, 0);
    assert_false(m->cpu.vmx.vmcs.vm_exit_interruption_information & INTERRUPTION_NMI_UNBLOCKING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(direct_exit_changes_nothing),
        TEST(event_that_does_not_exit_is_delivered),
        TEST(nested_exit_records_the_software_interrupt),
        TEST(nested_fault_exits_before_the_double_fault),
        TEST(double_fault_that_exits_has_no_vectoring),
        TEST(fault_in_double_fault_delivery_exits_first),
        TEST(triple_fault_exits_without_vectoring),
        TEST(task_gate_exits_with_vectoring),
        TEST(indirect_exit_ends_shadows),
        TEST(ept_violation_in_delivery),
        TEST(injected_event_ignores_the_bitmap),
        TEST(injected_software_interrupt_skips_its_length),
        TEST(fault_in_injection_exits_with_vectoring),
        TEST(nested_fault_of_injection_is_delivered_normally),
        TEST(injected_double_fault_leads_to_triple_fault),
        TEST(injected_debug_exception_changes_no_debug_register),
        TEST(pending_debug_exception_after_entry),
        TEST(iret_fault_reports_nmi_unblocking),
        TEST(iret_ept_violation_reports_nmi_unblocking),
        TEST(iret_fault_without_blocking_reports_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
