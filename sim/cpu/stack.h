/*
 * stack.h: pushes and pops of event delivery and far transfers, on the current stack or on one taken from the
 * TSS.
 *
 * A struct stack is a working copy: nothing of the processor's state changes before stack_commit, so that a
 * fault leaves the registers as they were. Memory that was pushed stays written, as on a processor. Source:
 * SDM volume 1 "Procedure Stack"; volume 3A "Stack Switching", "Stack Switching in 64-Bit Mode".
 */
#ifndef VTSIM_SIM_CPU_STACK_H
#define VTSIM_SIM_CPU_STACK_H

#include "sim/cpu/descriptors.h"

struct stack {
    struct cpu *cpu;
    struct cpu_segment ss; /* the segment that sp points into; not looked at when flat */
    uint64_t sp;
    bool flat; /* 64-bit: no base and no limit, addresses must be canonical */
    struct mmu_mode mode;
    uint32_t error_code; /* of the #SS when an access is beyond the limit or not canonical */
};

/* How software at cpl accesses memory: user pages need RFLAGS.AC under SMAP when cpl < 3. */
struct mmu_mode mode_at_cpl(const struct cpu_state *state, unsigned cpl);

/* The current stack, accessed at the given CPL; #SS has error_code. */
struct stack stack_current(struct cpu *cpu, unsigned cpl, uint32_t error_code);
/* The stack that the current TSS holds for new_cpl; in IA-32e mode the one of ist (1..7) instead if that is
 * not 0. False: *outcome is #TS, #SS, #PF or a VM exit, with ext in error codes. Sets the accessed bit of
 * SS's descriptor. */
bool stack_from_tss(struct cpu *cpu, unsigned new_cpl, unsigned ist, uint32_t ext, struct stack *stack,
                    struct cpu_outcome *outcome);

/* Have count items of size bytes (2, 4, 8) room below sp? False: *outcome is the #SS. */
bool stack_has_room(const struct stack *stack, unsigned count, unsigned size, struct cpu_outcome *outcome);
/* One item of size bytes (2, 4, 8). False: *outcome is #SS, #PF or a VM exit. */
bool stack_push(struct stack *stack, uint64_t value, unsigned size, struct cpu_outcome *outcome);
bool stack_pop(struct stack *stack, uint64_t *value, unsigned size, struct cpu_outcome *outcome);
/* All of values, the first at the highest address, after a check that all of them fit. */
bool stack_push_all(struct stack *stack, const uint64_t *values, unsigned count, unsigned size,
                    struct cpu_outcome *outcome);
/* Releases (positive) bytes without access. */
void stack_release(struct stack *stack, uint64_t bytes);

/* Makes sp the processor's stack pointer, in the width that the stack segment has. Does not load SS. */
void stack_commit(const struct stack *stack);
/* RSP, ESP or SP := sp, by the width of a stack segment with these access rights (64 bits when flat). */
void stack_set_pointer(struct cpu_state *state, uint64_t sp, uint32_t access_rights, bool flat);

/* Is offset .. offset + size - 1 within the segment? Expand-down data segments included. */
bool segment_within_limit(const struct cpu_segment *segment, uint64_t offset, unsigned size);

#endif
