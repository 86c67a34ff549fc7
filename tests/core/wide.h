/* wide.h: the harness's processor in 64-bit mode, and what its tests run and expect. */
#ifndef VTSIM_TESTS_CORE_WIDE_H
#define VTSIM_TESTS_CORE_WIDE_H

#include "tests/core/harness.h"

enum {
    LEVEL_4 = HARNESS_TABLES,
    LEVEL_3 = LEVEL_4 + 0x1000,
    LEVEL_2 = LEVEL_3 + 0x1000,
    LEVEL_1 = LEVEL_2 + 0x1000
};
#define NOT_CANONICAL 0x0000800000000000ull

static inline uint64_t *entry(struct harness *h, uint64_t table, unsigned index)
{
    return (uint64_t *)(void *)(h->mem.ram + table) + index;
}

/* The page-table entry of an address below 2 MiB. */
static inline uint64_t *page_entry(struct harness *h, uint64_t linear)
{
    return entry(h, LEVEL_1, (unsigned)(linear >> 12));
}

/* 2 MiB 1:1, at both ends of the canonical halves too. */
static inline void wide(struct harness *h)
{
    harness_flat_32(h);
    struct cpu_state *s = &h->state;
    for (unsigned top = 0; top < 512; top += 255) { /* 0, 255, 510: the last is not used */
        *entry(h, LEVEL_4, top) = LEVEL_3 | 7;
        *entry(h, LEVEL_3, top ? 511 : 0) = LEVEL_2 | 7;
        *entry(h, LEVEL_2, top ? 511 : 0) = LEVEL_1 | 7;
    }
    for (unsigned i = 0; i < 512; i++)
        *entry(h, LEVEL_1, i) = i << 12 | 3;
    s->cr0 |= CR0_PG | CR0_WP | CR0_NE;
    s->cr3 = LEVEL_4;
    s->cr4 = CR4_PAE | CR4_OSFXSR;
    s->msr.efer = EFER_LME | EFER_LMA;
    s->seg[SEG_CS].access_rights = 0xa09b;
    mmu_set_regime(&h->mmu,
                   &(struct mmu_regime){.cr0 = s->cr0, .cr3 = s->cr3, .cr4 = s->cr4, .efer = s->msr.efer});
    h->exceptions = h->faults = 0;
}

#define RUN(h, ...)                                                                                          \
    do {                                                                                                     \
        static const uint8_t bytes[] = {__VA_ARGS__};                                                        \
        harness_load(h, HARNESS_CODE, bytes, sizeof bytes);                                                  \
        harness_run(h);                                                                                      \
    } while (0)

static inline void expect(const struct harness *h, unsigned vector, uint64_t rip)
{
    assert_int_equal(h->faults, 0);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, vector);
    assert_true(h->event.has_error_code);
    assert_int_equal(h->event.error_code, 0);
    assert_int_equal(h->state.rip, rip);
}

#endif
