/*
 * test_instruction_timeout.c: deliveries that reach no instruction boundary, and the VM exit that ends them.
 * SDM volume 3C "Instruction-Timeout Control", "Other Causes of VM Exits"; volume 2 "INT n", #AC(EXT); volume
 * 3A "Interrupt 17--Alignment Check Exception (#AC)".
 */
#include "guest_fixture.h"

#define TIMEOUT 1000u /* crystal clock cycles */
/* sapphirerapids: 25 MHz under a TSC of 3 GHz, and what the processor adds by itself. */
#define ALLOWED (1000u * 120 + 131072)

static void select_processor(struct machine *m)
{
    m->cpu.profile = m->cpu.vmx.profile = cpu_profile_find("sapphirerapids");
}

/* Ring 3, alignment checked, all exceptions handled there. */
static void handle_in_ring_3(struct machine *m, uint32_t rsp)
{
    for (unsigned v = 0; v < 32; v++)
        set_gate(m, v, CODE3, GATE_INTERRUPT32);
    load_ring(m, CODE3, DATA3, rsp);
    m->cpu.state.cr0 |= CR0_AM;
    m->cpu.state.rflags |= RFLAGS_AC;
}

static void enter_guest_with_timeout(struct machine *m)
{
    select_processor(m);
    enter_guest(m);
    m->cpu.vmx.vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    m->cpu.vmx.vmcs.secondary_proc_based_controls |= SECONDARY_INSTRUCTION_TIMEOUT;
    m->cpu.vmx.vmcs.instruction_timeout_control = TIMEOUT;
}

static enum cpu_status raise_event(struct machine *m, struct cpu_event event)
{
    return cpu_exception(&m->cpu, &event);
}

static void aligned_pushes_of_ring_3_are_delivered(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP);
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_UD));
}

/* The #AC of ring 3's stack is delivered to ring 0, whose stack is not checked. EXT is set. */
static void misaligned_push_raises_alignment_check(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP - 2);
    set_gate(m, VECTOR_AC, CODE0, GATE_INTERRUPT32);
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_AC));
    FRAME(m, STACK0_TOP - 24, 4, 1, CODE_AT, CODE3, 0x50202, STACK3_TOP - 2, DATA3);
}

static void software_interrupt_has_no_ext(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP - 2);
    set_gate(m, VECTOR_AC, CODE0, GATE_INTERRUPT32);
    set_gate(m, 0x30, CODE3, GATE_INTERRUPT32 | RIGHTS_DPL(3));
    assert_int_equal(raise_event(m, software_interrupt(0x30)), CPU_RUN);
    FRAME(m, STACK0_TOP - 24, 4, 0, CODE_AT);
}

static void not_checked_unless_asked_for(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP - 2);
    m->cpu.state.rflags &= ~RFLAGS_AC;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_UD));
    load_ring(m, CODE3, DATA3, STACK3_TOP - 2);
    m->cpu.state.rflags |= RFLAGS_AC;
    m->cpu.state.cr0 &= ~CR0_AM;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_UD));
}

static void pops_of_ring_3_are_checked(void **state)
{
    struct machine *m = *state;
    const struct insn iret = {
        .id = INSN_IRET, .length = 1, .mode_bits = 32, .operand_bits = 32, .address_bits = 32};
    handle_in_ring_3(m, STACK3_TOP - 14);
    set_gate(m, VECTOR_AC, CODE0, GATE_INTERRUPT32);
    assert_int_equal(cpu_instruction(&m->cpu, &iret), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_AC));
    FRAME(m, STACK0_TOP - 24, 4, 0, CODE_AT);
}

/* #AC whose handler's stack raises #AC: a real processor delivers for ever, and so nothing goes on here. */
static void endless_delivery_is_told(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP - 2);
    assert_int_equal(raise_event(m, exception_with_code(VECTOR_AC, 0)), CPU_UNSUPPORTED);
    assert_non_null(strstr(m->cpu.text, "#AC"));
}

static void endless_delivery_times_out(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP - 2);
    enter_guest_with_timeout(m);
    const uint64_t before = m->cpu.account.now;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    check_exited(m, EXIT_REASON_INSTRUCTION_TIMEOUT);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    const struct cpu_costs *cost = &m->cpu.profile->cost; /* without a VPID the exit flushes */
    assert_int_equal(m->cpu.account.now - before, ALLOWED + cost->vm_exit.cycles + cost->tlb_flush.cycles);
    assert_int_equal(v->exit_qualification, 0); /* the context is valid */
    assert_int_equal(v->idt_vectoring_information, INFORMATION(VECTOR_AC, 3) | INTERRUPTION_ERROR_CODE);
    assert_int_equal(v->idt_vectoring_error_code, 1);
    assert_int_equal(v->guest_rip, CODE_AT);
    assert_int_equal(v->guest_rsp, STACK3_TOP - 2);
}

static void endless_delivery_without_the_control(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP - 2);
    enter_guest_with_timeout(m);
    m->cpu.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_UNSUPPORTED);
}

/* The exception bitmap comes first, as hypervisors have used it against this since 2015. */
static void exception_bitmap_comes_first(void **state)
{
    struct machine *m = *state;
    handle_in_ring_3(m, STACK3_TOP - 2);
    enter_guest_with_timeout(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1u << VECTOR_AC;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    check_exited(m, EXIT_REASON_EXCEPTION_OR_NMI);
    assert_int_equal(m->cpu.vmx.vmcs.idt_vectoring_information, INFORMATION(VECTOR_UD, 3));
}

/* A data breakpoint on the stack of the debug exceptions' own handler. */
static void break_on_own_stack(struct machine *m)
{
    m->cpu.state.dr[2] = STACK0_TOP - 0x100 - 12;
    m->cpu.state.dr7 = 0x400 | 1 << 4 | 1 << 24 | 3 << 26; /* L2, writes, 4 bytes */
    m->cpu.state.gpr[GPR_RSP] = STACK0_TOP - 0x100;
}

/* Each delivery pushes 12 bytes further down; the breakpoint follows it, as a TSS's stack would lead back to.
 */
static void poll_until_exit(struct machine *m, unsigned most)
{
    while (m->cpu.vmx.non_root && most--) {
        m->cpu.state.gpr[GPR_RSP] = STACK0_TOP - 0x100;
        assert_int_equal(cpu_next_deadline(&m->cpu), CPU_AT_ONCE); /* no instruction comes in between */
        assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    }
}

static void debug_exceptions_without_end_time_out(void **state)
{
    struct machine *m = *state;
    enter_guest_with_timeout(m);
    break_on_own_stack(m);
    const uint64_t before = m->cpu.account.now;
    struct cpu_event trap = exception(VECTOR_DB);
    trap.debug_conditions = 1;
    assert_int_equal(raise_event(m, trap), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    poll_until_exit(m, 2000);
    check_exited(m, EXIT_REASON_INSTRUCTION_TIMEOUT);
    const struct vmcs *v = &m->cpu.vmx.vmcs;
    const uint64_t delivery = m->cpu.profile->cost.event_delivery.cycles;
    assert_in_range(m->cpu.account.now - before, ALLOWED,
                    ALLOWED + delivery + m->cpu.profile->cost.vm_exit.cycles);
    assert_int_equal(v->idt_vectoring_information, INFORMATION(VECTOR_DB, 3));
    assert_int_equal(v->guest_rip, handler_of(VECTOR_DB));
    assert_true(m->cpu.state.dr6 & 4); /* delivery had begun */
    assert_int_equal(v->guest_pending_debug_exceptions, 0);
}

/* An instruction of the handler ends it: the time starts anew. */
static void an_instruction_is_a_boundary(void **state)
{
    struct machine *m = *state;
    enter_guest_with_timeout(m);
    struct cpu_event trap = exception(VECTOR_DB);
    trap.debug_conditions = 1;
    for (unsigned i = 0; i < 3; i++) {
        m->cpu.account.now += ALLOWED;
        assert_int_equal(raise_event(m, trap), CPU_RUN);
        assert_true(m->cpu.vmx.non_root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(aligned_pushes_of_ring_3_are_delivered),
        TEST(misaligned_push_raises_alignment_check),
        TEST(software_interrupt_has_no_ext),
        TEST(not_checked_unless_asked_for),
        TEST(pops_of_ring_3_are_checked),
        TEST(endless_delivery_is_told),
        TEST(endless_delivery_times_out),
        TEST(endless_delivery_without_the_control),
        TEST(exception_bitmap_comes_first),
        TEST(debug_exceptions_without_end_time_out),
        TEST(an_instruction_is_a_boundary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
