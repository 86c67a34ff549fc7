/*
 * cycles.h: where simulated time went: every cycle of a run has one cause.
 *
 * A processor keeps one struct cycle_account. cycles_charge is the only thing that advances its time, so the
 * causes of both modes add up to the time, to the cycle (cycles_sum). Beside it are kept what each cause of
 * TLB flushes and each VM exit came to; those are views of the same cycles, not further ones. Plain data:
 * observers may copy it.
 */
#ifndef VTSIM_CYCLES_H
#define VTSIM_CYCLES_H

#include <stdbool.h>
#include <stdint.h>

#include "vtsim/trace.h"

/* X-macro: identifier, stable name (stored, never changed), text. */
#define CYCLE_CAUSES(X)                                                                                      \
    X(INSTRUCTIONS, "instructions", "translated code: the base cost of each instruction")                    \
    X(OPERANDS, "branches_and_operands", "translated code: branches and memory operands, on top")            \
    X(TLB_SECOND_LEVEL, "tlb_second_level", "translations found in the second level of the TLB")             \
    X(WALK_LINEAR, "walk_linear", "page walks: references to the paging structures of linear addresses")     \
    X(WALK_EPT, "walk_ept", "page walks: references to EPT paging structures")                               \
    X(VM_ENTRY, "vm_entry", "VM entries: checks and loading of guest state")                                 \
    X(VM_ENTRY_RECHECK, "vm_entry_recheck",                                                                  \
      "VM entries: controls checked anew after a VMWRITE changed them")                                      \
    X(VM_ENTRY_PDPTES, "vm_entry_pdptes", "VM entries: loading of the guest's PDPTEs")                       \
    X(VM_ENTRY_MSRS, "vm_entry_msrs", "VM entries: the VM-entry MSR-load area")                              \
    X(VM_EXIT, "vm_exit", "VM exits: saving of guest state and loading of host state")                       \
    X(VM_EXIT_PDPTES, "vm_exit_pdptes", "VM exits: loading of the host's PDPTEs")                            \
    X(VM_EXIT_MSRS, "vm_exit_msrs", "VM exits: the VM-exit MSR-store and MSR-load areas")                    \
    X(VMXON, "vmxon", "VMXON")                                                                               \
    X(VMXOFF, "vmxoff", "VMXOFF")                                                                            \
    X(VMCLEAR, "vmclear", "VMCLEAR")                                                                         \
    X(VMPTRLD, "vmptrld", "VMPTRLD")                                                                         \
    X(VMPTRST, "vmptrst", "VMPTRST")                                                                         \
    X(VMREAD, "vmread", "VMREAD")                                                                            \
    X(VMWRITE, "vmwrite", "VMWRITE")                                                                         \
    X(VMLAUNCH, "vmlaunch", "VMLAUNCH that did not come to a VM entry")                                      \
    X(VMRESUME, "vmresume", "VMRESUME that did not come to a VM entry")                                      \
    X(VMCALL, "vmcall", "VMCALL in VMX root operation")                                                      \
    X(INVEPT, "invept", "INVEPT")                                                                            \
    X(INVVPID, "invvpid", "INVVPID")                                                                         \
    X(VMFUNC, "vmfunc", "VMFUNC that did not exit")                                                          \
    X(INVLPG, "invlpg", "INVLPG")                                                                            \
    X(INVPCID, "invpcid", "INVPCID")                                                                         \
    X(TLB_FLUSH, "tlb_flush", "flushes that come with something else (MOV CR, VM entry ...), on top of it")  \
    X(MOV_CR, "mov_cr", "MOV to a control register, LMSW")                                                   \
    X(EVENT_DELIVERY, "event_delivery", "delivery of events through the IDT")                                \
    X(TASK_SWITCH, "task_switch", "task switches")                                                           \
    X(FAR_TRANSFER, "far_transfer", "far control transfers, SYSCALL and its like, IRET")                     \
    X(IO, "io", "IN, OUT, INS, OUTS")                                                                        \
    X(MSR_ACCESS, "msr_access", "RDMSR and WRMSR")                                                           \
    X(SYSTEM, "system", "other instructions that the model executes")                                        \
    X(HALTED, "halted", "halted, waiting for an event")

enum cycle_cause {
#define CYCLE_CAUSE_MEMBER(id, name, text) CYCLES_##id,
    CYCLE_CAUSES(CYCLE_CAUSE_MEMBER)
#undef CYCLE_CAUSE_MEMBER
        CYCLE_CAUSE_COUNT
};

/* Root: with VMX off too, and the VM entries and exits themselves. */
enum cycle_mode { CYCLES_ROOT, CYCLES_NON_ROOT, CYCLE_MODE_COUNT };

enum tlb_page_size { TLB_PAGE_4K, TLB_PAGE_2M, TLB_PAGE_4M, TLB_PAGE_1G, TLB_PAGE_SIZE_COUNT };

/* One cause of TLB flushes. A refill is a walk that was needed because a flush had dropped the translation:
 * see docs/cycles.md. */
struct flush_account {
    uint64_t count;
    uint64_t cycles;                                               /* direct ones */
    uint64_t dropped[TRACE_MAPPING_COUNT][TLB_PAGE_SIZE_COUNT][2]; /* translations; last index 1: global */
    uint64_t refills[TRACE_MAPPING_COUNT], refill_cycles[TRACE_MAPPING_COUNT];
};

/* One basic exit reason: exits, and what they cost as the guest sees it. */
struct exit_account {
    uint64_t count;
    uint64_t exit;    /* cycles of the exits themselves, MSR lists and flush included */
    uint64_t monitor; /* of VMX root operation between exit and entry */
    uint64_t entry;   /* of the entries that followed */
    uint64_t refill;  /* of walks in the guest up to its next exit that a flush made necessary */
};

#define CYCLE_EXIT_REASONS 128 /* basic exit reasons: the SDM's list ends below it */

struct cycle_account {
    uint64_t now; /* simulated time in cycles: the sum of by[][] */
    enum cycle_mode mode;
    uint64_t by[CYCLE_MODE_COUNT][CYCLE_CAUSE_COUNT];
    uint64_t refill_cycles; /* of all refills: the sum over flush[] */
    struct flush_account flush[FLUSH_CAUSE_COUNT];
    struct exit_account exit[CYCLE_EXIT_REASONS];
};

/* Time passes, and that is why. */
static inline void cycles_charge(struct cycle_account *account, enum cycle_cause cause, uint64_t cycles)
{
    account->now += cycles;
    account->by[account->mode][cause] += cycles;
}

/* All causes of both modes; account->now unless a defect of ours let time pass without a cause. */
static inline uint64_t cycles_sum(const struct cycle_account *account)
{
    uint64_t sum = 0;
    for (unsigned mode = 0; mode < CYCLE_MODE_COUNT; mode++)
        for (unsigned cause = 0; cause < CYCLE_CAUSE_COUNT; cause++)
            sum += account->by[mode][cause];
    return sum;
}

/* "root", "non-root". */
static inline const char *cycle_mode_name(enum cycle_mode mode)
{
    return mode == CYCLES_ROOT ? "root" : "non-root";
}

static inline const char *cycle_cause_name(enum cycle_cause cause)
{
#define CYCLE_CAUSE_NAME(id, name, text) name,
    static const char *const names[CYCLE_CAUSE_COUNT] = {CYCLE_CAUSES(CYCLE_CAUSE_NAME)};
#undef CYCLE_CAUSE_NAME
    return cause < CYCLE_CAUSE_COUNT ? names[cause] : "";
}

static inline const char *cycle_cause_text(enum cycle_cause cause)
{
#define CYCLE_CAUSE_TEXT(id, name, text) text,
    static const char *const texts[CYCLE_CAUSE_COUNT] = {CYCLE_CAUSES(CYCLE_CAUSE_TEXT)};
#undef CYCLE_CAUSE_TEXT
    return cause < CYCLE_CAUSE_COUNT ? texts[cause] : "";
}

#endif
