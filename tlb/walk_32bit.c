/* walk_32bit.c: SDM volume 3A, "32-Bit Paging". */
#include "tlb/walk.h"

#define ENTRY_P 1ull
#define ENTRY_RW 2ull
#define ENTRY_US 4ull
#define ENTRY_PS 0x80ull
#define ENTRY_G 0x100ull
#define ENTRY_ADDRESS 0xfffff000ull

static uint64_t flags_of(uint64_t rights)
{
    return (rights & ENTRY_US ? TLB_USER : 0) | (rights & ENTRY_RW ? TLB_WRITE : 0);
}

/* "Formats of CR3 and Paging-Structure Entries with 32-Bit Paging": with PSE-36 bits 39:32 of a 4-MByte
 * page's address are in bits 20:13, as far as the physical-address width M goes; bits 21:(M-19) are reserved.
 */
static enum mmu_status map_4m(struct walk *walk, uint64_t pde)
{
    unsigned width = walk->mmu->profile->physical_address_bits;
    unsigned m = width < 40 ? width : 40;
    uint64_t reserved = 0x3fe000ull & ~((1ull << (m - 19)) - 1);
    if (pde & reserved)
        return walk_page_fault(walk, PF_P | PF_RSVD);
    walk->flags = flags_of(pde);
    walk->size = TLB_4M;
    walk->global = (pde & ENTRY_G) && walk->mmu->tlb->current.global_pages;
    walk->guest_physical = (pde & 0xffc00000ull) | (pde & 0x1fe000ull) << 19 | (walk->linear & 0x3fffff);
    return MMU_OK;
}

enum mmu_status walk_32bit(struct walk *walk)
{
    const struct mmu_regime *regime = &walk->mmu->regime;
    uint64_t pde, pte;
    walk->entry_size = 4;
    enum mmu_status status =
        walk_read_entry(walk, (regime->cr3 & ENTRY_ADDRESS) | (walk->linear >> 22 & 1023) << 2, &pde);
    if (status != MMU_OK)
        return status;
    if (!(pde & ENTRY_P))
        return walk_page_fault(walk, 0);
    if ((pde & ENTRY_PS) && (regime->cr4 & CR4_PSE))
        return map_4m(walk, pde);
    status = walk_read_entry(walk, (pde & ENTRY_ADDRESS) | (walk->linear >> 12 & 1023) << 2, &pte);
    if (status != MMU_OK)
        return status;
    if (!(pte & ENTRY_P))
        return walk_page_fault(walk, 0);
    walk->flags = flags_of(pde & pte);
    walk->size = TLB_4K;
    walk->global = (pte & ENTRY_G) && walk->mmu->tlb->current.global_pages;
    walk->guest_physical = (pte & ENTRY_ADDRESS) | (walk->linear & 0xfff);
    return MMU_OK;
}
