/*
 * prove.c: runs a few instructions at start and looks whether every replacement of the library's functions
 * took effect: the fill, the look between blocks, the accounting, the substituted instruction and the
 * exceptions.
 *
 * It uses the machine's own RAM and state, and leaves both as it found them.
 */
#include "sim/core/core_private.h"

/* mov eax,1; add eax,2; jmp +0; cpuid; ud2: a block of three, a substituted one, an exception. */
static const uint8_t program[] = {0xb8, 1, 0, 0, 0, 0x83, 0xc0, 2, 0xeb, 0, 0x0f, 0xa2, 0x0f, 0x0b};

enum { PROGRAM_AT = 0x1000, INSTRUCTIONS_BEFORE_CPUID = 3 };

struct proof {
    struct core *core;
    bool saw_cpuid, saw_exception;
    uint64_t instructions_at_cpuid, cycles_at_cpuid, rax_at_cpuid;
};

static bool on_instruction(void *opaque, const struct insn *insn)
{
    struct proof *p = opaque;
    p->saw_cpuid = insn->id == INSN_CPUID;
    p->instructions_at_cpuid = *p->core->config.instructions;
    p->cycles_at_cpuid = p->core->config.account->now;
    p->rax_at_cpuid = p->core->config.state->gpr[GPR_RAX];
    p->core->config.state->rip += insn->length;
    return true;
}

static bool on_exception(void *opaque, const struct cpu_event *event)
{
    struct proof *p = opaque;
    p->saw_exception =
        event->vector == VECTOR_UD && p->core->config.state->rip == PROGRAM_AT + sizeof program - 2;
    return false;
}

static bool on_memory_fault(void *opaque, enum mmu_status status, const struct mmu_fault *fault)
{
    (void)opaque, (void)status, (void)fault;
    return false;
}

static bool on_poll(void *opaque)
{
    (void)opaque;
    return true;
}

static uint64_t no_deadline(void *opaque)
{
    (void)opaque;
    return UINT64_MAX;
}

static bool no_window(void *opaque)
{
    (void)opaque;
    return false;
}

static struct cpu_state flat_protected_mode(void)
{
    struct cpu_state s = {.rip = PROGRAM_AT, .rflags = RFLAGS_FIXED1, .cr0 = CR0_PE | CR0_ET};
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i] = (struct cpu_segment){.limit = UINT32_MAX, .access_rights = i == SEG_CS ? 0xc09b : 0xc093};
    s.seg[SEG_LDTR].access_rights = AR_UNUSABLE;
    s.seg[SEG_TR].access_rights = 0x8b;
    return s;
}

static bool as_expected(const struct core *core, const struct proof *p)
{
    const struct cpu_costs *cost = &core->config.profile->cost;
    uint64_t cycles = INSTRUCTIONS_BEFORE_CPUID * (uint64_t)cost->instruction.cycles + cost->branch.cycles;
    if (!p->saw_cpuid || !p->saw_exception || p->rax_at_cpuid != 3)
        return false;
    return !core->config.accounting ||
           (p->instructions_at_cpuid == INSTRUCTIONS_BEFORE_CPUID && p->cycles_at_cpuid == cycles);
}

bool core_prove_accounting(struct core *core)
{
    struct proof proof = {.core = core};
    const struct core_client client = {on_instruction, on_exception, on_memory_fault, on_poll,
                                       no_deadline,    no_window,    &proof,          NULL};
    const struct core_client *real_client = core->config.client;
    const struct cpu_state real_state = *core->config.state;
    const struct mmu_regime real_regime = core->config.mmu->regime;
    const struct cycle_account real_account = *core->config.account;
    const uint64_t real_instructions = *core->config.instructions;
    uint8_t *at = core->config.mem->ram + PROGRAM_AT, saved[sizeof program];
    const char *error = NULL;
    memcpy(saved, at, sizeof program);
    memcpy(at, program, sizeof program);
    *core->config.state = flat_protected_mode();
    *core->config.account = (struct cycle_account){0};
    *core->config.instructions = 0;
    core->config.client = &client;
    mmu_set_regime(core->config.mmu, &(struct mmu_regime){.cr0 = CR0_PE | CR0_ET});
    bool ran = core_run(core, &error);
    bool proved = ran && as_expected(core, &proof);
    core->config.client = real_client;
    memcpy(at, saved, sizeof program);
    phys_note_write(core->config.mem, PROGRAM_AT, sizeof program);
    *core->config.state = real_state;
    *core->config.account = real_account;
    *core->config.instructions = real_instructions;
    mmu_set_regime(core->config.mmu, &real_regime);
    return proved;
}
