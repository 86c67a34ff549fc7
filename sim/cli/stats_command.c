/* stats_command.c: what the commands that read a statistics file have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/stats_command.h"
#include "traces/report/report.h"

struct stats_request {
    const char *stats, *section;
    enum table_format format;
    const char **selectors;
    size_t count, most; /* of selectors; most is the room there is */
};

int stats_command_set_file(void *target, const char *value)
{
    ((struct stats_request *)target)->stats = value;
    return CLI_OK;
}

int stats_command_set_format(void *target, const char *value)
{
    struct stats_request *request = target;
    if (!strcmp(value, "html"))
        return cli_fail(CLI_UNSUPPORTED,
                        "--format html: reports as a page are not made yet; there are text, json and csv");
    if (!table_format_parse(value, &request->format))
        return cli_fail(CLI_USAGE, "--format %s: text, json or csv is wanted", value);
    return CLI_OK;
}

int stats_command_set_section(void *target, const char *value)
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

int stats_command_add_run(void *target, const char *value)
{
    struct stats_request *request = target;
    if (request->count == request->most)
        return cli_fail(CLI_USAGE, "unexpected '%s'", value);
    request->selectors[request->count++] = value;
    return CLI_OK;
}

static int find_runs(struct store *store, const struct stats_request *request, int64_t *ids)
{
    for (size_t i = 0; i < request->count; i++) {
        ids[i] = store_find_run(store, request->selectors[i]);
        if (ids[i] < 0)
            return cli_fail(CLI_USAGE, "%s: %s", request->stats, store_error(store));
        for (size_t j = 0; j < i; j++)
            if (ids[j] == ids[i])
                return cli_fail(CLI_USAGE, "'%s' and '%s' are the same run", request->selectors[j],
                                request->selectors[i]);
    }
    return CLI_OK;
}

static int show(const struct stats_request *request, enum stats_command what)
{
    char error[1024];
    struct store *store = store_open(request->stats, STORE_READ, error, sizeof error);
    if (!store)
        return cli_fail(CLI_USAGE, "%s", error);
    int64_t *ids = calloc(request->count + 1, sizeof *ids);
    int status = ids ? find_runs(store, request, ids) : cli_fail(CLI_INTERNAL, "out of memory");
    if (ids && status == CLI_OK) {
        bool ok =
            what == STATS_REPORT
                ? report_run(store, ids[0], request->section, request->format, stdout, error, sizeof error)
            : what == STATS_RUNS
                ? report_runs(store, request->format, stdout, error, sizeof error)
                : report_compare(store, ids, request->count, request->format, stdout, error, sizeof error);
        if (!ok)
            status = cli_fail(CLI_INTERNAL, "%s", error);
    }
    free(ids);
    store_close(store);
    return status;
}

int stats_command_run(const struct cli_command *command, int argc, char **argv, enum stats_command what,
                      size_t most)
{
    struct stats_request request = {.stats = CLI_DEFAULT_STATS, .most = most};
    request.selectors = calloc((size_t)argc + 1, sizeof *request.selectors);
    if (!request.selectors)
        return cli_fail(CLI_INTERNAL, "out of memory");
    int status = cli_parse(command, argc, argv, &request);
    if (status == CLI_OK && what == STATS_REPORT && !request.count)
        request.selectors[request.count++] = "last";
    if (status == CLI_OK && what == STATS_COMPARE && request.count < 2)
        status = cli_fail(CLI_USAGE, "at least two runs are wanted; 'vtsim runs' lists them");
    if (status == CLI_OK)
        status = show(&request, what);
    free(request.selectors);
    return status == CLI_HELP_SHOWN ? CLI_OK : status;
}
