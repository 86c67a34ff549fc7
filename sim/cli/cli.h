/*
 * cli.h: what the commands of vtsim share. Each command is one file, cmd_<name>.c.
 */
#ifndef VTSIM_SIM_CLI_CLI_H
#define VTSIM_SIM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses: docs/cli.md. Those of a run come from the machine. */
enum cli_status {
    CLI_OK = 0,
    CLI_USAGE = 2,
    CLI_UNSUPPORTED = 8,
    CLI_INTERNAL = 10,
};

#define CLI_DEFAULT_STATS "vtsim.db"

struct cli_option {
    const char *name;     /* without dashes; one dash and two are the same */
    const char *argument; /* its name in the help text, null: the option takes none */
    const char *help;     /* null: understood, but not shown (QEMU's spelling of another) */
    /* value is null if there is no argument. Returns CLI_OK, or a status after it has printed why. */
    int (*set)(void *target, const char *value);
};

struct cli_command {
    const char *name;
    const char *arguments;                              /* for the usage line */
    const char *summary;                                /* one line */
    const char *details;                                /* below the options, or null */
    const struct cli_option *options;                   /* up to one without a name */
    int (*positional)(void *target, const char *value); /* as set */
    int (*run)(int argc, char **argv);                  /* argv[0] is the command's name */
};

extern const struct cli_command cmd_run, cmd_report, cmd_compare, cmd_runs, cmd_list, cmd_explain;

/* Parses argv[1] on. CLI_OK: go on. A status: to be returned. CLI_HELP_SHOWN: help was asked for and printed.
 */
#define CLI_HELP_SHOWN (-1)
int cli_parse(const struct cli_command *command, int argc, char **argv, void *target);

/* One line on standard error, "vtsim: ...". Returns status. */
int cli_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number in decimal or 0x form, the whole text. */
bool cli_parse_number(const char *text, uint64_t *value);
/* A size of memory: a number with K, M or G (powers of 1024) behind it; with none, MiB, as QEMU has it.
 * False: no such number, or it is more than 64 bits hold. */
bool cli_parse_size(const char *text, uint64_t *bytes);

/* Collects the names that are nearest to one that was not found. Names must stay valid. */
#define CLI_SUGGESTIONS 3
struct suggestions {
    const char *wanted;
    const char *names[CLI_SUGGESTIONS];
    unsigned distances[CLI_SUGGESTIONS];
    size_t count;
};
void suggest(struct suggestions *s, const char *candidate);
/* "; did you mean 'a', 'b'?", or "" if nothing is near. */
void suggest_text(const struct suggestions *s, char *text, size_t size);

#endif
