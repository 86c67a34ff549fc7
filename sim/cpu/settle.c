/*
 * settle.c: what an outcome leads to: the next instruction, a handler, a VM exit, a double fault, shutdown.
 *
 * Sources: SDM volume 3A "Interrupt 8--Double Fault Exception (#DF)"; volume 3C "Information for VM Exits
 * During Event Delivery", "Details of Vectored-Event Injection", "Information About NMI Unblocking Due to
 * IRET".
 */
#include "sim/cpu/settle.h"

#include <stdio.h>

#include "sim/cpu/delivery/delivery.h"

#define DEBUG_BS (1ull << 14)
#define DEBUG_BREAKPOINTS (0xfull | DR6_BUS_LOCK) /* what makes a trap after the instruction */
#define DEBUG_ENABLED_BREAKPOINT (1ull << 12)
#define DEBUGCTL_BTF (1ull << 1)

/* An event on its way, and what is to be known about where it came from. */
struct settling {
    struct cpu *cpu;
    struct cpu_event event;
    struct cpu_event first; /* the one that the delivery began with */
    enum delivery_origin origin;
    bool iret_unblocked_nmi; /* event is a fault of an IRET that found NMIs (or virtual NMIs) blocked */
};

enum cpu_status cpu_ready(const struct cpu *cpu)
{
    return cpu->state.activity_state == ACTIVITY_ACTIVE ? CPU_RUN : CPU_HALTED;
}

static enum cpu_status stop(struct cpu *cpu, enum cpu_status status, const char *text)
{
    cpu->text = text;
    return status;
}

static enum cpu_status settle_vm_exit(struct cpu *cpu, const struct vm_exit *exit)
{
    const struct cpu_outcome outcome = vmx_exit(&cpu->vmx, exit);
    switch (outcome.kind) {
    case OUTCOME_VMX_ABORT:
        return stop(cpu, CPU_VMX_ABORT, outcome.text);
    case OUTCOME_UNSUPPORTED:
        return stop(cpu, CPU_UNSUPPORTED, outcome.text);
    default:
        return cpu_ready(cpu);
    }
}

static void describe_event(const struct cpu_event *event, char *text, size_t size)
{
    size_t used =
        (size_t)snprintf(text, size, "%s %u",
                         event->type == EVENT_HARDWARE_EXCEPTION ? "exception" : "interrupt", event->vector);
    if (event->has_error_code)
        used += (size_t)snprintf(text + used, size - used, " (error code %#x)", event->error_code);
    if (event->type == EVENT_HARDWARE_EXCEPTION && event->vector == VECTOR_PF)
        snprintf(text + used, size - used, " at %#llx", (unsigned long long)event->cr2);
}

/* In root operation shutdown; in non-root a VM exit, which is not one "during event delivery". first: what
 * the chain of faults began with, for a person; null if that is not known. */
static enum cpu_status triple_fault(struct cpu *cpu, const struct cpu_event *last,
                                    const struct cpu_event *first)
{
    char at_last[80], at_first[80];
    if (cpu->vmx.non_root)
        return settle_vm_exit(cpu, &(struct vm_exit){.reason = EXIT_REASON_TRIPLE_FAULT});
    describe_event(last, at_last, sizeof at_last);
    size_t used =
        (size_t)snprintf(cpu->text_buffer, sizeof cpu->text_buffer,
                         "triple fault at CS:RIP %#x:%#llx: %s while the double-fault handler "
                         "was called",
                         cpu->state.seg[SEG_CS].selector, (unsigned long long)cpu->state.rip, at_last);
    if (first) {
        describe_event(first, at_first, sizeof at_first);
        snprintf(cpu->text_buffer + used, sizeof cpu->text_buffer - used, "; it began with %s", at_first);
    }
    trace_emit(cpu->trace, &(struct trace_event){.kind = TRACE_TRIPLE_FAULT,
                                                 .processor = cpu->processor,
                                                 .code = last->vector,
                                                 .cycles = cpu->account.now});
    return stop(cpu, CPU_TRIPLE_FAULT, cpu->text_buffer);
}

/* The classes of SDM volume 3A table "Interrupt and Exception Classes". Interrupts are benign whatever their
 * vector. */
enum event_class { EVENT_BENIGN, EVENT_CONTRIBUTORY, EVENT_PAGE_FAULT, EVENT_DOUBLE_FAULT };

static enum event_class class_of(const struct cpu_event *event)
{
    if (event->type != EVENT_HARDWARE_EXCEPTION)
        return EVENT_BENIGN;
    switch (event->vector) {
    case VECTOR_DE:
    case VECTOR_TS:
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_GP:
    case VECTOR_CP:
        return EVENT_CONTRIBUTORY;
    case VECTOR_PF:
    case VECTOR_VE: /* SDM volume 3C "Delivery of Virtualization Exceptions": of the same severity */
        return EVENT_PAGE_FAULT;
    case VECTOR_DF:
        return EVENT_DOUBLE_FAULT;
    default:
        return EVENT_BENIGN;
    }
}

/* Do they make a double fault? SDM volume 3A table "Conditions for Generating a Double Fault". */
static bool makes_double_fault(const struct cpu_event *first, const struct cpu_event *second)
{
    const enum event_class a = class_of(first), b = class_of(second);
    if (a == EVENT_PAGE_FAULT)
        return b == EVENT_CONTRIBUTORY || b == EVENT_PAGE_FAULT;
    return a == EVENT_CONTRIBUTORY && b == EVENT_CONTRIBUTORY;
}

/* Error codes exist in protected mode only: SDM "Error Code". */
static void drop_code_in_real_mode(const struct cpu *cpu, struct cpu_event *event)
{
    if (cpu_real_mode(&cpu->state)) {
        event->has_error_code = false;
        event->error_code = 0;
    }
}

static void record_delivery(struct cpu *cpu, const struct cpu_event *event)
{
    const bool interrupt = event->type == EVENT_EXTERNAL_INTERRUPT || event->type == EVENT_NMI;
    const uint32_t cost = cpu->profile->cost.event_delivery.cycles;
    cycles_charge(&cpu->account, CYCLES_EVENT_DELIVERY, cost);
    trace_emit(cpu->trace, &(struct trace_event){.kind = interrupt ? TRACE_INTERRUPT : TRACE_EXCEPTION,
                                                 .processor = cpu->processor,
                                                 .vpid = cpu->mmu.regime.vpid,
                                                 .code = event->vector,
                                                 .a = event->error_code,
                                                 .cost = cost,
                                                 .cycles = cpu->account.now});
    cpu->vmx.monitoring = false; /* SDM volume 2, "MWAIT": interrupts and exceptions end it */
    vmx_note_operation(&cpu->vmx);
}

/* Does the fault that delivery of s->event met cause a VM exit? Then that exit came during event delivery.
 * Asked before the two can make a double fault. */
static bool nested_fault_exits(struct settling *s, const struct cpu_event *nested, struct vm_exit *exit)
{
    struct cpu *cpu = s->cpu;
    if (!cpu->vmx.non_root || !vmx_event_exits(&cpu->vmx, nested, exit))
        return false;
    vmx_note_vectoring(exit, &s->event);
    return true;
}

/* #AC in the delivery of #AC: the two make no double fault, and each new attempt meets what the last one met.
 * SDM volume 3A, table "Conditions for Generating a Double Fault". */
static bool never_ends(const struct cpu_event *first, const struct cpu_event *second)
{
    return first->type == EVENT_HARDWARE_EXCEPTION && first->vector == VECTOR_AC &&
           second->vector == VECTOR_AC;
}

/* Nothing but a VM exit for "instruction timeout" leads out, whose time passes. */
static enum cpu_status wait_for_timeout(struct settling *s)
{
    struct cpu *cpu = s->cpu;
    struct vm_exit exit;
    uint64_t deadline;
    if (!vmx_instruction_deadline(&cpu->vmx, cpu->no_boundary_since, &deadline))
        return stop(
            cpu, CPU_UNSUPPORTED,
            "exceptions without end: the delivery of #AC pushes to a misaligned stack of ring 3, which "
            "raises #AC; a real processor hangs in it");
    if (deadline > cpu->account.now)
        cycles_charge(&cpu->account, CYCLES_EVENT_DELIVERY, deadline - cpu->account.now);
    vmx_instruction_timeout(&exit, &s->event);
    return settle_vm_exit(cpu, &exit);
}

/* Have deliveries one after another kept the processor from an instruction boundary for too long? */
static bool timed_out(struct settling *s, enum cpu_status *status)
{
    struct cpu *cpu = s->cpu;
    struct vm_exit exit;
    uint64_t deadline;
    if (!vmx_instruction_deadline(&cpu->vmx, cpu->no_boundary_since, &deadline) ||
        cpu->account.now < deadline)
        return false;
    delivery_begins(cpu, &s->event, s->origin);
    vmx_instruction_timeout(&exit, &s->event);
    *status = settle_vm_exit(cpu, &exit);
    return true;
}

/* What comes of a fault in the delivery of s->event. True: s->event is the next to be delivered; false:
 * *status. */
static bool nest(struct settling *s, struct cpu_event nested, enum cpu_status *status)
{
    struct cpu *cpu = s->cpu;
    struct vm_exit exit = {0};
    drop_code_in_real_mode(cpu, &nested);
    if (nested_fault_exits(s, &nested, &exit)) {
        *status = settle_vm_exit(cpu, &exit);
        return false;
    }
    if (class_of(&s->event) == EVENT_DOUBLE_FAULT) {
        *status = triple_fault(cpu, &nested, &s->first);
        return false;
    }
    s->origin = DELIVERY_NORMAL;
    if (never_ends(&s->event, &nested)) {
        *status = wait_for_timeout(s);
        return false;
    }
    if (!makes_double_fault(&s->event, &nested)) {
        s->event = nested;
        return true;
    }
    if (nested.vector == VECTOR_PF)
        cpu->state.cr2 = nested.cr2;
    s->event = (struct cpu_event){
        .vector = VECTOR_DF, .type = EVENT_HARDWARE_EXCEPTION, .has_error_code = !cpu_real_mode(&cpu->state)};
    /* The double fault may exit by itself; that is not an exit during event delivery. */
    exit = (struct vm_exit){0};
    if (cpu->vmx.non_root && vmx_event_exits(&cpu->vmx, &s->event, &exit)) {
        *status = settle_vm_exit(cpu, &exit);
        return false;
    }
    return true;
}

static enum cpu_status debug_trap(struct cpu *cpu, uint64_t conditions)
{
    struct cpu_outcome trap = outcome_fault(VECTOR_DB);
    trap.event.debug_conditions = conditions;
    return cpu_settle(cpu, &trap, NULL);
}

/* SDM volume 3C "Other Causes of VM Exits", instruction timeout: the handler that was entered is at a
 * boundary unless breakpoints that its delivery hit come first. */
static void look_for_boundary(struct cpu *cpu)
{
    cpu->boundary_missed = cpu_debug_exception_due(&cpu->state);
}

static enum cpu_status deliver_until_done(struct settling *s)
{
    struct cpu *cpu = s->cpu;
    enum cpu_status status;
    s->first = s->event;
    if (!cpu->boundary_missed)
        cpu->no_boundary_since = cpu->account.now;
    else if (timed_out(s, &status))
        return status;
    for (;;) {
        struct cpu_outcome outcome = deliver_event(cpu, &s->event, s->origin);
        switch (outcome.kind) {
        case OUTCOME_JUMPED:
            record_delivery(cpu, &s->event);
            look_for_boundary(cpu);
            return cpu_ready(cpu);
        case OUTCOME_TASK_SWITCHED: /* SDM "Task-Switch Exception Condition": before its first instruction */
            record_delivery(cpu, &s->event);
            return outcome.event.debug_conditions ? debug_trap(cpu, outcome.event.debug_conditions)
                                                  : cpu_ready(cpu);
        case OUTCOME_VM_EXIT: /* EPT violation or misconfiguration, task switch */
            vmx_note_vectoring(&outcome.exit, &s->event);
            return settle_vm_exit(cpu, &outcome.exit);
        case OUTCOME_EVENT:
            if (!nest(s, outcome.event, &status))
                return status;
            break;
        default:
            return stop(cpu, CPU_UNSUPPORTED, outcome.text);
        }
    }
}

/* SDM volume 3C, "Virtual-Interrupt Delivery": "external-interrupt exiting" does not look at it. */
enum cpu_status cpu_deliver_virtual_interrupt(struct cpu *cpu, uint8_t vector)
{
    struct settling s = {
        .cpu = cpu, .event = {.vector = vector, .type = EVENT_EXTERNAL_INTERRUPT}, .origin = DELIVERY_NORMAL};
    return deliver_until_done(&s);
}

/* An event that software or the platform raised. */
static enum cpu_status settle_event(struct settling *s)
{
    struct cpu *cpu = s->cpu;
    struct vm_exit exit = {0};
    struct cpu_outcome instead;
    /* SDM "Instruction-Breakpoint Exception Condition": cleared at the start of INT n, INT3, INTO, INT1. */
    if (event_is_software(&s->event) || s->event.type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION)
        cpu->state.rflags &= ~RFLAGS_RF;
    if (software_interrupt_refused(cpu, &s->event, &instead)) {
        if (instead.kind != OUTCOME_EVENT)
            return stop(cpu, CPU_UNSUPPORTED, instead.text);
        s->event = instead.event;
    }
    drop_code_in_real_mode(cpu, &s->event);
    if (!cpu->vmx.non_root || !vmx_event_exits(&cpu->vmx, &s->event, &exit))
        return deliver_until_done(s);
    vmx_note_nmi_unblocking(&cpu->vmx, &exit, s->iret_unblocked_nmi);
    return settle_vm_exit(cpu, &exit);
}

/* SDM volume 3C "VM Exits During Event Injection": the injected event itself never exits directly. */
static enum cpu_status settle_vm_entry(struct cpu *cpu)
{
    enum cpu_status status = cpu_ready(cpu);
    cpu->boundary_missed = false;
    if (cpu->vmx.injection_valid) {
        struct settling s = {.cpu = cpu, .event = cpu->vmx.injection, .origin = DELIVERY_INJECTED};
        cpu->vmx.injection_valid = false;
        status = deliver_until_done(&s);
    }
    if (status != CPU_RUN && status != CPU_HALTED)
        return status;
    /* Pending debug exceptions, an expired preemption timer and open windows come before the first
     * instruction: SDM "Special Features of VM Entry". */
    return cpu_take_due_events(cpu);
}

/* One iteration of a repeated INS or OUTS is over, and more are to come. */
static bool stays_at_repeated(const struct insn *insn, bool jumped)
{
    return jumped && (insn->id == INSN_INS || insn->id == INSN_OUTS);
}

/* The instruction is over: SDM "RFLAGS", RF; volume 3A "Masking Exceptions and Interrupts When Switching
 * Stacks". */
static void retire(struct cpu *cpu, const struct insn *insn, bool jumped)
{
    struct cpu_state *state = &cpu->state;
    if (!jumped) {
        state->rip += insn->length;
        if (!cpu_64bit_mode(state))
            state->rip &= 0xffffffff;
    }
    /* SDM "Instruction-Breakpoint Exception Condition": events between iterations find RF set. */
    if (stays_at_repeated(insn, jumped))
        state->rflags |= RFLAGS_RF;
    else if (insn->id != INSN_IRET)
        state->rflags &= ~RFLAGS_RF;
    if (insn->id != INSN_STI)
        state->interruptibility_state &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
}

static enum cpu_status settle(struct cpu *cpu, const struct cpu_outcome *outcome, const struct insn *insn,
                              bool iret_unblocked_nmi)
{
    struct settling s = {.cpu = cpu,
                         .event = outcome->event,
                         .origin = DELIVERY_NORMAL,
                         .iret_unblocked_nmi = iret_unblocked_nmi};
    struct vm_exit exit;
    switch (outcome->kind) {
    case OUTCOME_DONE:
    case OUTCOME_JUMPED:
        if (insn) {
            retire(cpu, insn, outcome->kind == OUTCOME_JUMPED);
            vmx_note_operation(&cpu->vmx);
        }
        return cpu_ready(cpu);
    case OUTCOME_TASK_SWITCHED: /* RF is the new task's */
        cpu->state.interruptibility_state &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
        return cpu_ready(cpu);
    case OUTCOME_EVENT:
        return settle_event(&s);
    case OUTCOME_VM_EXIT:
        exit = outcome->exit;
        if (exit.reason == EXIT_REASON_APIC_ACCESS && insn)
            exit.instruction_length = insn->length;
        if (iret_unblocked_nmi)
            vmx_note_nmi_unblocking(&cpu->vmx, &exit, true);
        if (vmx_ept_violation_converts(&cpu->vmx, &exit, &s.event))
            return settle_event(&s);
        return settle_vm_exit(cpu, &exit);
    case OUTCOME_VM_ENTRY:
        return settle_vm_entry(cpu);
    case OUTCOME_TRIPLE_FAULT:
        return triple_fault(cpu, &outcome->event, NULL);
    case OUTCOME_VMX_ABORT:
        return stop(cpu, CPU_VMX_ABORT, outcome->text);
    case OUTCOME_UNSUPPORTED:
        break;
    }
    return stop(cpu, CPU_UNSUPPORTED, outcome->text);
}

enum cpu_status cpu_settle(struct cpu *cpu, const struct cpu_outcome *outcome, const struct insn *insn)
{
    return settle(cpu, outcome, insn, false);
}

/* Would IRET, executed now, unblock NMIs or, with "virtual NMIs", virtual NMIs? */
static bool iret_would_unblock(const struct cpu *cpu, const struct insn *insn)
{
    if (insn->id != INSN_IRET || !cpu->vmx.non_root)
        return false;
    if (cpu->vmx.vmcs.pin_based_controls & PIN_VIRTUAL_NMIS)
        return cpu->vmx.virtual_nmi_blocking;
    return (cpu->state.interruptibility_state & BLOCKING_BY_NMI) != 0;
}

/* SDM "Single-Step Exception Condition": asked when TF was set before an instruction that completed. SYSCALL
 * that masks TF is not stepped; entries into a guest step by the pending debug exceptions of the VMCS. */
static bool single_steps(const struct cpu *cpu, const struct insn *insn, bool branches_only, uint64_t next)
{
    if ((insn->id == INSN_VMLAUNCH || insn->id == INSN_VMRESUME) && cpu->state.rip != next)
        return false; /* the entry failed after it had loaded guest state: RIP is the host's */
    if (insn->id == INSN_SYSCALL && !(cpu->state.rflags & RFLAGS_TF))
        return false;
    return !branches_only || cpu->state.rip != next; /* SDM "Single-Stepping on Branches" */
}

/* What MOV SS or POP SS held back comes with the trap of the instruction after it: SDM volume 3A, "Masking
 * Exceptions and Interrupts When Switching Stacks". */
static uint64_t take_pending_breakpoints(struct cpu_state *state)
{
    const uint64_t pending = state->pending_debug_exceptions;
    state->pending_debug_exceptions = 0;
    return pending & DEBUG_ENABLED_BREAKPOINT ? pending & DEBUG_BREAKPOINTS : 0;
}

/* VM exits that come after an operation go before debug traps, which they find pending: SDM volume 3C,
 * "Monitor Trap Flag", "APIC-Write Emulation" and "Saving Non-Register State". False: none is due. */
static bool hold_debug_trap(struct cpu *cpu, uint64_t conditions)
{
    if (!vmx_boundary_due(&cpu->vmx))
        return false;
    cpu->state.pending_debug_exceptions |=
        conditions | (conditions & DEBUG_BREAKPOINTS ? DEBUG_ENABLED_BREAKPOINT : 0);
    return true;
}

/* What the performance counters have to know of an instruction that is over: faults, VM exits and iterations
 * of a repeated INS or OUTS retire nothing. */
static void note_retirement(struct cpu *cpu, const struct insn *insn, const struct cpu_outcome *outcome)
{
    const bool faulted = outcome->kind == OUTCOME_EVENT && outcome->event.type == EVENT_HARDWARE_EXCEPTION;
    if (faulted || outcome->kind == OUTCOME_VM_EXIT ||
        stays_at_repeated(insn, outcome->kind == OUTCOME_JUMPED))
        cpu->pmu.not_retired++;
    cpu->pmu.executing = false;
}

static enum cpu_status execute_and_settle(struct cpu *cpu, const struct insn *insn)
{
    const bool trap_flag = (cpu->state.rflags & RFLAGS_TF) != 0;
    const bool branches_only = (cpu->state.msr.debugctl & DEBUGCTL_BTF) != 0;
    const uint64_t next = cpu->state.rip + insn->length;
    const bool unblocks = iret_would_unblock(cpu, insn);
    const uint64_t pending = cpu->state.pending_debug_exceptions;
    cpu->pmu.executing = true;
    const struct cpu_outcome outcome = cpu_execute(cpu, insn);
    note_retirement(cpu, insn, &outcome);
    if (outcome.kind == OUTCOME_EVENT || outcome.kind == OUTCOME_VM_EXIT)
        cpu->state.pending_debug_exceptions = pending; /* what it accessed before it failed does not count */
    const enum cpu_status status = settle(cpu, &outcome, insn, unblocks);
    const bool switched = outcome.kind == OUTCOME_TASK_SWITCHED;
    const bool completed = switched || outcome.kind == OUTCOME_DONE || outcome.kind == OUTCOME_JUMPED;
    /* Two traps of one instruction are one exception: SDM "Debug Status Register (DR6)". */
    uint64_t conditions = switched ? outcome.event.debug_conditions : 0;
    if (trap_flag && completed && single_steps(cpu, insn, branches_only, next))
        conditions |= DEBUG_BS;
    if (conditions)
        conditions |= take_pending_breakpoints(&cpu->state);
    if (conditions && hold_debug_trap(cpu, conditions))
        return status;
    return conditions ? debug_trap(cpu, conditions) : status;
}

enum cpu_status cpu_follow_counters(struct cpu *cpu, enum cpu_status status)
{
    pmu_follow(cpu);
    if (!cpu->pmu.unmodelled || (status != CPU_RUN && status != CPU_HALTED))
        return status;
    return stop(cpu, CPU_UNSUPPORTED, cpu->pmu.unmodelled);
}

enum cpu_status cpu_instruction(struct cpu *cpu, const struct insn *insn)
{
    return cpu_follow_counters(cpu, execute_and_settle(cpu, insn));
}

enum cpu_status cpu_exception(struct cpu *cpu, const struct cpu_event *event)
{
    const struct cpu_outcome outcome = {.kind = OUTCOME_EVENT, .event = *event};
    if (event->vector == VECTOR_DB && cpu->state.msr.debugctl & DEBUGCTL_BTF)
        return stop(cpu, CPU_UNSUPPORTED,
                    "RFLAGS.TF with IA32_DEBUGCTL.BTF: single-stepping on branches is not modelled for "
                    "translated code");
    if (event->vector == VECTOR_DB && event->debug_conditions & DEBUG_BS)
        vmx_note_operation(
            &cpu->vmx); /* the instruction completed; breakpoints on execution come without BS */
    if (event->vector == VECTOR_DB && hold_debug_trap(cpu, event->debug_conditions))
        return cpu_ready(cpu);
    return cpu_follow_counters(cpu, cpu_settle(cpu, &outcome, NULL));
}

uint64_t cpu_bus_lock(struct cpu *cpu)
{
    vmx_note_bus_lock(&cpu->vmx);
    return cpu->state.msr.debugctl & DEBUGCTL_BUS_LOCK_DETECT && cpu_cpl(&cpu->state) ? DR6_BUS_LOCK : 0;
}

void cpu_stepped(struct cpu *cpu)
{
    vmx_note_operation(&cpu->vmx);
}

enum cpu_status cpu_memory_fault(struct cpu *cpu, enum mmu_status status, const struct mmu_fault *fault)
{
    const struct cpu_outcome outcome = mmu_fault_outcome(status, fault);
    return cpu_follow_counters(cpu, cpu_settle(cpu, &outcome, NULL));
}
