/*
 * step_move.c: unaligned moves of 16 bytes, done without the library.
 *
 * The library makes two accesses of 8 bytes. Where they lie in two pages the second may fault after the first
 * has changed something, so translated code asks for a closer look there (guard.h). Flat 64-bit code makes
 * such accesses all the time (copies of memory), and a move is simple enough to be done on the spot.
 *
 * Source: SDM volume 2, "MOVUPS", "MOVUPD", "MOVDQU", "LDDQU".
 */
#include "sim/core/step.h"

enum { XMM_BYTES = 16 };

static bool is_move(const cs_insn *insn)
{
    return insn->id == X86_INS_MOVUPS || insn->id == X86_INS_MOVUPD || insn->id == X86_INS_MOVDQU ||
           insn->id == X86_INS_LDDQU;
}

/* Number of the register on the other side; -1: none. */
static int xmm_operand(const cs_insn *insn, bool *store)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (x86->op_count != 2)
        return -1;
    *store = x86->operands[0].type == X86_OP_MEM;
    const cs_x86_op *other = &x86->operands[*store ? 1 : 0], *memory = &x86->operands[*store ? 0 : 1];
    if (memory->type != X86_OP_MEM || other->type != X86_OP_REG || other->reg < X86_REG_XMM0 ||
        other->reg > X86_REG_XMM15)
        return -1;
    return (int)(other->reg - X86_REG_XMM0);
}

/* Neither a trap after it nor anybody who is to be told. */
static bool undisturbed(const struct core *core, const struct step_verdict *verdict)
{
    return !(core->env->hflags & LIB_HF_OURS) && !step_each(core) && !verdict->watch_hits &&
           !(core->config.state->rflags & RFLAGS_TF);
}

static void complete(struct core *core, const cs_insn *insn)
{
    struct cpu_state *s = core->config.state;
    const struct cpu_costs *cost = &core->config.profile->cost;
    s->rip += insn->size;
    s->rflags &= ~RFLAGS_RF;
    s->interruptibility_state &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    if (!core->config.accounting)
        return;
    ++*core->config.instructions;
    cycles_charge(core->config.account, CYCLES_INSTRUCTIONS, cost->instruction.cycles);
    cycles_charge(core->config.account, CYCLES_OPERANDS, cost->memory_access.cycles);
}

bool step_moved(struct core *core, const cs_insn *insn, const struct step_verdict *verdict,
                enum mmu_status *status, struct mmu_fault *fault)
{
    const struct cpu_state *s = core->config.state;
    const struct mmu_mode mode = {
        .user = cpu_cpl(s) == 3, .narrow = !cpu_64bit_mode(s), .smap_ignored = (s->rflags & RFLAGS_AC) != 0};
    const struct step_piece *piece = &verdict->piece[0];
    uint8_t bytes[XMM_BYTES];
    bool store;
    const int xmm = is_move(insn) ? xmm_operand(insn, &store) : -1;
    if (xmm < 0 || verdict->pieces != 1 || piece->size != XMM_BYTES || !undisturbed(core, verdict))
        return false;
    if (store)
        uc_reg_read(core->uc, UC_X86_REG_XMM0 + xmm, bytes);
    *status = store ? mmu_write(core->config.mmu, piece->linear, bytes, XMM_BYTES, mode, fault)
                    : mmu_read(core->config.mmu, piece->linear, bytes, XMM_BYTES, mode, fault);
    if (*status != MMU_OK)
        return true;
    if (!store)
        uc_reg_write(core->uc, UC_X86_REG_XMM0 + xmm, bytes);
    complete(core, insn);
    return true;
}
