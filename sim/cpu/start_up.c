/*
 * start_up.c: INIT and start-up IPIs, as they reach a processor.
 *
 * Source: SDM volume 3A "Multiple-Processor (MP) Initialization"; volume 3C "Other Causes of VM Exits" (INIT
 * signals, start-up IPIs) and "Changes to Instruction Behavior in VMX Non-Root Operation", "Event Blocking".
 */
#include "sim/cpu/settle.h"

/* "INIT signals are blocked in VMX root operation"; in the wait-for-SIPI state they are too. They stay
 * pending. */
static bool init_blocked(const struct cpu *cpu)
{
    if (!cpu->vmx.on)
        return false;
    return !cpu->vmx.non_root || cpu->state.activity_state == ACTIVITY_WAIT_FOR_SIPI;
}

bool cpu_signal_due(const struct cpu *cpu)
{
    const uint8_t waiting = cpu->bus->signals(cpu->bus->opaque);
    return waiting & CPU_SIGNAL_SIPI || (waiting & CPU_SIGNAL_INIT && !init_blocked(cpu));
}

static enum cpu_status take_init(struct cpu *cpu)
{
    cpu->bus->take_signal(cpu->bus->opaque, CPU_SIGNAL_INIT);
    /* "Other Causes of VM Exits": nothing of what INIT does otherwise; the local APIC stays as it is too. */
    if (cpu->vmx.non_root) {
        const struct cpu_outcome outcome = {.kind = OUTCOME_VM_EXIT,
                                            .exit = {.reason = EXIT_REASON_INIT_SIGNAL}};
        return cpu_settle(cpu, &outcome, NULL);
    }
    if (cpu->processor == 0) {
        cpu->text = "an INIT signal sends the bootstrap processor to its reset vector FFFFFFF0H, where vtsim "
                    "has no firmware";
        return CPU_UNSUPPORTED;
    }
    /* SDM volume 3A "Local APIC State After It Receives an INIT-Reset IPI". */
    cpu->bus->reset_apic(cpu->bus->opaque);
    cpu_reset_by_init(cpu);
    return CPU_RUN;
}

/* "MP Initialization Protocol": real mode, at the page that the vector names. */
static void start_at(struct cpu *cpu, uint8_t vector)
{
    struct cpu_segment *code = &cpu->state.seg[SEG_CS];
    code->selector = (uint16_t)(vector << 8);
    code->base = (uint64_t)vector << 12;
    cpu->state.rip = 0;
    cpu->state.activity_state = ACTIVITY_ACTIVE;
}

/* A processor that does not wait for it drops it. */
static enum cpu_status take_sipi(struct cpu *cpu)
{
    const uint8_t vector = cpu->bus->take_signal(cpu->bus->opaque, CPU_SIGNAL_SIPI);
    if (cpu->state.activity_state != ACTIVITY_WAIT_FOR_SIPI)
        return CPU_RUN;
    if (cpu->vmx.non_root) {
        const struct cpu_outcome outcome = {
            .kind = OUTCOME_VM_EXIT, .exit = {.reason = EXIT_REASON_START_UP_IPI, .qualification = vector}};
        return cpu_settle(cpu, &outcome, NULL);
    }
    start_at(cpu, vector);
    return CPU_RUN;
}

enum cpu_status cpu_take_signals(struct cpu *cpu)
{
    enum cpu_status status = CPU_RUN;
    if (cpu->bus->signals(cpu->bus->opaque) & CPU_SIGNAL_INIT && !init_blocked(cpu))
        status = take_init(cpu);
    if (status == CPU_RUN && cpu->bus->signals(cpu->bus->opaque) & CPU_SIGNAL_SIPI)
        status = take_sipi(cpu);
    return status;
}
