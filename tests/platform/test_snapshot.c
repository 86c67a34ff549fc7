/*
 * test_snapshot.c: the state of all devices is in struct platform: a copy goes on as the original does. And
 * when somebody looks does not matter: devices that are looked at more often do the same at the same cycle.
 */
#include "platform_fixture.h"

#define EVENTS 300u

struct event {
    uint64_t cycle;
    uint8_t vector;
};

static void start_lapic_timer(struct fixture *f)
{
    apic_write(f, 0xf0, 0x1ff);
    apic_write(f, 0x3e0, 0xb);
    apic_write(f, 0x320, 0x20051); /* periodic */
    apic_write(f, 0x380, 1000003);
}

static void ioapic_entry(struct fixture *f, unsigned pin, uint32_t low)
{
    platform_mmio_write(&f->p, IOAPIC_BASE, 0x10 + 2 * pin, 4);
    platform_mmio_write(&f->p, IOAPIC_BASE + 0x10, low, 4);
}

static void start_hpet(struct fixture *f)
{
    ioapic_entry(f, 20, 0x62);
    platform_mmio_write(&f->p, HPET_BASE + 0x100, 20u << 9 | 1u << 6 | 1u << 3 | 1u << 2, 8);
    platform_mmio_write(&f->p, HPET_BASE + 0x108, 77777, 8);
    platform_mmio_write(&f->p, HPET_BASE + 0x108, 77777, 8);
    platform_mmio_write(&f->p, HPET_BASE + 0x10, 1, 8);
}

/* Each clock has a period of its own. */
static void start_everything(struct fixture *f)
{
    fixture_init(f);
    program_pic(f, 0x01);
    out8(f, 0x43, 0x34);
    out8(f, 0x40, 0x39);
    out8(f, 0x40, 0x05); /* 1337 clocks */
    out8(f, 0x70, 0x0a);
    out8(f, 0x71, 0x27); /* 512 a second */
    out8(f, 0x70, 0x0b);
    out8(f, 0x71, 0x42); /* periodic interrupt, 24 hours */
    start_lapic_timer(f);
    start_hpet(f);
}

/* What software does with an interrupt: finds its source and ends it. */
static void serve(struct fixture *f, uint8_t vector)
{
    if (vector == 0x28) { /* RTC */
        out8(f, 0x70, 0x0c);
        in8(f, 0x71);
        out8(f, 0xa0, 0x20);
    }
    if (vector < 0x30)
        out8(f, 0x20, 0x20);
    else
        apic_write(f, 0xb0, 0);
}

static void look(struct fixture *f)
{
    platform_interrupt_pending(&f->p);
    platform_port_in(&f->p, 0x608, 4);
    apic_read(f, 0x390);
    platform_mmio_read(&f->p, HPET_BASE + 0xf0, 8);
    in8(f, 0x61);
}

/* looks: how often somebody looks between two events. */
static void record(struct fixture *f, struct event *events, unsigned count, unsigned looks)
{
    for (unsigned n = 0; n < count;) {
        uint64_t next = platform_next_deadline(&f->p), begin = f->now;
        assert_true(next != UINT64_MAX);
        for (unsigned i = 1; i <= looks && next > begin; i++) {
            f->now = begin + (next - begin) * i / (looks + 1);
            look(f);
        }
        f->now = next > begin ? next : begin;
        platform_sync(&f->p);
        while (n < count && platform_interrupt_pending(&f->p)) {
            events[n].cycle = f->now;
            events[n].vector = platform_interrupt_acknowledge(&f->p);
            serve(f, events[n++].vector);
        }
    }
}

static void expect_same(const struct event *a, const struct event *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(a[i].vector, b[i].vector);
        assert_int_equal(a[i].cycle, b[i].cycle);
    }
}

static void test_a_copy_goes_on_alike(void **state)
{
    (void)state;
    static struct event first[EVENTS], second[EVENTS];
    struct fixture f, copy;
    start_everything(&f);
    record(&f, first, EVENTS, 0);
    copy = f;
    copy.p.host.now = &copy.now; /* the wiring is the copy's own */
    copy.p.host.tsc_offset = &copy.tsc_offset;
    copy.p.host.serial_opaque = &copy;
    record(&f, first, EVENTS, 0);
    record(&copy, second, EVENTS, 0);
    expect_same(first, second, EVENTS);
    assert_int_equal(f.now, copy.now);
    unsigned seen[256] = {0};
    for (unsigned i = 0; i < EVENTS; i++)
        seen[first[i].vector]++;
    assert_true(seen[0x20] && seen[0x28] && seen[0x51] && seen[0x62]); /* PIT, RTC, local APIC, HPET */
    assert_int_equal(seen[0x20] + seen[0x28] + seen[0x51] + seen[0x62], EVENTS);
}

static void test_looking_changes_nothing(void **state)
{
    (void)state;
    static struct event seldom[EVENTS], often[EVENTS];
    struct fixture f, g;
    start_everything(&f);
    start_everything(&g);
    record(&f, seldom, EVENTS, 0);
    record(&g, often, EVENTS, 7);
    expect_same(seldom, often, EVENTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_goes_on_alike),
        cmocka_unit_test(test_looking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
