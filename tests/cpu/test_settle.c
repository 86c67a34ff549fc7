/*
 * test_settle.c: what outcomes lead to in root operation. SDM volume 3A "Interrupt 8--Double Fault Exception
 * (#DF)" with its tables "Interrupt and Exception Classes" and "Conditions for Generating a Double Fault".
 */
#include "events_fixture.h"

static enum cpu_status raise_event(struct machine *m, struct cpu_event event)
{
    return cpu_exception(&m->cpu, &event);
}

static enum cpu_status settle_kind(struct machine *m, enum cpu_outcome_kind kind, const struct insn *insn)
{
    const struct cpu_outcome outcome = outcome_of(kind);
    return cpu_settle(&m->cpu, &outcome, insn);
}

/* --- Instructions that complete --- */

static void done_advances_and_ends_shadows(void **state)
{
    struct machine *m = *state;
    const struct insn cpuid = {.id = INSN_CPUID, .length = 2};
    m->cpu.state.interruptibility_state = BLOCKING_BY_STI | BLOCKING_BY_NMI;
    m->cpu.state.rflags |= RFLAGS_RF;
    assert_int_equal(settle_kind(m, OUTCOME_DONE, &cpuid), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, CODE_AT + 2);
    assert_int_equal(m->cpu.state.interruptibility_state, BLOCKING_BY_NMI);
    assert_false(m->cpu.state.rflags & RFLAGS_RF);
}

static void instruction_pointer_wraps_at_its_width(void **state)
{
    struct machine *m = *state;
    const struct insn cpuid = {.id = INSN_CPUID, .length = 2};
    m->cpu.state.rip = 0xfffffffe;
    settle_kind(m, OUTCOME_DONE, &cpuid);
    assert_int_equal(m->cpu.state.rip, 0);
    enable_long_mode(m);
    m->cpu.state.rip = 0xfffffffe;
    settle_kind(m, OUTCOME_DONE, &cpuid);
    assert_int_equal(m->cpu.state.rip, 0x100000000);
}

static void iret_keeps_the_rf_that_it_loaded(void **state)
{
    struct machine *m = *state;
    const struct insn iret = {.id = INSN_IRET, .length = 1}, jump = {.id = INSN_JMP_FAR, .length = 7};
    m->cpu.state.rflags |= RFLAGS_RF;
    settle_kind(m, OUTCOME_JUMPED, &iret);
    assert_true(m->cpu.state.rflags & RFLAGS_RF);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    settle_kind(m, OUTCOME_JUMPED, &jump);
    assert_false(m->cpu.state.rflags & RFLAGS_RF);
}

/* SDM "Instruction-Breakpoint Exception Condition", the list of values pushed for RF. */
static void rf_is_pushed_by_the_class_of_event(void **state)
{
    struct machine *m = *state;
    struct cpu_event single_step = exception(VECTOR_DB), general_detect = exception(VECTOR_DB);
    struct cpu_event breakpoint = exception(VECTOR_DB);
    single_step.debug_conditions = 1 << 14;
    general_detect.debug_conditions = 1 << 13;
    breakpoint.debug_conditions = 1;
    const struct {
        struct cpu_event event;
        bool with_rf_clear, with_rf_set; /* pushed */
    } rows[] = {
        {exception(VECTOR_UD), true, true},
        {exception_with_code(VECTOR_PF, 0), true, true},
        {general_detect, true, true},
        {exception_with_code(VECTOR_DF, 0), false, true}, /* an abort */
        {single_step, false, true},
        {breakpoint, false, true},
        {external_interrupt(0x30), false, true},
        {{.vector = VECTOR_NMI, .type = EVENT_NMI}, false, true},
        {software_interrupt(0x30), false, false},
        {{.vector = VECTOR_BP, .type = EVENT_SOFTWARE_EXCEPTION, .instruction_length = 1}, false, false},
        {{.vector = VECTOR_DB, .type = EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, .instruction_length = 1},
         false,
         false},
    };
    for (unsigned i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        const bool set = i & 1, code = rows[i / 2].event.has_error_code;
        const struct cpu_outcome outcome = {.kind = OUTCOME_EVENT, .event = rows[i / 2].event};
        load_ring(m, CODE0, DATA0, STACK0_TOP);
        m->cpu.state.rflags = RFLAGS_FIXED1 | (set ? RFLAGS_RF : 0);
        assert_int_equal(cpu_settle(&m->cpu, &outcome, NULL), CPU_RUN);
        assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - (code ? 16 : 12));
        assert_int_equal(peek(m, STACK0_TOP - 4, 4) >> 16 & 1,
                         set ? rows[i / 2].with_rf_set : rows[i / 2].with_rf_clear);
        assert_false(m->cpu.state.rflags & RFLAGS_RF);
    }
}

/* The same list: an event between two iterations of a repeated string instruction finds RF set. */
static void rf_between_iterations(void **state)
{
    struct machine *m = *state;
    const struct insn outs = {.id = INSN_OUTS,
                              .length = 2,
                              .mode_bits = 32,
                              .operand_bits = 32,
                              .address_bits = 32,
                              .rep = INSN_REP,
                              .io_size = 1,
                              .segment = SEG_DS};
    m->cpu.state.gpr[GPR_RCX] = 2;
    assert_int_equal(cpu_instruction(&m->cpu, &outs), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    assert_true(m->cpu.state.rflags & RFLAGS_RF);
    assert_int_equal(cpu_instruction(&m->cpu, &outs), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, CODE_AT + 2);
    assert_false(m->cpu.state.rflags & RFLAGS_RF);
}

static void hlt_gives_halted(void **state)
{
    struct machine *m = *state;
    const struct insn hlt = {.id = INSN_HLT, .length = 1};
    m->cpu.state.activity_state = ACTIVITY_HLT;
    assert_int_equal(settle_kind(m, OUTCOME_DONE, &hlt), CPU_HALTED);
    assert_int_equal(m->cpu.state.rip, CODE_AT + 1);
}

static void unsupported_keeps_its_text(void **state)
{
    struct machine *m = *state;
    const struct cpu_outcome outcome = {.kind = OUTCOME_UNSUPPORTED, .text = "no such thing"};
    assert_int_equal(cpu_settle(&m->cpu, &outcome, NULL), CPU_UNSUPPORTED);
    assert_string_equal(m->cpu.text, "no such thing");
}

/* SDM "Single-Step Exception Condition": the trap comes after the instruction, with DR6.BS. */
static void trap_flag_steps_a_system_instruction(void **state)
{
    struct machine *m = *state;
    const struct insn cpuid = {
        .id = INSN_CPUID, .length = 2, .mode_bits = 32, .operand_bits = 32, .address_bits = 32};
    m->cpu.state.rflags |= RFLAGS_TF;
    assert_int_equal(cpu_instruction(&m->cpu, &cpuid), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    assert_int_equal(peek(m, STACK0_TOP - 12, 4), CODE_AT + 2);
    assert_int_equal(peek(m, STACK0_TOP - 4, 4), 0x302); /* a trap: RF stays clear */
    assert_true(m->cpu.state.dr6 & 1 << 14);
}

/* --- Delivery, its cost and its records --- */

static void delivery_is_charged_and_recorded(void **state)
{
    struct machine *m = *state;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_UD));
    assert_int_equal(m->cpu.account.now, m->cpu.profile->cost.event_delivery.cycles);
    assert_int_equal(m->events_seen[TRACE_EXCEPTION], 1);
    raise_event(m, external_interrupt(32));
    assert_int_equal(m->events_seen[TRACE_INTERRUPT], 1);
}

static void memory_fault_raises_page_fault(void **state)
{
    struct machine *m = *state;
    const struct mmu_fault fault = {.error_code = PF_W | PF_P, .linear = 0xabc000};
    assert_int_equal(cpu_memory_fault(&m->cpu, MMU_PAGE_FAULT, &fault), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_PF));
    assert_int_equal(m->cpu.state.cr2, 0xabc000);
    assert_int_equal(peek(m, STACK0_TOP - 16, 4), PF_W | PF_P);
}

static void real_mode_drops_error_codes(void **state)
{
    struct machine *m = *state;
    m->cpu.state.cr0 &= ~CR0_PE;
    m->cpu.state.seg[SEG_CS].limit = m->cpu.state.seg[SEG_SS].limit = 0xffff;
    poke(m, IDT_AT + 4 * VECTOR_GP, 0x07000123, 4);
    assert_int_equal(raise_event(m, exception_with_code(VECTOR_GP, 0)), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, 0x123);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP] & 0xffff, STACK0_TOP - 6);
}

/* --- Double faults: each first event with each second --- */

/* Processor at CPL 3 under 32-bit paging. Handlers run at CPL 3 on the good stack, but the first event's gate
 * is broken so that its delivery raises the second. */
static void prepare_pairs(struct machine *m)
{
    enable_paging32(m);
    for (unsigned v = 0; v < 64; v++)
        set_gate(m, v, CODE3, GATE_INTERRUPT32 | RIGHTS_DPL(3));
    load_ring(m, CODE3, DATA3, STACK3_TOP);
}

static void break_gate(struct machine *m, unsigned vector, unsigned second)
{
    switch (second) {
    case VECTOR_TS: /* no stack segment */
        set_gate(m, vector, CODE0, GATE_INTERRUPT32 | RIGHTS_DPL(3));
        poke(m, TSS_AT + 8, 0, 2);
        break;
    case VECTOR_NP:
        set_gate(m, vector, CODE3, (GATE_INTERRUPT32 | RIGHTS_DPL(3)) & ~0x80u);
        break;
    case VECTOR_SS: /* the stack segment is not present */
        set_gate(m, vector, CODE0, GATE_INTERRUPT32 | RIGHTS_DPL(3));
        set_descriptor(m, FREE, 0, 0xfffff, RIGHTS_DATA & ~0x80u);
        poke(m, TSS_AT + 8, FREE, 2);
        break;
    case VECTOR_GP:
        set_gate(m, vector, CODE3, 0x8d);
        break;
    default: /* page fault in the first push */
        set_gate(m, vector, CODE0, GATE_INTERRUPT32 | RIGHTS_DPL(3));
        unmap32(m, STACK0_TOP - 0x1000);
        break;
    }
}

static bool in(unsigned vector, const uint8_t *set, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (set[i] == vector)
            return true;
    return false;
}

static const uint8_t contributory[] = {VECTOR_DE, VECTOR_TS, VECTOR_NP, VECTOR_SS, VECTOR_GP};
static const uint8_t seconds[] = {VECTOR_TS, VECTOR_NP, VECTOR_SS, VECTOR_GP, VECTOR_PF};

/* The SDM's table, written out: rows first event, columns second. */
static bool table_says_double_fault(unsigned first, unsigned second)
{
    const bool second_contributory = in(second, contributory, sizeof contributory);
    if (first == VECTOR_PF)
        return second_contributory || second == VECTOR_PF;
    return in(first, contributory, sizeof contributory) && second_contributory;
}

static void check_pair(struct cpu_event first, unsigned second)
{
    void *state = NULL;
    set_up(&state);
    struct machine *m = state;
    prepare_pairs(m);
    break_gate(m, first.vector, second);
    assert_int_equal(raise_event(m, first), CPU_RUN);
    const bool benign = first.type != EVENT_HARDWARE_EXCEPTION;
    const bool is_double = !benign && table_says_double_fault(first.vector, second);
    assert_int_equal(m->cpu.state.rip, handler_of(is_double ? VECTOR_DF : second));
    if (is_double)
        assert_int_equal(peek(m, STACK3_TOP - 16, 4), 0); /* the double fault's error code */
    assert_int_equal(peek(m, STACK3_TOP - 12, 4), CODE_AT);
    tear_down(&state);
}

static void every_pair(void **state)
{
    static const uint8_t firsts[] = {VECTOR_DE, VECTOR_DB, VECTOR_BP, VECTOR_OF, VECTOR_BR, VECTOR_UD,
                                     VECTOR_NM, VECTOR_TS, VECTOR_NP, VECTOR_SS, VECTOR_GP, VECTOR_PF,
                                     VECTOR_MF, VECTOR_AC, VECTOR_MC, VECTOR_XM};
    (void)state;
    for (unsigned i = 0; i < sizeof firsts; i++)
        for (unsigned j = 0; j < sizeof seconds; j++)
            /* The broken gate is also the second's where both are one vector: only a double fault can be
             * told. */
            if (firsts[i] != seconds[j] || table_says_double_fault(firsts[i], seconds[j]))
                check_pair(exception(firsts[i]), seconds[j]);
}

/* External interrupts, NMIs and INT n are benign, also with the vector of an exception. */
static void interrupts_are_benign(void **state)
{
    (void)state;
    for (unsigned j = 0; j < sizeof seconds; j++) {
        check_pair(external_interrupt(32), seconds[j]);
        check_pair((struct cpu_event){.vector = 2, .type = EVENT_NMI}, seconds[j]);
        check_pair(software_interrupt(VECTOR_DE), seconds[j]);
    }
}

static void double_fault_then_anything_is_a_triple_fault(void **state)
{
    (void)state;
    for (unsigned j = 0; j < sizeof seconds; j++) {
        void *one = NULL;
        set_up(&one);
        struct machine *m = one;
        prepare_pairs(m);
        break_gate(m, VECTOR_DF, seconds[j]);
        assert_int_equal(raise_event(m, exception_with_code(VECTOR_DF, 0)), CPU_TRIPLE_FAULT);
        assert_int_equal(m->events_seen[TRACE_TRIPLE_FAULT], 1);
        assert_non_null(m->cpu.text);
        tear_down(&one);
    }
}

/* #GP, then #GP in its delivery makes #DF, whose gate is broken too. */
static void chain_to_triple_fault(void **state)
{
    struct machine *m = *state;
    m->cpu.state.idtr.limit = 0;
    assert_int_equal(raise_event(m, exception(VECTOR_UD)), CPU_TRIPLE_FAULT);
    /* #UD's gate is beyond the limit: #GP, and so on to the double fault's gate (error code 8 * 8 + 2, EXT)
     */
    assert_non_null(
        strstr(m->cpu.text, "exception 13 (error code 0x43) while the double-fault handler was called"));
    assert_non_null(strstr(m->cpu.text, "; it began with exception 6"));
}

/* The fault met in delivering INT n has EXT clear and pushes the INT itself; a benign second is delivered as
 * it is. */
static void nested_fault_of_int_n(void **state)
{
    struct machine *m = *state;
    prepare_pairs(m);
    break_gate(m, 0x30, VECTOR_NP);
    assert_int_equal(raise_event(m, software_interrupt(0x30)), CPU_RUN);
    FRAME(m, STACK3_TOP - 16, 4, 0x30 * 8 + 2, CODE_AT, CODE3, 0x10202);
}

static void int_n_in_v86_mode_below_iopl_3(void **state)
{
    struct machine *m = *state;
    m->cpu.state.rflags |= RFLAGS_VM;
    assert_int_equal(raise_event(m, software_interrupt(0x21)), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_GP));
    assert_int_equal(peek(m, STACK0_TOP - 40, 4), 0);
    assert_int_equal(peek(m, STACK0_TOP - 36, 4), CODE_AT); /* a fault: at the INT */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(done_advances_and_ends_shadows),
        TEST(instruction_pointer_wraps_at_its_width),
        TEST(iret_keeps_the_rf_that_it_loaded),
        TEST(rf_is_pushed_by_the_class_of_event),
        TEST(rf_between_iterations),
        TEST(hlt_gives_halted),
        TEST(unsupported_keeps_its_text),
        TEST(trap_flag_steps_a_system_instruction),
        TEST(delivery_is_charged_and_recorded),
        TEST(memory_fault_raises_page_fault),
        TEST(real_mode_drops_error_codes),
        cmocka_unit_test(every_pair),
        cmocka_unit_test(interrupts_are_benign),
        cmocka_unit_test(double_fault_then_anything_is_a_triple_fault),
        TEST(chain_to_triple_fault),
        TEST(nested_fault_of_int_n),
        TEST(int_n_in_v86_mode_below_iopl_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
