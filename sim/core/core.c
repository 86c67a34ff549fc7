/* core.c: opens, runs and closes the core. */
#include <stdlib.h>

#include "sim/core/simd.h"
#include "sim/core/x87_core.h"

struct core *core_current, *core_opened;

enum { INTERCEPT_ALL_16 = 0xffff };
#define INTERCEPT_PUSHF (1ull << 16) /* right in translated code */
#define INTERCEPT_POPF (1ull << 17)
#define INTERCEPT_MSR (1ull << 28) /* would look into a map in guest memory */

static uc_cpu_x86 library_model(const struct cpu_profile *profile)
{
    const uint32_t adx = 1u << 19; /* CPUID.(EAX=07H,ECX=0):EBX: not a feature that can be switched off */
    for (size_t i = 0; i < profile->cpuid_count; i++)
        if (profile->cpuid[i].leaf == 7)
            return profile->cpuid[i].ebx & adx ? UC_CPU_X86_SKYLAKE_CLIENT : UC_CPU_X86_NEHALEM;
    return UC_CPU_X86_NEHALEM;
}

static bool open_engine(struct core *core)
{
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &core->uc) != UC_ERR_OK)
        return false;
    return uc_ctl_set_cpu_model(core->uc, library_model(core->config.profile)) == UC_ERR_OK &&
           uc_ctl_set_tcg_buffer_size(core->uc, CORE_CODE_BUFFER) == UC_ERR_OK &&
           uc_ctl_exits_enable(core->uc) == UC_ERR_OK && uc_ctl_tlb_mode(core->uc, UC_TLB_VIRTUAL) == UC_ERR_OK;
}

/* Every exception and every instruction that the library can intercept leaves it. The MSR and I/O maps that some of its
 * checks would read belong to us: the model executes those instructions before the checks are reached. */
static void ask_for_all_intercepts(struct core *core)
{
    struct lib_traps *t = core->traps;
    t->control_block = 0;
    t->intercept = ~(INTERCEPT_MSR | INTERCEPT_PUSHF | INTERCEPT_POPF);
    t->exceptions = ~0u;
    t->cr_read = t->cr_write = t->dr_read = t->dr_write = INTERCEPT_ALL_16;
    core->env->hflags |= LIB_HF_INTERCEPTS;
    core->env->hflags2 |= LIB_HF2_GIF;
    core->env->a20_mask = -1;
}

static const char *set_up(struct core *core)
{
    core->blocks = calloc(CORE_BLOCK_RECORDS + 1, sizeof *core->blocks);
    if (!core->blocks)
        return "out of memory";
    if (!core_open_decoders(core))
        return "Capstone cannot be opened for x86";
    if (!open_engine(core))
        return "libunicorn cannot be opened for x86 with the options that vtsim needs; install libunicorn 2.1.1";
    if (!core_map_memory(core))
        return "libunicorn cannot map the guest's memory";
    if (!core_prove_layout(core) || !simd_prove_layout(core) || !x87_prove_layout(core))
        return "this libunicorn has another layout than version 2.1.1; install libunicorn 2.1.1";
    ask_for_all_intercepts(core);
    if (!core_attach_memory(core) || !core_attach_cache(core))
        return "out of memory";
    if (uc_hook_add(core->uc, &core->trap_hook, UC_HOOK_INTR, (void *)(uintptr_t)core_on_trap, core, 1, 0) != UC_ERR_OK)
        return "libunicorn refuses the interrupt hook";
    return NULL;
}

static const char *why_not_another(const struct core_config *config)
{
    unsigned open = 0;
    for (const struct core *c = core_opened; c; c = c->next, open++)
        if (c->config.mem != config->mem)
            return "a core with other memory is open in this process";
    return open < CORE_MOST ? NULL : "as many cores as can be are open in this process";
}

struct core *core_open(const struct core_config *config, const char **error)
{
    *error = why_not_another(config);
    struct core *core = *error ? NULL : calloc(1, sizeof *core);
    if (!core) {
        *error = *error ? *error : "out of memory";
        return NULL;
    }
    core->config = *config;
    core->next = core_opened;
    core_opened = core_current = core;
    *error = set_up(core);
    if (!*error && !core_prove_accounting(core))
        *error = "a replaced function of libunicorn has no effect; link vtsim statically with libunicorn 2.1.1";
    if (*error) {
        core_close(core);
        return NULL;
    }
    return core;
}

void core_close(struct core *core)
{
    if (!core)
        return;
    core_current = core;
    core_detach_cache(core);
    if (core->uc)
        uc_close(core->uc);
    core_close_decoders(core);
    struct core **link = &core_opened;
    while (*link != core)
        link = &(*link)->next;
    *link = core->next;
    core_detach_memory(core);
    free(core->blocks);
    core_current = core_opened;
    free(core);
}

bool core_run(struct core *core, const char **error)
{
    core_current = core;
    core->stop = false;
    core->poll_soon = true; /* look at what is pending before the first block */
    core_export_for_start(core);
    core_grant(core, 0); /* the poll comes before the first block */
    core->cpu->interrupt_request = LIB_INTERRUPT_HARD;
    uc_err result = uc_emu_start(core->uc, core->config.state->rip, 0, 0, 0);
    *error = core->error;
    if (!core->error && result != UC_ERR_OK)
        *error = uc_strerror(result);
    return *error == NULL;
}
