/* room.h: what the files of this room share besides the TLB and the walks. */
#ifndef VTSIM_TLB_ROOM_H
#define VTSIM_TLB_ROOM_H

#include "tlb/tlb.h"
#include "tlb/walk.h"

/* invalidate.c: what a fault drops; a flush only when something was there. */
void mmu_drop_after_page_fault(struct mmu *mmu, uint64_t linear);
void mmu_drop_after_ept_violation(struct mmu *mmu, const struct mmu_fault *fault);
/* Takes from the outer cache what was dropped of the current regime's mappings. */
void mmu_drop_outer(const struct mmu *mmu, const struct tlb_dropped *dropped);

/* apic_access.c: SDM "Guest-Physical Accesses to the APIC-Access Page": never virtualized. */
enum mmu_status mmu_guest_physical_apic_access(struct mmu_fault *fault);

/* stale.c: holds a translation that was found for an access against the tables, and tells the watch. Rights that the tables
 * do not give are taken out of *translation, so that they are asked for again. was_kept: it was not walked just now. */
void mmu_watch_use(struct mmu *mmu, uint64_t linear, enum mmu_access access, struct mmu_mode mode, bool was_kept,
                   struct mmu_translation *translation);

/* account.c: charges the walk's references and records the miss. page_bits 0: it found no page. */
void mmu_account_walk(struct mmu *mmu, enum trace_mapping mapping, const struct walk *walk, uint64_t address,
                      unsigned page_bits);
/* Charges a translation that the TLB held: nothing in the first level. */
void mmu_account_hit(struct mmu *mmu, enum trace_mapping mapping, uint64_t address, struct tlb_hit hit);
void mmu_record_hit(const struct mmu *mmu, enum trace_mapping mapping, uint64_t address, unsigned level,
                    unsigned page_bits, uint64_t cost);
/* Books a walk's cycles, which mmu_account_walk charges, under the flush that made it necessary. */
void mmu_account_refill(const struct mmu *mmu, enum trace_flush_cause cause, enum trace_mapping mapping,
                        uint64_t address, uint64_t cycles);

#endif
