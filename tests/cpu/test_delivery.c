/*
 * test_delivery.c: delivery through the IDT in protected mode. SDM volume 3A "Exception- or Interrupt-Handler
 * Procedures", "Error Code"; SDM "INT n/INTO/INT3/INT1", Operation, for the faults and their order.
 */
#include "events_fixture.h"

static struct cpu_outcome deliver(struct machine *m, struct cpu_event event)
{
    return cpu_deliver(&m->cpu, &event);
}

static void same_privilege_pushes_three_items(void **state)
{
    struct machine *m = *state;
    m->cpu.state.rflags |= RFLAGS_TF | RFLAGS_NT | RFLAGS_CF;
    check_jumped(deliver(m, external_interrupt(32)));
    FRAME(m, STACK0_TOP - 12, 4, CODE_AT, CODE0, 0x4303); /* NT, IF, TF, bit 1, CF */
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - 12);
    assert_int_equal(m->cpu.state.rip, handler_of(32));
    assert_int_equal(m->cpu.state.rflags, RFLAGS_FIXED1 | RFLAGS_CF);
}

static void trap_gate_leaves_if(void **state)
{
    struct machine *m = *state;
    set_gate(m, 32, CODE0, GATE_TRAP32);
    check_jumped(deliver(m, external_interrupt(32)));
    assert_true(m->cpu.state.rflags & RFLAGS_IF);
}

/* A fault pushes RF = 1 and its error code last; SDM "RFLAGS", RF. */
static void fault_pushes_rf_and_error_code(void **state)
{
    struct machine *m = *state;
    check_jumped(deliver(m, exception_with_code(VECTOR_GP, 0x58)));
    FRAME(m, STACK0_TOP - 16, 4, 0x58, CODE_AT, CODE0, 0x10202);
}

/* INT n and the single-step trap leave RF as it was; INT n pushes the next instruction. */
static void traps_leave_rf(void **state)
{
    struct machine *m = *state;
    struct cpu_event step = exception(VECTOR_DB);
    step.debug_conditions = 1 << 14;
    check_jumped(deliver(m, software_interrupt(33)));
    FRAME(m, STACK0_TOP - 12, 4, CODE_AT + 2, CODE0, 0x202);
    check_jumped(deliver(m, step));
    FRAME(m, STACK0_TOP - 24, 4, handler_of(33), CODE0, 0x2);
}

static void gate16_pushes_words(void **state)
{
    struct machine *m = *state;
    set_gate(m, 32, CODE0, GATE_INTERRUPT16);
    check_jumped(deliver(m, exception_with_code(32, 0x1234)));
    FRAME(m, STACK0_TOP - 8, 2, 0x1234, CODE_AT, CODE0, 0x202);
}

static void inner_ring_takes_the_stack_of_the_tss(void **state)
{
    struct machine *m = *state;
    load_ring(m, CODE3, DATA3, STACK3_TOP - 4);
    check_jumped(deliver(m, exception_with_code(VECTOR_GP, 0)));
    FRAME(m, STACK0_TOP - 24, 4, 0, CODE_AT, CODE3, 0x10202, STACK3_TOP - 4, DATA3);
    assert_int_equal(cpu_cpl(&m->cpu.state), 0);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CODE0);
    assert_int_equal(m->cpu.state.seg[SEG_SS].selector, DATA0);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - 24);
}

static void tss16_has_16_bit_stacks(void **state)
{
    struct machine *m = *state;
    set_descriptor(m, TSS, TSS_AT, 0x2b, 0x0083);
    load_segment(m, SEG_TR, TSS);
    poke(m, TSS_AT + 2, STACK0_TOP, 2);
    poke(m, TSS_AT + 4, DATA0, 2);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_jumped(deliver(m, external_interrupt(32)));
    FRAME(m, STACK0_TOP - 20, 4, CODE_AT, CODE3, 0x202, STACK3_TOP, DATA3);
}

static void conforming_handler_stays_at_cpl(void **state)
{
    struct machine *m = *state;
    set_gate(m, 32, CONFORMING0, GATE_INTERRUPT32);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_jumped(deliver(m, external_interrupt(32)));
    assert_int_equal(cpu_cpl(&m->cpu.state), 3);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CONFORMING0 | 3);
    FRAME(m, STACK3_TOP - 12, 4, CODE_AT, CODE3, 0x202);
}

/* --- Faults: vector * 8 + 2 (IDT) + EXT --- */

static void idt_limit(void **state)
{
    struct machine *m = *state;
    m->cpu.state.idtr.limit = 32 * 8 + 6;
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 32 * 8 + 3);
    check_fault(deliver(m, software_interrupt(32)), VECTOR_GP, 32 * 8 + 2);
    m->cpu.state.idtr.limit = 32 * 8 + 7;
    check_jumped(deliver(m, external_interrupt(32)));
}

static void gate_faults(void **state)
{
    struct machine *m = *state;
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    set_gate(m, 32, CODE0, 0x8c | RIGHTS_DPL(3)); /* a call gate */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 32 * 8 + 3);
    set_gate(m, 32, CODE0, GATE_INTERRUPT32 | RIGHTS_DPL(2));
    check_fault(deliver(m, software_interrupt(32)), VECTOR_GP, 32 * 8 + 2);
    set_gate(m, 32, CODE0, (GATE_INTERRUPT32 | RIGHTS_DPL(2)) & ~0x80u);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_NP, 32 * 8 + 3);
    /* DPL goes before presence */
    check_fault(deliver(m, software_interrupt(32)), VECTOR_GP, 32 * 8 + 2);
}

/* INT3 looks at the gate's DPL, INT1 does not. */
static void int3_is_privileged_by_dpl_and_int1_is_not(void **state)
{
    struct machine *m = *state;
    struct cpu_event int3 = {.vector = VECTOR_BP, .type = EVENT_SOFTWARE_EXCEPTION, .instruction_length = 1};
    struct cpu_event int1 = {
        .vector = VECTOR_DB, .type = EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, .instruction_length = 1};
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    set_gate(m, VECTOR_BP, CODE0, GATE_INTERRUPT32);
    set_gate(m, VECTOR_DB, CODE0, GATE_INTERRUPT32);
    check_fault(deliver(m, int3), VECTOR_GP, VECTOR_BP * 8 + 2);
    check_jumped(deliver(m, int1));
    assert_int_equal(peek(m, STACK0_TOP - 20, 4), CODE_AT + 1);
}

static void code_segment_faults(void **state)
{
    struct machine *m = *state;
    set_gate(m, 32, 0, GATE_INTERRUPT32);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 1);
    check_fault(deliver(m, software_interrupt(32)), VECTOR_GP, 0);
    set_gate(m, 32, 0x100, GATE_INTERRUPT32);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 0x101);
    set_gate(m, 32, DATA0, GATE_INTERRUPT32);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, DATA0 | 1);
    set_gate(m, 32, CODE3, GATE_INTERRUPT32); /* DPL 3 from CPL 0 */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 0x19);
    set_descriptor(m, FREE, 0, 0xfffff, RIGHTS_CODE & ~0x80u);
    set_gate(m, 32, FREE, GATE_INTERRUPT32);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_NP, FREE | 1);
    set_descriptor(m, FREE, 0, handler_of(32) - 1, 0x409b); /* the handler is one byte behind the limit */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 1);
}

static void tss_faults(void **state)
{
    struct machine *m = *state;
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    m->cpu.state.seg[SEG_TR].limit = 8; /* SS0 ends at 9 */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_TS, TSS | 1);
    m->cpu.state.seg[SEG_TR].limit = 0x67;
    poke(m, TSS_AT + 8, 0, 2);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_TS, 1);
    poke(m, TSS_AT + 8, 0x100, 2);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_TS, 0x101);
    poke(m, TSS_AT + 8, DATA0 | 1, 2); /* RPL */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_TS, DATA0 | 1);
    poke(m, TSS_AT + 8, 0x20, 2); /* DPL 3 */
    check_fault(deliver(m, software_interrupt(32)), VECTOR_TS, 0x20);
    poke(m, TSS_AT + 8, FREE, 2);
    set_descriptor(m, FREE, 0, 0xfffff, 0xc091); /* read-only */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_TS, FREE | 1);
    set_descriptor(m, FREE, 0, 0xfffff, RIGHTS_DATA & ~0x80u);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_SS, FREE | 1);
    set_descriptor(m, FREE, 0, STACK0_TOP - 2, 0x4093);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_SS, FREE | 1);
}

static void same_stack_limit(void **state)
{
    struct machine *m = *state;
    m->cpu.state.gpr[GPR_RSP] = 8;
    m->cpu.state.seg[SEG_SS].limit = 0xffff; /* the third push wraps to FFFFFFFCH */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_SS, 1);
}

/* A page fault in pushing at CPL 0: write, supervisor, not present; nothing of the registers changes. */
static void page_fault_in_push(void **state)
{
    struct machine *m = *state;
    enable_paging32(m);
    unmap32(m, STACK0_TOP - 0x1000);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    const struct cpu_outcome outcome = deliver(m, external_interrupt(32));
    check_fault(outcome, VECTOR_PF, PF_W);
    assert_int_equal(outcome.event.cr2, STACK0_TOP - 4);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK3_TOP);
    assert_int_equal(cpu_cpl(&m->cpu.state), 3);
}

static void accessed_bits_are_set(void **state)
{
    struct machine *m = *state;
    set_descriptor(m, CODE0, 0, 0xfffff, RIGHTS_CODE & ~1u);
    set_descriptor(m, DATA0, 0, 0xfffff, RIGHTS_DATA & ~1u);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_jumped(deliver(m, external_interrupt(32)));
    assert_int_equal(peek(m, GDT_AT + CODE0 + 5, 1), 0x9b);
    assert_int_equal(peek(m, GDT_AT + DATA0 + 5, 1), 0x93);
    assert_int_equal(m->cpu.state.seg[SEG_CS].access_rights, RIGHTS_CODE);
}

static void page_fault_sets_cr2_and_debug_exception_dr6(void **state)
{
    struct machine *m = *state;
    struct cpu_event fault = exception_with_code(VECTOR_PF, 2);
    struct cpu_event debug = exception(VECTOR_DB);
    fault.cr2 = 0x123456;
    debug.debug_conditions = 1 << 14 | 2;
    m->cpu.state.dr6 = 0xffff0ff1;
    m->cpu.state.dr7 = 1 << 13 | 0x400;
    check_jumped(deliver(m, fault));
    assert_int_equal(m->cpu.state.cr2, 0x123456);
    check_jumped(deliver(m, debug));
    assert_int_equal(m->cpu.state.dr6, 0xffff4ff2);
    assert_int_equal(m->cpu.state.dr7, 0x400);
}

static void delivery_ends_shadows_and_wakes(void **state)
{
    struct machine *m = *state;
    m->cpu.state.interruptibility_state = BLOCKING_BY_STI;
    m->cpu.state.activity_state = ACTIVITY_HLT;
    check_jumped(deliver(m, (struct cpu_event){.vector = 2, .type = EVENT_NMI}));
    assert_int_equal(m->cpu.state.interruptibility_state, BLOCKING_BY_NMI);
    assert_int_equal(m->cpu.state.activity_state, ACTIVITY_ACTIVE);
}

/* SDM volume 3C "Treatment of Task Switches": checks first, then the VM exit. */
static void task_gate(void **state)
{
    struct machine *m = *state;
    set_gate(m, 32, FREE, GATE_TASK);
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x008b);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, FREE | 1); /* busy */
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x0009);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_NP, FREE | 1);
    set_descriptor(m, FREE, TSS_AT, 0x66, 0x0089);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_TS, FREE | 1);
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x0089);
    m->cpu.vmx.non_root = true;
    const struct cpu_outcome outcome = deliver(m, external_interrupt(32));
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.reason, 9);
    assert_int_equal(outcome.exit.qualification, 0xc0000000u | FREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(same_privilege_pushes_three_items),
        TEST(trap_gate_leaves_if),
        TEST(fault_pushes_rf_and_error_code),
        TEST(traps_leave_rf),
        TEST(gate16_pushes_words),
        TEST(inner_ring_takes_the_stack_of_the_tss),
        TEST(tss16_has_16_bit_stacks),
        TEST(conforming_handler_stays_at_cpl),
        TEST(idt_limit),
        TEST(gate_faults),
        TEST(int3_is_privileged_by_dpl_and_int1_is_not),
        TEST(code_segment_faults),
        TEST(tss_faults),
        TEST(same_stack_limit),
        TEST(page_fault_in_push),
        TEST(accessed_bits_are_set),
        TEST(page_fault_sets_cr2_and_debug_exception_dr6),
        TEST(delivery_ends_shadows_and_wakes),
        TEST(task_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
