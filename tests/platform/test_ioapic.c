/* test_ioapic.c: 82093AA data sheet; SDM "Signaling Interrupt Servicing Completion". */
#include "platform_fixture.h"

#define PIN 14u
#define VECTOR 0x76u
#define LEVEL (1u << 15)
#define MASKED (1u << 16)
#define REMOTE_IRR (1u << 14)

static uint32_t io_read(struct fixture *f, uint8_t reg)
{
    platform_mmio_write(&f->p, IOAPIC_BASE, reg, 4);
    return (uint32_t)platform_mmio_read(&f->p, IOAPIC_BASE + 0x10, 4);
}

static void io_write(struct fixture *f, uint8_t reg, uint32_t value)
{
    platform_mmio_write(&f->p, IOAPIC_BASE, reg, 4);
    platform_mmio_write(&f->p, IOAPIC_BASE + 0x10, value, 4);
}

static void route(struct fixture *f, unsigned pin, uint32_t low, uint8_t destination)
{
    io_write(f, (uint8_t)(0x11 + 2 * pin), (uint32_t)destination << 24);
    io_write(f, (uint8_t)(0x10 + 2 * pin), low);
}

static uint32_t entry(struct fixture *f, unsigned pin)
{
    return io_read(f, (uint8_t)(0x10 + 2 * pin));
}

static void set_line(struct fixture *f, unsigned pin, bool level)
{
    out8(f, (uint16_t)(0x2000 + pin), level);
}

static bool requested(struct fixture *f, uint8_t vector)
{
    return f->p.lapics[0].irr[vector >> 5] >> (vector & 31) & 1;
}

static void serve(struct fixture *f, uint8_t vector)
{
    assert_true(platform_interrupt_pending(&f->p));
    assert_int_equal(platform_interrupt_acknowledge(&f->p), vector);
    apic_write(f, 0xb0, 0);
}

static void test_registers(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_int_equal(io_read(&f, 1), 0x00170011);
    io_write(&f, 1, 0);
    assert_int_equal(io_read(&f, 1), 0x00170011);
    io_write(&f, 0, 0xffffffff);
    assert_int_equal(io_read(&f, 0), 0x0f000000);
    assert_int_equal(io_read(&f, 2), 0x0f000000);
    assert_int_equal(entry(&f, 0), MASKED);
    route(&f, 23, 0xffffffff, 0xff);
    assert_int_equal(entry(&f, 23), 0x1afff); /* delivery status and remote IRR are read-only */
    assert_int_equal(io_read(&f, 0x11 + 46), 0xff000000);
    assert_int_equal(io_read(&f, 0x40), 0);
    platform_mmio_write(&f.p, IOAPIC_BASE, 0x3e, 1);
    assert_int_equal(platform_mmio_read(&f.p, IOAPIC_BASE, 4), 0x3e);
    assert_int_equal(platform_mmio_read(&f.p, IOAPIC_BASE + 0x20, 4), 0xffffffff);
}

static void test_edge(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    set_line(&f, PIN, true); /* masked: the edge is lost */
    set_line(&f, PIN, false);
    route(&f, PIN, VECTOR, 0);
    assert_false(platform_interrupt_pending(&f.p));
    set_line(&f, PIN, true);
    serve(&f, VECTOR);
    assert_int_equal(entry(&f, PIN), VECTOR); /* no remote IRR */
    assert_false(requested(&f, VECTOR));      /* still high: no second one */
}

static void test_level_and_eoi(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    route(&f, PIN, VECTOR | LEVEL, 0);
    set_line(&f, PIN, true);
    assert_int_equal(entry(&f, PIN), VECTOR | LEVEL | REMOTE_IRR);
    assert_int_equal(apic_read(&f, 0x180 + 0x30), 1u << 22); /* TMR: 76H is bit 22 of the fourth word */
    serve(&f, VECTOR);
    assert_true(requested(&f, VECTOR)); /* the line is high at the EOI */
    set_line(&f, PIN, false);
    assert_int_equal(entry(&f, PIN), VECTOR | LEVEL | REMOTE_IRR);
    serve(&f, VECTOR);
    assert_int_equal(entry(&f, PIN), VECTOR | LEVEL);
    assert_false(requested(&f, VECTOR));
}

static void test_level_mask(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    route(&f, PIN, VECTOR | LEVEL | MASKED, 0);
    set_line(&f, PIN, true);
    assert_false(requested(&f, VECTOR));
    route(&f, PIN, VECTOR | LEVEL, 0);
    assert_true(requested(&f, VECTOR));
}

/* EOI through the x2APIC's MSR reaches the I/O APIC too. */
static void test_x2apic_eoi(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    assert_true(wrmsr(&f, 0x1b, 0xfee00d00));
    route(&f, PIN, VECTOR | LEVEL, 0);
    set_line(&f, PIN, true);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), VECTOR);
    set_line(&f, PIN, false);
    assert_true(wrmsr(&f, 0x80b, 0));
    assert_int_equal(entry(&f, PIN), VECTOR | LEVEL);
}

/* EOI of an edge-triggered interrupt of the same vector is no broadcast. */
static void test_edge_eoi_is_not_broadcast(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    route(&f, PIN, VECTOR, 0);
    set_line(&f, PIN, true);
    assert_int_equal(platform_interrupt_acknowledge(&f.p), VECTOR);
    apic_write(&f, 0xb0, 0);
    assert_false(f.p.lapics[0].eoi_broadcast);
}

static void test_destinations(void **state)
{
    (void)state;
    static const struct {
        uint32_t low;
        uint8_t destination;
        bool taken;
    } cases[] = {
        {VECTOR, 0, true},
        {VECTOR, 1, false},
        {VECTOR, 0xff, true},
        {VECTOR | 0x800, 2, true},
        {VECTOR | 0x800, 4, false},
        {VECTOR | 0x100, 0, true}, /* lowest priority */
        {VECTOR | 0x900, 0xff, true},
        {VECTOR | 0x300, 0, false}, /* reserved mode */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        fixture_init(&f);
        apic_write(&f, 0xd0, 2u << 24); /* LDR, flat model */
        route(&f, PIN, cases[i].low, cases[i].destination);
        set_line(&f, PIN, true);
        assert_int_equal(requested(&f, VECTOR), cases[i].taken);
    }
}

static void test_other_delivery_modes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    route(&f, PIN, 0x400, 0);
    set_line(&f, PIN, true);
    assert_true(f.p.lapics[0].nmi_pending);
    route(&f, 15, 5, 0); /* an illegal vector */
    set_line(&f, 15, true);
    apic_write(&f, 0x280, 0);
    assert_int_equal(apic_read(&f, 0x280), 0x40);
    fixture_init(&f);
    route(&f, PIN, 0x500, 0);
    set_line(&f, PIN, true);
    assert_true(f.p.lapics[0].init_pending);
    static const uint32_t refused[] = {0x200, 0x700};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        fixture_init(&f);
        route(&f, PIN, refused[i], 0);
        assert_int_equal(f.p.stop, PLATFORM_RUNS);
        set_line(&f, PIN, true);
        assert_int_equal(f.p.stop, PLATFORM_UNSUPPORTED);
    }
}

/* Line 0 arrives at pin 2, and at the 8259 as well. */
static void test_pit_is_pin_2(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    route(&f, 2, 0x30, 0);
    out8(&f, 0x43, 0x34);
    out8(&f, 0x40, 100);
    out8(&f, 0x40, 0);
    assert_int_equal(platform_next_deadline(&f.p), 100000); /* though the 8259 masks it */
    f.now = 100000;
    serve(&f, 0x30);
    assert_int_equal(f.p.pic.chip[0].irr, 1);
}

/* Virtual wire through the I/O APIC: LINT0 masked, pin 0 ExtINT. */
static void test_extint_at_pin_0(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    program_pic(&f, 1);
    apic_write(&f, 0x350, MASKED);
    set_line(&f, 4, true);
    assert_false(platform_interrupt_pending(&f.p));
    route(&f, 0, 0x700, 0);
    assert_true(platform_interrupt_pending(&f.p));
    assert_int_equal(platform_interrupt_acknowledge(&f.p), 0x24);
    assert_int_equal(f.p.stop, PLATFORM_RUNS);
}

static void test_software_disabled(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f);
    apic_write(&f, 0xf0, 0x0f);
    route(&f, PIN, VECTOR | LEVEL, 0);
    set_line(&f, PIN, true);
    assert_int_equal(entry(&f, PIN), VECTOR | LEVEL); /* nobody took it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registers),         cmocka_unit_test(test_edge),
        cmocka_unit_test(test_level_and_eoi),     cmocka_unit_test(test_level_mask),
        cmocka_unit_test(test_x2apic_eoi),        cmocka_unit_test(test_edge_eoi_is_not_broadcast),
        cmocka_unit_test(test_destinations),      cmocka_unit_test(test_other_delivery_modes),
        cmocka_unit_test(test_pit_is_pin_2),      cmocka_unit_test(test_extint_at_pin_0),
        cmocka_unit_test(test_software_disabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
