/* timeline.c: when exits happened, and how their costs are spread. */
#include "traces/stats/timeline.h"

#include <string.h>

unsigned stats_bucket(uint64_t cycles)
{
    return cycles ? 64 - (unsigned)__builtin_clzll(cycles) : 0;
}

/* Joins each two neighbours. */
static void widen(struct stats_timeline *timeline)
{
    for (size_t slice = 0; slice < timeline->used; slice++) {
        struct stats_sum *from = timeline->exits[slice], *to = timeline->exits[slice / 2];
        if (slice % 2) {
            for (size_t reason = 0; reason < STATS_EXIT_REASONS; reason++) {
                to[reason].count += from[reason].count;
                to[reason].cycles += from[reason].cycles;
            }
        } else if (to != from) {
            memcpy(to, from, sizeof timeline->exits[0]);
        }
    }
    size_t left = (timeline->used + 1) / 2;
    memset(timeline->exits[left], 0, (timeline->used - left) * sizeof timeline->exits[0]);
    timeline->used = left;
    timeline->width *= 2;
}

void stats_timeline_add(struct stats_timeline *timeline, const struct trace_event *event)
{
    /* The width cannot overflow: 2^56 times the slices are all of time. */
    while (event->cycles / timeline->width >= STATS_SLICES)
        widen(timeline);
    size_t slice = (size_t)(event->cycles / timeline->width);
    if (slice >= timeline->used)
        timeline->used = slice + 1;
    struct stats_sum *sum = &timeline->exits[slice][event->code];
    sum->count++;
    sum->cycles += event->cost;
}
