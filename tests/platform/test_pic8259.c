/* test_pic8259.c: 8259A data sheet; through virtual wire (LINT0 ExtINT) as firmware leaves it. */
#include "platform_fixture.h"

static void pulse(struct fixture *f, unsigned line)
{
    platform_irq(&f->p, line, true);
    platform_irq(&f->p, line, false);
}

static void start(struct fixture *f)
{
    fixture_init(f);
    program_pic(f, 0x01);
}

static void test_masked_until_programmed(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(in8(&f, 0x21), 0xff);
    assert_int_equal(in8(&f, 0xa1), 0xff);
    pulse(&f, 1);
    assert_false(platform_interrupt_pending(&f.p));
    out8(&f, 0x21, 0xfd);
    assert_true(platform_interrupt_pending(&f.p)); /* the request was latched */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x09);
}

/* "Fully Nested Mode": the lower line wins, and holds up what is below it until its EOI. */
static void test_priority_and_eoi(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    pulse(&f, 5);
    pulse(&f, 3);
    assert_int_equal(in8(&f, 0x20), 0x28); /* IRR */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
    out8(&f, 0x20, 0x0b);
    assert_int_equal(in8(&f, 0x20), 0x08); /* ISR */
    assert_false(platform_interrupt_pending(&f.p));
    pulse(&f, 1); /* higher: nests */
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x21);
    out8(&f, 0x20, 0x20); /* ends line 1, the highest in service */
    assert_int_equal(in8(&f, 0x20), 0x08);
    assert_false(platform_interrupt_pending(&f.p));
    out8(&f, 0x20, 0x63); /* specific EOI of line 3 */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x25);
}

static void test_slave_through_cascade(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    pulse(&f, 10);
    pulse(&f, 3);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x2a); /* the slave sits at line 2, above 3 */
    assert_false(platform_interrupt_pending(&f.p));
    out8(&f, 0xa0, 0x20);
    out8(&f, 0x20, 0x20);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
}

/* "Interrupt Sequence": a request that goes away before INTA gives line 7, without an ISR bit. */
static void test_spurious(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    pulse(&f, 4);
    struct pic8259 *pic = &f.p.pic;
    out8(&f, 0x21, 0x10);
    assert_int_equal(pic8259_acknowledge(pic), 0x27);
    assert_int_equal(pic->chip[0].isr, 0);
    out8(&f, 0x21, 0);
    assert_int_equal(pic8259_acknowledge(pic), 0x24); /* it was only masked */
}

static void test_auto_eoi(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x03);
    pulse(&f, 3);
    pulse(&f, 5);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x25);
}

/* ICW1 bit 3: the request follows the line. */
static void test_level_triggered(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    out8(&f, 0x20, 0x19);
    out8(&f, 0x21, 0x20);
    out8(&f, 0x21, 0x04);
    out8(&f, 0x21, 0x01);
    pulse(&f, 6);
    assert_false(platform_interrupt_pending(&f.p));
    platform_irq(&f.p, 6, true);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x26);
    out8(&f, 0x20, 0x20);
    assert_true(platform_interrupt_pending(&f.p)); /* still high */
}

/* OCW2 "rotate on specific EOI": the line served becomes the lowest. */
static void test_rotation(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    pulse(&f, 3);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
    out8(&f, 0x20, 0xa0); /* rotate on non-specific EOI: 3 is lowest, 4 is highest */
    pulse(&f, 1);
    pulse(&f, 4);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x24);
}

/* "Special Mask Mode": a line in service and masked holds nobody up. */
static void test_special_mask(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    pulse(&f, 3);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
    pulse(&f, 5);
    out8(&f, 0x21, 0x08);
    assert_false(platform_interrupt_pending(&f.p));
    out8(&f, 0x20, 0x68);
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x25);
}

static void test_poll(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    out8(&f, 0x20, 0x0c);
    assert_int_equal(in8(&f, 0x20), 0);
    pulse(&f, 5);
    out8(&f, 0x20, 0x0c);
    assert_int_equal(in8(&f, 0x20), 0x85);
    assert_false(platform_interrupt_pending(&f.p)); /* in service now */
}

static void test_mcs80_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 0x00);
    assert_int_equal(f.p.stop, PLATFORM_UNSUPPORTED);
    assert_non_null(strstr(f.p.stop_text, "8259"));
}

/* Virtual wire: LINT0 masked or used otherwise closes the way, a disabled local APIC opens it. */
static void test_way_through_the_lapic(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    pulse(&f, 3);
    assert_true(platform_interrupt_pending(&f.p));
    apic_write(&f, 0x350, 0x10700);
    assert_false(platform_interrupt_pending(&f.p));
    assert_true(wrmsr(&f, 0x1b, 0xfee00100)); /* disabled: LINT0 is INTR */
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x23);
}

static void test_lint0_as_fixed_interrupt(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    apic_write(&f, 0x350, 0x8061); /* level, vector 61H */
    platform_irq(&f.p, 3, true);
    assert_int_equal(apic_read(&f, 0x350), 0xc061); /* remote IRR */
    assert_int_equal(apic_read(&f, 0x1b0) & 2, 2);  /* TMR bit 61H */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x61);
    assert_false(platform_interrupt_pending(&f.p));
    apic_write(&f, 0xb0, 0);
    assert_true(platform_interrupt_pending(&f.p)); /* the 8259 still asks */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masked_until_programmed),
        cmocka_unit_test(test_priority_and_eoi),
        cmocka_unit_test(test_slave_through_cascade),
        cmocka_unit_test(test_spurious),
        cmocka_unit_test(test_auto_eoi),
        cmocka_unit_test(test_level_triggered),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_special_mask),
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_mcs80_is_refused),
        cmocka_unit_test(test_way_through_the_lapic),
        cmocka_unit_test(test_lint0_as_fixed_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
