/* test_probe_outcomes.c: docs/outcomes.md holds: examples/probe on three processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/machine.h"

enum { CPUS = 3, OUTPUT_BYTES = 16384, EXIT_VMCALL = 18 };

static const char *const cpus[CPUS] = {"prescott", "nehalem", "skylake"};

struct outcome {
    char output[OUTPUT_BYTES];
    struct machine_result result;
    uint64_t entries, vmreads;
};

static void observe(void *observer, const struct trace_event *event)
{
    struct outcome *outcome = observer;
    outcome->entries += event->kind == TRACE_VM_ENTRY;
    outcome->vmreads += event->kind == TRACE_VMX_INSTRUCTION && event->code == TRACE_VMREAD;
}

static void run(const char *cpu, struct outcome *outcome)
{
    char path[] = "/tmp/vtsim-outcomes-XXXXXX";
    const int descriptor = mkstemp(path);
    struct trace trace = {
        .wanted = 1u << TRACE_VM_ENTRY | 1u << TRACE_VMX_INSTRUCTION, .emit = observe, .observer = outcome};
    assert_true(descriptor >= 0);
    const struct machine_options options = {.cpu = cpu,
                                            .memory_bytes = 64 << 20,
                                            .image = PROBE_IMAGE,
                                            .serial = SERIAL_FILE,
                                            .serial_path = path,
                                            .max_cycles = 1000000000,
                                            .trace = &trace,
                                            .messages = stderr};
    machine_run(&options, &outcome->result);
    assert_int_equal(outcome->result.outcome, MACHINE_POWER_OFF);
    FILE *file = fdopen(descriptor, "r");
    assert_non_null(file);
    outcome->output[fread(outcome->output, 1, OUTPUT_BYTES - 1, file)] = 0;
    fclose(file);
    unlink(path);
}

/* Of the flushes by VM entry and VM exit. */
struct both {
    uint64_t count, cycles, dropped, refills, refill_cycles;
};

static struct both both_flushes(const struct cycle_account *account)
{
    struct both sum = {0};
    for (unsigned cause = FLUSH_VM_ENTRY; cause <= FLUSH_VM_EXIT; cause++) {
        const struct flush_account *f = &account->flush[cause];
        sum.count += f->count;
        sum.cycles += f->cycles;
        for (unsigned kind = 0; kind < TRACE_MAPPING_COUNT; kind++) {
            for (unsigned size = 0; size < TLB_PAGE_SIZE_COUNT; size++)
                sum.dropped += f->dropped[kind][size][0] + f->dropped[kind][size][1];
            sum.refills += f->refills[kind];
            sum.refill_cycles += f->refill_cycles[kind];
        }
    }
    return sum;
}

static uint64_t other_exits(const struct cycle_account *account)
{
    uint64_t count = 0;
    for (unsigned reason = 0; reason < CYCLE_EXIT_REASONS; reason++)
        count += reason == EXIT_VMCALL ? 0 : account->exit[reason].count;
    return count;
}

static uint64_t value_of(const struct outcome *o, const char *what)
{
    const struct cycle_account *account = &o->result.account;
    const struct both both = both_flushes(account);
    const struct {
        const char *what;
        uint64_t value;
    } values[] = {
        {"VM exits by VMCALL", account->exit[EXIT_VMCALL].count},
        {"other VM exits", other_exits(account)},
        {"VM entries", o->entries},
        {"VMREADs", o->vmreads},
        {"flushes by VM entry", account->flush[FLUSH_VM_ENTRY].count},
        {"flushes by VM exit", account->flush[FLUSH_VM_EXIT].count},
        {"translations dropped by both", both.dropped},
        {"of them refilled", both.refills},
        {"cycles of the refills", both.refill_cycles},
        {"cycles of both flushes", both.cycles},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (!strcmp(values[i].what, what))
            return values[i].value;
    fail_msg("docs/outcomes.md has a row that nothing answers: %s", what);
    return 0;
}

/* A line of the probe's output goes on in the next, indented: the output as one line. */
static bool prints(const struct outcome *o, const char *text)
{
    static char flat[OUTPUT_BYTES];
    size_t used = 0;
    for (const char *c = o->output; *c; c++) {
        const bool joins = *c == '\n' && !strncmp(c + 1, "    ", 4);
        flat[used++] = joins ? ' ' : *c;
        c += joins ? 4 : 0;
    }
    flat[used] = 0;
    return strstr(flat, text) != NULL;
}

static void check_cell(const struct outcome *o, const char *cpu, const char *what, const char *cell)
{
    char text[128], expected[160], got[160];
    if (sscanf(what, "\"%127[^\"]\"", text) == 1)
        snprintf(got, sizeof got, "%s", prints(o, text) ? "yes" : "no");
    else
        snprintf(got, sizeof got, "%llu", (unsigned long long)value_of(o, what));
    snprintf(expected, sizeof expected, "%s", cell);
    if (strcmp(expected, got) != 0)
        fail_msg("%s on %s: %s, not %s", what, cpu, got, expected);
}

static void the_table_holds(void **state)
{
    static struct outcome outcomes[CPUS];
    char line[256], what[160], cell[CPUS][32];
    unsigned rows = 0;
    (void)state;
    for (unsigned i = 0; i < CPUS; i++)
        run(cpus[i], &outcomes[i]);
    FILE *table = fopen(OUTCOMES, "r");
    assert_non_null(table);
    while (fgets(line, sizeof line, table)) {
        if (sscanf(line, "| %159[^|]| %31s | %31s | %31s |", what, cell[0], cell[1], cell[2]) != 4)
            continue;
        what[strlen(what) - 1] = 0; /* the space before the bar */
        if (rows++ == 0) {
            for (unsigned i = 0; i < CPUS; i++)
                assert_string_equal(cell[i], cpus[i]);
            continue;
        }
        for (unsigned i = 0; i < CPUS; i++)
            check_cell(&outcomes[i], cpus[i], what, cell[i]);
    }
    fclose(table);
    assert_int_equal(rows, 24); /* all that the document has */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_table_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
