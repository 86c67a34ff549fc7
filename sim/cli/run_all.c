/* run_all.c: see run_all.h. The runs come one after the other, each on a machine of its own; the newest
 * processor's is what the others' serial output is compared with. */
#include "sim/cli/run_all.h"

#include <stdlib.h>
#include <string.h>

#include "sim/cli/recording.h"
#include "vtsim/profile.h"

/* What is shown of a line of output; the rest is cut. */
#define LINE_SHOWN 100

struct cpu_run {
    char cpu[256]; /* the profile, and the features that were taken away */
    struct machine_result result;
    uint64_t exits;
    char *output; /* what came from the serial port */
    size_t output_size;
};

struct cpu_runs {
    const struct run_request *request;
    int argc;
    char **argv;
    struct cpu_run *runs;
    size_t count;
};

static uint64_t count_exits(const struct stats *stats)
{
    uint64_t count = 0;
    for (size_t i = 0; stats && i < STATS_PROCESSORS; i++) {
        const struct stats_vpid *vpid;
        for (size_t v = 0; stats->processors[i] && (vpid = stats_vpid_at(stats->processors[i], v)); v++)
            for (size_t reason = 0; reason < STATS_EXIT_REASONS; reason++)
                count += vpid->exits[reason].count;
    }
    return count;
}

/* What a run said, on standard error with its processor before each line. */
static void pass_on(const struct cpu_run *run, char *messages)
{
    for (char *rest = messages, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            fprintf(stderr, "vtsim: %s: %s\n", run->cpu, line + (strncmp(line, "vtsim: ", 7) ? 0 : 7));
    if (*run->result.message)
        fprintf(stderr, "vtsim: %s: %s\n", run->cpu, run->result.message);
}

/* --serial file:PATH: each processor's output goes to PATH.CPU. */
static int keep_output(const struct cpu_runs *all, const struct cpu_run *run)
{
    const struct machine_options *machine = &all->request->machine;
    if (machine->serial != SERIAL_FILE)
        return CLI_OK;
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", machine->serial_path, run->cpu);
    FILE *file = fopen(path, "wb");
    bool written = file && fwrite(run->output, 1, run->output_size, file) == run->output_size;
    if (file)
        written = !fclose(file) && written;
    return written ? CLI_OK : cli_fail(CLI_USAGE, "--serial file:%s cannot be written", path);
}

/* The request for one processor. In the statistics file the run has the processor's name as its label, after
 * the one that was given. */
static struct run_request request_of(const struct cpu_runs *all, const struct cpu_run *run, char *label,
                                     size_t size)
{
    struct run_request request = *all->request;
    snprintf(label, size, "%s%s%s", request.label ? request.label : "", request.label ? "-" : "", run->cpu);
    request.label = label;
    request.machine.cpu = run->cpu;
    request.machine.serial = request.machine.serial == SERIAL_NULL ? SERIAL_NULL : SERIAL_STREAM;
    return request;
}

static int run_one(const struct cpu_runs *all, struct cpu_run *run)
{
    char label[512], *messages = NULL;
    size_t size;
    struct run_request request = request_of(all, run, label, sizeof label);
    struct recording recording = {0};
    request.machine.serial_stream = open_memstream(&run->output, &run->output_size);
    request.machine.messages = open_memstream(&messages, &size);
    int status = request.machine.serial_stream && request.machine.messages
                     ? recording_begin(&recording, &request, all->argc, all->argv)
                     : cli_fail(CLI_INTERNAL, "out of memory");
    const bool began = status == CLI_OK;
    if (began) {
        machine_run(&request.machine, &run->result);
        run->exits = count_exits(recording.stats);
        if (recording_end(&recording, &run->result) != run->result.exit_status)
            status = CLI_INTERNAL;
    }
    bool kept = !request.machine.serial_stream || !fclose(request.machine.serial_stream);
    kept = (!request.machine.messages || !fclose(request.machine.messages)) && kept;
    if (began && kept)
        pass_on(run, messages);
    if (status == CLI_OK)
        status = kept ? keep_output(all, run) : cli_fail(CLI_INTERNAL, "out of memory");
    recording_free(&recording);
    free(messages);
    return status;
}

/* The line-th line, from 1 on, without its end, cut, and with a dot for each byte that does not print. Null:
 * there is none. */
static const char *line_of(const struct cpu_run *run, size_t line, char shown[LINE_SHOWN + 1])
{
    const char *at = run->output, *end = at + run->output_size;
    for (; line > 1 && at < end; line--) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline ? newline + 1 : end;
    }
    if (at >= end)
        return NULL;
    size_t length = 0;
    for (; at < end && *at != '\n' && length < LINE_SHOWN; at++)
        if (*at != '\r')
            shown[length++] = *at;
    shown[length] = 0;
    for (char *c = shown; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '.';
    return shown;
}

/* The first line that differs; 0: the outputs are the same. */
static size_t first_difference(const struct cpu_run *a, const struct cpu_run *b)
{
    size_t line = 1, i = 0;
    while (i < a->output_size && i < b->output_size && a->output[i] == b->output[i])
        line += a->output[i++] == '\n';
    return i == a->output_size && i == b->output_size ? 0 : line;
}

static void columns(struct table *table, const char *const *names)
{
    for (; *names; names++)
        table_column(table, *names);
}

static void fill_runs(const struct cpu_runs *all, struct table *table)
{
    table_init(table, "runs", "Runs");
    columns(table, (const char *const[]){"cpu", "status", "outcome", "cycles", "instructions", "exits",
                                         "output_differs_at_line", NULL});
    for (size_t i = 0; i < all->count; i++) {
        const struct cpu_run *run = &all->runs[i];
        table_string(table, run->cpu);
        table_integer(table, run->result.exit_status);
        table_string(table, machine_outcome_name(run->result.outcome));
        table_integer(table, (int64_t)run->result.cycles);
        table_integer(table, (int64_t)run->result.instructions);
        table_integer(table, (int64_t)run->exits);
        size_t line = first_difference(run, &all->runs[all->count - 1]);
        if (line)
            table_integer(table, (int64_t)line);
        else
            table_null(table);
    }
}

static void fill_differences(const struct cpu_runs *all, struct table *table)
{
    const struct cpu_run *newest = &all->runs[all->count - 1];
    table_init(table, "differences", "First difference in serial output to the newest processor's");
    columns(table, (const char *const[]){"cpu", "line", "here", "newest", NULL});
    for (size_t i = 0; i < all->count; i++) {
        char here[LINE_SHOWN + 1], there[LINE_SHOWN + 1];
        size_t line = first_difference(&all->runs[i], newest);
        if (!line)
            continue;
        table_string(table, all->runs[i].cpu);
        table_integer(table, (int64_t)line);
        table_string(table, line_of(&all->runs[i], line, here));
        table_string(table, line_of(newest, line, there));
    }
}

static int print(const struct cpu_runs *all)
{
    struct table tables[2];
    fill_runs(all, &tables[0]);
    fill_differences(all, &tables[1]);
    tables[0].report = tables[1].report = true;
    bool printed = tables_print(stdout, all->request->format, tables, 2);
    table_free(&tables[0]);
    table_free(&tables[1]);
    return printed ? CLI_OK : cli_fail(CLI_INTERNAL, "the matrix could not be written");
}

static int status_of(const struct cpu_runs *all)
{
    const struct machine_result *first = &all->runs[0].result;
    for (size_t i = 1; i < all->count; i++)
        if (all->runs[i].result.exit_status != first->exit_status ||
            all->runs[i].result.outcome != first->outcome)
            return CLI_PROCESSORS_DIFFER;
    return first->exit_status;
}

/* Up to an image that cannot be loaded, which is so on every processor: its status then goes to *bad. */
static int run_each(struct cpu_runs *all, size_t count, int *bad)
{
    int status = CLI_OK;
    while (status == CLI_OK && !*bad && all->count < count) {
        struct cpu_run *run = &all->runs[all->count];
        snprintf(run->cpu, sizeof run->cpu, "%s%s", cpu_profile_at(all->count++)->name,
                 all->request->every_cpu);
        status = run_one(all, run);
        if (run->result.outcome == MACHINE_BAD_IMAGE || run->result.outcome == MACHINE_USAGE)
            *bad = run->result.exit_status;
    }
    return status;
}

int run_all(const struct run_request *request, int argc, char **argv)
{
    struct cpu_runs all = {.request = request, .argc = argc, .argv = argv};
    size_t count = 1;
    while (cpu_profile_at(count))
        count++;
    all.runs = calloc(count, sizeof *all.runs);
    if (!all.runs)
        return cli_fail(CLI_INTERNAL, "out of memory");
    int bad = 0, status = run_each(&all, count, &bad);
    if (status == CLI_OK && !bad)
        status = print(&all);
    if (status == CLI_OK)
        status = bad ? bad : status_of(&all);
    for (size_t i = 0; i < all.count; i++)
        free(all.runs[i].output);
    free(all.runs);
    return status;
}
