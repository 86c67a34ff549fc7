/* test_hpet.c: IA-PC HPET Specification 1.0a. The fixture's second has 1193182000 cycles; here it has 10^9,
 * so that an HPET clock is 10 cycles. */
#include "platform_fixture.h"

#define CONFIG 0x10u
#define STATUS 0x20u
#define COUNTER 0xf0u
#define TIMER(n) (0x100u + 0x20u * (n))
#define COMPARATOR(n) (0x108u + 0x20u * (n))
#define LEVEL 2u
#define ENABLE 4u
#define PERIODIC 8u
#define VALUE_SET 0x40u
#define BITS_32 0x100u
#define ROUTE(pin) ((uint64_t)(pin) << 9)
#define CAPABILITIES 0x00ff000000000030ull

static uint64_t reg(struct fixture *f, unsigned offset)
{
    return platform_mmio_read(&f->p, HPET_BASE + offset, 8);
}

static void set(struct fixture *f, unsigned offset, uint64_t value)
{
    platform_mmio_write(&f->p, HPET_BASE + offset, value, 8);
}

static void io_write(struct fixture *f, uint8_t index, uint32_t value)
{
    platform_mmio_write(&f->p, IOAPIC_BASE, index, 4);
    platform_mmio_write(&f->p, IOAPIC_BASE + 0x10, value, 4);
}

static void open_hpet(struct fixture *f)
{
    fixture_init(f);
    f->p.config.cycles_per_second = 1000000000;
}

static bool requested(struct fixture *f, uint8_t vector)
{
    platform_sync(&f->p);
    return f->p.lapics[0].irr[vector >> 5] >> (vector & 31) & 1;
}

static void serve(struct fixture *f, uint8_t vector)
{
    assert_int_equal(platform_interrupt_acknowledge(&f->p), vector);
    apic_write(f, 0xb0, 0);
}

static void test_registers(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    assert_int_equal(reg(&f, 0),
                     0x009896808086a201ull); /* 10^7 fs, 3 comparators, 64 bits, legacy replacement */
    assert_int_equal(platform_mmio_read(&f.p, HPET_BASE + 4, 4), 10000000);
    assert_int_equal(reg(&f, TIMER(2)), CAPABILITIES);
    assert_true(reg(&f, COMPARATOR(0)) == UINT64_MAX);
    set(&f, TIMER(0), UINT64_MAX); /* route 31 is none of the capabilities' */
    assert_int_equal(reg(&f, TIMER(0)), CAPABILITIES | 0x14e);
    set(&f, TIMER(0), ROUTE(20));
    assert_int_equal(reg(&f, TIMER(0)), CAPABILITIES | ROUTE(20));
    set(&f, CONFIG, UINT64_MAX);
    assert_int_equal(reg(&f, CONFIG), 3);
    assert_int_equal(reg(&f, 0x160), 0); /* there is no fourth comparator */
}

static void test_main_counter(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    f.now = 5000;
    assert_int_equal(reg(&f, COUNTER), 0); /* halted */
    platform_mmio_write(&f.p, HPET_BASE + COUNTER, 0xfffffff0, 4);
    set(&f, CONFIG, 1);
    f.now += 10 * 0x20;
    assert_int_equal(reg(&f, COUNTER), 0x100000010ull);
    assert_int_equal(platform_mmio_read(&f.p, HPET_BASE + COUNTER + 4, 4), 1);
    set(&f, COUNTER, 7); /* running: not taken */
    assert_int_equal(reg(&f, COUNTER), 0x100000010ull);
    set(&f, CONFIG, 0);
    f.now += 1000;
    assert_int_equal(reg(&f, COUNTER), 0x100000010ull);
}

static void test_one_shot(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    io_write(&f, 0x10 + 2 * 20, 0x40);
    set(&f, TIMER(1), ENABLE | ROUTE(20));
    set(&f, COMPARATOR(1), 100);
    assert_true(platform_next_deadline(&f.p) == UINT64_MAX); /* halted */
    set(&f, CONFIG, 1);
    assert_int_equal(platform_next_deadline(&f.p), 1000);
    f.now = 999;
    assert_false(requested(&f, 0x40));
    f.now = 1000;
    assert_true(requested(&f, 0x40));
    assert_int_equal(reg(&f, STATUS), 0); /* edge-triggered */
    serve(&f, 0x40);
    f.now = 100000;
    assert_false(requested(&f, 0x40));
}

static void test_periodic(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    io_write(&f, 0x10 + 2 * 16, 0x41);
    set(&f, TIMER(2), ENABLE | PERIODIC | VALUE_SET | ROUTE(16));
    set(&f, COMPARATOR(2), 100);
    set(&f, COMPARATOR(2), 50); /* without VAL_SET: the period alone */
    assert_int_equal(reg(&f, COMPARATOR(2)), 100);
    set(&f, CONFIG, 1);
    f.now = 1000;
    assert_true(requested(&f, 0x41));
    assert_int_equal(reg(&f, COMPARATOR(2)), 150);
    serve(&f, 0x41);
    f.now = 2990; /* 150, 200 and 250 went by: one interrupt */
    assert_true(requested(&f, 0x41));
    serve(&f, 0x41);
    assert_int_equal(platform_next_deadline(&f.p), 3000);
}

static void test_level(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    io_write(&f, 0x10 + 2 * 21, 0x42 | 1u << 15);
    set(&f, TIMER(0), ENABLE | LEVEL | ROUTE(21));
    set(&f, COMPARATOR(0), 10);
    set(&f, CONFIG, 1);
    f.now = 100;
    assert_true(requested(&f, 0x42));
    assert_int_equal(reg(&f, STATUS), 1);
    serve(&f, 0x42);
    assert_true(requested(&f, 0x42)); /* status is set: the pin is high */
    set(&f, STATUS, 1);
    serve(&f, 0x42);
    assert_false(requested(&f, 0x42));
    assert_int_equal(f.p.ioapic.levels, 0);
}

/* A match sets the status of a level-triggered comparator though its interrupt is not enabled. */
static void test_disabled_comparator(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    set(&f, TIMER(0), LEVEL | ROUTE(21));
    set(&f, COMPARATOR(0), 10);
    set(&f, CONFIG, 1);
    assert_true(platform_next_deadline(&f.p) == UINT64_MAX);
    f.now = 100;
    assert_int_equal(reg(&f, STATUS), 1);
    assert_int_equal(f.p.ioapic.levels, 0);
}

static void test_32_bits(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    io_write(&f, 0x10 + 2 * 16, 0x43);
    set(&f, COUNTER, 0x1fffffff0ull);
    set(&f, TIMER(0), ENABLE | BITS_32 | ROUTE(16));
    set(&f, COMPARATOR(0), 0x500000010ull);
    assert_int_equal(reg(&f, COMPARATOR(0)), 0x10);
    set(&f, CONFIG, 1);
    assert_int_equal(platform_next_deadline(&f.p), 320);
    f.now = 320;
    assert_true(requested(&f, 0x43));
}

/* Comparator 0 takes line 0 and keeps the PIT from it; comparator 1 takes the RTC's. */
static void test_legacy_replacement(void **state)
{
    (void)state;
    struct fixture f;
    open_hpet(&f);
    program_pic(&f, 1);
    io_write(&f, 0x10 + 2 * 2, 0x44);
    out8(&f, 0x43, 0x34);
    out8(&f, 0x40, 2);
    out8(&f, 0x40, 0);
    set(&f, TIMER(0), ENABLE | ROUTE(16));
    set(&f, COMPARATOR(0), 1000);
    set(&f, TIMER(1), ENABLE);
    set(&f, COMPARATOR(1), 2000);
    set(&f, CONFIG, 3);
    assert_int_equal(platform_next_deadline(&f.p), 10000);
    f.now = 9999;
    assert_false(requested(&f, 0x44));
    f.now = 10000;
    assert_true(requested(&f, 0x44));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x20); /* the 8259 hears it too */
    out8(&f, 0x20, 0x20);
    serve(&f, 0x44);
    f.now = 20000;
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x28); /* line 8 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers), cmocka_unit_test(test_main_counter),
        cmocka_unit_test(test_one_shot),  cmocka_unit_test(test_periodic),
        cmocka_unit_test(test_level),     cmocka_unit_test(test_disabled_comparator),
        cmocka_unit_test(test_32_bits),   cmocka_unit_test(test_legacy_replacement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
