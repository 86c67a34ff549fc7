/* cmd_run.c: vtsim run: boot an image, and keep statistics if asked to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/run_request.h"
#include "traces/stats/stats.h"
#include "traces/store/store.h"

/* A run that is being recorded. */
struct recording {
    struct stats *stats;
    struct store *store;
    int64_t id;
    bool failing; /* a write failed, which was reported */
};

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

static int begin_recording(struct recording *r, const struct run_request *request, int argc, char **argv)
{
    char error[1024];
    r->stats = stats_new();
    char *options = join(argc - 1, argv + 1);
    int status = r->stats && options ? CLI_OK : cli_fail(CLI_INTERNAL, "out of memory");
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

static void free_recording(struct recording *r)
{
    store_close(r->store);
    stats_free(r->stats);
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
    if (r->failing ||
        (taken && store_update_run(r->store, r->id, r->stats, progress->cycles, progress->instructions)))
        return;
    r->failing = true;
    cli_fail(0, "statistics: %s; the run goes on, and what was recorded so far is kept",
             taken ? store_error(r->store) : "out of memory");
}

/* The status that the process ends with: the run's, unless its statistics, which were asked for, are
 * incomplete. */
static int end_recording(struct recording *r, const struct machine_result *result)
{
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

static int run_request_carry_out(struct run_request *request, int argc, char **argv)
{
    struct recording recording = {0};
    struct trace observer;
    int status = CLI_OK;
    if (request->stats) {
        status = begin_recording(&recording, request, argc, argv);
        if (status == CLI_OK) {
            observer = stats_observer(recording.stats);
            request->machine.trace = &observer;
            request->machine.progress = update;
            request->machine.progress_opaque = &recording;
        }
    }
    if (status == CLI_OK) {
        struct machine_result result = {0};
        status = machine_run(&request->machine, &result);
        fflush(stdout);
        if (*result.message)
            cli_fail(status, "%s", result.message);
        if (request->stats)
            status = end_recording(&recording, &result);
    }
    free_recording(&recording);
    return status;
}

static int run(int argc, char **argv)
{
    struct run_request request;
    run_request_init(&request);
    int status = cli_parse(&cmd_run, argc, argv, &request);
    if (status == CLI_OK)
        status = run_request_check(&request);
    if (status == CLI_OK)
        status = run_request_carry_out(&request, argc, argv);
    run_request_free(&request);
    return status == CLI_HELP_SHOWN ? CLI_OK : status;
}

const struct cli_command cmd_run = {
    .name = "run",
    .arguments = "[options] IMAGE",
    .summary = "boot an image; its serial output is our standard output",
    .details = "QEMU's -kernel, -initrd, -append, -m, -smp, -serial, -cpu, -device, -nographic, -display "
               "none, -no-reboot and\n"
               "-machine are understood too.\n\n"
               "Exit status: (value << 1) | 1 when the guest writes to the debug-exit port; 0 power-off or "
               "reset; 2 wrong usage;\n"
               "4 an image that cannot be loaded; 6 a triple fault or VMX abort; 8 something that is not "
               "modelled; 10 an internal\n"
               "error, or statistics that could not be written; 124 a limit.",
    .options = run_options,
    .positional = run_set_image,
    .run = run,
};
