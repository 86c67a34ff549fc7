/*
 * walk_4level.c: SDM volume 3A, "4-Level Paging and 5-Level Paging". Bits above the 48 or 57 of the linear
 * address are not looked at: whoever formed it has checked that it is canonical.
 *
 * "Ordinary Paging and HLAT Paging": the latter begins at the HLAT pointer. With a prefix size other than 0
 * (1 is the most that processors report) it is used for addresses with bit 63 set.
 */
#include "tlb/walk.h"

static bool uses_hlat(const struct walk *walk)
{
    const struct tlb_current *now = &walk->mmu->tlb->current;
    return now->hlat && (!now->hlat_upper_only || walk->linear >> 63);
}

/* "Restart of HLAT Paging": the entire address is translated again, as if the feature were not enabled. What
 * the entries used so far allow, and where they lie, does not count; their accessed flags will be set. */
static enum mmu_status restart(struct walk *walk, unsigned level)
{
    walk->hlat = walk->restart = walk->unverified = false;
    enum mmu_status status = walk_levels(walk, walk->mmu->regime.cr3 & TLB_PHYSICAL, level, 0);
    if (status == MMU_OK && walk->size > walk->most)
        walk->size = walk->most;
    return status;
}

static enum mmu_status walk_from_root(struct walk *walk, unsigned level)
{
    if (__builtin_expect(!uses_hlat(walk), 1))
        return walk_levels(walk, walk->mmu->regime.cr3 & TLB_PHYSICAL, level, 0);
    walk->hlat = true;
    walk->most = TLB_1G;
    enum mmu_status status = walk_levels(walk, walk->mmu->regime.hlat_pointer & TLB_PHYSICAL, level, 0);
    return status == MMU_OK && walk->restart ? restart(walk, level) : status;
}

enum mmu_status walk_4level(struct walk *walk)
{
    return walk_from_root(walk, 3);
}

enum mmu_status walk_5level(struct walk *walk)
{
    return walk_from_root(walk, 4);
}
