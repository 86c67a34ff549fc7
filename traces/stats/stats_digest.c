/* stats_digest.c: one number for all that was counted. */
#include "traces/stats/stats.h"

#include <string.h>

/* 64-bit FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/, offset basis and prime. */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* Little-endian whatever the host, so that hosts agree. */
static void mix(uint64_t *digest, uint64_t value)
{
    for (unsigned shift = 0; shift < 64; shift += 8)
        *digest = (*digest ^ (value >> shift & 0xff)) * FNV_PRIME;
}

static void mix_text(uint64_t *digest, const char *text)
{
    mix(digest, strlen(text));
    for (; *text; text++)
        *digest = (*digest ^ (uint8_t)*text) * FNV_PRIME;
}

static void mix_sums(uint64_t *digest, const struct stats_sum *sums, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mix(digest, sums[i].count);
        mix(digest, sums[i].cycles);
    }
}

static void mix_vpid(uint64_t *digest, const struct stats_vpid *block)
{
    mix(digest, (uint64_t)(int64_t)block->vpid);
    mix_sums(digest, block->exits, STATS_EXIT_REASONS);
    mix_sums(digest, block->entries, 2);
    for (unsigned i = 0; i < TRACE_MAPPING_COUNT; i++) {
        mix(digest, block->tlb[i].hits);
        mix(digest, block->tlb[i].misses);
        mix(digest, block->tlb[i].references);
        mix(digest, block->tlb[i].cycles);
    }
}

static void mix_failures(uint64_t *digest, const struct stats *stats)
{
    mix(digest, stats->failure_count);
    for (size_t i = 0; i < stats->failure_count; i++) {
        mix(digest, stats->failures[i].code);
        mix_text(digest, stats->failures[i].rule);
        mix(digest, stats->failures[i].count);
    }
    mix(digest, stats->failures_uncounted);
}

static void mix_flushes(uint64_t *digest, const struct stats *stats)
{
    for (unsigned i = 0; i < FLUSH_CAUSE_COUNT; i++) {
        mix(digest, stats->flushes[i].count);
        mix(digest, stats->flushes[i].cycles);
        mix(digest, stats->flushes[i].dropped);
        mix(digest, stats->flushes[i].dropped_global);
    }
}

uint64_t stats_digest(const struct stats *stats, const struct run_result *result)
{
    uint64_t digest = FNV_BASIS;
    mix_text(&digest, result->outcome);
    mix(&digest, (uint64_t)(int64_t)result->exit_status);
    mix(&digest, result->cycles);
    mix(&digest, result->instructions);

    const struct stats_vpid *block;
    for (size_t i = 0; (block = stats_vpid_at(stats, i)); i++)
        mix_vpid(&digest, block);
    mix_failures(&digest, stats);
    mix_sums(&digest, &stats->instructions[0][0], (size_t)TRACE_VMX_INSTRUCTION_COUNT * STATS_RESULTS);
    mix_flushes(&digest, stats);
    for (unsigned i = 0; i < STATS_VECTORS; i++) {
        mix(&digest, stats->exceptions[i]);
        mix(&digest, stats->interrupts[i]);
    }
    mix(&digest, stats->triple_faults);
    mix(&digest, stats->unknown_events);
    return digest;
}
