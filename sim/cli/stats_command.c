/* stats_command.c: what the commands that read a statistics file have in common. */
#include "sim/cli/stats_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LEAST_WIDTH 40
/* Exit reasons that a report shows one by one. */
#define DEFAULT_TOP 20

int stats_command_set_file(void *target, const char *value)
{
    ((struct stats_request *)target)->stats = value;
    return CLI_OK;
}

int stats_command_set_format(void *target, const char *value)
{
    struct stats_request *request = target;
    if (!table_format_parse(value, &request->output.format))
        return cli_fail(CLI_USAGE, "--format %s: text, json, csv or html is wanted", value);
    return CLI_OK;
}

int stats_command_set_width(void *target, const char *value)
{
    uint64_t width;
    if (!cli_parse_number(value, &width) || (width && width < LEAST_WIDTH) || width > 10000)
        return cli_fail(CLI_USAGE, "--width %s: a number from %d on is wanted, or 0 for no limit", value,
                        LEAST_WIDTH);
    ((struct stats_request *)target)->output.width = (size_t)width;
    return CLI_OK;
}

int stats_command_add_run(void *target, const char *value)
{
    struct stats_request *request = target;
    if (request->count == request->most)
        return cli_fail(CLI_USAGE, "unexpected '%s'", value);
    request->names[request->count++] = value;
    return CLI_OK;
}

/* The terminal's; where there is none what COLUMNS says; else no limit, as a file has none. */
static size_t default_width(void)
{
    struct winsize size;
    uint64_t columns;
    const char *variable = getenv("COLUMNS");
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col >= LEAST_WIDTH)
        return size.ws_col;
    return variable && cli_parse_number(variable, &columns) && columns >= LEAST_WIDTH && columns <= 10000
               ? (size_t)columns
               : 0;
}

int stats_request_parse(struct stats_request *request, const struct cli_command *command, int argc,
                        char **argv, size_t most)
{
    *request =
        (struct stats_request){.stats = CLI_DEFAULT_STATS,
                               .output = {.file = stdout, .width = default_width(), .top = DEFAULT_TOP},
                               .most = most,
                               .names = calloc((size_t)argc + 1, sizeof *request->names)};
    if (!request->names)
        return cli_fail(CLI_INTERNAL, "out of memory");
    int status = cli_parse(command, argc, argv, request);
    if (status != CLI_OK)
        stats_request_free(request);
    return status;
}

void stats_request_free(struct stats_request *request)
{
    free(request->names);
}

int stats_request_select(const struct stats_request *request, struct selection *selection)
{
    if (!selection_init(selection, request->count))
        return cli_fail(CLI_INTERNAL, "out of memory");
    int status = CLI_OK;
    for (size_t i = 0; status == CLI_OK && i < request->count; i++)
        status = selection_add(selection, request->stats, request->names[i]);
    return status;
}

int stats_request_status(int status)
{
    return status == CLI_HELP_SHOWN ? CLI_OK : status;
}
