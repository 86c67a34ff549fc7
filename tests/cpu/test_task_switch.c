/*
 * test_task_switch.c: hardware task switches that succeed: what is saved, loaded and flagged. SDM volume 3A
 * "Task Switching", table "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and TS
 * Flag"; "Task-State Segment (TSS)".
 */
#include "task_fixture.h"

static void number_registers(struct machine *m)
{
    struct cpu_state *s = &m->cpu.state;
    for (unsigned i = 0; i < 8; i++)
        if (i != GPR_RSP)
            s->gpr[i] = 0x11110000u + i;
    s->rflags = RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_ZF | RFLAGS_RF | RFLAGS_NT;
    load_segment(m, SEG_FS, DATA3);
}

/* The saved part of a 32-bit TSS; the rest stays as it was, the upper words of selectors too. */
static void jump_saves_and_loads_32(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    make_task32(m);
    number_registers(m);
    for (unsigned i = 20; i < 104; i++)
        poke(m, TSS_AT + i, 0xcc, 1);
    s->dr7 = 0x4ff;
    s->interruptibility_state = 0;
    check_switched(switch_by(m, INSN_JMP_FAR, NEW_TASK));
    FRAME(m, TSS_AT + 20, 4, 0xcccccccc, 0xcccccccc, 0xcccccccc, CODE_AT + 7,
          RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_ZF | RFLAGS_NT, 0x11110000, 0x11110001, 0x11110002, 0x11110003,
          STACK0_TOP, 0x11110005, 0x11110006, 0x11110007, 0xcccc0000u | DATA0, 0xcccc0000u | CODE0,
          0xcccc0000u | DATA0, 0xcccc0000u | DATA0, 0xcccc0000u | DATA3, 0xcccc0000u | DATA0, 0xcccccccc,
          0xcccccccc);
    assert_int_equal(s->rip, NEW_EIP);
    assert_int_equal(s->rflags, RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_AC);
    assert_int_equal(s->gpr[GPR_RAX], 0xa0a0a000);
    assert_int_equal(s->gpr[GPR_RDI], 0xa0a0a007);
    assert_int_equal(s->gpr[GPR_RSP], NEW_STACK);
    assert_int_equal(s->seg[SEG_FS].selector, DATA0);
    assert_int_equal(s->seg[SEG_CS].access_rights, RIGHTS_CODE);
    assert_int_equal(s->seg[SEG_SS].limit, 0xffffffff);
    assert_int_equal(s->seg[SEG_LDTR].access_rights, AR_UNUSABLE);
    assert_int_equal(s->seg[SEG_TR].selector, NEW_TASK);
    assert_int_equal(s->seg[SEG_TR].base, NEW_TSS_AT);
    assert_int_equal(s->seg[SEG_TR].access_rights, 0x8b);
    assert_int_equal(s->cr0 & CR0_TS, CR0_TS);
    assert_int_equal(s->dr7, 0x4aa); /* L0 to L3 are cleared */
    assert_int_equal(s->cr3, 0);     /* without paging it is not loaded */
    /* JMP: the old task becomes available, the new one busy, no link. */
    assert_int_equal(rights_of(m, TSS), 0x89);
    assert_int_equal(rights_of(m, NEW_TASK), 0x8b);
    assert_int_equal(peek(m, NEW_TSS_AT, 2), 0xbeef);
}

static void call_nests_and_iret_returns(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    make_task32(m);
    check_switched(switch_by(m, INSN_CALL_FAR, TASK_GATE_AT));
    assert_int_equal(rights_of(m, TSS), 0x8b);
    assert_int_equal(rights_of(m, NEW_TASK), 0x8b);
    assert_int_equal(peek(m, NEW_TSS_AT, 2), TSS);
    assert_int_equal(s->rflags, RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_AC | RFLAGS_NT);
    s->rip = 0x6b00;
    check_switched(switch_by(m, INSN_IRET, 0));
    assert_int_equal(s->rip, CODE_AT + 7);
    assert_int_equal(s->gpr[GPR_RSP], STACK0_TOP);
    assert_int_equal(s->rflags, RFLAGS_FIXED1 | RFLAGS_IF);
    assert_int_equal(s->seg[SEG_TR].selector, TSS);
    assert_int_equal(rights_of(m, TSS), 0x8b);
    assert_int_equal(rights_of(m, NEW_TASK), 0x89);
    /* The task that was left goes on behind its IRET, with NT clear. */
    assert_int_equal(peek(m, NEW_TSS_AT + TSS32_EIP, 4), 0x6b07);
    assert_int_equal(peek(m, NEW_TSS_AT + TSS32_EFLAGS, 4), RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_AC);
    assert_int_equal(peek(m, NEW_TSS_AT, 2), TSS); /* the link stays */
}

static void to_a_16_bit_tss_and_back(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    make_task16(m);
    load_segment(m, SEG_FS, DATA3);
    check_switched(switch_by(m, INSN_CALL_FAR, NEW_TASK));
    assert_int_equal(rights_of(m, NEW_TASK), 0x83);
    assert_int_equal(peek(m, NEW_TSS_AT, 2), TSS);
    assert_int_equal(s->rip, NEW_EIP);
    assert_int_equal(s->rflags, RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_NT);
    assert_int_equal(s->gpr[GPR_RBX] & 0xffff, 0xa003);
    assert_int_equal(s->gpr[GPR_RSP] & 0xffff, NEW_STACK);
    assert_int_equal(s->seg[SEG_FS].selector, 0); /* no place for FS and GS */
    assert_int_equal(s->seg[SEG_FS].access_rights, AR_UNUSABLE);
    s->gpr[GPR_RBX] = 0x12345678;
    poke(m, NEW_TSS_AT + 44, 0xdddd, 2); /* behind the TSS */
    check_switched(switch_by(m, INSN_IRET, 0));
    FRAME(m, NEW_TSS_AT + TSS16_IP, 2, NEW_EIP + 7, RFLAGS_FIXED1 | RFLAGS_CF, 0xa000, 0xa001, 0xa002, 0x5678,
          NEW_STACK, 0xa005, 0xa006, 0xa007, DATA16, CODE0, DATA16, DATA16, 0, 0xdddd);
    assert_int_equal(s->seg[SEG_FS].selector, DATA3);
    assert_int_equal(rights_of(m, NEW_TASK), 0x81);
}

/* SDM "INT n", TASK-GATE: an error code goes to the new task's stack. */
static void exception_through_a_task_gate(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    make_task32(m);
    set_gate(m, VECTOR_GP, NEW_TASK, GATE_TASK);
    const struct cpu_event event = exception_with_code(VECTOR_GP, 0x1234);
    check_switched(cpu_deliver(&m->cpu, &event));
    assert_int_equal(s->gpr[GPR_RSP], NEW_STACK - 4);
    assert_int_equal(peek(m, NEW_STACK - 4, 4), 0x1234);
    assert_int_equal(peek(m, TSS_AT + TSS32_EIP, 4), CODE_AT);
    /* A fault: RF is set in the saved image. SDM "Instruction-Breakpoint Exception Condition". */
    assert_int_equal(peek(m, TSS_AT + TSS32_EFLAGS, 4), RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_RF);
    assert_int_equal(s->rflags, RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_AC | RFLAGS_NT);
    assert_int_equal(peek(m, NEW_TSS_AT, 2), TSS);
    check_switched(switch_by(m, INSN_IRET, 0));
    assert_int_equal(s->rip, CODE_AT);
    assert_int_equal(s->rflags, RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_RF);
}

static void interrupts_through_a_task_gate(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    make_task16(m);
    set_gate(m, 0x30, NEW_TASK, GATE_TASK | RIGHTS_DPL(3));
    const struct cpu_event hardware = external_interrupt(0x30);
    check_switched(cpu_deliver(&m->cpu, &hardware));
    assert_int_equal(peek(m, TSS_AT + TSS32_EIP, 4), CODE_AT);
    assert_int_equal(s->gpr[GPR_RSP] & 0xffff, NEW_STACK);
    check_switched(switch_by(m, INSN_IRET, 0));
    const struct cpu_event software = software_interrupt(0x30);
    check_switched(cpu_deliver(&m->cpu, &software));
    assert_int_equal(peek(m, TSS_AT + TSS32_EIP, 4), CODE_AT + 2);
    /* 16-bit TSS: a word for the error code. */
    check_switched(switch_by(m, INSN_IRET, 0));
    poke(m, NEW_TSS_AT + TSS16_SP, NEW_STACK, 2);
    set_gate(m, VECTOR_PF, NEW_TASK, GATE_TASK);
    const struct cpu_event fault = exception_with_code(VECTOR_PF, 2);
    check_switched(cpu_deliver(&m->cpu, &fault));
    assert_int_equal(s->gpr[GPR_RSP] & 0xffff, NEW_STACK - 2);
    assert_int_equal(peek(m, NEW_STACK - 2, 2), 2);
}

/* SDM "Operations that Invalidate TLBs and Paging-Structure Caches": only if CR3 changes. */
static void cr3_is_loaded_with_paging(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    enable_paging32(m);
    const uint32_t before = m->events_seen[TRACE_TLB_FLUSH];
    check_switched(switch_by(m, INSN_JMP_FAR, NEW_TASK));
    assert_int_equal(m->cpu.state.cr3, NEW_PD_AT);
    assert_int_equal(m->cpu.mmu.regime.cr3, NEW_PD_AT);
    assert_int_equal(m->events_seen[TRACE_TLB_FLUSH], before + 1);
    poke(m, TSS_AT + TSS32_CR3, NEW_PD_AT, 4);
    check_switched(switch_by(m, INSN_JMP_FAR, TSS));
    assert_int_equal(m->events_seen[TRACE_TLB_FLUSH], before + 1);
}

/* SDM "PDPTE Registers": loaded by a task switch that changes CR3; a reserved bit is #GP(0). */
static void pae_loads_pdptes(void **state)
{
    struct machine *m = *state;
    const uint32_t pdpt = 0x17000, bad = 0x17020;
    make_task32(m);
    poke(m, pdpt, (PML4_AT + 0x2000) | 1, 8);
    poke(m, bad, (PML4_AT + 0x2000) | 3, 8); /* bit 1 is reserved */
    m->cpu.state.cr4 |= CR4_PAE;
    m->cpu.state.cr0 |= CR0_PG;
    m->cpu.state.cr3 = 0x17040;
    m->cpu.state.pdpte[0] = (PML4_AT + 0x2000) | 1;
    vmx_update_regime(&m->cpu.vmx);
    poke(m, NEW_TSS_AT + TSS32_CR3, bad, 4);
    check_fault(switch_by(m, INSN_JMP_FAR, NEW_TASK), VECTOR_GP, 0);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    assert_int_equal(rights_of(m, NEW_TASK), 0x89);
    poke(m, pdpt + 8, 0, 8);
    m->cpu.state.pdpte[1] = 0x5000;
    poke(m, NEW_TSS_AT + TSS32_CR3, pdpt, 4);
    check_switched(switch_by(m, INSN_JMP_FAR, NEW_TASK));
    assert_int_equal(m->cpu.state.cr3, pdpt);
    assert_int_equal(m->cpu.state.pdpte[1], 0);
    assert_int_equal(m->cpu.mmu.regime.pdpte[1], 0);
}

static void ldt_and_segments_in_it(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    make_task32(m);
    set_descriptor(m, SPARE, LDT_AT, 0x0f, 0x0082);
    poke(m, LDT_AT + 8, descriptor(0x500, 0xfff, 0x0092), 8);
    poke(m, NEW_TSS_AT + TSS32_LDT, SPARE, 2);
    poke(m, NEW_TSS_AT + TSS32_GS, 8 | SELECTOR_TI, 2);
    poke(m, NEW_TSS_AT + TSS32_ES, 3, 2); /* null */
    check_switched(switch_by(m, INSN_JMP_FAR, NEW_TASK));
    assert_int_equal(s->seg[SEG_LDTR].base, LDT_AT);
    assert_int_equal(s->seg[SEG_LDTR].selector, SPARE);
    assert_int_equal(s->seg[SEG_GS].base, 0x500);
    assert_int_equal(peek(m, LDT_AT + 13, 1), 0x93); /* accessed */
    assert_int_equal(s->seg[SEG_ES].selector, 3);
    assert_int_equal(s->seg[SEG_ES].access_rights, AR_UNUSABLE);
}

static void to_an_outer_ring(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    for (unsigned i = 0; i < 6; i++)
        poke(m, NEW_TSS_AT + TSS32_ES + 4 * i, i == SEG_CS ? CODE3 : DATA3, 2);
    check_switched(switch_by(m, INSN_JMP_FAR, NEW_TASK));
    assert_int_equal(cpu_cpl(&m->cpu.state), 3);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CODE3);
}

static void to_virtual_8086_mode(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_EFLAGS, RFLAGS_VM | RFLAGS_IF, 4);
    poke(m, NEW_TSS_AT + TSS32_CS, 0x0700, 2);
    poke(m, NEW_TSS_AT + TSS32_SS, 0x0800, 2);
    poke(m, NEW_TSS_AT + TSS32_EIP, 0x12, 4);
    check_switched(switch_by(m, INSN_JMP_FAR, NEW_TASK));
    assert_true(cpu_v86_mode(s));
    assert_int_equal(cpu_cpl(s), 3);
    assert_int_equal(s->seg[SEG_CS].base, 0x7000);
    assert_int_equal(s->seg[SEG_SS].base, 0x8000);
    assert_int_equal(s->seg[SEG_SS].access_rights, 0xf3);
    assert_int_equal(s->rip, 0x12);
}

static struct insn jump_instruction(void)
{
    return (struct insn){.id = INSN_JMP_FAR,
                         .length = 7,
                         .mode_bits = 32,
                         .operand_bits = 32,
                         .address_bits = 32,
                         .far_selector = NEW_TASK};
}

/* SDM "Task-Switch Exception Condition": with the T flag #DB comes before the new task's first instruction,
 * as a trap, with BT in DR6. RF of the new task is kept and pushed. */
static void debug_trap_flag(void **state)
{
    struct machine *m = *state;
    const struct insn insn = jump_instruction();
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_T, 1, 2);
    poke(m, NEW_TSS_AT + TSS32_EFLAGS, RFLAGS_FIXED1 | RFLAGS_RF, 4);
    assert_int_equal(cpu_instruction(&m->cpu, &insn), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    assert_int_equal(m->cpu.state.dr6 & 0xe00f, 0x8000);
    FRAME(m, NEW_STACK - 12, 4, NEW_EIP, CODE0, RFLAGS_FIXED1 | RFLAGS_RF);
}

static void debug_trap_flag_through_a_gate(void **state)
{
    struct machine *m = *state;
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_T, 1, 2);
    set_gate(m, VECTOR_UD, NEW_TASK, GATE_TASK);
    const struct cpu_outcome fault = outcome_fault(VECTOR_UD);
    assert_int_equal(cpu_settle(&m->cpu, &fault, NULL), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    FRAME(m, NEW_STACK - 12, 4, NEW_EIP, CODE0);
}

/* RF of the new TSS lasts until its first instruction; a TF that was set before the switch traps after it. */
static void rf_is_loaded_and_tf_traps(void **state)
{
    struct machine *m = *state;
    const struct insn insn = jump_instruction();
    make_task32(m);
    poke(m, NEW_TSS_AT + TSS32_EFLAGS, RFLAGS_FIXED1 | RFLAGS_RF, 4);
    assert_int_equal(cpu_instruction(&m->cpu, &insn), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, NEW_EIP);
    assert_int_equal(m->cpu.state.rflags, RFLAGS_FIXED1 | RFLAGS_RF);
    m->cpu.state.rflags |= RFLAGS_TF;
    const struct insn back = {.id = INSN_JMP_FAR,
                              .length = 7,
                              .mode_bits = 32,
                              .operand_bits = 32,
                              .address_bits = 32,
                              .far_selector = TSS};
    assert_int_equal(cpu_instruction(&m->cpu, &back), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    assert_int_equal(m->cpu.state.dr6 & 0xe00f, 0x4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jump_saves_and_loads_32),
        TEST(call_nests_and_iret_returns),
        TEST(to_a_16_bit_tss_and_back),
        TEST(exception_through_a_task_gate),
        TEST(interrupts_through_a_task_gate),
        TEST(cr3_is_loaded_with_paging),
        TEST(pae_loads_pdptes),
        TEST(ldt_and_segments_in_it),
        TEST(to_an_outer_ring),
        TEST(to_virtual_8086_mode),
        TEST(debug_trap_flag),
        TEST(debug_trap_flag_through_a_gate),
        TEST(rf_is_loaded_and_tf_traps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
