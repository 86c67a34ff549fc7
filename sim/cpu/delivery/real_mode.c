/* real_mode.c: delivery through the interrupt-vector table. SDM volume 3A "Interrupt and Exception Handling"
 * of real-address mode; SDM "INT n", REAL-ADDRESS-MODE. Error codes are never pushed. */
#include "sim/cpu/delivery/delivery.h"

struct cpu_outcome deliver_real_mode(const struct delivery *delivery)
{
    struct cpu *cpu = delivery->cpu;
    struct cpu_state *state = &cpu->state;
    struct cpu_outcome outcome;
    const uint32_t entry = delivery->event->vector * 4u;
    uint32_t far_pointer = 0; /* CS:IP */
    if (entry + 3 > state->idtr.limit)
        return outcome_fault(VECTOR_GP);
    if (!system_read(cpu, (state->idtr.base + entry) & 0xffffffff, &far_pointer, 4, &outcome))
        return outcome;
    struct stack stack = stack_current(cpu, 0, 0);
    const uint64_t frame[] = {delivery->rflags, state->seg[SEG_CS].selector, delivery->rip};
    if (!stack_push_all(&stack, frame, 3, 2, &outcome)) {
        outcome.event.has_error_code = false;
        return outcome;
    }
    if ((far_pointer & 0xffff) > state->seg[SEG_CS].limit)
        return outcome_fault(VECTOR_GP);
    stack_commit(&stack);
    state->seg[SEG_CS].selector = (uint16_t)(far_pointer >> 16);
    state->seg[SEG_CS].base = far_pointer >> 16 << 4;
    state->rip = far_pointer & 0xffff;
    state->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
    return outcome_of(OUTCOME_JUMPED);
}
