/*
 * task_switch.h: attempts at hardware task switches.
 *
 * vtsim switches no tasks. In VMX non-root operation an attempt ends in a VM exit after the checks that come
 * before it (SDM volume 3C "Treatment of Task Switches"); in root operation, after the same checks, the run
 * stops as unsupported.
 */
#ifndef VTSIM_SIM_CPU_TASK_SWITCH_H
#define VTSIM_SIM_CPU_TASK_SWITCH_H

#include "sim/cpu/descriptors.h"

/* As in bits 31:30 of the exit qualification. */
enum task_switch_source { TASK_SWITCH_CALL, TASK_SWITCH_IRET, TASK_SWITCH_JMP, TASK_SWITCH_GATE_IN_IDT };

/* A switch to the TSS that selector names, outside of IA-32e mode. privilege_checked: CALL or JMP named the
 * TSS itself, so that its DPL counts. ext goes into error codes. instruction_length: of the instruction, 0 in
 * event delivery. Always gives a fault, a VM exit or OUTCOME_UNSUPPORTED. */
struct cpu_outcome task_switch(struct cpu *cpu, uint16_t selector, enum task_switch_source source,
                               bool privilege_checked, uint32_t ext, unsigned instruction_length);

#endif
