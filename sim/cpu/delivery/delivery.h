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

/* What delivery changes even if it then fails: SDM volume 3C "Architectural State Before a VM Exit" lists it for events
 * that cause a VM exit indirectly. */
void delivery_begins(struct cpu *cpu, const struct cpu_event *event, enum delivery_origin origin);

/* real_mode.c, protected_mode.c: OUTCOME_JUMPED, or the fault, VM exit or refusal that delivery met. */
struct cpu_outcome deliver_real_mode(const struct delivery *delivery);
struct cpu_outcome deliver_protected_mode(const struct delivery *delivery);

/* virtual_8086.c: INT n that the redirection bit map sends to the program's own handler. */

/* Where does the bit map of the TSS send INT n? False: *outcome is the fault that reading it met. */
bool read_redirection_bit(struct cpu *cpu, uint8_t vector, bool *protected_mode, struct cpu_outcome *outcome);
struct cpu_outcome deliver_redirected(const struct delivery *delivery);

/* INT n in virtual-8086 mode needs IOPL 3, or CR4.VME and a clear bit in the redirection bit map: SDM "INT
 * n", SDM volume 3 table "Software Interrupt Handling Methods While in Virtual-8086 Mode". True: *instead is
 * what the instruction does in place of raising event. */
bool software_interrupt_refused(struct cpu *cpu, const struct cpu_event *event, struct cpu_outcome *instead);

/* Is this one of INT n, INT3, INTO, which ask for the gate's DPL and leave EXT clear? */
static inline bool event_is_software(const struct cpu_event *event)
{
    return event->type == EVENT_SOFTWARE_INTERRUPT || event->type == EVENT_SOFTWARE_EXCEPTION;
}

#endif
