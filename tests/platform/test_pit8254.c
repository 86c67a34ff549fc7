/* test_pit8254.c: 8254 data sheet. In the fixture a PIT clock takes 1000 cycles. */
#include "platform_fixture.h"

static void program(struct fixture *f, unsigned channel, unsigned mode, uint16_t count)
{
    out8(f, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    out8(f, (uint16_t)(0x40 + channel), (uint8_t)count);
    out8(f, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static unsigned latched(struct fixture *f, unsigned channel)
{
    out8(f, 0x43, (uint8_t)(channel << 6));
    unsigned low = in8(f, (uint16_t)(0x40 + channel));
    return low | (unsigned)in8(f, (uint16_t)(0x40 + channel)) << 8;
}

/* "Mode 0: Interrupt on Terminal Count". */
static void test_one_shot_interrupt(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x01);
    f.now = 5000;
    program(&f, 0, 0, 1000);
    assert_int_equal(platform_next_deadline(&f.p), 1005000);
    f.now = 405000;
    assert_int_equal(latched(&f, 0), 600);
    f.now = 1004999;
    assert_false(platform_interrupt_pending(&f.p));
    f.now = 1005000;
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x20);
    out8(&f, 0x20, 0x20);
    assert_int_equal(platform_next_deadline(&f.p), UINT64_MAX);
    f.now = 200000000;
    assert_false(platform_interrupt_pending(&f.p));
}

/* "Mode 2: Rate Generator". Periods that nobody looked at give one interrupt. */
static void test_rate_generator(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x01);
    program(&f, 0, 2, 100);
    f.now = 99000;
    assert_false(platform_interrupt_pending(&f.p));
    assert_int_equal(latched(&f, 0), 1);
    f.now = 100000;
    assert_true(platform_interrupt_pending(&f.p));
    platform_interrupt_acknowledge(&f.p);
    out8(&f, 0x20, 0x20);
    assert_int_equal(platform_next_deadline(&f.p), 200000);
    f.now = 550000;
    assert_true(platform_interrupt_pending(&f.p));
    platform_interrupt_acknowledge(&f.p);
    out8(&f, 0x20, 0x20);
    assert_false(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_next_deadline(&f.p), 600000);
}

/* A new count in mode 2 waits for the end of the period. */
static void test_new_count_waits(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x01);
    program(&f, 0, 2, 100);
    f.now = 30000;
    out8(&f, 0x40, 50);
    out8(&f, 0x40, 0);
    assert_int_equal(latched(&f, 0), 70);
    assert_int_equal(platform_next_deadline(&f.p), 100000);
    f.now = 110000;
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(latched(&f, 0), 40);
    assert_int_equal(platform_next_deadline(&f.p), 150000);
}

/* "Mode 3: Square Wave Mode": counts by two; OUT is high in the first half (read-back status, bit 7). */
static void test_square_wave(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program(&f, 0, 3, 100);
    f.now = 10000;
    assert_int_equal(latched(&f, 0), 80);
    out8(&f, 0x43, 0xe2); /* status of channel 0 */
    assert_int_equal(in8(&f, 0x40), 0x80 | 0x30 | 0x06);
    f.now = 60000;
    assert_int_equal(latched(&f, 0), 80);
    out8(&f, 0x43, 0xe2);
    assert_int_equal(in8(&f, 0x40), 0x30 | 0x06);
}

/* "Counter Latch Command": the latched value stays until it is read. */
static void test_latch_holds(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program(&f, 0, 2, 1000);
    f.now = 10000;
    out8(&f, 0x43, 0x00);
    f.now = 500000;
    out8(&f, 0x43, 0x00); /* ignored */
    assert_int_equal(in8(&f, 0x40), 990 & 0xff);
    assert_int_equal(in8(&f, 0x40), 990 >> 8);
    assert_int_equal(in8(&f, 0x40), 500 & 0xff);
}

/* Channel 2, as software measures time with it: gate on, mode 0, wait for OUT at port 61H bit 5. */
static void test_channel_2_gate(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x61, 0x00);
    program(&f, 2, 0, 100);
    f.now = 1000000;
    assert_int_equal(in8(&f, 0x61) & 0x21, 0); /* the gate is low: it does not count */
    assert_int_equal(latched(&f, 2), 100);
    out8(&f, 0x61, 0x01);
    f.now = 1099000;
    assert_int_equal(in8(&f, 0x61) & 0x21, 0x01);
    assert_int_equal(latched(&f, 2), 1);
    f.now = 1100000;
    assert_int_equal(in8(&f, 0x61) & 0x21, 0x21);
    out8(&f, 0x61, 0x00);
    f.now = 2000000;
    out8(&f, 0x61, 0x01); /* mode 0 goes on where it stopped: OUT stays */
    assert_int_equal(in8(&f, 0x61) & 0x20, 0x20);
}

/* "Mode 1: Hardware Retriggerable One-Shot": the rising gate starts it. */
static void test_one_shot_by_gate(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program(&f, 2, 1, 10);
    f.now = 50000;
    assert_int_equal(in8(&f, 0x61) & 0x20, 0x20);
    out8(&f, 0x61, 0x01);
    assert_int_equal(in8(&f, 0x61) & 0x20, 0);
    f.now = 60000;
    assert_int_equal(in8(&f, 0x61) & 0x20, 0x20);
}

static void test_low_byte_access_and_zero(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x43, 0x14); /* channel 0, low byte, mode 2 */
    out8(&f, 0x40, 0);    /* 65536 */
    f.now = 1000;
    assert_int_equal(in8(&f, 0x40), 0xff);
    f.now = 65536000;
    program_pic(&f, 0x01);
    assert_int_equal(platform_next_deadline(&f.p), 131072000);
}

static void test_bcd_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x43, 0x35);
    assert_int_equal(f.p.stop, PLATFORM_UNSUPPORTED);
    assert_non_null(strstr(f.p.stop_text, "BCD"));
}

/* What --firmware pc starts: vector 8 each 65536 clocks, no other line open. */
static void test_bios_timer(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    platform_start_bios_timer(&f.p);
    for (unsigned line = 0; line < 16; line++)
        if (line != 2)
            assert_int_equal(platform_irq_masked(&f.p, line), line != 0);
    f.now = 65535 * 1000;
    platform_sync(&f.p);
    assert_false(platform_interrupt_pending(&f.p));
    for (unsigned tick = 1; tick <= 3; tick++) {
        f.now = 65536ull * 1000 * tick + 2000; /* the count is loaded one clock after it is written */
        platform_sync(&f.p);
        assert_true(platform_interrupt_pending(&f.p));
        assert_int_equal(platform_interrupt_acknowledge(&f.p), 8);
        out8(&f, 0x20, 0x20);
        assert_false(platform_interrupt_pending(&f.p));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_shot_interrupt), cmocka_unit_test(test_rate_generator),
        cmocka_unit_test(test_new_count_waits),    cmocka_unit_test(test_square_wave),
        cmocka_unit_test(test_latch_holds),        cmocka_unit_test(test_channel_2_gate),
        cmocka_unit_test(test_one_shot_by_gate),   cmocka_unit_test(test_low_byte_access_and_zero),
        cmocka_unit_test(test_bcd_is_refused),     cmocka_unit_test(test_bios_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
