/* platform_fixture.h: a platform with a clock that the test sets, and what it printed. */
#ifndef VTSIM_TESTS_PLATFORM_FIXTURE_H
#define VTSIM_TESTS_PLATFORM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sim/platform/platform.h"

struct fixture {
    struct platform p;
    uint64_t now, tsc_offset;
    char output[64];
    size_t printed;
};

static inline void fixture_print(void *opaque, uint8_t byte)
{
    struct fixture *f = opaque;
    if (f->printed < sizeof f->output - 1)
        f->output[f->printed++] = (char)byte;
}

/* 512 MiB; 1.193182 GHz, so that a PIT clock is 1000 cycles; a bus clock is 2 cycles. */
static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    struct platform_config config = platform_default_config();
    config.ram_low = 512u << 20;
    config.cycles_per_second = 1193182000u;
    config.cycles_per_bus_clock = 2;
    struct platform_host host = {&f->now, &f->tsc_offset, fixture_print, f};
    platform_init(&f->p, &config, &host);
}

static inline uint8_t in8(struct fixture *f, uint16_t port)
{
    return (uint8_t)platform_port_in(&f->p, port, 1);
}
static inline void out8(struct fixture *f, uint16_t port, uint8_t value)
{
    platform_port_out(&f->p, port, value, 1);
}

static inline uint32_t apic_read(struct fixture *f, unsigned offset)
{
    return (uint32_t)platform_mmio_read(&f->p, LAPIC_DEFAULT_BASE + offset, 4);
}

static inline void apic_write(struct fixture *f, unsigned offset, uint32_t value)
{
    platform_mmio_write(&f->p, LAPIC_DEFAULT_BASE + offset, value, 4);
}

static inline bool wrmsr(struct fixture *f, uint32_t index, uint64_t value)
{
    return platform_apic_write_msr(&f->p, index, value);
}

static inline bool rdmsr(struct fixture *f, uint32_t index, uint64_t *value)
{
    return platform_apic_read_msr(&f->p, index, value);
}

/* Both 8259s at vectors 20H and 28H, edge-triggered, 8086 mode, nothing masked. */
static inline void program_pic(struct fixture *f, uint8_t icw4)
{
    static const uint16_t ports[] = {0x20, 0xa0};
    for (unsigned i = 0; i < 2; i++) {
        out8(f, ports[i], 0x11);
        out8(f, (uint16_t)(ports[i] + 1), (uint8_t)(0x20 + 8 * i));
        out8(f, (uint16_t)(ports[i] + 1), i ? 2 : 4);
        out8(f, (uint16_t)(ports[i] + 1), icw4);
        out8(f, (uint16_t)(ports[i] + 1), 0);
    }
}

#endif
