/* call_gate.c: far CALL and JMP through 16-, 32- and 64-bit call gates. SDM "CALL", CALL-GATE; "JMP",
 * CALL-GATE. */
#include "sim/cpu/transfer/transfer.h"

#define MAXIMUM_PARAMETERS 31u /* five bits in the gate */

struct call_gate {
    uint16_t selector;
    uint64_t offset;
    unsigned parameters; /* items to copy to the inner stack */
    unsigned item_size;  /* 2, 4 or 8 bytes */
};

/* The gate itself: privilege, presence and, in IA-32e mode, its upper half. */
static bool read_gate(struct cpu *cpu, const struct descriptor *d, struct call_gate *gate,
                      struct cpu_outcome *outcome)
{
    struct descriptor whole;
    if (!descriptor_read_system(cpu, d->selector, VECTOR_GP, 0, &whole, outcome))
        return false;
    *outcome = outcome_fault_code(VECTOR_GP, d->selector & 0xfffcu);
    if (descriptor_dpl(d) < cpu_cpl(&cpu->state) || descriptor_dpl(d) < selector_rpl(d->selector))
        return false;
    outcome->event.vector = VECTOR_NP;
    if (!descriptor_present(d))
        return false;
    *gate = (struct call_gate){.selector = (uint16_t)(d->low >> 16),
                               .offset = (d->low & 0xffff) | (d->low >> 48) << 16 | whole.high << 32,
                               .parameters = (unsigned)(d->low >> 32) & MAXIMUM_PARAMETERS,
                               .item_size = 4};
    if (cpu_long_mode(&cpu->state)) {
        gate->item_size = 8;
        gate->parameters = 0;
    } else if (descriptor_type(d) == DESCRIPTOR_CALL_GATE16) {
        gate->item_size = 2;
        gate->offset &= 0xffff;
    }
    return true;
}

/* The code segment that the gate names. A JMP cannot change the privilege level. */
static bool read_gate_code(struct cpu *cpu, const struct call_gate *gate, bool is_call,
                           struct descriptor *code, struct cpu_outcome *outcome)
{
    const unsigned cpl = cpu_cpl(&cpu->state);
    *outcome = outcome_fault_code(VECTOR_GP, 0);
    if (selector_is_null(gate->selector))
        return false;
    if (!descriptor_read(cpu, gate->selector, VECTOR_GP, 0, code, outcome))
        return false;
    *outcome = outcome_fault_code(VECTOR_GP, gate->selector & 0xfffcu);
    if (!descriptor_is_code(code) || descriptor_dpl(code) > cpl)
        return false;
    if (!is_call && !descriptor_is_conforming(code) && descriptor_dpl(code) != cpl)
        return false;
    if (cpu_long_mode(&cpu->state) && (!descriptor_long(code) || descriptor_big(code)))
        return false;
    outcome->event.vector = VECTOR_NP;
    return descriptor_present(code);
}

static bool push_return_address(struct cpu *cpu, const struct insn *insn, const struct call_gate *gate,
                                struct stack *stack, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;
    const uint64_t items[] = {state->seg[SEG_CS].selector, state->rip + insn->length};
    return stack_push_all(stack, items, 2, gate->item_size, outcome);
}

/* SS, SP, then the parameters in their old order, read from the caller's stack. */
static bool push_caller_stack(struct cpu *cpu, const struct call_gate *gate, struct stack *stack,
                              struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;
    uint64_t items[2 + MAXIMUM_PARAMETERS];
    items[0] = state->seg[SEG_SS].selector;
    items[1] = state->gpr[GPR_RSP];
    struct stack caller = stack_current(cpu, cpu_cpl(state), 0);
    for (unsigned i = 0; i < gate->parameters; i++)
        if (!stack_pop(&caller, &items[1 + gate->parameters - i], gate->item_size, outcome))
            return false;
    return stack_push_all(stack, items, 2 + gate->parameters, gate->item_size, outcome);
}

/* MORE-PRIVILEGE: a stack out of the TSS. */
static struct cpu_outcome call_inner(struct cpu *cpu, const struct insn *insn, const struct call_gate *gate,
                                     struct descriptor *code)
{
    struct cpu_state *state = &cpu->state;
    struct cpu_outcome outcome;
    struct stack stack;
    const unsigned cpl = descriptor_dpl(code);
    if (!stack_from_tss(cpu, cpl, 0, 0, &stack, &outcome))
        return outcome;
    if (!stack_has_room(&stack, 4 + gate->parameters, gate->item_size, &outcome))
        return outcome;
    if (!code_offset_valid(cpu, code, gate->offset, &outcome))
        return outcome;
    if (!push_caller_stack(cpu, gate, &stack, &outcome) ||
        !push_return_address(cpu, insn, gate, &stack, &outcome) ||
        !descriptor_set_accessed(cpu, code, &outcome))
        return outcome;
    stack_commit(&stack);
    if (cpu_long_mode(state))
        segment_load_null(&state->seg[SEG_SS], (uint16_t)cpl, cpl);
    else
        state->seg[SEG_SS] = stack.ss;
    load_code_segment(cpu, code, cpl, gate->offset);
    return outcome_of(OUTCOME_JUMPED);
}

/* SAME-PRIVILEGE, and JMP. */
static struct cpu_outcome enter_same(struct cpu *cpu, const struct insn *insn, const struct call_gate *gate,
                                     struct descriptor *code, bool is_call)
{
    struct cpu_outcome outcome;
    const unsigned cpl = cpu_cpl(&cpu->state);
    struct stack stack = stack_current(cpu, cpl, 0);
    if (cpu_long_mode(&cpu->state) &&
        !stack.flat) { /* from compatibility mode the pushes are 64-bit already */
        stack.flat = true;
        stack.sp = cpu->state.gpr[GPR_RSP] & 0xffffffff;
    }
    if (is_call && !stack_has_room(&stack, 2, gate->item_size, &outcome))
        return outcome;
    if (!code_offset_valid(cpu, code, gate->offset, &outcome))
        return outcome;
    if (is_call && !push_return_address(cpu, insn, gate, &stack, &outcome))
        return outcome;
    if (!descriptor_set_accessed(cpu, code, &outcome))
        return outcome;
    if (is_call)
        stack_commit(&stack);
    load_code_segment(cpu, code, cpl, gate->offset);
    return outcome_of(OUTCOME_JUMPED);
}

struct cpu_outcome through_call_gate(struct cpu *cpu, const struct insn *insn, const struct descriptor *d)
{
    const bool is_call = insn->id == INSN_CALL_FAR;
    struct cpu_outcome outcome;
    struct call_gate gate;
    struct descriptor code;
    if (!read_gate(cpu, d, &gate, &outcome))
        return outcome;
    if (!read_gate_code(cpu, &gate, is_call, &code, &outcome))
        return outcome;
    if (is_call && !descriptor_is_conforming(&code) && descriptor_dpl(&code) < cpu_cpl(&cpu->state))
        return call_inner(cpu, insn, &gate, &code);
    return enter_same(cpu, insn, &gate, &code, is_call);
}
