/*
 * machine_loop.c: what happens at each trap of the core: the processor acts, the platform is asked whether
 * the run is over, limits are kept.
 */
#include "sim/machine_private.h"

#include <stdio.h>
#include <string.h>

enum { PROGRESS_CYCLES = 50000000 };

uint64_t machine_cycles(const struct machine *m)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < m->processor_count; i++)
        if (m->processors[i].cpu.account.now > most)
            most = m->processors[i].cpu.account.now;
    return most;
}

static void add_words(void *to, const void *from, size_t bytes)
{
    uint64_t *sum = to;
    const uint64_t *term = from;
    for (size_t i = 0; i < bytes / sizeof *sum; i++)
        sum[i] += term[i];
}

void machine_sum_accounts(struct machine *m)
{
    struct cycle_account *sum = &m->result->account;
    *sum = m->processors[0].cpu.account;
    for (unsigned i = 1; i < m->processor_count; i++) {
        const struct cycle_account *a = &m->processors[i].cpu.account;
        sum->now += a->now;
        sum->refill_cycles += a->refill_cycles;
        add_words(sum->by, a->by, sizeof sum->by);
        add_words(sum->flush, a->flush, sizeof sum->flush);
        add_words(sum->exit, a->exit, sizeof sum->exit);
    }
}

uint64_t machine_instructions(const struct machine *m)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < m->processor_count; i++)
        sum += m->processors[i].cpu.instructions;
    return sum;
}

bool machine_stopped_by_platform(struct machine *m)
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

/* Where every processor is, for somebody whose hypervisor does not come to its end. */
static void end_at_limit(struct machine *m, uint64_t limit, const char *of_what)
{
    char places[448];
    size_t used = 0;
    *places = 0;
    for (unsigned i = 0; i < m->processor_count && used < sizeof places; i++) {
        const struct machine_processor *p = &m->processors[i];
        used += (size_t)snprintf(places + used, sizeof places - used, "%sprocessor %u%s at RIP %#llx%s",
                                 i ? ", " : "", i, p->halted ? " halted" : "",
                                 (unsigned long long)p->cpu.state.rip,
                                 p->cpu.vmx.non_root ? " in non-root operation" : "");
    }
    if (used >= sizeof places) { /* the places of many processors: to the last whole one */
        char *end = strrchr(places, ',');
        snprintf(end, (size_t)(places + sizeof places - end), " ...");
    }
    machine_end(m, MACHINE_LIMIT, "the run reached its limit of %llu %s: %s", (unsigned long long)limit,
                of_what, places);
}

bool machine_check_limits(struct machine_processor *p)
{
    struct machine *m = p->machine;
    const struct machine_options *o = m->options;
    if (o->max_cycles && p->cpu.account.now >= o->max_cycles)
        end_at_limit(m, o->max_cycles, "cycles");
    else if (o->max_instructions && p->cpu.instructions >= o->max_instructions)
        end_at_limit(m, o->max_instructions, "instructions");
    else
        return false;
    return true;
}

static void tell_progress(const struct machine *m)
{
    struct machine_progress progress = {.cycles = machine_cycles(m),
                                        .instructions = machine_instructions(m),
                                        .processor_count = m->processor_count};
    for (unsigned i = 0; i < m->processor_count; i++) {
        progress.accounts[i] = &m->processors[i].cpu.account;
        progress.checked_steps += core_checked_steps(m->processors[i].core);
    }
    m->options->progress(m->options->progress_opaque, &progress);
}

static void report_progress(struct machine_processor *p)
{
    struct machine *m = p->machine;
    if (p->cpu.account.now < m->next_progress)
        return;
    m->next_progress = p->cpu.account.now + PROGRESS_CYCLES;
    if (m->options->progress)
        tell_progress(m);
}

/* HLT: time passes to the next deadline at once. */
enum cpu_status machine_sleep(struct machine_processor *p)
{
    struct machine *m = p->machine;
    uint64_t next = cpu_next_deadline(&p->cpu);
    if (m->options->max_cycles && next > m->options->max_cycles)
        next = m->options->max_cycles;
    if (next > p->cpu.account.now)
        cycles_charge(&p->cpu.account, CYCLES_HALTED, next - p->cpu.account.now);
    report_progress(p);
    return cpu_poll(&p->cpu);
}

/* Software in real mode that waits for an interrupt often means the tick that a BIOS has left running. */
static bool misses_bios_timer(const struct machine_processor *p)
{
    return p->machine->options->firmware == FIRMWARE_NONE && !(p->cpu.state.cr0 & CR0_PE) &&
           (p->cpu.state.rflags & RFLAGS_IF);
}

static enum cpu_status sleep_alone(struct machine_processor *p)
{
    struct machine *m = p->machine;
    enum cpu_status status = CPU_HALTED;
    while (status == CPU_HALTED && m->platform.stop == PLATFORM_RUNS && !machine_check_limits(p)) {
        if (cpu_next_deadline(&p->cpu) == UINT64_MAX) {
            machine_end(m, MACHINE_HALTED_FOREVER,
                        "the processor is halted at RIP %#llx (RFLAGS.IF = %d) and no timer is running that "
                        "could wake it%s",
                        (unsigned long long)p->cpu.state.rip, (p->cpu.state.rflags & RFLAGS_IF) != 0,
                        misses_bios_timer(p) ? "; in real mode, --firmware pc has a BIOS's timer tick" : "");
            break;
        }
        status = machine_sleep(p);
    }
    return status;
}

static bool end_by_processor(struct machine_processor *p, enum machine_outcome outcome, const char *otherwise)
{
    struct machine *m = p->machine;
    machine_end(m, outcome, "%s (RIP %#llx)", p->cpu.text ? p->cpu.text : otherwise,
                (unsigned long long)p->cpu.state.rip);
    return false;
}

/* True: translated code goes on. */
bool machine_after(struct machine_processor *p, enum cpu_status status)
{
    struct machine *m = p->machine;
    if (status == CPU_HALTED && m->processor_count == 1)
        status = sleep_alone(p);
    p->halted = status == CPU_HALTED;
    if (machine_stopped_by_platform(m))
        return false;
    switch (status) {
    case CPU_RUN:
        return true;
    case CPU_HALTED:
        return false; /* the run ended, or it is another processor's turn */
    case CPU_TRIPLE_FAULT:
        return end_by_processor(p, MACHINE_TRIPLE_FAULT, "triple fault");
    case CPU_VMX_ABORT:
        return end_by_processor(p, MACHINE_VMX_ABORT, "VMX abort");
    case CPU_UNSUPPORTED:
        return end_by_processor(p, MACHINE_UNSUPPORTED, "the guest asked for something that is not modelled");
    }
    return false;
}

static bool on_instruction(void *opaque, const struct insn *insn)
{
    struct machine_processor *p = opaque;
    p->cpu.instructions++;
    return machine_after(p, cpu_instruction(&p->cpu, insn));
}

static bool on_quick(void *opaque, const struct insn *insn, bool *sets_flags)
{
    return cpu_quick(&((struct machine_processor *)opaque)->cpu, insn, sets_flags);
}

static bool on_exception(void *opaque, const struct cpu_event *event)
{
    struct machine_processor *p = opaque;
    return machine_after(p, cpu_exception(&p->cpu, event));
}

static bool on_memory_fault(void *opaque, enum mmu_status status, const struct mmu_fault *fault)
{
    struct machine_processor *p = opaque;
    return machine_after(p, cpu_memory_fault(&p->cpu, status, fault));
}

/* Another processor is to run: this one's slice is over, or it sent another one something. */
static bool turn_is_over(const struct machine_processor *p)
{
    return p->machine->processor_count > 1 &&
           (p->cpu.account.now >= p->slice_end || p->machine->platform.others_signalled);
}

static bool on_poll(void *opaque)
{
    struct machine_processor *p = opaque;
    report_progress(p);
    if (machine_check_limits(p) || turn_is_over(p))
        return false;
    return machine_after(p, cpu_poll(&p->cpu));
}

static void on_step(void *opaque)
{
    struct machine_processor *p = opaque;
    cpu_stepped(&p->cpu);
}

static uint64_t on_bus_lock(void *opaque)
{
    struct machine_processor *p = opaque;
    return cpu_bus_lock(&p->cpu);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

_Static_assert(CPU_AT_ONCE == CORE_AT_ONCE, "it is handed on, as the earliest of all cycles");
static uint64_t deadline(void *opaque)
{
    const struct machine_processor *p = opaque;
    const struct machine *m = p->machine;
    const struct machine_options *o = m->options;
    if (turn_is_over(p))
        return p->cpu.account.now;
    uint64_t next = min_u64(cpu_next_deadline(&p->cpu), m->next_progress);
    if (o->max_cycles)
        next = min_u64(next, o->max_cycles);
    if (o->max_instructions) /* an instruction costs a cycle at least */
        next = min_u64(next, p->cpu.account.now + (o->max_instructions > p->cpu.instructions
                                                       ? o->max_instructions - p->cpu.instructions
                                                       : 0));
    return m->processor_count > 1 ? min_u64(next, p->slice_end) : next;
}

static bool wants_interrupt_window(void *opaque)
{
    const struct machine_processor *p = opaque;
    return cpu_wants_interrupt_window(&p->cpu);
}

static bool open_core(struct machine_processor *p)
{
    struct machine *m = p->machine;
    const char *error = NULL;
    p->client = (struct core_client){
        on_instruction, on_exception, on_memory_fault, on_poll, deadline, wants_interrupt_window, p,
        on_quick};
    const struct core_config config = {.client = &p->client,
                                       .state = &p->cpu.state,
                                       .mmu = &p->cpu.mmu,
                                       .mem = &m->mem,
                                       .profile = p->cpu.profile,
                                       .account = &p->cpu.account,
                                       .instructions = &p->cpu.instructions,
                                       .repetitions = &p->cpu.pmu.not_retired,
                                       .single_step = {&p->cpu.vmx.monitor_trap, on_step, p},
                                       .bus_locks = {&p->cpu.vmx.bus_lock_detection, on_bus_lock, p},
                                       .accounting = m->accounting};
    p->core = core_open(&config, &error);
    if (p->core)
        p->cpu.fpu = (struct fpu_access){.read = core_read_fpu, .write = core_write_fpu, .opaque = p->core};
    else
        machine_end(m, MACHINE_INTERNAL, "%s", error);
    return p->core != NULL;
}

void machine_select(struct machine_processor *p)
{
    platform_select(&p->machine->platform, p->cpu.processor, &p->cpu.account.now,
                    &p->cpu.state.tsc_offset_root);
}

void machine_run_processor(struct machine_processor *p)
{
    struct machine *m = p->machine;
    const char *error = NULL;
    if (!core_run(p->core, &error))
        machine_end(m, MACHINE_INTERNAL, "the core failed at RIP %#llx: %s",
                    (unsigned long long)p->cpu.state.rip, error);
}

/* Time that passed without a cause would make every statement about costs wrong. */
static void check_account(struct machine *m, const struct cycle_account *account)
{
    const uint64_t sum = cycles_sum(account);
    if (sum != account->now)
        machine_end(m, MACHINE_INTERNAL, "the causes of cycles add up to %llu, and %llu have passed",
                    (unsigned long long)sum, (unsigned long long)account->now);
}

/* A processor that slept to the end slept until then. */
static void finish_accounts(struct machine *m)
{
    const uint64_t end = machine_cycles(m);
    for (unsigned i = 0; i < m->processor_count; i++) {
        struct cpu *cpu = &m->processors[i].cpu;
        if (m->processors[i].halted)
            cycles_charge(&cpu->account, CYCLES_HALTED, end - cpu->account.now);
        vmx_exit_cost_end(&cpu->vmx);
        check_account(m, &cpu->account);
    }
    machine_sum_accounts(m);
}

void machine_go(struct machine *m)
{
    bool opened = true;
    for (unsigned i = 0; opened && i < m->processor_count; i++)
        opened = open_core(&m->processors[i]);
    m->next_progress = PROGRESS_CYCLES;
    if (opened && m->processor_count == 1)
        machine_run_processor(m->processors); /* the platform's first is selected from the start */
    else if (opened)
        machine_take_turns(m);
    finish_accounts(m);
    if (opened && m->options->progress)
        tell_progress(m);
    for (unsigned i = 0; i < m->processor_count; i++) {
        core_close(m->processors[i].core);
        m->processors[i].core = NULL;
    }
}
