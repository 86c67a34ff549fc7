/*
 * trace.h: what happened, as plain structs, for the observers in traces/.
 *
 * A producer calls trace_emit. When nobody listens to that kind it costs one predictable branch.
 * Events carry simulated time only; nothing of the host is in them.
 */
#ifndef VTSIM_TRACE_H
#define VTSIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

enum trace_kind {
    TRACE_VM_ENTRY,           /* code: 0 VMLAUNCH, 1 VMRESUME; cost: cycles charged */
    TRACE_VM_ENTRY_FAILED,    /* code: exit reason (33, 34) or VM-instruction error (7, 8); text: first rule violated */
    TRACE_VM_EXIT,            /* code: basic exit reason; a: exit qualification; b: guest RIP; cost */
    TRACE_VMX_INSTRUCTION,    /* code: enum trace_vmx_instruction; a: VM-instruction error, 0 success, ~0 fault, ~1 VMfailInvalid; cost */
    TRACE_TLB_HIT,            /* model TLB satisfied a fill: code enum trace_mapping; a: linear; b: level, 1 or 2; c: size of the
                               * page as a power of two; cost */
    TRACE_TLB_MISS,           /* walked: code enum trace_mapping; a: linear; b: memory references; c: size of the page as a power of
                               * two, 0 where the walk found none; d: of the references, those to EPT structures; cost: walk cycles */
    TRACE_TLB_FLUSH,          /* code: enum trace_flush_cause; a: translations dropped; b: of them global; cost: direct cycles */
    TRACE_TLB_REFILL,         /* a walk replaced a translation that a flush had dropped: code enum trace_flush_cause; a: linear or
                               * guest-physical; b: enum trace_mapping; cost: walk cycles (also in a TRACE_TLB_MISS) */
    TRACE_EXIT_COST,          /* a VM exit as the guest saw it, told at its next exit: code: basic exit reason of the earlier exit; cycles:
                               * a: exit, b: the monitor, c: entry, d: refills after it; cost: their sum */
    TRACE_EXCEPTION,          /* delivered through the IDT: code: vector; a: error code */
    TRACE_INTERRUPT,          /* external interrupt or NMI delivered through the IDT: code: vector */
    TRACE_TRIPLE_FAULT,       /* in root operation */
    TRACE_FINDING,            /* of the sanitizer: code: enum finding_id; a: RIP; text: its name */
    TRACE_KIND_COUNT
};

enum trace_vmx_instruction {
    TRACE_VMXON, TRACE_VMXOFF, TRACE_VMCLEAR, TRACE_VMPTRLD, TRACE_VMPTRST, TRACE_VMREAD, TRACE_VMWRITE,
    TRACE_VMLAUNCH, TRACE_VMRESUME, TRACE_VMCALL, TRACE_INVEPT, TRACE_INVVPID, TRACE_VMFUNC,
    TRACE_VMX_INSTRUCTION_COUNT
};

/* What kind of mapping a translation is: SDM "Information That May Be Cached". */
enum trace_mapping { TRACE_MAPPING_LINEAR, TRACE_MAPPING_GUEST_PHYSICAL, TRACE_MAPPING_COMBINED, TRACE_MAPPING_COUNT };

/* One row for each cause; the names are stable, they are stored. traces/ has the table of their texts. */
enum trace_flush_cause {
    FLUSH_VM_ENTRY,        /* VPID off, or VPID 0 after it */
    FLUSH_VM_EXIT,
    FLUSH_MOV_CR3,
    FLUSH_MOV_CR0,
    FLUSH_MOV_CR4,
    FLUSH_EFER,
    FLUSH_INVLPG,
    FLUSH_INVPCID_ADDRESS, FLUSH_INVPCID_SINGLE, FLUSH_INVPCID_ALL, FLUSH_INVPCID_ALL_NONGLOBAL,
    FLUSH_INVVPID_ADDRESS, FLUSH_INVVPID_SINGLE, FLUSH_INVVPID_ALL, FLUSH_INVVPID_SINGLE_NONGLOBAL,
    FLUSH_INVEPT_SINGLE, FLUSH_INVEPT_ALL,
    FLUSH_EPT_VIOLATION,
    FLUSH_PAGE_FAULT,      /* a fault drops what led to it: SDM "Operations that Invalidate TLBs" */
    FLUSH_TASK_SWITCH,
    FLUSH_VMFUNC,          /* EPTP switching with VPID off */
    FLUSH_CAUSE_COUNT
};

struct trace_event {
    uint8_t kind; /* enum trace_kind */
    uint8_t processor;
    uint16_t vpid; /* VPID current when it happened; 0 in root operation */
    uint32_t code;
    uint64_t a, b, c, d;
    uint64_t cost;   /* cycles */
    uint64_t cycles; /* simulated time */
    const char *text; /* static string or null */
};

struct trace {
    uint32_t wanted; /* bit for each enum trace_kind that observer wants */
    void (*emit)(void *observer, const struct trace_event *event);
    void *observer;
};

static inline bool trace_wants(const struct trace *t, enum trace_kind kind) { return t && (t->wanted >> kind & 1); }

static inline void trace_emit(const struct trace *t, const struct trace_event *event)
{
    if (trace_wants(t, (enum trace_kind)event->kind))
        t->emit(t->observer, event);
}

#endif
