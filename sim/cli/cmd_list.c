/* cmd_list.c: vtsim list: a table of the model, as text or JSON. */
#include <stdio.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/cli/lists.h"

struct list_request {
    const struct list_topic *topic;
    enum table_format format;
    const struct cpu_profile *profile; /* null: all */
};

static int set_topic(void *target, const char *value)
{
    struct list_request *request = target;
    char hint[512];
    struct suggestions s = {.wanted = value};
    if (request->topic)
        return cli_fail(CLI_USAGE, "unexpected '%s': one list at a time", value);
    for (const struct list_topic *topic = list_topics; topic->name; topic++) {
        if (!strcmp(topic->name, value)) {
            request->topic = topic;
            return CLI_OK;
        }
        suggest(&s, topic->name);
    }
    suggest_text(&s, hint, sizeof hint);
    return cli_fail(CLI_USAGE, "there is no list of '%s'%s ('vtsim list --help' names them all)", value,
                    hint);
}

static int set_json(void *target, const char *value)
{
    (void)value;
    ((struct list_request *)target)->format = TABLE_JSON;
    return CLI_OK;
}

static int set_format(void *target, const char *value)
{
    enum table_format *format = &((struct list_request *)target)->format;
    if (table_format_parse(value, format) && *format != TABLE_HTML)
        return CLI_OK;
    return cli_fail(CLI_USAGE, "--format %s: text, json or csv is wanted", value);
}

static int set_cpu(void *target, const char *value)
{
    const struct cpu_profile *profile = cpu_profile_find(value);
    char hint[512];
    struct suggestions s = {.wanted = value};
    ((struct list_request *)target)->profile = profile;
    if (profile)
        return CLI_OK;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        suggest(&s, profile->name);
    suggest_text(&s, hint, sizeof hint);
    return cli_fail(CLI_USAGE, "there is no processor profile '%s'%s ('vtsim list cpus' shows them)", value,
                    hint);
}

static int run(int argc, char **argv)
{
    struct list_request request = {.format = TABLE_TEXT};
    int status = cli_parse(&cmd_list, argc, argv, &request);
    if (status != CLI_OK)
        return status == CLI_HELP_SHOWN ? CLI_OK : status;
    if (!request.topic)
        return cli_fail(CLI_USAGE, "a list of what? 'vtsim list --help' names them all");
    if (request.profile && !request.topic->fill_for)
        return cli_fail(CLI_USAGE,
                        "the list of %s is the same for every processor: --cpu is for costs, cpus and features",
                        request.topic->name);
    struct table table;
    table_init(&table, request.topic->name, "");
    if (request.profile)
        request.topic->fill_for(&table, request.profile);
    else
        request.topic->fill(&table);
    if (!tables_print(stdout, request.format, &table, 1) && table.out_of_memory)
        status = cli_fail(CLI_INTERNAL, "out of memory");
    table_free(&table);
    return status;
}

static const struct cli_option options[] = {
    {"cpu", "PROFILE", "costs, cpus, features: of this processor alone", set_cpu},
    {"format", "text|json|csv", "text if not given", set_format},
    {"json", NULL, "the same as --format json", set_json},
    {0},
};

const struct cli_command cmd_list = {
    .name = "list",
    .arguments = "fields|rules|exits|errors|controls|cpus|features|msrs|costs|findings\n           [--cpu "
                 "PROFILE] [--format "
                 "text|json|csv]",
    .summary = "what the model knows: fields, rules, exits, errors, controls, profiles, MSRs, costs",
    .details =
        "fields: the fields of a VMCS. rules: what a VM entry checks. exits: basic exit reasons.\n"
        "errors: VM-instruction errors. controls: the bits of the VMX control fields. cpus: processor "
        "profiles.\n"
        "features: what --cpu can take from a processor, and which have it. msrs: model-specific registers.\n"
        "costs: what operations cost in cycles, and where the figure comes from.\n"
        "findings: what 'vtsim run --sanitize' looks for.",
    .options = options,
    .positional = set_topic,
    .run = run,
};
