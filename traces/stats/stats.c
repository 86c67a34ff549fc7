/* stats.c: trace events into arrays. */
#include "traces/stats/stats.h"

#include <stdlib.h>
#include <string.h>

#include "traces/stats/timeline.h"

static void free_processor(struct stats_processor *processor)
{
    if (!processor)
        return;
    free(processor->slot_of);
    for (size_t i = 0; i < processor->vpid_count; i++)
        free(processor->vpids[i]);
    free(processor->rest);
    free(processor);
}

static struct stats_processor *new_processor(void)
{
    struct stats_processor *processor = calloc(1, sizeof *processor);
    if (!processor)
        return NULL;
    processor->timeline.width = STATS_SLICE_CYCLES;
    processor->slot_of = calloc(UINT16_MAX + 1, sizeof *processor->slot_of);
    processor->rest = calloc(1, sizeof *processor->rest);
    if (!processor->slot_of || !processor->rest) {
        free_processor(processor);
        return NULL;
    }
    processor->rest->vpid = STATS_VPID_OTHER;
    return processor;
}

struct stats *stats_new(void)
{
    struct stats *stats = calloc(1, sizeof *stats);
    if (stats && !(stats->processors[0] = new_processor())) {
        free(stats);
        return NULL;
    }
    return stats;
}

void stats_free(struct stats *stats)
{
    if (!stats)
        return;
    for (size_t i = 0; i < STATS_PROCESSORS; i++)
        free_processor(stats->processors[i]);
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

static struct stats_vpid *new_block(struct stats_processor *p, uint16_t vpid)
{
    struct stats_vpid *block = p->vpid_count < STATS_VPIDS ? calloc(1, sizeof *block) : NULL;
    if (!block) {
        p->rest_used = true;
        return p->rest;
    }
    block->vpid = vpid;
    p->vpids[p->vpid_count++] = block;
    p->slot_of[vpid] = (uint16_t)p->vpid_count;
    return block;
}

static struct stats_vpid *block_of(struct stats_processor *p, uint16_t vpid)
{
    return p->slot_of[vpid] ? p->vpids[p->slot_of[vpid] - 1] : new_block(p, vpid);
}

const struct stats_vpid *stats_vpid_at(const struct stats_processor *processor, size_t index)
{
    if (index < processor->vpid_count)
        return processor->vpids[index];
    return index == processor->vpid_count && processor->rest_used ? processor->rest : NULL;
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
            stats->uncounted++;
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

static void count_exit(struct stats_processor *p, const struct trace_event *event)
{
    add(&block_of(p, event->vpid)->exits[event->code], event->cost);
    p->exit_cycles[event->code].count[stats_bucket(event->cost)]++;
    stats_timeline_add(&p->timeline, event);
}

/* A page's size as a power of two, as events carry it. STATS_PAGE_SIZES: there is no such page. */
static unsigned page_size_of(uint64_t power)
{
    switch (power) {
    case 0:
        return STATS_PAGE_NONE;
    case 12:
        return TLB_PAGE_4K;
    case 21:
        return TLB_PAGE_2M;
    case 22:
        return TLB_PAGE_4M;
    case 30:
        return TLB_PAGE_1G;
    }
    return STATS_PAGE_SIZES;
}

static void count_tlb_hit(struct stats_processor *p, const struct trace_event *event)
{
    struct stats_tlb *tlb = &block_of(p, event->vpid)->tlb[event->code];
    add(&tlb->hits[event->b - 1][page_size_of(event->c)], event->cost);
}

static void count_tlb_miss(struct stats_processor *p, const struct trace_event *event)
{
    struct stats_walks *walks = &block_of(p, event->vpid)->tlb[event->code].walks[page_size_of(event->c)];
    walks->count++;
    walks->cycles += event->cost;
    walks->references += event->b;
    walks->ept_references += event->d;
}

static void count_round_trip(struct stats_processor *p, const struct trace_event *event)
{
    struct stats_round_trips *trips = &block_of(p, event->vpid)->round_trips[event->code];
    trips->count++;
    trips->exit += event->a;
    trips->monitor += event->b;
    trips->entry += event->c;
    trips->refill += event->d;
    p->round_trip_cycles[event->code].count[stats_bucket(event->cost)]++;
}

static void count_flush(struct stats_processor *p, const struct trace_event *event)
{
    struct stats_flush *flush = &block_of(p, event->vpid)->flushes[event->code];
    flush->count++;
    flush->cycles += event->cost;
    flush->dropped += event->a;
    flush->dropped_global += event->b;
}

static void count_finding(struct stats *stats, const struct trace_event *event)
{
    struct stats_finding *finding = &stats->findings[event->code];
    if (!finding->count++) {
        finding->first_rip = event->a;
        finding->first_cycles = event->cycles;
        finding->first_processor = event->processor;
    }
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
    [TRACE_FINDING] = FINDING_COUNT,
};

static bool known(const struct trace_event *event)
{
    if (event->kind >= TRACE_KIND_COUNT || event->code >= code_limit[event->kind])
        return false;
    switch ((enum trace_kind)event->kind) {
    case TRACE_VMX_INSTRUCTION:
        return result_of(event->a) < STATS_RESULTS;
    case TRACE_TLB_HIT:
        return event->b - 1 < STATS_TLB_LEVELS && page_size_of(event->c) < STATS_PAGE_NONE;
    case TRACE_TLB_MISS:
        return page_size_of(event->c) < STATS_PAGE_SIZES;
    case TRACE_TLB_REFILL:
        return event->b < TRACE_MAPPING_COUNT;
    default:
        return true;
    }
}

static void count(struct stats *stats, struct stats_processor *p, const struct trace_event *event)
{
    switch ((enum trace_kind)event->kind) {
    case TRACE_VM_ENTRY:
        add(&block_of(p, event->vpid)->entries[event->code], event->cost);
        break;
    case TRACE_VM_ENTRY_FAILED:
        count_entry_failure(stats, event);
        break;
    case TRACE_VM_EXIT:
        count_exit(p, event);
        break;
    case TRACE_VMX_INSTRUCTION:
        add(&p->instructions[event->code][result_of(event->a)], event->cost);
        break;
    case TRACE_TLB_HIT:
        count_tlb_hit(p, event);
        break;
    case TRACE_TLB_MISS:
        count_tlb_miss(p, event);
        break;
    case TRACE_TLB_FLUSH:
        count_flush(p, event);
        break;
    case TRACE_EXCEPTION:
        block_of(p, event->vpid)->exceptions[event->code]++;
        break;
    case TRACE_INTERRUPT:
        block_of(p, event->vpid)->interrupts[event->code]++;
        break;
    case TRACE_TRIPLE_FAULT:
        block_of(p, event->vpid)->triple_faults++;
        break;
    case TRACE_TLB_REFILL:
        add(&block_of(p, event->vpid)->flushes[event->code].refills[event->b], event->cost);
        break;
    case TRACE_EXIT_COST:
        count_round_trip(p, event);
        break;
    case TRACE_FINDING:
        count_finding(stats, event);
        break;
    case TRACE_KIND_COUNT:
        break;
    }
}

static struct stats_processor *processor_of(struct stats *stats, unsigned number)
{
    if (!stats->processors[number])
        stats->processors[number] = new_processor();
    return stats->processors[number];
}

void stats_record(struct stats *stats, const struct trace_event *event)
{
    if (!known(event)) {
        stats->unknown_events++;
        return;
    }
    struct stats_processor *processor = processor_of(stats, event->processor);
    if (processor)
        count(stats, processor, event);
    else
        stats->uncounted++;
}

bool stats_take_account(struct stats *stats, unsigned processor, const struct cycle_account *account)
{
    struct stats_processor *p = processor_of(stats, processor);
    if (p)
        p->account = *account;
    return p;
}
