/* test_transfer_branch.c: far CALL and JMP. SDM "CALL--Call Procedure" and "JMP--Jump", Operation. */
#include "events_fixture.h"

static struct insn direct(unsigned id, unsigned selector, uint64_t offset, unsigned operand_bits)
{
    return (struct insn){.id = (uint16_t)id,
                         .length = 7,
                         .mode_bits = 32,
                         .operand_bits = (uint8_t)operand_bits,
                         .address_bits = 32,
                         .immediate = offset,
                         .far_selector = (uint16_t)selector};
}

static struct cpu_outcome call(struct machine *m, unsigned selector, uint64_t offset)
{
    const struct insn insn = direct(INSN_CALL_FAR, selector, offset, 32);
    return cpu_far_transfer(&m->cpu, &insn);
}

static struct cpu_outcome jump(struct machine *m, unsigned selector, uint64_t offset)
{
    const struct insn insn = direct(INSN_JMP_FAR, selector, offset, 32);
    return cpu_far_transfer(&m->cpu, &insn);
}

static void jump_loads_cs(void **state)
{
    struct machine *m = *state;
    check_jumped(jump(m, CODE16, 0x1234));
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CODE16);
    assert_int_equal(m->cpu.state.seg[SEG_CS].limit, 0xffff);
    assert_int_equal(m->cpu.state.rip, 0x1234);
    assert_int_equal(cpu_code_bits(&m->cpu.state), 16);
}

static void call_pushes_cs_and_eip(void **state)
{
    struct machine *m = *state;
    check_jumped(call(m, CODE0, 0x6000));
    FRAME(m, STACK0_TOP - 8, 4, CODE_AT + 7, CODE0);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - 8);
    const struct insn call16 = direct(INSN_CALL_FAR, CODE0, 0x6100, 16);
    check_jumped(cpu_far_transfer(&m->cpu, &call16));
    FRAME(m, STACK0_TOP - 12, 2, 0x6007, CODE0);
}

static void indirect_target_comes_from_memory(void **state)
{
    struct machine *m = *state;
    struct insn insn = direct(INSN_JMP_FAR, 0, 0, 32);
    insn.is_memory = true;
    insn.segment = SEG_DS;
    insn.displacement = 0x600;
    poke(m, 0x600, 0x00006543, 4);
    poke(m, 0x604, CODE0, 2);
    check_jumped(cpu_far_transfer(&m->cpu, &insn));
    assert_int_equal(m->cpu.state.rip, 0x6543);
}

static void code_segment_faults(void **state)
{
    struct machine *m = *state;
    check_fault(jump(m, 2, 0), VECTOR_GP, 0); /* null, whatever its RPL */
    check_fault(jump(m, 0x100, 0), VECTOR_GP, 0x100);
    check_fault(jump(m, DATA0, 0), VECTOR_GP, DATA0);
    check_fault(jump(m, 0x0c, 0), VECTOR_GP, 0x0c);        /* no LDT */
    check_fault(jump(m, CODE3, 0), VECTOR_GP, CODE3 & ~3); /* DPL != CPL */
    check_fault(jump(m, CODE0 | 1, 0), VECTOR_GP, CODE0);  /* RPL > CPL */
    check_fault(jump(m, CODE16, 0x10000), VECTOR_GP, 0);   /* beyond the limit */
    set_descriptor(m, FREE, 0, 0xfffff, RIGHTS_CODE & ~0x80u);
    check_fault(jump(m, FREE, 0), VECTOR_NP, FREE);
    set_descriptor(m, FREE, 0, 0xfffff, RIGHTS_CODE | RIGHTS_CONFORMING | RIGHTS_DPL(1));
    check_fault(jump(m, FREE, 0), VECTOR_GP, FREE); /* conforming, DPL > CPL */
    m->cpu.state.seg[SEG_SS].limit = 0xffff;
    m->cpu.state.gpr[GPR_RSP] = 4;
    check_fault(call(m, CODE16, 0x10000), VECTOR_SS, 0); /* room goes before the limit of the target */
}

static void conforming_keeps_cpl(void **state)
{
    struct machine *m = *state;
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_jumped(jump(m, CONFORMING0, 0x6000));
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CONFORMING0 | 3);
    assert_int_equal(cpu_cpl(&m->cpu.state), 3);
}

/* Two parameters move from the ring 3 stack to the ring 0 stack between the old SS:ESP and the return
 * address. */
static void call_gate_to_inner_ring_copies_parameters(void **state)
{
    struct machine *m = *state;
    poke(m, GDT_AT + FREE, gate(CODE0, 0x12346000, 0xec, 2), 8);
    load_ring(m, CODE3, DATA3, STACK3_TOP - 8);
    poke(m, STACK3_TOP - 8, 0x11111111, 4);
    poke(m, STACK3_TOP - 4, 0x22222222, 4);
    check_jumped(call(m, FREE | 3, 0xdeadbeef));
    FRAME(m, STACK0_TOP - 24, 4, CODE_AT + 7, CODE3, 0x11111111, 0x22222222, STACK3_TOP - 8, DATA3);
    assert_int_equal(m->cpu.state.rip, 0x12346000);
    assert_int_equal(m->cpu.state.seg[SEG_SS].selector, DATA0);
    assert_int_equal(cpu_cpl(&m->cpu.state), 0);
}

static void call_gate16(void **state)
{
    struct machine *m = *state;
    poke(m, GDT_AT + FREE, gate(CODE0, 0x6000, 0xe4, 1), 8);
    load_ring(m, CODE3, DATA3, STACK3_TOP - 2);
    poke(m, STACK3_TOP - 2, 0xabcd, 2);
    check_jumped(call(m, FREE, 0));
    FRAME(m, STACK0_TOP - 10, 2, CODE_AT + 7, CODE3, 0xabcd, STACK3_TOP - 2, DATA3);
}

static void call_gate_in_the_same_ring(void **state)
{
    struct machine *m = *state;
    poke(m, GDT_AT + FREE, gate(CODE0, 0x6000, 0x8c, 3), 8);
    check_jumped(call(m, FREE, 0));
    FRAME(m, STACK0_TOP - 8, 4, CODE_AT + 7, CODE0);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - 8);
    check_jumped(jump(m, FREE, 0));
}

static void call_gate_faults(void **state)
{
    struct machine *m = *state;
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    poke(m, GDT_AT + FREE, gate(CODE0, 0x6000, 0x8c | RIGHTS_DPL(2), 0), 8);
    check_fault(call(m, FREE, 0), VECTOR_GP, FREE); /* gate DPL < CPL */
    poke(m, GDT_AT + FREE, gate(CODE0, 0x6000, 0x0c | RIGHTS_DPL(3), 0), 8);
    check_fault(call(m, FREE, 0), VECTOR_NP, FREE);
    poke(m, GDT_AT + FREE, gate(3, 0x6000, 0xec, 0), 8);
    check_fault(call(m, FREE, 0), VECTOR_GP, 0);
    poke(m, GDT_AT + FREE, gate(DATA0, 0x6000, 0xec, 0), 8);
    check_fault(call(m, FREE, 0), VECTOR_GP, DATA0);
    poke(m, GDT_AT + FREE, gate(CODE0, 0x6000, 0xec, 0), 8);
    check_fault(jump(m, FREE, 0), VECTOR_GP, CODE0); /* JMP cannot go to an inner ring */
    poke(m, TSS_AT + 8, 0, 2);
    check_fault(call(m, FREE, 0), VECTOR_TS, 0);
    poke(m, TSS_AT + 8, DATA0 | 3, 2);
    check_fault(call(m, FREE, 0), VECTOR_TS, DATA0);
    m->cpu.state.seg[SEG_TR].limit = 8;
    check_fault(call(m, FREE, 0), VECTOR_TS, TSS);
}

static void long_call_gate(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    poke(m, GDT_AT + FREE, gate(CODE0_64, 0x6000, 0xec, 0), 8);
    poke(m, GDT_AT + FREE + 8, 0x7fff, 8);
    load_ring(m, CODE3_64, DATA3, STACK3_TOP);
    check_jumped(call(m, FREE, 0));
    FRAME(m, STACK0_TOP - 32, 8, CODE_AT + 7, CODE3_64, STACK3_TOP, DATA3);
    assert_int_equal(m->cpu.state.rip, 0x7fff00006000);
    assert_int_equal(m->cpu.state.seg[SEG_SS].selector, 0);
    poke(m, GDT_AT + FREE + 8, 0x1f0000007fff, 8); /* the upper half has a type */
    check_fault(call(m, FREE, 0), VECTOR_GP, FREE);
}

static void long_mode_faults(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    set_descriptor(m, FREE, 0, 0xfffff, RIGHTS_CODE64 | 0x4000); /* L and D */
    check_fault(jump(m, FREE, 0), VECTOR_GP, FREE);
    poke(m, GDT_AT + FREE, gate(CODE0_64, 0x6000, 0x84, 0), 8); /* 16-bit call gate */
    check_fault(jump(m, FREE, 0), VECTOR_GP, FREE);
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x0089);
    check_fault(jump(m, FREE, 0), VECTOR_GP, FREE);
    poke(m, GDT_AT + FREE, gate(CODE0, 0x6000, 0x8c, 0), 8); /* 64-bit gate to 32-bit code */
    poke(m, GDT_AT + FREE + 8, 0, 8);
    check_fault(jump(m, FREE, 0), VECTOR_GP, CODE0);
    struct insn insn = direct(INSN_JMP_FAR, 0, 0, 64);
    insn.is_memory = true;
    insn.segment = SEG_DS;
    insn.displacement = 0x600;
    insn.mode_bits = insn.address_bits = 64;
    poke(m, 0x600, 0x0000800000000000, 8);
    poke(m, 0x608, CODE0_64, 2);
    check_fault(cpu_far_transfer(&m->cpu, &insn), VECTOR_GP, 0); /* not canonical */
}

/* In VMX non-root operation; test_task_switch.c has the others. */
static void task_switches(void **state)
{
    struct machine *m = *state;
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x0089);
    m->cpu.vmx.non_root = true;
    struct cpu_outcome outcome = jump(m, FREE, 0);
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.reason, 9);
    assert_int_equal(outcome.exit.qualification, 2ull << 30 | FREE);
    assert_int_equal(outcome.exit.instruction_length, 7);
    poke(m, GDT_AT + FREE + 8, gate(FREE, 0, 0x85, 0), 8); /* a task gate to it */
    outcome = call(m, FREE + 8, 0);
    assert_int_equal(outcome.exit.reason, 9);
    assert_int_equal(outcome.exit.qualification, FREE);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_fault(call(m, FREE, 0), VECTOR_GP, FREE);         /* TSS DPL 0 */
    check_fault(call(m, FREE + 8, 0), VECTOR_GP, FREE + 8); /* gate DPL 0 */
}

static void real_mode(void **state)
{
    struct machine *m = *state;
    m->cpu.state.cr0 &= ~CR0_PE;
    m->cpu.state.seg[SEG_CS].limit = 0xffff;
    const struct insn insn = direct(INSN_CALL_FAR, 0x700, 0x123, 16);
    check_jumped(cpu_far_transfer(&m->cpu, &insn));
    FRAME(m, STACK0_TOP - 4, 2, CODE_AT + 7, CODE0);
    assert_int_equal(m->cpu.state.seg[SEG_CS].base, 0x7000);
    assert_int_equal(m->cpu.state.rip, 0x123);
    const struct insn far = direct(INSN_JMP_FAR, 0x700, 0x10000, 32);
    assert_int_equal(cpu_far_transfer(&m->cpu, &far).event.vector, VECTOR_GP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jump_loads_cs),
        TEST(call_pushes_cs_and_eip),
        TEST(indirect_target_comes_from_memory),
        TEST(code_segment_faults),
        TEST(conforming_keeps_cpl),
        TEST(call_gate_to_inner_ring_copies_parameters),
        TEST(call_gate16),
        TEST(call_gate_in_the_same_ring),
        TEST(call_gate_faults),
        TEST(long_call_gate),
        TEST(long_mode_faults),
        TEST(task_switches),
        TEST(real_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
