/* test_pm_timer.c: ACPI specification, "Power Management Timer" and "PM1 Event Grouping". */
#include "platform_fixture.h"

#define HALF 0x800000ull /* timer clocks between two changes of bit 23 */

/* A second of 3579545000 cycles: a timer clock is 1000 cycles. */
static void open_timer(struct fixture *f)
{
    fixture_init(f);
    f->p.config.cycles_per_second = 3579545000u;
}

static void test_counts_24_bits(void **state)
{
    (void)state;
    struct fixture f;
    open_timer(&f);
    assert_int_equal(platform_port_in(&f.p, 0x608, 4), 0);
    f.now = 0x123456ull * 1000;
    assert_int_equal(platform_port_in(&f.p, 0x608, 4), 0x123456);
    assert_int_equal(platform_port_in(&f.p, 0x609, 1), 0x34);
    f.now = 0x1000005ull * 1000;
    platform_port_out(&f.p, 0x608, 0, 4);
    assert_int_equal(platform_port_in(&f.p, 0x608, 4), 5);
}

static void test_status(void **state)
{
    (void)state;
    struct fixture f;
    open_timer(&f);
    f.now = HALF * 1000 - 1;
    assert_int_equal(platform_port_in(&f.p, 0x600, 2), 0);
    f.now++;
    assert_int_equal(platform_port_in(&f.p, 0x600, 2), 1);
    platform_port_out(&f.p, 0x600, 0xffff, 2);
    assert_int_equal(platform_port_in(&f.p, 0x600, 2), 0);
    platform_port_out(&f.p, 0x602, 0xffff, 2);
    assert_int_equal(platform_port_in(&f.p, 0x602, 2), 0x0721);
}

static void test_interrupt(void **state)
{
    (void)state;
    struct fixture f;
    open_timer(&f);
    program_pic(&f, 1);
    assert_true(platform_next_deadline(&f.p) == UINT64_MAX);
    platform_port_out(&f.p, 0x602, 1, 2);
    assert_int_equal(platform_next_deadline(&f.p), HALF * 1000);
    f.now = HALF * 1000;
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x29); /* line 9 */
    assert_int_equal(f.p.ioapic.levels & 1u << 9, 1u << 9);
    platform_port_out(&f.p, 0x600, 1, 2);
    assert_int_equal(f.p.ioapic.levels & 1u << 9, 0);
    assert_int_equal(platform_next_deadline(&f.p), 2 * HALF * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_24_bits),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
