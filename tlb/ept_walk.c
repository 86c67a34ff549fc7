/* ept_walk.c: SDM volume 3C, "EPT Translation Mechanism", "EPT Violations", "Accessed and Dirty Flags for
 * EPT", "Page-Modification Logging". */
#include "tlb/room.h"

#define EPT_ACCESSED 0x100ull
#define EPT_DIRTY 0x200ull
#define EPT_PRESENT 7ull
#define PML_ENTRIES 512
#define GUEST_PHYSICAL_BEYOND_4_LEVELS 0xffff000000000000ull

static const enum tlb_size level_size[3] = {TLB_4K, TLB_2M, TLB_1G};

/* SDM "Exit Qualification for EPT Violations": bits 2:0 the access, 5:3 what the entries allow. Bits 11:9
 * belong to the advanced information that no profile advertises, bit 6 to mode-based execute control. */
static enum mmu_status violation(struct walk *walk, uint64_t guest_physical, unsigned need, unsigned rights,
                                 enum ept_purpose purpose)
{
    *walk->fault = (struct mmu_fault){
        .linear = purpose == EPT_FOR_PDPTE ? 0 : walk->linear,
        .guest_physical = guest_physical,
        .qualification = (uint64_t)need | (uint64_t)rights << 3 | (uint64_t)purpose,
    };
    return MMU_EPT_VIOLATION;
}

static enum mmu_status misconfiguration(struct walk *walk, uint64_t guest_physical)
{
    *walk->fault = (struct mmu_fault){.linear = walk->linear, .guest_physical = guest_physical};
    return MMU_EPT_MISCONFIGURATION;
}

/* The entries that one EPT walk used, from the PML4E to the one that maps the page. */
struct ept_path {
    uint64_t address[4], value[4];
    unsigned depth;
};

/* The flags that the access sets in an entry of the path. */
static uint64_t wanted_flags(const struct ept_path *path, unsigned i, bool write)
{
    return EPT_ACCESSED | (write && i == path->depth - 1 ? EPT_DIRTY : 0);
}

static bool lacks_flags(const struct ept_path *path, bool write)
{
    bool lacks = false;
    for (unsigned i = 0; i < path->depth; i++)
        lacks |= (~path->value[i] & wanted_flags(path, i, write)) != 0;
    return lacks;
}

/* SDM "Page-Modification Logging": the index counts down, and from 0 to FFFFH. */
static void log_modification(const struct walk *walk, uint64_t guest_physical)
{
    const struct mmu_regime *regime = &walk->mmu->regime;
    phys_write64(walk->mmu->mem, regime->pml_address + 8u * *regime->pml_index,
                 guest_physical & TLB_PHYSICAL);
    --*regime->pml_index;
}

/* False: a page-modification log-full event; nothing was set. The log is full for accessed flags too. */
static bool set_flags(const struct walk *walk, struct ept_path *path, uint64_t guest_physical, bool write)
{
    const uint16_t *pml_index = walk->mmu->regime.pml_index;
    if (!lacks_flags(path, write))
        return true;
    if (pml_index && *pml_index >= PML_ENTRIES)
        return false;
    const bool becomes_dirty = write && !(path->value[path->depth - 1] & EPT_DIRTY);
    for (unsigned i = 0; i < path->depth; i++) {
        const uint64_t value = path->value[i] | wanted_flags(path, i, write);
        if (value != path->value[i])
            phys_write64(walk->mmu->mem, path->address[i], value);
        path->value[i] = value;
    }
    if (pml_index && becomes_dirty)
        log_modification(walk, guest_physical);
    return true;
}

/* Fills path and page, or says why not. */
static enum mmu_status descend(struct walk *walk, uint64_t guest_physical, unsigned need,
                               enum ept_purpose purpose, struct ept_path *path, struct ept_page *page)
{
    uint64_t table = walk->mmu->regime.eptp & TLB_PHYSICAL;
    page->rights = 7;
    for (unsigned level = 3;; level--) {
        uint64_t address = table | (guest_physical >> (12 + 9 * level) & 511) << 3;
        uint64_t entry = phys_read64(walk->mmu->mem, address);
        walk_count_ept_reference(walk, address);
        if (!(entry & EPT_PRESENT))
            return violation(walk, guest_physical, need, 0, purpose);
        if (ept_misconfigured(walk->mmu->profile, entry, level))
            return misconfiguration(walk, guest_physical);
        path->address[path->depth] = address;
        path->value[path->depth++] = entry;
        page->rights &= (unsigned)(entry & EPT_PRESENT);
        if (ept_maps_page(entry, level)) {
            /* The analyzer does not see that only levels 0 to 2 map a page. */
            page->size = level_size[level]; // NOLINT(clang-analyzer-core.uninitialized.Assign)
            uint64_t offset = (1ull << tlb_size_bits[page->size]) - 1;
            page->physical = (entry & TLB_PHYSICAL & ~offset) | (guest_physical & offset);
            return MMU_OK;
        }
        table = entry & TLB_PHYSICAL;
    }
}

static enum mmu_status ept_walk(struct walk *walk, uint64_t guest_physical, unsigned need,
                                enum ept_purpose purpose, struct ept_page *page)
{
    struct ept_path path = {.depth = 0};
    /* With 4-level EPT bits 51:48 must be zero. */
    if (guest_physical & GUEST_PHYSICAL_BEYOND_4_LEVELS)
        return violation(walk, guest_physical, need, 0, purpose);
    enum mmu_status status = descend(walk, guest_physical, need, purpose, &path, page);
    if (status != MMU_OK || walk->quiet)
        return status;
    if ((page->rights & need) != need)
        return violation(walk, guest_physical, need, page->rights, purpose);
    page->dirty = false;
    if (walk->mmu->tlb->current.ept_accessed_dirty) {
        if (!set_flags(walk, &path, guest_physical, (need & EPT_NEED_WRITE) != 0))
            return MMU_PML_FULL;
        page->dirty = (path.value[path.depth - 1] & EPT_DIRTY) != 0;
    }
    return MMU_OK;
}

/* A cached mapping serves if it allows the access and no dirty flag is to be set. */
static bool use_cached(const struct walk *walk, struct tlb_hit hit, uint64_t guest_physical, unsigned need,
                       struct ept_page *page)
{
    struct tlb *tlb = walk->mmu->tlb;
    uint64_t frame = hit.array->frame[hit.index];
    page->rights = (unsigned)(frame >> TLB_EPT_SHIFT) & 7u;
    page->dirty = (frame & TLB_EPT_DIRTY) != 0;
    if ((page->rights & need) != need ||
        ((need & EPT_NEED_WRITE) && tlb->current.ept_accessed_dirty && !page->dirty))
        return false;
    page->size = (enum tlb_size)(hit.array->where[hit.index] >> TLB_SIZE_SHIFT & 3);
    uint64_t offset = (1ull << tlb_size_bits[page->size]) - 1;
    page->physical = (frame & TLB_PHYSICAL & ~offset) | (guest_physical & offset);
    tlb_touch(tlb, hit);
    return true;
}

/* Any cached mapping may be left unused. With page-modification logging the dirty flag of the page that a
 * linear address reaches is looked up in memory once its combined mapping is gone: software that clears the
 * flag and enters the guest again finds each page logged anew, as on processors that keep guest-physical
 * mappings for paging structures only (kvm-unit-tests' PML relies on it). */
static bool looks_for_dirty_flag(const struct walk *walk, enum ept_purpose purpose)
{
    return walk->mmu->regime.pml_index && purpose == EPT_FOR_LINEAR_ADDRESS;
}

static enum mmu_status translate(struct walk *walk, uint64_t guest_physical, unsigned need,
                                 enum ept_purpose purpose, struct ept_page *page)
{
    struct tlb *tlb = walk->mmu->tlb;
    struct tlb_hit hit;
    bool beyond = (guest_physical & GUEST_PHYSICAL_BEYOND_4_LEVELS) != 0;
    if (walk->quiet || looks_for_dirty_flag(walk, purpose))
        return ept_walk(walk, guest_physical, need, purpose, page);
    if (!beyond && tlb_find_guest_physical(tlb, guest_physical, &hit) &&
        use_cached(walk, hit, guest_physical, need, page))
        return MMU_OK;
    const uint64_t before = walk->ept_cycles;
    enum trace_flush_cause cause;
    enum mmu_status status = ept_walk(walk, guest_physical, need, purpose, page);
    if (status != MMU_OK)
        return status;
    if (tlb->guest_physical_ghost_count && tlb_take_guest_physical_ghost(tlb, guest_physical, &cause)) {
        mmu_account_refill(walk->mmu, cause, TRACE_MAPPING_GUEST_PHYSICAL, guest_physical,
                           walk->ept_cycles - before);
        walk->refill_cycles += walk->ept_cycles - before;
    }
    struct tlb_dropped replaced = {0};
    tlb_drop_guest_physical_address(tlb, guest_physical, &replaced);
    tlb_insert_guest_physical(tlb, guest_physical,
                              (page->physical & TLB_PHYSICAL) | (uint64_t)page->rights << TLB_EPT_SHIFT |
                                  (page->dirty ? TLB_EPT_DIRTY : 0),
                              page->size);
    return MMU_OK;
}

/* SDM "Guest-Physical Accesses to the APIC-Access Page": paging structures and PDPTEs, below EPT violations.
 */
enum mmu_status ept_access(struct walk *walk, uint64_t guest_physical, unsigned need,
                           enum ept_purpose purpose, struct ept_page *page)
{
    enum mmu_status status = translate(walk, guest_physical, need, purpose, page);
    if (status == MMU_OK && purpose != EPT_FOR_LINEAR_ADDRESS && !walk->quiet &&
        mmu_on_apic_access_page(walk->mmu, page->physical))
        return mmu_guest_physical_apic_access(walk->fault);
    return status;
}
