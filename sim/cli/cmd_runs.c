/* cmd_runs.c: vtsim runs: the list of runs. */
#include "sim/cli/stats_command.h"

static int run(int argc, char **argv)
{
    return stats_command_run(&cmd_runs, argc, argv, STATS_RUNS, 0);
}

static const struct cli_option options[] = {
    STATS_COMMAND_OPTIONS,
    {0},
};

const struct cli_command cmd_runs = {
    .name = "runs",
    .arguments = "[options]",
    .summary = "what the statistics file holds",
    .options = options,
    .positional = stats_command_add_run,
    .run = run,
};
