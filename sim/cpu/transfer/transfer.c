/* transfer.c: which far transfer an instruction is. */
#include "sim/cpu/transfer/transfer.h"

struct cpu_outcome cpu_far_transfer(struct cpu *cpu, const struct insn *insn)
{
    switch (insn->id) {
    case INSN_CALL_FAR:
    case INSN_JMP_FAR:
        return far_call_or_jump(cpu, insn);
    case INSN_RET_FAR:
        return far_return(cpu, insn);
    case INSN_IRET:
        return interrupt_return(cpu, insn);
    case INSN_SYSCALL:
        return system_call(cpu, insn);
    case INSN_SYSRET:
        return system_return(cpu, insn);
    case INSN_SYSENTER:
        return system_enter(cpu, insn);
    case INSN_SYSEXIT:
        return system_exit(cpu, insn);
    default:
        return (struct cpu_outcome){.kind = OUTCOME_UNSUPPORTED,
                                    .text =
                                        "cpu_far_transfer was given an instruction that is no far transfer"};
    }
}
