/*
 * test_ipi.c: interrupt messages between processors. SDM volume 3A "Issuing Interprocessor Interrupts",
 * "Determining IPI Destination", "Lowest Priority Delivery Mode".
 */
#include "platform_fixture.h"

enum {
    ICR = 0x300,
    ICR_HIGH = 0x310,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    TPR = 0x80,
    VECTOR = 0x41,
    ASSERT = 0x4000,
    LOGICAL = 0x800
};

static void select_one(struct fixture *f, unsigned processor)
{
    platform_select(&f->p, processor, &f->now, &f->tsc_offset);
}

/* Four processors, all enabled by software; processor 0 is current. */
static void start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    struct platform_config config = platform_default_config();
    config.ram_low = 512u << 20;
    config.processors = 4;
    const struct platform_host host = {&f->now, &f->tsc_offset, fixture_print, f};
    platform_init(&f->p, &config, &host);
    for (unsigned i = 4; i-- > 0;) {
        select_one(f, i);
        apic_write(f, SVR, 0x1ff);
    }
}

/* A bit for each processor that has VECTOR in its IRR; cleared. */
static unsigned who_has_it(struct fixture *f)
{
    unsigned who = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t *word = &f->p.lapics[i].irr[VECTOR / 32];
        who |= (*word >> VECTOR % 32 & 1) << i;
        *word = 0;
    }
    return who;
}

static void send(struct fixture *f, uint32_t destination, uint32_t low)
{
    apic_write(f, ICR_HIGH, destination << 24);
    apic_write(f, ICR, ASSERT | low);
}

static void test_identities(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t base;
    start(&f);
    for (unsigned i = 0; i < 4; i++) {
        select_one(&f, i);
        assert_int_equal(apic_read(&f, 0x20), i << 24);
        assert_true(platform_apic_read_msr(&f.p, 0x1b, &base));
        assert_int_equal(base >> 8 & 1, i == 0);
    }
}

static void test_destinations(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    send(&f, 2, VECTOR);
    assert_int_equal(who_has_it(&f), 1 << 2);
    assert_true(f.p.others_signalled);
    send(&f, 0xff, VECTOR);
    assert_int_equal(who_has_it(&f), 0xf);
    send(&f, 9, VECTOR);
    assert_int_equal(who_has_it(&f), 0);
    send(&f, 0, 0x40000 | VECTOR); /* self */
    assert_int_equal(who_has_it(&f), 1);
    send(&f, 0, 0x80000 | VECTOR); /* all */
    assert_int_equal(who_has_it(&f), 0xf);
    send(&f, 0, 0xc0000 | VECTOR); /* all but self */
    assert_int_equal(who_has_it(&f), 0xe);
}

static void test_logical_destinations(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (unsigned i = 0; i < 4; i++) {
        select_one(&f, i);
        apic_write(&f, LDR, 1u << (24 + i));
    }
    send(&f, 0x06, LOGICAL | VECTOR);
    assert_int_equal(who_has_it(&f), 6);
    for (unsigned i = 0; i < 4; i++) { /* two clusters of two */
        select_one(&f, i);
        apic_write(&f, DFR, 0x0fffffff);
        apic_write(&f, LDR, (i / 2) << 28 | 1u << (24 + i % 2));
    }
    send(&f, 0x13, LOGICAL | VECTOR);
    assert_int_equal(who_has_it(&f), 0xc);
    send(&f, 0x02, LOGICAL | VECTOR);
    assert_int_equal(who_has_it(&f), 2);
}

/* The lowest task priority takes it; one that software disabled does not take part. */
static void test_lowest_priority(void **state)
{
    (void)state;
    struct fixture f;
    static const uint32_t priority[4] = {0x50, 0x30, 0x20, 0x30};
    start(&f);
    for (unsigned i = 0; i < 4; i++) {
        select_one(&f, i);
        apic_write(&f, TPR, priority[i]);
    }
    send(&f, 0xff, 0x100 | VECTOR);
    assert_int_equal(who_has_it(&f), 1 << 2);
    select_one(&f, 2);
    apic_write(&f, SVR, 0xff);
    send(&f, 0xff, 0x100 | VECTOR);
    assert_int_equal(who_has_it(&f), 1 << 1);
}

static void test_init_and_start_up(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    send(&f, 3, 0x500);
    send(&f, 3, 0x69a | 0x600);
    assert_int_equal(lapic_signals(&f.p.lapics[3]), 3);
    assert_int_equal(lapic_take_signal(&f.p.lapics[3], 1), 0);
    assert_int_equal(f.p.lapics[3].svr, 0x1ff); /* the processor knows whether INIT resets it: no VM exit */
    lapic_reset_registers(&f.p.lapics[3]);
    assert_int_equal(f.p.lapics[3].svr, 0xff); /* its registers are reset, its ID is not */
    assert_int_equal(f.p.lapics[3].id, 3);
    assert_int_equal(lapic_take_signal(&f.p.lapics[3], 2), 0x9a);
    assert_int_equal(lapic_signals(&f.p.lapics[3]), 0);
    send(&f, 3, 0x600 | 0x10); /* a start-up IPI that came before an INIT is forgotten with it */
    send(&f, 3, 0x500);
    assert_int_equal(lapic_signals(&f.p.lapics[3]), 1);
    send(&f, 0, 0x80500); /* to all with self: no valid combination */
    assert_int_equal(lapic_signals(&f.p.lapics[1]), 0);
}

static void test_x2apic(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (unsigned i = 4; i-- > 0;) {
        select_one(&f, i);
        assert_true(wrmsr(&f, 0x1b, 0xfee00c00 | (i == 0 ? 0x100 : 0)));
    }
    assert_true(wrmsr(&f, 0x830, 2ull << 32 | VECTOR));
    assert_int_equal(who_has_it(&f), 1 << 2);
    assert_true(wrmsr(&f, 0x830, 0xffull << 32 | VECTOR)); /* no broadcast here: nobody has this ID */
    assert_int_equal(who_has_it(&f), 0);
    assert_true(wrmsr(&f, 0x830, 0xffffffffull << 32 | VECTOR));
    assert_int_equal(who_has_it(&f), 0xf);
    assert_true(wrmsr(&f, 0x830, 0xaull << 32 | LOGICAL | VECTOR)); /* cluster 0, bits 1 and 3 */
    assert_int_equal(who_has_it(&f), 0xa);
}

/* "Local APIC ID": software may give processors the same one; a message reaches both. It is lost with the
 * APIC. */
static void test_xapic_id_is_written(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (unsigned i = 3; i >= 2; i--) {
        select_one(&f, i);
        apic_write(&f, 0x20, 0x77000000);
        assert_int_equal(apic_read(&f, 0x20), 0x77000000);
    }
    select_one(&f, 0);
    send(&f, 0x77, VECTOR);
    assert_int_equal(who_has_it(&f), 0xc);
    send(&f, 2, VECTOR);
    assert_int_equal(who_has_it(&f), 0);
    select_one(&f, 2);
    assert_true(wrmsr(&f, 0x1b, 0xfee00000));
    assert_true(wrmsr(&f, 0x1b, 0xfee00800));
    assert_int_equal(apic_read(&f, 0x20), 2u << 24);
}

/* Devices never see time go back when a processor runs that is behind. */
static void test_time_of_devices(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t behind = 1000;
    start(&f);
    f.now = 5000000;
    platform_sync(&f.p);
    platform_select(&f.p, 1, &behind, &f.tsc_offset);
    assert_int_equal(platform_now(&f.p), 5000000);
    platform_sync(&f.p);
    assert_int_equal(platform_now(&f.p), 5000000);
    behind = 6000000;
    assert_int_equal(platform_now(&f.p), 6000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),           cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_logical_destinations), cmocka_unit_test(test_lowest_priority),
        cmocka_unit_test(test_init_and_start_up),    cmocka_unit_test(test_x2apic),
        cmocka_unit_test(test_xapic_id_is_written),  cmocka_unit_test(test_time_of_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
