/* new_task.h: what a task switch does after its commit, in the context of the new task. Inside of this
 * folder. */
#ifndef VTSIM_SIM_CPU_TASK_NEW_TASK_H
#define VTSIM_SIM_CPU_TASK_NEW_TASK_H

#include "sim/cpu/task/tss.h"

/* Loads LDTR and the six segment registers. All selectors are in place already, with unusable hidden parts.
 * False: *outcome is the fault; the registers behind the faulting one stay unusable. ext goes into error
 * codes. */
bool new_task_load_segments(struct cpu *cpu, const struct task_image *image, uint32_t ext,
                            struct cpu_outcome *outcome);

#endif
