/* cmd_runs.c: vtsim runs: the list of runs. */
#include "sim/cli/stats_command.h"

#include <string.h>

static struct report_filter *filter_of(void *target)
{
    return &((struct stats_request *)target)->filter;
}

static int set_label(void *target, const char *value)
{
    filter_of(target)->label = value;
    return CLI_OK;
}

static int set_image(void *target, const char *value)
{
    filter_of(target)->image = value;
    return CLI_OK;
}

static int set_cpu(void *target, const char *value)
{
    filter_of(target)->cpu = value;
    return CLI_OK;
}

static int set_outcome(void *target, const char *value)
{
    filter_of(target)->outcome = value;
    return CLI_OK;
}

static int set_state(void *target, const char *value)
{
    if (strcmp(value, "finished") && strcmp(value, "unfinished"))
        return cli_fail(CLI_USAGE, "--state %s: finished or unfinished is wanted", value);
    filter_of(target)->state = value;
    return CLI_OK;
}

static int set_last(void *target, const char *value)
{
    uint64_t count;
    if (!cli_parse_number(value, &count) || !count || count > INT64_MAX)
        return cli_fail(CLI_USAGE, "--last %s: a number from 1 on is wanted", value);
    filter_of(target)->last = (int64_t)count;
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    char error[1024];
    struct stats_request request;
    int status = stats_request_parse(&request, &cmd_runs, argc, argv, 0);
    if (status != CLI_OK)
        return stats_request_status(status);
    struct store *store = store_open(request.stats, STORE_READ, error, sizeof error);
    if (!store)
        status = cli_fail(CLI_USAGE, "%s", error);
    else if (!report_runs(store, &request.filter, &request.output, error, sizeof error))
        status = cli_fail(CLI_INTERNAL, "%s", error);
    store_close(store);
    stats_request_free(&request);
    return status;
}

static const struct cli_option options[] = {
    STATS_COMMAND_OPTIONS,
    {"label", "PATTERN", "runs with such a label; * and ? stand for any text and any character", set_label},
    {"image", "PATTERN", "runs of such an image", set_image},
    {"cpu", "PROFILE", "runs on this processor", set_cpu},
    {"outcome", "NAME", "runs that ended so, as debug-exit or limit", set_outcome},
    {"state", "finished|unfinished", "runs whose end is recorded, or is not", set_state},
    {"last", "N", "the newest N of them", set_last},
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
