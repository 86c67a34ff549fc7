/* machine_private.h: the machine's parts, for machine.c and for the benchmarks, which load RAM by themselves. */
#ifndef VTSIM_SIM_MACHINE_PRIVATE_H
#define VTSIM_SIM_MACHINE_PRIVATE_H

#include "sim/core/core.h"
#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/platform/platform.h"

struct machine {
    const struct machine_options *options;
    struct machine_result *result;
    struct cpu_selection selection; /* the processor's profile */
    struct phys_mem mem;
    struct platform platform;
    struct cpu_bus bus;
    struct cpu cpu;
    struct core *core;
    struct core_client client;
    FILE *serial;
    bool serial_failed; /* its output could not be written: the run ends */
    uint64_t next_progress;
    bool accounting;
};

/* Builds a machine with empty RAM and the processor in its power-on state. False: result says why. */
bool machine_open(struct machine *machine, const struct machine_options *options, struct machine_result *result);
/* Runs from the processor's present state to an outcome. */
void machine_go(struct machine *machine);
void machine_close(struct machine *machine);
/* Ends the run with an outcome and a message (printf). */
void machine_end(struct machine *machine, enum machine_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
