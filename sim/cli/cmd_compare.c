/* cmd_compare.c: vtsim compare: runs side by side. */
#include "sim/cli/stats_command.h"

/* As many as a table can show. */
#define MOST_RUNS 64

static int run(int argc, char **argv)
{
    char error[1024];
    struct stats_request request;
    int status = stats_request_parse(&request, &cmd_compare, argc, argv, MOST_RUNS);
    if (status != CLI_OK)
        return stats_request_status(status);
    struct selection selection = {0};
    if (request.count < 2)
        status = cli_fail(CLI_USAGE, "at least two runs are wanted; 'vtsim runs' lists them");
    else
        status = stats_request_select(&request, &selection);
    if (status == CLI_OK &&
        !report_compare(selection.runs, selection.count, &request.output, error, sizeof error))
        status = cli_fail(CLI_INTERNAL, "%s", error);
    selection_free(&selection);
    stats_request_free(&request);
    return status;
}

static const struct cli_option options[] = {
    STATS_COMMAND_OPTIONS,
    {0},
};

const struct cli_command cmd_compare = {
    .name = "compare",
    .arguments = "RUN RUN [...] [options]",
    .summary = "runs side by side, with the differences to the first",
    .details = STATS_COMMAND_RUN,
    .options = options,
    .positional = stats_command_add_run,
    .run = run,
};
