/*
 * walk.c: a linear address through the guest's paging structures, then the EPT.
 *
 * Order of faults: SDM volume 3C, "Prioritization of EPT Misconfigurations and EPT Violations".
 */
#include "tlb/walk.h"

#define ENTRY_ACCESSED 0x20ull
#define ENTRY_DIRTY 0x40ull
#define WITHOUT_EPT (TLB_EPT_RIGHTS | TLB_EPT_DIRTY)

/* SDM volume 3A, "Page-Fault Exceptions": error_code gives P and RSVD, the access the rest. */
enum mmu_status walk_page_fault(struct walk *walk, uint32_t error_code)
{
    const struct tlb_current *now = &walk->mmu->tlb->current;
    if (walk->access == MMU_WRITE)
        error_code |= PF_W;
    if (walk->mode.user)
        error_code |= PF_U;
    if (walk->access == MMU_FETCH && (now->nx || now->smep))
        error_code |= PF_I;
    *walk->fault = (struct mmu_fault){.error_code = error_code, .linear = walk->linear};
    return MMU_PAGE_FAULT;
}

enum mmu_status walk_read_entry(struct walk *walk, uint64_t guest_physical, uint64_t *value)
{
    const struct tlb_current *now = &walk->mmu->tlb->current;
    struct walk_entry *entry = &walk->entry[walk->depth++];
    struct ept_page page = {.physical = guest_physical};
    if (now->ept) {
        /* SDM "Accessed and Dirty Flags for EPT": with them, each access to a paging-structure entry is a
         * write. */
        unsigned need = EPT_NEED_READ | (now->ept_accessed_dirty ? EPT_NEED_WRITE : 0);
        enum mmu_status status = ept_access(walk, guest_physical, need, EPT_FOR_PAGING_STRUCTURE, &page);
        if (status != MMU_OK)
            return status;
        /* SDM "Prioritization of EPT Misconfigurations and EPT Violations", step 1b */
        walk->unverified |= !page.paging_write;
    }
    walk_count_reference(walk, page.physical);
    entry->guest_physical = guest_physical;
    entry->physical = page.physical;
    entry->value = *value = phys_read(walk->mmu->mem, page.physical, walk->entry_size);
    return MMU_OK;
}

/* Sets flags in one guest entry. SDM "EPT Violations": it is a data write; that it reads the entry as well
 * shows in the exit qualification, so both bits are set. */
static enum mmu_status update_entry(struct walk *walk, struct walk_entry *entry, uint64_t flags)
{
    const struct tlb_current *now = &walk->mmu->tlb->current;
    if ((entry->value & flags) == flags)
        return MMU_OK;
    if (now->ept && !now->ept_accessed_dirty) {
        struct ept_page page;
        enum mmu_status status = ept_access(walk, entry->guest_physical, EPT_NEED_READ | EPT_NEED_WRITE,
                                            EPT_FOR_PAGING_STRUCTURE, &page);
        if (status != MMU_OK)
            return status;
        entry->physical = page.physical;
    }
    entry->value |= flags;
    phys_write(walk->mmu->mem, entry->physical, entry->value, walk->entry_size);
    return MMU_OK;
}

/* SDM volume 3A, "Accessed and Dirty Flags". */
static enum mmu_status update_guest_flags(struct walk *walk)
{
    for (unsigned i = 0; i < walk->depth; i++) {
        bool maps_page = i == walk->depth - 1;
        uint64_t flags = ENTRY_ACCESSED | (maps_page && walk->access == MMU_WRITE ? ENTRY_DIRTY : 0);
        enum mmu_status status = update_entry(walk, &walk->entry[i], flags);
        if (status != MMU_OK)
            return status;
    }
    if (walk->depth && (walk->entry[walk->depth - 1].value & ENTRY_DIRTY))
        walk->flags |= TLB_DIRTY;
    return MMU_OK;
}

/* SDM volume 3C, "EPT Overview": with CR0.PG = 0 a linear address is the guest-physical address. */
static enum mmu_status walk_unpaged(struct walk *walk)
{
    walk->guest_physical = walk->linear;
    walk->flags = TLB_USER | TLB_WRITE | TLB_DIRTY;
    walk->size = TLB_1G;
    return MMU_OK;
}

/* SDM volume 3A, "Page-Fault Exceptions", the PK flag: the key disallows this data access, whatever else
 * does. */
static uint32_t key_flag(const struct walk *walk)
{
    const struct tlb_current *now = &walk->mmu->tlb->current;
    return tlb_key_denies(now, walk->flags, walk->mode) & tlb_right_for(walk->access) ? PF_PK : 0;
}

static enum mmu_status walk_guest(struct walk *walk)
{
    static enum mmu_status (*const by_paging[])(struct walk *) = {[TLB_PAGING_NONE] = walk_unpaged,
                                                                  [TLB_PAGING_32BIT] = walk_32bit,
                                                                  [TLB_PAGING_PAE] = walk_pae,
                                                                  [TLB_PAGING_4LEVEL] = walk_4level,
                                                                  [TLB_PAGING_5LEVEL] = walk_5level};
    const struct tlb_current *now = &walk->mmu->tlb->current;
    enum mmu_status status = by_paging[now->paging](walk);
    if (status != MMU_OK || walk->quiet)
        return status;
    /* The dirty flags are no matter of rights here. */
    if (!(tlb_rights(now, walk->flags | TLB_DIRTY | WITHOUT_EPT, walk->mode) & tlb_right_for(walk->access)))
        return walk_page_fault(walk, PF_P | key_flag(walk));
    return update_guest_flags(walk);
}

/* SDM volume 3C, "EPT Violations": with mode-based execute control two bits say whether fetches are allowed;
 * the linear address's page, a user-mode or a supervisor-mode one, says which of them counts. */
static bool fetches_as_user(const struct walk *walk)
{
    return walk->mmu->tlb->current.mode_based_execute && (walk->flags & TLB_USER);
}

static unsigned need_of(const struct walk *walk)
{
    return walk->access == MMU_FETCH && fetches_as_user(walk) ? EPT_NEED_USER_FETCH
                                                              : tlb_right_for(walk->access);
}

static uint64_t combined_rights(const struct walk *walk, unsigned rights)
{
    if (fetches_as_user(walk))
        rights = (rights & ~EPT_NEED_FETCH) | (rights & EPT_NEED_USER_FETCH ? EPT_NEED_FETCH : 0);
    return (uint64_t)rights << TLB_EPT_SHIFT & TLB_EPT_RIGHTS;
}

enum mmu_status walk_linear(struct walk *walk, uint64_t *frame, enum tlb_size *size)
{
    struct ept_page page = {.rights = 7, .dirty = true, .size = TLB_1G};
    enum mmu_status status = walk_guest(walk);
    if (status != MMU_OK)
        return status;
    page.physical = walk->guest_physical;
    if (walk->mmu->tlb->current.ept) {
        status = ept_access(walk, walk->guest_physical, need_of(walk), EPT_FOR_LINEAR_ADDRESS, &page);
        if (status == MMU_OK && walk->mmu->tlb->current.verify_guest_paging)
            status = ept_verify_guest_paging(walk, &page);
        if (status != MMU_OK)
            return status;
    }
    *size = walk->size < page.size ? walk->size : page.size;
    /* With paging off there is no guest page that the mapping could be a part of. */
    enum tlb_size guest = walk->depth ? walk->size : TLB_4K;
    *frame = (page.physical & TLB_PHYSICAL) | walk->flags | combined_rights(walk, page.rights) |
             (page.dirty ? TLB_EPT_DIRTY : 0) | (uint64_t)guest << TLB_GUEST_SIZE_SHIFT;
    return MMU_OK;
}
