/*
 * test_control_registers.c: which values MOV to CR0, CR3, CR4, CR8 and the debug registers accepts, and what
 * follows.
 *
 * SDM volume 2, "MOV - Move to/from Control Registers", "... Debug Registers"; volume 3A, "Control
 * Registers".
 */
#include "tests/cpu/execute_fixture.h"

enum start { REAL, PROTECTED, LONG_MODE };

struct legality {
    enum start start;
    uint64_t set_cr4;    /* in CR4 beforehand */
    uint64_t efer;       /* or'ed in beforehand */
    uint64_t set, clear; /* bits of the register to write */
    bool legal;
};

static const struct legality cr0_rows[] = {
    {REAL, 0, 0, CR0_PE, 0, true},
    {REAL, 0, 0, CR0_PG, 0, false}, /* PG without PE */
    {REAL, 0, 0, CR0_PE | CR0_PG, 0, true},
    {REAL, 0, 0, CR0_NW, CR0_CD, false}, /* NW without CD */
    {REAL, 0, 0, 0, CR0_NW | CR0_CD, true},
    {REAL, 0, 0, 0, CR0_NW, true},
    {PROTECTED, 0, 0, 1ull << 32, 0, false},    /* bits 63:32 */
    {PROTECTED, 0, 0, 1ull << 28, 0, true},     /* reserved in the low half: ignored */
    {PROTECTED, 0, EFER_LME, CR0_PG, 0, false}, /* IA-32e mode without PAE */
    {PROTECTED, CR4_PAE, EFER_LME, CR0_PG, 0, true},
    {LONG_MODE, 0, 0, 0, CR0_PG, false}, /* from 64-bit mode */
    {LONG_MODE, 0, 0, CR0_WP, 0, true},
    {LONG_MODE, CR4_PCIDE, 0, CR0_TS, 0, true},
};

static const struct legality cr4_rows[] = {
    {PROTECTED, 0, 0, CR4_PAE | CR4_PSE | CR4_PGE | CR4_MCE | CR4_DE | CR4_TSD, 0, true},
    {PROTECTED, 0, 0, CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PCE | CR4_VMXE | CR4_FSGSBASE, 0, true},
    {PROTECTED, 0, 0, CR4_SMEP | CR4_SMAP, 0, true},
    {PROTECTED, 0, 0, CR4_VME, 0, true},
    {PROTECTED, 0, 0, CR4_PVI, 0, true},
    {PROTECTED, 0, 0, CR4_LA57, 0, true},
    {PROTECTED, CR4_LA57, 0, 0, CR4_LA57, true},
    {PROTECTED, 0, 0, CR4_SMXE, 0, false},
    {PROTECTED, 0, 0, CR4_OSXSAVE, 0, true},
    {PROTECTED, 0, 0, CR4_PKE, 0, false}, /* protection keys are not advertised */
    {PROTECTED, 0, 0, CR4_CET, 0, false}, /* nor is CET */
    {PROTECTED, 0, 0, CR4_UMIP, 0, false},
    {PROTECTED, 0, 0, 1ull << 15, 0, false},
    {PROTECTED, 0, 0, 1ull << 32, 0, false},
    {PROTECTED, 0, 0, CR4_PCIDE, 0, false}, /* outside of IA-32e mode */
    {LONG_MODE, 0, 0, CR4_PCIDE, 0, true},
    {LONG_MODE, 0, 0, 0, CR4_PAE, false},
    {LONG_MODE, 0, 0, CR4_LA57, 0, false}, /* cannot change in IA-32e mode */
    {LONG_MODE, CR4_LA57, 0, 0, CR4_LA57, false},
    {LONG_MODE, CR4_LA57, 0, CR4_TSD, 0, true},
};

static struct fixture *start_at(const struct legality *row)
{
    struct fixture *f = fixture_new("skylake");

    if (row->start == PROTECTED)
        fixture_protected(f, 0);
    else if (row->start == LONG_MODE)
        fixture_long(f, 0);
    f->cpu.state.cr4 |= row->set_cr4;
    f->cpu.state.msr.efer |= row->efer;
    vmx_update_regime(&f->cpu.vmx);
    return f;
}

static void check_matrix(const struct legality *rows, size_t count, unsigned cr)
{
    for (size_t i = 0; i < count; i++) {
        struct fixture *f = start_at(&rows[i]);
        struct cpu_state *s = &f->cpu.state;
        uint64_t old = cr ? s->cr4 : s->cr0;
        uint64_t value = (old | rows[i].set) & ~rows[i].clear;
        struct cpu_outcome outcome = cr ? cpu_write_cr4(&f->cpu, value) : cpu_write_cr0(&f->cpu, value);
        if ((outcome.kind == OUTCOME_DONE) != rows[i].legal)
            fail_msg("CR%u row %zu", cr, i);
        if (!rows[i].legal) {
            expect_fault(outcome, VECTOR_GP);
            assert_int_equal(cr ? s->cr4 : s->cr0, old);
        }
        fixture_free(f);
    }
}

static void test_cr0_legality(void **unused)
{
    (void)unused;
    check_matrix(cr0_rows, sizeof(cr0_rows) / sizeof(cr0_rows[0]), 0);
}

static void test_cr4_legality(void **unused)
{
    (void)unused;
    check_matrix(cr4_rows, sizeof(cr4_rows) / sizeof(cr4_rows[0]), 4);
}

/* SDM volume 3A, "Initializing IA-32e Mode". */
static void test_long_mode_activation(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 0);
    s->cr0 &= ~CR0_PG;
    s->msr.efer = EFER_LME;
    s->seg[SEG_CS].access_rights |= AR_L; /* CS.L must be 0 */
    expect_fault(cpu_write_cr0(&f->cpu, s->cr0 | CR0_PG), VECTOR_GP);
    s->seg[SEG_CS].access_rights = (s->seg[SEG_CS].access_rights & ~(uint32_t)AR_L) | AR_DB;
    s->seg[SEG_TR].access_rights = AR_P | 3; /* 16-bit TSS */
    expect_fault(cpu_write_cr0(&f->cpu, s->cr0 | CR0_PG), VECTOR_GP);
    s->seg[SEG_TR].access_rights = AR_P | 0xb;
    expect_done(cpu_write_cr0(&f->cpu, s->cr0 | CR0_PG));
    assert_true(s->msr.efer & EFER_LMA);
    /* leaving, from compatibility mode; with PCIDE it is #GP */
    s->cr4 |= CR4_PCIDE;
    expect_fault(cpu_write_cr0(&f->cpu, s->cr0 & ~CR0_PG), VECTOR_GP);
    s->cr4 &= ~CR4_PCIDE;
    expect_done(cpu_write_cr0(&f->cpu, s->cr0 & ~CR0_PG));
    assert_false(s->msr.efer & EFER_LMA);
    fixture_free(f);
}

static void test_cr3(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 0);
    expect_fault(cpu_write_cr3(&f->cpu, 1ull << 39), VECTOR_GP); /* MAXPHYADDR is 39 */
    expect_fault(cpu_write_cr3(&f->cpu, 1ull << 63 | 0x10000), VECTOR_GP);
    expect_done(cpu_write_cr4(&f->cpu, s->cr4 | CR4_PCIDE));
    expect_done(cpu_write_cr3(&f->cpu, 1ull << 63 | 0x10005));
    assert_int_equal(s->cr3, 0x10005);
    /* PCIDE can be set only with PCID 0 */
    expect_done(cpu_write_cr4(&f->cpu, s->cr4 & ~CR4_PCIDE));
    expect_fault(cpu_write_cr4(&f->cpu, s->cr4 | CR4_PCIDE), VECTOR_GP);
    fixture_free(f);
}

/* SDM volume 3A, "PDPTE Registers": loaded by MOV to CR0, CR3 and CR4; a reserved bit in a present one is
 * #GP. */
static void test_pdptes(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_protected(f, 0);
    s->cr4 = CR4_PAE;
    s->cr3 = 0x20020;
    phys_write64(&f->mem, 0x20020, 0x21001);
    phys_write64(&f->mem, 0x20028, 0x22003); /* bit 1 is reserved */
    expect_fault(cpu_write_cr0(&f->cpu, s->cr0 | CR0_PG), VECTOR_GP);
    assert_false(s->cr0 & CR0_PG);
    phys_write64(&f->mem, 0x20028, 0x22002); /* not present: nothing is reserved */
    expect_done(cpu_write_cr0(&f->cpu, s->cr0 | CR0_PG));
    assert_int_equal(s->pdpte[0], 0x21001);
    assert_int_equal(s->pdpte[1], 0x22002);
    phys_write64(&f->mem, 0x20040, 0x23001);
    expect_done(cpu_write_cr3(&f->cpu, 0x20040));
    assert_int_equal(s->pdpte[0], 0x23001);
    fixture_free(f);
}

static void test_mov_cr_instructions(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 0);
    s->gpr[GPR_RAX] = 0xffff800000000000;
    expect_done(EXECUTE(f, 0x0f, 0x22, 0xd0)); /* mov cr2, rax */
    assert_int_equal(s->cr2, 0xffff800000000000);
    expect_fault(EXECUTE(f, 0x0f, 0x22, 0xc8), VECTOR_UD);       /* CR1 */
    expect_fault(EXECUTE(f, 0x44, 0x0f, 0x22, 0xd8), VECTOR_UD); /* CR11 */
    s->gpr[GPR_RAX] = 16;
    expect_fault(EXECUTE(f, 0x44, 0x0f, 0x22, 0xc0), VECTOR_GP); /* mov cr8, rax */
    s->gpr[GPR_RAX] = 15;
    expect_done(EXECUTE(f, 0x44, 0x0f, 0x22, 0xc0));
    assert_int_equal(f->cr8, 15);
    /* LMSW sets PE, MP, EM, TS and cannot clear PE */
    s->gpr[GPR_RAX] = 8;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xf0));
    assert_int_equal(s->cr0 & 0xf, CR0_PE | CR0_TS);
    expect_done(EXECUTE(f, 0x0f, 0x06)); /* clts */
    assert_int_equal(s->cr0 & 0xf, CR0_PE);
    fixture_long(f, 3);
    expect_fault(EXECUTE(f, 0x0f, 0x20, 0xc0), VECTOR_GP);
    expect_fault(EXECUTE(f, 0x0f, 0x06), VECTOR_GP);
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xe0)); /* smsw eax: any privilege */
    assert_int_equal(s->gpr[GPR_RAX], (uint32_t)s->cr0);
    fixture_free(f);
}

static void test_debug_registers(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 0);
    s->gpr[GPR_RAX] = 0xffffffff;
    expect_done(EXECUTE(f, 0x0f, 0x23, 0xf0)); /* mov dr6, rax */
    assert_int_equal(s->dr6, 0xffffefff);
    s->gpr[GPR_RAX] = 1;
    expect_done(EXECUTE(f, 0x0f, 0x23, 0xe8)); /* DR5 is DR7 */
    assert_int_equal(s->dr7, 0x401);
    s->gpr[GPR_RAX] = 1ull << 32;
    expect_fault(EXECUTE(f, 0x0f, 0x23, 0xf8), VECTOR_GP);
    s->cr4 |= CR4_DE;
    expect_fault(EXECUTE(f, 0x0f, 0x21, 0xe8), VECTOR_UD);
    expect_fault(EXECUTE(f, 0x44, 0x0f, 0x21, 0xc0), VECTOR_UD); /* DR8 */
    s->dr7 |= 1u << 13;                                          /* GD */
    struct cpu_outcome outcome = EXECUTE(f, 0x0f, 0x21, 0xf8);
    assert_int_equal(outcome.event.vector, VECTOR_DB);
    assert_int_equal(outcome.event.debug_conditions, 1 << 13);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cr0_legality),
        cmocka_unit_test(test_cr4_legality),
        cmocka_unit_test(test_long_mode_activation),
        cmocka_unit_test(test_cr3),
        cmocka_unit_test(test_pdptes),
        cmocka_unit_test(test_mov_cr_instructions),
        cmocka_unit_test(test_debug_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
