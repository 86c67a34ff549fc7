/*
 * stats.h: the statistics of one run, accumulated from trace events into arrays. Enter here to count.
 *
 * Nothing is written while events come; store.h writes what has come together so far when the machine reports
 * progress. All values follow from the image and the options alone.
 */
#ifndef VTSIM_TRACES_STATS_H
#define VTSIM_TRACES_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtsim/cycles.h"
#include "vtsim/findings.h"
#include "vtsim/trace.h"

#define STATS_EXIT_REASONS 128 /* basic exit reasons below this are told apart; the SDM's list ends below */
#define STATS_VECTORS 256
#define STATS_PROCESSORS 256  /* as many as an event can name */
#define STATS_VPIDS 4096      /* that many VPIDs of a processor, in order of appearance, are told apart */
#define STATS_VPID_OTHER (-1) /* the rest of them together */

/* How a VMX instruction ended: 0 success, 1 to 31 VMfailValid with that VM-instruction error, and two more.
 */
#define STATS_RESULT_SUCCESS 0
#define STATS_RESULT_FAULT 32
#define STATS_RESULT_FAIL_INVALID 33
#define STATS_RESULTS 34

/* The values of trace_event.a of a TRACE_VMX_INSTRUCTION that are not error numbers. */
#define STATS_EVENT_FAULT (~UINT64_C(0))
#define STATS_EVENT_FAIL_INVALID (~UINT64_C(1))

struct stats_sum {
    uint64_t count, cycles;
};

/* Levels of the modelled TLB. */
#define STATS_TLB_LEVELS 2
/* Sizes of pages, by enum tlb_page_size; the last one counts walks that found no page. */
#define STATS_PAGE_NONE TLB_PAGE_SIZE_COUNT
#define STATS_PAGE_SIZES (TLB_PAGE_SIZE_COUNT + 1)

struct stats_walks {
    uint64_t count, cycles;
    uint64_t references;     /* memory references */
    uint64_t ept_references; /* of them to EPT paging structures */
};

/* The translations of one kind of mapping. */
struct stats_tlb {
    struct stats_sum hits[STATS_TLB_LEVELS][TLB_PAGE_SIZE_COUNT];
    struct stats_walks walks[STATS_PAGE_SIZES];
};

struct stats_flush {
    uint64_t count, cycles;
    uint64_t dropped;                              /* translations */
    uint64_t dropped_global;                       /* of them global */
    struct stats_sum refills[TRACE_MAPPING_COUNT]; /* walks that these flushes made necessary */
};

/* What exits of one reason came to as the guest saw them: struct exit_account of vtsim/cycles.h, for those
 * that were followed by another exit. */
struct stats_round_trips {
    uint64_t count;
    uint64_t exit, monitor, entry, refill; /* cycles */
};

/* What happened under one VPID; 0 holds root operation and guests without VPID. */
struct stats_vpid {
    int32_t vpid; /* 0 to 65535, or STATS_VPID_OTHER */
    struct stats_sum exits[STATS_EXIT_REASONS];
    struct stats_round_trips round_trips[STATS_EXIT_REASONS];
    struct stats_sum entries[2]; /* by VMLAUNCH, by VMRESUME */
    struct stats_tlb tlb[TRACE_MAPPING_COUNT];
    struct stats_flush flushes[FLUSH_CAUSE_COUNT];
    uint64_t exceptions[STATS_VECTORS], interrupts[STATS_VECTORS];
    uint64_t triple_faults;
};

/* How the costs of some events are spread: bucket 0 counts costs of 0 cycles, bucket n those from 2^(n-1) to
 * 2^n - 1 cycles. */
#define STATS_BUCKETS 65
struct stats_histogram {
    uint64_t count[STATS_BUCKETS];
};
unsigned stats_bucket(uint64_t cycles);

/* When exits happened. Slice n covers the simulated cycles from n * width on. There are never more than
 * STATS_SLICES: when a run outlives them, neighbours are joined and the width doubles. */
#define STATS_SLICES 256
#define STATS_SLICE_CYCLES 4096 /* the width that a run begins with */
struct stats_timeline {
    uint64_t width; /* cycles */
    size_t used;    /* slices up to the last one with an exit in it */
    struct stats_sum exits[STATS_SLICES][STATS_EXIT_REASONS];
};

struct stats_processor {
    uint16_t *slot_of;                     /* VPID -> index in vpids plus 1, 0: none yet */
    struct stats_vpid *vpids[STATS_VPIDS]; /* in order of appearance */
    struct stats_vpid *rest;               /* of those for which there is no room */
    bool rest_used;
    size_t vpid_count;
    struct stats_sum instructions[TRACE_VMX_INSTRUCTION_COUNT][STATS_RESULTS];
    struct stats_histogram exit_cycles[STATS_EXIT_REASONS], round_trip_cycles[STATS_EXIT_REASONS];
    struct stats_timeline timeline;
    struct cycle_account account; /* as stats_take_account got it last */
};

/* A kind of failed VM entry. code: exit reason or VM-instruction error, as in trace.h. */
struct stats_entry_failure {
    uint32_t code;
    const char *rule; /* the first rule violated, or "" */
    uint64_t count;
};

/* A kind of finding of the sanitizer. */
struct stats_finding {
    uint64_t count;
    uint64_t first_rip, first_cycles;
    uint8_t first_processor;
};

struct stats {
    struct stats_finding findings[FINDING_COUNT];
    struct stats_processor *processors[STATS_PROCESSORS]; /* null: nothing happened on it yet */
    struct stats_entry_failure *failures;                 /* in order of first appearance */
    size_t failure_count, failure_capacity;
    uint64_t unknown_events; /* whose kind or code no array has room for */
    uint64_t checked_steps;  /* instructions that the core ran one at a time: docs/architecture.md */
    uint64_t uncounted;      /* events that no memory was left for */
};

/* Null: out of memory. */
struct stats *stats_new(void);
void stats_free(struct stats *stats);

/* The observer to hand to the producers. stats must outlive it. */
struct trace stats_observer(struct stats *stats);

void stats_record(struct stats *stats, const struct trace_event *event);

/* Keeps a copy of what a processor's account says by now. processor: below STATS_PROCESSORS. False: out of
 * memory. */
bool stats_take_account(struct stats *stats, unsigned processor, const struct cycle_account *account);

/* The index'th VPID's block in order of appearance; the block of the rest comes last, if it was used. Null
 * past the end. */
const struct stats_vpid *stats_vpid_at(const struct stats_processor *processor, size_t index);

/* What a run came to, as far as the digest and the store are concerned. */
struct run_result {
    const char *outcome; /* stable name, as "power-off" */
    int exit_status;
    const char *message; /* what the run had to say, or "" */
    uint64_t cycles, instructions;
    uint64_t image_digest;
};

/* 64-bit FNV-1a over everything counted and over the result's outcome, status, cycles and instructions, in a
 * fixed order (docs/statistics.md, "The digest"). Two runs of one image with the same options give the same
 * value; labels, paths and dates have no part in it. */
uint64_t stats_digest(const struct stats *stats, const struct run_result *result);

#endif
