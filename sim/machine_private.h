/* machine_private.h: the machine's parts, for machine.c and for the benchmarks, which load RAM by themselves. */
#ifndef VTSIM_SIM_MACHINE_PRIVATE_H
#define VTSIM_SIM_MACHINE_PRIVATE_H

#include "sim/core/core.h"
#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/platform/platform.h"
#include "sim/sanitize/sanitizer.h"

struct machine_processor {
    struct machine *machine;
    struct cpu cpu;
    struct trace trace; /* the observer's, with this processor's number on each event */
    struct core *core;
    struct core_client client;
    bool halted;        /* it sleeps until an event */
    uint64_t slice_end; /* with several processors: the cycle at which another one is to run */
};

struct machine {
    const struct machine_options *options;
    struct machine_result *result;
    struct cpu_selection selection; /* the processors' profile */
    struct phys_mem mem;
    struct platform platform;
    struct sanitizer *sanitizer; /* null: not asked for */
    struct cpu_bus bus;
    struct machine_processor *processors; /* [0] is the bootstrap processor */
    unsigned processor_count;
    FILE *serial;
    bool serial_failed; /* its output could not be written: the run ends */
    uint64_t next_progress;
    bool accounting;
    bool ended;
};

/* Builds a machine with empty RAM and the processor in its power-on state. False: result says why. */
bool machine_open(struct machine *machine, const struct machine_options *options, struct machine_result *result);
/* Runs from the processors' present state to an outcome. */
void machine_go(struct machine *machine);
/* The platform's accesses and time are this processor's from now on. */
void machine_select(struct machine_processor *processor);
/* The selected processor, until it sleeps, its slice is over or the run ends (machine_loop.c). */
void machine_run_processor(struct machine_processor *processor);
/* A processor that sleeps lets time pass up to the next event that could wake it; may end the run. */
enum cpu_status machine_sleep(struct machine_processor *processor);
/* The platform has ended the run. */
bool machine_stopped_by_platform(struct machine *machine);
/* An answer of the processor model: false when translated code does not go on. */
bool machine_after(struct machine_processor *processor, enum cpu_status status);
/* Simulated time of the processor that came furthest; instructions of all. */
uint64_t machine_cycles(const struct machine *machine);
/* Adds the processors' accounts up into the result's. Every field of the account's parts is a uint64_t. */
void machine_sum_accounts(struct machine *machine);
uint64_t machine_instructions(const struct machine *machine);
/* Ends the run at its limits: true. */
bool machine_check_limits(struct machine_processor *processor);
/* Several processors in turn, to an outcome (machine_turns.c). */
void machine_take_turns(struct machine *machine);
void machine_close(struct machine *machine);
/* Ends the run with an outcome and a message (printf). */
void machine_end(struct machine *machine, enum machine_outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
