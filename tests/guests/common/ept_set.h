/*
 * ept_set.h: an EPT for guests that use the working set: 2 MiB of identity, and the set's frames by 4-KByte
 * pages of their own; a second address space in which the set's first page is elsewhere.
 */
#ifndef TESTS_GUESTS_COMMON_EPT_SET_H
#define TESTS_GUESTS_COMMON_EPT_SET_H

#include "working_set.h"

enum {
    EPT_ALL = 7,
    EPT_WRITE_BACK = 6 << 3,
    EPT_LARGE = 1 << 7,
    EPT_POINTER_FORM = 3 << 3 | 6, /* four levels, write-back */
    FRAMES_PD_INDEX = 16,
};

#define PAGE_OF_TABLES(name) static uint64_t name[512] __attribute__((aligned(4096)))
PAGE_OF_TABLES(ept_pml4);
PAGE_OF_TABLES(ept_pdpt);
PAGE_OF_TABLES(ept_pd);
PAGE_OF_TABLES(ept_pt);

/* Gives the EPT pointer. */
static inline uint64_t make_ept(void)
{
    ept_pml4[0] = (uint64_t)ept_pdpt | EPT_ALL;
    ept_pdpt[0] = (uint64_t)ept_pd | EPT_ALL;
    ept_pd[0] = EPT_ALL | EPT_WRITE_BACK | EPT_LARGE;
    ept_pd[FRAMES_PD_INDEX] = (uint64_t)ept_pt | EPT_ALL;
    for (unsigned i = 0; i < SET_PAGES; i++)
        ept_pt[SET_EPT_INDEX + i] = (SET_FRAMES + i * 0x1000ull) | EPT_WRITE_BACK | EPT_ALL;
    return (uint64_t)ept_pml4 | EPT_POINTER_FORM;
}

static inline uint64_t *table_of(uint64_t entry)
{
    return (uint64_t *)(entry & 0x000ffffffffff000ull);
}

/* The present address space's entry for a page of the set. */
static inline volatile uint64_t *entry_of(unsigned page)
{
    uint64_t *pml4 = table_of(read_cr3()), *pdpt = table_of(pml4[SET_PML4_INDEX]),
             *pd = table_of(pdpt[SET_PDPT_INDEX]);
    return &table_of(pd[SET_PD_INDEX])[SET_PT_INDEX + page];
}

/* As the present address space, with the set's first page alone, and that at its third frame. Gives CR3. */
static inline uint64_t make_other_address_space(void)
{
    static uint64_t other_pml4[512] __attribute__((aligned(4096))),
        other_pdpt[512] __attribute__((aligned(4096))), other_pd[512] __attribute__((aligned(4096))),
        other_pt[512] __attribute__((aligned(4096)));
    const uint64_t *pml4 = table_of(read_cr3());
    for (unsigned i = 0; i < 512; i++)
        other_pml4[i] = pml4[i];
    other_pml4[SET_PML4_INDEX] = (uint64_t)other_pdpt | SET_PRESENT_WRITABLE_USED;
    other_pdpt[SET_PDPT_INDEX] = (uint64_t)other_pd | SET_PRESENT_WRITABLE_USED;
    other_pd[SET_PD_INDEX] = (uint64_t)other_pt | SET_PRESENT_WRITABLE_USED;
    other_pt[SET_PT_INDEX] = (SET_FRAMES + 2 * 0x1000ull) | SET_PRESENT_WRITABLE_USED;
    return (uint64_t)other_pml4;
}

#endif
