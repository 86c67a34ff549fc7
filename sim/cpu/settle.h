/* settle.h: shared by settle.c and poll.c. Everybody else uses sim/cpu/cpu.h. */
#ifndef VTSIM_SIM_CPU_SETTLE_H
#define VTSIM_SIM_CPU_SETTLE_H

#include "sim/cpu/cpu.h"

/* CPU_RUN, or CPU_HALTED in an inactive state. */
enum cpu_status cpu_ready(const struct cpu *cpu);
/* Takes what is due at this cycle, as cpu_poll, but lets no device act first (poll.c). */
enum cpu_status cpu_take_due_events(struct cpu *cpu);

/* Is a pending debug exception next, before an instruction? */
bool cpu_debug_exception_due(const struct cpu_state *state);

/* The end of every function of cpu.h that ran something: performance counters follow what changed. CPU_UNSUPPORTED when one
 * was enabled that cannot count; else status. */
enum cpu_status cpu_follow_counters(struct cpu *cpu, enum cpu_status status);

/* Delivers a virtual interrupt through the IDT of the guest (settle.c). */
enum cpu_status cpu_deliver_virtual_interrupt(struct cpu *cpu, uint8_t vector);

#endif
