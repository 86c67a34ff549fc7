/* timeline.h: adding to a time line of exits. Its form is in stats.h. */
#ifndef VTSIM_TRACES_STATS_TIMELINE_H
#define VTSIM_TRACES_STATS_TIMELINE_H

#include "traces/stats/stats.h"

/* event: a TRACE_VM_EXIT with a code below STATS_EXIT_REASONS; its cycles say when. */
void stats_timeline_add(struct stats_timeline *timeline, const struct trace_event *event);

#endif
