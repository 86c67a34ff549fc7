/*
 * guard_insn.c: which guards an instruction needs.
 *
 * Sources: SDM volume 1, "Alignment of Data Structures in Memory" and "Memory Alignment Requirement" of SSE;
 * volume 2, each instruction's exceptions. Capstone 4 and 5 disagree with the manual about the size of some
 * operands, so what it says is taken with the exceptions below.
 */
#include "sim/core/guard.h"
#include "sim/core/simd.h"
#include "sim/core/step.h"

static bool one_of(unsigned id, const uint16_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}
#define ONE_OF(id, ids) one_of(id, ids, sizeof(ids) / sizeof(ids)[0])

static const cs_x86_op *memory_operand(const cs_insn *insn)
{
    const cs_x86 *x86 = &insn->detail->x86;
    for (int i = 0; i < x86->op_count; i++)
        if (x86->operands[i].type == X86_OP_MEM)
            return &x86->operands[i];
    return NULL;
}

/* The size is not 16 bytes, whatever Capstone says, or the model executes it. */
static const uint16_t narrow[] = {X86_INS_COMISS,     X86_INS_COMISD, X86_INS_UCOMISS, X86_INS_UCOMISD,
                                  X86_INS_CMPXCHG16B, X86_INS_INVEPT, X86_INS_INVVPID, X86_INS_INVPCID};
/* 16 bytes that need not be aligned. */
static const uint16_t unaligned[] = {X86_INS_MOVUPS,    X86_INS_MOVUPD,    X86_INS_MOVDQU,
                                     X86_INS_LDDQU,     X86_INS_PCMPESTRI, X86_INS_PCMPESTRM,
                                     X86_INS_PCMPISTRI, X86_INS_PCMPISTRM};
/* 8 bytes, of which the library reads 16. */
static const uint16_t halves[] = {X86_INS_CVTPS2PD, X86_INS_CVTDQ2PD};
static const uint16_t eights[] = {X86_INS_PUSHAW, X86_INS_PUSHAL};

static const uint16_t status_out[] = {X86_INS_STMXCSR, X86_INS_FXSAVE, X86_INS_FXSAVE64};
static const uint16_t status_in[] = {X86_INS_FXRSTOR, X86_INS_FXRSTOR64};

uint8_t guard_of(const cs_insn *insn)
{
    const cs_x86_op *memory = memory_operand(insn);
    if (step_repeats(insn))
        return GUARD_REPEATS;
    if (ONE_OF(insn->id, eights))
        return GUARD_EIGHT;
    if (ONE_OF(insn->id, status_out))
        return GUARD_STATUS_OUT;
    if (ONE_OF(insn->id, status_in))
        return GUARD_STATUS_IN;
    if (insn->id == X86_INS_CALL)
        return insn->detail->x86.operands[0].type == X86_OP_IMM ? 0 : GUARD_CALL;
    if (!memory || ONE_OF(insn->id, narrow))
        return 0;
    if (ONE_OF(insn->id, halves))
        return GUARD_HALF;
    if (memory->size != 16)
        return 0;
    return ONE_OF(insn->id, unaligned) ? GUARD_WHOLE : GUARD_ALIGNED;
}

static bool in_group(const cs_insn *insn, uint8_t group)
{
    for (int i = 0; i < insn->detail->groups_count; i++)
        if (insn->detail->groups[i] == group)
            return true;
    return false;
}

bool guard_branches(const cs_insn *insn)
{
    return in_group(insn, CS_GRP_JUMP) || in_group(insn, CS_GRP_CALL) || in_group(insn, CS_GRP_RET);
}

static bool fs_or_gs(x86_reg reg)
{
    return reg == X86_REG_FS || reg == X86_REG_GS;
}

/* By an override: for ModRM operands, strings and XLAT alike. */
static bool uses_fs_or_gs(const cs_insn *insn)
{
    const uint8_t prefix = insn->detail->x86.prefix[1];
    return prefix == X86_PREFIX_FS || prefix == X86_PREFIX_GS;
}

/* SDM volume 2, "XCHG": with memory, whatever the prefix says. */
bool guard_locks(const cs_insn *insn)
{
    return memory_operand(insn) &&
           (insn->detail->x86.prefix[0] == X86_PREFIX_LOCK || insn->id == X86_INS_XCHG);
}

bool guard_cannot(const cs_insn *insn, uint64_t offset, unsigned asked)
{
    const cs_x86 *x86 = &insn->detail->x86;
    /* Several pushes at descending addresses. */
    if (insn->id == X86_INS_ENTER && x86->op_count == 2 && x86->operands[1].imm & 31)
        return true;
    /* The library changes CF and OF before it stores, so that a fault of the store would find them changed. */
    if ((insn->id == X86_INS_RCL || insn->id == X86_INS_RCR) && memory_operand(insn))
        return true;
    if (asked & GUARD_FS_GS && uses_fs_or_gs(insn))
        return true;
    if (asked & GUARD_SIMD && simd_arithmetic(insn))
        return true;
    if (!(asked & GUARD_LIMITS))
        return false;
    /* Bytes beyond the usual limit; a branch to anywhere; what the library does with operations of its own
     * for atomic accesses. */
    return offset + insn->size > 0x10000 || (guard_branches(insn) && x86->prefix[2] == X86_PREFIX_OPSIZE) ||
           guard_locks(insn);
}

bool guard_changes(const cs_insn *insn)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (insn->id == X86_INS_LDMXCSR || ONE_OF(insn->id, status_in) || insn->id == X86_INS_LFS ||
        insn->id == X86_INS_LGS)
        return true;
    return (insn->id == X86_INS_MOV || insn->id == X86_INS_POP) && x86->op_count &&
           x86->operands[0].type == X86_OP_REG && fs_or_gs(x86->operands[0].reg);
}
