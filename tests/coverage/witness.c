/* witness.c: see witness.h. The only state of a test program that is not its fixture's: which test runs, and
 * what it was seen to do. */
#define _GNU_SOURCE
#include "tests/coverage/witness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmx_model/control_table.h"
#include "vmx_model/exit_reasons.h"

#define TESTS_MOST 256
#define SEEN_MOST 1024 /* rules, exit reasons, errors or controls */

enum kind { RULE, EXIT, ERROR, CONTROL, KINDS };

static struct {
    const struct CMUnitTest *tests; /* as the program gave them */
    size_t count, current;
    FILE *record;
    bool seen[KINDS][SEEN_MOST]; /* by the current test */
    const struct vmx_control *without;
    unsigned depth;
    struct vmx *hidden_in; /* the outermost call's, if the control was taken away */
} witness;

static void record(enum kind kind, size_t number, const char *prefix, const char *id)
{
    static const char *const words[] = {"rule", "exit", "error", "control"};
    if (!witness.record || number >= SEEN_MOST || witness.seen[kind][number])
        return;
    witness.seen[kind][number] = true;
    fprintf(witness.record, "%s %s%s %s %s\n", words[kind], prefix, id, program_invocation_short_name,
            witness.tests[witness.current].name);
}

static void record_number(enum kind kind, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    record(kind, number, "", text);
}

void witness_rule(const struct vmx_rule *rule)
{
    for (size_t i = 0; rule && vmx_rule_at(i); i++)
        if (vmx_rule_at(i) == rule)
            record(RULE, i, "", rule->id);
}

void witness_exit(uint32_t reason)
{
    record_number(EXIT, reason & ~EXIT_REASON_VM_ENTRY_FAILURE);
}

void witness_error(uint32_t error)
{
    record_number(ERROR, error);
}

static uint64_t get(const struct vmcs *v, enum vmcs_field_index field)
{
    return vmcs_read(v, vmcs_field_at(field));
}

static void set(struct vmcs *v, enum vmcs_field_index field, uint64_t value)
{
    vmcs_write(v, vmcs_field_at(field), value);
}

static void record_controls(const struct vmcs *v)
{
    char prefix[64];
    const struct vmx_control *control;
    for (size_t i = 0; witness.record && (control = vmx_control_at(i)); i++) {
        if (!(get(v, control->field) & control->mask))
            continue;
        snprintf(prefix, sizeof prefix, "%s.", control->word);
        record(CONTROL, i, prefix, control->identifier);
    }
}

struct witness_call witness_begin(const struct vmx *vmx, bool acts_in_guest)
{
    struct witness_call call = {0};
    if (witness.depth++ || !acts_in_guest)
        return call;
    struct vmx *v =
        (struct vmx *)(uintptr_t)vmx; /* what a const function sees is changed for it, and changed back */
    record_controls(&v->vmcs);
    if (!witness.without)
        return call;
    call = (struct witness_call){v, v->current_vmcs, get(&v->vmcs, witness.without->field)};
    set(&v->vmcs, witness.without->field, call.before & ~witness.without->mask);
    witness.hidden_in = call.before & witness.without->mask ? v : NULL;
    return call;
}

void witness_end(struct witness_call *call)
{
    witness.depth--;
    if (!call->vmx)
        return;
    witness.hidden_in = NULL;
    struct vmcs *v = &call->vmx->vmcs;
    const enum vmcs_field_index field = witness.without->field;
    if (call->vmx->current_vmcs == call->current_vmcs &&
        get(v, field) == (call->before & ~witness.without->mask))
        set(v, field, call->before);
}

bool witness_inside(void)
{
    return witness.depth > 1; /* the caller is a covered call itself */
}

void witness_show(const struct vmcs *vmcs, bool hide)
{
    if (!witness.hidden_in || vmcs != &witness.hidden_in->vmcs)
        return;
    struct vmcs *v = &witness.hidden_in->vmcs;
    const uint64_t value = get(v, witness.without->field), mask = witness.without->mask;
    set(v, witness.without->field, hide ? value & ~mask : value | mask);
}

/* The program's tests: before each one's set-up the next one's record begins. */
static int next_test(void **state)
{
    witness.current = witness.current == SIZE_MAX ? 0 : witness.current + 1;
    witness.depth = 0; /* an assertion that fails leaves calls without their end */
    witness.hidden_in = NULL;
    memset(witness.seen, 0, sizeof witness.seen);
    CMFixtureFunction setup = witness.tests[witness.current].setup_func;
    return setup ? setup(state) : 0;
}

static const struct vmx_control *find_control(const char *name)
{
    const struct vmx_control *control;
    for (size_t i = 0; (control = vmx_control_at(i)); i++) {
        const size_t length = strlen(control->word);
        if (!strncmp(name, control->word, length) && name[length] == '.' &&
            !strcmp(name + length + 1, control->identifier))
            return control;
    }
    fprintf(stderr, "VTSIM_WITHOUT=%s: no such control\n", name);
    exit(2);
}

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction group_setup, CMFixtureFunction group_teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction group_setup, CMFixtureFunction group_teardown);

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                                   CMFixtureFunction group_setup, CMFixtureFunction group_teardown)
{
    static struct CMUnitTest witnessed[TESTS_MOST];
    const char *record_path = getenv("VTSIM_WITNESS"), *without = getenv("VTSIM_WITHOUT");
    if ((!record_path && !without) || count > TESTS_MOST)
        return __real__cmocka_run_group_tests(name, tests, count, group_setup, group_teardown);
    witness.tests = tests;
    witness.count = count;
    witness.current = SIZE_MAX;
    witness.record = record_path ? fopen(record_path, "a") : NULL;
    witness.without = without ? find_control(without) : NULL;
    for (size_t i = 0; i < count; i++) {
        witnessed[i] = tests[i];
        witnessed[i].setup_func = next_test;
    }
    const int failures = __real__cmocka_run_group_tests(name, witnessed, count, group_setup, group_teardown);
    if (witness.record && fclose(witness.record))
        return 255;
    return failures;
}
