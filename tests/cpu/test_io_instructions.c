/*
 * test_io_instructions.c: permission, order and repetition of IN, OUT, INS, OUTS.
 *
 * SDM volume 1, "I/O Permission Bit Map"; volume 2, "IN", "INS", "OUTS", "REP".
 */
#include "tests/cpu/execute_fixture.h"

#define TSS 0x3000u
#define MAP 104u /* right behind a 32-bit TSS */

/* CPL 3, IOPL 0, and a 32-bit TSS whose map denies nothing yet; the limit ends with the map's closing byte
 * for 64 ports. */
static struct fixture *with_map(void)
{
    struct fixture *f = fixture_new("skylake");

    fixture_protected(f, 3);
    f->cpu.state.seg[SEG_TR] =
        (struct cpu_segment){.base = TSS, .limit = MAP + 8, .access_rights = AR_P | 0xb, .selector = 0x28};
    phys_write(&f->mem, TSS + 102, MAP, 2);
    phys_write(&f->mem, TSS + MAP + 8, 0xff, 1);
    return f;
}

static void test_permission_map(void **unused)
{
    struct fixture *f = with_map();
    uint64_t *rdx = &f->cpu.state.gpr[GPR_RDX];

    (void)unused;
    *rdx = 7;
    expect_done(EXECUTE(f, 0xec));
    assert_int_equal(f->last_port, 7);
    /* four ports from 6: 6 to 9, of which 9 is denied by the second byte */
    phys_write(&f->mem, TSS + MAP + 1, 1u << 1, 1);
    *rdx = 6;
    expect_fault(EXECUTE(f, 0xed), VECTOR_GP);
    expect_done(EXECUTE(f, 0x66, 0xed)); /* 6 and 7 */
    *rdx = 5;
    expect_done(EXECUTE(f, 0xed)); /* 5 to 8 */
    *rdx = 9;
    expect_fault(EXECUTE(f, 0xee), VECTOR_GP);
    assert_int_equal(f->port_writes, 0);
    fixture_free(f);
}

static void test_map_beyond_limit(void **unused)
{
    struct fixture *f = with_map();

    (void)unused;
    f->cpu.state.gpr[GPR_RDX] = 63; /* reads bytes 7 and 8 of the map: the last within the limit */
    expect_done(EXECUTE(f, 0xec));
    f->cpu.state.gpr[GPR_RDX] = 64; /* bytes 8 and 9 */
    expect_fault(EXECUTE(f, 0xec), VECTOR_GP);
    f->cpu.state.seg[SEG_TR].limit = 102; /* not even the map's base */
    f->cpu.state.gpr[GPR_RDX] = 0;
    expect_fault(EXECUTE(f, 0xec), VECTOR_GP);
    f->cpu.state.seg[SEG_TR].limit = 0xffff;
    f->cpu.state.seg[SEG_TR].access_rights = AR_P | 3; /* 16-bit TSS: no map */
    expect_fault(EXECUTE(f, 0xec), VECTOR_GP);
    fixture_free(f);
}

static void test_io_privilege_level(void **unused)
{
    struct fixture *f = with_map();

    (void)unused;
    f->cpu.state.seg[SEG_TR].limit = 0;
    f->cpu.state.rflags |= RFLAGS_IOPL; /* 3 */
    expect_done(EXECUTE(f, 0xec));
    /* virtual-8086 mode asks the map whatever IOPL is */
    f->cpu.state.rflags |= RFLAGS_VM;
    expect_fault(EXECUTE(f, 0xec), VECTOR_GP);
    fixture_free(f);
}

static void test_results(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint64_t *rax = &f->cpu.state.gpr[GPR_RAX];

    (void)unused;
    fixture_long(f, 0);
    *rax = UINT64_MAX;
    expect_done(EXECUTE(f, 0xe4, 0x60)); /* in al, 60H */
    assert_int_equal(*rax, 0xffffffffffffff44);
    assert_int_equal(f->last_port, 0x60);
    expect_done(EXECUTE(f, 0x66, 0xed));
    assert_int_equal(*rax, 0xffffffffffff3344);
    expect_done(EXECUTE(f, 0xed));
    assert_int_equal(*rax, 0x11223344);
    fixture_free(f);
}

static void test_repeated_ins(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint64_t *gpr = f->cpu.state.gpr;

    (void)unused;
    fixture_long(f, 0);
    gpr[GPR_RCX] = 2;
    gpr[GPR_RDI] = 0x4000;
    assert_int_equal(EXECUTE(f, 0xf3, 0x6d).kind, OUTCOME_JUMPED); /* one iteration is left */
    assert_int_equal(gpr[GPR_RCX], 1);
    assert_int_equal(f->cpu.state.rip, 0x1000);
    expect_done(EXECUTE(f, 0xf3, 0x6d));
    assert_int_equal(gpr[GPR_RDI], 0x4008);
    assert_int_equal(phys_read64(&f->mem, 0x4000), 0x1122334411223344);
    /* nothing left: no port is read, whatever the privilege */
    expect_done(EXECUTE(f, 0xf3, 0x6d));
    assert_int_equal(f->port_reads, 2);
    /* backwards */
    f->cpu.state.rflags |= RFLAGS_DF;
    expect_done(EXECUTE(f, 0x6c));
    assert_int_equal(gpr[GPR_RDI], 0x4007);
    fixture_free(f);
}

/* A destination that faults leaves the device alone. */
static void test_ins_faults_before_the_port(void **unused)
{
    struct fixture *f = fixture_new("skylake");

    (void)unused;
    fixture_protected(f, 0);
    f->cpu.state.seg[SEG_ES].limit = 0xfff;
    f->cpu.state.gpr[GPR_RDI] = 0xffd;
    expect_fault(EXECUTE(f, 0x6d), VECTOR_GP);
    assert_int_equal(f->port_reads, 0);
    fixture_free(f);
}

static void test_outs(void **unused)
{
    struct fixture *f = fixture_new("skylake");

    (void)unused;
    fixture_protected(f, 0);
    phys_write(&f->mem, 0x5000, 0xabcd, 2);
    f->cpu.state.gpr[GPR_RSI] = 0x5000;
    f->cpu.state.gpr[GPR_RDX] = 0x3f8;
    expect_done(EXECUTE(f, 0x66, 0x6f));
    assert_int_equal(f->last_value, 0xabcd);
    assert_int_equal(f->last_port, 0x3f8);
    assert_int_equal(f->cpu.state.gpr[GPR_RSI], 0x5002);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permission_map),
        cmocka_unit_test(test_map_beyond_limit),
        cmocka_unit_test(test_io_privilege_level),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_repeated_ins),
        cmocka_unit_test(test_ins_faults_before_the_port),
        cmocka_unit_test(test_outs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
