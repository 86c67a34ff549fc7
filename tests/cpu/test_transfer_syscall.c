/* test_transfer_syscall.c: SYSCALL, SYSRET, SYSENTER, SYSEXIT. SDM of these names, Operation. */
#include "events_fixture.h"

static struct cpu_outcome run(struct machine *m, unsigned id, unsigned bits)
{
    const struct insn insn = {.id = (uint16_t)id, .length = 2, .operand_bits = (uint8_t)bits};
    return cpu_far_transfer(&m->cpu, &insn);
}

static void check_undefined(struct cpu_outcome outcome)
{
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, VECTOR_UD);
    assert_false(outcome.event.has_error_code);
}

static void set_msrs(struct machine *m)
{
    struct cpu_msrs *msr = &m->cpu.state.msr;
    msr->star = 0x0023001000000000; /* SYSRET base 23H, SYSCALL base 10H */
    msr->lstar = 0xffff800000001000;
    msr->fmask = RFLAGS_IF | RFLAGS_TF;
    msr->sysenter_cs = 0x10;
    msr->sysenter_esp = 0xffff800000002000;
    msr->sysenter_eip = 0xffff800000003000;
}

static void check_segment(const struct machine *m, enum cpu_segment_index index, unsigned selector,
                          uint32_t rights)
{
    assert_int_equal(m->cpu.state.seg[index].selector, selector);
    assert_int_equal(m->cpu.state.seg[index].access_rights, rights);
    assert_int_equal(m->cpu.state.seg[index].limit, 0xffffffff);
}

static void syscall_and_back(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    enable_long_mode(m);
    set_msrs(m);
    load_ring(m, CODE3_64, DATA3, STACK3_TOP);
    s->rflags |= RFLAGS_CF;
    check_jumped(run(m, INSN_SYSCALL, 32));
    assert_int_equal(s->gpr[GPR_RCX], CODE_AT + 2);
    assert_int_equal(s->gpr[GPR_R11], 0x203);
    assert_int_equal(s->rflags, 0x3);
    assert_int_equal(s->rip, 0xffff800000001000);
    check_segment(m, SEG_CS, 0x10, 0xa09b);
    check_segment(m, SEG_SS, 0x18, 0xc093);
    s->gpr[GPR_R11] = 0xffffffff;
    check_jumped(run(m, INSN_SYSRET, 64));
    assert_int_equal(s->rip, CODE_AT + 2);
    assert_int_equal(s->rflags, 0x3c7fd7);
    check_segment(m, SEG_CS, 0x33, 0xa0fb);
    check_segment(m, SEG_SS, 0x2b, 0xc0f3);
}

static void sysret_to_compatibility_mode(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    set_msrs(m);
    m->cpu.state.gpr[GPR_RCX] = 0x8000123400006000;
    check_jumped(run(m, INSN_SYSRET, 32));
    assert_int_equal(m->cpu.state.rip, 0x6000);
    check_segment(m, SEG_CS, 0x23, 0xc0fb);
}

static void syscall_faults(void **state)
{
    struct machine *m = *state;
    set_msrs(m);
    check_undefined(run(m, INSN_SYSCALL, 32)); /* no IA-32e mode */
    enable_long_mode(m);
    m->cpu.state.gpr[GPR_RCX] = 0x800000000000;
    check_fault(run(m, INSN_SYSRET, 64), VECTOR_GP, 0);
    assert_int_equal(cpu_cpl(&m->cpu.state), 0);
    /* the width is that of the paging mode */
    m->cpu.state.gpr[GPR_RDX] = 0x800000000000;
    check_fault(run(m, INSN_SYSEXIT, 64), VECTOR_GP, 0);
    m->cpu.state.cr4 |= CR4_LA57;
    check_jumped(run(m, INSN_SYSRET, 64));
    assert_int_equal(m->cpu.state.rip, 0x800000000000);
    load_ring(m, CODE0_64, DATA0, STACK0_TOP);
    m->cpu.state.gpr[GPR_RCX] = 1ull << 56;
    check_fault(run(m, INSN_SYSRET, 64), VECTOR_GP, 0);
    m->cpu.state.cr4 &= ~CR4_LA57;
    load_ring(m, CODE3_64, DATA3, STACK3_TOP);
    check_fault(run(m, INSN_SYSRET, 64), VECTOR_GP, 0); /* CPL 3 */
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_undefined(run(m, INSN_SYSCALL, 32)); /* compatibility mode */
    load_ring(m, CODE0_64, DATA0, STACK0_TOP);
    m->cpu.state.msr.efer &= ~EFER_SCE;
    check_undefined(run(m, INSN_SYSCALL, 32));
    check_undefined(run(m, INSN_SYSRET, 64));
}

static void sysenter_and_back(void **state)
{
    struct machine *m = *state;
    struct cpu_state *s = &m->cpu.state;
    set_msrs(m);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_jumped(run(m, INSN_SYSENTER, 32));
    assert_int_equal(s->rip, 0x3000); /* the low halves outside of IA-32e mode */
    assert_int_equal(s->gpr[GPR_RSP], 0x2000);
    assert_int_equal(s->rflags, RFLAGS_FIXED1);
    check_segment(m, SEG_CS, 0x10, 0xc09b);
    check_segment(m, SEG_SS, 0x18, 0xc093);
    s->gpr[GPR_RCX] = 0x1234, s->gpr[GPR_RDX] = 0x5678;
    check_jumped(run(m, INSN_SYSEXIT, 32));
    assert_int_equal(s->rip, 0x5678);
    assert_int_equal(s->gpr[GPR_RSP], 0x1234);
    check_segment(m, SEG_CS, 0x23, 0xc0fb);
    check_segment(m, SEG_SS, 0x2b, 0xc0f3);
}

static void sysenter_in_long_mode(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    set_msrs(m);
    load_ring(m, CODE3_64, DATA3, STACK3_TOP);
    check_jumped(run(m, INSN_SYSENTER, 32));
    assert_int_equal(m->cpu.state.rip, 0xffff800000003000);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], 0xffff800000002000);
    check_segment(m, SEG_CS, 0x10, 0xa09b);
    m->cpu.state.gpr[GPR_RCX] = STACK3_TOP, m->cpu.state.gpr[GPR_RDX] = CODE_AT;
    check_jumped(run(m, INSN_SYSEXIT, 64));
    check_segment(m, SEG_CS, 0x33, 0xa0fb);
    check_segment(m, SEG_SS, 0x3b, 0xc0f3);
}

static void sysenter_faults(void **state)
{
    struct machine *m = *state;
    m->cpu.state.msr.sysenter_cs = 3;
    check_fault(run(m, INSN_SYSENTER, 32), VECTOR_GP, 0);
    check_fault(run(m, INSN_SYSEXIT, 32), VECTOR_GP, 0);
    set_msrs(m);
    enable_long_mode(m);
    m->cpu.state.gpr[GPR_RDX] = 0x800000000000;
    check_fault(run(m, INSN_SYSEXIT, 64), VECTOR_GP, 0);
    load_ring(m, CODE3_64, DATA3, STACK3_TOP);
    check_fault(run(m, INSN_SYSEXIT, 32), VECTOR_GP, 0);
    m->cpu.state.cr0 &= ~CR0_PE;
    assert_int_equal(run(m, INSN_SYSENTER, 32).event.vector, VECTOR_GP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(syscall_and_back),  TEST(sysret_to_compatibility_mode), TEST(syscall_faults),
        TEST(sysenter_and_back), TEST(sysenter_in_long_mode),        TEST(sysenter_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
