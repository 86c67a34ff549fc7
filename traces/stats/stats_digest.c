/* stats_digest.c: one number for all that was counted. */
#include "traces/stats/stats.h"

#include <string.h>

#include "traces/stats/names.h"

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

/* A struct or array of 64-bit numbers, nearly all of them 0: position and number of each other one, then how
 * many numbers there are. */
static void mix_sparse(uint64_t *digest, const void *object, size_t size)
{
    const uint64_t *numbers = object;
    const size_t count = size / sizeof *numbers;
    for (size_t i = 0; i < count; i++)
        if (numbers[i]) {
            mix(digest, i);
            mix(digest, numbers[i]);
        }
    mix(digest, count);
}

#define ALL(object) &(object), sizeof(object)

static void mix_vpid(uint64_t *digest, const struct stats_vpid *block)
{
    mix(digest, (uint64_t)(int64_t)block->vpid);
    mix_sparse(digest, ALL(block->exits));
    mix_sparse(digest, ALL(block->round_trips));
    mix_sparse(digest, ALL(block->entries));
    mix_sparse(digest, ALL(block->tlb));
    mix_sparse(digest, ALL(block->flushes));
    mix_sparse(digest, ALL(block->exceptions));
    mix_sparse(digest, ALL(block->interrupts));
    mix(digest, block->triple_faults);
}

static void mix_processor(uint64_t *digest, const struct stats_processor *p)
{
    const struct stats_vpid *block;
    for (size_t i = 0; (block = stats_vpid_at(p, i)); i++)
        mix_vpid(digest, block);
    mix_sparse(digest, ALL(p->instructions));
    mix_sparse(digest, ALL(p->exit_cycles));
    mix_sparse(digest, ALL(p->round_trip_cycles));
    mix(digest, p->timeline.width);
    mix_sparse(digest, p->timeline.exits, p->timeline.used * sizeof p->timeline.exits[0]);
    mix_sparse(digest, ALL(p->account.by));
    for (unsigned cause = 0; cause < FLUSH_CAUSE_COUNT; cause++)
        mix_sparse(digest, ALL(p->account.flush[cause].dropped));
}

static void mix_failures(uint64_t *digest, const struct stats *stats)
{
    mix(digest, stats->failure_count);
    for (size_t i = 0; i < stats->failure_count; i++) {
        mix(digest, stats->failures[i].code);
        mix_text(digest, stats->failures[i].rule);
        mix(digest, stats->failures[i].count);
    }
    mix(digest, stats->uncounted);
}

/* A run without findings, as most are, has the digest that it has without the sanitizer's looking. */
static void mix_findings(uint64_t *digest, const struct stats *stats)
{
    for (size_t i = 0; i < FINDING_COUNT; i++)
        if (stats->findings[i].count) {
            mix_text(digest, trace_finding_name((unsigned)i));
            mix(digest, stats->findings[i].count);
        }
}

uint64_t stats_digest(const struct stats *stats, const struct run_result *result)
{
    uint64_t digest = FNV_BASIS;
    mix_text(&digest, result->outcome);
    mix(&digest, (uint64_t)(int64_t)result->exit_status);
    mix(&digest, result->cycles);
    mix(&digest, result->instructions);

    for (size_t i = 0; i < STATS_PROCESSORS; i++)
        if (stats->processors[i]) {
            mix(&digest, i);
            mix_processor(&digest, stats->processors[i]);
        }
    mix_failures(&digest, stats);
    mix(&digest, stats->unknown_events);
    mix(&digest, stats->checked_steps);
    mix_findings(&digest, stats);
    return digest;
}
