/* step.c: when instructions are checked one by one, and how: a trap, the checks, one instruction in the
 * library, and again. */
#include "sim/core/step.h"

#define SEGMENT_PRESENT (1u << 15) /* in the library's form */
#define SEGMENT_CODE (1u << 11)
#define SEGMENT_EXPAND_DOWN (1u << 10)
#define SEGMENT_WRITABLE (1u << 9)

enum { DR7_ENABLES = 0xff };

static bool flat_data(const struct lib_segment *s)
{
    return s->limit == UINT32_MAX &&
           (s->flags & (SEGMENT_PRESENT | SEGMENT_WRITABLE | SEGMENT_CODE | SEGMENT_EXPAND_DOWN)) ==
               (SEGMENT_PRESENT | SEGMENT_WRITABLE);
}

/* FS and GS are looked at by whoever uses them: systems leave them null. */
static bool segments_flat(const struct lib_state *env)
{
    return env->seg[SEG_CS].limit == UINT32_MAX && flat_data(&env->seg[SEG_SS]) &&
           flat_data(&env->seg[SEG_DS]) && flat_data(&env->seg[SEG_ES]);
}

bool step_needed(const struct core *core)
{
    const struct lib_state *env = core->env;
    const struct cpu_state *s = core->config.state;
    if ((s->dr7 & DR7_ENABLES) || step_each(core))
        return true;
    if ((env->rflags & RFLAGS_AC) && (env->hflags & LIB_HF_CPL) == 3 && (env->cr[0] & CR0_AM))
        return true;
    bool protected_mode = (env->cr[0] & CR0_PE) && !(env->rflags & RFLAGS_VM) && !(env->hflags & LIB_HF_CS64);
    return protected_mode && !segments_flat(env);
}

static bool raise(struct core *core, const struct cpu_event *event)
{
    return core->config.client->exception(core->config.client->opaque, event);
}

/* The library runs the one instruction next: outside of the checked mode, in a block of its own
 * (core_export). */
static void run_one(struct core *core, uint64_t watch_hits, bool repeats)
{
    core->stepping = true;
    core->step_begun = false;
    core->step_rip = core->config.state->rip;
    core->step_repeats = repeats;
    core->watch_hits = watch_hits;
    core->steps++;
}

bool step_on_trap(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    uint8_t bytes[15];
    const uint8_t *code = bytes;
    size_t got = 0;
    struct mmu_fault fault;
    struct mmu_mode mode = {.user = cpu_cpl(s) == 3};
    uint64_t linear = s->rip + s->seg[SEG_CS].base, address = s->rip;
    unsigned bits = cpu_code_bits(s);
    if (bits != 64)
        linear = (uint32_t)linear;
    enum mmu_status status = mmu_fetch(core->config.mmu, linear, bytes, sizeof bytes, mode, &got, &fault);
    if (status != MMU_OK)
        return core->config.client->memory_fault(core->config.client->opaque, status, &fault);
    if (!cs_disasm_iter(core->decoder[bits == 64   ? 2
                                      : bits == 32 ? 1
                                                   : 0],
                        &code, &got, &address, core->decoded)) {
        run_one(core, 0, false); /* Capstone does not know it: the library's word on what it is */
        return true;
    }
    struct step_verdict verdict = step_check(s, core->decoded);
    if (verdict.refused)
        return raise(core, &verdict.event);
    uint8_t prefix = core->decoded->detail->x86.prefix[0];
    run_one(core, verdict.watch_hits, prefix == X86_PREFIX_REP || prefix == X86_PREFIX_REPNE);
    return true;
}
