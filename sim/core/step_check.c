/*
 * step_check.c: what the library leaves unchecked about one instruction: segments, alignment, breakpoints.
 *
 * Sources: SDM volume 3A, "Segment Limit Checking", "Type Checking", "Interrupt 17--Alignment Check Exception
 * (#AC)"; volume 3B, "Debug Registers", "Breakpoint Condition".
 */
#include "sim/core/step.h"
#include "vtsim/breakpoints.h"

enum { BREAKPOINTS = 4, ON_EXECUTION = 0 };

/* L or G enables; the field of R/W for one register. */
static bool enabled(const struct cpu_state *s, unsigned n, unsigned *kind)
{
    *kind = s->dr7 >> (16 + 4 * n) & 3;
    return s->dr7 >> (2 * n) & 3;
}

uint64_t step_code_breakpoints(const struct cpu_state *s)
{
    uint64_t hits = 0, linear = s->rip + s->seg[SEG_CS].base;
    unsigned kind;
    if (s->rflags & RFLAGS_RF || !(s->dr7 & 0xff))
        return 0;
    /* SDM volume 3B, "Instruction-Breakpoint Exception Condition": behind MOV SS and POP SS suppressed as by
     * RF */
    if (s->interruptibility_state & BLOCKING_BY_MOV_SS)
        return 0;
    if (!cpu_64bit_mode(s))
        linear = (uint32_t)linear;
    for (unsigned n = 0; n < BREAKPOINTS; n++)
        if (enabled(s, n, &kind) && kind == ON_EXECUTION && s->dr[n] == linear)
            hits |= 1ull << n;
    return hits;
}

static bool refuse(struct step_verdict *verdict, const struct cpu_outcome *outcome)
{
    verdict->refused = true;
    verdict->event = outcome->event;
    return false;
}

/* False: the verdict is a fault. */
static bool check_access(const struct cpu_state *s, const struct step_access *a, struct step_verdict *verdict)
{
    struct cpu_outcome outcome;
    uint64_t linear;
    enum mmu_access kind = a->write ? MMU_WRITE : MMU_READ;
    /* SDM volume 3A, "Limit Checking": under a limit of 4 GiB an operand that wraps around there may fault or
     * not; it does not in translated code. */
    const bool wraps =
        !cpu_64bit_mode(s) && s->seg[a->segment].limit == UINT32_MAX && a->offset + a->size > 1ull << 32;
    if (!seg_linear_address(s, a->segment, a->offset, wraps ? 1 : a->size, kind, &linear, &outcome))
        return refuse(verdict, &outcome);
    if (a->aligned && linear % 16) {
        outcome = outcome_fault_code(
            VECTOR_GP, 0); /* SDM volume 3A, "Interrupt 13--General Protection Exception (#GP)" */
        return refuse(verdict, &outcome);
    }
    if (cpu_misaligned(s, linear, a->alignment)) {
        outcome = outcome_fault_code(VECTOR_AC, 0);
        return refuse(verdict, &outcome);
    }
    verdict->watch_hits |= breakpoints_hit(
        s, linear, a->size, BREAKPOINT_ON_ACCESS | (a->write ? (unsigned)BREAKPOINT_ON_WRITE : 0));
    verdict->piece[verdict->pieces++] =
        (struct step_piece){.linear = linear, .size = a->size, .kind = kind, .reads = a->read};
    return true;
}

struct step_verdict step_check(const struct cpu_state *s, const cs_insn *insn)
{
    struct step_verdict verdict = {0};
    struct cpu_outcome outcome = outcome_fault(VECTOR_DB);
    struct step_access accesses[STEP_ACCESSES];
    uint64_t linear;
    outcome.event.debug_conditions = step_code_breakpoints(s);
    if (outcome.event.debug_conditions) {
        refuse(&verdict, &outcome);
        return verdict;
    }
    if (!seg_linear_address(s, SEG_CS, s->rip, insn->size, MMU_FETCH, &linear, &outcome)) {
        refuse(&verdict, &outcome);
        return verdict;
    }
    unsigned count = step_accesses(s, insn, accesses);
    for (unsigned i = 0; i < count; i++)
        if (!check_access(s, &accesses[i], &verdict))
            break;
    return verdict;
}
