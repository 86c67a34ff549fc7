/*
 * test_task_switch_faults.c: hardware task switches that fault, before and after the commit. SDM volume 3A
 * "Task Switching", table "Exception Conditions Checked During a Task Switch"; "Invalid TSS Exception (#TS)".
 */
#include "task_fixture.h"

/* The old task is in place and nothing was written. */
static void check_nothing_changed(const struct machine *m)
{
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    assert_int_equal(m->cpu.state.seg[SEG_TR].selector, TSS);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CODE0);
    assert_false(m->cpu.state.cr0 & CR0_TS);
    assert_int_equal(peek(m, TSS_AT + TSS32_EIP, 4), 0);
    assert_int_equal(rights_of(m, TSS), 0x8b);
    assert_int_equal(rights_of(m, NEW_TASK), 0x89);
}

static void the_old_tss_is_too_small(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    m->cpu.state.seg[SEG_TR].limit = TSS32_GS;
    check_fault(switch_by(m, INSN_JMP_FAR, NEW_TASK), VECTOR_TS, TSS);
    check_nothing_changed(m);
    set_gate(m, 0x30, NEW_TASK, GATE_TASK);
    const struct cpu_event event = external_interrupt(0x30);
    check_fault(cpu_deliver(&m->cpu, &event), VECTOR_TS, TSS | 1);
    m->cpu.state.seg[SEG_TR].limit = TSS32_GS + 1;
    check_switched(switch_by(m, INSN_JMP_FAR, NEW_TASK));
}

static void the_link_of_iret(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    m->cpu.state.rflags |= RFLAGS_NT;
    poke(m, TSS_AT, NEW_TASK | SELECTOR_TI, 2);
    check_fault(switch_by(m, INSN_IRET, 0), VECTOR_TS, NEW_TASK | SELECTOR_TI);
    poke(m, TSS_AT, 0, 2);
    check_fault(switch_by(m, INSN_IRET, 0), VECTOR_TS, 0);
    poke(m, TSS_AT, 0x200, 2); /* beyond the GDT */
    check_fault(switch_by(m, INSN_IRET, 0), VECTOR_TS, 0x200);
    poke(m, TSS_AT, NEW_TASK, 2);
    check_fault(switch_by(m, INSN_IRET, 0), VECTOR_TS, NEW_TASK); /* available */
    check_nothing_changed(m);
    m->cpu.state.seg[SEG_TR].limit = 0;
    check_fault(switch_by(m, INSN_IRET, 0), VECTOR_TS, TSS);
}

static void check_page_fault(struct cpu_outcome outcome, uint64_t linear, uint32_t code)
{
    check_fault(outcome, VECTOR_PF, code);
    assert_int_equal(outcome.event.cr2, linear);
}

/* What the switch touches with the old page tables faults before anything is changed. */
static void page_faults_before_the_commit(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    enable_paging32(m);
    /* the new TSS across two pages, the second one away */
    set_descriptor(m, NEW_TASK, 0x1bfc0, 0x67, 0x0089);
    unmap32(m, 0x1c000);
    check_page_fault(switch_by(m, INSN_JMP_FAR, NEW_TASK), 0x1c000, 0);
    check_nothing_changed(m);
    /* a CALL writes the link into it */
    make_task32(m);
    set_descriptor(m, NEW_TASK, 0x1a000, 0x67, 0x0089);
    m->cpu.state.cr0 |= CR0_WP;
    vmx_update_regime(&m->cpu.vmx);
    poke(m, PT32_AT + 4 * 0x1a, 0x1a000 | 1, 4);
    check_page_fault(switch_by(m, INSN_CALL_FAR, NEW_TASK), 0x1a000, PF_P | PF_W);
    check_nothing_changed(m);
    /* the old TSS cannot be written */
    make_task32(m);
    poke(m, PT32_AT + 4 * 3, 0x3000 | 1, 4);
    mmu_invlpg(&m->cpu.mmu, 0x3000);
    check_page_fault(switch_by(m, INSN_JMP_FAR, NEW_TASK), TSS_AT + TSS32_EIP, PF_P | PF_W);
    check_nothing_changed(m);
    poke(m, PT32_AT + 4 * 3, 0x3000 | 7, 4);
    /* nor can the GDT, for the busy flags */
    poke(m, PT32_AT + 4 * 1, 0x1000 | 1, 4);
    mmu_invlpg(&m->cpu.mmu, 0x3000);
    mmu_invlpg(&m->cpu.mmu, 0x1000);
    check_page_fault(switch_by(m, INSN_JMP_FAR, NEW_TASK), GDT_AT + TSS + 5, PF_P | PF_W);
    check_page_fault(switch_by(m, INSN_CALL_FAR, NEW_TASK), GDT_AT + NEW_TASK + 5, PF_P | PF_W);
    check_nothing_changed(m);
}

static void the_old_descriptor_is_gone(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    set_descriptor(m, 0x20, NEW_TSS_AT, 0x67, 0x0089);
    m->cpu.state.gdtr.limit = TSS - 1;
    check_fault(switch_by(m, INSN_JMP_FAR, 0x20), VECTOR_TS, TSS);
    check_switched(switch_by(m, INSN_CALL_FAR, 0x20)); /* leaves it busy */
}

/* One row: what is wrong with the new task, and what comes of it in its own context. */
struct segment_fault {
    unsigned field; /* of the TSS: a selector */
    unsigned selector;
    uint32_t rights; /* of the descriptor SPARE; 0: not used */
    unsigned vector;
    uint32_t code;
};

static const struct segment_fault segment_faults[] = {
    {TSS32_LDT, SPARE, 0x0082 & ~0x80u, VECTOR_TS, SPARE}, /* not present: #TS too */
    {TSS32_LDT, SPARE, 0x0092, VECTOR_TS, SPARE},          /* no LDT */
    {TSS32_LDT, SPARE | 4, 0x0082, VECTOR_TS, SPARE | 4},
    {TSS32_LDT, 0x200, 0, VECTOR_TS, 0x200},
    {TSS32_CS, 0, 0, VECTOR_TS, 0},
    {TSS32_CS, 0x203, 0, VECTOR_TS, 0x200},
    {TSS32_CS, DATA0, 0, VECTOR_TS, DATA0},
    {TSS32_CS, CODE0 | 1, 0, VECTOR_TS, CODE0},                           /* DPL 0, RPL 1 */
    {TSS32_CS, SPARE, RIGHTS_CODE | 4 | RIGHTS_DPL(1), VECTOR_TS, SPARE}, /* conforming, DPL 1 > RPL 0 */
    {TSS32_CS, SPARE, RIGHTS_CODE & ~0x80u, VECTOR_NP, SPARE},
    {TSS32_SS, 0, 0, VECTOR_TS, 0},
    {TSS32_SS, CODE0, 0, VECTOR_TS, CODE0},
    {TSS32_SS, SPARE, 0xc091, VECTOR_TS, SPARE}, /* read only */
    {TSS32_SS, SPARE, RIGHTS_DATA & ~0x80u, VECTOR_SS, SPARE},
    {TSS32_SS, DATA3, 0, VECTOR_TS, DATA3 & ~3u},
    {TSS32_SS, DATA0 | 1, 0, VECTOR_TS, DATA0},
    {TSS32_SS, 0x0c, 0, VECTOR_TS, 0x0c}, /* in the LDT, which there is not */
    {TSS32_DS, TSS, 0, VECTOR_TS, TSS},
    {TSS32_ES, SPARE, 0xc099, VECTOR_TS, SPARE}, /* execute only */
    {TSS32_FS, SPARE, RIGHTS_DATA & ~0x80u, VECTOR_NP, SPARE},
    {TSS32_GS, DATA0 | 3, 0, VECTOR_TS, DATA0}, /* DPL below RPL */
    {TSS32_GS, 0x1fb, 0, VECTOR_TS, 0x1f8},
};

/* Registers and TR are the new task's, the old one is saved, both are busy or not as they should be. */
static void segment_faults_in_the_new_task(void **state)
{
    struct machine *m = *state;
    for (unsigned i = 0; i < sizeof segment_faults / sizeof segment_faults[0]; i++) {
        const struct segment_fault *row = &segment_faults[i];
        make_task32(m);
        poke(m, NEW_TSS_AT + TSS32_LDT, 0, 2);
        set_descriptor(m, TSS, TSS_AT, 0x67, 0x008b);
        load_segment(m, SEG_TR, TSS);
        load_ring(m, CODE0, DATA0, STACK0_TOP);
        poke(m, NEW_TSS_AT + row->field, row->selector, 2);
        if (row->rights)
            set_descriptor(m, SPARE, 0, 0xfffff, row->rights);
        check_fault(switch_by(m, INSN_JMP_FAR, NEW_TASK), row->vector, row->code);
        assert_int_equal(m->cpu.state.rip, NEW_EIP);
        assert_int_equal(m->cpu.state.seg[SEG_TR].selector, NEW_TASK);
        assert_int_equal(rights_of(m, TSS), 0x89);
        assert_int_equal(rights_of(m, NEW_TASK), 0x8b);
        assert_int_equal(peek(m, TSS_AT + TSS32_EIP, 4), CODE_AT + 7);
    }
}

/* Selectors of registers that were not loaded are the new task's; their segments cannot be used. */
static void registers_behind_the_fault(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_SS, 0, 2);
    check_fault(switch_by(m, INSN_JMP_FAR, NEW_TASK), VECTOR_TS, 0);
    assert_int_equal(m->cpu.state.seg[SEG_CS].access_rights, RIGHTS_CODE);
    assert_int_equal(m->cpu.state.seg[SEG_DS].selector, DATA0);
    assert_int_equal(m->cpu.state.seg[SEG_DS].access_rights, AR_UNUSABLE);
}

static void code_and_stack_of_the_new_task(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_CS, CODE16, 2);
    poke(m, NEW_TSS_AT + TSS32_EIP, 0x10000, 4);
    check_fault(switch_by(m, INSN_CALL_FAR, NEW_TASK), VECTOR_GP, 0);
    assert_int_equal(m->cpu.state.rip, 0x10000);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CODE16);
}

/* The error code does not fit: #SS(EXT), in the new task. */
static void no_room_for_the_error_code(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    set_descriptor(m, SPARE, 0, 0xfff, 0x4093);
    poke(m, NEW_TSS_AT + TSS32_SS, SPARE, 2);
    poke(m, NEW_TSS_AT + TSS32_ESP, 0x2000, 4);
    set_gate(m, VECTOR_GP, NEW_TASK, GATE_TASK);
    const struct cpu_event event = exception_with_code(VECTOR_GP, 8);
    check_fault(cpu_deliver(&m->cpu, &event), VECTOR_SS, 1);
    assert_int_equal(m->cpu.state.seg[SEG_TR].selector, NEW_TASK);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], 0x2000);
}

/* The handler sees the first instruction of the new task: SDM "Invalid TSS Exception (#TS)", saved
 * instruction pointer. The error code names the segment. */
static void the_fault_is_delivered_in_the_new_task(void **state)
{
    struct machine *m = *state;
    const struct insn insn = {.id = INSN_JMP_FAR,
                              .length = 7,
                              .mode_bits = 32,
                              .operand_bits = 32,
                              .address_bits = 32,
                              .far_selector = NEW_TASK};
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_DS, TSS, 2);
    assert_int_equal(cpu_instruction(&m->cpu, &insn), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_TS));
    FRAME(m, NEW_STACK - 16, 4, TSS, NEW_EIP, CODE0, RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_AC | RFLAGS_RF);
}

/* A contributory exception that meets #TS in its task gate is a double fault, in the new task. */
static void double_fault(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_DS, TSS, 2);
    set_gate(m, VECTOR_GP, NEW_TASK, GATE_TASK);
    const struct cpu_outcome fault = outcome_fault_code(VECTOR_GP, 0x18);
    assert_int_equal(cpu_settle(&m->cpu, &fault, NULL), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DF));
    FRAME(m, NEW_STACK - 16, 4, 0, NEW_EIP, CODE0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_old_tss_is_too_small),
        TEST(the_link_of_iret),
        TEST(page_faults_before_the_commit),
        TEST(the_old_descriptor_is_gone),
        TEST(segment_faults_in_the_new_task),
        TEST(registers_behind_the_fault),
        TEST(code_and_stack_of_the_new_task),
        TEST(no_room_for_the_error_code),
        TEST(the_fault_is_delivered_in_the_new_task),
        TEST(double_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
