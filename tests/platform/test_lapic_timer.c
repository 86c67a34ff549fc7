/* test_lapic_timer.c: SDM volume 3A, "APIC Timer" and "TSC-Deadline Mode". A bus clock is 2 cycles here. */
#include "platform_fixture.h"

static void start(struct fixture *f, uint32_t lvt, uint32_t divide)
{
    fixture_init(f);
    f->now = 1000;
    apic_write(f, 0xf0, 0x1ff);
    apic_write(f, 0x350, 0x10000);
    apic_write(f, 0x3e0, divide);
    apic_write(f, 0x320, lvt);
}

static void take(struct fixture *f, uint8_t vector)
{
    assert_true(platform_interrupt_pending(&f->p));
    assert_int_equal(platform_interrupt_acknowledge(&f->p), vector);
    apic_write(f, 0xb0, 0);
}

static void test_one_shot(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x40, 0xb); /* divide by 1 */
    apic_write(&f, 0x380, 100);
    assert_int_equal(apic_read(&f, 0x390), 100);
    assert_int_equal(platform_next_deadline(&f.p), 1200);
    f.now = 1050;
    assert_int_equal(apic_read(&f, 0x390), 75);
    f.now = 1199;
    assert_int_equal(apic_read(&f, 0x390), 1);
    assert_false(platform_interrupt_pending(&f.p));
    f.now = 1200;
    assert_int_equal(apic_read(&f, 0x390), 0);
    take(&f, 0x40);
    assert_int_equal(platform_next_deadline(&f.p), UINT64_MAX);
    f.now = 100000;
    assert_false(platform_interrupt_pending(&f.p));
    assert_int_equal(apic_read(&f, 0x380), 100);
}

static void test_periodic(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x20040, 0xb);
    apic_write(&f, 0x380, 50);
    f.now = 1100;
    take(&f, 0x40);
    assert_int_equal(apic_read(&f, 0x390), 50);
    assert_int_equal(platform_next_deadline(&f.p), 1200);
    f.now = 1530; /* four more periods, one interrupt */
    take(&f, 0x40);
    assert_false(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_next_deadline(&f.p), 1600);
    assert_int_equal(apic_read(&f, 0x390), 35);
    apic_write(&f, 0x380, 0); /* stops */
    assert_int_equal(platform_next_deadline(&f.p), UINT64_MAX);
}

/* "Divide Configuration Register". */
static void test_divide(void **state)
{
    (void)state;
    static const struct {
        uint32_t code, divide;
    } cases[] = {{0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        start(&f, 0x40, cases[i].code);
        apic_write(&f, 0x380, 10);
        assert_int_equal(platform_next_deadline(&f.p), 1000 + 10 * 2 * cases[i].divide);
    }
}

static void test_divide_while_running(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x40, 0xb);
    apic_write(&f, 0x380, 100);
    f.now = 1100;
    apic_write(&f, 0x3e0, 0x0); /* by 2: 50 ticks of 4 cycles are left */
    assert_int_equal(apic_read(&f, 0x390), 50);
    assert_int_equal(platform_next_deadline(&f.p), 1300);
}

/* A masked timer counts and interrupts nobody; one that ran out unseen stays silent. */
static void test_masked(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x10040, 0xb);
    apic_write(&f, 0x380, 100);
    assert_int_equal(platform_next_deadline(&f.p), UINT64_MAX);
    f.now = 1300;
    apic_write(&f, 0x320, 0x40);
    assert_false(platform_interrupt_pending(&f.p));
    assert_int_equal(apic_read(&f, 0x390), 0);
}

static void test_tsc_deadline(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t value;
    start(&f, 0x40040, 0xb);
    f.tsc_offset = 500;
    apic_write(&f, 0x380, 100); /* ignored in this mode */
    assert_int_equal(apic_read(&f, 0x390), 0);
    assert_true(wrmsr(&f, 0x6e0, 2000));
    assert_true(rdmsr(&f, 0x6e0, &value));
    assert_int_equal(value, 2000);
    assert_int_equal(platform_next_deadline(&f.p), 1500);
    f.tsc_offset = 700; /* the TSC was written: it is the TSC that counts */
    assert_int_equal(platform_next_deadline(&f.p), 1300);
    f.now = 1299;
    assert_false(platform_interrupt_pending(&f.p));
    f.now = 1300;
    take(&f, 0x40);
    assert_true(rdmsr(&f, 0x6e0, &value));
    assert_int_equal(value, 0);       /* disarmed */
    assert_true(wrmsr(&f, 0x6e0, 1)); /* in the past: at once */
    take(&f, 0x40);
    assert_true(wrmsr(&f, 0x6e0, 5000));
    assert_true(wrmsr(&f, 0x6e0, 0)); /* disarms */
    assert_int_equal(platform_next_deadline(&f.p), UINT64_MAX);
}

/* "Transitions between TSC-deadline mode and other timer modes also disarm the timer". */
static void test_mode_changes_disarm(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t value;
    start(&f, 0x40, 0xb);
    assert_true(wrmsr(&f, 0x6e0, 5000)); /* ignored in other modes */
    apic_write(&f, 0x380, 100);
    apic_write(&f, 0x320, 0x40040);
    assert_int_equal(platform_next_deadline(&f.p), UINT64_MAX);
    assert_true(wrmsr(&f, 0x6e0, 5000));
    apic_write(&f, 0x320, 0x40);
    assert_true(rdmsr(&f, 0x6e0, &value));
    assert_int_equal(value, 0);
    assert_int_equal(platform_next_deadline(&f.p), UINT64_MAX);
}

static void test_without_tsc_deadline(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t value;
    start(&f, 0x40, 0xb);
    f.p.lapics[0].has_tsc_deadline = false;
    assert_false(rdmsr(&f, 0x6e0, &value));
    assert_false(wrmsr(&f, 0x6e0, 0));
    apic_write(&f, 0x320, 0x40040);
    assert_int_equal(apic_read(&f, 0x320), 0x40); /* bit 18 is reserved */
}

/* A vector below 16 is an error, not an interrupt. */
static void test_illegal_vector(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, 0x0f, 0xb);
    apic_write(&f, 0x380, 1);
    f.now = 2000;
    assert_false(platform_interrupt_pending(&f.p));
    apic_write(&f, 0x280, 0);
    assert_int_equal(apic_read(&f, 0x280), 0x40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_shot),
        cmocka_unit_test(test_periodic),
        cmocka_unit_test(test_divide),
        cmocka_unit_test(test_divide_while_running),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_tsc_deadline),
        cmocka_unit_test(test_mode_changes_disarm),
        cmocka_unit_test(test_without_tsc_deadline),
        cmocka_unit_test(test_illegal_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
