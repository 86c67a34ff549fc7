/* test_rtc.c: MC146818A data sheet. A second has 32768000 cycles: an RTC clock is 1000 cycles. */
#include "platform_fixture.h"

#define SECOND 32768000ull

static uint8_t cmos(struct fixture *f, uint8_t reg)
{
    out8(f, 0x70, reg);
    return in8(f, 0x71);
}

static void set(struct fixture *f, uint8_t reg, uint8_t value)
{
    out8(f, 0x70, reg);
    out8(f, 0x71, value);
}

static void open_rtc(struct fixture *f)
{
    fixture_init(f);
    f->p.config.cycles_per_second = SECOND;
}

/* Century, year, month, day, day of week, hours, minutes, seconds. */
static void assert_date(struct fixture *f, uint64_t date, uint32_t time)
{
    static const uint8_t date_registers[] = {RTC_CENTURY, RTC_YEAR, RTC_MONTH, RTC_DAY, RTC_DAY_OF_WEEK};
    static const uint8_t time_registers[] = {RTC_HOURS, RTC_MINUTES, RTC_SECONDS};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(cmos(f, date_registers[i]), date >> (8 * (4 - i)) & 0xff);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(cmos(f, time_registers[i]), time >> (8 * (2 - i)) & 0xff);
}

static void test_fixed_date_runs_in_simulated_time(void **state)
{
    (void)state;
    struct fixture f;
    open_rtc(&f);
    assert_date(&f, 0x2020010104ull, 0x000000);
    f.now = 59 * SECOND;
    assert_date(&f, 0x2020010104ull, 0x000059);
    f.now = 86399 * SECOND;
    assert_date(&f, 0x2020010104ull, 0x235959);
    f.now = 60 * 86400 * SECOND; /* 2020 is a leap year: 60 days on is 1 March, a Sunday */
    assert_date(&f, 0x2020030101ull, 0x000000);
    f.now = 366 * 86400 * SECOND + 3661 * SECOND; /* 1 January 2021, a Friday */
    assert_date(&f, 0x2021010106ull, 0x010101);
}

static void test_formats(void **state)
{
    (void)state;
    struct fixture f;
    open_rtc(&f);
    set(&f, RTC_B, 0x80); /* SET, BCD, 12 hours */
    set(&f, RTC_HOURS, 0x11);
    set(&f, RTC_MINUTES, 0x59);
    set(&f, RTC_SECONDS, 0x59);
    f.now = SECOND;
    assert_int_equal(cmos(&f, RTC_SECONDS), 0x59); /* held */
    set(&f, RTC_B, 0);
    f.now = 2 * SECOND;
    assert_int_equal(cmos(&f, RTC_HOURS), 0x92); /* 12 in the afternoon */
    f.now += 12 * 3600 * SECOND;
    assert_int_equal(cmos(&f, RTC_HOURS), 0x12);
    assert_int_equal(cmos(&f, RTC_DAY), 2);
    set(&f, RTC_B, 0x06); /* binary, 24 hours */
    set(&f, RTC_HOURS, 9);
    f.now += 3600 * SECOND;
    assert_int_equal(cmos(&f, RTC_HOURS), 10);
}

static void test_registers(void **state)
{
    (void)state;
    struct fixture f;
    open_rtc(&f);
    assert_int_equal(cmos(&f, RTC_A), 0x26);
    assert_int_equal(cmos(&f, RTC_B), 0x02);
    assert_int_equal(cmos(&f, RTC_D), 0x80);
    set(&f, RTC_D, 0);
    assert_int_equal(cmos(&f, RTC_D), 0x80);
    set(&f, RTC_A, 0xa6);
    assert_int_equal(cmos(&f, RTC_A), 0x26);
    assert_int_equal(in8(&f, 0x70), 0xff);
    f.now = SECOND - 8001; /* 244 microseconds are 8 RTC clocks */
    assert_int_equal(cmos(&f, RTC_A), 0x26);
    f.now++;
    assert_int_equal(cmos(&f, RTC_A), 0xa6);
    f.now = SECOND;
    assert_int_equal(cmos(&f, RTC_A), 0x26);
    set(&f, RTC_A, 0x66); /* the divider chain is held in reset */
    f.now = 5 * SECOND;
    assert_int_equal(cmos(&f, RTC_SECONDS), 1);
    set(&f, RTC_A, 0x26);
    f.now += SECOND / 2 - 1;
    assert_int_equal(cmos(&f, RTC_SECONDS), 1);
    f.now++;
    assert_int_equal(cmos(&f, RTC_SECONDS), 2);
}

static void test_memory_size(void **state)
{
    (void)state;
    struct fixture f;
    open_rtc(&f); /* 512 MiB */
    assert_int_equal(cmos(&f, 0x15) | cmos(&f, 0x16) << 8, 640);
    assert_int_equal(cmos(&f, 0x17) | cmos(&f, 0x18) << 8, 0xffff);
    assert_int_equal(cmos(&f, 0x30) | cmos(&f, 0x31) << 8, 0xffff);
    assert_int_equal(cmos(&f, 0x34) | cmos(&f, 0x35) << 8, 496 * 16);
    assert_int_equal(cmos(&f, 0x5b), 0);
    assert_int_equal(cmos(&f, 0x5f), 0);
    unsigned sum = 0;
    for (uint8_t i = 0x10; i < 0x2e; i++)
        sum += cmos(&f, i);
    assert_int_equal(cmos(&f, 0x2e) << 8 | cmos(&f, 0x2f), sum);
    set(&f, 0x7f, 0x5a);
    assert_int_equal(cmos(&f, 0xff), 0x5a); /* bit 7 is no part of the index */
    rtc_reset(&f.p.rtc, 3ull << 30, 5ull << 30, 1);
    assert_int_equal(cmos(&f, 0x5b) | cmos(&f, 0x5c) << 8 | cmos(&f, 0x5d) << 16, 5 << 14);
}

static void test_periodic_interrupt(void **state)
{
    (void)state;
    struct fixture f;
    open_rtc(&f);
    program_pic(&f, 1);
    set(&f, RTC_B, 0x42); /* rate 6: 1024 Hz, 32 RTC clocks */
    assert_int_equal(platform_next_deadline(&f.p), 32000);
    f.now = 31999;
    assert_false(platform_interrupt_pending(&f.p));
    f.now = 32000;
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x28);
    out8(&f, 0xa0, 0x20);
    out8(&f, 0x20, 0x20);
    assert_true(platform_next_deadline(&f.p) == UINT64_MAX); /* waits for register C */
    f.now = 80000;
    assert_int_equal(cmos(&f, RTC_C), 0xc0);
    assert_int_equal(cmos(&f, RTC_C), 0);
    assert_int_equal(platform_next_deadline(&f.p), 96000);
    f.now = 96000;
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x28);
}

static void test_alarm_and_update_interrupts(void **state)
{
    (void)state;
    struct fixture f;
    open_rtc(&f);
    program_pic(&f, 1);
    set(&f, RTC_HOURS_ALARM, 0xc0); /* any hour */
    set(&f, RTC_MINUTES_ALARM, 0x00);
    set(&f, RTC_SECONDS_ALARM, 0x02);
    set(&f, RTC_A, 0x20); /* no periodic flag */
    set(&f, RTC_B, 0x22);
    assert_int_equal(platform_next_deadline(&f.p), SECOND);
    f.now = SECOND;
    assert_false(platform_interrupt_pending(&f.p));
    f.now = 2 * SECOND;
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(cmos(&f, RTC_C), 0xb0); /* request, alarm, update */
    set(&f, RTC_B, 0x12);
    f.now = 3 * SECOND;
    assert_int_equal(cmos(&f, RTC_C), 0x90);
    f.now = 7300 * SECOND; /* 02:00:02 lies in between */
    assert_int_equal(cmos(&f, RTC_C), 0xb0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_date_runs_in_simulated_time),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_memory_size),
        cmocka_unit_test(test_periodic_interrupt),
        cmocka_unit_test(test_alarm_and_update_interrupts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
