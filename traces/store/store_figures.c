/* store_figures.c: the figures of a run, row by row. */
#include "traces/stats/names.h"
#include "traces/store/store_private.h"

#include <stdio.h>

/* Whose figures are written. */
struct writer {
    struct store *store;
    int64_t run, processor, vpid;
    bool ok;
};

/* Rows about one VPID begin with run, processor and VPID, the others with run and processor. */
#define WRITE_OF_VPID(w, statement, types, ...)                                                              \
    ((w)->ok = (w)->ok && store_run((w)->store, statement, "iii" types, (w)->run, (w)->processor, (w)->vpid, \
                                    __VA_ARGS__))
#define WRITE_OF_PROCESSOR(w, statement, types, ...)                                                         \
    ((w)->ok = (w)->ok && store_run((w)->store, statement, "ii" types, (w)->run, (w)->processor, __VA_ARGS__))
#define I(value) ((int64_t)(value))

static const char *page_size_name(unsigned size)
{
    static const char *const names[STATS_PAGE_SIZES] = {[TLB_PAGE_4K] = "4K",
                                                        [TLB_PAGE_2M] = "2M",
                                                        [TLB_PAGE_4M] = "4M",
                                                        [TLB_PAGE_1G] = "1G",
                                                        [STATS_PAGE_NONE] = "none"};
    return names[size];
}

static void write_exits(struct writer *w, const struct stats_vpid *block)
{
    for (unsigned i = 0; w->ok && i < STATS_EXIT_REASONS; i++) {
        const struct stats_sum *exits = &block->exits[i];
        const struct stats_round_trips *trips = &block->round_trips[i];
        if (exits->count || trips->count)
            w->ok = store_run(w->store, STORE_NAME_UNKNOWN_REASON, "i", I(i));
        if (exits->count)
            WRITE_OF_VPID(w, STORE_EXIT, "iii", I(i), I(exits->count), I(exits->cycles));
        if (trips->count)
            WRITE_OF_VPID(w, STORE_ROUND_TRIP, "iiiiii", I(i), I(trips->count), I(trips->exit),
                          I(trips->monitor), I(trips->entry), I(trips->refill));
    }
}

static void write_entries(struct writer *w, const struct stats_vpid *block)
{
    static const char *const names[2] = {"VMLAUNCH", "VMRESUME"};
    for (unsigned i = 0; i < 2; i++)
        if (block->entries[i].count)
            WRITE_OF_VPID(w, STORE_ENTRY, "tii", names[i], I(block->entries[i].count),
                          I(block->entries[i].cycles));
}

static void write_tlb(struct writer *w, const char *mapping, const struct stats_tlb *tlb)
{
    for (unsigned size = 0; size < STATS_PAGE_SIZES; size++) {
        for (unsigned level = 0; size < TLB_PAGE_SIZE_COUNT && level < STATS_TLB_LEVELS; level++) {
            const struct stats_sum *hits = &tlb->hits[level][size];
            if (hits->count)
                WRITE_OF_VPID(w, STORE_TLB_HIT, "titii", mapping, I(level + 1), page_size_name(size),
                              I(hits->count), I(hits->cycles));
        }
        const struct stats_walks *walks = &tlb->walks[size];
        if (walks->count)
            WRITE_OF_VPID(w, STORE_PAGE_WALK, "ttiiii", mapping, page_size_name(size), I(walks->count),
                          I(walks->references), I(walks->ept_references), I(walks->cycles));
    }
}

static void write_flushes(struct writer *w, const struct stats_vpid *block)
{
    for (unsigned i = 0; w->ok && i < FLUSH_CAUSE_COUNT; i++) {
        const struct stats_flush *flush = &block->flushes[i];
        if (flush->count)
            WRITE_OF_VPID(w, STORE_TLB_FLUSH, "tiiii", trace_flush_cause_name(i), I(flush->count),
                          I(flush->cycles), I(flush->dropped), I(flush->dropped_global));
        for (unsigned mapping = 0; mapping < TRACE_MAPPING_COUNT; mapping++)
            if (flush->refills[mapping].count)
                WRITE_OF_VPID(w, STORE_TLB_REFILL, "ttii", trace_flush_cause_name(i),
                              trace_mapping_name(mapping), I(flush->refills[mapping].count),
                              I(flush->refills[mapping].cycles));
    }
}

static void write_events(struct writer *w, const struct stats_vpid *block)
{
    for (unsigned i = 0; w->ok && i < STATS_VECTORS; i++) {
        if (block->exceptions[i])
            WRITE_OF_VPID(w, STORE_EVENT, "titi", "exception", I(i), trace_vector_name(i),
                          I(block->exceptions[i]));
        if (block->interrupts[i])
            WRITE_OF_VPID(w, STORE_EVENT, "titi", "interrupt", I(i), i == 2 ? "NMI" : NULL,
                          I(block->interrupts[i]));
    }
    if (block->triple_faults)
        WRITE_OF_VPID(w, STORE_EVENT, "titi", "triple fault", I(0), NULL, I(block->triple_faults));
}

static void write_vpid(struct writer *w, const struct stats_vpid *block)
{
    w->vpid = block->vpid;
    write_exits(w, block);
    write_entries(w, block);
    for (unsigned i = 0; i < TRACE_MAPPING_COUNT; i++)
        write_tlb(w, trace_mapping_name(i), &block->tlb[i]);
    write_flushes(w, block);
    write_events(w, block);
}

static void write_instruction(struct writer *w, unsigned instruction, unsigned result,
                              const struct stats_sum *sum)
{
    char text[32];
    int64_t error = 0;
    if (result == STATS_RESULT_SUCCESS) {
        snprintf(text, sizeof text, "success");
    } else if (result == STATS_RESULT_FAULT) {
        snprintf(text, sizeof text, "fault");
    } else if (result == STATS_RESULT_FAIL_INVALID) {
        snprintf(text, sizeof text, "VMfailInvalid");
    } else {
        snprintf(text, sizeof text, "VMfailValid(%u)", result);
        error = result;
        w->ok = w->ok && store_run(w->store, STORE_NAME_UNKNOWN_ERROR, "i", error);
    }
    WRITE_OF_PROCESSOR(w, STORE_VMX_INSTRUCTION, "ttiii", trace_vmx_instruction_name(instruction), text,
                       error, I(sum->count), I(sum->cycles));
}

static void write_instructions(struct writer *w, const struct stats_processor *p)
{
    for (unsigned i = 0; w->ok && i < TRACE_VMX_INSTRUCTION_COUNT; i++)
        for (unsigned result = 0; result < STATS_RESULTS; result++)
            if (p->instructions[i][result].count)
                write_instruction(w, i, result, &p->instructions[i][result]);
}

static void write_histograms(struct writer *w, const char *measure, const struct stats_histogram *histograms)
{
    for (unsigned reason = 0; w->ok && reason < STATS_EXIT_REASONS; reason++)
        for (unsigned bucket = 0; bucket < STATS_BUCKETS; bucket++)
            if (histograms[reason].count[bucket])
                WRITE_OF_PROCESSOR(w, STORE_HISTOGRAM, "tiii", measure, I(reason), I(bucket),
                                   I(histograms[reason].count[bucket]));
}

static void write_slice(struct writer *w, const struct stats_timeline *timeline, size_t slice)
{
    for (unsigned reason = 0; w->ok && reason < STATS_EXIT_REASONS; reason++) {
        const struct stats_sum *sum = &timeline->exits[slice][reason];
        if (sum->count)
            WRITE_OF_PROCESSOR(w, STORE_TIMELINE, "iiiii", I(slice * timeline->width), I(timeline->width),
                               I(reason), I(sum->count), I(sum->cycles));
    }
}

/* Slices that time has passed do not change any more, unless they are joined to wider ones. */
static void write_timeline(struct writer *w, const struct stats_timeline *timeline)
{
    struct store_timeline *written = &w->store->timelines[w->processor];
    if (written->width != timeline->width) {
        *written = (struct store_timeline){.width = timeline->width};
        w->ok = w->ok && store_run(w->store, STORE_TIMELINE_CLEAR, "ii", w->run, w->processor);
    }
    for (size_t slice = written->slices ? written->slices - 1 : 0; slice < timeline->used; slice++)
        write_slice(w, timeline, slice);
    written->slices = timeline->used;
}

static void write_account(struct writer *w, const struct cycle_account *account)
{
    for (unsigned mode = 0; mode < CYCLE_MODE_COUNT; mode++)
        for (unsigned cause = 0; w->ok && cause < CYCLE_CAUSE_COUNT; cause++)
            if (account->by[mode][cause])
                WRITE_OF_PROCESSOR(w, STORE_CYCLES, "tti", cycle_mode_name((enum cycle_mode)mode),
                                   cycle_cause_name((enum cycle_cause)cause), I(account->by[mode][cause]));
    const unsigned rows = TRACE_MAPPING_COUNT * TLB_PAGE_SIZE_COUNT * 2;
    for (unsigned cause = 0; w->ok && cause < FLUSH_CAUSE_COUNT; cause++)
        for (unsigned i = 0; i < rows; i++) {
            const unsigned mapping = i / 2 / TLB_PAGE_SIZE_COUNT, size = i / 2 % TLB_PAGE_SIZE_COUNT,
                           global = i % 2;
            const uint64_t dropped = account->flush[cause].dropped[mapping][size][global];
            if (dropped)
                WRITE_OF_PROCESSOR(w, STORE_TLB_DROPPED, "tttii", trace_flush_cause_name(cause),
                                   trace_mapping_name(mapping), page_size_name(size), I(global), I(dropped));
        }
}

static void write_processor(struct writer *w, const struct stats_processor *p)
{
    const struct stats_vpid *block;
    for (size_t i = 0; w->ok && (block = stats_vpid_at(p, i)); i++)
        write_vpid(w, block);
    write_instructions(w, p);
    write_histograms(w, "exit", p->exit_cycles);
    write_histograms(w, "round trip", p->round_trip_cycles);
    write_timeline(w, &p->timeline);
    write_account(w, &p->account);
}

/* Exit reasons 33, 34 and 41 are failed entries; the other codes are VM-instruction errors. */
static const char *failure_kind(uint32_t code)
{
    return code == 33 || code == 34 || code == 41 ? "exit reason" : "VM-instruction error";
}

bool store_write_figures(struct store *store, int64_t id, const struct stats *stats)
{
    struct writer w = {.store = store, .run = id, .ok = true};
    if (store->timeline_run != id) {
        store->timeline_run = id;
        for (size_t i = 0; i < STATS_PROCESSORS; i++)
            store->timelines[i] = (struct store_timeline){0};
    }
    for (size_t i = 0; w.ok && i < STATS_PROCESSORS; i++)
        if (stats->processors[i]) {
            w.processor = (int64_t)i;
            write_processor(&w, stats->processors[i]);
        }
    for (size_t i = 0; w.ok && i < stats->failure_count; i++)
        w.ok = store_run(store, STORE_ENTRY_FAILURE, "ititi", id, failure_kind(stats->failures[i].code),
                         I(stats->failures[i].code), stats->failures[i].rule, I(stats->failures[i].count));
    for (size_t i = 0; w.ok && i < FINDING_COUNT; i++) {
        const struct stats_finding *f = &stats->findings[i];
        if (f->count)
            w.ok = store_run(store, STORE_FINDING, "itiiii", id, trace_finding_name((unsigned)i), I(f->count), I(f->first_processor),
                             I(f->first_rip), I(f->first_cycles));
    }
    return w.ok;
}
