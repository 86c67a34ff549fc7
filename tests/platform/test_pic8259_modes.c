/* test_pic8259_modes.c: 8259A data sheet, the less common modes; and the edge/level control registers of
 * chipsets. */
#include "platform_fixture.h"

static void pulse(struct fixture *f, unsigned line)
{
    platform_irq(&f->p, line, true);
    platform_irq(&f->p, line, false);
}

static void start(struct fixture *f, uint8_t icw4)
{
    fixture_init(f);
    program_pic(f, icw4);
}

static uint8_t in_service(struct fixture *f, uint16_t port)
{
    out8(f, port, 0x0b);
    return in8(f, port);
}

/* "Interrupt Sequence": a request of the slave that goes away: the slave answers with its line 7 and has
 * nothing in service, the master has the cascade line in service and wants its EOI. */
static void test_spurious_of_the_slave(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x01);
    pulse(&f, 11);
    struct pic8259 *pic = &f.p.pic;
    pic->chip[1].irr =
        0; /* the line drops between the two INTA pulses: the master has latched, the slave not */
    assert_int_equal(pic8259_acknowledge(pic), 0x2f);
    assert_int_equal(in_service(&f, 0xa0), 0);
    assert_int_equal(in_service(&f, 0x20), 0x04);
}

/* "Automatic Rotation": after a non-specific EOI with R the line served is the lowest. */
static void test_rotate_on_non_specific_eoi(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x01);
    pulse(&f, 3);
    pulse(&f, 6);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
    pulse(&f, 3);
    out8(&f, 0x20, 0xa0);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x26); /* 4, 5, 6 ... are above 3 now */
    out8(&f, 0x20, 0xa0);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
}

/* "Set Priority Command" (R = SL = 1, EOI = 0) needs no interrupt in service. */
static void test_set_priority(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x01);
    out8(&f, 0x20, 0xc4); /* line 4 lowest, 5 highest */
    pulse(&f, 1);
    pulse(&f, 5);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x25);
}

/* "Rotate in Automatic EOI Mode", set and cleared by OCW2. */
static void test_rotate_on_automatic_eoi(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x03);
    out8(&f, 0x20, 0x80);
    pulse(&f, 1);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x21);
    assert_int_equal(in_service(&f, 0x20), 0);
    pulse(&f, 1);
    pulse(&f, 6);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x26);
    out8(&f, 0x20, 0x00);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x21);
    pulse(&f, 1);
    pulse(&f, 7);
    assert_int_equal(platform_interrupt_acknowledge(&f.p),
                     0x27); /* 7 is above 1 since 6 was served last with R */
}

/* "The Special Fully Nested Mode": a second, more urgent request of the same slave comes through. */
static void test_special_fully_nested(void **state)
{
    (void)state;
    static const struct {
        uint8_t icw4;
        bool nests;
    } rows[] = {{0x01, false}, {0x11, true}};
    for (unsigned i = 0; i < 2; i++) {
        struct fixture f;
        start(&f, rows[i].icw4);
        pulse(&f, 12);
        assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x2c);
        pulse(&f, 9);
        assert_int_equal(platform_interrupt_pending(&f.p), rows[i].nests);
        pulse(&f, 3); /* below the cascade line: waits in both */
        if (rows[i].nests)
            assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x29);
        assert_false(platform_interrupt_pending(&f.p));
    }
}

/* One bit a line; lines 0, 1, 2, 8 and 13 are the board's own and stay edge-triggered; ICW1 keeps the choice.
 */
static void test_edge_level_control(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x01);
    assert_int_equal(in8(&f, 0x4d0), 0);
    platform_port_out(&f.p, 0x4d0, 0xffff, 2);
    assert_int_equal(in8(&f, 0x4d0), 0xf8);
    assert_int_equal(in8(&f, 0x4d1), 0xde);
    program_pic(&f, 0x01);
    assert_int_equal(platform_port_in(&f.p, 0x4d0, 2), 0xdef8);
    platform_irq(&f.p, 5, true);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x25);
    out8(&f, 0x20, 0x20);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x25); /* still high: it asks again */
    platform_irq(&f.p, 5, false);
    out8(&f, 0x20, 0x20);
    assert_false(platform_interrupt_pending(&f.p));
    pulse(&f, 5); /* a level that went away is no request */
    assert_false(platform_interrupt_pending(&f.p));
    pulse(&f, 1); /* an edge-triggered line beside it */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x21);
    out8(&f, 0x20, 0x20);
    /* changed while the line is high */
    out8(&f, 0x4d0, 0);
    platform_irq(&f.p, 6, true);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x26);
    out8(&f, 0x20, 0x20);
    assert_false(platform_interrupt_pending(&f.p));
    out8(&f, 0x4d0, 0x40);
    assert_true(platform_interrupt_pending(&f.p));
    out8(&f, 0x4d0, 0);
    assert_false(platform_interrupt_pending(&f.p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spurious_of_the_slave), cmocka_unit_test(test_rotate_on_non_specific_eoi),
        cmocka_unit_test(test_set_priority),          cmocka_unit_test(test_rotate_on_automatic_eoi),
        cmocka_unit_test(test_special_fully_nested),  cmocka_unit_test(test_edge_level_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
