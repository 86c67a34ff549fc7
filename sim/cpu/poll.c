/*
 * poll.c: what is taken between two instructions.
 *
 * Order: SDM volume 3A "Prioritization of Concurrent Events", with the VM exits of volume 3C "Other Causes of
 * VM Exits" in between: VM exits that follow an operation (TPR threshold, virtualized EOI, APIC write),
 * INIT, monitor trap flag, debug traps, VMX-preemption timer, NMI window, NMI, interrupt window or virtual
 * interrupt, external interrupt; then, as a fault of the next instruction, the VIP flag's.
 */
#include "sim/cpu/settle.h"
#include "sim/cpu/virtual_interrupts.h"

#define DEBUG_CONDITIONS 0xfull
#define DEBUG_ENABLED_BREAKPOINT (1ull << 12)
#define DEBUG_BS (1ull << 14)

/* SDM volume 3C "Delivery of Pending Debug Exceptions after VM Entry". */
bool cpu_debug_exception_due(const struct cpu_state *state)
{
    return (state->pending_debug_exceptions & (DEBUG_BS | DEBUG_ENABLED_BREAKPOINT)) &&
           !(state->interruptibility_state & BLOCKING_BY_MOV_SS);
}

/* Blocking by MOV SS holds NMIs back, and so does blocking by STI: SDM volume 3C "Format of Interruptibility
 * State" leaves it to the processor, and Intel's are known to do so (kvm-unit-tests' apic image looks for
 * it). */
static bool nmi_due(const struct cpu *cpu)
{
    const uint32_t blocking =
        cpu->state.interruptibility_state & (BLOCKING_BY_NMI | BLOCKING_BY_MOV_SS | BLOCKING_BY_STI);
    return !blocking && cpu->bus->nmi_pending(cpu->bus->opaque);
}

/* With "external-interrupt exiting" RFLAGS.IF does not block: SDM volume 3C "Event Blocking", which leaves it
 * to the processor whether STI and MOV SS do: here they do, as without the control. */
static bool external_interrupt_due(const struct cpu *cpu)
{
    const struct cpu_state *state = &cpu->state;
    const bool exits =
        cpu->vmx.non_root && (cpu->vmx.vmcs.pin_based_controls & PIN_EXTERNAL_INTERRUPT_EXITING);
    if (!exits && !(state->rflags & RFLAGS_IF))
        return false;
    if (state->interruptibility_state & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS))
        return false;
    /* Blocked in the shutdown state: SDM volume 3C "Guest Non-Register State", activity state. */
    return state->activity_state <= ACTIVITY_HLT && cpu->bus->interrupt_pending(cpu->bus->opaque);
}

static enum cpu_status take_debug_exception(struct cpu *cpu)
{
    struct cpu_outcome outcome = outcome_fault(VECTOR_DB);
    outcome.event.debug_conditions =
        cpu->state.pending_debug_exceptions & (DEBUG_CONDITIONS | DEBUG_BS | DR6_BUS_LOCK);
    cpu->state.pending_debug_exceptions = 0;
    return cpu_settle(cpu, &outcome, NULL);
}

static enum cpu_status take_nmi(struct cpu *cpu)
{
    const struct cpu_outcome outcome = {.kind = OUTCOME_EVENT,
                                        .event = {.vector = VECTOR_NMI, .type = EVENT_NMI}};
    cpu->bus->nmi_acknowledge(cpu->bus->opaque);
    return cpu_settle(cpu, &outcome, NULL);
}

static enum cpu_status take_virtual_interrupt(struct cpu *cpu)
{
    return cpu_deliver_virtual_interrupt(cpu, vmx_take_virtual_interrupt(&cpu->vmx));
}

static enum cpu_status deliver_external_interrupt(struct cpu *cpu)
{
    struct cpu_outcome outcome = {.kind = OUTCOME_EVENT, .event = {.type = EVENT_EXTERNAL_INTERRUPT}};
    outcome.event.vector = cpu->bus->interrupt_acknowledge(cpu->bus->opaque);
    return cpu_settle(cpu, &outcome, NULL);
}

static enum cpu_status take_external_interrupt(struct cpu *cpu)
{
    struct cpu_outcome outcome = {.kind = OUTCOME_VM_EXIT};
    if (!cpu->vmx.non_root)
        return deliver_external_interrupt(cpu);
    switch (vmx_external_interrupt(&cpu->vmx, &outcome.exit)) {
    case VMX_INTERRUPT_EXITS:
        return cpu_settle(cpu, &outcome, NULL);
    case VMX_INTERRUPT_POSTED:
        return vmx_virtual_interrupt_due(&cpu->vmx) ? take_virtual_interrupt(cpu) : cpu_ready(cpu);
    case VMX_INTERRUPT_NORMAL:
        break;
    }
    return deliver_external_interrupt(cpu);
}

/* What comes after debug traps. */
static enum cpu_status take_due_event(struct cpu *cpu)
{
    struct cpu_outcome vm_exit = {.kind = OUTCOME_VM_EXIT};
    const bool exits = cpu->vmx.non_root && vmx_pending_exit(&cpu->vmx, &vm_exit.exit);
    if (exits && vm_exit.exit.reason != EXIT_REASON_INTERRUPT_WINDOW)
        return cpu_settle(cpu, &vm_exit, NULL);
    if (nmi_due(cpu))
        return take_nmi(cpu);
    if (exits)
        return cpu_settle(cpu, &vm_exit, NULL);
    if (vmx_virtual_interrupt_due(&cpu->vmx))
        return take_virtual_interrupt(cpu);
    if (external_interrupt_due(cpu))
        return take_external_interrupt(cpu);
    if (virtual_interrupt_due(&cpu->state)) {
        const struct cpu_outcome fault = outcome_fault_code(VECTOR_GP, 0);
        return cpu_settle(cpu, &fault, NULL);
    }
    return cpu_ready(cpu);
}

static bool take_exit_if(struct cpu *cpu, bool due(struct vmx *, struct vm_exit *), enum cpu_status *status)
{
    struct cpu_outcome vm_exit = {.kind = OUTCOME_VM_EXIT};
    if (!due(&cpu->vmx, &vm_exit.exit))
        return false;
    *status = cpu_settle(cpu, &vm_exit, NULL);
    return true;
}

/* What comes before debug traps. True: *status is the end of it. */
static bool take_first_events(struct cpu *cpu, enum cpu_status *status)
{
    if (take_exit_if(cpu, vmx_trap_exit, status))
        return true;
    if (cpu_signal_due(cpu)) {
        *status = cpu_take_signals(cpu);
        if (*status != CPU_RUN)
            return true;
    }
    *status = CPU_HALTED;
    return cpu->state.activity_state == ACTIVITY_WAIT_FOR_SIPI || /* nothing but a SIPI ends it */
           take_exit_if(cpu, vmx_boundary_exit, status);
}

enum cpu_status cpu_take_due_events(struct cpu *cpu)
{
    enum cpu_status status;
    if (take_first_events(cpu, &status))
        return status;
    if (cpu_debug_exception_due(&cpu->state)) {
        status = take_debug_exception(cpu);
        if (status != CPU_RUN || take_exit_if(cpu, vmx_boundary_exit, &status))
            return status;
    }
    status = take_due_event(cpu);
    /* With the monitor trap flag an event's delivery is an operation, too. */
    if (status == CPU_RUN)
        take_exit_if(cpu, vmx_boundary_exit, &status);
    return status;
}

enum cpu_status cpu_poll(struct cpu *cpu)
{
    cpu->bus->advance(cpu->bus->opaque, cpu->account.now);
    if (cpu->pmu.watched)
        pmu_bring_up_to_date(cpu);
    return cpu_follow_counters(cpu, cpu_take_due_events(cpu));
}

uint64_t cpu_next_deadline(const struct cpu *cpu)
{
    if (cpu->boundary_missed && cpu_debug_exception_due(&cpu->state))
        return CPU_AT_ONCE;
    if (cpu_signal_due(cpu))
        return cpu->account.now;
    if (cpu->state.activity_state == ACTIVITY_WAIT_FOR_SIPI)
        return UINT64_MAX;
    if (cpu_debug_exception_due(&cpu->state) || nmi_due(cpu) || external_interrupt_due(cpu) ||
        vmx_boundary_due(&cpu->vmx) || vmx_virtual_interrupt_due(&cpu->vmx) ||
        virtual_interrupt_due(&cpu->state))
        return cpu->account.now;
    const uint64_t platform = cpu->bus->next_deadline(cpu->bus->opaque);
    const uint64_t guest = vmx_next_deadline(&cpu->vmx), counters = pmu_next_deadline(cpu);
    const uint64_t next = platform < guest ? platform : guest;
    return next < counters ? next : counters;
}

bool cpu_wants_interrupt_window(const struct cpu *cpu)
{
    const uint32_t windows = PRIMARY_INTERRUPT_WINDOW_EXITING | PRIMARY_NMI_WINDOW_EXITING;
    if (cpu->vmx.non_root && ((cpu->vmx.vmcs.primary_proc_based_controls & windows) ||
                              cpu->vmx.virtual_interrupt_recognized || vmx_boundary_due(&cpu->vmx)))
        return true;
    return cpu->state.pending_debug_exceptions || cpu->bus->interrupt_pending(cpu->bus->opaque) ||
           cpu->bus->nmi_pending(cpu->bus->opaque) || cpu_signal_due(cpu);
}
