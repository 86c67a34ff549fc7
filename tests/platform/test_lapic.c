/* test_lapic.c: SDM volume 3A, "Advanced Programmable Interrupt Controller (APIC)", xAPIC mode. */
#include "platform_fixture.h"

#define ICR_SELF 0x40000u

static void start(struct fixture *f)
{
    fixture_init(f);
    apic_write(f, 0xf0, 0x1ff);
    apic_write(f, 0x350, 0x10000); /* LINT0 masked: only the LAPIC speaks */
}

static void self_ipi(struct fixture *f, uint32_t vector)
{
    apic_write(f, 0x300, ICR_SELF | vector);
}

/* "Local APIC State After Power-Up or Reset": disabled and enabled again. */
static void test_reset_state(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    apic_write(&f, 0x80, 0x20);
    assert_true(wrmsr(&f, 0x1b, 0xfee00100));
    assert_int_equal(apic_read(&f, 0xf0), 0xffffffff); /* no registers while it is disabled */
    assert_true(wrmsr(&f, 0x1b, 0xfee00900));
    assert_int_equal(apic_read(&f, 0xf0), 0xff);
    assert_int_equal(apic_read(&f, 0x80), 0);
    assert_int_equal(apic_read(&f, 0xe0), 0xffffffff);
    assert_int_equal(apic_read(&f, 0x320), 0x10000);
    assert_int_equal(apic_read(&f, 0x350), 0x10000);
    assert_int_equal(apic_read(&f, 0x20), 0);
    assert_int_equal(apic_read(&f, 0x30), 0x50014);
}

/* "Task and Processor Priorities"; "Interrupt Acceptance for Fixed Interrupts". */
static void test_priorities(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    self_ipi(&f, 0x31);
    self_ipi(&f, 0x52);
    assert_int_equal(apic_read(&f, 0x210), 1u << 17); /* IRR 31H */
    assert_int_equal(apic_read(&f, 0x220), 1u << 18); /* IRR 52H */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x52);
    assert_int_equal(apic_read(&f, 0x120), 1u << 18); /* ISR */
    assert_int_equal(apic_read(&f, 0xa0), 0x50);      /* PPR */
    assert_false(platform_interrupt_pending(&f.p));   /* 31H waits */
    self_ipi(&f, 0x5f);
    assert_false(platform_interrupt_pending(&f.p)); /* same class */
    self_ipi(&f, 0x60);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x60);
    apic_write(&f, 0xb0, 0);
    assert_int_equal(apic_read(&f, 0xa0), 0x50);
    apic_write(&f, 0xb0, 0);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x5f);
    apic_write(&f, 0xb0, 0);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x31);
}

static void test_task_priority(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    self_ipi(&f, 0x4f);
    apic_write(&f, 0x80, 0x40);
    assert_int_equal(apic_read(&f, 0xa0), 0x40);
    assert_false(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0xff); /* "Spurious Interrupt" */
    assert_int_equal(apic_read(&f, 0x120), 0);
    apic_write(&f, 0x80, 0x3f);
    assert_true(platform_interrupt_pending(&f.p));
}

/* "Local APIC State After It Has Been Software Disabled". */
static void test_software_disabled(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    self_ipi(&f, 0x31);
    apic_write(&f, 0x370, 0x40);
    apic_write(&f, 0xf0, 0xff);
    assert_int_equal(apic_read(&f, 0x370), 0x10040);
    apic_write(&f, 0x370, 0x40); /* the mask cannot be cleared */
    assert_int_equal(apic_read(&f, 0x370), 0x10040);
    assert_true(platform_interrupt_pending(&f.p)); /* what was pending is held */
    self_ipi(&f, 0x41);
    assert_int_equal(apic_read(&f, 0x220), 0);
}

/* "Error Handling". */
static void test_errors(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    apic_write(&f, 0x370, 0x40);
    self_ipi(&f, 0x0f);
    assert_int_equal(apic_read(&f, 0x280), 0); /* shows after a write */
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x40);
    apic_write(&f, 0xb0, 0);
    (void)apic_read(&f, 0x40); /* reserved register; no second interrupt before the ESR is written */
    assert_false(platform_interrupt_pending(&f.p));
    apic_write(&f, 0x280, 0);
    assert_int_equal(apic_read(&f, 0x280), 0xa0);
    (void)apic_read(&f, 0x40);
    assert_true(platform_interrupt_pending(&f.p));
    apic_write(&f, 0x280, 0);
    assert_int_equal(apic_read(&f, 0x280), 0x80);
    apic_write(&f, 0x280, 0);
    assert_int_equal(apic_read(&f, 0x280), 0);
}

/* "Interrupt Command Register (ICR)", "Determining IPI Destination". */
static void test_destinations(void **state)
{
    (void)state;
    static const struct {
        uint32_t high, low;
        bool arrives;
    } cases[] = {
        {0x00000000, 0x00031, true}, {0x01000000, 0x00031, false}, {0xff000000, 0x00031, true},
        {0x05000000, 0x80031, true}, {0x00000000, 0xc0031, false}, {0x01000000, 0x40031, true},
        {0x04000000, 0x00831, true}, {0x03000000, 0x00831, false}, {0x00000000, 0x00131, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        start(&f);
        apic_write(&f, 0xd0, 0x04000000); /* logical ID, flat model */
        apic_write(&f, 0x310, cases[i].high);
        apic_write(&f, 0x300, cases[i].low);
        assert_int_equal(platform_interrupt_pending(&f.p), cases[i].arrives);
        assert_int_equal(apic_read(&f, 0x300) & 0x1000, 0); /* delivered */
    }
}

/* "Logical Destination Mode", cluster model: cluster in the high four bits. */
static void test_cluster(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    apic_write(&f, 0xe0, 0);
    assert_int_equal(apic_read(&f, 0xe0), 0x0fffffff);
    apic_write(&f, 0xd0, 0x21000000);
    apic_write(&f, 0x310, 0x31000000);
    apic_write(&f, 0x300, 0x831);
    assert_false(platform_interrupt_pending(&f.p));
    apic_write(&f, 0x310, 0x23000000);
    apic_write(&f, 0x300, 0x831);
    assert_true(platform_interrupt_pending(&f.p));
}

static void test_nmi_init_and_startup(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    apic_write(&f, 0x300, 0xc4500); /* INIT and SIPI to all but self, as kernels send them */
    apic_write(&f, 0x300, 0xc4600);
    assert_int_equal(f.p.stop, PLATFORM_RUNS);
    assert_false(f.p.lapics[0].nmi_pending);
    apic_write(&f, 0x310, 0);
    apic_write(&f, 0x300, 0x4400);
    assert_true(f.p.lapics[0].nmi_pending);
    assert_false(f.p.lapics[0].init_pending);
    apic_write(&f, 0x300, 0x8500); /* INIT, level de-assert: for arbitration IDs alone */
    assert_false(f.p.lapics[0].init_pending);
    apic_write(&f, 0x300, 0x4500);
    assert_true(f.p.lapics[0].init_pending);
    assert_int_equal(f.p.stop, PLATFORM_RUNS);
}

static void test_access_width(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_int_equal(platform_mmio_read(&f.p, 0xfee00031, 1), 0x00);
    assert_int_equal(platform_mmio_read(&f.p, 0xfee00030, 1), 0x14);
    assert_int_equal(platform_mmio_read(&f.p, 0xfee00032, 2), 0x0005);
    platform_mmio_write(&f.p, 0xfee00080, 0x30, 1); /* undefined: dropped */
    assert_int_equal(apic_read(&f, 0x80), 0);
    assert_int_equal(platform_mmio_read(&f.p, 0xfeb00000, 8), UINT64_MAX);
    assert_int_equal(platform_mmio_read(&f.p, 0xfeb00000, 2), 0xffff);
}

static void test_relocation(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    assert_true(wrmsr(&f, 0x1b, 0xfec10900));
    assert_int_equal(apic_read(&f, 0x30), 0xffffffff);
    assert_int_equal(platform_mmio_read(&f.p, 0xfec10030, 4), 0x50014);
    assert_int_equal(f.p.stop, PLATFORM_RUNS);
    assert_true(wrmsr(&f, 0x1b, 0x00100900)); /* over RAM */
    assert_int_equal(f.p.stop, PLATFORM_UNSUPPORTED);
}

static void test_snapshot_is_a_copy(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    self_ipi(&f, 0x31);
    struct platform saved = f.p;
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x31);
    assert_false(platform_interrupt_pending(&f.p));
    f.p = saved;
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_state),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_task_priority),
        cmocka_unit_test(test_software_disabled),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_destinations),
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_nmi_init_and_startup),
        cmocka_unit_test(test_access_width),
        cmocka_unit_test(test_relocation),
        cmocka_unit_test(test_snapshot_is_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
