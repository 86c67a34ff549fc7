/*
 * x87_wait.c: see x87_core.h. What comes before an x87 instruction, and what ends one.
 *
 * Sources: SDM volume 1, "Waiting and Non-waiting instructions" ("WAIT/FWAIT and non-waiting instructions"),
 * "x87 FPU Instruction and Data (Operand) Pointers", "Last Instruction Opcode"; volume 3A, "Interrupt 16--x87
 * FPU Floating-Point Error (#MF)".
 */
#include "sim/core/simd.h"
#include "sim/core/step.h"
#include "sim/core/x87_core.h"

enum {
    HF_MP = 1 << 9,
    HF_EM = 1 << 10,
    HF_TS = 1 << 11,
    STATE_BEFORE_MXCSR = 216,
    ESCAPE_FIRST = 0xd8,
    ESCAPE_LAST = 0xdf,
    FWAIT = 0x9b,
    REX_W = 8,
    ALL_ONES = 0xffff,
};

bool x87_prove_layout(struct core *core)
{
    _Static_assert(sizeof(struct float80) == 16 && offsetof(struct x87_registers, r) == 24 &&
                       offsetof(struct x87_registers, dp) == 168,
                   "the library's x87 state");
    const uint16_t control = 0x27f, status = 0x2123, opcode = 0x5a5, cs = 0x1234, ds = 0x4321;
    const uint64_t ip = 0x1122334455667788, dp = 0x8877665544332211;
    const uint8_t value[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct x87_registers *x = (struct x87_registers *)(void *)((char *)core->mxcsr - STATE_BEFORE_MXCSR);
    const struct x87_registers before = *x;
    uc_reg_write(core->uc, UC_X86_REG_FPCW, &control);
    uc_reg_write(core->uc, UC_X86_REG_FPSW, &status);
    uc_reg_write(core->uc, UC_X86_REG_FOP, &opcode);
    uc_reg_write(core->uc, UC_X86_REG_FCS, &cs);
    uc_reg_write(core->uc, UC_X86_REG_FDS, &ds);
    uc_reg_write(core->uc, UC_X86_REG_FIP, &ip);
    uc_reg_write(core->uc, UC_X86_REG_FDP, &dp);
    uc_reg_write(core->uc, UC_X86_REG_FP5, value);
    const bool found = x->control == control && x->top == 4 && x->status == (status & ~0x3800) &&
                       x->opcode == opcode && x->cs == cs && x->ds == ds && x->ip == ip && x->dp == dp &&
                       memcmp(&x->r[5], value, sizeof value) == 0;
    if (found) {
        *x = before;
        x87_initialize(x);
        core->x87 = x;
    }
    return found;
}

/* FNSTCW, FNSTENV, FNSAVE, FNSTSW, FNCLEX, FNINIT, and those that do nothing since the 387. */
static bool control_of_memory(unsigned opcode, bool *waits)
{
    const unsigned group = opcode >> 8, reg = opcode >> 3 & 7;
    if (group == 1 && reg >= 4) { /* D9: FLDENV, FLDCW, FNSTENV, FNSTCW */
        *waits = reg < 6;
        return true;
    }
    if (group == 5 && (reg == 4 || reg >= 6)) { /* DD: FRSTOR, FNSAVE, FNSTSW */
        *waits = reg == 4;
        return true;
    }
    return false;
}

static uint16_t word_of_register_form(unsigned opcode)
{
    const unsigned group = opcode >> 8, reg = opcode >> 3 & 7;
    if (opcode == 0x3e2 || opcode == 0x3e3) /* FNCLEX, FNINIT: the library leaves the pointers too */
        return 0;
    if (group == 3 && reg == 4) /* FNENI, FNDISI, FNSETPM */
        return X87_KEEPS;
    if (opcode == 0x7e0) /* FNSTSW AX */
        return X87_KEEPS;
    if (opcode == 0x1d0) /* FNOP: SDM volume 2, "FNOP": it does not touch what is kept but EIP */
        return X87_WAITS;
    if ((group == 2 || group == 3) && reg < 4)
        return (uint16_t)(opcode | X87_WAITS | X87_RECORDS | X87_MOVES);
    return (uint16_t)(opcode | X87_WAITS | X87_RECORDS);
}

static uint16_t word_of_escape(unsigned first, unsigned modrm)
{
    const unsigned opcode = (first & 7) << 8 | modrm;
    bool waits = true;
    if (modrm >= 0xc0)
        return word_of_register_form(opcode);
    if (control_of_memory(opcode, &waits))
        return waits ? X87_WAITS
                     : X87_KEEPS; /* the library does not write the pointers: keeping them is harmless */
    return (uint16_t)(opcode | X87_WAITS | X87_RECORDS);
}

static bool is_mmx(const cs_x86_op *operand)
{
    return operand->type == X86_OP_REG && operand->reg >= X86_REG_MM0 && operand->reg <= X86_REG_MM7;
}

/* The first operand is the one that is written; of MASKMOVQ that is memory, which it does not name. */
static uint16_t word_of_mmx(const cs_insn *insn)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (x86->op_count && is_mmx(&x86->operands[0]) && insn->id != X86_INS_MASKMOVQ)
        return (uint16_t)(X87_WAITS | X87_MMX_WRITES | (unsigned)(x86->operands[0].reg - X86_REG_MM0));
    for (int i = 0; i < x86->op_count; i++)
        if (is_mmx(&x86->operands[i]))
            return X87_WAITS;
    if (insn->id ==
        X86_INS_CVTPI2PD) /* SDM volume 2, "CVTPI2PD": of memory it has nothing to do with the x87 unit */
        return X87_MMX_STAYS;
    /* CVTPI2PS turns to MMX state with an operand in memory too */
    return insn->id == X86_INS_EMMS || insn->id == X86_INS_CVTPI2PS ? X87_WAITS : 0;
}

/* The escape's two bytes: behind prefixes. */
static const uint8_t *escape_of(const cs_insn *insn, const uint8_t *bytes)
{
    for (unsigned i = 0; i + 1u < insn->size; i++)
        if (bytes[i] >= ESCAPE_FIRST && bytes[i] <= ESCAPE_LAST)
            return bytes + i;
    return NULL;
}

uint16_t x87_word(const cs_insn *insn, const uint8_t *bytes, uint32_t hflags)
{
    const uint8_t *opcode = insn->detail->x86.opcode;
    if (hflags & (HF_EM | HF_TS)) /* #NM, or #UD of MMX */
        return 0;
    if (insn->id == X86_INS_FXSAVE || insn->id == X86_INS_FXRSTOR || insn->id == X86_INS_FXSAVE64 ||
        insn->id == X86_INS_FXRSTOR64)
        return (uint16_t)(X87_KEEPS | (insn->detail->x86.rex & REX_W ? X87_WIDE : 0));
    if (opcode[0] >= ESCAPE_FIRST && opcode[0] <= ESCAPE_LAST) {
        const uint8_t *at = escape_of(insn, bytes);
        return at ? word_of_escape(at[0], at[1]) : 0;
    }
    return opcode[0] == 0x0f ? word_of_mmx(insn) : 0;
}

/* Of an extension that the library's processor lacks: it stands for what comes before an x87 instruction. */
void __real_helper_vmload_x86_64(struct lib_state *env, int word);
void __wrap_helper_vmload_x86_64(struct lib_state *env, int word);
extern void helper_vmload_x86_64(void);

void x87_translate_begin(struct core *core, void *context, uint16_t word)
{
    core_call_helper(core, context, helper_vmload_x86_64, word);
}

void x87_settle_pointers(struct core *core)
{
    if (!core->x87_kept)
        return;
    core->x87->ip = core->x87_kept_ip;
    core->x87->cs = core->x87_kept_cs;
    core->x87_kept = false;
}

static void keep_pointers(struct core *core)
{
    core->x87_kept_ip = core->x87->ip;
    core->x87_kept_cs = core->x87->cs;
    core->x87_kept = true;
}

void __wrap_helper_vmload_x86_64(struct lib_state *env, int word)
{
    const uintptr_t host_pc = (uintptr_t)__builtin_return_address(0);
    struct core *core = simd_core(env);
    if (!core) {
        __real_helper_vmload_x86_64(env, word);
        return;
    }
    struct x87_registers *x = core->x87;
    if (word & X87_WAITS && x->status & X87_ES)
        x87_raise_pending(core, host_pc);
    if (core->x87_kept)
        x87_settle_pointers(core);
    core->x87_pushing = false;
    core->x87_mmx_stays = !(word & X87_RECORDS) && word & X87_MMX_STAYS;
    if (word & X87_RECORDS) {
        core->x87_begun = true;
        core->x87_status_before = x->status;
        core->x87_opcode_before = x->opcode;
        x->opcode = word & X87_OPCODE;
    } else if (word & X87_MMX_WRITES) /* SDM volume 1, "The MMX State and the x87 FPU State": bits 79:64 */
        x->r[word & 7].sign_exponent = ALL_ONES;
    if (word & X87_KEEPS) {
        keep_pointers(core);
        core->x87_wide = word & X87_WIDE;
    }
    if (word & X87_MOVES) {
        const unsigned i = word & 7;
        core->x87_move_fails = x87_operand_register(x, 0).empty || x87_operand_register(x, i).empty;
        if (!x87_conditional_move(x, i, false))
            x87_end(core, host_pc);
    }
}

static _Noreturn void leave(struct core *core, int trap, uintptr_t host_pc)
{
    core->cpu->exception_index = trap;
    cpu_loop_exit_restore_x86_64(core->cpu, host_pc);
}

void x87_end(struct core *core, uintptr_t host_pc)
{
    leave(core, CORE_TRAP_X87_END, host_pc);
}

void x87_take_back(struct core *core)
{
    if (!core->x87_begun)
        return;
    core->x87_begun = false;
    const cs_insn *insn = cpu_canonical(core->config.state->rip, cpu_linear_bits(core->config.state))
                              ? step_look_again(core)
                              : NULL;
    if (!insn || !(x87_word(insn, insn->bytes, 0) & X87_RECORDS))
        return;
    core->x87->status = core->x87_status_before;
    core->x87->opcode = core->x87_opcode_before;
}

/* SDM volume 3A, "Control Registers", CR0.NE. */
void x87_raise_pending(struct core *core, uintptr_t host_pc)
{
    if (core->env->cr[0] & CR0_NE)
        raise_exception_ra_x86_64(core->env, VECTOR_MF, host_pc);
    leave(core, CORE_TRAP_X87_EXTERNAL, host_pc);
}

/* By the block's record: the bytes may be others meanwhile. 0: it is not there. */
static uint8_t length_in_block(const struct core *core)
{
    const struct cpu_state *s = core->config.state;
    const struct core_block *block = &core->blocks[*core->current_block];
    const uint64_t linear = cpu_64bit_mode(s) ? s->rip : (uint32_t)(s->rip + s->seg[SEG_CS].base);
    if (block->substituted)
        return 0;
    for (unsigned i = 0; i < block->instructions; i++)
        if (block->pc + block->offset[i] == linear)
            return (uint8_t)((i + 1u < block->instructions ? block->offset[i + 1] : block->size) -
                             block->offset[i]);
    return 0;
}

/* The opcode is kept already; the pointers the library would have written behind what was left out. */
static bool compares_to_flags(unsigned opcode)
{
    const unsigned group = opcode >> 8, reg = opcode >> 3 & 7;
    return (opcode & 0xc0) == 0xc0 && (group == 3 || group == 7) && (reg == 5 || reg == 6);
}

bool x87_on_end(struct core *core)
{
    struct cpu_state *s = core->config.state;
    struct x87_registers *x = core->x87;
    struct step_access accesses[STEP_ACCESSES];
    const cs_insn *insn = step_look_again(core);
    uint8_t length = length_in_block(core);
    if (!length && insn)
        length = (uint8_t)insn->size;
    if (!length) {
        core->error = "the instruction that an x87 exception ended cannot be read again";
        return false;
    }
    x->ip = s->rip;
    x->cs = s->seg[SEG_CS].selector;
    if (insn && step_accesses(s, insn, accesses)) {
        x->dp = accesses[0].offset;
        x->ds = s->seg[accesses[0].segment].selector;
    }
    /* SDM volume 2, "FCOMI/FCOMIP/FUCOMI/FUCOMIP": whatever the comparison comes to */
    if (compares_to_flags(x->opcode))
        s->rflags &= ~(uint64_t)(RFLAGS_OF | RFLAGS_SF | RFLAGS_AF);
    const struct insn ended = {.id = INSN_X87, .length = length, .mode_bits = (uint8_t)cpu_code_bits(s)};
    return core->config.client->instruction(core->config.client->opaque, &ended);
}

bool x87_on_external(struct core *core)
{
    const struct insn waiting = {.id = INSN_X87_EXTERNAL, .length = 1};
    return core->config.client->instruction(core->config.client->opaque, &waiting);
}

void __real_helper_fwait_x86_64(struct lib_state *env);
void __wrap_helper_fwait_x86_64(struct lib_state *env);
void __wrap_helper_fwait_x86_64(struct lib_state *env)
{
    struct core *core = simd_core(env);
    if (!core)
        __real_helper_fwait_x86_64(env);
    else if (core->x87->status & X87_ES)
        x87_raise_pending(core, (uintptr_t)__builtin_return_address(0));
}

void __real_helper_enter_mmx_x86_64(struct lib_state *env);
void __wrap_helper_enter_mmx_x86_64(struct lib_state *env);
void __wrap_helper_enter_mmx_x86_64(struct lib_state *env)
{
    struct core *core = simd_core(env);
    if (!core || !core->x87_mmx_stays)
        __real_helper_enter_mmx_x86_64(env);
    else
        core->x87_mmx_stays = false;
}
