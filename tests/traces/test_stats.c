/* test_stats.c: events are counted where they belong, and the digest follows them and nothing else. */
#include "tests/traces/fixture.h"

#include "traces/stats/names.h"

static void counts_exits_by_reason_and_vpid(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    sample_events(stats);
    const struct stats_vpid *first = stats_vpid_at(stats, 0), *second = stats_vpid_at(stats, 1);
    assert_int_equal(first->vpid, 1);
    assert_int_equal(first->exits[10].count, 2);
    assert_int_equal(first->exits[10].cycles, 2200);
    assert_int_equal(first->entries[0].count, 1);
    assert_int_equal(first->entries[1].cycles, 400);
    assert_int_equal(second->vpid, 2);
    assert_int_equal(second->exits[48].count, 1);
    assert_int_equal(second->exits[10].count, 0);
    assert_null(stats_vpid_at(stats, 2));
    assert_int_equal(stats->unknown_events, 0);
    stats_free(stats);
}

static void counts_translations_and_flushes(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    sample_events(stats);
    event(stats, TRACE_TLB_FLUSH, 1, FLUSH_MOV_CR3, 3, 0, 50);
    const struct stats_tlb *tlb = &stats_vpid_at(stats, 0)->tlb[TRACE_MAPPING_COMBINED];
    assert_int_equal(tlb->hits, 1);
    assert_int_equal(tlb->misses, 1);
    assert_int_equal(tlb->references, 24);
    assert_int_equal(tlb->cycles, 120);
    const struct stats_flush *flush = &stats->flushes[FLUSH_MOV_CR3];
    assert_int_equal(flush->count, 2);
    assert_int_equal(flush->dropped, 20);
    assert_int_equal(flush->dropped_global, 2);
    assert_int_equal(flush->cycles, 100);
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
    const struct stats_sum *sums = stats->instructions[TRACE_INVEPT];
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
    assert_null(stats_vpid_at(stats, 0));
    stats_free(stats);
}

static void a_guest_that_uses_every_vpid(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    for (uint32_t vpid = 0; vpid <= UINT16_MAX; vpid++)
        event(stats, TRACE_VM_EXIT, (uint16_t)vpid, 18, 0, 0, 1);
    assert_int_equal(stats->vpid_count, STATS_VPIDS);
    const struct stats_vpid *rest = stats_vpid_at(stats, STATS_VPIDS);
    assert_int_equal(rest->vpid, STATS_VPID_OTHER);
    assert_int_equal(rest->exits[18].count, 65536 - STATS_VPIDS);
    assert_null(stats_vpid_at(stats, STATS_VPIDS + 1));
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
        event(stats, (enum trace_kind)kind, 3, 1, 1, 1, 1);
        if (kind == TRACE_KIND_COUNT)
            stats_record(stats, &(struct trace_event){.kind = TRACE_KIND_COUNT});
        uint64_t after = stats_digest(stats, &result);
        assert_int_not_equal(after, before);
        before = after;
    }
    result.instructions++;
    assert_int_not_equal(stats_digest(stats, &result), before);
    stats_free(stats);
}

/* FNV-1a over an empty run, computed by a separate implementation of the algorithm over the documented order.
 */
static uint64_t fnv(uint64_t digest, const void *bytes, size_t count)
{
    for (const uint8_t *p = bytes; count--; p++)
        digest = (digest ^ *p) * 1099511628211u;
    return digest;
}

static void digest_is_fnv_1a_in_the_documented_order(void **state)
{
    (void)state;
    struct stats *stats = stats_new();
    struct run_result result = {.outcome = "limit", .exit_status = 124, .cycles = 5, .instructions = 3};
    const uint64_t head[] = {124, 5, 3};
    uint64_t expected = fnv(14695981039346656037u, &(uint64_t){5}, 8);
    expected = fnv(expected, "limit", 5);
    expected = fnv(expected, head, sizeof head);
    size_t zeros = 2                                                  /* failures: how many, uncounted */
                   + TRACE_VMX_INSTRUCTION_COUNT * STATS_RESULTS * 2u /* count and cycles of each result */
                   + FLUSH_CAUSE_COUNT * 4u + STATS_VECTORS * 2 + 2;  /* triple faults, unknown events */
    for (size_t i = 0; i < zeros; i++)
        expected = fnv(expected, &(uint64_t){0}, 8);
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
