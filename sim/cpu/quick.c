/*
 * quick.c: instructions that change general registers and arithmetic flags alone, executed from inside
 * translated code (sim/core/quick.c). What could fault, exit or be followed by something is refused, and
 * comes as any other instruction then.
 */
#include "sim/cpu/cpu.h"
#include "sim/cpu/execute/execute.h"

/* Outside of VMX non-root operation, at CPL 0, with nothing that follows an instruction. */
static bool quiet(const struct cpu *cpu)
{
    return !cpu->vmx.non_root && !cpu_cpl(&cpu->state) && !cpu->state.pending_debug_exceptions &&
           !cpu->pmu.programmed;
}

/* SDM volume 3C, "VMREAD", "VMWRITE": neither #UD nor #GP, and no operand in memory. */
static bool vmx_possible(const struct cpu *cpu, const struct insn *insn)
{
    return cpu->vmx.on && cpu_64bit_mode(&cpu->state) && !insn->is_memory && !insn->operand_prefix &&
           insn->rep == INSN_REP_NONE;
}

bool cpu_quick(struct cpu *cpu, const struct insn *insn, bool *sets_flags)
{
    *sets_flags = insn->id == INSN_VMREAD || insn->id == INSN_VMWRITE;
    if (!quiet(cpu) || (*sets_flags && !vmx_possible(cpu, insn)))
        return false;
    cpu->instructions++;
    if (cpu_execute(cpu, insn).kind == OUTCOME_DONE)
        return true;
    cpu->instructions--;
    return false;
}
