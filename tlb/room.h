/* room.h: what the files of this room share besides the TLB and the walks. */
#ifndef VTSIM_TLB_ROOM_H
#define VTSIM_TLB_ROOM_H

#include "tlb/tlb.h"

/* invalidate.c: what a fault drops; an event only when something was there. */
void mmu_drop_after_page_fault(struct mmu *mmu, uint64_t linear);
void mmu_drop_after_ept_violation(struct mmu *mmu, const struct mmu_fault *fault);
/* Takes from the outer cache what was dropped of the current regime's mappings. */
void mmu_drop_outer(const struct mmu *mmu, const struct tlb_dropped *dropped);

/* mmu.c: charges the walk's references and records the miss. */
void mmu_account_walk(struct mmu *mmu, enum trace_mapping mapping, uint64_t address, unsigned references);
void mmu_record_hit(const struct mmu *mmu, enum trace_mapping mapping, uint64_t address);

#endif
