/*
 * delivery.h: delivery of an event through the interrupt-vector table or the IDT. Inside of this folder and
 * for cpu_settle; everybody else uses cpu_deliver (sim/cpu/cpu.h).
 */
#ifndef VTSIM_SIM_CPU_DELIVERY_H
#define VTSIM_SIM_CPU_DELIVERY_H

#include "sim/cpu/stack.h"

enum delivery_origin {
    DELIVERY_NORMAL,
    DELIVERY_INJECTED, /* by VM entry: SDM volume 3C "Details of Vectored-Event Injection" */
};

/* One delivery under way. */
struct delivery {
    struct cpu *cpu;
    const struct cpu_event *event;
    uint32_t ext;    /* ERROR_CODE_EXT or 0, for faults met in delivery */
    uint64_t rip;    /* to be pushed */
    uint64_t rflags; /* to be pushed */
};

/* As cpu_deliver, for events of either origin. */
struct cpu_outcome deliver_event(struct cpu *cpu, const struct cpu_event *event, enum delivery_origin origin);

/* real_mode.c, protected_mode.c: OUTCOME_JUMPED, or the fault, VM exit or refusal that delivery met. */
struct cpu_outcome deliver_real_mode(const struct delivery *delivery);
struct cpu_outcome deliver_protected_mode(const struct delivery *delivery);

/* INT n in virtual-8086 mode needs IOPL 3: SDM "INT n", SDM volume 3A "Class 3--Software Interrupt Handling
 * in Virtual-8086 Mode". True: *instead is what the instruction does in place of raising event. */
bool software_interrupt_refused(const struct cpu *cpu, const struct cpu_event *event,
                                struct cpu_outcome *instead);

/* Is this one of INT n, INT3, INTO, which ask for the gate's DPL and leave EXT clear? */
static inline bool event_is_software(const struct cpu_event *event)
{
    return event->type == EVENT_SOFTWARE_INTERRUPT || event->type == EVENT_SOFTWARE_EXCEPTION;
}

#endif
