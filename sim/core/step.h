/*
 * step.h: checked stepping: where translated code checks too little, one instruction at a time is checked
 * before the library runs it.
 *
 * Needed when breakpoints are enabled in DR7, when alignment is checked, when a protected-mode segment is not
 * flat (where only FS or GS is not: for instructions with their override), and when the client is to be told
 * of each instruction (monitor trap flag). A bit of the library's flags word says so; blocks translated under
 * it hold one trap each. step_check.c decides about one instruction, whose accesses to memory step_operands.c
 * names. An address that translated code refuses (guard.h) leads here too; where bus locks are looked for, that
 * of a locked operand across a cache line is one, and each access to what is not RAM.
 */
#ifndef VTSIM_CORE_STEP_H
#define VTSIM_CORE_STEP_H

#include "sim/core/core_private.h"

enum { STEP_ACCESSES = 4 };

/* One access to memory, in the segment. */
struct step_access {
    enum cpu_segment_index segment;
    uint64_t offset;
    unsigned size; /* bytes */
    bool read, write;
    bool aligned; /* to 16 bytes, or #GP */
    uint8_t alignment; /* bytes, or #AC where that is checked; 0: any */
};

/* Those of insn, decoded with detail, at state->rip: what is read first. A string instruction's are those of
 * its next iteration. Gives how many. */
unsigned step_accesses(const struct cpu_state *state, const cs_insn *insn,
                       struct step_access accesses[STEP_ACCESSES]);

/* Is operand, which is memory, read (CS_AC_READ), written (CS_AC_WRITE), both or neither? */
uint8_t step_direction(const cs_insn *insn, int operand);

/* A string instruction, other than INS and OUTS, with a prefix that repeats it? */
bool step_repeats(const cs_insn *insn);
/* Are iterations left, by its count? */
bool step_iterations_left(const cs_insn *insn, uint64_t rcx);

/* The same as linear memory. */
struct step_piece {
    uint64_t linear;
    unsigned size;
    enum mmu_access kind;
    bool reads; /* also where kind is MMU_WRITE */
    bool beyond_ram; /* found in translating it */
};

/* What was found about the instruction at RIP. */
struct step_verdict {
    bool refused; /* event is to be raised in its place */
    struct cpu_event event;
    uint64_t watch_hits; /* DR6 bits 3:0: data breakpoints that it will hit, a trap after it */
    unsigned pieces;     /* of memory that it accesses */
    struct step_piece piece[STEP_ACCESSES];
};

/* Is the client to be told of each instruction? */
static inline bool step_each(const struct core *core)
{
    return core->config.single_step.wanted && *core->config.single_step.wanted;
}

/* Bus locks are looked for: "VMM bus-lock detection", IA32_DEBUGCTL outside CPL 0, or that split locks are to raise #AC. */
bool step_locks_wanted(const struct core *core);
/* What the state asks of translated code: LIB_HF_CHECKED and its like. Asked of the library's own state,
 * between blocks. */
uint32_t step_flags(const struct core *core);
/* insn is decoded with detail, at state->rip. fetched: of the instruction's bytes. */
struct step_verdict step_check(const struct cpu_state *state, const cs_insn *insn);
/* Breakpoints on the instruction at RIP alone, for instructions that the model executes: DR6 bits 3:0. */
uint64_t step_code_breakpoints(const struct cpu_state *state);

/* The target of the near call insn, decoded with detail, at state->rip. False: it cannot be read. */
bool step_call_target(const struct core *core, const cs_insn *insn, uint64_t *target);
/* May the code at this offset be branched to? */
bool step_may_branch_to(const struct cpu_state *state, uint64_t offset);

/* step_move.c: does insn, an unaligned move of 16 bytes that was found to be in order, without the library. False:
 * it is no such move, or somebody looks at each instruction. The status is other than MMU_OK, with its fault,
 * when nothing was changed. */
bool step_moved(struct core *core, const cs_insn *insn, const struct step_verdict *verdict,
                enum mmu_status *status, struct mmu_fault *fault);

/* trap.c's part. Each decodes and checks the instruction at RIP; false ends the run. */
bool step_on_trap(struct core *core);          /* of a checked block or a guarded address */
bool step_on_non_canonical(struct core *core); /* an address was not canonical */
/* The instruction at RIP, whose fetch is over and counted, with detail; null: not to be found again. */
cs_insn *step_look_again(struct core *core);
/* core->fault is that of a read. Of an instruction that would write there too it becomes that of the write.
 */
void step_fault_of_read(struct core *core);
/* Did the checked instruction, which is over in the library, fail: a branch to where none may lead, an
 * unmasked exception of SSE? Asked between blocks. What it did is then undone, and its fault is raised. */
bool step_failed(struct core *core);
bool step_undo(struct core *core);
/* The checked instruction is over: if it asserted a bus lock, the client is told. Conditions of a debug trap after it. */
uint64_t step_bus_lock(struct core *core);
/* Bus locks are looked for, for the first time: from now on translated code asks for what is not RAM at each access. */
void step_ask_for_devices(struct core *core);
/* If the block that ran last ended inside a repeated string instruction, puts RIP and RFLAGS.RF of the state
 * as a processor has them there. The state is imported. */
void step_note_repetition(struct core *core);

#endif
