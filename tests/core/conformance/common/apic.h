/* apic.h: the interrupt controllers of the platform, for tests of events. Offsets: SDM "Local APIC Register Address Map". */
#ifndef TESTS_CORE_CONFORMANCE_APIC_H
#define TESTS_CORE_CONFORMANCE_APIC_H

#include "lab.h"

enum {
    APIC_ID = 0x20,
    APIC_TPR = 0x80,
    APIC_PPR = 0xa0,
    APIC_EOI = 0xb0,
    APIC_LDR = 0xd0,
    APIC_DFR = 0xe0,
    APIC_SVR = 0xf0,
    APIC_ISR = 0x100,
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_SELF = 1 << 18 | 1 << 14, /* ICR: shorthand self, level assert */
    APIC_MASKED = 1 << 16,
    APIC_LEVEL = 1 << 15,
    APIC_EXTINT = 7 << 8,
    IA32_APIC_BASE = 0x1b,
};
#define APIC_BASE 0xfee00000ul
#define IO_APIC 0xfec00000ul

static inline uint32_t apic_read(unsigned at)
{
    return *(volatile uint32_t *)(APIC_BASE + at);
}
static inline void apic_write(unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(APIC_BASE + at) = value;
}
static inline void apic_send(uint32_t icr)
{
    apic_write(APIC_ICR, icr);
}

static inline uint32_t io_apic_read(unsigned reg)
{
    *(volatile uint32_t *)IO_APIC = reg;
    return *(volatile uint32_t *)(IO_APIC + 0x10);
}
static inline void io_apic_write(unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)IO_APIC = reg;
    *(volatile uint32_t *)(IO_APIC + 0x10) = value;
}

/* The platform's test port: sets an interrupt line, ISA line below 16, I/O APIC pin from there on. */
static inline void irq_line(unsigned line, bool level)
{
    out8((uint16_t)(0x2000 + line), level);
}

/* Enabled, spurious vector FFH, both 8259s and LINT0 masked. */
static inline void apic_begin(void)
{
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    apic_write(APIC_SVR, 0x1ff);
    apic_write(APIC_LVT_LINT0, APIC_MASKED);
}

/* Runs code with IF = 1; the vector that interrupted it, 0 if it ran to its end. No EOI is sent. */
static inline unsigned apic_run(const void *code)
{
    struct lab_state s = lab_start(code, 0);
    s.flags |= 1 << 9;
    lab_go(&s);
    return s.vector == LAB_DONE ? 0 : (unsigned)s.vector;
}
/* What is waiting to be delivered now. */
static inline unsigned apic_poll(void)
{
    static const uint8_t code[] = {0x90, 0x90, 0xcd, LAB_DONE};
    return apic_run(code);
}
/* What ends a HLT. */
static inline unsigned apic_wait(void)
{
    static const uint8_t code[] = {0xf4, 0xcd, LAB_DONE};
    return apic_run(code);
}

#endif
