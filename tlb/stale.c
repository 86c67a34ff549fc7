/*
 * stale.c: for a watch: is what a translation says still what the tables say?
 *
 * SDM volume 3C, "Guidelines for Use of the INVVPID Instruction" and "... INVEPT Instruction", and volume 3A,
 * "Invalidation of TLBs and Paging-Structure Caches", leave it to software to invalidate what it changed:
 * until then a processor may use either. A translation that allows less than the tables is no error: it is
 * walked again before it denies anything.
 */
#include "tlb/room.h"

#define ENTRY_DIRTY 0x40ull

void mmu_tell_access(const struct mmu *mmu, uint64_t physical, size_t size, enum mmu_access access)
{
    const struct mmu_watch *watch = mmu->watch;
    const uint8_t *ram = phys_ram(mmu->mem, physical, 1);
    if (!ram)
        return;
    const uint64_t page = (uint64_t)(ram - mmu->mem->ram) >> 12;
    if (watch->pages[page >> 3] & (1u << (page & 7)))
        watch->accessed(watch->opaque, physical, size, access);
}

void mmu_drop_outer_all(const struct mmu *mmu)
{
    const struct mmu_outer_cache *outer = &mmu->outer;
    if (outer->drop_all)
        outer->drop_all(outer->opaque);
    if (outer->drop_others)
        outer->drop_others(outer->opaque);
}

/* Is the dirty flag of the guest's entry that maps the page 1, or is there none? */
static bool guest_dirty(const struct walk *walk)
{
    return !walk->depth || (walk->entry[walk->depth - 1].value & ENTRY_DIRTY);
}

/* MMU_RIGHT_* by the tables, whatever the dirty flags say. */
static unsigned rights_now(const struct mmu *mmu, uint64_t frame, struct mmu_mode mode)
{
    return tlb_rights(&mmu->tlb->current, frame | TLB_DIRTY | TLB_EPT_DIRTY, mode);
}

static void describe(struct mmu *mmu, bool was_kept, struct mmu_stale *stale)
{
    struct tlb_hit hit;
    if (!tlb_find(mmu->tlb, stale->linear, &hit))
        return;
    const uint64_t where = hit.array->where[hit.index], context = hit.array->context[hit.index];
    const bool combined = (context & TLB_KIND) >> TLB_KIND_SHIFT == TRACE_MAPPING_COMBINED;
    stale->mapping =
        !was_kept ? TRACE_MAPPING_GUEST_PHYSICAL : (combined ? TRACE_MAPPING_COMBINED : TRACE_MAPPING_LINEAR);
    stale->page_bits = tlb_size_bits[where >> TLB_SIZE_SHIFT & 3];
    stale->global = (where & TLB_GLOBAL) != 0;
    stale->pcid = (uint16_t)((where & TLB_PCID) >> TLB_PCID_SHIFT);
    stale->vpid = (uint16_t)((context & TLB_VPID) >> TLB_VPID_SHIFT);
    stale->ep4ta = combined ? (context & TLB_EP4TA) << 12 : 0;
    stale->root = hit.array->root[hit.index];
}

/* True: the tables do not give what the access used. */
static bool differs(struct mmu *mmu, const struct walk *walk, uint64_t frame, struct mmu_mode mode,
                    struct mmu_translation *translation, struct mmu_stale *stale)
{
    const unsigned need = tlb_right_for(stale->access), allowed = rights_now(mmu, frame, mode);
    const bool sub_page = stale->access == MMU_WRITE && mmu->regime.sub_page_write;
    const bool dirty = guest_dirty(walk) && (frame & TLB_EPT_DIRTY);
    const bool kept_write = (translation->rights & MMU_RIGHT_WRITE) != 0;
    stale->now = (frame & TLB_PHYSICAL) | (stale->linear & 0xfff);
    translation->rights &= (uint8_t)allowed;
    if (!dirty)
        translation->rights &= (uint8_t)~MMU_RIGHT_WRITE;
    if (stale->access !=
        MMU_WRITE) /* this access is made; of writes it is said by themselves, as with sub-pages */
        translation->rights |= (uint8_t)need;
    stale->what = MMU_STALE_PAGE;
    if (stale->now != stale->cached)
        return true;
    stale->what = MMU_STALE_RIGHT;
    if (!(allowed & need) && !sub_page)
        return true;
    stale->what = MMU_STALE_DIRTY;
    return stale->access == MMU_WRITE && kept_write && !dirty;
}

void mmu_watch_use(struct mmu *mmu, uint64_t linear, enum mmu_access access, struct mmu_mode mode,
                   bool was_kept, struct mmu_translation *translation)
{
    struct mmu_watch *watch = mmu->watch;
    struct mmu_path path = {.count = 0};
    struct mmu_fault fault;
    uint64_t frame;
    enum tlb_size size;
    struct walk walk = {.mmu = mmu,
                        .fault = &fault,
                        .linear = linear,
                        .access = access,
                        .mode = mode,
                        .quiet = true,
                        .path = &path};
    struct mmu_stale stale = {
        .linear = linear, .access = access, .cached = translation->physical, .path = &path};
    stale.status = walk_linear(&walk, &frame, &size);
    watch->tables(watch->opaque, &path);
    watch->ask_again = false;
    if (stale.status == MMU_OK && !differs(mmu, &walk, frame, mode, translation, &stale))
        return;
    if (stale.status != MMU_OK) /* for the other kinds of access it is to be asked again */
        translation->rights &= (uint8_t)tlb_right_for(access);
    describe(mmu, was_kept, &stale);
    watch->ask_again = watch->stale(watch->opaque, &stale);
}
