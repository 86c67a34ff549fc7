/* ret_far.c: far RET. SDM "RET", Operation. */
#include "sim/cpu/transfer/transfer.h"

static struct cpu_outcome return_like_8086(struct cpu *cpu, struct stack *stack, uint64_t release,
                                           const struct far_target *target)
{
    const uint32_t limit = cpu_v86_mode(&cpu->state) ? 0xffff : cpu->state.seg[SEG_CS].limit;
    if (target->offset > limit)
        return outcome_fault_code(VECTOR_GP, 0);
    stack_release(stack, release);
    stack_commit(stack);
    jump_like_8086(&cpu->state, target);
    return outcome_of(OUTCOME_JUMPED);
}

/* RETURN-TO-OUTER-PRIVILEGE-LEVEL: above the parameters lies the caller's stack pointer. */
static struct cpu_outcome return_outer(struct cpu *cpu, const struct insn *insn, struct stack *stack,
                                       struct descriptor *code, uint64_t offset)
{
    struct cpu_state *state = &cpu->state;
    struct cpu_outcome outcome;
    struct cpu_segment ss;
    const unsigned size = insn->operand_bits / 8u;
    const unsigned cpl = selector_rpl(code->selector);
    const bool long_target = cpu_long_mode(state) && descriptor_long(code);
    uint64_t sp, selector;
    stack_release(stack, insn->immediate);
    if (!stack_pop(stack, &sp, size, &outcome) || !stack_pop(stack, &selector, size, &outcome))
        return outcome;
    if (!read_return_stack_segment(cpu, (uint16_t)selector, cpl, long_target, &ss, &outcome) ||
        !code_offset_valid(cpu, code, offset, &outcome) || !descriptor_set_accessed(cpu, code, &outcome))
        return outcome;
    load_code_segment(cpu, code, cpl, offset);
    state->seg[SEG_SS] = ss;
    struct stack outer = *stack;
    outer.ss = ss;
    outer.flat = long_target;
    outer.sp = sp;
    stack_release(&outer, insn->immediate);
    stack_commit(&outer);
    null_inaccessible_segments(state, cpl);
    return outcome_of(OUTCOME_JUMPED);
}

static struct cpu_outcome return_same(struct cpu *cpu, const struct insn *insn, struct stack *stack,
                                      struct descriptor *code, uint64_t offset)
{
    struct cpu_outcome outcome;
    if (!code_offset_valid(cpu, code, offset, &outcome) || !descriptor_set_accessed(cpu, code, &outcome))
        return outcome;
    stack_release(stack, insn->immediate);
    stack_commit(stack);
    load_code_segment(cpu, code, cpu_cpl(&cpu->state), offset);
    return outcome_of(OUTCOME_JUMPED);
}

struct cpu_outcome far_return(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_outcome outcome;
    struct descriptor code;
    const unsigned size = insn->operand_bits / 8u;
    struct stack stack = stack_current(cpu, cpu_cpl(&cpu->state), 0);
    uint64_t offset, selector;
    if (!stack_pop(&stack, &offset, size, &outcome) || !stack_pop(&stack, &selector, size, &outcome))
        return outcome;
    const struct far_target target = {(uint16_t)selector, offset};
    if (loads_like_8086(&cpu->state))
        return return_like_8086(cpu, &stack, insn->immediate, &target);
    if (!read_return_code_segment(cpu, target.selector, &code, &outcome))
        return outcome;
    if (selector_rpl(target.selector) > cpu_cpl(&cpu->state))
        return return_outer(cpu, insn, &stack, &code, offset);
    return return_same(cpu, insn, &stack, &code, offset);
}
