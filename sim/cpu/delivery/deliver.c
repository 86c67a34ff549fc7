/* deliver.c: what every delivery has in common. SDM volume 3A "Exception- or Interrupt-Handler Procedures".
 */
#include "sim/cpu/delivery/delivery.h"
#include "sim/cpu/virtual_interrupts.h"

#define DR6_CONDITIONS 0xfull
#define DR6_BD (1ull << 13)
#define DR6_BS (1ull << 14)
#define DR6_BT (1ull << 15)
#define DR7_GD (1ull << 13)
#define DEBUGCTL_LBR_AND_BTF 3ull

/* SDM "Instruction-Breakpoint Exception Condition" and volume 3A "Debug Exception (#DB)": of debug exceptions
 * general detect alone is a fault that asks for RF here; an instruction breakpoint leaves it clear. */
static bool is_fault(const struct cpu_event *event)
{
    if (event->type != EVENT_HARDWARE_EXCEPTION)
        return false;
    switch (event->vector) {
    case VECTOR_DB:
        return (event->debug_conditions & DR6_BD) != 0;
    case VECTOR_BP:
    case VECTOR_OF:
    case VECTOR_DF:
    case VECTOR_MC:
        return false; /* traps and aborts */
    default:
        return true;
    }
}

/* SDM "Debug Status Register (DR6)", "General-Detect Exception Condition": the conditions are merged in, GD
 * and the LBR and BTF flags of IA32_DEBUGCTL cleared. INT1 carries no conditions and leaves DR6 alone. */
static void note_debug_exception(struct cpu_state *state, const struct cpu_event *event)
{
    const uint64_t conditions = event->debug_conditions & (DR6_CONDITIONS | DR6_BD | DR6_BS | DR6_BT);
    const bool bus_lock = (event->debug_conditions & DR6_BUS_LOCK) != 0;
    if (conditions || bus_lock)
        state->dr6 = (state->dr6 & ~DR6_CONDITIONS) | conditions;
    if (bus_lock)
        state->dr6 &= ~DR6_BUS_LOCK;
    state->dr7 &= ~DR7_GD;
    state->msr.debugctl &= ~DEBUGCTL_LBR_AND_BTF;
    state->pending_debug_exceptions = 0;
}

void delivery_begins(struct cpu *cpu, const struct cpu_event *event, enum delivery_origin origin)
{
    struct cpu_state *state = &cpu->state;
    if (event->type == EVENT_HARDWARE_EXCEPTION && event->vector == VECTOR_PF)
        state->cr2 = event->cr2;
    /* SDM volume 3C "Details of Vectored-Event Injection": an injected #DB modifies no debug register. */
    if (event->vector == VECTOR_DB && origin == DELIVERY_NORMAL &&
        (event->type == EVENT_HARDWARE_EXCEPTION || event->type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION))
        note_debug_exception(state, event);
    if (event->type == EVENT_NMI && origin == DELIVERY_NORMAL)
        state->interruptibility_state |= BLOCKING_BY_NMI;
    state->interruptibility_state &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    state->activity_state = ACTIVITY_ACTIVE;
}

bool software_interrupt_refused(struct cpu *cpu, const struct cpu_event *event, struct cpu_outcome *instead)
{
    const struct cpu_state *state = &cpu->state;
    bool protected_mode = true;
    if (event->type != EVENT_SOFTWARE_INTERRUPT || !v86_flags_protected(state))
        return false;
    /* A fault in reading the map is met again, and reported, by delivery. */
    if ((state->cr4 & CR4_VME) && !read_redirection_bit(cpu, event->vector, &protected_mode, instead))
        return false;
    *instead = outcome_fault_code(VECTOR_GP, 0);
    return protected_mode;
}

/* SDM volume 3C "Details of Vectored-Event Injection" redirects as INT n does, without its look at IOPL. */
static bool subject_to_redirection(const struct cpu_state *state, const struct cpu_event *event)
{
    return event->type == EVENT_SOFTWARE_INTERRUPT && cpu_v86_mode(state) && (state->cr4 & CR4_VME);
}

static struct cpu_outcome deliver_by_mode(const struct delivery *delivery)
{
    struct cpu *cpu = delivery->cpu;
    if (subject_to_redirection(&cpu->state, delivery->event)) {
        struct cpu_outcome outcome;
        bool protected_mode;
        if (!read_redirection_bit(cpu, delivery->event->vector, &protected_mode, &outcome))
            return outcome;
        if (!protected_mode)
            return deliver_redirected(delivery);
    }
    return cpu_real_mode(&cpu->state) ? deliver_real_mode(delivery) : deliver_protected_mode(delivery);
}

struct cpu_outcome deliver_event(struct cpu *cpu, const struct cpu_event *event, enum delivery_origin origin)
{
    struct cpu_state *state = &cpu->state;
    struct delivery delivery = {.cpu = cpu,
                                .event = event,
                                .ext = event_is_software(event) ? 0 : ERROR_CODE_EXT,
                                .rip = state->rip + event->instruction_length,
                                .rflags = state->rflags | RFLAGS_FIXED1};
    /* VM entry pushes RF as it was loaded: SDM volume 3C "Details of Vectored-Event Injection". */
    if (origin == DELIVERY_NORMAL && is_fault(event))
        delivery.rflags |= RFLAGS_RF;
    delivery_begins(cpu, event, origin);
    const uint64_t pending = state->pending_debug_exceptions;
    const struct cpu_outcome outcome = deliver_by_mode(&delivery);
    /* Of a delivery that fails half-way the breakpoints that it hit are not told, as of an instruction that
     * faults: the SDM knows data breakpoints as traps behind what has completed. */
    if (outcome.kind == OUTCOME_EVENT || outcome.kind == OUTCOME_VM_EXIT)
        state->pending_debug_exceptions = pending;
    return outcome;
}

struct cpu_outcome cpu_deliver(struct cpu *cpu, const struct cpu_event *event)
{
    return deliver_event(cpu, event, DELIVERY_NORMAL);
}
