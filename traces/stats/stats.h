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

#include "vtsim/trace.h"

#define STATS_EXIT_REASONS                                                                                   \
    128 /* basic exit reasons below this are counted one by one; the SDM's list ends below it */
#define STATS_VECTORS 256
#define STATS_VPIDS 4096      /* that many VPIDs, in order of appearance, are counted apart */
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

struct stats_tlb {
    uint64_t hits, misses;
    uint64_t references; /* memory references of the walks */
    uint64_t cycles;     /* of the walks */
};

struct stats_flush {
    uint64_t count, cycles;
    uint64_t dropped;        /* translations */
    uint64_t dropped_global; /* of them global */
};

struct stats_vpid {
    int32_t vpid; /* 0 to 65535, or STATS_VPID_OTHER */
    struct stats_sum exits[STATS_EXIT_REASONS];
    struct stats_sum entries[2]; /* by VMLAUNCH, by VMRESUME */
    struct stats_tlb tlb[TRACE_MAPPING_COUNT];
};

/* A kind of failed VM entry. code: exit reason or VM-instruction error, as in trace.h. */
struct stats_entry_failure {
    uint32_t code;
    const char *rule; /* the first rule violated, or "" */
    uint64_t count;
};

struct stats {
    uint16_t *slot_of;        /* VPID -> index in vpids plus 1, 0: none yet */
    struct stats_vpid *vpids; /* STATS_VPIDS + 1 of them; the last is the rest's */
    size_t vpid_count;
    struct stats_entry_failure *failures; /* in order of first appearance */
    size_t failure_count, failure_capacity;
    uint64_t failures_uncounted; /* failed entries that no memory was left to tell apart */
    struct stats_sum instructions[TRACE_VMX_INSTRUCTION_COUNT][STATS_RESULTS];
    struct stats_flush flushes[FLUSH_CAUSE_COUNT];
    uint64_t exceptions[STATS_VECTORS], interrupts[STATS_VECTORS];
    uint64_t triple_faults;
    uint64_t unknown_events; /* whose kind or code no array has room for */
};

/* Null: out of memory. */
struct stats *stats_new(void);
void stats_free(struct stats *stats);

/* The observer to hand to the producers. stats must outlive it. */
struct trace stats_observer(struct stats *stats);

void stats_record(struct stats *stats, const struct trace_event *event);

/* The index'th VPID's block in order of appearance; the block of the rest comes last, once all others are
 * used. Null past the end. */
const struct stats_vpid *stats_vpid_at(const struct stats *stats, size_t index);

/* What a run came to, as far as the digest and the store are concerned. */
struct run_result {
    const char *outcome; /* stable name, as "power-off" */
    int exit_status;
    const char *message; /* what the run had to say, or "" */
    uint64_t cycles, instructions;
    uint64_t image_digest;
};

/* 64-bit FNV-1a over everything counted and over the result's outcome, status, cycles and instructions, in a
 * fixed order. Two runs of one image with the same options give the same value; labels and paths have no part
 * in it. */
uint64_t stats_digest(const struct stats *stats, const struct run_result *result);

#endif
