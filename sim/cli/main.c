/* main.c: vtsim's commands. */
#include <stdio.h>
#include <string.h>

#include "sim/cli/cli.h"

static const struct cli_command *const commands[] = {&cmd_run,  &cmd_report, &cmd_compare,
                                                     &cmd_runs, &cmd_list,   &cmd_explain};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_usage(FILE *file)
{
    fputs("usage: vtsim COMMAND [options]\n\n"
          "vtsim is a processor with Intel VT-x, in software: it boots the image of a hypervisor, runs its "
          "guests,\n"
          "explains what went wrong, and says what every VM exit and every TLB flush cost.\n\n",
          file);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n'vtsim COMMAND --help' describes a command, 'vtsim --version' says which vtsim this is.\n",
          file);
}

static int unknown_command(const char *name)
{
    char hint[512];
    struct suggestions s = {.wanted = name};
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        suggest(&s, commands[i]->name);
    suggest_text(&s, hint, sizeof hint);
    fprintf(stderr, "vtsim: unknown command '%s'%s\nTry 'vtsim --help'.\n", name, hint);
    return CLI_USAGE;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_usage(stdout);
        return CLI_OK;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("vtsim " VTSIM_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(argv[1], commands[i]->name))
            return commands[i]->run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    int status = dispatch(argc, argv);
    /* What could not be written is no success. */
    if (fflush(stdout) || ferror(stdout))
        return cli_fail(status ? status : CLI_INTERNAL, "standard output could not be written");
    return status;
}
