/*
 * machine_loop.c: what happens at each trap of the core: the processor acts, the platform is asked whether
 * the run is over, limits are kept.
 */
#include "sim/machine_private.h"

enum { PROGRESS_CYCLES = 50000000 };

static bool stopped_by_platform(struct machine *m)
{
    const struct platform *p = &m->platform;
    if (m->serial_failed) {
        machine_end(m, MACHINE_INTERNAL,
                    "the serial output cannot be written (is the disk full, or the reader gone?)");
        return true;
    }
    switch (p->stop) {
    case PLATFORM_RUNS:
        return false;
    case PLATFORM_DEBUG_EXIT:
        m->result->debug_exit_value = p->stop_value;
        machine_end(m, MACHINE_DEBUG_EXIT, "%s", "");
        break;
    case PLATFORM_POWER_OFF:
        machine_end(m, MACHINE_POWER_OFF, "%s", "");
        break;
    case PLATFORM_RESET:
        machine_end(m, MACHINE_RESET, "the guest asked for a reset (%s)", p->stop_text ? p->stop_text : "");
        break;
    case PLATFORM_UNSUPPORTED:
        machine_end(m, MACHINE_UNSUPPORTED, "%s", p->stop_text ? p->stop_text : "a device is not modelled");
        break;
    }
    return true;
}

static bool limit_reached(struct machine *m)
{
    const struct machine_options *o = m->options;
    if (o->max_cycles && m->cpu.account.now >= o->max_cycles) {
        machine_end(m, MACHINE_LIMIT, "the run reached its limit of %llu cycles",
                    (unsigned long long)o->max_cycles);
        return true;
    }
    if (o->max_instructions && m->cpu.instructions >= o->max_instructions) {
        machine_end(m, MACHINE_LIMIT, "the run reached its limit of %llu instructions",
                    (unsigned long long)o->max_instructions);
        return true;
    }
    return false;
}

static void report_progress(struct machine *m)
{
    if (m->cpu.account.now < m->next_progress)
        return;
    m->next_progress = m->cpu.account.now + PROGRESS_CYCLES;
    if (m->options->progress)
        m->options->progress(m->options->progress_opaque, &m->cpu.account, m->cpu.instructions);
}

/* HLT: time passes to the next deadline at once. */
static enum cpu_status sleep_until_event(struct machine *m)
{
    enum cpu_status status = CPU_HALTED;
    while (status == CPU_HALTED) {
        uint64_t next = cpu_next_deadline(&m->cpu);
        if (m->platform.stop != PLATFORM_RUNS || limit_reached(m))
            break;
        if (next == UINT64_MAX) {
            machine_end(m, MACHINE_HALTED_FOREVER,
                        "the processor is halted at RIP %#llx (RFLAGS.IF = %d) and no timer is running that "
                        "could wake it",
                        (unsigned long long)m->cpu.state.rip, (m->cpu.state.rflags & RFLAGS_IF) != 0);
            break;
        }
        if (m->options->max_cycles && next > m->options->max_cycles)
            next = m->options->max_cycles;
        if (next > m->cpu.account.now)
            cycles_charge(&m->cpu.account, CYCLES_HALTED, next - m->cpu.account.now);
        report_progress(m);
        status = cpu_poll(&m->cpu);
    }
    return status;
}

static bool end_by_processor(struct machine *m, enum machine_outcome outcome, const char *otherwise)
{
    machine_end(m, outcome, "%s (RIP %#llx)", m->cpu.text ? m->cpu.text : otherwise,
                (unsigned long long)m->cpu.state.rip);
    return false;
}

/* True: translated code goes on. */
static bool after(struct machine *m, enum cpu_status status)
{
    if (status == CPU_HALTED)
        status = sleep_until_event(m);
    if (stopped_by_platform(m))
        return false;
    switch (status) {
    case CPU_RUN:
        return true;
    case CPU_HALTED:
        return false; /* sleep_until_event ended the run */
    case CPU_TRIPLE_FAULT:
        return end_by_processor(m, MACHINE_TRIPLE_FAULT, "triple fault");
    case CPU_VMX_ABORT:
        return end_by_processor(m, MACHINE_VMX_ABORT, "VMX abort");
    case CPU_UNSUPPORTED:
        return end_by_processor(m, MACHINE_UNSUPPORTED, "the guest asked for something that is not modelled");
    }
    return false;
}

static bool on_instruction(void *opaque, const struct insn *insn)
{
    struct machine *m = opaque;
    m->cpu.instructions++;
    return after(m, cpu_instruction(&m->cpu, insn));
}

static bool on_exception(void *opaque, const struct cpu_event *event)
{
    struct machine *m = opaque;
    return after(m, cpu_exception(&m->cpu, event));
}

static bool on_memory_fault(void *opaque, enum mmu_status status, const struct mmu_fault *fault)
{
    struct machine *m = opaque;
    return after(m, cpu_memory_fault(&m->cpu, status, fault));
}

static bool on_poll(void *opaque)
{
    struct machine *m = opaque;
    report_progress(m);
    if (limit_reached(m))
        return false;
    return after(m, cpu_poll(&m->cpu));
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline(void *opaque)
{
    struct machine *m = opaque;
    const struct machine_options *o = m->options;
    uint64_t next = min_u64(cpu_next_deadline(&m->cpu), m->next_progress);
    if (o->max_cycles)
        next = min_u64(next, o->max_cycles);
    if (o->max_instructions) /* an instruction costs a cycle at least */
        next = min_u64(next, m->cpu.account.now + (o->max_instructions > m->cpu.instructions
                                                       ? o->max_instructions - m->cpu.instructions
                                                       : 0));
    return next;
}

static bool wants_interrupt_window(void *opaque)
{
    const struct machine *m = opaque;
    return cpu_wants_interrupt_window(&m->cpu);
}

/* Time that passed without a cause would make every statement about costs wrong. */
static void check_account(struct machine *m)
{
    const uint64_t sum = cycles_sum(&m->cpu.account);
    if (sum != m->cpu.account.now)
        machine_end(m, MACHINE_INTERNAL, "the causes of cycles add up to %llu, and %llu have passed",
                    (unsigned long long)sum, (unsigned long long)m->cpu.account.now);
}

void machine_go(struct machine *m)
{
    const char *error = NULL;
    m->client = (struct core_client){
        on_instruction, on_exception, on_memory_fault, on_poll, deadline, wants_interrupt_window, m};
    const struct core_config config = {.client = &m->client,
                                       .state = &m->cpu.state,
                                       .mmu = &m->cpu.mmu,
                                       .mem = &m->mem,
                                       .profile = m->cpu.profile,
                                       .account = &m->cpu.account,
                                       .instructions = &m->cpu.instructions,
                                       .accounting = m->accounting};
    m->core = core_open(&config, &error);
    if (!m->core) {
        machine_end(m, MACHINE_INTERNAL, "%s", error);
        return;
    }
    m->next_progress = PROGRESS_CYCLES;
    if (!core_run(m->core, &error))
        machine_end(m, MACHINE_INTERNAL, "the core failed at RIP %#llx: %s",
                    (unsigned long long)m->cpu.state.rip, error);
    vmx_exit_cost_end(&m->cpu.vmx);
    check_account(m);
    if (m->options->progress)
        m->options->progress(m->options->progress_opaque, &m->cpu.account, m->cpu.instructions);
    core_close(m->core);
    m->core = NULL;
}
