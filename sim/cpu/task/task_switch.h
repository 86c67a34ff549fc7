/*
 * task_switch.h: hardware task switches. Enter the folder here.
 *
 * In VMX non-root operation an attempt ends in a VM exit after the checks that come before it (SDM volume 3C
 * "Treatment of Task Switches"); in root operation the switch is carried out (SDM volume 3A "Task
 * Switching").
 */
#ifndef VTSIM_SIM_CPU_TASK_TASK_SWITCH_H
#define VTSIM_SIM_CPU_TASK_TASK_SWITCH_H

#include "sim/cpu/descriptors.h"

/* As in bits 31:30 of the exit qualification. */
enum task_switch_source { TASK_SWITCH_CALL, TASK_SWITCH_IRET, TASK_SWITCH_JMP, TASK_SWITCH_GATE_IN_IDT };

struct task_switch {
    uint16_t selector; /* of the new task's TSS */
    enum task_switch_source source;
    bool privilege_checked;        /* CALL or JMP named the TSS itself, so that its DPL counts */
    uint32_t ext;                  /* ERROR_CODE_EXT or 0, for error codes */
    unsigned instruction_length;   /* of the instruction, 0 for events that are none; for the VM exit */
    uint64_t rip, rflags;          /* what the old task goes on with, for its TSS */
    const struct cpu_event *event; /* TASK_SWITCH_GATE_IN_IDT: its error code goes to the new task's stack */
};

/* A switch outside of IA-32e mode. Gives
 * - OUTCOME_TASK_SWITCHED: the state is the new task's;
 * - OUTCOME_EVENT: a fault; either the state is the old task's and no memory has changed, or (SDM "Task
 *   Switching", after the commit) it is the new task's, in whose context the fault is to be handled;
 * - OUTCOME_VM_EXIT in VMX non-root operation. */
struct cpu_outcome task_switch(struct cpu *cpu, const struct task_switch *to);

#endif
