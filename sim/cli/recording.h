/* recording.h: a run whose statistics are counted, and kept in a file if one was named. */
#ifndef VTSIM_SIM_CLI_RECORDING_H
#define VTSIM_SIM_CLI_RECORDING_H

#include "sim/cli/run_request.h"
#include "traces/stats/stats.h"
#include "traces/store/store.h"

struct recording {
    struct stats *stats;
    struct trace observer;
    struct store *store; /* null: they are not kept */
    int64_t id;
    bool failing; /* a write failed, which was reported */
};

/* Makes the request's machine report to *r, which must be all zero and stay where it is until the run is
 * over. argc, argv: of the command, argv[0] is its name. CLI_OK, or a status after it has printed why. Call
 * recording_free in any case. */
int recording_begin(struct recording *r, struct run_request *request, int argc, char **argv);
/* The status that the process ends with: the run's, unless its statistics, which were asked for, are
 * incomplete. */
int recording_end(struct recording *r, const struct machine_result *result);
void recording_free(struct recording *r);

#endif
