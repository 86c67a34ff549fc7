/* walk_pae.c: SDM volume 3A, "PAE Paging". The PDPTEs are registers: see pdpte.c for their loading. */
#include "tlb/walk.h"

/* Bits 62:52 are reserved in PAE entries; with 4-level paging they are ignored. */
#define PAE_RESERVED 0x7ff0000000000000ull

enum mmu_status walk_pae(struct walk *walk)
{
    uint64_t pdpte = walk->mmu->regime.pdpte[walk->linear >> 30 & 3];
    if (!(pdpte & 1))
        return walk_page_fault(walk, 0);
    return walk_levels(walk, pdpte & TLB_PHYSICAL, 1, PAE_RESERVED);
}
