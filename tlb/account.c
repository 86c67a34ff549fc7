/* account.c: what translations cost: hits of the second level, walks, and the walks that flushes made
 * necessary. */
#include "tlb/room.h"

void mmu_record_hit(const struct mmu *mmu, enum trace_mapping mapping, uint64_t address, unsigned level,
                    unsigned page_bits, uint64_t cost)
{
    if (!trace_wants(mmu->trace, TRACE_TLB_HIT))
        return;
    trace_emit(mmu->trace, &(struct trace_event){.kind = TRACE_TLB_HIT,
                                                 .processor = mmu->processor,
                                                 .vpid = mmu->regime.vpid,
                                                 .code = mapping,
                                                 .a = address,
                                                 .b = level,
                                                 .c = page_bits,
                                                 .cost = cost,
                                                 .cycles = mmu->account->now});
}

void mmu_account_hit(struct mmu *mmu, enum trace_mapping mapping, uint64_t address, struct tlb_hit hit)
{
    const bool second = tlb_in_second_level(mmu->tlb, hit);
    const uint64_t cost = second ? mmu->profile->cost.tlb_second_level.cycles : 0;
    cycles_charge(mmu->account, CYCLES_TLB_SECOND_LEVEL, cost);
    mmu_record_hit(mmu, mapping, address, second ? 2 : 1,
                   tlb_size_bits[hit.array->where[hit.index] >> TLB_SIZE_SHIFT & 3], cost);
}

void mmu_account_walk(struct mmu *mmu, enum trace_mapping mapping, const struct walk *walk, uint64_t address,
                      unsigned page_bits)
{
    cycles_charge(mmu->account, CYCLES_WALK_LINEAR, walk->cycles);
    cycles_charge(mmu->account, CYCLES_WALK_EPT, walk->ept_cycles);
    if (!trace_wants(mmu->trace, TRACE_TLB_MISS))
        return;
    trace_emit(mmu->trace, &(struct trace_event){.kind = TRACE_TLB_MISS,
                                                 .processor = mmu->processor,
                                                 .vpid = mmu->regime.vpid,
                                                 .code = mapping,
                                                 .a = address,
                                                 .b = walk->references + walk->ept_references,
                                                 .c = page_bits,
                                                 .d = walk->ept_references,
                                                 .cost = walk->cycles + walk->ept_cycles,
                                                 .cycles = mmu->account->now});
}

void mmu_account_refill(const struct mmu *mmu, enum trace_flush_cause cause, enum trace_mapping mapping,
                        uint64_t address, uint64_t cycles)
{
    struct flush_account *flush = &mmu->account->flush[cause];
    flush->refills[mapping]++;
    flush->refill_cycles[mapping] += cycles;
    mmu->account->refill_cycles += cycles;
    trace_emit(mmu->trace, &(struct trace_event){.kind = TRACE_TLB_REFILL,
                                                 .processor = mmu->processor,
                                                 .vpid = mmu->regime.vpid,
                                                 .code = cause,
                                                 .a = address,
                                                 .b = mapping,
                                                 .cost = cycles,
                                                 .cycles = mmu->account->now});
}

void mmu_empty_caches(struct mmu *mmu)
{
    walk_cache_empty(mmu->walk_cache);
}
