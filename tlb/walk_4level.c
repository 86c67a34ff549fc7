/* walk_4level.c: SDM volume 3A, "4-Level Paging and 5-Level Paging". Bits above the 48 or 57 of the linear
 * address are not looked at: whoever formed it has checked that it is canonical. */
#include "tlb/walk.h"

enum mmu_status walk_4level(struct walk *walk)
{
    return walk_levels(walk, walk->mmu->regime.cr3 & TLB_PHYSICAL, 3, 0);
}

enum mmu_status walk_5level(struct walk *walk)
{
    return walk_levels(walk, walk->mmu->regime.cr3 & TLB_PHYSICAL, 4, 0);
}
