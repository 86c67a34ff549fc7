/* cmd_run.c: vtsim run: boot an image, and keep statistics if asked to. */
#include <stdio.h>

#include "sim/cli/recording.h"
#include "sim/cli/run_all.h"

static int run_request_carry_out(struct run_request *request, int argc, char **argv)
{
    struct recording recording = {0};
    int status = request->stats ? recording_begin(&recording, request, argc, argv) : CLI_OK;
    if (status == CLI_OK) {
        struct machine_result result = {0};
        status = machine_run(&request->machine, &result);
        fflush(stdout);
        if (*result.message)
            cli_fail(status, "%s", result.message);
        status = recording_end(&recording, &result);
    }
    recording_free(&recording);
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
        status =
            request.every_cpu ? run_all(&request, argc, argv) : run_request_carry_out(&request, argc, argv);
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
               "error, or statistics that could not be written; 124 a limit.\n"
               "With --cpu all the status that all runs have; 12 if they differ in it or in their outcome.",
    .options = run_options,
    .positional = run_set_image,
    .run = run,
};
