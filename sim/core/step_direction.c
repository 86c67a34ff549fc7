/*
 * step_direction.c: does an instruction read or write its operand in memory?
 *
 * Capstone's word on it is right for most. Those for which versions 4 and 5 are not agreed, or wrong, are
 * here. Source: SDM volume 2, the operation of each. An operand that is read and written counts as written
 * where it faults: SDM volume 3A, "Interrupt 14--Page-Fault Exception (#PF)", W/R.
 */
#include "sim/core/step.h"

static bool vector_register(x86_reg reg)
{
    return (reg >= X86_REG_XMM0 && reg <= X86_REG_XMM15) || (reg >= X86_REG_MM0 && reg <= X86_REG_MM7);
}

/* Stores of SSE and MMX. In no instruction but a store is the first operand memory and the second a vector
 * register. */
static bool stores_vector(const cs_x86 *x86, int operand)
{
    return operand == 0 && x86->op_count > 1 && x86->operands[1].type == X86_OP_REG &&
           vector_register(x86->operands[1].reg);
}

uint8_t step_direction(const cs_insn *insn, int operand)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (stores_vector(x86, operand))
        return CS_AC_WRITE;
    switch (insn->id) {
    case X86_INS_LEA:
    case X86_INS_NOP:
    case X86_INS_PREFETCH: /* never faults: SDM volume 2, "PREFETCHh" */
    case X86_INS_PREFETCHW:
    case X86_INS_PREFETCHNTA:
    case X86_INS_PREFETCHT0:
    case X86_INS_PREFETCHT1:
    case X86_INS_PREFETCHT2:
        return 0;
    case X86_INS_TEST:
    case X86_INS_CMPSD: /* the string instruction, and that of SSE2 */
    case X86_INS_CVTSD2SI:
    case X86_INS_CVTSS2SI:
    case X86_INS_FRSTOR:
        return CS_AC_READ;
    case X86_INS_ROL:
    case X86_INS_ROR:
    case X86_INS_RCL:
    case X86_INS_RCR:
    case X86_INS_ARPL:
    case X86_INS_CMPXCHG: /* written whatever the comparison says */
    case X86_INS_CMPXCHG8B:
    case X86_INS_CMPXCHG16B:
        return CS_AC_READ | CS_AC_WRITE;
    case X86_INS_MOVBE:
        return operand == 0 ? CS_AC_WRITE : CS_AC_READ;
    case X86_INS_SETA:
    case X86_INS_SETAE:
    case X86_INS_SETB:
    case X86_INS_SETBE:
    case X86_INS_SETE:
    case X86_INS_SETG:
    case X86_INS_SETGE:
    case X86_INS_SETL:
    case X86_INS_SETLE:
    case X86_INS_SETNE:
    case X86_INS_SETNO:
    case X86_INS_SETNP:
    case X86_INS_SETNS:
    case X86_INS_SETO:
    case X86_INS_SETP:
    case X86_INS_SETS:
    case X86_INS_FST:
    case X86_INS_FSTP:
    case X86_INS_FIST:
    case X86_INS_FISTP:
    case X86_INS_FISTTP:
    case X86_INS_FNSTCW:
    case X86_INS_FNSTSW:
    case X86_INS_MOVNTI:
    case X86_INS_STMXCSR:
        return CS_AC_WRITE;
    default:
        return x86->operands[operand].access & (CS_AC_READ | CS_AC_WRITE);
    }
}
