/*
 * mov_dr.c: MOV to and from debug registers.
 *
 * Source: SDM volume 2, "MOV - Move to/from Debug Registers"; volume 3B, "Debug Registers"; volume 3C,
 * "Instructions That Cause VM Exits Conditionally": the VM exit of MOV DR goes before the privilege check and
 * the #UD of CR4.DE, so that those are in the effect.
 */
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/features.h"

#define DR6_BD (1ull << 13)
#define DR6_WRITABLE 0xe00full /* B0-B3, BD, BS, BT */
#define DR6_FIXED1 0xffff0ff0ull
#define DR7_GD (1ull << 13)
#define DR7_WRITABLE 0xffff23ffull /* L, G, LE, GE, GD, R/W and LEN; bit 11 (RTM) is reserved without RTM */
#define DR7_FIXED1 0x400ull

/* REX.R names DR8 to DR15, which do not exist. */
bool check_mov_dr(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)cpu;
    *outcome = undefined_opcode();
    return insn->reg < 8;
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; DR7.GD raises a #DB fault with DR6.BD before any access.
 */
static bool debug_register_accessible(const struct cpu *cpu, const struct insn *insn,
                                      struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;

    if ((insn->reg == 4 || insn->reg == 5) && state->cr4 & CR4_DE) {
        *outcome = undefined_opcode();
        return false;
    }
    if (cpu_cpl(state) != 0) {
        *outcome = general_protection();
        return false;
    }
    if (state->dr7 & DR7_GD) {
        *outcome = outcome_fault(VECTOR_DB);
        outcome->event.debug_conditions = DR6_BD;
        return false;
    }
    return true;
}

static unsigned debug_register_number(const struct insn *insn)
{
    return insn->reg == 4 || insn->reg == 5 ? insn->reg + 2u : insn->reg;
}

/* SDM volume 3B, "Debug Status Register (DR6)": BLD is always 1 without OS bus-lock detection. */
static void write_dr6(struct cpu *cpu, uint64_t value)
{
    const uint64_t bus_lock = cpu_has_feature(cpu->profile, FEATURE_BUS_LOCK_DETECT) ? DR6_BUS_LOCK : 0;
    cpu->state.dr6 = (value & (DR6_WRITABLE | bus_lock)) | (DR6_FIXED1 & ~bus_lock);
}

struct cpu_outcome execute_mov_to_dr(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    unsigned number = debug_register_number(insn);
    uint64_t value = operand_gpr(cpu, insn->rm, insn->operand_bits);
    struct cpu_outcome outcome;

    if (!debug_register_accessible(cpu, insn, &outcome))
        return outcome;
    /* Bits 63:32 of DR6 and DR7 are reserved: #GP(0). */
    if (number >= 6 && value >> 32)
        return general_protection();
    if (number == 6)
        write_dr6(cpu, value);
    else if (number == 7)
        state->dr7 = (value & DR7_WRITABLE) | DR7_FIXED1;
    else
        state->dr[number] = value;
    return done();
}

struct cpu_outcome execute_mov_from_dr(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_state *state = &cpu->state;
    unsigned number = debug_register_number(insn);
    struct cpu_outcome outcome;

    if (!debug_register_accessible(cpu, insn, &outcome))
        return outcome;
    uint64_t value = number == 6 ? state->dr6 : number == 7 ? state->dr7 : state->dr[number];
    operand_set_gpr(cpu, insn->rm, insn->operand_bits, value);
    return done();
}
