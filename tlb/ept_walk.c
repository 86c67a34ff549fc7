/* ept_walk.c: SDM volume 3C, "EPT Translation Mechanism", "EPT Violations", "Accessed and Dirty Flags for
 * EPT", "Page-Modification Logging". */
#include "tlb/room.h"

#define EPT_ACCESSED 0x100ull
#define EPT_DIRTY 0x200ull
#define EPT_PRIVILEGES 7ull
#define EPT_USER_EXECUTE (1ull << 10)
#define EPT_CAP_ADVANCED_INFORMATION (1ull << 22)
#define EPT_VERIFY_GUEST_PAGING (1ull << 57)
#define EPT_PAGING_WRITE (1ull << 58)
#define EPT_SUB_PAGE_WRITE (1ull << 61)
#define QUALIFICATION_GUEST_PAGING_VERIFICATION (1ull << 15)
#define EPT_SUPPRESS_VE (1ull << 63)
#define PML_ENTRIES 512
#define GUEST_PHYSICAL_BEYOND_4_LEVELS 0xffff000000000000ull

static const enum tlb_size level_size[3] = {TLB_4K, TLB_2M, TLB_1G};

/* Advanced VM-exit information for EPT violations, bits 11:9: what paging makes of the linear address. */
static uint64_t advanced_information(const struct walk *walk, enum ept_purpose purpose)
{
    if (purpose != EPT_FOR_LINEAR_ADDRESS ||
        !(walk->mmu->profile->vmx.ept_vpid_cap & EPT_CAP_ADVANCED_INFORMATION))
        return 0;
    return (walk->flags & TLB_USER ? 1u << 9 : 0) | (walk->flags & TLB_WRITE ? 1u << 10 : 0) |
           (walk->flags & TLB_NX ? 1u << 11 : 0);
}

/* entry: the one that is not present or that maps the page; it says whether the violation is convertible (SDM
 * "Convertible EPT Violations").
 * SDM "Exit Qualification for EPT Violations": bits 2:0 the access, 5:3 what the entries allow, and bit 6,
 * with mode-based execute control, whether user-mode fetches are. */
static enum mmu_status violation(struct walk *walk, uint64_t guest_physical, unsigned need, unsigned rights,
                                 enum ept_purpose purpose, uint64_t entry)
{
    *walk->fault = (struct mmu_fault){
        .linear = purpose == EPT_FOR_PDPTE ? 0 : walk->linear,
        .guest_physical = guest_physical,
        .qualification = (need & EPT_NEED_USER_FETCH ? EPT_NEED_FETCH : need) | (uint64_t)rights << 3 |
                         (uint64_t)purpose | advanced_information(walk, purpose),
        .convertible = !(entry & EPT_SUPPRESS_VE),
    };
    return MMU_EPT_VIOLATION;
}

static enum mmu_status misconfiguration(struct walk *walk, uint64_t guest_physical)
{
    *walk->fault = (struct mmu_fault){.linear = walk->linear, .guest_physical = guest_physical};
    return MMU_EPT_MISCONFIGURATION;
}

/* The entries that one EPT walk used, from the PML4E or PML5E to the one that maps the page. */
struct ept_path {
    uint64_t address[5], value[5];
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
    phys_write64(walk->mmu->mem, regime->pml_address + 8ull * *regime->pml_index,
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

/* What one entry allows, as EPT_NEED_*; 0: the entry is not present. */
static unsigned privileges(const struct walk *walk, uint64_t entry)
{
    unsigned rights = (unsigned)(entry & EPT_PRIVILEGES);
    if (walk->mmu->tlb->current.mode_based_execute && (entry & EPT_USER_EXECUTE))
        rights |= EPT_NEED_USER_FETCH;
    return rights;
}

/* Fills path and page, or says why not. */
static enum mmu_status descend(struct walk *walk, uint64_t guest_physical, unsigned need,
                               enum ept_purpose purpose, struct ept_path *path, struct ept_page *page)
{
    uint64_t table = walk->mmu->regime.eptp & TLB_PHYSICAL;
    page->rights = EPT_NEED_READ | EPT_NEED_WRITE | EPT_NEED_FETCH | EPT_NEED_USER_FETCH;
    for (unsigned level = walk->mmu->tlb->current.ept_5level ? 4 : 3;; level--) {
        uint64_t address = table | (guest_physical >> (12 + 9 * level) & 511) << 3;
        uint64_t entry = phys_read64(walk->mmu->mem, address);
        walk_count_ept_reference(walk, address);
        if (!privileges(walk, entry))
            return violation(walk, guest_physical, need, 0, purpose, entry);
        if (ept_misconfigured(walk->mmu, entry, level))
            return misconfiguration(walk, guest_physical);
        path->address[path->depth] = address;
        path->value[path->depth++] = entry;
        if (ept_maps_page(entry, level)) {
            page->paging_write = (entry & EPT_PAGING_WRITE) != 0;
            page->verify = (entry & EPT_VERIFY_GUEST_PAGING) != 0;
            page->table_write = (page->rights & EPT_NEED_WRITE) != 0;
            page->rights &= privileges(walk, entry);
            /* The analyzer does not see that only levels 0 to 2 map a page. */
            page->size = level_size[level]; // NOLINT(clang-analyzer-core.uninitialized.Assign)
            uint64_t offset = (1ull << tlb_size_bits[page->size]) - 1;
            page->physical = (entry & TLB_PHYSICAL & ~offset) | (guest_physical & offset);
            return MMU_OK;
        }
        page->rights &= privileges(walk, entry);
        table = entry & TLB_PHYSICAL;
    }
}

/* SDM "EPT Violations": with "EPT paging-write control" paging writes need not the write access of the entry
 * that maps the page, where its bit 58 is 1. */
static unsigned rights_for(const struct walk *walk, enum ept_purpose purpose, const struct ept_page *page)
{
    const bool paging_write = purpose == EPT_FOR_PAGING_STRUCTURE && walk->mmu->tlb->current.paging_write &&
                              page->paging_write && page->table_write;
    return page->rights | (paging_write ? EPT_NEED_WRITE : 0);
}

/* SDM "Write Accesses That Are Eligible for Sub-Page Write Permissions": writes to what a linear address
 * translates to, but for the page's own write access allowed, in a page of 4 KBytes. */
static bool eligible_for_sub_page_write(const struct walk *walk, unsigned need, enum ept_purpose purpose,
                                        const struct ept_path *path, const struct ept_page *page)
{
    return walk->mmu->regime.sub_page_write && purpose == EPT_FOR_LINEAR_ADDRESS &&
           (need & ~page->rights) == EPT_NEED_WRITE && page->size == TLB_4K &&
           (path->value[path->depth - 1] & EPT_SUB_PAGE_WRITE);
}

/* Is the access allowed by the entries' rights, or by the sub-page's? */
static enum mmu_status judge(struct walk *walk, uint64_t guest_physical, unsigned need,
                             enum ept_purpose purpose, const struct ept_path *path,
                             const struct ept_page *page)
{
    bool allowed = (rights_for(walk, purpose, page) & need) == need;
    if (!allowed && eligible_for_sub_page_write(walk, need, purpose, path, page)) {
        enum mmu_status status = sub_page_write_allowed(walk, guest_physical, &allowed);
        if (status != MMU_OK)
            return status;
    }
    return allowed
               ? MMU_OK
               : violation(walk, guest_physical, need, page->rights, purpose, path->value[path->depth - 1]);
}

static bool beyond_walk(const struct walk *walk, uint64_t guest_physical)
{
    return !walk->mmu->tlb->current.ept_5level && (guest_physical & GUEST_PHYSICAL_BEYOND_4_LEVELS);
}

static enum mmu_status ept_walk(struct walk *walk, uint64_t guest_physical, unsigned need,
                                enum ept_purpose purpose, struct ept_page *page)
{
    struct ept_path path = {.depth = 0};
    /* With 4-level EPT bits 51:48 must be zero. No entry is used, so nothing says that it is convertible. */
    if (beyond_walk(walk, guest_physical))
        return violation(walk, guest_physical, need, 0, purpose, EPT_SUPPRESS_VE);
    enum mmu_status status = descend(walk, guest_physical, need, purpose, &path, page);
    if (status != MMU_OK)
        return status;
    if (walk->quiet) { /* what is there, with no change to it */
        page->dirty = !walk->mmu->tlb->current.ept_accessed_dirty || (path.value[path.depth - 1] & EPT_DIRTY);
        return MMU_OK;
    }
    status = judge(walk, guest_physical, need, purpose, &path, page);
    if (status != MMU_OK)
        return status;
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
                       enum ept_purpose purpose, struct ept_page *page)
{
    struct tlb *tlb = walk->mmu->tlb;
    uint64_t frame = hit.array->frame[hit.index];
    page->rights = (unsigned)((frame & TLB_EPT_ALL_RIGHTS) >> TLB_EPT_SHIFT);
    page->dirty = (frame & TLB_EPT_DIRTY) != 0;
    page->paging_write = (frame & TLB_PAGING_WRITE) != 0;
    page->table_write = (frame & TLB_TABLE_WRITE) != 0;
    page->verify = (frame & TLB_VERIFY) != 0;
    if ((rights_for(walk, purpose, page) & need) != need ||
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
    if (walk->quiet || looks_for_dirty_flag(walk, purpose))
        return ept_walk(walk, guest_physical, need, purpose, page);
    if (!beyond_walk(walk, guest_physical) && tlb_find_guest_physical(tlb, guest_physical, &hit) &&
        use_cached(walk, hit, guest_physical, need, purpose, page))
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
                                  (page->dirty ? TLB_EPT_DIRTY : 0) |
                                  (page->paging_write ? TLB_PAGING_WRITE : 0) |
                                  (page->table_write ? TLB_TABLE_WRITE : 0) | (page->verify ? TLB_VERIFY : 0),
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

/* The manual names the page that is verified in two ways: by the entry for the linear address's page (the
 * formats of the entries, and the order of faults, which is followed here), and by that for the guest's
 * paging-structure entry. */
enum mmu_status ept_verify_guest_paging(struct walk *walk, const struct ept_page *page)
{
    struct ept_path path = {.depth = 0};
    struct ept_page again; /* for bit 63 of the entry, which a cached mapping has not */
    if (!page->verify || !walk->unverified || walk->quiet)
        return MMU_OK;
    enum mmu_status status = descend(walk, walk->guest_physical, tlb_right_for(walk->access),
                                     EPT_FOR_LINEAR_ADDRESS, &path, &again);
    if (status != MMU_OK)
        return status;
    status = violation(walk, walk->guest_physical, tlb_right_for(walk->access), page->rights,
                       EPT_FOR_LINEAR_ADDRESS, path.value[path.depth - 1]);
    walk->fault->qualification |= QUALIFICATION_GUEST_PAGING_VERIFICATION;
    return status;
}
