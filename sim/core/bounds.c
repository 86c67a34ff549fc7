/*
 * bounds.c: what near branches do to the bounds registers of Intel MPX.
 *
 * SDM volume 1, "CALL, RET, JMP and All Jcc": without the BND prefix (F2H) they initialize BND0 to BND3,
 * unless BNDPRESERVE is set; short JMP, LOOP, JCXZ, far transfers and events do not. The library's translator
 * calls a helper there, where two flags of its hidden flags are set. Which of them is set is decided here;
 * the registers are the state's, and the library's own are not used: the model executes the instructions of
 * MPX, because the translator reads the displacements of most of their forms twice, obeys the 67H prefix in
 * 64-bit mode, finds the bound directory at the wrong place and changes a register before its second half has
 * been read.
 */
#include "sim/core/core_private.h"

void __wrap_helper_bnd_jmp_x86_64(struct lib_state *env);

/* The second flag is set only where branches change something, so they need not ask. */
uint32_t bounds_flags(const struct cpu_state *s)
{
    static const struct cpu_bounds initial[BOUNDS_COUNT];
    if (!cpu_mpx_enabled(s))
        return 0;
    if (cpu_bounds_configuration(s) & BNDCFG_PRESERVE || !memcmp(s->bounds, initial, sizeof initial))
        return LIB_HF_MPX_ENABLED;
    return LIB_HF_MPX_ENABLED | LIB_HF_BOUNDS_IN_USE;
}

/* From translated code, after a branch's accesses to memory. What it led to may still make it fault: see
 * bounds_take_back. */
void __wrap_helper_bnd_jmp_x86_64(struct lib_state *env)
{
    struct core *core = core_current;
    struct cpu_bounds *bounds = core->config.state->bounds;
    memcpy(core->bounds_before, bounds, sizeof core->bounds_before);
    memset(bounds, 0, sizeof core->bounds_before);
    core->bounds_cleared_by = *core->current_block;
    env->hflags &= ~(uint32_t)LIB_HF_BOUNDS_IN_USE;
}

void bounds_take_back(struct core *core)
{
    if (core->bounds_cleared_by == *core->current_block)
        memcpy(core->config.state->bounds, core->bounds_before, sizeof core->bounds_before);
    core->bounds_cleared_by = CORE_NO_BLOCK;
}
