/* halt.c: HLT, PAUSE, MONITOR, MWAIT, UMONITOR, UMWAIT, TPAUSE, CLFLUSH, CLFLUSHOPT, CLWB. Source: SDM volume
 * 2, the pages of that name. */
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/msr.h"
#include "vmx_model/effective_controls.h"

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

/* The address (the low bits of a register) as a load of a byte sees it. */
static struct cpu_outcome touch(struct cpu *cpu, const struct insn *insn, uint64_t offset)
{
    struct cpu_state *state = &cpu->state;
    const bool user = cpu_cpl(state) == 3;
    const struct mmu_mode mode = {.user = user, .smap_ignored = !user && state->rflags & RFLAGS_AC};
    struct mmu_translation translation;
    struct mmu_fault fault;
    struct cpu_outcome outcome;
    uint64_t linear;

    if (!seg_linear_address(state, (enum cpu_segment_index)insn->segment, offset, 1, MMU_READ, &linear,
                            &outcome))
        return outcome;
    enum mmu_status status = mmu_translate(&cpu->mmu, linear, MMU_READ, mode, &translation, &fault);
    bool virtualized;
    if (status == MMU_OK)
        status = mmu_check_apic_access(&cpu->mmu, linear, 1, MMU_READ, &translation.physical, &virtualized,
                                       &fault);
    return status == MMU_OK ? done() : mmu_fault_outcome(status, &fault);
}

static struct cpu_outcome arm(struct cpu *cpu, const struct insn *insn, unsigned gpr)
{
    struct cpu_outcome outcome = touch(cpu, insn, operand_gpr(cpu, gpr, insn->address_bits));
    if (outcome.kind == OUTCOME_VM_EXIT)
        vmx_note_monitoring(&outcome.exit);
    cpu->vmx.monitoring |= outcome.kind == OUTCOME_DONE;
    return outcome;
}

/* ECX holds extensions, of which there are none. The address is checked as a load of a byte. */
struct cpu_outcome execute_monitor(struct cpu *cpu, const struct insn *insn)
{
    if (cpu->state.gpr[GPR_RCX] & (insn->mode_bits == 64 ? UINT64_MAX : UINT32_MAX))
        return general_protection();
    return arm(cpu, insn, GPR_RAX);
}

/* CLFLUSH, CLFLUSHOPT and CLWB: checked as a load of a byte. No cache is modelled: memory holds everything.
 */
struct cpu_outcome execute_cache_line(struct cpu *cpu, const struct insn *insn)
{
    return touch(cpu, insn, seg_effective_address(&cpu->state, insn));
}

/* The wait may end at any time ("implementation-dependent events"): here it ends at once, which needs no
 * watch on the monitored line and cannot lose a store by another processor. */
struct cpu_outcome execute_mwait(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    if ((uint32_t)cpu->state.gpr[GPR_RCX])
        return general_protection();
    cpu->vmx.monitoring = false;
    return done();
}

/* UMONITOR, UMWAIT, TPAUSE. SDM volume 3C, "Changes to Instruction Behavior in VMX Non-Root Operation": #UD
 * with "enable user wait and pause" 0. With CR4.TSD the two that wait want CPL 0. */
bool check_user_wait(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    *outcome = undefined_opcode();
    if (cpu->vmx.non_root &&
        !(vmcs_secondary_controls(&cpu->vmx.vmcs) & SECONDARY_ENABLE_USER_WAIT_AND_PAUSE))
        return false;
    *outcome = general_protection();
    return insn->id == INSN_UMONITOR || !(cpu->state.cr4 & CR4_TSD) || cpu_cpl(&cpu->state) == 0;
}

struct cpu_outcome execute_umonitor(struct cpu *cpu, const struct insn *insn)
{
    return arm(cpu, insn, insn->rm);
}

/* UMWAIT and TPAUSE may end for reasons of the implementation's own, as MWAIT may: they end at once. CF would
 * say that the limit of IA32_UMWAIT_CONTROL ended the wait. */
struct cpu_outcome execute_user_wait(struct cpu *cpu, const struct insn *insn)
{
    if (operand_gpr(cpu, insn->rm, 32) & ~1ull)
        return general_protection();
    cpu->vmx.monitoring = cpu->vmx.monitoring && insn->id == INSN_TPAUSE;
    cpu->state.rflags &= ~RFLAGS_ARITHMETIC;
    return done();
}
