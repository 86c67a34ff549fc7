/*
 * protected_mode.c: delivery through the gates of the IDT, in protected, virtual-8086 and IA-32e mode.
 *
 * The order of the checks is that of SDM "INT n/INTO/INT3/INT1" (PROTECTED-MODE and the parts that it calls).
 */
#include "sim/cpu/delivery/delivery.h"
#include "sim/cpu/task/task_switch.h"

struct gate {
    uint16_t selector;
    uint64_t offset;
    unsigned type;
    unsigned ist;
    unsigned item_size; /* bytes of one pushed item: 2, 4 or 8 */
};

/* #GP or #NP that names the IDT entry. */
static struct cpu_outcome idt_fault(const struct delivery *delivery, uint8_t vector)
{
    return outcome_fault_code(vector, delivery->event->vector * 8u | ERROR_CODE_IDT | delivery->ext);
}

static bool gate_type_valid(unsigned type, bool long_mode)
{
    switch (type) {
    case DESCRIPTOR_INTERRUPT_GATE32:
    case DESCRIPTOR_TRAP_GATE32:
        return true;
    case DESCRIPTOR_INTERRUPT_GATE16:
    case DESCRIPTOR_TRAP_GATE16:
    case DESCRIPTOR_TASK_GATE:
        return !long_mode;
    default:
        return false;
    }
}

static struct gate parse_gate(const struct descriptor *d, bool long_mode)
{
    struct gate gate = {.selector = (uint16_t)(d->low >> 16),
                        .offset = (d->low & 0xffff) | (d->low >> 48 & 0xffff) << 16,
                        .type = descriptor_type(d),
                        .item_size = 4};
    if (long_mode) {
        gate.offset |= d->high << 32;
        gate.ist = (unsigned)(d->low >> 32) & 7;
        gate.item_size = 8;
    } else if (gate.type == DESCRIPTOR_INTERRUPT_GATE16 || gate.type == DESCRIPTOR_TRAP_GATE16) {
        gate.offset &= 0xffff;
        gate.item_size = 2;
    }
    return gate;
}

/* Limit, type, DPL for software events, presence. */
static bool read_gate(const struct delivery *delivery, struct gate *gate, struct cpu_outcome *outcome)
{
    struct cpu *cpu = delivery->cpu;
    const struct cpu_state *state = &cpu->state;
    const bool long_mode = cpu_long_mode(state);
    const uint32_t size = long_mode ? 16 : 8;
    const uint32_t entry = delivery->event->vector * size;
    uint64_t linear = state->idtr.base + entry;
    struct descriptor d = {0};
    *outcome = idt_fault(delivery, VECTOR_GP);
    if (entry + size - 1 > state->idtr.limit)
        return false;
    if (!long_mode)
        linear &= 0xffffffff;
    uint64_t raw[2] = {0};
    if (!system_read(cpu, linear, raw, size, outcome))
        return false;
    d.low = raw[0];
    d.high = raw[1];
    *outcome = idt_fault(delivery, VECTOR_GP);
    if (!descriptor_is_system(&d) || !gate_type_valid(descriptor_type(&d), long_mode))
        return false;
    if (event_is_software(delivery->event) && descriptor_dpl(&d) < cpu_cpl(state))
        return false;
    *outcome = idt_fault(delivery, VECTOR_NP);
    *gate = parse_gate(&d, long_mode);
    return descriptor_present(&d);
}

/* The handler's code segment. Gives the CPL that it will run at. */
static bool read_code_segment(const struct delivery *delivery, const struct gate *gate, struct descriptor *d,
                              unsigned *new_cpl, struct cpu_outcome *outcome)
{
    struct cpu *cpu = delivery->cpu;
    const struct cpu_state *state = &cpu->state;
    const unsigned cpl = cpu_cpl(state);
    *outcome = outcome_fault_code(VECTOR_GP, delivery->ext);
    if (selector_is_null(gate->selector))
        return false;
    if (!descriptor_read(cpu, gate->selector, VECTOR_GP, delivery->ext, d, outcome))
        return false;
    *outcome = outcome_fault_code(VECTOR_GP, (gate->selector & 0xfffcu) | delivery->ext);
    if (!descriptor_is_code(d) || descriptor_dpl(d) > cpl)
        return false;
    if (cpu_long_mode(state) && (!descriptor_long(d) || descriptor_big(d)))
        return false;
    if (!descriptor_present(d)) {
        outcome->event.vector = VECTOR_NP;
        return false;
    }
    *new_cpl = descriptor_is_conforming(d) ? cpl : descriptor_dpl(d);
    /* Virtual-8086 mode is left for ring 0 only. */
    return !cpu_v86_mode(state) || *new_cpl == 0;
}

/* The handler's address must lie in its segment: #GP(EXT). */
static bool target_valid(const struct delivery *delivery, const struct gate *gate,
                         const struct cpu_segment *cs, struct cpu_outcome *outcome)
{
    *outcome = outcome_fault_code(VECTOR_GP, delivery->ext);
    const struct cpu_state *state = &delivery->cpu->state;
    return cpu_long_mode(state) ? cpu_canonical(gate->offset, cpu_linear_bits(state))
                                : gate->offset <= cs->limit;
}

/* The stack that the handler starts on. */
static bool choose_stack(const struct delivery *delivery, const struct gate *gate, unsigned new_cpl,
                         struct stack *stack, struct cpu_outcome *outcome)
{
    struct cpu *cpu = delivery->cpu;
    const unsigned cpl = cpu_cpl(&cpu->state);
    if (new_cpl < cpl || gate->ist) {
        if (!stack_from_tss(cpu, new_cpl, gate->ist, delivery->ext, stack, outcome))
            return false;
    } else {
        *stack = stack_current(cpu, cpl, delivery->ext);
    }
    if (cpu_long_mode(&cpu->state)) {
        /* SDM "64-Bit Mode Stack Frame": RSP is aligned to 16 bytes before the pushes. */
        if (!stack->flat)
            stack->sp = cpu->state.gpr[GPR_RSP];
        stack->flat = true;
        stack->sp &= ~0xfull;
    }
    return true;
}

/* Pushed from the top: GS FS DS ES (from virtual-8086 mode), SS SP (stack switch, and always in IA-32e mode),
 * FLAGS CS IP, error code. */
static bool push_frame(const struct delivery *delivery, const struct gate *gate, bool with_stack,
                       struct stack *stack, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &delivery->cpu->state;
    static const uint8_t v86_segments[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
    uint64_t items[10];
    unsigned count = 0;
    if (cpu_v86_mode(state))
        for (unsigned i = 0; i < 4; i++)
            items[count++] = state->seg[v86_segments[i]].selector;
    if (with_stack) {
        items[count++] = state->seg[SEG_SS].selector;
        items[count++] = state->gpr[GPR_RSP];
    }
    items[count++] = delivery->rflags;
    items[count++] = state->seg[SEG_CS].selector;
    items[count++] = cpu_64bit_mode(state) ? delivery->rip : delivery->rip & 0xffffffff;
    if (delivery->event->has_error_code)
        items[count++] = delivery->event->error_code;
    return stack_push_all(stack, items, count, gate->item_size, outcome);
}

/* Nothing can fail any more. */
static void enter_handler(const struct delivery *delivery, const struct gate *gate, struct cpu_segment cs,
                          unsigned new_cpl, const struct stack *stack)
{
    struct cpu_state *state = &delivery->cpu->state;
    const unsigned cpl = cpu_cpl(state);
    if (cpu_v86_mode(state)) {
        static const uint8_t cleared[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};
        for (unsigned i = 0; i < 4; i++)
            segment_load_null(&state->seg[cleared[i]], 0, 0);
    }
    stack_commit(stack);
    if (new_cpl < cpl && cpu_long_mode(state))
        segment_load_null(&state->seg[SEG_SS], (uint16_t)new_cpl, new_cpl);
    else if (new_cpl < cpl)
        state->seg[SEG_SS] = stack->ss;
    cs.selector = (uint16_t)((gate->selector & ~SELECTOR_RPL) | new_cpl);
    state->seg[SEG_CS] = cs;
    state->rip = gate->offset;
    state->rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
    if (!(gate->type & 1)) /* interrupt gates are even, trap gates odd */
        state->rflags &= ~RFLAGS_IF;
}

/* TASK-GATE */
static struct cpu_outcome through_task_gate(const struct delivery *delivery, const struct gate *gate)
{
    const struct task_switch to = {.selector = gate->selector,
                                   .source = TASK_SWITCH_GATE_IN_IDT,
                                   .ext = delivery->ext,
                                   .instruction_length = delivery->event->instruction_length,
                                   .rip = delivery->rip,
                                   .rflags = delivery->rflags,
                                   .event = delivery->event};
    return task_switch(delivery->cpu, &to);
}

struct cpu_outcome deliver_protected_mode(const struct delivery *delivery)
{
    struct cpu *cpu = delivery->cpu;
    struct cpu_outcome outcome;
    struct gate gate;
    struct descriptor code;
    struct stack stack;
    unsigned new_cpl;
    if (!read_gate(delivery, &gate, &outcome))
        return outcome;
    if (gate.type == DESCRIPTOR_TASK_GATE)
        return through_task_gate(delivery, &gate);
    if (!read_code_segment(delivery, &gate, &code, &new_cpl, &outcome))
        return outcome;
    if (!choose_stack(delivery, &gate, new_cpl, &stack, &outcome))
        return outcome;
    struct cpu_segment cs = descriptor_segment(&code);
    if (!target_valid(delivery, &gate, &cs, &outcome))
        return outcome;
    const bool with_stack = cpu_long_mode(&cpu->state) || new_cpl < cpu_cpl(&cpu->state);
    if (!push_frame(delivery, &gate, with_stack, &stack, &outcome))
        return outcome;
    if (!descriptor_set_accessed(cpu, &code, &outcome))
        return outcome;
    enter_handler(delivery, &gate, descriptor_segment(&code), new_cpl, &stack);
    return outcome_of(OUTCOME_JUMPED);
}
