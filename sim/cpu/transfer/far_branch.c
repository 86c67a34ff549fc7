/*
 * far_branch.c: far CALL and JMP, up to where they go through a gate. SDM "CALL" and "JMP", Operation.
 */
#include "sim/cpu/task/task_switch.h"
#include "sim/cpu/transfer/transfer.h"

/* From the instruction, or from memory: offset first, then the selector. */
static bool read_target(struct cpu *cpu, const struct insn *insn, struct far_target *target,
                        struct cpu_outcome *outcome)
{
    const unsigned offset_size = insn->operand_bits / 8u;
    uint8_t pointer[10] = {0};
    if (!insn->is_memory) {
        target->selector = insn->far_selector;
        target->offset = cut_to(insn->immediate, insn->operand_bits);
        return true;
    }
    if (!mmu_read_operand(&cpu->mmu, &cpu->state, insn, pointer, offset_size + 2, outcome))
        return false;
    target->offset = 0;
    memcpy(&target->offset, pointer, offset_size);
    memcpy(&target->selector, pointer + offset_size, 2);
    return true;
}

/* Return address of a CALL in items of the operand size, at the current privilege level. */
static bool push_return_address(struct cpu *cpu, const struct insn *insn, struct stack *stack,
                                struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;
    const uint64_t items[] = {state->seg[SEG_CS].selector, state->rip + insn->length};
    *stack = stack_current(cpu, cpu_cpl(state), 0);
    return stack_push_all(stack, items, 2, insn->operand_bits / 8u, outcome);
}

static struct cpu_outcome branch_like_8086(struct cpu *cpu, const struct insn *insn,
                                           const struct far_target *target)
{
    struct cpu_outcome outcome;
    struct stack stack = {0};
    const uint32_t limit = cpu_v86_mode(&cpu->state) ? 0xffff : cpu->state.seg[SEG_CS].limit;
    /* SDM "CALL": room on the stack is checked before the target. */
    if (insn->id == INSN_CALL_FAR) {
        stack = stack_current(cpu, cpu_cpl(&cpu->state), 0);
        if (!stack_has_room(&stack, 2, insn->operand_bits / 8u, &outcome))
            return outcome;
    }
    if (target->offset > limit)
        return outcome_fault_code(VECTOR_GP, 0);
    if (insn->id == INSN_CALL_FAR) {
        if (!push_return_address(cpu, insn, &stack, &outcome))
            return outcome;
        stack_commit(&stack);
    }
    jump_like_8086(&cpu->state, target);
    return outcome_of(OUTCOME_JUMPED);
}

/* CONFORMING-CODE-SEGMENT and NONCONFORMING-CODE-SEGMENT: the privilege level stays. */
static bool code_segment_allowed(const struct cpu *cpu, const struct descriptor *code,
                                 struct cpu_outcome *outcome)
{
    const unsigned cpl = cpu_cpl(&cpu->state);
    *outcome = outcome_fault_code(VECTOR_GP, code->selector & 0xfffcu);
    if (cpu_long_mode(&cpu->state) && descriptor_long(code) && descriptor_big(code))
        return false;
    if (descriptor_is_conforming(code)) {
        if (descriptor_dpl(code) > cpl)
            return false;
    } else if (selector_rpl(code->selector) > cpl || descriptor_dpl(code) != cpl) {
        return false;
    }
    outcome->event.vector = VECTOR_NP;
    return descriptor_present(code);
}

static struct cpu_outcome to_code_segment(struct cpu *cpu, const struct insn *insn, struct descriptor *code,
                                          uint64_t offset)
{
    struct cpu_outcome outcome;
    struct stack stack = {0};
    const unsigned cpl = cpu_cpl(&cpu->state);
    if (!code_segment_allowed(cpu, code, &outcome))
        return outcome;
    if (insn->id == INSN_CALL_FAR) {
        stack = stack_current(cpu, cpl, 0);
        if (!stack_has_room(&stack, 2, insn->operand_bits / 8u, &outcome))
            return outcome;
    }
    if (!code_offset_valid(cpu, code, offset, &outcome))
        return outcome;
    if (insn->id == INSN_CALL_FAR && !push_return_address(cpu, insn, &stack, &outcome))
        return outcome;
    if (!descriptor_set_accessed(cpu, code, &outcome))
        return outcome;
    if (insn->id == INSN_CALL_FAR)
        stack_commit(&stack);
    load_code_segment(cpu, code, cpl, offset);
    return outcome_of(OUTCOME_JUMPED);
}

/* A gate's or TSS's DPL must not be below CPL or RPL: #GP(selector). */
static bool system_privilege_ok(const struct cpu *cpu, const struct descriptor *d)
{
    return descriptor_dpl(d) >= cpu_cpl(&cpu->state) && descriptor_dpl(d) >= selector_rpl(d->selector);
}

static struct cpu_outcome through_task(struct cpu *cpu, const struct insn *insn, const struct descriptor *d)
{
    struct task_switch to = {.selector = d->selector,
                             .source = insn->id == INSN_CALL_FAR ? TASK_SWITCH_CALL : TASK_SWITCH_JMP,
                             .privilege_checked = true,
                             .instruction_length = insn->length,
                             .rip = cpu->state.rip + insn->length,
                             .rflags = cpu->state.rflags & ~RFLAGS_RF};
    if (descriptor_type(d) != DESCRIPTOR_TASK_GATE)
        return task_switch(cpu, &to);
    if (!system_privilege_ok(cpu, d))
        return outcome_fault_code(VECTOR_GP, d->selector & 0xfffcu);
    if (!descriptor_present(d))
        return outcome_fault_code(VECTOR_NP, d->selector & 0xfffcu);
    to.selector = (uint16_t)(d->low >> 16);
    to.privilege_checked = false;
    return task_switch(cpu, &to);
}

static struct cpu_outcome through_system_descriptor(struct cpu *cpu, const struct insn *insn,
                                                    const struct descriptor *d)
{
    const bool long_mode = cpu_long_mode(&cpu->state);
    switch (descriptor_type(d)) {
    case DESCRIPTOR_CALL_GATE16:
        if (long_mode)
            break;
        return through_call_gate(cpu, insn, d);
    case DESCRIPTOR_CALL_GATE32:
        return through_call_gate(cpu, insn, d);
    case DESCRIPTOR_TASK_GATE:
    case DESCRIPTOR_TSS16:
    case DESCRIPTOR_TSS32:
        if (long_mode)
            break; /* SDM "Task Management in 64-bit Mode": no hardware task switches */
        return through_task(cpu, insn, d);
    default:
        break;
    }
    return outcome_fault_code(VECTOR_GP, d->selector & 0xfffcu);
}

struct cpu_outcome far_call_or_jump(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_outcome outcome;
    struct far_target target;
    struct descriptor d;
    if (!read_target(cpu, insn, &target, &outcome))
        return outcome;
    if (loads_like_8086(&cpu->state)) {
        outcome = branch_like_8086(cpu, insn, &target);
    } else {
        if (selector_is_null(target.selector))
            return outcome_fault_code(VECTOR_GP, 0);
        if (!descriptor_read(cpu, target.selector, VECTOR_GP, 0, &d, &outcome))
            return outcome;
        if (descriptor_is_code(&d))
            outcome = to_code_segment(cpu, insn, &d, target.offset);
        else if (descriptor_is_system(&d))
            outcome = through_system_descriptor(cpu, insn, &d);
        else
            outcome = outcome_fault_code(VECTOR_GP, target.selector & 0xfffcu);
    }
    return outcome;
}
