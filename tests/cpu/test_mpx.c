/* test_mpx.c: Intel MPX by the model alone: enabling, real-address mode, breakpoints, INIT, the MSR. SDM
 * volume 1, "Intel Memory Protection Extensions". The guests in tests/core/conformance have the rest. */
#include "sim/cpu/xstate.h"
#include "tests/cpu/execute_fixture.h"

#define BNDMK(f) EXECUTE(f, 0xf3, 0x0f, 0x1b, 0x08)      /* bndmk bnd1, [rax] */
#define BNDCL(f) EXECUTE(f, 0xf3, 0x0f, 0x1a, 0xc8)      /* bndcl bnd1, rax */
#define BNDCU(f) EXECUTE(f, 0xf2, 0x0f, 0x1a, 0xc8)      /* bndcu bnd1, rax */
#define BNDMOV_OUT(f) EXECUTE(f, 0x66, 0x0f, 0x1b, 0x08) /* bndmov [rax], bnd1 */
#define BNDMOV_IN(f) EXECUTE(f, 0x66, 0x0f, 0x1a, 0x10)  /* bndmov bnd2, [rax] */
#define BNDSTX(f) EXECUTE(f, 0x0f, 0x1b, 0x0c, 0x08)     /* bndstx [rax + rcx], bnd1 */
#define BNDLDX(f) EXECUTE(f, 0x0f, 0x1a, 0x14, 0x08)     /* bndldx bnd2, [rax + rcx] */

static struct fixture *start(unsigned cpl)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    fixture_long(f, cpl);
    s->cr4 |= CR4_OSXSAVE;
    s->xcr0 = XSTATE_X87 | XCR0_MPX;
    if (cpl == 3)
        s->bndcfgu = BNDCFG_ENABLE;
    else
        s->msr.bndcfgs = BNDCFG_ENABLE;
    s->bounds[1] = (struct cpu_bounds){0x1000, ~0x1fffull};
    s->gpr[GPR_RAX] = 0xfff;
    return f;
}

/* Each of the four conditions; CPL 3 asks BNDCFGU, the others IA32_BNDCFGS. */
static void enabled_by(void **unused)
{
    (void)unused;
    for (unsigned cpl = 0; cpl <= 3; cpl++) {
        struct fixture *f = start(cpl);
        struct cpu_state *s = &f->cpu.state;
        expect_fault(BNDCL(f), VECTOR_BR);
        assert_int_equal(s->bndstatus, 1);
        s->cr4 &= ~CR4_OSXSAVE;
        expect_done(BNDCL(f));
        s->cr4 |= CR4_OSXSAVE;
        s->xcr0 = XSTATE_X87;
        expect_done(BNDCL(f));
        s->xcr0 |= XCR0_MPX;
        const uint64_t configuration = s->bndcfgu;
        s->bndcfgu = s->msr.bndcfgs;
        s->msr.bndcfgs = configuration; /* the other register's */
        expect_done(BNDCL(f));
        expect_done(BNDMOV_OUT(f));
        assert_int_equal(phys_read64(&f->mem, 0xfff), 0);
        fixture_free(f);
    }
}

/* CPL 0, and so IA32_BNDCFGS; 16-bit code wants the 67H prefix before memory forms. */
static void real_mode(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->cr4 |= CR4_OSXSAVE;
    s->xcr0 = XSTATE_X87 | XCR0_MPX;
    s->msr.bndcfgs = BNDCFG_ENABLE;
    s->gpr[GPR_RBX] = 0x12345000;
    expect_done(EXECUTE(f, 0x67, 0xf3, 0x0f, 0x1b, 0x43, 0x08)); /* bndmk bnd0, [ebx + 8] */
    assert_int_equal(s->bounds[0].lower, 0x12345000);
    assert_int_equal(s->bounds[0].upper, (uint32_t)~0x12345008u);
    expect_fault(EXECUTE(f, 0xf3, 0x0f, 0x1b, 0x07), VECTOR_UD); /* bndmk bnd0, [bx] */
    s->gpr[GPR_RBX] = 0x12344fff;
    expect_fault(EXECUTE(f, 0xf3, 0x0f, 0x1a, 0xc3), VECTOR_BR); /* bndcl bnd0, ebx */
    s->gpr[GPR_RBX] = 0xfffc;
    expect_fault(EXECUTE(f, 0x67, 0x66, 0x0f, 0x1b, 0x03),
                 VECTOR_GP); /* bndmov [ebx], bnd0: 8 bytes at FFFCH */
    fixture_free(f);
}

static void checks_and_status(void **unused)
{
    struct fixture *f = start(3);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->gpr[GPR_RAX] = 0x1000;
    expect_done(BNDCL(f));
    expect_done(BNDCU(f));
    s->gpr[GPR_RAX] = 0x1fff;
    expect_done(BNDCU(f));
    assert_int_equal(s->bndstatus, 0);
    s->gpr[GPR_RAX] = 0x2000;
    expect_fault(BNDCU(f), VECTOR_BR);
    assert_int_equal(s->bndstatus, 1);
    fixture_free(f);
}

/* Directory at 20000H (page 20H << 12), its entry 1 at 20008H; table at 30000H, entry 2 at 30040H. */
static void bound_tables(void **unused)
{
    struct fixture *f = start(3);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->bndcfgu = 0x20000 | BNDCFG_ENABLE;
    s->gpr[GPR_RAX] = 0x100017; /* index 1; 17H >> 3 is 2 */
    s->gpr[GPR_RCX] = 0xfeedface;
    expect_fault(BNDLDX(f), VECTOR_BR);
    assert_int_equal(s->bndstatus, 0x20008 | 2);
    phys_write64(&f->mem, 0x20008, 0x30001);
    expect_done(BNDSTX(f));
    assert_int_equal(phys_read64(&f->mem, 0x30040), 0x1000);
    assert_int_equal(phys_read64(&f->mem, 0x30048), ~0x1fffull);
    assert_int_equal(phys_read64(&f->mem, 0x30050), 0xfeedface);
    expect_done(BNDLDX(f));
    assert_int_equal(s->bounds[2].lower, 0x1000);
    s->gpr[GPR_RCX]++;
    expect_done(BNDLDX(f));
    assert_int_equal(s->bounds[2].lower | s->bounds[2].upper, 0);
    fixture_free(f);
}

/* SDM volume 3B, "Data Memory and I/O Breakpoint Exception Conditions": on what BNDMOV and BNDSTX access. */
static void breakpoints(void **unused)
{
    struct fixture *f = start(0);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->dr7 = 0x000f0001; /* DR0, reads and writes, 4 bytes */
    s->dr[0] = 0x800c;
    s->gpr[GPR_RAX] = 0x8000;
    expect_done(BNDMOV_OUT(f)); /* 8000H to 800FH */
    assert_int_equal(s->pending_debug_exceptions & 0xf, 1);
    s->pending_debug_exceptions = 0;
    expect_done(BNDMOV_IN(f));
    assert_int_equal(s->pending_debug_exceptions & 0xf, 1);
    s->pending_debug_exceptions = 0;
    expect_done(BNDMK(f)); /* accesses nothing */
    s->dr[0] = 0x30054;
    s->msr.bndcfgs = 0x20000 | BNDCFG_ENABLE;
    s->gpr[GPR_RAX] = 0x100010;
    phys_write64(&f->mem, 0x20008, 0x30001);
    assert_int_equal(s->pending_debug_exceptions, 0);
    expect_done(BNDSTX(f));
    assert_int_equal(s->pending_debug_exceptions & 0xf, 1);
    fixture_free(f);
}

/* SDM volume 2, "BNDMOV": #AC(0); each bound is a quadword here. Tables are not the operand. */
static void alignment(void **unused)
{
    struct fixture *f = start(3);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->cr0 |= CR0_AM;
    s->rflags |= RFLAGS_AC;
    s->gpr[GPR_RAX] = 0x8008;
    expect_done(BNDMOV_OUT(f));
    s->gpr[GPR_RAX] = 0x8004;
    expect_fault(BNDMOV_OUT(f), VECTOR_AC);
    expect_fault(BNDMOV_IN(f), VECTOR_AC);
    s->gpr[GPR_RAX] = 0x8001;
    expect_done(BNDMK(f));
    s->bndcfgu = 0x20000 | BNDCFG_ENABLE;
    phys_write64(&f->mem, 0x20000, 0x30001);
    expect_done(BNDSTX(f)); /* of a pointer at 8001H */
    fixture_free(f);
}

static void the_msr(void **unused)
{
    static const struct {
        uint64_t value;
        bool valid, without_la57;
    } rows[] = {{0, true, true},
                {0x1234567890003ull, true, false},
                {0x567890003ull, true, true},
                {4, false, false},
                {0x800, false, false},
                {0xfffffffffffff001ull, true, true},
                {1ull << 47, true, false},
                {1ull << 56, false, false}};
    uint64_t value;

    (void)unused;
    for (unsigned without = 0; without < 2; without++) {
        struct fixture *f = fixture_new(without ? "skylake,-la57" : "skylake");
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            assert_int_equal(cpu_write_msr(&f->cpu, 0xd90, rows[i].value),
                             without ? rows[i].without_la57 : rows[i].valid);
            assert_true(cpu_read_msr(&f->cpu, 0xd90, &value));
        }
        fixture_free(f);
    }
    struct fixture *f = fixture_new("skylake,-mpx");
    assert_false(cpu_write_msr(&f->cpu, 0xd90, 0));
    assert_false(cpu_read_msr(&f->cpu, 0xd90, &value));
    assert_false(xstate_xcr0_valid(&f->profile, XSTATE_X87 | XCR0_MPX));
    fixture_free(f);
}

static void profiles(void **unused)
{
    static const struct {
        const char *profile;
        bool mpx;
    } rows[] = {{"broadwell", false},
                {"skylake", true},
                {"icelake-server", false},
                {"sapphirerapids", true},
                {"sapphirerapids,-mpx", false}};

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct fixture *f = fixture_new(rows[i].profile);
        const bool xsave = xstate_user(&f->profile) != 0;
        assert_int_equal(xsave && xstate_xcr0_valid(&f->profile, 1 | XCR0_MPX), rows[i].mpx);
        assert_false(xstate_xcr0_valid(&f->profile, 1 | XCR0_BNDREGS));
        assert_false(xstate_xcr0_valid(&f->profile, 1 | XCR0_BNDCSR));
        /* entry control 16, exit control 23: in both MSRs or in none */
        assert_int_equal(f->profile.vmx.true_entry_ctls >> (32 + 16) & 1, rows[i].mpx);
        assert_int_equal(f->profile.vmx.entry_ctls >> (32 + 16) & 1, rows[i].mpx);
        assert_int_equal(f->profile.vmx.true_exit_ctls >> (32 + 23) & 1, rows[i].mpx);
        assert_int_equal(f->profile.vmx.exit_ctls >> (32 + 23) & 1, rows[i].mpx);
        fixture_free(f);
    }
}

/* SDM volume 3A, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
static void after_init(void **unused)
{
    struct fixture *f = start(3);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->bndstatus = 2;
    s->msr.bndcfgs = 1;
    cpu_reset_by_init(&f->cpu);
    assert_int_equal(s->bounds[1].lower | s->bounds[1].upper | s->bndcfgu | s->bndstatus | s->msr.bndcfgs, 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enabled_by),   cmocka_unit_test(real_mode),   cmocka_unit_test(checks_and_status),
        cmocka_unit_test(bound_tables), cmocka_unit_test(breakpoints), cmocka_unit_test(alignment),
        cmocka_unit_test(the_msr),      cmocka_unit_test(profiles),    cmocka_unit_test(after_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
