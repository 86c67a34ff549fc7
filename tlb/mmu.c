/* mmu.c: the way of a translation: modelled TLB, else walk, then insertion. SDM volume 3C, "Creating and
 * Using Cached Translation Information". */
#include "tlb/mmu.h"

#include <stdlib.h>

#include "tlb/room.h"
#include "tlb/tlb.h"
#include "tlb/walk.h"

bool mmu_init(struct mmu *mmu, const struct cpu_profile *profile, const struct phys_mem *mem,
              const struct trace *trace, struct cycle_account *account)
{
    struct tlb *tlb = malloc(sizeof(*tlb));
    *mmu = (struct mmu){.profile = profile, .mem = mem, .trace = trace, .account = account};
    if (!tlb)
        return false;
    if (!tlb_init(tlb, &profile->tlb)) {
        free(tlb);
        return false;
    }
    mmu->tlb = tlb;
    /* The regime of all zeros that mmu has now: no paging. */
    tlb->current = (struct tlb_current){.where = TLB_VALID, .identity = true};
    return true;
}

void mmu_free(struct mmu *mmu)
{
    if (mmu->tlb)
        tlb_free(mmu->tlb);
    free(mmu->tlb);
    mmu->tlb = NULL;
}

static enum trace_mapping mapping_of(const struct mmu *mmu)
{
    return mmu->tlb->current.ept ? TRACE_MAPPING_COMBINED : TRACE_MAPPING_LINEAR;
}

void mmu_record_hit(const struct mmu *mmu, enum trace_mapping mapping, uint64_t address)
{
    if (!trace_wants(mmu->trace, TRACE_TLB_HIT))
        return;
    trace_emit(mmu->trace, &(struct trace_event){.kind = TRACE_TLB_HIT,
                                                 .processor = mmu->processor,
                                                 .vpid = mmu->regime.vpid,
                                                 .code = mapping,
                                                 .a = address,
                                                 .cycles = mmu->account->now});
}

void mmu_account_walk(struct mmu *mmu, enum trace_mapping mapping, uint64_t address, unsigned references)
{
    uint64_t cost = (uint64_t)references * mmu->profile->cost.page_walk_reference.cycles;
    cycles_charge(mmu->account,
                  mapping == TRACE_MAPPING_GUEST_PHYSICAL ? CYCLES_WALK_EPT : CYCLES_WALK_LINEAR, cost);
    if (!trace_wants(mmu->trace, TRACE_TLB_MISS))
        return;
    trace_emit(mmu->trace, &(struct trace_event){.kind = TRACE_TLB_MISS,
                                                 .processor = mmu->processor,
                                                 .vpid = mmu->regime.vpid,
                                                 .code = mapping,
                                                 .a = address,
                                                 .b = references,
                                                 .cost = cost,
                                                 .cycles = mmu->account->now});
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
    bool still_true =
        same_page && !(old & ~frame & grants) && !(frame & ~old & TLB_NX) && !((old ^ frame) & TLB_USER);
    tlb_remove(mmu->tlb, stale, &dropped);
    if (!still_true)
        mmu_drop_outer(mmu, &dropped);
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
    walk.references = 0;
    walk.depth = 0;
    walk.flags = 0;
    walk.global = false;
    enum mmu_status status = walk_linear(&walk, &frame, &size);
    mmu_account_walk(mmu, mapping_of(mmu), linear, walk.references);
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
    tlb_touch(tlb, hit);
    fill(translation, linear, frame, rights,
         (enum tlb_size)(hit.array->where[hit.index] >> TLB_SIZE_SHIFT & 3));
    mmu_record_hit(mmu, mapping_of(mmu), linear);
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
