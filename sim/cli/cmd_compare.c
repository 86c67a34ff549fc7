/* cmd_compare.c: vtsim compare: runs side by side. */
#include "sim/cli/stats_command.h"

static int run(int argc, char **argv)
{
    return stats_command_run(&cmd_compare, argc, argv, STATS_COMPARE, (size_t)argc);
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
