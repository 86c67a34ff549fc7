/* cmd_report.c: vtsim report: one run. */
#include "sim/cli/stats_command.h"

static int run(int argc, char **argv)
{
    return stats_command_run(&cmd_report, argc, argv, STATS_REPORT, 1);
}

static const struct cli_option options[] = {
    STATS_COMMAND_OPTIONS,
    {"section", "NAME", "this section alone, as run, exits, tlb or flushes", stats_command_set_section},
    {0},
};

const struct cli_command cmd_report = {
    .name = "report",
    .arguments = "[RUN] [options]",
    .summary = "what one run came to: exits, entries, translations, flushes",
    .details = STATS_COMMAND_RUN " 'last' is meant if there is none.",
    .options = options,
    .positional = stats_command_add_run,
    .run = run,
};
