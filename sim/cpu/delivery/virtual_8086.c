/*
 * virtual_8086.c: INT n in virtual-8086 mode with CR4.VME: the redirection bit map, and delivery through the
 * interrupt-vector table of the 8086 program.
 *
 * Source: SDM volume 3, "Class 3--Software Interrupt Handling in Virtual-8086 Mode" (methods 5 and 6), figure
 * "Software Interrupt Redirection Bit Map in TSS".
 */
#include "sim/cpu/delivery/delivery.h"
#include "sim/cpu/virtual_interrupts.h"

enum { TSS_IO_MAP_BASE = 102, MAP_BYTES = 32 };

/* Bytes of the TSS within its limit; a TSS without a map has nothing to redirect by: #GP(0). */
static bool read_task_state(struct cpu *cpu, uint32_t offset, void *to, uint32_t size,
                            struct cpu_outcome *outcome)
{
    const struct cpu_segment *tr = &cpu->state.seg[SEG_TR];
    *outcome = outcome_fault_code(VECTOR_GP, 0);
    return (uint64_t)offset + size - 1 <= tr->limit && system_read(cpu, tr->base + offset, to, size, outcome);
}

bool read_redirection_bit(struct cpu *cpu, uint8_t vector, bool *protected_mode, struct cpu_outcome *outcome)
{
    uint16_t map_base = 0;
    uint8_t bits = 0;
    if (!read_task_state(cpu, TSS_IO_MAP_BASE, &map_base, sizeof map_base, outcome))
        return false;
    /* The map ends where the I/O permission bit map begins. */
    if (!read_task_state(cpu, (uint32_t)map_base - MAP_BYTES + vector / 8, &bits, sizeof bits, outcome))
        return false;
    *protected_mode = bits >> vector % 8 & 1;
    return true;
}

struct cpu_outcome deliver_redirected(const struct delivery *delivery)
{
    struct cpu *cpu = delivery->cpu;
    struct cpu_state *state = &cpu->state;
    const bool virtual_flags = v86_flags_protected(state);
    const uint64_t flags = virtual_flags ? virtual_flags_image(delivery->rflags) : delivery->rflags;
    const uint64_t frame[] = {flags, state->seg[SEG_CS].selector, delivery->rip};
    struct stack stack = stack_current(cpu, cpu_cpl(state), 0);
    struct cpu_outcome outcome;
    uint32_t far_pointer = 0; /* CS:IP, out of the table at linear address 0 */
    if (!system_read(cpu, delivery->event->vector * 4ull, &far_pointer, sizeof far_pointer, &outcome) ||
        !stack_push_all(&stack, frame, 3, 2, &outcome))
        return outcome;
    stack_commit(&stack);
    segment_load_v86(&state->seg[SEG_CS], (uint16_t)(far_pointer >> 16));
    state->rip = far_pointer & 0xffff;
    state->rflags &= ~(RFLAGS_TF | RFLAGS_RF | (virtual_flags ? RFLAGS_VIF : RFLAGS_IF));
    return outcome_of(OUTCOME_JUMPED);
}
