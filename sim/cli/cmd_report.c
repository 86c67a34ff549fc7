/* cmd_report.c: vtsim report: one run. */
#include "sim/cli/stats_command.h"

#include <string.h>

static int set_section(void *target, const char *value)
{
    char hint[512];
    const char *name;
    struct suggestions s = {.wanted = value};
    for (size_t i = 0; (name = report_section_name(i)); i++) {
        if (!strcmp(name, value)) {
            ((struct stats_request *)target)->section = value;
            return CLI_OK;
        }
        suggest(&s, name);
    }
    suggest_text(&s, hint, sizeof hint);
    return cli_fail(CLI_USAGE, "a report has no section '%s'%s", value, hint);
}

static int set_top(void *target, const char *value)
{
    uint64_t top;
    if (!cli_parse_number(value, &top) || top > INT64_MAX)
        return cli_fail(CLI_USAGE, "--top %s: a number is wanted, 0 for all", value);
    ((struct stats_request *)target)->output.top = (size_t)top;
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    char error[1024];
    struct stats_request request;
    int status = stats_request_parse(&request, &cmd_report, argc, argv, 1);
    if (status != CLI_OK)
        return stats_request_status(status);
    if (!request.count)
        request.names[request.count++] = "last";
    struct selection selection;
    status = stats_request_select(&request, &selection);
    if (status == CLI_OK &&
        !report_run(&selection.runs[0], request.section, &request.output, error, sizeof error))
        status = cli_fail(CLI_INTERNAL, "%s", error);
    selection_free(&selection);
    stats_request_free(&request);
    return status;
}

static const struct cli_option options[] = {
    STATS_COMMAND_OPTIONS,
    {"section", "NAME", "this section alone, as run, cycles, exits, tlb or flushes", set_section},
    {"top", "N", "exit reasons that text shows one by one; 20 if not given, 0 for all", set_top},
    {0},
};

const struct cli_command cmd_report = {
    .name = "report",
    .arguments = "[RUN] [options]",
    .summary = "what one run came to: where its cycles went, exits, flushes, translations",
    .details = STATS_COMMAND_RUN "\n'last' is meant if there is none.",
    .options = options,
    .positional = stats_command_add_run,
    .run = run,
};
