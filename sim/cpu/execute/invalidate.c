/* invalidate.c: INVD, WBINVD, INVLPG, INVPCID. Source: SDM volume 2, the pages of that name. */
#include "sim/cpu/execute/execute.h"
#include "vmx_model/effective_controls.h"

enum invpcid_type { INVPCID_ADDRESS, INVPCID_SINGLE, INVPCID_ALL, INVPCID_ALL_NONGLOBAL, INVPCID_TYPES };

/* Caches hold nothing that memory does not: there is nothing to write back or lose. */
struct cpu_outcome execute_cache(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    mmu_empty_caches(&cpu->mmu);
    return done();
}

/* The operand's segment base counts, its limit does not. A non-canonical address makes it do nothing; by the
 * processor's width, as mappings of another paging mode may be there still. */
struct cpu_outcome execute_invlpg(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_state *state = &cpu->state;
    uint64_t linear = seg_effective_address(state, insn);

    if (insn->mode_bits != 64)
        linear = (uint32_t)(linear + state->seg[insn->segment].base);
    else if (insn->segment == SEG_FS || insn->segment == SEG_GS)
        linear += state->seg[insn->segment].base;
    if (cpu_canonical(linear, cpu->profile->linear_address_bits))
        mmu_invlpg(&cpu->mmu, linear);
    return done();
}

/* SDM volume 3C, "Changes to Instruction Behavior in VMX Non-Root Operation": #UD with "enable INVPCID" 0. */
bool check_invpcid(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = undefined_opcode();
    return !cpu->vmx.non_root || vmcs_secondary_controls(&cpu->vmx.vmcs) & SECONDARY_ENABLE_INVPCID;
}

static bool invpcid_descriptor_valid(const struct cpu *cpu, uint64_t type, const uint64_t descriptor[2])
{
    bool pcids = (cpu->state.cr4 & CR4_PCIDE) != 0;

    if (type >= INVPCID_TYPES || descriptor[0] >> 12)
        return false;
    if (type <= INVPCID_SINGLE && !pcids && descriptor[0])
        return false;
    return type != INVPCID_ADDRESS || cpu_canonical(descriptor[1], cpu->profile->linear_address_bits);
}

struct cpu_outcome execute_invpcid(struct cpu *cpu, const struct insn *insn)
{
    uint64_t type = operand_gpr(cpu, insn->reg, insn->operand_bits);
    uint64_t descriptor[2];
    struct cpu_outcome outcome;

    if (!mmu_read_operand(&cpu->mmu, &cpu->state, insn, descriptor, sizeof(descriptor), &outcome))
        return outcome;
    if (!invpcid_descriptor_valid(cpu, type, descriptor))
        return general_protection();
    switch ((enum invpcid_type)type) {
    case INVPCID_ADDRESS:
        mmu_flush_pcid_address(&cpu->mmu, (uint16_t)descriptor[0], descriptor[1]);
        break;
    case INVPCID_SINGLE:
        mmu_flush_pcid(&cpu->mmu, (int)descriptor[0], true, FLUSH_INVPCID_SINGLE);
        break;
    case INVPCID_ALL:
        mmu_flush_pcid(&cpu->mmu, -1, false, FLUSH_INVPCID_ALL);
        break;
    case INVPCID_ALL_NONGLOBAL:
        mmu_flush_pcid(&cpu->mmu, -1, true, FLUSH_INVPCID_ALL_NONGLOBAL);
        break;
    case INVPCID_TYPES:
        break;
    }
    return done();
}
