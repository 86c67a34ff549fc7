/* test_x2apic.c: SDM volume 3A, "Extended XAPIC (x2APIC)". */
#include "platform_fixture.h"

#define BASE 0xfee00100ull
#define EN 0x800ull
#define EXTD 0x400ull

static void start(struct fixture *f)
{
    fixture_init(f);
    apic_write(f, 0xf0, 0x1ff);
    apic_write(f, 0x350, 0x10000);
    assert_true(wrmsr(f, 0x1b, BASE | EN | EXTD));
}

/* "x2APIC State Transitions": the whole table. */
static void test_transitions(void **state)
{
    (void)state;
    static const struct {
        uint64_t from, to;
        bool allowed;
    } cases[] = {
        {0, 0, true},         {0, EXTD, false},         {0, EN, true},          {0, EN | EXTD, false},
        {EN, 0, true},        {EN, EXTD, false},        {EN, EN, true},         {EN, EN | EXTD, true},
        {EN | EXTD, 0, true}, {EN | EXTD, EXTD, false}, {EN | EXTD, EN, false}, {EN | EXTD, EN | EXTD, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        uint64_t value;
        fixture_init(&f);
        assert_true(wrmsr(&f, 0x1b, BASE | cases[i].from));
        assert_int_equal(wrmsr(&f, 0x1b, BASE | cases[i].to), cases[i].allowed);
        assert_true(rdmsr(&f, 0x1b, &value));
        assert_int_equal(value, BASE | (cases[i].allowed ? cases[i].to : cases[i].from));
    }
}

static void test_base_reserved_bits(void **state)
{
    (void)state;
    static const unsigned bits[] = {0, 7, 9, 39, 63}; /* MAXPHYADDR is 39 */
    struct fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        assert_false(wrmsr(&f, 0x1b, BASE | EN | 1ull << bits[i]));
    f.p.lapics[0].has_x2apic = false;
    assert_false(wrmsr(&f, 0x1b, BASE | EN | EXTD));
}

static void test_no_msrs_outside_of_the_mode(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t value;
    fixture_init(&f);
    assert_false(rdmsr(&f, 0x802, &value));
    assert_false(wrmsr(&f, 0x808, 0));
    assert_true(wrmsr(&f, 0x1b, BASE));
    assert_false(rdmsr(&f, 0x802, &value));
}

/* "x2APIC Register Address Space": readable and writable, for each of the 256 MSRs. */
static void test_access_of_each_msr(void **state)
{
    (void)state;
    static const uint8_t readable[] = {0x02, 0x03, 0x08, 0x0a, 0x0d, 0x0f, 0x28, 0x30, 0x32,
                                       0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3e};
    static const uint8_t writable[] = {0x08, 0x0b, 0x0f, 0x28, 0x32, 0x33,
                                       0x34, 0x35, 0x36, 0x37, 0x38, 0x3e};
    bool can_read[256] = {false}, can_write[256] = {false};
    for (size_t i = 0; i < sizeof readable; i++)
        can_read[readable[i]] = true;
    for (size_t i = 0; i < sizeof writable; i++)
        can_write[writable[i]] = true;
    for (unsigned i = 0x10; i < 0x28; i++)
        can_read[i] = true;
    can_write[0x30] = can_write[0x3f] = true;
    for (unsigned i = 0; i < 256; i++) {
        struct fixture f;
        uint64_t value;
        start(&f);
        assert_int_equal(rdmsr(&f, 0x800 + i, &value), can_read[i]);
        assert_int_equal(wrmsr(&f, 0x800 + i, 0), can_write[i]);
    }
}

/* "Reserved Bit Checking": the lowest reserved bits of each register. */
static void test_reserved_bits(void **state)
{
    (void)state;
    static const struct {
        uint32_t index;
        uint64_t value;
    } bad[] = {
        {0x808, 0x100},   {0x80b, 1},       {0x80f, 0x200},      {0x80f, 0x1000},   {0x828, 1},
        {0x830, 0x2000},  {0x830, 0x10000}, {0x830, 0x20000},    {0x830, 0x100000}, {0x832, 0x100},
        {0x832, 0x80000}, {0x833, 0x2000},  {0x835, 0x800},      {0x837, 0x100},    {0x838, 1ull << 32},
        {0x83e, 4},       {0x83f, 0x100},   {0x808, 1ull << 63},
    };
    struct fixture f;
    start(&f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(wrmsr(&f, bad[i].index, bad[i].value));
    assert_true(wrmsr(&f, 0x835, 0x1e7ff)); /* vector, mode, polarity, trigger, mask */
    f.p.lapics[0].has_tsc_deadline = false;
    assert_false(wrmsr(&f, 0x832, 0x40000));
}

static void test_registers(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t value;
    start(&f);
    assert_true(rdmsr(&f, 0x802, &value));
    assert_int_equal(value, 0);
    assert_true(rdmsr(&f, 0x80d, &value));
    assert_int_equal(value, 1); /* "Logical x2APIC ID": cluster 0, bit 0 */
    assert_true(rdmsr(&f, 0x80f, &value));
    assert_int_equal(value, 0x1ff);                    /* kept from xAPIC mode */
    assert_int_equal(apic_read(&f, 0x30), 0xffffffff); /* no MMIO in this mode */
    apic_write(&f, 0x80, 0x50);
    assert_true(rdmsr(&f, 0x808, &value));
    assert_int_equal(value, 0);
}

static void test_ipis(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t value;
    start(&f);
    assert_true(wrmsr(&f, 0x83f, 0x41));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x41);
    assert_true(wrmsr(&f, 0x80b, 0));
    assert_true(wrmsr(&f, 0x830, 0x0000000100004031ull)); /* to ID 1: nobody */
    assert_false(platform_interrupt_pending(&f.p));
    assert_true(wrmsr(&f, 0x830, 0x0000000000004031ull));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x31);
    assert_true(wrmsr(&f, 0x80b, 0));
    assert_true(wrmsr(&f, 0x830, 0x0000000100004832ull)); /* logical, cluster 0, bit 0 */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x32);
    assert_true(rdmsr(&f, 0x830, &value));
    assert_int_equal(value, 0x0000000100004832ull);
    assert_true(wrmsr(&f, 0x80b, 0));
    assert_true(wrmsr(&f, 0x830, 0xffffffff00004033ull)); /* broadcast */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x33);
}

static void test_disabling_resets(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t value;
    start(&f);
    assert_true(wrmsr(&f, 0x808, 0x20));
    assert_true(wrmsr(&f, 0x1b, BASE));
    assert_true(wrmsr(&f, 0x1b, BASE | EN));
    assert_true(wrmsr(&f, 0x1b, BASE | EN | EXTD));
    assert_true(rdmsr(&f, 0x808, &value));
    assert_int_equal(value, 0);
    assert_true(rdmsr(&f, 0x80f, &value));
    assert_int_equal(value, 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transitions),
        cmocka_unit_test(test_base_reserved_bits),
        cmocka_unit_test(test_no_msrs_outside_of_the_mode),
        cmocka_unit_test(test_access_of_each_msr),
        cmocka_unit_test(test_reserved_bits),
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_ipis),
        cmocka_unit_test(test_disabling_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
