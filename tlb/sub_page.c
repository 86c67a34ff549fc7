/* sub_page.c: SDM volume 3C, "Determining an Access's Sub-Page Write Permission". Writes are allowed for each
 * 128 bytes of a page by a vector in memory, at the end of a walk of its own. */
#include "tlb/room.h"

#define SPP_VALID 1ull
#define SPP_ENTRY_RESERVED 0xffeull /* bits 11:1 of an entry that references a table */
#define SPP_VECTOR_RESERVED 0xaaaaaaaaaaaaaaaaull
#define SUB_PAGE_SHIFT 7
#define QUALIFICATION_MISS (1ull << 11) /* else a misconfiguration */

static enum mmu_status spp_event(struct walk *walk, uint64_t guest_physical, uint64_t qualification)
{
    *walk->fault = (struct mmu_fault){
        .linear = walk->linear, .guest_physical = guest_physical, .qualification = qualification};
    return MMU_SPP_EVENT;
}

static uint64_t read_entry(struct walk *walk, uint64_t table, uint64_t guest_physical, unsigned level)
{
    uint64_t address = table | (guest_physical >> (12 + 9 * level) & 511) << 3;
    walk_count_ept_reference(walk, address);
    return phys_read64(walk->mmu->mem, address);
}

/* The bits of the sub-pages that the access touches. */
static uint64_t touched(uint64_t guest_physical, unsigned size)
{
    const unsigned first = guest_physical >> SUB_PAGE_SHIFT & 31;
    const unsigned last = (guest_physical + (size ? size - 1 : 0)) >> SUB_PAGE_SHIFT & 31;
    uint64_t bits = 0;
    for (unsigned sub_page = first; sub_page <= last; sub_page++)
        bits |= 1ull << 2 * sub_page;
    return bits;
}

enum mmu_status sub_page_write_allowed(struct walk *walk, uint64_t guest_physical, bool *allowed)
{
    const uint64_t beyond = ~((1ull << walk->mmu->profile->physical_address_bits) - 1);
    const uint64_t in_page = 4096 - (guest_physical & 0xfff);
    uint64_t table = walk->mmu->regime.spptp & TLB_PHYSICAL;

    for (unsigned level = 3; level; level--) {
        const uint64_t entry = read_entry(walk, table, guest_physical, level);
        if (!(entry & SPP_VALID))
            return spp_event(walk, guest_physical, QUALIFICATION_MISS);
        if (entry & (SPP_ENTRY_RESERVED | beyond))
            return spp_event(walk, guest_physical, 0);
        table = entry & TLB_PHYSICAL;
    }
    const uint64_t vector = read_entry(walk, table, guest_physical, 0);
    if (vector & SPP_VECTOR_RESERVED)
        return spp_event(walk, guest_physical, 0);
    const uint64_t needed =
        touched(guest_physical, walk->mode.size < in_page ? walk->mode.size : (unsigned)in_page);
    *allowed = (vector & needed) == needed;
    return MMU_OK;
}
