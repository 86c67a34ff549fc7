/* stats.c: trace events into arrays. */
#include "traces/stats/stats.h"

#include <stdlib.h>
#include <string.h>

struct stats *stats_new(void)
{
    struct stats *stats = calloc(1, sizeof *stats);
    if (!stats)
        return NULL;
    /* The pages of blocks that no guest uses are never touched. */
    stats->slot_of = calloc(UINT16_MAX + 1, sizeof *stats->slot_of);
    stats->vpids = calloc(STATS_VPIDS + 1, sizeof *stats->vpids);
    if (!stats->slot_of || !stats->vpids) {
        stats_free(stats);
        return NULL;
    }
    stats->vpids[STATS_VPIDS].vpid = STATS_VPID_OTHER;
    return stats;
}

void stats_free(struct stats *stats)
{
    if (!stats)
        return;
    free(stats->slot_of);
    free(stats->vpids);
    free(stats->failures);
    free(stats);
}

static void emit(void *observer, const struct trace_event *event)
{
    stats_record(observer, event);
}

struct trace stats_observer(struct stats *stats)
{
    return (struct trace){.wanted = (1u << TRACE_KIND_COUNT) - 1, .emit = emit, .observer = stats};
}

static struct stats_vpid *block_of(struct stats *stats, uint16_t vpid)
{
    if (!stats->slot_of[vpid]) {
        if (stats->vpid_count == STATS_VPIDS)
            return &stats->vpids[STATS_VPIDS];
        stats->vpids[stats->vpid_count++].vpid = vpid;
        stats->slot_of[vpid] = (uint16_t)stats->vpid_count;
    }
    return &stats->vpids[stats->slot_of[vpid] - 1];
}

const struct stats_vpid *stats_vpid_at(const struct stats *stats, size_t index)
{
    if (index < stats->vpid_count)
        return &stats->vpids[index];
    /* The rest's block can only have been used when all others are. */
    return index == STATS_VPIDS ? &stats->vpids[STATS_VPIDS] : NULL;
}

static void add(struct stats_sum *sum, uint64_t cycles)
{
    sum->count++;
    sum->cycles += cycles;
}

static void count_entry_failure(struct stats *stats, const struct trace_event *event)
{
    const char *rule = event->text ? event->text : "";
    for (size_t i = 0; i < stats->failure_count; i++) {
        struct stats_entry_failure *known = &stats->failures[i];
        if (known->code == event->code && (known->rule == rule || !strcmp(known->rule, rule))) {
            known->count++;
            return;
        }
    }
    if (stats->failure_count == stats->failure_capacity) {
        size_t capacity = stats->failure_capacity ? 2 * stats->failure_capacity : 16;
        struct stats_entry_failure *grown = realloc(stats->failures, capacity * sizeof *grown);
        if (!grown) {
            stats->failures_uncounted++;
            return;
        }
        stats->failures = grown;
        stats->failure_capacity = capacity;
    }
    stats->failures[stats->failure_count++] = (struct stats_entry_failure){event->code, rule, 1};
}

static unsigned result_of(uint64_t a)
{
    if (a == STATS_EVENT_FAULT)
        return STATS_RESULT_FAULT;
    if (a == STATS_EVENT_FAIL_INVALID)
        return STATS_RESULT_FAIL_INVALID;
    return a < STATS_RESULT_FAULT ? (unsigned)a : STATS_RESULTS;
}

static void count_tlb_miss(struct stats *stats, const struct trace_event *event)
{
    struct stats_tlb *tlb = &block_of(stats, event->vpid)->tlb[event->code];
    tlb->misses++;
    tlb->references += event->b;
    tlb->cycles += event->cost;
}

static void count_flush(struct stats *stats, const struct trace_event *event)
{
    struct stats_flush *flush = &stats->flushes[event->code];
    flush->count++;
    flush->cycles += event->cost;
    flush->dropped += event->a;
    flush->dropped_global += event->b;
}

/* How many codes each kind has; an event beyond that is counted as unknown. */
static const uint32_t code_limit[TRACE_KIND_COUNT] = {
    [TRACE_VM_ENTRY] = 2,
    [TRACE_VM_ENTRY_FAILED] = UINT32_MAX,
    [TRACE_VM_EXIT] = STATS_EXIT_REASONS,
    [TRACE_VMX_INSTRUCTION] = TRACE_VMX_INSTRUCTION_COUNT,
    [TRACE_TLB_HIT] = TRACE_MAPPING_COUNT,
    [TRACE_TLB_MISS] = TRACE_MAPPING_COUNT,
    [TRACE_TLB_FLUSH] = FLUSH_CAUSE_COUNT,
    [TRACE_TLB_REFILL] = FLUSH_CAUSE_COUNT,
    [TRACE_EXIT_COST] = STATS_EXIT_REASONS,
    [TRACE_EXCEPTION] = STATS_VECTORS,
    [TRACE_INTERRUPT] = STATS_VECTORS,
    [TRACE_TRIPLE_FAULT] = UINT32_MAX,
};

static bool known(const struct trace_event *event)
{
    if (event->kind >= TRACE_KIND_COUNT || event->code >= code_limit[event->kind])
        return false;
    return event->kind != TRACE_VMX_INSTRUCTION || result_of(event->a) < STATS_RESULTS;
}

static void count(struct stats *stats, const struct trace_event *event)
{
    switch ((enum trace_kind)event->kind) {
    case TRACE_VM_ENTRY:
        add(&block_of(stats, event->vpid)->entries[event->code], event->cost);
        break;
    case TRACE_VM_ENTRY_FAILED:
        count_entry_failure(stats, event);
        break;
    case TRACE_VM_EXIT:
        add(&block_of(stats, event->vpid)->exits[event->code], event->cost);
        break;
    case TRACE_VMX_INSTRUCTION:
        add(&stats->instructions[event->code][result_of(event->a)], event->cost);
        break;
    case TRACE_TLB_HIT:
        block_of(stats, event->vpid)->tlb[event->code].hits++;
        break;
    case TRACE_TLB_MISS:
        count_tlb_miss(stats, event);
        break;
    case TRACE_TLB_FLUSH:
        count_flush(stats, event);
        break;
    case TRACE_EXCEPTION:
        stats->exceptions[event->code]++;
        break;
    case TRACE_INTERRUPT:
        stats->interrupts[event->code]++;
        break;
    case TRACE_TRIPLE_FAULT:
        stats->triple_faults++;
        break;
    case TRACE_TLB_REFILL: /* their sums are in struct cycle_account */
    case TRACE_EXIT_COST:
    case TRACE_KIND_COUNT:
        break;
    }
}

void stats_record(struct stats *stats, const struct trace_event *event)
{
    if (known(event))
        count(stats, event);
    else
        stats->unknown_events++;
}
