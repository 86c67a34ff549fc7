/*
 * invalidate.c: which operation drops what. SDM volume 3C, "Operations that Invalidate Cached Mappings";
 * volume 3A, "Operations that Invalidate TLBs and Paging-Structure Caches".
 *
 * The cycles of an invalidating instruction are charged where it is executed; here they are only booked. A
 * flush that comes with something else (MOV CR, VM entry ...) is charged here; what a fault drops costs
 * nothing by itself.
 */
#include <stddef.h>

#include "tlb/room.h"

#define COST(field) (offsetof(struct cpu_costs, field) + 1) /* 0: none of its own */

static const struct {
    uint16_t cost;
    bool charged; /* here */
} cost_of_cause[FLUSH_CAUSE_COUNT] = {
    [FLUSH_VM_ENTRY] = {COST(tlb_flush), true},
    [FLUSH_VM_EXIT] = {COST(tlb_flush), true},
    [FLUSH_MOV_CR3] = {COST(tlb_flush), true},
    [FLUSH_MOV_CR0] = {COST(tlb_flush), true},
    [FLUSH_MOV_CR4] = {COST(tlb_flush), true},
    [FLUSH_EFER] = {COST(tlb_flush), true},
    [FLUSH_TASK_SWITCH] = {COST(tlb_flush), true},
    [FLUSH_INVLPG] = {COST(invlpg), false},
    [FLUSH_INVPCID_ADDRESS] = {COST(invlpg), false},
    [FLUSH_INVPCID_SINGLE] = {COST(invlpg), false},
    [FLUSH_INVPCID_ALL] = {COST(invlpg), false},
    [FLUSH_INVPCID_ALL_NONGLOBAL] = {COST(invlpg), false},
    [FLUSH_INVVPID_ADDRESS] = {COST(invvpid), false},
    [FLUSH_INVVPID_SINGLE] = {COST(invvpid), false},
    [FLUSH_INVVPID_ALL] = {COST(invvpid), false},
    [FLUSH_INVVPID_SINGLE_NONGLOBAL] = {COST(invvpid), false},
    [FLUSH_INVEPT_SINGLE] = {COST(invept), false},
    [FLUSH_INVEPT_ALL] = {COST(invept), false},
};

static uint64_t cost_of(const struct mmu *mmu, enum trace_flush_cause cause)
{
    const uint8_t *costs = (const uint8_t *)&mmu->profile->cost;
    if (!cost_of_cause[cause].cost)
        return 0;
    return ((const struct cpu_cost *)(const void *)(costs + cost_of_cause[cause].cost - 1))->cycles;
}

void mmu_drop_outer(const struct mmu *mmu, const struct tlb_dropped *dropped)
{
    const struct mmu_outer_cache *outer = &mmu->outer;
    const uint64_t others = outer->drop_others ? dropped->others : 0;
    if (dropped->current + others == 1 && outer->drop_page) {
        outer->drop_page(outer->opaque, dropped->linear, tlb_size_bits[dropped->size]);
        return;
    }
    if (dropped->current && outer->drop_all)
        outer->drop_all(outer->opaque);
    if (others)
        outer->drop_others(outer->opaque);
}

static struct tlb_dropped dropped_by(const struct mmu *mmu, enum trace_flush_cause cause)
{
    return (struct tlb_dropped){.flush = &mmu->account->flush[cause], .cause = (uint8_t)cause};
}

static void finish(struct mmu *mmu, const struct tlb_dropped *dropped, enum trace_flush_cause cause)
{
    const uint64_t cost = cost_of(mmu, cause);
    mmu_drop_outer(mmu, dropped);
    mmu->account->flush[cause].count++;
    mmu->account->flush[cause].cycles += cost;
    if (cost_of_cause[cause].charged)
        cycles_charge(mmu->account, CYCLES_TLB_FLUSH, cost);
    trace_emit(mmu->trace, &(struct trace_event){.kind = TRACE_TLB_FLUSH,
                                                 .processor = mmu->processor,
                                                 .vpid = mmu->regime.vpid,
                                                 .code = cause,
                                                 .a = dropped->count,
                                                 .b = dropped->global,
                                                 .cost = cost,
                                                 .cycles = mmu->account->now});
}

/* Linear and combined mappings of a VPID, of every EP4TA and PCID. */
static struct tlb_scope scope_of_vpid(uint16_t vpid)
{
    return (struct tlb_scope){
        .context = (uint64_t)vpid << TLB_VPID_SHIFT, .context_mask = TLB_VPID, .any_pcid = true};
}

static struct tlb_scope scope_of_pcid(const struct mmu *mmu, uint64_t pcid_in_place)
{
    struct tlb_scope scope = scope_of_vpid(mmu->regime.vpid);
    scope.any_pcid = false;
    scope.pcid = pcid_in_place;
    return scope;
}

static void drop_scope(struct mmu *mmu, const struct tlb_scope *scope, enum trace_flush_cause cause)
{
    struct tlb_dropped dropped = dropped_by(mmu, cause);
    tlb_drop(mmu->tlb, scope, &dropped);
    finish(mmu, &dropped, cause);
}

static void drop_scope_address(struct mmu *mmu, const struct tlb_scope *scope, uint64_t linear,
                               enum trace_flush_cause cause)
{
    struct tlb_dropped dropped = dropped_by(mmu, cause);
    tlb_drop_address(mmu->tlb, scope, linear, &dropped);
    finish(mmu, &dropped, cause);
}

void mmu_invlpg(struct mmu *mmu, uint64_t linear)
{
    struct tlb_scope scope = scope_of_pcid(mmu, mmu->tlb->current.where & TLB_PCID);
    drop_scope_address(mmu, &scope, linear, FLUSH_INVLPG);
}

void mmu_flush_pcid(struct mmu *mmu, int pcid, bool keep_global, enum trace_flush_cause cause)
{
    struct tlb_scope scope = scope_of_vpid(mmu->regime.vpid);
    if (pcid >= 0)
        scope = scope_of_pcid(mmu, (uint64_t)pcid << TLB_PCID_SHIFT & TLB_PCID);
    scope.keep_global = keep_global;
    drop_scope(mmu, &scope, cause);
}

void mmu_flush_pcid_address(struct mmu *mmu, uint16_t pcid, uint64_t linear)
{
    struct tlb_scope scope = scope_of_pcid(mmu, (uint64_t)pcid << TLB_PCID_SHIFT & TLB_PCID);
    scope.keep_global = true;
    drop_scope_address(mmu, &scope, linear, FLUSH_INVPCID_ADDRESS);
}

void mmu_flush_vpid(struct mmu *mmu, uint16_t vpid, bool keep_global, enum trace_flush_cause cause)
{
    struct tlb_scope scope = scope_of_vpid(vpid);
    scope.keep_global = keep_global;
    drop_scope(mmu, &scope, cause);
}

void mmu_flush_vpid_address(struct mmu *mmu, uint16_t vpid, uint64_t linear)
{
    struct tlb_scope scope = scope_of_vpid(vpid);
    drop_scope_address(mmu, &scope, linear, FLUSH_INVVPID_ADDRESS);
}

void mmu_flush_all_vpids(struct mmu *mmu)
{
    struct tlb_scope scope = scope_of_vpid(0);
    scope.other_contexts = true;
    drop_scope(mmu, &scope, FLUSH_INVVPID_ALL);
}

static void flush_ept(struct mmu *mmu, uint64_t ep4ta, uint64_t ep4ta_mask, enum trace_flush_cause cause)
{
    const struct tlb_scope scope = {
        .context = ep4ta | (uint64_t)TRACE_MAPPING_COMBINED << TLB_KIND_SHIFT,
        .context_mask = ep4ta_mask | TLB_KIND,
        .any_pcid = true,
    };
    struct tlb_dropped dropped = dropped_by(mmu, cause);
    tlb_drop(mmu->tlb, &scope, &dropped);
    tlb_drop_guest_physical(mmu->tlb, ep4ta, ep4ta_mask, &dropped);
    finish(mmu, &dropped, cause);
}

void mmu_flush_ept(struct mmu *mmu, uint64_t eptp)
{
    flush_ept(mmu, eptp >> 12 & TLB_EP4TA, TLB_EP4TA, FLUSH_INVEPT_SINGLE);
}

void mmu_flush_all_ept(struct mmu *mmu)
{
    flush_ept(mmu, 0, 0, FLUSH_INVEPT_ALL);
}

/* Mappings for the address of the current PCID, and global ones: those that a repeated access could use. */
void mmu_drop_after_page_fault(struct mmu *mmu, uint64_t linear)
{
    struct tlb_scope scope = scope_of_pcid(mmu, mmu->tlb->current.where & TLB_PCID);
    struct tlb_dropped dropped = dropped_by(mmu, FLUSH_PAGE_FAULT);
    tlb_drop_address(mmu->tlb, &scope, linear, &dropped);
    if (dropped.count)
        finish(mmu, &dropped, FLUSH_PAGE_FAULT);
}

#define QUALIFICATION_TRANSLATION (1ull << 8)

void mmu_drop_after_ept_violation(struct mmu *mmu, const struct mmu_fault *fault)
{
    struct tlb_scope scope = scope_of_pcid(mmu, mmu->tlb->current.where & TLB_PCID);
    struct tlb_dropped dropped = dropped_by(mmu, FLUSH_EPT_VIOLATION);
    /* Only the current EP4TA here. */
    scope.context = mmu->tlb->current.context;
    scope.context_mask = ~0ull;
    tlb_drop_guest_physical_address(mmu->tlb, fault->guest_physical, &dropped);
    if (fault->qualification & QUALIFICATION_TRANSLATION)
        tlb_drop_address(mmu->tlb, &scope, fault->linear, &dropped);
    if (dropped.count)
        finish(mmu, &dropped, FLUSH_EPT_VIOLATION);
}
