/* test_stats.c: events are counted where they belong, and the digest follows them and nothing else. */
#include "tests/traces/fixture.h"

#include "traces/stats/names.h"

static void counts_exits_by_reason_and_vpid(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    sample_events(stats);
    const struct stats_processor *p = stats->processors[0];
    const struct stats_vpid *first = stats_vpid_at(p, 0), *second = stats_vpid_at(p, 1);
    assert_int_equal(first->vpid, 1);
    assert_int_equal(first->exits[10].count, 2);
    assert_int_equal(first->exits[10].cycles, 2200);
    assert_int_equal(first->entries[0].count, 1);
    assert_int_equal(first->entries[1].cycles, 400);
    assert_int_equal(second->vpid, 2);
    assert_int_equal(second->exits[48].count, 1);
    assert_int_equal(second->exits[10].count, 0);
    assert_int_equal(stats_vpid_at(p, 2)->vpid, 0); /* of the interrupt in root operation */
    assert_null(stats_vpid_at(p, 3));
    assert_int_equal(stats->unknown_events, 0);
    stats_free(stats);
}

static void counts_translations_and_flushes(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    sample_events(stats);
    event(stats, TRACE_TLB_FLUSH, 1, FLUSH_MOV_CR3, 3, 0, 50);
    const struct stats_vpid *block = stats_vpid_at(stats->processors[0], 0);
    const struct stats_tlb *tlb = &block->tlb[TRACE_MAPPING_COMBINED];
    assert_int_equal(tlb->hits[0][TLB_PAGE_4K].count, 1);
    assert_int_equal(tlb->hits[0][TLB_PAGE_4K].cycles, 0);
    assert_int_equal(tlb->hits[1][TLB_PAGE_4K].count, 1);
    assert_int_equal(tlb->hits[1][TLB_PAGE_4K].cycles, 7);
    const struct stats_walks *walks = &tlb->walks[TLB_PAGE_4K];
    assert_int_equal(walks->count, 1);
    assert_int_equal(walks->references, 24);
    assert_int_equal(walks->ept_references, 20);
    assert_int_equal(walks->cycles, 120);
    const struct stats_flush *flush = &block->flushes[FLUSH_MOV_CR3];
    assert_int_equal(flush->count, 2);
    assert_int_equal(flush->dropped, 20);
    assert_int_equal(flush->dropped_global, 2);
    assert_int_equal(flush->cycles, 100);
    assert_int_equal(flush->refills[TRACE_MAPPING_COMBINED].count, 1);
    assert_int_equal(flush->refills[TRACE_MAPPING_COMBINED].cycles, 120);
    stats_free(stats);
}

/* trace.h: sizes are powers of two, 0 where the walk found no page; levels are 1 and 2. */
static void tells_sizes_of_pages_apart(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    static const struct {
        uint64_t power;
        unsigned size;
    } sizes[] = {
        {12, TLB_PAGE_4K}, {21, TLB_PAGE_2M}, {22, TLB_PAGE_4M}, {30, TLB_PAGE_1G}, {0, STATS_PAGE_NONE}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        event_at(stats, 0, (struct trace_event){.kind = TRACE_TLB_MISS, .c = sizes[i].power, .cost = i + 1});
    const struct stats_tlb *tlb = &stats_vpid_at(stats->processors[0], 0)->tlb[TRACE_MAPPING_LINEAR];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(tlb->walks[sizes[i].size].count, 1);
        assert_int_equal(tlb->walks[sizes[i].size].cycles, i + 1);
    }
    assert_int_equal(stats->unknown_events, 0);
    event_at(stats, 0, (struct trace_event){.kind = TRACE_TLB_MISS, .c = 13});
    event_at(stats, 0, (struct trace_event){.kind = TRACE_TLB_HIT, .b = 1, .c = 0}); /* a hit has a page */
    event_at(stats, 0, (struct trace_event){.kind = TRACE_TLB_HIT, .b = 0, .c = 12});
    event_at(stats, 0, (struct trace_event){.kind = TRACE_TLB_HIT, .b = 3, .c = 12});
    event_at(stats, 0, (struct trace_event){.kind = TRACE_TLB_REFILL, .b = TRACE_MAPPING_COUNT});
    assert_int_equal(stats->unknown_events, 5);
    stats_free(stats);
}

/* Counts go into the digest, places do not; without findings there is nothing to see of them. */
static void findings_are_counted_with_their_first_place(void **state)
{
    (void)state;
    const struct run_result result = {.outcome = "power-off"};
    struct stats *stats = stats_new();
    const uint64_t none = stats_digest(stats, &result);
    event_at(stats, 70, (struct trace_event){.kind = TRACE_FINDING, .code = FINDING_stale_ept, .a = 0x1234});
    const uint64_t one = stats_digest(stats, &result);
    event_at(stats, 90, (struct trace_event){.kind = TRACE_FINDING, .code = FINDING_stale_ept, .a = 0x5678});
    const struct stats_finding *f = &stats->findings[FINDING_stale_ept];
    assert_int_equal(f->count, 2);
    assert_int_equal(f->first_rip, 0x1234);
    assert_int_equal(f->first_cycles, 70);
    assert_int_equal(stats->findings[FINDING_vmcs_read].count, 0);
    assert_true(none != one && one != stats_digest(stats, &result));
    assert_string_equal(trace_finding_name(FINDING_stale_ept), "stale_ept");
    assert_null(trace_finding_name(FINDING_COUNT));
    event_at(stats, 0, (struct trace_event){.kind = TRACE_FINDING, .code = FINDING_COUNT});
    assert_int_equal(stats->unknown_events, 1);
    stats_free(stats);
}

static void exits_as_the_guest_sees_them(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    sample_events(stats);
    const struct stats_processor *p = stats->processors[0];
    const struct stats_round_trips *trips = &stats_vpid_at(p, 0)->round_trips[10];
    assert_int_equal(trips->count, 1);
    assert_int_equal(trips->exit, 1000);
    assert_int_equal(trips->monitor, 250);
    assert_int_equal(trips->entry, 400);
    assert_int_equal(trips->refill, 120);
    assert_int_equal(p->round_trip_cycles[10].count[11], 1); /* 1770: from 1024 to 2047 */
    stats_free(stats);
}

/* Bucket 0: 0 cycles; bucket n: from 2^(n-1) to 2^n - 1. */
static void costs_go_into_buckets_by_powers_of_two(void **state)
{
    (void)state;
    assert_int_equal(stats_bucket(0), 0);
    assert_int_equal(stats_bucket(1), 1);
    assert_int_equal(stats_bucket(2), 2);
    assert_int_equal(stats_bucket(3), 2);
    assert_int_equal(stats_bucket(4), 3);
    assert_int_equal(stats_bucket(1023), 10);
    assert_int_equal(stats_bucket(1024), 11);
    assert_int_equal(stats_bucket(UINT64_MAX), 64);
    struct stats *stats = stats_new();
    const uint64_t costs[] = {0, 1, 1000, 1023, 1024, UINT64_MAX};
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        event(stats, TRACE_VM_EXIT, 0, 12, 0, 0, costs[i]);
    const struct stats_histogram *histogram = &stats->processors[0]->exit_cycles[12];
    assert_int_equal(histogram->count[0], 1);
    assert_int_equal(histogram->count[1], 1);
    assert_int_equal(histogram->count[10], 2);
    assert_int_equal(histogram->count[11], 1);
    assert_int_equal(histogram->count[64], 1);
    stats_free(stats);
}

static void exit_at(struct stats *stats, uint64_t cycles, uint32_t reason, uint64_t cost)
{
    event_at(stats, cycles, (struct trace_event){.kind = TRACE_VM_EXIT, .code = reason, .cost = cost});
}

/* 256 slices of 4096 cycles hold 1048576 cycles; one more and they are 128 of 8192, the new one the 129th. */
static void slices_double_when_there_are_too_many(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    const struct stats_timeline *t = &stats->processors[0]->timeline;
    for (uint64_t slice = 0; slice < 256; slice++)
        exit_at(stats, slice * 4096 + 4095, 12, slice);
    exit_at(stats, 0, 10, 5);
    assert_int_equal(t->width, 4096);
    assert_int_equal(t->used, 256);
    assert_int_equal(t->exits[3][12].count, 1);
    assert_int_equal(t->exits[3][12].cycles, 3);
    exit_at(stats, 1048576, 12, 1000);
    assert_int_equal(t->width, 8192);
    assert_int_equal(t->used, 129);
    for (uint64_t slice = 0; slice < 128; slice++) {
        assert_int_equal(t->exits[slice][12].count, 2);
        assert_int_equal(t->exits[slice][12].cycles, 4 * slice + 1); /* 2n and 2n + 1 */
    }
    assert_int_equal(t->exits[128][12].count, 1);
    assert_int_equal(t->exits[128][12].cycles, 1000);
    assert_int_equal(t->exits[0][10].count, 1);
    assert_int_equal(t->exits[129][12].count, 0);
    stats_free(stats);
}

/* However far time jumps, nothing is lost: 2^62 cycles are slices of 2^54 and more. */
static void the_timeline_loses_nothing(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    const struct stats_timeline *t = &stats->processors[0]->timeline;
    uint64_t cycles = 1, count = 0;
    for (; cycles <= UINT64_C(1) << 62; cycles *= 2, count++)
        exit_at(stats, cycles, (uint32_t)(count % 3), 7);
    exit_at(stats, UINT64_MAX, 0, 7);
    count++;
    uint64_t counted = 0, charged = 0;
    for (size_t slice = 0; slice < STATS_SLICES; slice++)
        for (size_t reason = 0; reason < STATS_EXIT_REASONS; reason++) {
            counted += t->exits[slice][reason].count;
            charged += t->exits[slice][reason].cycles;
        }
    assert_int_equal(counted, count);
    assert_int_equal(charged, 7 * count);
    assert_int_equal(t->width, UINT64_C(1) << 56);
    assert_int_equal(t->used, 256);
    stats_free(stats);
}

static void processors_are_told_apart(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    for (unsigned processor = 0; processor < 256; processor += 5)
        event_at(stats, 0,
                 (struct trace_event){.kind = TRACE_VM_EXIT,
                                      .processor = (uint8_t)processor,
                                      .vpid = 9,
                                      .code = 12,
                                      .cost = processor});
    for (unsigned processor = 0; processor < 256; processor++) {
        if (processor % 5) {
            assert_null(stats->processors[processor]);
            continue;
        }
        const struct stats_vpid *block = stats_vpid_at(stats->processors[processor], 0);
        assert_int_equal(block->vpid, 9);
        assert_int_equal(block->exits[12].cycles, processor);
    }
    stats_free(stats);
}

/* trace.h: a is 0, a VM-instruction error, ~0 for a fault or ~1 for VMfailInvalid. */
static void tells_results_of_vmx_instructions_apart(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    const uint64_t results[] = {0, 28, 28, ~UINT64_C(0), ~UINT64_C(1), 31, 32};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        event(stats, TRACE_VMX_INSTRUCTION, 0, TRACE_INVEPT, results[i], 0, 100);
    const struct stats_sum *sums = stats->processors[0]->instructions[TRACE_INVEPT];
    assert_int_equal(sums[STATS_RESULT_SUCCESS].count, 1);
    assert_int_equal(sums[28].count, 2);
    assert_int_equal(sums[28].cycles, 200);
    assert_int_equal(sums[31].count, 1);
    assert_int_equal(sums[STATS_RESULT_FAULT].count, 1);
    assert_int_equal(sums[STATS_RESULT_FAIL_INVALID].count, 1);
    assert_int_equal(stats->unknown_events, 1); /* 32 is no error number */
    stats_free(stats);
}

static void failed_entries_by_code_and_rule(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    char other_copy[] = "rule_a";
    failed_entry(stats, 7, "rule_a");
    failed_entry(stats, 7, other_copy);
    failed_entry(stats, 8, "rule_a");
    failed_entry(stats, 34, NULL);
    for (int i = 0; i < 100; i++) { /* more than the first allocation holds */
        static char rules[100][8];
        snprintf(rules[i], sizeof rules[i], "r%d", i);
        failed_entry(stats, 33, rules[i]);
    }
    assert_int_equal(stats->failure_count, 103);
    assert_int_equal(stats->failures[0].count, 2);
    assert_int_equal(stats->failures[1].code, 8);
    assert_string_equal(stats->failures[2].rule, "");
    assert_string_equal(stats->failures[102].rule, "r99");
    stats_free(stats);
}

static void events_beyond_the_arrays_are_counted_as_unknown(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    event(stats, TRACE_VM_EXIT, 1, STATS_EXIT_REASONS, 0, 0, 1);
    event(stats, TRACE_VM_ENTRY, 1, 2, 0, 0, 1);
    event(stats, TRACE_TLB_HIT, 1, TRACE_MAPPING_COUNT, 0, 0, 1);
    event(stats, TRACE_TLB_FLUSH, 1, FLUSH_CAUSE_COUNT, 0, 0, 1);
    event(stats, TRACE_EXCEPTION, 1, 256, 0, 0, 1);
    event(stats, TRACE_VMX_INSTRUCTION, 1, TRACE_VMX_INSTRUCTION_COUNT, 0, 0, 1);
    struct trace_event unknown_kind = {.kind = TRACE_KIND_COUNT};
    stats_record(stats, &unknown_kind);
    assert_int_equal(stats->unknown_events, 7);
    assert_null(stats_vpid_at(stats->processors[0], 0));
    stats_free(stats);
}

static void a_guest_that_uses_every_vpid(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    for (uint32_t vpid = 0; vpid <= UINT16_MAX; vpid++)
        event(stats, TRACE_VM_EXIT, (uint16_t)vpid, 18, 0, 0, 1);
    const struct stats_processor *p = stats->processors[0];
    assert_int_equal(p->vpid_count, STATS_VPIDS);
    const struct stats_vpid *rest = stats_vpid_at(p, STATS_VPIDS);
    assert_int_equal(rest->vpid, STATS_VPID_OTHER);
    assert_int_equal(rest->exits[18].count, 65536 - STATS_VPIDS);
    assert_null(stats_vpid_at(p, STATS_VPIDS + 1));
    stats_free(stats);
}

static uint64_t digest_of_sample(void)
{
    struct stats *stats = stats_new();
    struct run_result result = sample_result();
    sample_events(stats);
    uint64_t digest = stats_digest(stats, &result);
    stats_free(stats);
    return digest;
}

static void digest_is_the_same_for_the_same_events(void **state)
{
    (void)state;
    assert_int_equal(digest_of_sample(), digest_of_sample());
    struct stats *stats = stats_new();
    struct run_result result = sample_result();
    char copy_of_rule[] = "pin_based_reserved_bits"; /* at another address */
    sample_events(stats);
    stats->failures[0].rule = copy_of_rule;
    result.message = "a message has no part in it";
    assert_int_equal(stats_digest(stats, &result), digest_of_sample());
    stats_free(stats);
}

/* Each event changes the digest: nothing counted is left out of it. */
static void digest_follows_every_event(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    struct run_result result = sample_result();
    uint64_t before = stats_digest(stats, &result);
    for (unsigned kind = 0; kind <= TRACE_KIND_COUNT; kind++) {
        struct trace_event e = {
            .kind = (uint8_t)kind, .vpid = 3, .code = 1, .a = 1, .b = 1, .c = 12, .d = 1, .cost = 1};
        stats_record(stats, &e);
        assert_int_equal(stats->unknown_events, kind == TRACE_KIND_COUNT);
        uint64_t after = stats_digest(stats, &result);
        assert_int_not_equal(after, before);
        before = after;
    }
    result.instructions++;
    assert_int_not_equal(stats_digest(stats, &result), before);
    stats_free(stats);
}

/* The account goes into the digest: every cause of both modes, every kind of translation dropped. */
static void digest_follows_the_account(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    struct run_result result = sample_result();
    struct cycle_account account = {0};
    uint64_t before = stats_digest(stats, &result);
    for (unsigned cause = 0; cause < CYCLE_CAUSE_COUNT; cause++)
        for (unsigned mode = 0; mode < CYCLE_MODE_COUNT; mode++) {
            account.by[mode][cause] += 3;
            assert_true(stats_take_account(stats, 0, &account));
            uint64_t after = stats_digest(stats, &result);
            assert_int_not_equal(after, before);
            before = after;
        }
    account.flush[FLUSH_INVEPT_ALL].dropped[TRACE_MAPPING_GUEST_PHYSICAL][TLB_PAGE_1G][0]++;
    assert_true(stats_take_account(stats, 0, &account));
    assert_int_not_equal(stats_digest(stats, &result), before);
    before = stats_digest(stats, &result);
    stats->checked_steps++;
    assert_int_not_equal(stats_digest(stats, &result), before);
    stats_free(stats);
}

/* docs/statistics.md, "The digest": computed here by a separate implementation, for a run with one exit in
 * it. */
static uint64_t fnv(uint64_t digest, const void *bytes, size_t count)
{
    for (const uint8_t *p = bytes; count--; p++)
        digest = (digest ^ *p) * 1099511628211u;
    return digest;
}

static uint64_t fnv_numbers(uint64_t digest, const uint64_t *numbers, size_t count)
{
    return fnv(digest, numbers, count * sizeof *numbers);
}
#define FNV(digest, ...)                                                                                     \
    fnv_numbers(digest, (const uint64_t[]){__VA_ARGS__},                                                     \
                sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void digest_is_fnv_1a_in_the_documented_order(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    struct run_result result = {.outcome = "limit", .exit_status = 124, .cycles = 5, .instructions = 3};
    event_at(stats, 9000, (struct trace_event){.kind = TRACE_VM_EXIT, .vpid = 7, .code = 12, .cost = 100});
    uint64_t expected = fnv(FNV(14695981039346656037u, 5), "limit", 5);
    expected = FNV(expected, 124, 5, 3);
    expected = FNV(expected, 0, 7); /* processor 0, VPID 7 */
    expected =
        FNV(expected, 12 * 2, 1, 12 * 2 + 1, 100, 256); /* exits: reason 12: count and cycles; of 128 pairs */
    expected = FNV(expected, 128 * 5, 4);               /* no round trips, no entries */
    expected = FNV(expected, TRACE_MAPPING_COUNT * (2 * 4 * 2 + 5 * 4)); /* translations */
    expected =
        FNV(expected, FLUSH_CAUSE_COUNT * (4 + TRACE_MAPPING_COUNT * 2), 256, 256, 0); /* flushes, events */
    expected = FNV(expected, TRACE_VMX_INSTRUCTION_COUNT * STATS_RESULTS * 2);
    expected = FNV(expected, 12 * 65 + 7, 1, 128 * 65, 128 * 65); /* histograms: 100 is from 64 to 127 */
    expected = FNV(expected, 4096, (2 * 128 + 12) * 2, 1, (2 * 128 + 12) * 2 + 1, 100,
                   3 * 128 * 2); /* slice 2 of 3 */
    expected = FNV(expected, CYCLE_MODE_COUNT * CYCLE_CAUSE_COUNT);
    for (unsigned i = 0; i < FLUSH_CAUSE_COUNT; i++)
        expected = FNV(expected, TRACE_MAPPING_COUNT * TLB_PAGE_SIZE_COUNT * 2);
    expected = FNV(expected, 0, 0, 0, 0); /* failures, uncounted, unknown events, checked steps */
    assert_int_equal(stats_digest(stats, &result), expected);
    stats_free(stats);
}

static void every_cause_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FLUSH_CAUSE_COUNT; i++) {
        assert_non_null(trace_flush_cause_name(i));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(trace_flush_cause_name(i), trace_flush_cause_name(j));
    }
    assert_null(trace_flush_cause_name(FLUSH_CAUSE_COUNT));
    for (unsigned i = 0; i < TRACE_VMX_INSTRUCTION_COUNT; i++)
        assert_non_null(trace_vmx_instruction_name(i));
    assert_string_equal(trace_vector_name(14), "#PF");
    assert_null(trace_vector_name(32));
    assert_string_equal(trace_mapping_name(TRACE_MAPPING_GUEST_PHYSICAL), "guest-physical");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_exits_by_reason_and_vpid),
        cmocka_unit_test(counts_translations_and_flushes),
        cmocka_unit_test(tells_sizes_of_pages_apart),
        cmocka_unit_test(findings_are_counted_with_their_first_place),
        cmocka_unit_test(exits_as_the_guest_sees_them),
        cmocka_unit_test(costs_go_into_buckets_by_powers_of_two),
        cmocka_unit_test(slices_double_when_there_are_too_many),
        cmocka_unit_test(the_timeline_loses_nothing),
        cmocka_unit_test(processors_are_told_apart),
        cmocka_unit_test(digest_follows_the_account),
        cmocka_unit_test(tells_results_of_vmx_instructions_apart),
        cmocka_unit_test(failed_entries_by_code_and_rule),
        cmocka_unit_test(events_beyond_the_arrays_are_counted_as_unknown),
        cmocka_unit_test(a_guest_that_uses_every_vpid),
        cmocka_unit_test(digest_is_the_same_for_the_same_events),
        cmocka_unit_test(digest_follows_every_event),
        cmocka_unit_test(digest_is_fnv_1a_in_the_documented_order),
        cmocka_unit_test(every_cause_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
