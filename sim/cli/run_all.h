/* run_all.h: vtsim run --cpu all: an image on every processor, and in what the runs differ. */
#ifndef VTSIM_SIM_CLI_RUN_ALL_H
#define VTSIM_SIM_CLI_RUN_ALL_H

#include "sim/cli/run_request.h"

/* Not all runs ended with the same outcome and status. */
#define CLI_PROCESSORS_DIFFER 12

/* Runs the request on each profile, the oldest first, and prints the matrix on standard output. The status
 * for the process: docs/cli.md. argc, argv: as for recording_begin. */
int run_all(const struct run_request *request, int argc, char **argv);

#endif
