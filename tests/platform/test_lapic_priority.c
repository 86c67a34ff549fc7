/* test_lapic_priority.c: SDM volume 3A, "Interrupt, Task, and Processor Priority", for every pair of
 * priorities. */
#include "platform_fixture.h"

static void start(struct fixture *f)
{
    fixture_init(f);
    apic_write(f, 0xf0, 0x1ff);
    apic_write(f, 0x350, 0x10000); /* LINT0 masked: no 8259 */
}

static void self_ipi(struct fixture *f, unsigned vector)
{
    apic_write(f, 0x300, 0x40000 | vector);
}

/* "Task and Processor Priorities": PPR is TPR if its class is not below ISRV's, else ISRV's class with zeros.
 */
static void test_ppr(void **state)
{
    (void)state;
    for (unsigned tpr = 0; tpr < 256; tpr += 3)
        for (unsigned vector = 16; vector < 256; vector += 5) {
            struct fixture f;
            start(&f);
            self_ipi(&f, vector);
            assert_int_equal(platform_interrupt_acknowledge(&f.p), vector);
            apic_write(&f, 0x80, tpr);
            unsigned expected = tpr / 16 >= vector / 16 ? tpr : vector / 16 * 16;
            assert_int_equal(apic_read(&f, 0xa0), expected);
        }
}

/* "Interrupt Acceptance for Fixed Interrupts": delivered while its class is above the PPR's, else it waits in
 * the IRR. */
static void test_delivery_for_every_class(void **state)
{
    (void)state;
    for (unsigned task = 0; task < 16; task++)
        for (unsigned served = 0; served < 16; served++)
            for (unsigned asked = 1; asked < 16; asked++) {
                struct fixture f;
                start(&f);
                if (served) {
                    self_ipi(&f, served * 16 + 8);
                    platform_interrupt_acknowledge(&f.p);
                }
                apic_write(&f, 0x80, task * 16 + 15);
                self_ipi(&f, asked * 16 + 9);
                assert_int_equal(platform_interrupt_pending(&f.p), asked > task && asked > served);
                assert_int_equal(apic_read(&f, 0x200 + asked / 2 * 16) >> (asked % 2 * 16 + 9) & 1, 1);
            }
}

/* Within a class the higher vector goes first, but does not interrupt the lower. */
static void test_within_a_class(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (unsigned i = 0; i < 16; i++)
        self_ipi(&f, 0x40 + i);
    for (unsigned i = 16; i-- > 0;) {
        assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x40 + i);
        assert_false(platform_interrupt_pending(&f.p));
        apic_write(&f, 0xb0, 0);
    }
    assert_false(platform_interrupt_pending(&f.p));
}

/* "Signaling Interrupt Servicing Completion": nested services end from the highest down; an EOI with nothing
 * in service does nothing. */
static void test_nesting(void **state)
{
    (void)state;
    static const uint8_t vectors[] = {0x31, 0x55, 0x81, 0xfe};
    struct fixture f;
    start(&f);
    for (unsigned i = 0; i < 4; i++) {
        self_ipi(&f, vectors[i]);
        assert_int_equal(platform_interrupt_acknowledge(&f.p), vectors[i]);
        assert_int_equal(apic_read(&f, 0xa0), vectors[i] & 0xf0);
    }
    for (unsigned i = 4; i-- > 0;) {
        assert_int_equal(apic_read(&f, 0xa0), vectors[i] & 0xf0);
        apic_write(&f, 0xb0, 0);
    }
    assert_int_equal(apic_read(&f, 0xa0), 0);
    apic_write(&f, 0xb0, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(apic_read(&f, 0x100 + i * 16), 0);
        assert_int_equal(apic_read(&f, 0x200 + i * 16), 0);
    }
}

/* One request may wait while one of the same vector is in service; a second one that waits is the same. */
static void test_one_waits_behind_one_in_service(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (unsigned i = 0; i < 3; i++)
        self_ipi(&f, 0x70);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x70);
    self_ipi(&f, 0x70);
    self_ipi(&f, 0x70);
    apic_write(&f, 0xb0, 0);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x70);
    apic_write(&f, 0xb0, 0);
    assert_false(platform_interrupt_pending(&f.p));
}

/* "Spurious Interrupt": the task priority was raised between request and acknowledge. */
static void test_spurious(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    apic_write(&f, 0xf0, 0x1ef);
    self_ipi(&f, 0x41);
    apic_write(&f, 0x80, 0x40);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0xef);
    assert_int_equal(apic_read(&f, 0x100 + 7 * 16), 0);
    apic_write(&f, 0x80, 0);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x41);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ppr),
        cmocka_unit_test(test_delivery_for_every_class),
        cmocka_unit_test(test_within_a_class),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_one_waits_behind_one_in_service),
        cmocka_unit_test(test_spurious),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
