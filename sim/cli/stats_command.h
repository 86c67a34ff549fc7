/* stats_command.h: what the commands that read a statistics file have in common: report, runs, compare. */
#ifndef VTSIM_SIM_CLI_STATS_COMMAND_H
#define VTSIM_SIM_CLI_STATS_COMMAND_H

#include "sim/cli/cli.h"
#include "sim/cli/selection.h"
#include "traces/report/report.h"

/* What was asked for: the target of the options. */
struct stats_request {
    const char *stats, *section;
    struct report_output output;
    struct report_filter filter;
    const char **names; /* of runs */
    size_t count, most; /* of names; most is the room there is */
};

/* Parses the command line, at most so many names of runs. CLI_OK: show it, then free it. Another status: to
 * be returned, nothing is to be freed. */
int stats_request_parse(struct stats_request *request, const struct cli_command *command, int argc,
                        char **argv, size_t most);
void stats_request_free(struct stats_request *request);
/* Finds the named runs. CLI_OK, or a status after it has printed why; to be freed in any case. */
int stats_request_select(const struct stats_request *request, struct selection *selection);
/* What a command returns for such a status. */
int stats_request_status(int status);

/* For the tables of options. */
int stats_command_set_file(void *target, const char *value);
int stats_command_set_format(void *target, const char *value);
int stats_command_set_width(void *target, const char *value);
int stats_command_add_run(void *target, const char *value);

#define STATS_COMMAND_OPTIONS                                                                                \
    {"stats", "FILE.db", "the statistics file; " CLI_DEFAULT_STATS " if not given", stats_command_set_file}, \
        {"format", "text|json|csv|html", "text if not given", stats_command_set_format},                          \
    {                                                                                                        \
        "width", "N", "keep text within N characters; if not given, the terminal's or COLUMNS",              \
            stats_command_set_width                                                                          \
    }
#define STATS_COMMAND_RUN                                                                                    \
    "RUN is an id, a label that one run alone has, or 'last'; FILE:RUN is one of another file, FILE its "    \
    "last run."

#endif
