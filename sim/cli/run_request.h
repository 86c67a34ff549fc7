/* run_request.h: what the command line of `vtsim run` asks for. */
#ifndef VTSIM_SIM_CLI_RUN_REQUEST_H
#define VTSIM_SIM_CLI_RUN_REQUEST_H

#include "sim/cli/cli.h"
#include "sim/machine.h"
#include "traces/table/table.h"

struct run_request {
    struct machine_options machine;
    const char *every_cpu;    /* "--cpu all": the features to take away, as ",-la57", or ""; null: one processor */
    enum table_format format; /* of the matrix of --cpu all */
    bool format_given;
    const char *stats; /* null: none are kept */
    const char *label;
    char **modules; /* machine.modules points here; each is ours */
};

/* The options, for the command's table. Their target is a struct run_request. */
extern const struct cli_option run_options[];
int run_set_image(void *target, const char *value);

void run_request_init(struct run_request *request);
void run_request_free(struct run_request *request);
/* What can only be judged when all options are known. CLI_OK, or a status after it has printed why. */
int run_request_check(const struct run_request *request);

#endif
