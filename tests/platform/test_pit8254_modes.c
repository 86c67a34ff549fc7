/* test_pit8254_modes.c: 8254 data sheet, "Mode Definitions", OUT and count clock by clock. A clock takes 1000
 * cycles. */
#include "platform_fixture.h"

static void program(struct fixture *f, unsigned channel, unsigned mode, uint16_t count)
{
    out8(f, 0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    out8(f, (uint16_t)(0x40 + channel), (uint8_t)count);
    out8(f, (uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

/* "Read-Back Command" of count and status at once: the status comes first. */
static unsigned read_back(struct fixture *f, unsigned channel, bool *out)
{
    uint16_t port = (uint16_t)(0x40 + channel);
    out8(f, 0x43, (uint8_t)(0xc0 | 2 << channel));
    *out = in8(f, port) & 0x80;
    unsigned low = in8(f, port);
    return low | (unsigned)in8(f, port) << 8;
}

struct clock {
    unsigned count;
    bool out;
};

static void expect_clocks(struct fixture *f, unsigned channel, const struct clock *clocks, size_t count)
{
    uint64_t begin = f->now;
    for (size_t i = 0; i < count; i++) {
        bool out;
        f->now = begin + i * 1000;
        unsigned value = read_back(f, channel, &out);
        if (value != clocks[i].count || out != clocks[i].out)
            fail_msg("clock %zu: count %u, OUT %d", i, value, out);
    }
}
#define EXPECT_CLOCKS(f, channel, ...)                                                                       \
    expect_clocks(f, channel, (const struct clock[]){__VA_ARGS__},                                           \
                  sizeof((const struct clock[]){__VA_ARGS__}) / sizeof(struct clock))

/* "Mode 2": OUT is low in the clock in which the count is 1. */
static void test_mode_2(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program(&f, 0, 2, 3);
    EXPECT_CLOCKS(&f, 0, {3, true}, {2, true}, {1, false}, {3, true}, {2, true}, {1, false}, {3, true});
}

/* "Mode 3": even counts are halved; an odd count starts one lower, and OUT is high for one clock more than
 * low. */
static void test_mode_3(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program(&f, 0, 3, 4);
    EXPECT_CLOCKS(&f, 0, {4, true}, {2, true}, {4, false}, {2, false}, {4, true}, {2, true}, {4, false});
    program(&f, 0, 3, 5);
    EXPECT_CLOCKS(&f, 0, {4, true}, {2, true}, {0, true}, {4, false}, {2, false}, {4, true}, {2, true},
                  {0, true}, {4, false});
}

/* "Mode 4: Software Triggered Strobe": low for one clock when the count runs out, and it counts on from
 * FFFFH. */
static void test_mode_4(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x01);
    program(&f, 0, 4, 2);
    EXPECT_CLOCKS(&f, 0, {2, true}, {1, true}, {0, false}, {0xffff, true}, {0xfffe, true});
    assert_true(platform_interrupt_pending(&f.p)); /* OUT rose at the end of the strobe */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x20);
}

/* "Mode 5: Hardware Triggered Strobe": the gate's rise starts it, and starts it again. */
static void test_mode_5(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x61, 0);
    program(&f, 2, 5, 3);
    EXPECT_CLOCKS(&f, 2, {3, true}, {3, true}, {3, true}, {3, true}, {3, true});
    out8(&f, 0x61, 1);
    EXPECT_CLOCKS(&f, 2, {3, true}, {2, true});
    out8(&f, 0x61, 0); /* the level of the gate does not matter */
    out8(&f, 0x61, 1);
    EXPECT_CLOCKS(&f, 2, {3, true}, {2, true}, {1, true}, {0, false}, {0xffff, true});
}

/* "Gate Input Operations Summary": in modes 2 and 3 a low gate holds the count and OUT high, its rise starts
 * over. */
static void test_gate_of_periodic_modes(void **state)
{
    (void)state;
    for (unsigned mode = 2; mode <= 3; mode++) {
        struct fixture f;
        bool out;
        fixture_init(&f);
        out8(&f, 0x61, 1);
        program(&f, 2, mode, 100);
        f.now += 70000;
        read_back(&f, 2, &out);
        out8(&f, 0x61, 0);
        f.now += 50000;
        read_back(&f, 2, &out);
        assert_true(out);
        out8(&f, 0x61, 1);
        assert_int_equal(read_back(&f, 2, &out), 100);
        f.now += 10000;
        assert_int_equal(read_back(&f, 2, &out), mode == 2 ? 90 : 80);
    }
}

/* "Read-Back Command", null count: set by a new control word or count, cleared when the count is in use. */
static void test_null_count(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x43, 0x34);
    out8(&f, 0x43, 0xe2);
    assert_int_equal(in8(&f, 0x40), 0x80 | 0x40 | 0x34); /* OUT high, null count, both bytes, mode 2 */
    out8(&f, 0x40, 10);
    out8(&f, 0x40, 0);
    out8(&f, 0x43, 0xe2);
    assert_int_equal(in8(&f, 0x40), 0x80 | 0x34);
    out8(&f, 0x40, 20); /* while counting: waits for the end of the period */
    out8(&f, 0x40, 0);
    out8(&f, 0x43, 0xe2);
    assert_int_equal(in8(&f, 0x40), 0x80 | 0x40 | 0x34);
    f.now += 10000;
    out8(&f, 0x43, 0xe2);
    assert_int_equal(in8(&f, 0x40), 0x80 | 0x34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mode_2),
        cmocka_unit_test(test_mode_3),
        cmocka_unit_test(test_mode_4),
        cmocka_unit_test(test_mode_5),
        cmocka_unit_test(test_gate_of_periodic_modes),
        cmocka_unit_test(test_null_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
