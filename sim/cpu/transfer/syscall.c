/* syscall.c: SYSCALL, SYSRET, SYSENTER, SYSEXIT. SDM of these names, Operation: the segments are fixed, no
 * descriptor is read. */
#include "sim/cpu/transfer/transfer.h"

/* Present, accessed, 4 GBytes, in the VMCS form of access rights. */
#define FLAT_CODE (0xbu | AR_S | AR_P | AR_G)
#define FLAT_DATA (0x3u | AR_S | AR_P | AR_G | AR_DB)

static void load_flat(struct cpu_state *state, unsigned cs, unsigned ss, unsigned cpl, bool long_code)
{
    const uint32_t dpl = cpl << AR_DPL_SHIFT;
    state->seg[SEG_CS] = (struct cpu_segment){.limit = 0xffffffff,
                                              .access_rights = FLAT_CODE | dpl | (long_code ? AR_L : AR_DB),
                                              .selector = (uint16_t)cs};
    state->seg[SEG_SS] =
        (struct cpu_segment){.limit = 0xffffffff, .access_rights = FLAT_DATA | dpl, .selector = (uint16_t)ss};
}

static bool syscall_enabled(const struct cpu_state *state)
{
    return (state->msr.efer & EFER_SCE) && cpu_64bit_mode(state);
}

struct cpu_outcome system_call(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    const unsigned cs = (unsigned)(state->msr.star >> 32) & 0xfffc;
    if (!syscall_enabled(state)) /* in compatibility mode too: SDM "SYSCALL" */
        return outcome_fault(VECTOR_UD);
    state->gpr[GPR_RCX] = state->rip + insn->length;
    state->gpr[GPR_R11] = state->rflags;
    state->rip = state->msr.lstar;
    state->rflags = (state->rflags & ~state->msr.fmask) | RFLAGS_FIXED1;
    load_flat(state, cs, cs + 8, 0, true);
    return outcome_of(OUTCOME_JUMPED);
}

struct cpu_outcome system_return(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    const bool to_64bit = insn->operand_bits == 64;
    const unsigned base = (unsigned)(state->msr.star >> 48);
    if (!syscall_enabled(state))
        return outcome_fault(VECTOR_UD);
    if (cpu_cpl(state) != 0)
        return outcome_fault_code(VECTOR_GP, 0);
    /* Raised here, at CPL 0: SDM "SYSRET". */
    if (to_64bit && !cpu_canonical(state->gpr[GPR_RCX], cpu_linear_bits(state)))
        return outcome_fault_code(VECTOR_GP, 0);
    state->rip = cut_to(state->gpr[GPR_RCX], to_64bit ? 64 : 32);
    state->rflags = (state->gpr[GPR_R11] & 0x3c7fd7) | RFLAGS_FIXED1; /* RF, VM and reserved bits cleared */
    load_flat(state, (base + (to_64bit ? 16 : 0)) | 3, (base + 8) | 3, 3, to_64bit);
    return outcome_of(OUTCOME_JUMPED);
}

struct cpu_outcome system_enter(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    (void)insn; /* no return address is kept: software's duty */
    const bool long_mode = cpu_long_mode(state);
    const unsigned cs = (unsigned)state->msr.sysenter_cs & 0xfffc;
    if (cpu_real_mode(state) || !cs)
        return outcome_fault_code(VECTOR_GP, 0);
    state->rflags &= ~(RFLAGS_VM | RFLAGS_IF);
    state->gpr[GPR_RSP] = cut_to(state->msr.sysenter_esp, long_mode ? 64 : 32);
    state->rip = cut_to(state->msr.sysenter_eip, long_mode ? 64 : 32);
    load_flat(state, cs, cs + 8, 0, long_mode);
    return outcome_of(OUTCOME_JUMPED);
}

struct cpu_outcome system_exit(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    const bool to_64bit = insn->operand_bits == 64;
    const unsigned base = (unsigned)state->msr.sysenter_cs & 0xfffc;
    if (cpu_real_mode(state) || !base || cpu_cpl(state) != 0)
        return outcome_fault_code(VECTOR_GP, 0);
    if (to_64bit && (!cpu_canonical(state->gpr[GPR_RCX], cpu_linear_bits(state)) ||
                     !cpu_canonical(state->gpr[GPR_RDX], cpu_linear_bits(state))))
        return outcome_fault_code(VECTOR_GP, 0);
    state->gpr[GPR_RSP] = cut_to(state->gpr[GPR_RCX], to_64bit ? 64 : 32);
    state->rip = cut_to(state->gpr[GPR_RDX], to_64bit ? 64 : 32);
    const unsigned cs = base + (to_64bit ? 32 : 16);
    load_flat(state, cs | 3, (cs + 8) | 3, 3, to_64bit);
    return outcome_of(OUTCOME_JUMPED);
}
