/*
 * working_set.h: pages of a known working set, for guests whose TLB flushes are counted.
 *
 * The tables continue those of boot.S, whose entries all lie in the first line of their tables. The entries
 * here lie in other lines, so that all fit into any modelled first-level cache together: a reference costs
 * what that cache costs.
 */
#ifndef TESTS_GUESTS_COMMON_WORKING_SET_H
#define TESTS_GUESTS_COMMON_WORKING_SET_H

#include "machine.h"

enum {
    SET_PML4_INDEX = 8,
    SET_PDPT_INDEX = 16,
    SET_PD_INDEX = 24,
    SET_PT_INDEX = 32,
    SET_PRESENT_WRITABLE_USED = 0x63, /* P, R/W, A, D: nothing is left to be set by a walk */
    SET_GLOBAL = 0x100,
    SET_EPT_INDEX = 48, /* of the first frame in its table */
    SET_PAGES = 4,
};
#define SET_FRAMES                                                                                           \
    (0x2000000ull + SET_EPT_INDEX * 0x1000ull) /* 32 MiB and a little: RAM that nothing else uses */

/* Linear address of a page of the set. The third is global. */
static inline uint64_t set_page(unsigned i)
{
    return (uint64_t)SET_PML4_INDEX << 39 | (uint64_t)SET_PDPT_INDEX << 30 | (uint64_t)SET_PD_INDEX << 21 |
           (uint64_t)(SET_PT_INDEX + i) << 12;
}

static inline void set_map(void)
{
    static uint64_t pdpt[512] __attribute__((aligned(4096))), pd[512] __attribute__((aligned(4096))),
        pt[512] __attribute__((aligned(4096)));
    uint64_t *pml4 = (uint64_t *)(read_cr3() & ~0xfffull);
    pml4[SET_PML4_INDEX] = (uint64_t)pdpt | SET_PRESENT_WRITABLE_USED;
    pdpt[SET_PDPT_INDEX] = (uint64_t)pd | SET_PRESENT_WRITABLE_USED;
    pd[SET_PD_INDEX] = (uint64_t)pt | SET_PRESENT_WRITABLE_USED;
    for (unsigned i = 0; i < SET_PAGES; i++)
        pt[SET_PT_INDEX + i] =
            (SET_FRAMES + i * 0x1000ull) | SET_PRESENT_WRITABLE_USED | (i == 2 ? (uint64_t)SET_GLOBAL : 0);
}

static inline void set_read(unsigned i)
{
    (void)*(volatile uint8_t *)set_page(i);
}
static inline void set_write(unsigned i)
{
    *(volatile uint8_t *)set_page(i) = 1;
}

#endif
