/* test_uart.c: PC16550D data sheet, register by register. */
#include "platform_fixture.h"

static void test_output_goes_to_the_host(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    for (const char *c = "ok\n"; *c; c++) {
        assert_int_equal(in8(&f, 0x3fd) & 0x20, 0x20); /* THRE: always ready */
        out8(&f, 0x3f8, (uint8_t)*c);
    }
    assert_string_equal(f.output, "ok\n");
}

/* DLAB: the divisor lies behind the data and interrupt-enable registers. */
static void test_divisor_latch(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x3fb, 0x83);
    out8(&f, 0x3f8, 0x12);
    out8(&f, 0x3f9, 0x34);
    assert_int_equal(in8(&f, 0x3f8), 0x12);
    assert_int_equal(in8(&f, 0x3f9), 0x34);
    out8(&f, 0x3fb, 0x03);
    assert_int_equal(in8(&f, 0x3f9), 0);
    assert_int_equal(in8(&f, 0x3f8), 0); /* nothing received */
    assert_int_equal(f.printed, 0);
    out8(&f, 0x3ff, 0x5a);
    assert_int_equal(in8(&f, 0x3ff), 0x5a);
}

static void test_fifo_shows_in_iir(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(in8(&f, 0x3fa), 0x01);
    out8(&f, 0x3fa, 0x01);
    assert_int_equal(in8(&f, 0x3fa), 0xc1);
}

/* Enabling it raises the transmitter-empty interrupt, reading the IIR clears it, the next byte raises it
 * again. */
static void test_thre_interrupt(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x01);
    out8(&f, 0x3fc, 0x08);
    out8(&f, 0x3f9, 0x02);
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x24); /* line 4 */
    out8(&f, 0x20, 0x20);
    assert_int_equal(in8(&f, 0x3fa), 0x02);
    assert_int_equal(in8(&f, 0x3fa), 0x01);
    assert_false(platform_interrupt_pending(&f.p));
    out8(&f, 0x3f8, 'x');
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x24);
    out8(&f, 0x20, 0x20);
    out8(&f, 0x3f8, 'y'); /* without a look at the IIR: still an edge */
    assert_true(platform_interrupt_pending(&f.p));
}

static void test_out2_gates_the_interrupt(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x01);
    out8(&f, 0x3f9, 0x02);
    assert_false(platform_interrupt_pending(&f.p));
}

static void test_loopback(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x3fc, 0x1a);                         /* loop, OUT2, RTS */
    assert_int_equal(in8(&f, 0x3fe) & 0xf0, 0x90); /* DCD = OUT2, CTS = RTS */
    out8(&f, 0x3f8, 0xa5);
    assert_int_equal(in8(&f, 0x3fd) & 0x01, 0x01);
    assert_int_equal(in8(&f, 0x3f8), 0xa5);
    assert_int_equal(in8(&f, 0x3fd) & 0x01, 0);
    out8(&f, 0x3f8, 1);
    out8(&f, 0x3f8, 2); /* no FIFO: overrun */
    assert_int_equal(in8(&f, 0x3fd) & 0x03, 0x03);
    assert_int_equal(in8(&f, 0x3f8), 2);
    assert_int_equal(f.printed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_goes_to_the_host),  cmocka_unit_test(test_divisor_latch),
        cmocka_unit_test(test_fifo_shows_in_iir),        cmocka_unit_test(test_thre_interrupt),
        cmocka_unit_test(test_out2_gates_the_interrupt), cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
