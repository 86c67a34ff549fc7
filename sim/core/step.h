/*
 * step.h: checked stepping: where translated code checks too little, one instruction at a time is checked
 * before the library runs it.
 *
 * Needed when breakpoints are enabled in DR7, when alignment is checked, when a protected-mode segment is not
 * flat, and when the client is to be told of each instruction (monitor trap flag). A bit of the library's
 * flags word says so; blocks translated under it hold one trap each. step_check.c decides about one
 * instruction.
 */
#ifndef VTSIM_CORE_STEP_H
#define VTSIM_CORE_STEP_H

#include "sim/core/core_private.h"

/* What was found about the instruction at RIP. */
struct step_verdict {
    bool refused; /* event is to be raised in its place */
    struct cpu_event event;
    uint64_t watch_hits; /* DR6 bits 3:0: data breakpoints that it will hit, a trap after it */
};

/* Is the client to be told of each instruction? */
static inline bool step_each(const struct core *core)
{
    return core->config.single_step.wanted && *core->config.single_step.wanted;
}

/* Does the state need it? Asked of the library's own state, between blocks. */
bool step_needed(const struct core *core);
/* insn is decoded with detail, at state->rip. fetched: of the instruction's bytes. */
struct step_verdict step_check(const struct cpu_state *state, const cs_insn *insn);
/* Breakpoints on the instruction at RIP alone, for instructions that the model executes: DR6 bits 3:0. */
uint64_t step_code_breakpoints(const struct cpu_state *state);

/* trap.c's part: the trap of a checked block; false ends the run. */
bool step_on_trap(struct core *core);

#endif
