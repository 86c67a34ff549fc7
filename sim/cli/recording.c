/* recording.c: see recording.h. */
#include "sim/cli/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The arguments in one line, as a shell would take them again. */
static char *join(int argc, char **argv)
{
    size_t size = 1;
    for (int i = 0; i < argc; i++)
        size += 4 * strlen(argv[i]) + 3;
    char *line = malloc(size), *to = line;
    for (int i = 0; line && i < argc; i++) {
        bool quote = !*argv[i] || strpbrk(argv[i], " \t\n'\"\\$`&|;<>()*?[]#~!{}");
        to += sprintf(to, "%s%s", i ? " " : "", quote ? "'" : "");
        for (const char *from = argv[i]; *from; from++)
            to += sprintf(to, *from == '\'' ? "'\\''" : "%c", *from);
        to += sprintf(to, "%s", quote ? "'" : "");
    }
    if (line)
        *to = 0;
    return line;
}

static int begin_storing(struct recording *r, const struct run_request *request, int argc, char **argv)
{
    char error[1024];
    char *options = join(argc - 1, argv + 1);
    int status = options ? CLI_OK : cli_fail(CLI_INTERNAL, "out of memory");
    if (status == CLI_OK && !(r->store = store_open(request->stats, STORE_WRITE, error, sizeof error)))
        status = cli_fail(CLI_USAGE, "%s", error);
    if (status == CLI_OK) {
        struct run_description description = {.label = request->label,
                                              .image = request->machine.image,
                                              .options = options,
                                              .cpu = request->machine.cpu,
                                              .memory_bytes = request->machine.memory_bytes};
        r->id = store_begin_run(r->store, &description);
        if (r->id < 0)
            status = cli_fail(CLI_USAGE, "statistics file %s: %s", request->stats, store_error(r->store));
    }
    free(options);
    return status;
}

/* Also when writing fails: the end of the run is tried once more, and needs the last figures. */
static bool take_progress(struct stats *stats, const struct machine_progress *progress)
{
    for (unsigned i = 0; i < progress->processor_count; i++)
        if (!stats_take_account(stats, i, progress->accounts[i]))
            return false;
    stats->checked_steps = progress->checked_steps;
    return true;
}

static void update(void *opaque, const struct machine_progress *progress)
{
    struct recording *r = opaque;
    const bool taken = take_progress(r->stats, progress);
    if (r->failing || !r->store ||
        (taken && store_update_run(r->store, r->id, r->stats, progress->cycles, progress->instructions)))
        return;
    r->failing = true;
    cli_fail(0, "statistics: %s; the run goes on, and what was recorded so far is kept",
             taken ? store_error(r->store) : "out of memory");
}

int recording_begin(struct recording *r, struct run_request *request, int argc, char **argv)
{
    r->stats = stats_new();
    if (!r->stats)
        return cli_fail(CLI_INTERNAL, "out of memory");
    int status = request->stats ? begin_storing(r, request, argc, argv) : CLI_OK;
    if (status != CLI_OK)
        return status;
    r->observer = stats_observer(r->stats);
    request->machine.trace = &r->observer;
    request->machine.progress = update;
    request->machine.progress_opaque = r;
    return CLI_OK;
}

void recording_free(struct recording *r)
{
    store_close(r->store);
    stats_free(r->stats);
}

int recording_end(struct recording *r, const struct machine_result *result)
{
    if (!r->store)
        return result->exit_status;
    struct run_result last = {.outcome = machine_outcome_name(result->outcome),
                              .exit_status = result->exit_status,
                              .message = result->message,
                              .cycles = result->cycles,
                              .instructions = result->instructions,
                              .image_digest = result->image_digest};
    if (store_finish_run(r->store, r->id, r->stats, &last))
        return result->exit_status;
    return cli_fail(CLI_INTERNAL,
                    "statistics: %s; they lack the end of the run, whose own status was %d (%s)",
                    store_error(r->store), result->exit_status, last.outcome);
}
