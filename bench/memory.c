/* memory.c: how much host memory a run takes above the guest's RAM. Goal: 160 MiB, code buffer of 32 MiB included. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "sim/machine.h"

enum { RAM_MIB = 64, GOAL_MIB = 160 };

int main(int argc, char **argv)
{
    const struct machine_options options = {.cpu = "skylake",
                                            .memory_bytes = (uint64_t)RAM_MIB << 20,
                                            .image = argc > 1 ? argv[1] : BENCH_MEMORY_IMAGE,
                                            .serial = SERIAL_NULL,
                                            .messages = stderr};
    struct machine_result result;
    struct rusage usage;
    machine_run(&options, &result);
    if (result.outcome != MACHINE_POWER_OFF) {
        fprintf(stderr, "bench: the guest ended as %s: %s\n", machine_outcome_name(result.outcome), result.message);
        return 1;
    }
    getrusage(RUSAGE_SELF, &usage);
    long peak = usage.ru_maxrss / 1024;
    printf("peak resident memory %ld MiB; the guest touched 5 of its %d MiB of RAM; goal: at most %d MiB above the guest's RAM\n",
           peak, RAM_MIB, GOAL_MIB);
    return peak - 5 > GOAL_MIB;
}
