/* state.c: the architectural state, out of the library and in. */
#include "sim/core/simd.h"
#include "sim/core/step.h"

enum { FLAGS_TO_RIGHTS_SHIFT = 8, FLAGS_MASK = 0xf0ff };

static uint32_t rights_of(const struct lib_segment *segment)
{
    uint32_t rights = segment->flags >> FLAGS_TO_RIGHTS_SHIFT & FLAGS_MASK;
    return rights & AR_P ? rights : rights | AR_UNUSABLE;
}

static void import_segment(struct cpu_segment *to, const struct lib_segment *from)
{
    to->selector = (uint16_t)from->selector;
    to->base = from->base;
    to->limit = from->limit;
    to->access_rights = rights_of(from);
}

static void export_segment(struct lib_segment *to, const struct cpu_segment *from)
{
    uint32_t rights = from->access_rights;
    to->selector = from->selector;
    to->base = from->base;
    to->limit = from->limit;
    /* The library knows no unusable bit: a segment that is not present stands for it. The DPL stays, it is
     * the CPL. */
    to->flags = (rights & FLAGS_MASK & ~(rights & AR_UNUSABLE ? (uint32_t)AR_P : 0)) << FLAGS_TO_RIGHTS_SHIFT;
}

/* Only what translated code can change by itself is read back: registers, flags, data segments and shadows.
 */
void core_import(struct core *core)
{
    struct cpu_state *s = core->config.state;
    struct lib_state *env = core->env;
    simd_collect(core);
    for (int i = 0; i < GPR_COUNT; i++)
        s->gpr[i] = env->gpr[i];
    s->rip = env->rip;
    s->rflags = (helper_read_eflags_x86_64(env) & ~(RFLAGS_VM | RFLAGS_RF)) | (env->rflags & RFLAGS_VM);
    for (int i = SEG_ES; i <= SEG_GS; i++)
        import_segment(&s->seg[i], &env->seg[i]);
    bool nothing_ran =
        *core->config.instructions == core->exported_instructions && env->rip == core->exported_rip;
    if ((nothing_ran && core->exported_rf) || core->step_goes_on)
        s->rflags |= RFLAGS_RF;
    s->interruptibility_state &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    if (env->hflags & LIB_HF_INHIBIT_INTERRUPTS)
        s->interruptibility_state |=
            nothing_ran && core->exported_shadow ? core->exported_shadow : BLOCKING_BY_MOV_SS;
}

static void export_flags(struct core *core, uint64_t rflags)
{
    struct lib_state *env = core->env;
    env->cc_source = rflags & RFLAGS_ARITHMETIC;
    env->cc_operation = LIB_CC_EFLAGS;
    env->direction = rflags & RFLAGS_DF ? -1 : 1;
    /* RF means something only to the breakpoints of the model; in the library it would stick and split
     * blocks. */
    env->rflags = (rflags & ~(RFLAGS_ARITHMETIC | RFLAGS_DF | RFLAGS_RF)) | RFLAGS_FIXED1;
    core->exported_rf = (rflags & RFLAGS_RF) != 0;
    core->step_goes_on = false;
}

static void export_hidden_flags(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    struct lib_state *env = core->env;
    uint32_t shadow = s->interruptibility_state & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    x86_update_hflags_x86_64(env);
    env->hflags &=
        ~(uint32_t)(LIB_HF_INHIBIT_INTERRUPTS | LIB_HF_SMAP | LIB_HF_MPX_ENABLED | LIB_HF_BOUNDS_IN_USE);
    env->hflags |= LIB_HF_INTERCEPTS;
    if (s->xcr0 & XCR0_MPX)
        env->hflags |= bounds_flags(s);
    if (shadow)
        env->hflags |= LIB_HF_INHIBIT_INTERRUPTS;
    if (s->cr4 & CR4_SMAP)
        env->hflags |= LIB_HF_SMAP;
    env->hflags2 |= LIB_HF2_GIF;
    env->hflags &= ~(LIB_HF_OURS | LIB_HF_WORLD);
    env->hflags |= core->active_world << LIB_HF_WORLD_SHIFT;
    core->stepping = core->stepping && s->rip == core->step_rip; /* an event may have come first */
    if (core->stepping)
        core->cpu->next_block_flags = LIB_BLOCK_ONE_INSTRUCTION;
    else
        env->hflags |= step_flags(core);
    step_ask_for_devices(core);
    core->exported_shadow = (uint8_t)shadow;
}

void core_export(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    struct lib_state *env = core->env;
    simd_accept(core);
    for (int i = 0; i < GPR_COUNT; i++)
        env->gpr[i] = s->gpr[i];
    env->rip = s->rip;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        export_segment(&env->seg[i], &s->seg[i]);
    export_segment(&env->ldtr, &s->seg[SEG_LDTR]);
    export_segment(&env->tr, &s->seg[SEG_TR]);
    env->gdtr.base = s->gdtr.base;
    env->gdtr.limit = s->gdtr.limit;
    env->idtr.base = s->idtr.base;
    env->idtr.limit = s->idtr.limit;
    env->cr[0] = s->cr0;
    env->cr[2] = s->cr2;
    env->cr[3] = s->cr3;
    env->cr[4] = s->cr4;
    *core->efer = s->msr.efer;
    export_flags(core, s->rflags);
    export_hidden_flags(core);
    core->bounds_cleared_by = CORE_NO_BLOCK;
    core->exported_rip = s->rip;
    core->exported_instructions = *core->config.instructions;
}

/* uc_emu_start takes the flags from RFLAGS alone. */
void core_export_for_start(struct core *core)
{
    core_export(core);
    core->env->rflags = core->config.state->rflags & ~RFLAGS_RF;
}
