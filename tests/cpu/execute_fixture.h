/* execute_fixture.h: a processor at power-on with 1 MiB of RAM and a bus that records, for the tests of this
 * folder. */
#ifndef VTSIM_TESTS_CPU_EXECUTE_FIXTURE_H
#define VTSIM_TESTS_CPU_EXECUTE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/insn_decode.h"
#include "sim/cpu/cpu.h"

#define FIXTURE_RAM 0x100000u

struct fixture {
    struct cpu cpu;
    struct cpu_bus bus;
    struct phys_mem mem;
    uint8_t *ram;
    uint64_t apic_base;
    uint64_t cr8;
    unsigned port_reads, port_writes;
    uint16_t last_port;
    uint32_t last_value;
    struct cpu_selection selection;
    struct cpu_profile profile; /* a copy that a test may change before fixture_start */
};

static inline uint64_t fixture_mmio_read(void *opaque, uint64_t physical, unsigned size)
{
    (void)opaque;
    (void)physical;
    (void)size;
    return UINT64_MAX;
}

static inline void fixture_mmio_write(void *opaque, uint64_t physical, uint64_t value, unsigned size)
{
    (void)opaque;
    (void)physical;
    (void)value;
    (void)size;
}

static inline uint32_t fixture_port_in(void *opaque, uint16_t port, unsigned size)
{
    struct fixture *f = opaque;

    (void)size;
    f->port_reads++;
    f->last_port = port;
    return 0x11223344;
}

static inline void fixture_port_out(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
    struct fixture *f = opaque;

    (void)size;
    f->port_writes++;
    f->last_port = port;
    f->last_value = value;
}

static inline uint64_t fixture_read_cr8(void *opaque)
{
    return ((struct fixture *)opaque)->cr8;
}

static inline void fixture_write_cr8(void *opaque, uint64_t value)
{
    ((struct fixture *)opaque)->cr8 = value;
}

static inline uint8_t fixture_signals(void *o)
{
    (void)o;
    return 0;
}
static inline uint8_t fixture_take_signal(void *o, uint8_t signal)
{
    (void)o;
    return signal;
}
static inline void fixture_reset_apic(void *o)
{
    (void)o;
}
static inline bool fixture_apic_read(void *opaque, uint32_t index, uint64_t *value)
{
    *value = ((struct fixture *)opaque)->apic_base;
    return index == 0x1b;
}

static inline bool fixture_apic_write(void *opaque, uint32_t index, uint64_t value)
{
    ((struct fixture *)opaque)->apic_base = value;
    return index == 0x1b;
}

/* A processor of the profile, at power-on. */
/* profile: as for --cpu. */
static inline struct fixture *fixture_new(const char *profile)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char message[256];

    assert_non_null(f);
    f->ram = calloc(1, FIXTURE_RAM);
    assert_non_null(f->ram);
    assert_true(cpu_profile_select(profile, &f->selection, message, sizeof(message)));
    f->profile = f->selection.profile;
    f->apic_base = 0xfee00900;
    f->mem = (struct phys_mem){.ram = f->ram,
                               .low_size = FIXTURE_RAM,
                               .mmio_read = fixture_mmio_read,
                               .mmio_write = fixture_mmio_write};
    f->bus = (struct cpu_bus){.port_in = fixture_port_in,
                              .port_out = fixture_port_out,
                              .read_cr8 = fixture_read_cr8,
                              .write_cr8 = fixture_write_cr8,
                              .signals = fixture_signals,
                              .take_signal = fixture_take_signal,
                              .reset_apic = fixture_reset_apic,
                              .apic_read_msr = fixture_apic_read,
                              .apic_write_msr = fixture_apic_write,
                              .opaque = f};
    assert_true(cpu_init(&f->cpu, &f->profile, &f->mem, NULL, &f->bus));
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    cpu_free(&f->cpu);
    free(f->ram);
    free(f);
}

/* Flat 32-bit protected mode without paging at a privilege level. */
static inline void fixture_protected(struct fixture *f, unsigned cpl)
{
    struct cpu_state *s = &f->cpu.state;

    s->cr0 = CR0_PE | CR0_ET | CR0_NE;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = (struct cpu_segment){.limit = 0xffffffff,
                                         .access_rights = AR_P | AR_S | AR_DB | AR_G | cpl << AR_DPL_SHIFT |
                                                          (i == SEG_CS ? 0xbu : 3u),
                                         .selector = (uint16_t)(8 | cpl)};
    s->rip = 0x1000;
    vmx_update_regime(&f->cpu.vmx);
}

/* 64-bit mode as far as instructions look at it; the tables are an identity map of the first 2 MiB at 10000H.
 */
static inline void fixture_long(struct fixture *f, unsigned cpl)
{
    struct cpu_state *s = &f->cpu.state;

    fixture_protected(f, cpl);
    phys_write64(&f->mem, 0x10000, 0x11007);
    phys_write64(&f->mem, 0x11000, 0x12007);
    phys_write64(&f->mem, 0x12000, 0x87);
    s->cr0 |= CR0_PG;
    s->cr3 = 0x10000;
    s->cr4 = CR4_PAE;
    s->msr.efer = EFER_LME | EFER_LMA;
    s->seg[SEG_CS].access_rights = (s->seg[SEG_CS].access_rights & ~(uint32_t)AR_DB) | AR_L;
    s->seg[SEG_TR].access_rights = AR_P | 0xb;
    vmx_update_regime(&f->cpu.vmx);
}

/* Decodes the bytes for the current mode and executes them. */
static inline struct cpu_outcome fixture_execute(struct fixture *f, const uint8_t *bytes, size_t size)
{
    struct insn insn;

    assert_true(insn_decode(bytes, size, cpu_code_bits(&f->cpu.state), &insn));
    assert_int_equal(insn.length, size);
    return cpu_execute(&f->cpu, &insn);
}
#define EXECUTE(f, ...)                                                                                      \
    fixture_execute(f, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void expect_done(struct cpu_outcome outcome)
{
    assert_int_equal(outcome.kind, OUTCOME_DONE);
}

static inline void expect_fault(struct cpu_outcome outcome, uint8_t vector)
{
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, vector);
    assert_int_equal(outcome.event.type, EVENT_HARDWARE_EXCEPTION);
    assert_int_equal(outcome.event.error_code, 0);
}

#endif
