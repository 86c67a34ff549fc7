/*
 * quick.c: instructions that the model executes without leaving translated code.
 *
 * A trap costs a way out through the library's main loop, the whole state out and in again, and a look at all
 * that may be due. An instruction that reads the clock, or a field of the VMCS, changes a few registers at
 * most. So CPUID stands in for it, padded with prefixes to its length, when its block is translated: the
 * library calls a helper for CPUID, and that is ours. If the client wants more than registers changed, the
 * library's own helper is called, whose intercept is the trap that all others take.
 */
#include "sim/core/core_private.h"

void __real_helper_cpuid_x86_64(struct lib_state *env);
void __wrap_helper_cpuid_x86_64(struct lib_state *env);

enum { LIB_HF_SINGLE_STEP = 1 << 8, CPUID_BYTES = 2, PREFIX = 0x2e };

bool core_quick(const struct insn *insn, uint64_t pc)
{
    const bool candidate = insn->id == INSN_CPUID || insn->id == INSN_RDTSC ||
                           ((insn->id == INSN_VMREAD || insn->id == INSN_VMWRITE) && !insn->is_memory);
    return candidate && !insn->lock && (pc & 0xfff) + insn->length <= 0x1000;
}

void core_quick_bytes(uint8_t *code, size_t length)
{
    memset(code, PREFIX, length - CPUID_BYTES);
    code[length - 2] = 0x0f;
    code[length - 1] = 0xa2;
}

/* The library is in the block, with RIP at the instruction and the flags computed as its state says. */
static bool executed(struct core *core, const struct core_block *block)
{
    const struct core_client *client = core->config.client;
    struct cpu_state *s = core->config.state;
    struct lib_state *env = core->env;
    if (!block->quick || !client->quick || core->stepping || !core->config.accounting ||
        env->hflags & (LIB_HF_INHIBIT_INTERRUPTS | LIB_HF_SINGLE_STEP | LIB_HF_OURS))
        return false;
    core_sync_time(core);
    const uint64_t before = core->config.account->now;
    s->rip = env->rip;
    memcpy(s->gpr, env->gpr, sizeof s->gpr);
    bool sets_flags;
    if (!client->quick(client->opaque, &block->insn, &sets_flags))
        return false;
    memcpy(env->gpr, s->gpr, sizeof s->gpr);
    if (sets_flags) {
        env->cc_source = s->rflags & RFLAGS_ARITHMETIC;
        env->cc_operation = LIB_CC_EFLAGS;
    }
    const int32_t passed = (int32_t)(core->config.account->now - before);
    core->granted -= passed;
    *core->budget -= passed;
    return true;
}

void __wrap_helper_cpuid_x86_64(struct lib_state *env)
{
    struct core *core = core_current;
    if (!core || env != core->env || !executed(core, &core->blocks[*core->current_block]))
        __real_helper_cpuid_x86_64(env);
}
