/* bounds.h: Intel MPX for the guests: enabling it, and its registers by XSAVE and XRSTOR in the standard format. */
#ifndef TESTS_CORE_CONFORMANCE_BOUNDS_H
#define TESTS_CORE_CONFORMANCE_BOUNDS_H

#include "lab.h"

enum {
    BOUNDS_MSR = 0xd90, /* IA32_BNDCFGS */
    BOUNDS_ENABLE = 1,
    BOUNDS_PRESERVE = 2,
    BOUNDS_XCR0 = 0x1b, /* x87, SSE, BNDREGS, BNDCSR */
    BOUNDS_REGISTERS = 960,
    BOUNDS_CSR = 1024,
    BOUNDS_BV = 512,
};

#define MIDDLE_OF_NOWHERE 0x1234567800000000ul /* not canonical */

static uint8_t bounds_area[4096] __attribute__((aligned(64)));

static inline uint64_t *bounds_word(unsigned at)
{
    return (uint64_t *)(void *)(bounds_area + at);
}

static inline void bounds_xsetbv(uint32_t value)
{
    __asm__ volatile("xsetbv" ::"a"(value), "d"(0), "c"(0));
}

static inline void bounds_switch_on(void)
{
    write_cr4(read_cr4() | 1ul << 18 | 1ul << 9); /* OSXSAVE, OSFXSR */
    bounds_xsetbv(BOUNDS_XCR0);
}

static inline void bounds_save(void)
{
    __asm__ volatile("xsave (%0)" ::"r"(bounds_area), "a"(0x18), "d"(0) : "memory");
}

static inline void bounds_load(unsigned components)
{
    for (unsigned i = 0; i < 8; i++)
        bounds_word(BOUNDS_BV)[i] = i ? 0 : components;
    __asm__ volatile("xrstor (%0)" ::"r"(bounds_area), "a"(components), "d"(0) : "memory");
}

/* Ring 3's and ring 0's configuration; BNDSTATUS becomes 0. */
static inline void bounds_configure(uint64_t user, uint64_t supervisor)
{
    *bounds_word(BOUNDS_CSR) = user;
    *bounds_word(BOUNDS_CSR + 8) = 0;
    bounds_load(0x10);
    wrmsr(BOUNDS_MSR, supervisor);
}

static inline uint64_t bounds_status(void)
{
    bounds_save();
    return *bounds_word(BOUNDS_CSR + 8);
}

/* All four get bounds n * 1000H to n * 1000H + FFFH, n from 1 on. */
static inline void bounds_fill(void)
{
    for (unsigned n = 0; n < 4; n++) {
        *bounds_word(BOUNDS_REGISTERS + 16 * n) = (n + 1ul) << 12;
        *bounds_word(BOUNDS_REGISTERS + 16 * n + 8) = ~(((n + 1ul) << 12) | 0xffful);
    }
    bounds_load(8);
}

static inline void bounds_are(unsigned n, uint64_t lower, uint64_t upper, const char *text)
{
    bounds_save();
    LAB_EQUAL(*bounds_word(BOUNDS_REGISTERS + 16 * n), lower, "%s: BND%u's lower bound", text, n);
    LAB_EQUAL(*bounds_word(BOUNDS_REGISTERS + 16 * n + 8), upper, "%s: BND%u's upper bound", text, n);
}

/* Are all as bounds_fill left them, or else in their initial configuration? */
static inline void bounds_all(bool filled, const char *text)
{
    bounds_save();
    for (unsigned n = 0; n < 4; n++)
        LAB_EQUAL(*bounds_word(BOUNDS_REGISTERS + 16 * n), filled ? (n + 1ul) << 12 : 0, "%s: BND%u", text,
                  n);
}

#endif
