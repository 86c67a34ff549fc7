/* ept_misconfiguration.c: SDM volume 3C, "EPT Misconfigurations", and the tables of formats that it refers
 * to. */
#include "tlb/walk.h"

#define EPT_R 1ull
#define EPT_W 2ull
#define EPT_X 4ull
#define EPT_PS 0x80ull
#define EPT_PAGING_WRITE (1ull << 58)
#define EPT_CAP_EXECUTE_ONLY (1ull << 0)
#define EPT_CAP_PAGE_2M (1ull << 16)
#define EPT_CAP_PAGE_1G (1ull << 17)

/* Level 0: EPT PTE, 1: PDE, 2: PDPTE, 3: PML4E, 4: PML5E. */
static const struct {
    uint64_t table_reserved;  /* an entry that references a table */
    uint64_t page_reserved;   /* an entry that maps a page */
    uint64_t page_capability; /* IA32_VMX_EPT_VPID_CAP: bit 7 may be 1 */
} formats[5] = {
    {0, 0, 0},
    {0x78, 0x00000000001ff000ull, EPT_CAP_PAGE_2M},
    {0x78, 0x000000003ffff000ull, EPT_CAP_PAGE_1G},
    {0xf8, 0, 0},
    {0xf8, 0, 0},
};

/* Reserved EPT memory types. */
static bool memory_type_reserved(uint64_t entry)
{
    uint64_t type = entry >> 3 & 7;
    return type == 2 || type == 3 || type == 7;
}

bool ept_maps_page(uint64_t entry, unsigned level)
{
    return level == 0 || (level < 3 && (entry & EPT_PS));
}

bool ept_misconfigured(const struct mmu *mmu, uint64_t entry, unsigned level)
{
    const struct cpu_profile *profile = mmu->profile;
    uint64_t capabilities = profile->vmx.ept_vpid_cap;
    if (!(entry & EPT_R) && ((entry & EPT_W) || !(capabilities & EPT_CAP_EXECUTE_ONLY)))
        return true;
    if (entry & beyond_physical_width(profile))
        return true;
    if (!ept_maps_page(entry, level))
        return (entry & formats[level].table_reserved) != 0;
    if (mmu->tlb->current.paging_write && !(entry & EPT_R) && (entry & EPT_PAGING_WRITE))
        return true;
    /* Bit 7 is reserved where the processor has no pages of that size. */
    if (level && !(capabilities & formats[level].page_capability))
        return true;
    return (entry & formats[level].page_reserved) || memory_type_reserved(entry);
}
