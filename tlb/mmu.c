/* mmu.c: the way of a translation: modelled TLB, else walk, then insertion. SDM volume 3C, "Creating and
 * Using Cached Translation Information". */
#include "tlb/mmu.h"

#include <stdlib.h>

#include "tlb/room.h"
#include "tlb/tlb.h"
#include "tlb/walk.h"
#include "tlb/walk_cache.h"

bool mmu_init(struct mmu *mmu, const struct cpu_profile *profile, const struct phys_mem *mem,
              const struct trace *trace, struct cycle_account *account)
{
    *mmu = (struct mmu){.profile = profile, .mem = mem, .trace = trace, .account = account};
    mmu->tlb = calloc(1, sizeof(*mmu->tlb));
    mmu->walk_cache = calloc(1, sizeof(*mmu->walk_cache));
    if (!mmu->tlb || !mmu->walk_cache || !tlb_init(mmu->tlb, &profile->tlb) ||
        !walk_cache_init(mmu->walk_cache, profile)) {
        mmu_free(mmu);
        return false;
    }
    /* The regime of all zeros that mmu has now: no paging. */
    mmu->tlb->current = (struct tlb_current){.where = TLB_VALID, .identity = true};
    return true;
}

void mmu_free(struct mmu *mmu)
{
    if (mmu->tlb)
        tlb_free(mmu->tlb);
    free(mmu->tlb);
    mmu->tlb = NULL;
    if (mmu->walk_cache)
        walk_cache_free(mmu->walk_cache);
    free(mmu->walk_cache);
    mmu->walk_cache = NULL;
}

static enum trace_mapping mapping_of(const struct mmu *mmu)
{
    return mmu->tlb->current.ept ? TRACE_MAPPING_COMBINED : TRACE_MAPPING_LINEAR;
}

static inline void fill(struct mmu_translation *translation, uint64_t linear, uint64_t frame, uint8_t rights,
                        enum tlb_size size)
{
    uint64_t offset = (1ull << tlb_size_bits[size]) - 1;
    *translation = (struct mmu_translation){
        .physical = (frame & TLB_PHYSICAL & ~offset) | (linear & offset),
        .rights = rights,
        .page_bits = tlb_size_bits[size],
    };
}

/* Puts the walk's result in the place of a cached mapping that allowed too little. The outer cache may keep
 * what it has of the old one only where that is still true. */
static void replace_stale(struct mmu *mmu, struct tlb_hit stale, uint64_t frame, enum tlb_size size)
{
    struct tlb_dropped dropped = {0};
    uint64_t old = stale.array->frame[stale.index];
    uint64_t offset = (1ull << tlb_size_bits[size]) - 1;
    bool same_page = (stale.array->where[stale.index] >> TLB_SIZE_SHIFT & 3) == (uint64_t)size &&
                     (old & TLB_PHYSICAL) == (frame & TLB_PHYSICAL & ~offset);
    const uint64_t grants = TLB_USER | TLB_WRITE | TLB_DIRTY | TLB_EPT_RIGHTS | TLB_EPT_DIRTY;
    /* A user flag that was cleared takes from one mode, one that was set takes from another (SMEP, SMAP). */
    bool still_true = same_page && !(old & ~frame & grants) && !(frame & ~old & TLB_NX) &&
                      !((old ^ frame) & (TLB_USER | TLB_KEY));
    tlb_remove(mmu->tlb, stale, &dropped);
    if (!still_true)
        mmu_drop_outer(mmu, &dropped);
}

/* The walk replaces what a flush dropped. The part of its cycles that went into refills of guest-physical
 * mappings is booked under those. */
static void note_refill(const struct mmu *mmu, const struct walk *walk)
{
    enum trace_flush_cause cause;
    if (tlb_take_ghost(mmu->tlb, walk->linear, &cause))
        mmu_account_refill(mmu, cause, mapping_of(mmu), walk->linear,
                           walk->cycles + walk->ept_cycles - walk->refill_cycles);
}

static enum mmu_status translate_by_walk(struct mmu *mmu, uint64_t linear, enum mmu_access access,
                                         struct mmu_mode mode, const struct tlb_hit *stale,
                                         struct mmu_translation *translation, struct mmu_fault *fault)
{
    struct walk walk;
    struct tlb_dropped evicted = {0};
    uint64_t frame;
    enum tlb_size size;

    walk.mmu = mmu;
    walk.fault = fault;
    walk.linear = linear;
    walk.access = access;
    walk.mode = mode;
    walk.quiet = false;
    walk.references = walk.ept_references = 0;
    walk.cycles = walk.ept_cycles = walk.refill_cycles = 0;
    walk.depth = 0;
    walk.flags = 0;
    walk.global = false;
    walk.hlat = walk.restart = walk.unverified = false;
    enum mmu_status status = walk_linear(&walk, &frame, &size);
    if (status == MMU_OK && mmu->tlb->ghost_count)
        note_refill(mmu, &walk);
    mmu_account_walk(mmu, mapping_of(mmu), &walk, linear, status == MMU_OK ? tlb_size_bits[size] : 0);
    if (status == MMU_PAGE_FAULT)
        mmu_drop_after_page_fault(mmu, linear);
    if (status == MMU_EPT_VIOLATION)
        mmu_drop_after_ept_violation(mmu, fault);
    if (status != MMU_OK)
        return status;
    if (stale)
        replace_stale(mmu, *stale, frame, size);
    tlb_insert(mmu->tlb, linear, frame, walk.global, &size, &evicted);
    mmu_drop_outer(mmu, &evicted);
    /* The frame of a page kept in pieces is that of the piece: it has the byte's own page. */
    fill(translation, linear, frame, tlb_rights(&mmu->tlb->current, frame, mode), size);
    if (__builtin_expect(mmu->watch != NULL, 0))
        mmu_watch_use(mmu, linear, access, mode, false, translation);
    return MMU_OK;
}

enum mmu_status mmu_translate(struct mmu *mmu, uint64_t linear, enum mmu_access access, struct mmu_mode mode,
                              struct mmu_translation *translation, struct mmu_fault *fault)
{
    struct tlb *tlb = mmu->tlb;
    struct tlb_hit hit;

    if (tlb->current.identity) {
        *translation =
            (struct mmu_translation){.physical = linear,
                                     .rights = MMU_RIGHT_READ | MMU_RIGHT_WRITE | MMU_RIGHT_EXECUTE,
                                     .page_bits = 12};
        return MMU_OK;
    }
    if (!tlb_find(tlb, linear, &hit))
        return translate_by_walk(mmu, linear, access, mode, NULL, translation, fault);
    uint64_t frame = hit.array->frame[hit.index];
    uint8_t rights = tlb_rights(&tlb->current, frame, mode);
    /* A flag is to be set, or the tables may have changed to allow more: walk again. */
    if (!(rights & tlb_right_for(access)))
        return translate_by_walk(mmu, linear, access, mode, &hit, translation, fault);
    mmu_account_hit(mmu, mapping_of(mmu), linear, hit);
    tlb_touch(tlb, hit);
    fill(translation, linear, frame, rights,
         (enum tlb_size)(hit.array->where[hit.index] >> TLB_SIZE_SHIFT & 3));
    if (__builtin_expect(mmu->watch != NULL, 0))
        mmu_watch_use(mmu, linear, access, mode, true, translation);
    return MMU_OK;
}

enum mmu_status mmu_peek(const struct mmu *mmu, uint64_t linear, uint64_t *physical)
{
    struct mmu_fault fault;
    uint64_t frame;
    enum tlb_size size;
    if (mmu->tlb->current.identity) {
        *physical = linear;
        return MMU_OK;
    }
    struct walk walk = {.mmu = mmu, .fault = &fault, .linear = linear, .access = MMU_READ, .quiet = true};
    enum mmu_status status = walk_linear(&walk, &frame, &size);
    if (status == MMU_OK)
        *physical = (frame & TLB_PHYSICAL) | (linear & 0xfff);
    return status;
}
