/* stats_command.h: what the commands that read a statistics file have in common: report, runs, compare. */
#ifndef VTSIM_SIM_CLI_STATS_COMMAND_H
#define VTSIM_SIM_CLI_STATS_COMMAND_H

#include "sim/cli/cli.h"

enum stats_command { STATS_REPORT, STATS_RUNS, STATS_COMPARE };

/* Parses, opens the file, prints. most: how many runs may be named. */
int stats_command_run(const struct cli_command *command, int argc, char **argv, enum stats_command what,
                      size_t most);

/* For the tables of options. */
int stats_command_set_file(void *target, const char *value);
int stats_command_set_format(void *target, const char *value);
int stats_command_set_section(void *target, const char *value);
int stats_command_add_run(void *target, const char *value);

#define STATS_COMMAND_OPTIONS                                                                                \
    {"stats", "FILE.db", "the statistics file; " CLI_DEFAULT_STATS " if not given", stats_command_set_file}, \
    {                                                                                                        \
        "format", "text|json|csv", "text if not given", stats_command_set_format                             \
    }
#define STATS_COMMAND_RUN "RUN is an id, a label (the newest run of it), or 'last'."

#endif
