/*
 * software_interrupts.c: INT n, INT3, INTO, INT1: they become events, whose delivery is delivery/'s.
 *
 * Source: SDM volume 2, "INT n/INTO/INT3/INT1 - Call to Interrupt Procedure".
 */
#include "sim/cpu/delivery/delivery.h"
#include "sim/cpu/execute/execute.h"

static struct cpu_outcome software_event(const struct insn *insn, uint8_t vector, enum cpu_event_type type)
{
    return (struct cpu_outcome){
        .kind = OUTCOME_EVENT,
        .event = {.vector = vector, .type = (uint8_t)type, .instruction_length = insn->length},
    };
}

/* In virtual-8086 mode INT n may be refused; the rule is delivery's. */
struct cpu_outcome execute_int_n(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_outcome interrupt =
        software_event(insn, (uint8_t)insn->immediate, EVENT_SOFTWARE_INTERRUPT);
    struct cpu_outcome instead;

    return software_interrupt_refused(cpu, &interrupt.event, &instead) ? instead : interrupt;
}

struct cpu_outcome execute_int3(struct cpu *cpu, const struct insn *insn)
{
    (void)cpu;
    return software_event(insn, VECTOR_BP, EVENT_SOFTWARE_EXCEPTION);
}

bool check_into(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)cpu;
    *outcome = undefined_opcode();
    return insn->mode_bits != 64;
}

struct cpu_outcome execute_into(struct cpu *cpu, const struct insn *insn)
{
    return cpu->state.rflags & RFLAGS_OF ? software_event(insn, VECTOR_OF, EVENT_SOFTWARE_EXCEPTION) : done();
}

struct cpu_outcome execute_int1(struct cpu *cpu, const struct insn *insn)
{
    (void)cpu;
    return software_event(insn, VECTOR_DB, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION);
}
