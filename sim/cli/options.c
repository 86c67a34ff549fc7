/* options.c: the command line of a command, by its table of options. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"

#define MAX_OPTIONS 48

static void print_help(const struct cli_command *command)
{
    printf("usage: vtsim %s %s\n\n%s\n\n", command->name, command->arguments, command->summary);
    for (const struct cli_option *o = command->options; o->name; o++) {
        if (!o->help)
            continue;
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %-31s %s\n", left, o->help);
    }
    printf("  %-31s %s\n", "--help", "this text");
    if (command->details)
        printf("\n%s\n", command->details);
}

static int usage_error(const struct cli_command *command, const char *what, const char *name,
                       const char *hint)
{
    fprintf(stderr, "vtsim %s: %s '%s'%s\nTry 'vtsim %s --help'.\n", command->name, what, name, hint,
            command->name);
    return CLI_USAGE;
}

static const char *without_dashes(const char *text)
{
    return text + strspn(text, "-");
}

static const struct cli_option *find_exactly(const struct cli_command *command, const char *text)
{
    const char *name = without_dashes(text);
    size_t length = strcspn(name, "=");
    for (const struct cli_option *o = command->options; o->name; o++)
        if (strlen(o->name) == length && !strncmp(o->name, name, length))
            return o;
    return NULL;
}

static int unknown_option(const struct cli_command *command, const char *text)
{
    const struct cli_option *known = find_exactly(command, text);
    if (known)
        return usage_error(command, "no value goes with the option", text, "");
    char name[128], hint[512];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(without_dashes(text), "="), without_dashes(text));
    struct suggestions s = {.wanted = name};
    for (const struct cli_option *o = command->options; o->name; o++)
        if (o->help)
            suggest(&s, o->name);
    suggest_text(&s, hint, sizeof hint);
    return usage_error(command, "unknown option", text, hint);
}

/* getopt's table of our options; "help" comes last, with the code count + 1. */
static size_t fill_table(const struct cli_command *command, struct option table[MAX_OPTIONS + 2])
{
    size_t count = 0;
    for (const struct cli_option *o = command->options; o->name && count < MAX_OPTIONS; o++, count++)
        table[count] = (struct option){o->name, o->argument ? required_argument : no_argument, NULL, 0};
    table[count] = (struct option){"help", no_argument, NULL, 0};
    table[count + 1] = (struct option){0};
    return count;
}

/* One step of getopt. CLI_OK: go on. */
static int take(const struct cli_command *command, const struct option *table, size_t count, int code,
                int index, char **argv, void *target)
{
    if (code == 1)
        return command->positional(target, optarg);
    const char *text = argv[optind - 1];
    if (code == ':')
        return usage_error(command, "a value is missing after the option", text, "");
    if (code == '?')
        return unknown_option(command, text);
    if (table[index].has_arg == required_argument && optarg == text)
        text = argv[optind - 2];
    if ((size_t)index == count) {
        print_help(command);
        return CLI_HELP_SHOWN;
    }
    /* getopt takes the beginning of a name for the name; a contract cannot, since a later option may begin
     * alike. */
    if (find_exactly(command, text) != &command->options[index])
        return unknown_option(command, text);
    return command->options[index].set(target, optarg);
}

int cli_parse(const struct cli_command *command, int argc, char **argv, void *target)
{
    struct option table[MAX_OPTIONS + 2];
    size_t count = fill_table(command, table);
    int status = CLI_OK, code, index = 0;
    optind = 0; /* glibc: start anew */
    while (status == CLI_OK && (code = getopt_long_only(argc, argv, "-:", table, &index)) != -1)
        status = take(command, table, count, code, index, argv, target);
    for (; status == CLI_OK && optind < argc; optind++) /* what stands behind "--" */
        status = command->positional(target, argv[optind]);
    return status;
}
