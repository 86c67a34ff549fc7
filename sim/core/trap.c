/*
 * trap.c: where a trap leaves translated code, becomes a call to the client, and goes back in.
 *
 * The library calls core_on_trap between blocks, so the whole state may be rewritten there. Numbers from
 * 0x140 to 0x15f are exceptions; one of ours is a failed TLB fill; everything else is an instruction that the
 * intercepts caught because it could not be substituted when its block was translated.
 */
#include "sim/core/step.h"
#include "sim/core/x87_core.h"

bool __wrap_x86_cpu_exec_interrupt_x86_64(void *cpu, int request);
bool __real_x86_cpu_exec_interrupt_x86_64(void *cpu, int request);

enum {
    TRAP_EXCEPTION_FIRST = 0x140,
    TRAP_EXCEPTION_LAST = 0x15f,
    DR6_BS = 1 << 14,
    DR6_BREAKPOINTS = 0xf | 1 << 11, /* and BLD */
    PENDING_ENABLED_BREAKPOINT = 1 << 12
};

static bool has_error_code(unsigned vector)
{
    return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

static bool deliver_exception(struct core *core, unsigned vector)
{
    struct cpu_event event = {.vector = (uint8_t)vector, .type = EVENT_HARDWARE_EXCEPTION};
    event.has_error_code = has_error_code(vector);
    if (event.has_error_code)
        event.error_code = (uint32_t)core->traps->error_code;
    /* SDM volume 1, "BOUND Instruction and Intel MPX": BNDSTATUS is 0 after its #BR. */
    if (vector == VECTOR_BR && core->env->hflags & LIB_HF_MPX_ENABLED)
        core->config.state->bndstatus = 0;
    if (vector == VECTOR_DB) {
        struct cpu_state *s = core->config.state;
        step_note_repetition(core); /* RFLAGS.TF: it comes between iterations too */
        event.debug_conditions =
            DR6_BS | core->watch_hits | step_bus_lock(core) | (s->pending_debug_exceptions & DR6_BREAKPOINTS);
        s->pending_debug_exceptions = 0;
    }
    return core->config.client->exception(core->config.client->opaque, &event);
}

static bool run_model_instruction(struct core *core, const struct insn *insn);

/* Decodes at RIP. The fetch may fault, when the library translated from a stale view of the next page. */
static bool run_instruction_at_rip(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    struct mmu_mode mode = {.user = cpu_cpl(s) == 3, .narrow = !cpu_64bit_mode(s)};
    uint8_t bytes[15];
    size_t got = 0;
    struct mmu_fault fault;
    struct insn insn;
    uint64_t linear = s->rip + s->seg[SEG_CS].base;
    if (!cpu_64bit_mode(s))
        linear = (uint32_t)linear;
    enum mmu_status status = mmu_fetch(core->config.mmu, linear, bytes, sizeof bytes, mode, &got, &fault);
    if (status != MMU_OK)
        return core->config.client->memory_fault(core->config.client->opaque, status, &fault);
    unsigned bits = cpu_code_bits(s);
    if (!core_model_executes(core, bytes, got, bits == 64 ? 2 : bits == 32 ? 1 : 0, &insn))
        return deliver_exception(core, VECTOR_UD);
    return run_model_instruction(core, &insn);
}

static bool run_model_instruction(struct core *core, const struct insn *insn)
{
    struct cpu_outcome breakpoint = outcome_fault(VECTOR_DB);
    breakpoint.event.debug_conditions = step_code_breakpoints(core->config.state);
    if (breakpoint.event.debug_conditions)
        return core->config.client->exception(core->config.client->opaque, &breakpoint.event);
    return core->config.client->instruction(core->config.client->opaque, insn);
}

/* Bytes of the instruction at RIP, 0 if they cannot be fetched. */
static uint8_t length_at_rip(struct core *core)
{
    const struct cpu_state *s = core->config.state;
    const struct mmu_mode mode = {.user = cpu_cpl(s) == 3, .narrow = !cpu_64bit_mode(s)};
    uint8_t bytes[15];
    const uint8_t *code = bytes;
    size_t got = 0;
    struct mmu_fault fault;
    unsigned bits = cpu_code_bits(s);
    uint64_t linear = s->rip + s->seg[SEG_CS].base, address = s->rip;
    if (bits != 64)
        linear = (uint32_t)linear;
    if (mmu_fetch(core->config.mmu, linear, bytes, sizeof bytes, mode, &got, &fault) != MMU_OK ||
        !cs_disasm_iter(core->decoder[bits == 64   ? 2
                                      : bits == 32 ? 1
                                                   : 0],
                        &code, &got, &address, core->decoded))
        return 0;
    return (uint8_t)core->decoded->size;
}

static bool fill_failed(struct core *core)
{
    const struct core_client *client = core->config.client;
    switch (core->fill_failure) {
    case FILL_NOT_CANONICAL:
        return step_on_non_canonical(core);
    case FILL_NO_CODE:
        return deliver_exception(core, VECTOR_UD);
    case FILL_STEP:
    case FILL_GUARDED:
        return step_on_trap(core);
    case FILL_FAULT:
        if (core->fault_of_read)
            step_fault_of_read(core);
        break;
    }
    if (core->fault_status == MMU_APIC_ACCESS)
        core->fault.instruction_length = length_at_rip(core);
    return client->memory_fault(client->opaque, core->fault_status, &core->fault);
}

static bool dispatch(struct core *core, uint32_t number)
{
    const struct core_block *block = &core->blocks[*core->current_block];
    if (number == CORE_TRAP_MEMORY_FAULT) {
        x87_take_back(core);
        return fill_failed(core);
    }
    if (number == CORE_TRAP_X87_END)
        return x87_on_end(core);
    if (number == CORE_TRAP_X87_EXTERNAL)
        return x87_on_external(core);
    if (block->substituted && block->pc == core->env->rip + core->env->seg[SEG_CS].base)
        return block->checked ? step_on_trap(core) : run_model_instruction(core, &block->insn);
    if (number != TRAP_EXCEPTION_FIRST + VECTOR_UD && number >= TRAP_EXCEPTION_FIRST &&
        number <= TRAP_EXCEPTION_LAST)
        return deliver_exception(core, number - TRAP_EXCEPTION_FIRST);
    return run_instruction_at_rip(core);
}

static void end_run(struct core *core)
{
    core->stop = true;
    uc_emu_stop(core->uc);
}

/* Something waits, and no shadow hides it: whether RFLAGS.IF matters to it poll knows. */
static bool window_open(const struct core *core)
{
    return core->window_wanted && !(core->env->hflags & LIB_HF_INHIBIT_INTERRUPTS);
}

/* Polls once, unless the client asks for more: an event that is still due afterwards is taken after the next
 * block, so a poll that settles nothing cannot hang. *deadline is the client's, asked for as seldom as can
 * be: a trap is a hot path. */
static bool take_events(struct core *core, uint64_t *deadline)
{
    const struct core_client *client = core->config.client;
    core->window_wanted = client->wants_interrupt_window(client->opaque);
    *deadline = client->deadline(client->opaque);
    /* An event that waits may have been let in by the trap; poll knows all that holds it back. */
    if (!core->poll_soon && !core->window_wanted && *deadline > core->config.account->now)
        return true;
    core->poll_soon = false;
    do {
        if (!client->poll(client->opaque))
            return false;
        core->window_wanted = client->wants_interrupt_window(client->opaque);
        *deadline = client->deadline(client->opaque);
    } while (*deadline == CORE_AT_ONCE);
    return true;
}

static void resume(struct core *core, bool go_on)
{
    uint64_t deadline = 0;
    go_on = go_on && take_events(core, &deadline);
    core_export(core);
    core_grant(core, deadline);
    if (!go_on || core->error)
        end_run(core);
}

void core_on_trap(uc_engine *uc, uint32_t number, void *opaque)
{
    struct core *core = opaque;
    (void)uc;
    core_charge(core);
    core_import(core);
    if (!core->stepping)
        core->watch_hits = 0;
    core->stepping = false;
    resume(core, dispatch(core, number));
}

/* SDM volume 3C, "Saving RIP, RSP, RFLAGS, and SSP" and volume 3A, "System Flags and Fields in the EFLAGS
 * Register": what comes between two iterations finds RF set. The library goes back to the instruction after
 * its last iteration too, and only then sees that the count is 0. */
static void end_iteration(struct core *core)
{
    struct lib_state *env = core->env;
    if (!core->step_repeats || env->rip != core->step_rip)
        return;
    const uint64_t count = env->gpr[GPR_RCX];
    core->step_goes_on =
        (core->step_count_bits < 64 ? count & ((1ull << core->step_count_bits) - 1) : count) != 0;
    if (!core->step_goes_on) {
        env->rip += core->step_bytes;
        core_last_iteration(core);
    }
}

/* The checked instruction completed: a data breakpoint that it hit is a trap after it. */
static bool step_done(struct core *core)
{
    struct cpu_event event = {
        .vector = VECTOR_DB, .type = EVENT_HARDWARE_EXCEPTION, .debug_conditions = core->watch_hits};
    core->stepping = false;
    if (step_failed(core)) {
        core_sync_time(core);
        core_import(core);
        resume(core, step_undo(core));
        return true;
    }
    if (core->code_buffer_full)
        core_empty_code_buffer(core); /* each way out of here makes the library forget which block ran last */
    end_iteration(core);
    bool told = step_each(core) || core->poll_soon;
    if (!core->watch_hits && !core->step_locks && !told) {
        core->env->hflags |= step_flags(core);
        return *core->budget >= 0 && !window_open(core) ? true : core_between_blocks(core);
    }
    core_sync_time(core);
    core_import(core);
    core->poll_soon = core->poll_soon || told;
    if (step_each(core))
        core->config.single_step.done(core->config.single_step.opaque);
    uint64_t hits = core->watch_hits | step_bus_lock(core);
    core->watch_hits = 0;
    event.debug_conditions = hits;
    if (!hits) {
        resume(core, true);
    } else if (core->config.state->interruptibility_state & BLOCKING_BY_MOV_SS) {
        /* SDM volume 3A, "Masking Exceptions and Interrupts When Switching Stacks": held until after the next
         * instruction */
        core->config.state->pending_debug_exceptions |= event.debug_conditions | PENDING_ENABLED_BREAKPOINT;
        resume(core, true);
    } else {
        resume(core, core->config.client->exception(core->config.client->opaque, &event));
    }
    return true;
}

/* The library asks here, between blocks, because we keep an interrupt request standing. True: the state was
 * changed. */
bool __wrap_x86_cpu_exec_interrupt_x86_64(void *cpu, int request)
{
    struct core *core = core_current;
    if (!core || cpu != (void *)core->cpu)
        return __real_x86_cpu_exec_interrupt_x86_64(cpu, request);
    if (core->stop)
        return false;
    if (core->partial_block)
        core_charge(core);
    if (core->stepping && core->step_begun)
        return step_done(core);
    core->step_begun = core->stepping;
    if (core->stepping)
        return false;
    uint32_t changed = step_flags(core) ^ (core->env->hflags & LIB_HF_OURS);
    if (changed) {
        core->env->hflags ^= changed; /* translated code changed a segment or RFLAGS.AC */
        return true;
    }
    if (core->code_buffer_full) {
        core_empty_code_buffer(core);
        if (*core->budget >= 0)
            return true; /* the library forgets which block ran last */
    }
    if (*core->budget >= 0 && !core->poll_soon && !window_open(core))
        return false;
    return core_between_blocks(core);
}

bool core_between_blocks(struct core *core)
{
    const struct core_client *client = core->config.client;
    core_sync_time(core);
    uint64_t deadline = client->deadline(client->opaque);
    if (!core->poll_soon && !window_open(core) && deadline > core->config.account->now) {
        core_grant(core, deadline); /* the slice ended, nothing is due */
        return true;
    }
    core_import(core);
    step_note_repetition(core);
    core->poll_soon = true;
    resume(core, true);
    return true;
}
