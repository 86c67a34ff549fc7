/* walk_levels.c: paging structures of 64-bit entries, shared by PAE, 4-level and 5-level paging. */
#include "tlb/walk.h"

#define ENTRY_P 1ull
#define ENTRY_RW 2ull
#define ENTRY_US 4ull
#define ENTRY_PS 0x80ull
#define ENTRY_G 0x100ull
#define ENTRY_RESTART 0x800ull /* in HLAT paging */
#define ENTRY_XD (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull

/* Level 0: page table, 1: page directory, 2: page-directory-pointer table, 3: PML4 table, 4: PML5
 * table. */
static const struct {
    enum tlb_size size;
    bool may_map;            /* has a PS bit; at level 0 every entry maps */
    uint64_t large_reserved; /* below the page's address and above the PAT bit */
} levels[5] = {
    {TLB_4K, true, 0},
    {TLB_2M, true, 0x00000000001fe000ull},
    {TLB_1G, true, 0x000000003fffe000ull},
    {TLB_4K, false, 0},
    {TLB_4K, false, 0},
};

static bool maps_page(const struct cpu_profile *profile, uint64_t entry, unsigned level)
{
    if (level == 0)
        return true;
    return levels[level].may_map && (entry & ENTRY_PS) && (level < 2 || profile->has_1g_pages);
}

/* SDM volume 3A, "Page-Fault Exceptions", the RSVD flag. PS is reserved where it does not map a page. */
static uint64_t reserved_bits(bool maps, unsigned level)
{
    if (maps)
        return levels[level].large_reserved;
    return ENTRY_PS;
}

/* SDM volume 3A, "Details of TLB Use", the size of a page after a restart: that of the level which restarted,
 * and above the page-directory pointers no limit. */
static void note_restart(struct walk *walk, unsigned level)
{
    walk->restart = true;
    if (level < 3)
        walk->most = levels[level].size;
}

static void note_page(struct walk *walk, uint64_t entry, unsigned level)
{
    const uint64_t offset = (1ull << tlb_size_bits[levels[level].size]) - 1;
    walk->size = levels[level].size;
    walk->global = (entry & ENTRY_G) && walk->mmu->tlb->current.global_pages;
    walk->guest_physical = (entry & ENTRY_ADDRESS & ~offset) | (walk->linear & offset);
}

/* SDM volume 3A, "Page-Fault Exceptions", the HLAT flag. */
static uint32_t hlat_flag(const struct walk *walk)
{
    return walk->hlat ? PF_HLAT : 0;
}

enum mmu_status walk_levels(struct walk *walk, uint64_t table, unsigned level, uint64_t always_reserved)
{
    const struct cpu_profile *profile = walk->mmu->profile;
    uint64_t rights = ENTRY_RW | ENTRY_US;
    uint64_t execute_disable = 0;

    walk->entry_size = 8;
    always_reserved |= beyond_physical_width(profile) | (walk->mmu->tlb->current.nx ? 0 : ENTRY_XD);
    for (;; level--) {
        uint64_t entry;
        uint64_t index = walk->linear >> (12 + 9 * level) & 511;
        enum mmu_status status = walk_read_entry(walk, table | index << 3, &entry);
        if (status != MMU_OK)
            return status;
        if (!(entry & ENTRY_P))
            return walk_page_fault(walk, hlat_flag(walk));
        bool maps = maps_page(profile, entry, level);
        if (entry & (always_reserved | reserved_bits(maps, level)))
            return walk_page_fault(walk, PF_P | PF_RSVD | hlat_flag(walk));
        if (walk->hlat && (entry & ENTRY_RESTART)) {
            note_restart(walk, level);
            return MMU_OK;
        }
        rights &= entry;
        execute_disable |= entry & ENTRY_XD;
        if (maps) {
            walk->flags = (rights & ENTRY_US ? TLB_USER : 0) | (rights & ENTRY_RW ? TLB_WRITE : 0) |
                          (execute_disable ? TLB_NX : 0) | (entry & TLB_KEY & ~always_reserved);
            note_page(walk, entry, level);
            return MMU_OK;
        }
        table = entry & ENTRY_ADDRESS;
    }
}
