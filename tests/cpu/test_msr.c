/* test_msr.c: which MSRs exist, and which values raise #GP. SDM volume 4 and volume 2, "RDMSR", "WRMSR". */
#include "sim/cpu/msr.h"
#include "tests/cpu/execute_fixture.h"

static void test_table_is_sorted(void **unused)
{
    const struct msr_row *row, *before = NULL;

    (void)unused;
    for (size_t i = 0; (row = msr_row_at(i)); before = row, i++) {
        assert_true(row->first <= row->last);
        if (before)
            assert_true(before->last < row->first);
    }
}

struct legality {
    uint32_t index;
    uint64_t value;
    bool legal;
};

static const struct legality writes[] = {
    {0x277, 0x0007040600070406, true},
    {0x277, 0x0002040600070406, false}, /* type 2 is reserved */
    {0x277, 0x0807040600070406, false},
    {0x174, UINT64_MAX, true},
    /* canonical by the processor's 57 bits, whatever the paging mode is */
    {0x175, 0x0100000000000000, false},
    {0x175, 0x00ffffffffffffff, true},
    {0x176, 0xff00000000000000, true},
    {0x176, 0xfe00000000000000, false},
    {0xc0000082, 0x0100000000000000, false},
    {0xc0000082, 0x0000800000000000, true},
    {0xc0000084, 0x100000000, false},
    {0xc0000100, 0x0100000000000000, false},
    {0xc0000101, 0x0100000000000000, false},
    {0xc0000101, 0x0000800000000000, true},
    {0xc0000102, 0x00007fffffffffff, true},
    {0xc0000103, 0x100000000, false},
    {0xc0000103, 0xffffffff, true},
    {0xc0000080, EFER_SCE | EFER_NXE | EFER_LME, true},
    {0xc0000080, 1 << 1, false},
    {0xc0000080, 1 << 12, false}, /* SVME is not Intel's */
    {0x2ff, 0xc06, true},
    {0x2ff, 0x1c06, false},
    {0x2ff, 0xc02, false},
    {0x200, 0x80000006, true},
    {0x200, 1ull << 39, false}, /* beyond MAXPHYADDR */
    {0x200, 0x100, false},
    {0x201, 0x7f80000800, true},
    {0x201, 0x1, false},
    {0x250, 0x0606060606060606, true},
    {0x250, 0x0706060606060606, false}, /* UC- is a type of the PAT alone */
    {0x1a0, 1, true},
    {0x1a0, 1 << 1, false},
    {0x3a, 2, false}, /* VMX inside SMX, without SMX */
    {0x1d9, 1, true},
    {0x1d9, 1 << 6, false}, /* TR */
    {0x179, 0, false},      /* read-only */
    {0xfe, 0x508, false},
    {0x480, 0, false},
    {0x491, 0, false}, /* no VM functions: does not exist */
    {0x345, 0, false},
    {0x1b, 0xfee00d00, true},
    {0x1b, 0xfee00900 | 1ull << 39, false},
    {0x1b, 0xfee00901, false},
    {0x17a, 7, true},
    {0x17a, 8, false},
    {0x12345678, 0, false},
};

static void test_written_values(void **unused)
{
    struct fixture *f = fixture_new("skylake");

    (void)unused;
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        if (cpu_write_msr(&f->cpu, writes[i].index, writes[i].value) != writes[i].legal)
            fail_msg("row %zu: MSR %x", i, writes[i].index);
    fixture_free(f);
}

static void test_existence_follows_profile(void **unused)
{
    struct fixture *f = fixture_new("nehalem");
    uint64_t value;

    (void)unused;
    assert_false(cpu_read_msr(&f->cpu, 0x3b, &value));  /* IA32_TSC_ADJUST */
    assert_false(cpu_read_msr(&f->cpu, 0x6e0, &value)); /* IA32_TSC_DEADLINE */
    assert_false(cpu_read_msr(&f->cpu, 0x802, &value));
    assert_false(cpu_write_msr(&f->cpu, 0x1b, 0xfee00d00)); /* x2APIC enable */
    assert_true(cpu_read_msr(&f->cpu, 0x480, &value));
    assert_int_equal(value, 0x00d810000000000e);
    fixture_free(f);
}

static void test_storage(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint64_t value;

    (void)unused;
    assert_true(cpu_write_msr(&f->cpu, 0x202, 0x40000006));
    assert_true(cpu_write_msr(&f->cpu, 0x26f, 0x0505050505050505));
    assert_true(cpu_read_msr(&f->cpu, 0x202, &value));
    assert_int_equal(value, 0x40000006);
    assert_true(cpu_write_msr(&f->cpu, 0x174, 0x1234567800000010));
    assert_true(cpu_read_msr(&f->cpu, 0x174, &value));
    assert_int_equal(value, 0x10);
    assert_true(cpu_write_msr(&f->cpu, 0xc0000101, 0x1234));
    assert_int_equal(f->cpu.state.seg[SEG_GS].base, 0x1234);
    fixture_free(f);
}

/* SDM volume 3A, "Initializing IA-32e Mode": LME is fixed while paging is on; LMA is read-only. */
static void test_efer(void **unused)
{
    struct fixture *f = fixture_new("skylake");

    (void)unused;
    fixture_long(f, 0);
    assert_false(cpu_write_msr(&f->cpu, MSR_EFER, 0));
    assert_true(cpu_write_msr(&f->cpu, MSR_EFER, EFER_LME | EFER_NXE));
    assert_int_equal(f->cpu.state.msr.efer, EFER_LME | EFER_LMA | EFER_NXE);
    /* "XD Bit Disable" */
    assert_true(cpu_write_msr(&f->cpu, MSR_MISC_ENABLE, MISC_ENABLE_XD_DISABLE));
    assert_false(cpu_write_msr(&f->cpu, MSR_EFER, EFER_LME | EFER_NXE));
    fixture_free(f);
}

/* SDM volume 4, IA32_MISC_ENABLE: which bits there are follows CPUID; three are read-only: 7 (performance
 * monitoring available), 11 and 12 (BTS and PEBS unavailable). */
static void test_misc_enable(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    const uint64_t all = 0x400c50809, read_only = 0x1880;
    uint64_t value;

    (void)unused;
    assert_true(cpu_read_msr(&f->cpu, 0x1a0, &value));
    assert_int_equal(value, 0x51889); /* fast strings, thermal control, SpeedStep, MONITOR */
    assert_true(cpu_write_msr(&f->cpu, 0x1a0, all));
    assert_true(cpu_read_msr(&f->cpu, 0x1a0, &value));
    assert_int_equal(value, all | read_only);
    assert_true(cpu_write_msr(&f->cpu, 0x1a0, 0));
    assert_true(cpu_read_msr(&f->cpu, 0x1a0, &value));
    assert_int_equal(value, read_only);
    for (unsigned bit = 0; bit < 64; bit++)
        assert_int_equal(cpu_write_msr(&f->cpu, 0x1a0, 1ull << bit), (all | read_only) >> bit & 1);
    fixture_free(f);
}

/* SDM volume 3B, "Enhanced Intel SpeedStep Technology": a request is kept, the state stays. */
static void test_performance_state(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint64_t before, value;

    (void)unused;
    assert_true(cpu_read_msr(&f->cpu, 0x198, &before));
    assert_int_equal(before, 0x1e00);
    assert_false(cpu_write_msr(&f->cpu, 0x198, before));
    assert_true(cpu_write_msr(&f->cpu, 0x199, 0x0800));
    assert_true(cpu_read_msr(&f->cpu, 0x199, &value));
    assert_int_equal(value, 0x0800);
    assert_true(cpu_read_msr(&f->cpu, 0x198, &value));
    assert_int_equal(value, before);
    assert_false(cpu_write_msr(&f->cpu, 0x199, 0x10000));
    fixture_free(f);
}

/* SDM volume 3C, "Enabling and Entering VMX Operation". */
static void test_feature_control_locks(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint64_t value;

    (void)unused;
    assert_true(cpu_read_msr(&f->cpu, MSR_FEATURE_CONTROL, &value));
    assert_int_equal(value, 0);
    assert_true(cpu_write_msr(&f->cpu, MSR_FEATURE_CONTROL, 4));
    assert_true(cpu_write_msr(&f->cpu, MSR_FEATURE_CONTROL, 5));
    assert_false(cpu_write_msr(&f->cpu, MSR_FEATURE_CONTROL, 5));
    fixture_free(f);
}

/* SDM volume 3B, "IA32_TSC_ADJUST MSR": both move together. */
static void test_time_stamp_counter(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint64_t value;

    (void)unused;
    f->cpu.account.now = 1000;
    assert_true(cpu_write_msr(&f->cpu, MSR_TSC, 5000));
    assert_int_equal(f->cpu.state.msr.tsc_adjust, 4000);
    assert_true(cpu_write_msr(&f->cpu, MSR_TSC_ADJUST, 100));
    f->cpu.account.now = 2000;
    assert_true(cpu_read_msr(&f->cpu, MSR_TSC, &value));
    assert_int_equal(value, 2100);
    fixture_free(f);
}

static void test_instructions(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint64_t *gpr = f->cpu.state.gpr;

    (void)unused;
    fixture_protected(f, 0);
    gpr[GPR_RCX] = 0x277;
    gpr[GPR_RAX] = gpr[GPR_RDX] = UINT64_MAX;
    expect_done(EXECUTE(f, 0x0f, 0x32));
    assert_int_equal(gpr[GPR_RAX], 0x00070406);
    assert_int_equal(gpr[GPR_RDX], 0x00070406);
    gpr[GPR_RCX] = 0x345;
    expect_fault(EXECUTE(f, 0x0f, 0x32), VECTOR_GP);
    /* BTF is kept; only a single step with it stops the run (test_settle) */
    gpr[GPR_RCX] = MSR_DEBUGCTL;
    gpr[GPR_RAX] = DEBUGCTL_BTF;
    gpr[GPR_RDX] = 0;
    expect_done(EXECUTE(f, 0x0f, 0x30));
    assert_int_equal(f->cpu.state.msr.debugctl, DEBUGCTL_BTF);
    fixture_protected(f, 3);
    gpr[GPR_RCX] = 0x277;
    expect_fault(EXECUTE(f, 0x0f, 0x32), VECTOR_GP);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sorted),
        cmocka_unit_test(test_written_values),
        cmocka_unit_test(test_existence_follows_profile),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_misc_enable),
        cmocka_unit_test(test_performance_state),
        cmocka_unit_test(test_efer),
        cmocka_unit_test(test_feature_control_locks),
        cmocka_unit_test(test_time_stamp_counter),
        cmocka_unit_test(test_instructions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
