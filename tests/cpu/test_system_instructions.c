/* test_system_instructions.c: faults and effects of the other system instructions. SDM volume 2, their pages;
 * volume 3A, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
#include "tests/cpu/execute_fixture.h"

static void test_power_on(void **unused)
{
    struct fixture *f = fixture_new("nehalem");
    const struct cpu_state *s = &f->cpu.state;

    (void)unused;
    assert_int_equal(s->seg[SEG_CS].base + s->rip, 0xfffffff0);
    assert_int_equal(s->cr0, 0x60000010);
    assert_int_equal(s->rflags, 2);
    assert_int_equal(s->gpr[GPR_RDX], 0x106a5);
    assert_int_equal(s->dr6, 0xffff0ff0);
    assert_int_equal(s->dr7, 0x400);
    assert_int_equal(s->seg[SEG_TR].access_rights, 0x8b);
    assert_int_equal(s->seg[SEG_LDTR].access_rights, 0x82);
    assert_int_equal(s->idtr.limit, 0xffff);
    fixture_free(f);
}

/* Instructions with the vector that they raise at CPL 3 in 64-bit mode. */
static void test_privilege(void **unused)
{
    static const struct {
        uint8_t bytes[5];
        uint8_t size, vector;
    } rows[] = {
        {{0xf4}, 1, VECTOR_GP},                         /* HLT */
        {{0x0f, 0x08}, 2, VECTOR_GP},                   /* INVD */
        {{0x0f, 0x09}, 2, VECTOR_GP},                   /* WBINVD */
        {{0x0f, 0x01, 0x38}, 3, VECTOR_GP},             /* INVLPG */
        {{0x66, 0x0f, 0x38, 0x82, 0x00}, 5, VECTOR_GP}, /* INVPCID */
        {{0x0f, 0x01, 0x10}, 3, VECTOR_GP},             /* LGDT */
        {{0x0f, 0x00, 0xd8}, 3, VECTOR_GP},             /* LTR */
        {{0x0f, 0x01, 0xf0}, 3, VECTOR_GP},             /* LMSW */
        {{0x0f, 0x01, 0xf8}, 3, VECTOR_GP},             /* SWAPGS */
        {{0x0f, 0x33}, 2, VECTOR_GP},                   /* RDPMC without CR4.PCE */
        {{0x0f, 0x01, 0xc8}, 3, VECTOR_UD},             /* MONITOR */
        {{0x0f, 0x01, 0xc9}, 3, VECTOR_UD},             /* MWAIT */
        {{0x0f, 0x01, 0xca}, 3, VECTOR_UD},             /* CLAC */
        {{0x0f, 0x01, 0xd1}, 3, VECTOR_UD},             /* XSETBV: no XSAVE */
        {{0x0f, 0xaa}, 2, VECTOR_UD},                   /* RSM outside of SMM */
        {{0x0f, 0x0b}, 2, VECTOR_UD},                   /* UD2 */
        {{0x0f, 0x37}, 2, VECTOR_UD},                   /* GETSEC with CR4.SMXE = 0 */
        {{0xf0, 0x0f, 0xa2}, 3, VECTOR_UD},             /* LOCK CPUID */
    };
    struct fixture *f = fixture_new("skylake");

    (void)unused;
    fixture_long(f, 3);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_fault(fixture_execute(f, rows[i].bytes, rows[i].size), rows[i].vector);
    fixture_free(f);
}

static void test_features_of_the_profile(void **unused)
{
    struct fixture *f = fixture_new("nehalem");

    (void)unused;
    fixture_long(f, 0);
    expect_fault(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x00), VECTOR_UD); /* INVPCID */
    expect_fault(EXECUTE(f, 0x0f, 0xc7, 0xf0), VECTOR_UD);             /* RDRAND */
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0xcb), VECTOR_UD);             /* STAC */
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xf9));                         /* RDTSCP */
    fixture_free(f);
}

static void test_time_stamp(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 3);
    f->cpu.account.now = 0x500000000;
    s->msr.tsc_aux = 7;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xf9));
    assert_int_equal(s->gpr[GPR_RDX], 5);
    assert_int_equal(s->gpr[GPR_RCX], 7);
    s->cr4 |= CR4_TSD;
    expect_fault(EXECUTE(f, 0x0f, 0x31), VECTOR_GP);
    fixture_free(f);
}

static void test_random_numbers_repeat(void **unused)
{
    struct fixture *f = fixture_new("skylake"), *g = fixture_new("skylake");

    (void)unused;
    fixture_long(f, 3);
    fixture_long(g, 3);
    f->cpu.state.rflags |= RFLAGS_ZF | RFLAGS_OF;
    f->cpu.state.gpr[GPR_RAX] = UINT64_MAX;
    expect_done(EXECUTE(f, 0x0f, 0xc7, 0xf0)); /* rdrand eax */
    expect_done(EXECUTE(g, 0x0f, 0xc7, 0xf8)); /* rdseed eax */
    assert_int_equal(f->cpu.state.gpr[GPR_RAX], g->cpu.state.gpr[GPR_RAX]);
    assert_int_equal(f->cpu.state.gpr[GPR_RAX] >> 32, 0);
    assert_int_equal(f->cpu.state.rflags & RFLAGS_ARITHMETIC, RFLAGS_CF);
    fixture_free(f);
    fixture_free(g);
}

static void test_invpcid(void **unused)
{
    static const struct {
        uint64_t type, low, linear;
        bool pcide, legal;
    } rows[] = {
        {0, 0, 0x1000, false, true},     {0, 1, 0x1000, false, false}, /* PCID with PCIDE clear */
        {0, 1, 0x1000, true, true},      {0, 0x1000, 0, true, false},  /* reserved bits of the descriptor */
        {0, 0, 1ull << 56, true, false},                               /* not canonical */
        {0, 0, 1ull << 47, true, true}, /* by the processor's 57 bits, though the paging mode has 48 */
        {1, 1, 1ull << 56, true, true},  {1, 1, 0, false, false},      {2, 1, 0, false, true},
        {3, 0, 0, false, true},          {4, 0, 0, true, false},
    };
    struct fixture *f = fixture_new("skylake");
    uint64_t *gpr = f->cpu.state.gpr;

    (void)unused;
    fixture_long(f, 0);
    gpr[GPR_RAX] = 0x6000;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gpr[GPR_RCX] = rows[i].type;
        phys_write64(&f->mem, 0x6000, rows[i].low);
        phys_write64(&f->mem, 0x6008, rows[i].linear);
        f->cpu.state.cr4 = CR4_PAE | (rows[i].pcide ? CR4_PCIDE : 0);
        struct cpu_outcome outcome = EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08); /* invpcid rcx, [rax] */
        if ((outcome.kind == OUTCOME_DONE) != rows[i].legal)
            fail_msg("row %zu", i);
    }
    fixture_free(f);
}

static void test_descriptor_tables(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 0);
    s->gpr[GPR_RAX] = 0x7000;
    phys_write(&f->mem, 0x7000, 0x27, 2);
    phys_write64(&f->mem, 0x7002, 0xffff800000002000);
    expect_done(EXECUTE(f, 0x0f, 0x01, 0x10)); /* lgdt [rax] */
    assert_int_equal(s->gdtr.limit, 0x27);
    assert_int_equal(s->gdtr.base, 0xffff800000002000);
    phys_write64(&f->mem, 0x7002, 1ull << 56);
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0x10), VECTOR_GP);
    assert_int_equal(s->gdtr.base, 0xffff800000002000);
    /* A base that is canonical by the processor's width alone loads; what is then read there is not
     * addressable. */
    phys_write64(&f->mem, 0x7002, 1ull << 47);
    expect_done(EXECUTE(f, 0x0f, 0x01, 0x10));
    s->gpr[GPR_RCX] = 8;
    expect_fault(EXECUTE(f, 0x0f, 0x00, 0xd9), VECTOR_GP); /* ltr cx */
    phys_write64(&f->mem, 0x7002, 0xffff800000002000);
    expect_done(EXECUTE(f, 0x0f, 0x01, 0x10));
    s->gpr[GPR_RAX] = 0x7100;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0x00)); /* sgdt [rax] */
    assert_int_equal(phys_read64(&f->mem, 0x7102), 0xffff800000002000);
    /* 16-bit operand size: 24 bits of base */
    fixture_protected(f, 0);
    s->gpr[GPR_RAX] = 0x7200;
    phys_write64(&f->mem, 0x7200, 0x123456780027);
    expect_done(EXECUTE(f, 0x66, 0x0f, 0x01, 0x10));
    assert_int_equal(s->gdtr.base, 0x345678);
    fixture_free(f);
}

static void expect_fault_code(struct cpu_outcome outcome, uint8_t vector, uint32_t code)
{
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, vector);
    assert_true(outcome.event.has_error_code);
    assert_int_equal(outcome.event.error_code, code);
}

/* GDT at 2000H: 8 an available 32-bit TSS at 123450H, 10H an LDT that is not present, 18H code. */
static void test_load_task_register(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_protected(f, 0);
    s->gdtr = (struct cpu_descriptor_table){.base = 0x2000, .limit = 0x1f};
    phys_write64(&f->mem, 0x2008, 0x0000891234500067);
    phys_write64(&f->mem, 0x2010, 0x0000021234500067);
    phys_write64(&f->mem, 0x2018, 0x00cf9b000000ffff);
    s->gpr[GPR_RAX] = 8;
    expect_done(EXECUTE(f, 0x0f, 0x00, 0xd8)); /* ltr ax */
    assert_int_equal(s->seg[SEG_TR].base, 0x123450);
    assert_int_equal(s->seg[SEG_TR].limit, 0x67);
    assert_int_equal(s->seg[SEG_TR].access_rights, 0x8b);
    assert_int_equal(phys_read64(&f->mem, 0x2008), 0x00008b1234500067); /* busy */
    expect_fault_code(EXECUTE(f, 0x0f, 0x00, 0xd8), VECTOR_GP, 8);
    expect_done(EXECUTE(f, 0x0f, 0x00, 0xc9)); /* str ecx */
    assert_int_equal(s->gpr[GPR_RCX], 8);
    s->gpr[GPR_RAX] = 0;
    expect_fault_code(EXECUTE(f, 0x0f, 0x00, 0xd8), VECTOR_GP, 0);
    expect_done(EXECUTE(f, 0x0f, 0x00, 0xd0)); /* lldt ax: null is allowed */
    assert_true(s->seg[SEG_LDTR].access_rights & AR_UNUSABLE);
    s->gpr[GPR_RAX] = 0x10;
    expect_fault_code(EXECUTE(f, 0x0f, 0x00, 0xd0), VECTOR_NP, 0x10);
    s->gpr[GPR_RAX] = 0x18;
    expect_fault_code(EXECUTE(f, 0x0f, 0x00, 0xd0), VECTOR_GP, 0x18);
    s->gpr[GPR_RAX] = 0x20; /* beyond the limit */
    expect_fault_code(EXECUTE(f, 0x0f, 0x00, 0xd0), VECTOR_GP, 0x20);
    s->gpr[GPR_RAX] = 0xc; /* in the LDT */
    expect_fault_code(EXECUTE(f, 0x0f, 0x00, 0xd0), VECTOR_GP, 0xc);
    /* real-address mode does not know them */
    s->cr0 &= ~CR0_PE;
    expect_fault(EXECUTE(f, 0x0f, 0x00, 0xd0), VECTOR_UD);
    fixture_free(f);
}

static void test_flags(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_protected(f, 3);
    s->gpr[GPR_RSP] = 0x8000;
    phys_write(&f->mem, 0x8000, 0xffffffff, 4);
    expect_done(EXECUTE(f, 0x9d)); /* popfd at CPL 3, IOPL 0: IF, IOPL, VM, VIF, VIP, RF do not change */
    assert_int_equal(s->rflags, 0x244dd7);
    assert_int_equal(s->gpr[GPR_RSP], 0x8004);
    s->rflags |= RFLAGS_RF;
    expect_done(EXECUTE(f, 0x9c)); /* pushfd: RF reads as 0 */
    assert_int_equal(phys_read(&f->mem, 0x8000, 4), 0x244dd7);
    fixture_protected(f, 0);
    expect_done(EXECUTE(f, 0x9d));
    s->gpr[GPR_RSP] = 0x8000;
    phys_write(&f->mem, 0x8000, 0x3202, 4);
    expect_done(EXECUTE(f, 0x9d));
    assert_int_equal(s->rflags, 0x3202);
    fixture_free(f);
}

static void test_software_interrupts(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_outcome outcome;

    (void)unused;
    fixture_protected(f, 3);
    outcome = EXECUTE(f, 0xcd, 0x80);
    assert_int_equal(outcome.event.type, EVENT_SOFTWARE_INTERRUPT);
    assert_int_equal(outcome.event.vector, 0x80);
    assert_int_equal(outcome.event.instruction_length, 2);
    outcome = EXECUTE(f, 0xcc);
    assert_int_equal(outcome.event.type, EVENT_SOFTWARE_EXCEPTION);
    assert_int_equal(outcome.event.vector, VECTOR_BP);
    expect_done(EXECUTE(f, 0xce)); /* OF is clear */
    f->cpu.state.rflags |= RFLAGS_OF;
    assert_int_equal(EXECUTE(f, 0xce).event.vector, VECTOR_OF);
    assert_int_equal(EXECUTE(f, 0xf1).event.type, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION);
    /* virtual-8086 mode with IOPL 0 */
    f->cpu.state.rflags |= RFLAGS_VM;
    expect_fault(EXECUTE(f, 0xcd, 0x80), VECTOR_GP);
    fixture_free(f);
}

static void test_halt_and_swapgs(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 0);
    s->msr.kernel_gs_base = 0x1111;
    s->seg[SEG_GS].base = 0x2222;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xf8));
    assert_int_equal(s->seg[SEG_GS].base, 0x1111);
    assert_int_equal(s->msr.kernel_gs_base, 0x2222);
    uint64_t before = f->cpu.account.now;
    expect_done(EXECUTE(f, 0xf4));
    assert_int_equal(s->activity_state, ACTIVITY_HLT);
    assert_int_equal(f->cpu.account.now - before, f->profile.cost.system_instruction.cycles);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_on),
        cmocka_unit_test(test_privilege),
        cmocka_unit_test(test_features_of_the_profile),
        cmocka_unit_test(test_time_stamp),
        cmocka_unit_test(test_random_numbers_repeat),
        cmocka_unit_test(test_invpcid),
        cmocka_unit_test(test_descriptor_tables),
        cmocka_unit_test(test_load_task_register),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_software_interrupts),
        cmocka_unit_test(test_halt_and_swapgs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
