/* halt.c: HLT, PAUSE, MONITOR, MWAIT. Source: SDM volume 2, the pages of that name. */
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/msr.h"

struct cpu_outcome execute_hlt(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    cpu->state.activity_state = ACTIVITY_HLT;
    return done();
}

struct cpu_outcome execute_pause(struct cpu *cpu, const struct insn *insn)
{
    (void)cpu;
    (void)insn;
    return done();
}

/* MONITOR and MWAIT: #UD above CPL 0 and with IA32_MISC_ENABLE's "ENABLE MONITOR FSM" 0. */
bool check_monitor(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = undefined_opcode();
    return cpu->state.msr.misc_enable & MISC_ENABLE_MONITOR && cpu_cpl(&cpu->state) == 0;
}

/* ECX holds extensions, of which there are none. The address is checked as a load of a byte. */
struct cpu_outcome execute_monitor(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_state *state = &cpu->state;
    const struct mmu_mode mode = {.smap_ignored = (state->rflags & RFLAGS_AC) != 0};
    struct mmu_translation translation;
    struct mmu_fault fault;
    struct cpu_outcome outcome;
    uint64_t linear;

    if (state->gpr[GPR_RCX] & (insn->mode_bits == 64 ? UINT64_MAX : UINT32_MAX))
        return general_protection();
    if (!seg_linear_address(state, (enum cpu_segment_index)insn->segment,
                            operand_gpr(cpu, GPR_RAX, insn->address_bits), 1, MMU_READ, &linear, &outcome))
        return outcome;
    enum mmu_status status = mmu_translate(&cpu->mmu, linear, MMU_READ, mode, &translation, &fault);
    return status == MMU_OK ? done() : mmu_fault_outcome(status, &fault);
}

/* The wait may end at any time ("implementation-dependent events"): here it ends at once, which needs no
 * watch on the monitored line and cannot lose a store by another processor. */
struct cpu_outcome execute_mwait(struct cpu *cpu, const struct insn *insn)
{
    return (uint32_t)cpu->state.gpr[GPR_RCX] ? general_protection() : execute_pause(cpu, insn);
}
