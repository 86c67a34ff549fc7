/*
 * transfer.h: far control transfers, inside of this folder. Everybody else uses cpu_far_transfer
 * (sim/cpu/cpu.h).
 *
 * Each function gives OUTCOME_JUMPED with the state changed, or a fault, VM exit or refusal with the state as
 * before (memory that was pushed to and accessed bits excepted). Task switches: see
 * sim/cpu/task/task_switch.h.
 */
#ifndef VTSIM_SIM_CPU_TRANSFER_H
#define VTSIM_SIM_CPU_TRANSFER_H

#include "sim/cpu/stack.h"

/* Where a transfer goes. */
struct far_target {
    uint16_t selector;
    uint64_t offset;
};

struct cpu_outcome far_call_or_jump(struct cpu *cpu, const struct insn *insn); /* far_branch.c */
struct cpu_outcome far_return(struct cpu *cpu, const struct insn *insn);       /* ret_far.c */
struct cpu_outcome interrupt_return(struct cpu *cpu, const struct insn *insn); /* iret.c */
struct cpu_outcome system_call(struct cpu *cpu, const struct insn *insn);      /* syscall.c */
struct cpu_outcome system_return(struct cpu *cpu, const struct insn *insn);
struct cpu_outcome system_enter(struct cpu *cpu, const struct insn *insn);
struct cpu_outcome system_exit(struct cpu *cpu, const struct insn *insn);

/* Through a call gate (call_gate.c); offset of the instruction is not used. */
struct cpu_outcome through_call_gate(struct cpu *cpu, const struct insn *insn, const struct descriptor *gate);

/* code_segment.c:
 * ------------------------------------------------------------------------------------------------- */

/* Do real-address or virtual-8086 rules hold for segment loads? */
static inline bool loads_like_8086(const struct cpu_state *state)
{
    return cpu_real_mode(state) || cpu_v86_mode(state);
}

/* CS := selector, RIP := offset by real-address or virtual-8086 rules. The offset was checked. */
void jump_like_8086(struct cpu_state *state, const struct far_target *target);
/* The code segment of a return (RET far, IRET) with all checks on it. */
bool read_return_code_segment(struct cpu *cpu, uint16_t selector, struct descriptor *d,
                              struct cpu_outcome *outcome);
/* Is the offset within the code segment, or canonical where it is a 64-bit one? False: *outcome is #GP(0). */
bool code_offset_valid(const struct cpu *cpu, const struct descriptor *code, uint64_t offset,
                       struct cpu_outcome *outcome);
/* CS := the segment with this RPL, RIP := offset. */
void load_code_segment(struct cpu *cpu, const struct descriptor *code, unsigned cpl, uint64_t offset);
/* The stack segment of a return to cpl. May be null where long_target says that a 64-bit segment is returned
 * to and cpl < 3; *ss is then unusable. Sets the accessed bit. */
bool read_return_stack_segment(struct cpu *cpu, uint16_t selector, unsigned cpl, bool long_target,
                               struct cpu_segment *ss, struct cpu_outcome *outcome);
/* ES, DS, FS, GS that the new CPL may not use become null: SDM "RET", "IRET". */
void null_inaccessible_segments(struct cpu_state *state, unsigned cpl);
/* Cuts an offset to an operand size in bits. */
static inline uint64_t cut_to(uint64_t value, unsigned bits)
{
    return bits == 64 ? value : value & ((1ull << bits) - 1);
}

#endif
