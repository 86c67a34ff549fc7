/*
 * window.h: sixteen pages of a 64-bit program at linear WINDOW, each mapped as the test wants it, to sixteen
 * pages of memory of its own.
 */
#ifndef TESTS_CORE_CONFORMANCE_WINDOW_H
#define TESTS_CORE_CONFORMANCE_WINDOW_H

#include "lab.h"

enum {
    PAGE = 4096,
    WINDOW_PAGES = 16,
    PAGE_P = 1,
    PAGE_W = 2,
    PAGE_U = 4,
    PAGE_ALL = PAGE_P | PAGE_W | PAGE_U,
    PF_P = 1, /* error code */
    PF_W = 2,
    PF_U = 4,
    PF_I = 16,
};
#define PAGE_NX (1ul << 63)
#define WINDOW (1ul << 39) /* PML4 entry 1 */

static uint64_t window_tables[3][512] __attribute__((aligned(4096)));
static uint8_t window_memory[WINDOW_PAGES][PAGE] __attribute__((aligned(4096)));

static inline uint8_t *window_at(unsigned page)
{
    unsigned long at = WINDOW + page * (unsigned long)PAGE;
    __asm__("" : "+r"(at)); /* an address, not an object of the compiler's */
    return (uint8_t *)at;
}

/* A page of the window becomes one of the memory. flags: PAGE_P and its like, 0 for none. */
static inline uint8_t *window_map(unsigned page, unsigned memory, unsigned long flags)
{
    uint8_t *at = window_at(page);
    ((volatile uint64_t *)window_tables[2])[page] = (unsigned long)window_memory[memory] | flags;
    __asm__ volatile("invlpg (%0)" ::"r"(at) : "memory");
    return at;
}

/* Page n is memory n, with all rights. EFER.NXE is set. */
static inline void window_open(void)
{
    extern uint64_t boot_pml4[];
    enum { EFER_NXE = 1 << 11 };
    wrmsr(0xc0000080, rdmsr(0xc0000080) | EFER_NXE);
    boot_pml4[1] = (unsigned long)window_tables[0] | PAGE_ALL;
    window_tables[0][0] = (unsigned long)window_tables[1] | PAGE_ALL;
    window_tables[1][0] = (unsigned long)window_tables[2] | PAGE_ALL;
    for (unsigned i = 0; i < WINDOW_PAGES; i++)
        window_map(i, i, PAGE_ALL);
}

#endif
