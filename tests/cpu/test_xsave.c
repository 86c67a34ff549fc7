/* test_xsave.c: the XSAVE feature set. SDM volume 1, "Managing State Using the XSAVE Feature Set"; volume 2,
 * the pages of the instructions; "CPUID", leaf 0DH. */
#include "tests/cpu/execute_fixture.h"

#define AREA 0x8000u
#define HEADER (AREA + 512)
#define PKRU_STANDARD (AREA + 2688)
#define PKRU_COMPACTED (AREA + 576)

/* The area's address in RDI; EDX:EAX asks for everything. */
static struct fixture *start(const char *profile, uint64_t xcr0)
{
    struct fixture *f = fixture_new(profile);
    struct cpu_state *s = &f->cpu.state;

    fixture_long(f, 0);
    s->cr4 |= CR4_OSXSAVE | CR4_PKE;
    s->xcr0 = xcr0;
    s->gpr[GPR_RDI] = AREA;
    s->gpr[GPR_RAX] = s->gpr[GPR_RDX] = 0xffffffff;
    vmx_update_regime(&f->cpu.vmx);
    memset(f->ram + AREA, 0xee, 4096);
    memset(f->ram + HEADER, 0, 64);
    return f;
}

#define XSAVE(f) EXECUTE(f, 0x0f, 0xae, 0x27)
#define XSAVE64(f) EXECUTE(f, 0x48, 0x0f, 0xae, 0x27)
#define XSAVEOPT(f) EXECUTE(f, 0x0f, 0xae, 0x37)
#define XSAVEC(f) EXECUTE(f, 0x0f, 0xc7, 0x27)
#define XSAVES(f) EXECUTE(f, 0x0f, 0xc7, 0x2f)
#define XRSTOR(f) EXECUTE(f, 0x0f, 0xae, 0x2f)
#define XRSTORS(f) EXECUTE(f, 0x0f, 0xc7, 0x1f)

static uint64_t at(const struct fixture *f, uint32_t physical)
{
    return phys_read64(&f->mem, physical);
}

static void test_faults_in_order(void **unused)
{
    struct fixture *f = start("sapphirerapids", 3);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->gpr[GPR_RDI] = AREA + 32; /* not aligned */
    s->cr0 |= CR0_TS;
    s->cr4 &= ~CR4_OSXSAVE;
    expect_fault(XSAVE(f), VECTOR_UD);
    expect_fault(XRSTOR(f), VECTOR_UD);
    s->cr4 |= CR4_OSXSAVE;
    expect_fault(XSAVE(f), VECTOR_NM);
    expect_fault(XRSTORS(f), VECTOR_NM);
    s->cr0 &= ~CR0_TS;
    expect_fault(XSAVE(f), VECTOR_GP);
    expect_fault(XSAVEC(f), VECTOR_GP);
    expect_fault(XRSTOR(f), VECTOR_GP);
    fixture_long(f, 3);
    s->cr4 |= CR4_OSXSAVE;
    s->gpr[GPR_RDI] = AREA;
    expect_done(XSAVE(f));
    expect_fault(XSAVES(f), VECTOR_GP); /* CPL 0 alone */
    expect_fault(XRSTORS(f), VECTOR_GP);
    fixture_free(f);
}

static void test_what_each_profile_has(void **unused)
{
    static const struct {
        const char *profile;
        bool xsave, opt, c;
    } rows[] = {
        {"nehalem", false, false, false}, {"sandybridge", true, true, false}, {"skylake", true, true, true}};

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = start(rows[i].profile, 3);
        assert_int_equal(XSAVE(f).kind == OUTCOME_DONE, rows[i].xsave);
        assert_int_equal(XSAVEOPT(f).kind == OUTCOME_DONE, rows[i].opt);
        assert_int_equal(XSAVEC(f).kind == OUTCOME_DONE, rows[i].c);
        assert_int_equal(XSAVES(f).kind == OUTCOME_DONE, rows[i].c);
        fixture_free(f);
    }
}

/* XSAVE saves what is asked for even in its initial configuration; XSTATE_BV follows XINUSE; the rest of the
 * header stays. */
static void test_xsave_standard(void **unused)
{
    struct fixture *f = start("sapphirerapids", 0x203);
    struct fpu_state *fpu = &f->cpu.fpu_state;

    (void)unused;
    phys_write64(&f->mem, HEADER, 0x207);      /* of a component that is not enabled: kept */
    phys_write64(&f->mem, HEADER + 8, 0x1234); /* XCOMP_BV: not written */
    fpu->xmm[9][0] = 0x55;
    fpu->st[0][9] = 0x40;
    fpu->valid = 1;
    fpu->instruction_pointer = 0x1122334455667788;
    fpu->instruction_selector = 0x10;
    expect_done(XSAVE(f));
    assert_int_equal(at(f, HEADER), 0x007); /* x87, SSE in use; PKRU is 0; bit 2 as it was */
    assert_int_equal(at(f, HEADER + 8), 0x1234);
    assert_int_equal(at(f, AREA), 0x010000037f);
    assert_int_equal(at(f, AREA + 8), 0x0000001055667788);
    assert_int_equal(at(f, AREA + 24), 0x0000ffff00001f80);
    assert_int_equal(f->ram[AREA + 32 + 9], 0x40);
    assert_int_equal(f->ram[AREA + 160 + 9 * 16], 0x55);
    assert_int_equal(at(f, PKRU_STANDARD), 0);
    assert_int_equal(f->ram[AREA + 416], 0xee);
    assert_int_equal(f->ram[AREA + 576], 0xee);
    expect_done(XSAVE64(f));
    assert_int_equal(at(f, AREA + 8), 0x1122334455667788);
    fixture_free(f);
}

static void test_init_optimization(void **unused)
{
    struct fixture *f = start("sapphirerapids", 0x203);

    (void)unused;
    phys_write64(&f->mem, HEADER, 0x203);
    f->cpu.fpu_state.mxcsr = 0x1fa0;
    expect_done(XSAVEOPT(f));
    assert_int_equal(at(f, HEADER), 0);                     /* MXCSR does not count for XINUSE[1] */
    assert_int_equal(at(f, AREA + 24), 0x0000ffff00001fa0); /* and is saved all the same */
    assert_int_equal(f->ram[AREA], 0xee);
    assert_int_equal(f->ram[AREA + 160], 0xee);
    expect_done(XSAVEC(f)); /* here it counts */
    assert_int_equal(at(f, HEADER), 2);
    assert_int_equal(at(f, HEADER + 8), 0x8000000000000203);
    assert_int_equal(f->ram[AREA], 0xee);
    assert_int_equal(f->ram[AREA + 160], 0);
    cpu_write_pkru(&f->cpu, 0x55555554);
    expect_done(XSAVEC(f));
    assert_int_equal(at(f, HEADER), 0x202);
    assert_int_equal(at(f, PKRU_COMPACTED), 0x55555554);
    f->cpu.state.gpr[GPR_RAX] = 1;
    f->cpu.state.gpr[GPR_RDX] = 0;
    expect_done(XSAVEC(f)); /* all of XSTATE_BV is written */
    assert_int_equal(at(f, HEADER), 0);
    assert_int_equal(at(f, HEADER + 8), 0x8000000000000001);
    fixture_free(f);
}

static void test_xrstor_header(void **unused)
{
    static const struct {
        uint64_t xstate_bv, xcomp_bv, next, later;
        bool standard, supervisor; /* XRSTOR, XRSTORS accept it */
    } rows[] = {
        {3, 0, 0, 0, true, false},
        {3, 0, 0, 1, true, false}, /* bytes 63:24 are not looked at in the standard form */
        {3, 0, 1, 0, false, false},
        {3, 3, 0, 0, false, false},
        {4, 0, 0, 0, false, false},
        {3, 1ull << 63 | 3, 0, 0, true, true},
        {2, 1ull << 63 | 1, 0, 0, false, false}, /* not in XCOMP_BV */
        {1, 1ull << 63 | 5, 0, 0, false, false}, /* a component that is not enabled */
        {1, 1ull << 63 | 1, 1, 0, false, false},
        {1, 1ull << 63 | 1, 0, 1, false, false},
    };
    struct fixture *f = start("sapphirerapids", 3);

    (void)unused;
    phys_write64(&f->mem, AREA + 24, 0x1f80);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        phys_write64(&f->mem, HEADER, rows[i].xstate_bv);
        phys_write64(&f->mem, HEADER + 8, rows[i].xcomp_bv);
        phys_write64(&f->mem, HEADER + 16, rows[i].next);
        phys_write64(&f->mem, HEADER + 24, rows[i].later);
        if (rows[i].standard)
            expect_done(XRSTOR(f));
        else
            expect_fault(XRSTOR(f), VECTOR_GP);
        if (rows[i].supervisor)
            expect_done(XRSTORS(f));
        else
            expect_fault(XRSTORS(f), VECTOR_GP);
    }
    fixture_free(f);
}

static void test_xrstor_loads_and_initialises(void **unused)
{
    struct fixture *f = start("sapphirerapids", 0x203);
    struct fpu_state *fpu = &f->cpu.fpu_state;

    (void)unused;
    fpu->control = 0x27f;
    fpu->xmm[15][3] = 9;
    fpu->mxcsr = 0x1fa0;
    cpu_write_pkru(&f->cpu, 0xc);
    expect_done(XSAVE(f));
    memset(fpu->xmm, 0x11, sizeof(fpu->xmm));
    fpu->control = 0x37f;
    fpu->mxcsr = 0x1f80;
    cpu_write_pkru(&f->cpu, 0);
    expect_done(XRSTOR(f));
    assert_int_equal(fpu->control, 0x27f);
    assert_int_equal(fpu->xmm[15][3], 9);
    assert_int_equal(fpu->xmm[15][4], 0);
    assert_int_equal(fpu->mxcsr, 0x1fa0);
    assert_int_equal(f->cpu.state.pkru, 0xc);
    phys_write64(&f->mem, HEADER, 0); /* all to their initial configuration; the standard form loads MXCSR */
    expect_done(XRSTOR(f));
    assert_int_equal(fpu->control, 0x37f);
    assert_int_equal(fpu->xmm[15][3], 0);
    assert_int_equal(fpu->mxcsr, 0x1fa0);
    assert_int_equal(f->cpu.state.pkru, 0);
    phys_write64(&f->mem, HEADER + 8, 1ull << 63);
    expect_done(XRSTOR(f)); /* the compacted form initialises it */
    assert_int_equal(fpu->mxcsr, 0x1f80);
    phys_write64(&f->mem, HEADER + 8, 0);
    phys_write64(&f->mem, AREA + 24, 0x10000); /* a reserved bit of MXCSR */
    expect_fault(XRSTOR(f), VECTOR_GP);
    f->cpu.state.gpr[GPR_RAX] = 1;
    expect_done(XRSTOR(f)); /* not asked for */
    fixture_free(f);
}

/* Nothing is written, and nothing is loaded, when a page of the area is not there. */
static void test_page_fault_is_before_any_effect(void **unused)
{
    struct fixture *f = start("sapphirerapids", 0x203);

    (void)unused;
    f->cpu.state.gpr[GPR_RDI] = 0x200000 - 512; /* the header is beyond the mapped 2 MiB */
    memset(f->ram + FIXTURE_RAM - 512, 0xee, 512);
    for (unsigned i = 0; i < 2; i++) {
        struct cpu_outcome outcome = i ? XSAVEC(f) : XRSTOR(f);
        assert_int_equal(outcome.kind, OUTCOME_EVENT);
        assert_int_equal(outcome.event.vector, VECTOR_PF);
        assert_int_equal(outcome.event.cr2, 0x200000);
    }
    fixture_free(f);
}

static void test_xcr0(void **unused)
{
    static const struct {
        uint32_t index;
        uint64_t value;
        bool allowed;
    } rows[] = {{0, 1, true},    {0, 3, true},    {0, 0x203, true}, {0, 0x201, true},
                {0, 0, false},   {0, 2, false},   {0, 7, false},    {0, 1ull << 63 | 1, false},
                {1, 1, false},   {0, 0x1b, true}, {0, 0x19, true},  {0, 0x0b, false},
                {0, 0x13, false}}; /* MPX: both or none */
    struct fixture *f = start("sapphirerapids", 1);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        s->gpr[GPR_RCX] = rows[i].index;
        s->gpr[GPR_RAX] = (uint32_t)rows[i].value;
        s->gpr[GPR_RDX] = rows[i].value >> 32;
        if (rows[i].allowed)
            expect_done(EXECUTE(f, 0x0f, 0x01, 0xd1));
        else
            expect_fault(EXECUTE(f, 0x0f, 0x01, 0xd1), VECTOR_GP);
    }
    s->xcr0 = 0x203;
    cpu_write_pkru(&f->cpu, 1);
    s->gpr[GPR_RCX] = 1;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xd0)); /* XGETBV: XCR0 and XINUSE */
    assert_int_equal(s->gpr[GPR_RAX], 0x200);
    fixture_free(f);
}

static void test_cpuid(void **unused)
{
    struct fixture *f = start("sapphirerapids", 3);
    uint32_t out[4];

    (void)unused;
    cpu_cpuid(&f->cpu, 0xd, 0, out);
    assert_int_equal(out[0], 0x21b);
    assert_int_equal(out[1], 576);  /* for XCR0 as it is */
    assert_int_equal(out[2], 2696); /* for all that may be enabled */
    f->cpu.state.xcr0 = 0x203;
    cpu_cpuid(&f->cpu, 0xd, 0, out);
    assert_int_equal(out[1], 2696);
    cpu_cpuid(&f->cpu, 0xd, 1, out);
    assert_int_equal(out[0], 0xf);
    assert_int_equal(out[1], 584);
    cpu_cpuid(&f->cpu, 0xd, 9, out);
    assert_int_equal(out[0], 8);
    assert_int_equal(out[1], 2688);
    assert_int_equal(out[2], 0);
    for (uint32_t component = 3; component <= 4; component++) { /* BNDREGS, BNDCSR */
        cpu_cpuid(&f->cpu, 0xd, component, out);
        assert_int_equal(out[0], 64);
        assert_int_equal(out[1], component == 3 ? 960 : 1024);
        assert_int_equal(out[2] | out[3], 0);
    }
    f->cpu.state.xcr0 = 0x1b;
    cpu_cpuid(&f->cpu, 0xd, 0, out);
    assert_int_equal(out[1], 1088);
    f->cpu.state.xcr0 = 0x21b;
    cpu_cpuid(&f->cpu, 0xd, 1, out);
    assert_int_equal(out[1], 576 + 64 + 64 + 8);
    cpu_cpuid(&f->cpu, 0xd, 2, out); /* AVX is not offered */
    assert_int_equal(out[0] | out[1] | out[2] | out[3], 0);
    fixture_free(f);
    f = start("sapphirerapids,-mpx", 3);
    cpu_cpuid(&f->cpu, 0xd, 0, out);
    assert_int_equal(out[0], 0x203);
    cpu_cpuid(&f->cpu, 0xd, 3, out);
    assert_int_equal(out[0] | out[1], 0);
    fixture_free(f);
}

/* SDM volume 3C, "Changes to Instruction Behavior in VMX Non-Root Operation": XRSTORS, XSAVES. */
static void test_in_a_guest(void **unused)
{
    struct fixture *f = start("sapphirerapids", 3);
    struct vmcs *v = &f->cpu.vmx.vmcs;

    (void)unused;
    f->cpu.vmx.on = f->cpu.vmx.non_root = true;
    v->primary_proc_based_controls = PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    expect_fault(XSAVES(f), VECTOR_UD);
    expect_fault(XRSTORS(f), VECTOR_UD);
    expect_done(XSAVEC(f));
    v->secondary_proc_based_controls = SECONDARY_ENABLE_XSAVES_XRSTORS;
    v->xss_exiting_bitmap = UINT64_MAX;
    expect_done(XSAVES(f)); /* IA32_XSS is 0: nothing to exit for */
    f->cpu.state.msr.xss = 1u << 11;
    struct cpu_outcome outcome = XSAVES(f);
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.reason, 63);
    assert_int_equal(XRSTORS(f).exit.reason, 64);
    f->cpu.state.gpr[GPR_RAX] = 3; /* not asked for */
    expect_done(XSAVES(f));
    fixture_free(f);
}

/* SDM volume 1, "CET State": components 11 and 12, by IA32_XSS; loaded as WRMSR would. */
static void test_cet_components(void **unused)
{
    struct fixture *f = start("sapphirerapids", 3);
    struct cpu_msrs *msr = &f->cpu.state.msr;

    (void)unused;
    assert_true(cpu_write_msr(&f->cpu, 0xda0, 0x1800));
    assert_false(cpu_write_msr(&f->cpu, 0xda0, 0x100));
    assert_true(cpu_write_msr(&f->cpu, 0x6a7, 0x7000));
    assert_true(cpu_write_msr(&f->cpu, 0x6a4, 0x4000));
    expect_done(XSAVES(f));
    assert_int_equal(at(f, HEADER), 0x1800);
    assert_int_equal(at(f, AREA + 576 + 8), 0x7000);
    assert_int_equal(at(f, AREA + 592), 0x4000);
    msr->pl_ssp[3] = msr->pl_ssp[0] = 0;
    expect_done(XRSTORS(f));
    assert_int_equal(msr->pl_ssp[3], 0x7000);
    assert_int_equal(msr->pl_ssp[0], 0x4000);
    phys_write64(&f->mem, AREA + 592, 0x4002); /* not a multiple of 4 */
    expect_fault(XRSTORS(f), VECTOR_GP);
    fixture_free(f);
}

/* What cannot be enforced ends the run where it is switched on. */
static void test_cet_stays_off(void **unused)
{
    struct fixture *f = start("sapphirerapids", 3);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    assert_false(cpu_write_msr(&f->cpu, 0x6a2, 4));      /* ENDBR_EN: no such feature */
    assert_false(cpu_write_msr(&f->cpu, 0x6a4, 1 << 1)); /* not aligned */
    assert_false(cpu_write_msr(&f->cpu, 0x6a8, 1ull << 60));
    expect_fault(cpu_write_cr4(&f->cpu, s->cr4 | CR4_CET), VECTOR_GP); /* CR0.WP is 0 */
    expect_done(cpu_write_cr0(&f->cpu, s->cr0 | CR0_WP));
    expect_done(cpu_write_cr4(&f->cpu, s->cr4 | CR4_CET));
    expect_fault(cpu_write_cr0(&f->cpu, s->cr0 & ~CR0_WP), VECTOR_GP);
    s->gpr[GPR_RCX] = 0x6a2;
    s->gpr[GPR_RDX] = 0;
    s->gpr[GPR_RAX] = 2;
    expect_done(EXECUTE(f, 0x0f, 0x30)); /* WR_SHSTK_EN alone enforces nothing */
    s->gpr[GPR_RAX] = 1;
    assert_int_equal(EXECUTE(f, 0x0f, 0x30).kind, OUTCOME_UNSUPPORTED);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_in_order),
        cmocka_unit_test(test_what_each_profile_has),
        cmocka_unit_test(test_xsave_standard),
        cmocka_unit_test(test_init_optimization),
        cmocka_unit_test(test_xrstor_header),
        cmocka_unit_test(test_xrstor_loads_and_initialises),
        cmocka_unit_test(test_page_fault_is_before_any_effect),
        cmocka_unit_test(test_xcr0),
        cmocka_unit_test(test_cpuid),
        cmocka_unit_test(test_in_a_guest),
        cmocka_unit_test(test_cet_components),
        cmocka_unit_test(test_cet_stays_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
