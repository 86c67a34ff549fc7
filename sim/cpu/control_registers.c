/*
 * control_registers.c: loading CR0, CR3 and CR4: checks, invalidation, the PDPTE registers.
 *
 * Source: SDM volume 2, "MOV - Move to/from Control Registers"; volume 3A, "Control Registers", "Paging" and
 * "Operations that Invalidate TLBs and Paging-Structure Caches"; volume 3C, "Restrictions on VMX Operation".
 */
#include "sim/cpu/cpu.h"
#include "sim/cpu/descriptors.h"
#include "sim/cpu/features.h"
#include "vmx_model/cet.h"

#define CR0_DEFINED                                                                                          \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
/* What translation depends on; a change of other bits leaves the outer cache alone. */
#define CR0_REGIME (CR0_PE | CR0_WP | CR0_CD | CR0_NW | CR0_PG)
#define CR4_REGIME                                                                                           \
    (CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PKS |          \
     CR4_LAM_SUP)
#define CR3_NO_FLUSH (1ull << 63)
#define CR3_PCID 0xfffull

static struct cpu_outcome general_protection(void)
{
    return outcome_fault_code(VECTOR_GP, 0);
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA);
}

/* SDM volume 3A, "PDPTE Registers": loads all four, or none and gives #GP(0) for a reserved bit; through EPT
 * in a guest. */
static bool load_pdptes(struct cpu *cpu, uint64_t cr3, struct cpu_outcome *outcome)
{
    uint64_t pdpte[4];
    struct mmu_fault fault;
    bool invalid = false;
    enum mmu_status status = mmu_load_pdptes(&cpu->mmu, cr3, pdpte, &invalid, &fault);

    if (status != MMU_OK) {
        *outcome = mmu_fault_outcome(status, &fault);
        return false;
    }
    if (invalid) {
        *outcome = general_protection();
        return false;
    }
    for (int i = 0; i < 4; i++)
        cpu->state.pdpte[i] = pdpte[i];
    return true;
}

/* PG from 0 to 1 with EFER.LME: SDM volume 3A, "Initializing IA-32e Mode"; volume 2, "MOV CR", #GP
 * conditions. */
static bool may_activate_long_mode(const struct cpu_state *state)
{
    uint32_t task_state_type = state->seg[SEG_TR].access_rights & AR_TYPE;

    return state->cr4 & CR4_PAE && !(state->seg[SEG_CS].access_rights & AR_L) &&
           task_state_type != DESCRIPTOR_TSS16 && task_state_type != DESCRIPTOR_TSS16_BUSY;
}

static bool cr0_allowed(const struct cpu *cpu, uint64_t value)
{
    const struct cpu_state *state = &cpu->state;
    bool paging = (value & CR0_PG) != 0;

    if (value >> 32 || (paging && !(value & CR0_PE)) || (value & CR0_NW && !(value & CR0_CD)))
        return false;
    if (state->cr4 & CR4_CET && !(value & CR0_WP)) /* SDM volume 3A, "Control Registers", CET */
        return false;
    if (state->cr0 & CR0_PG && !paging && (state->cr4 & CR4_PCIDE || cpu_64bit_mode(state)))
        return false;
    if (!(state->cr0 & CR0_PG) && paging && state->msr.efer & EFER_LME && !may_activate_long_mode(state))
        return false;
    return !cpu->vmx.on || vmx_cr_allowed(&cpu->vmx, 0, value);
}

struct cpu_outcome cpu_write_cr0(struct cpu *cpu, uint64_t value)
{
    struct cpu_state *state = &cpu->state;
    uint64_t efer = state->msr.efer & ~EFER_LMA;
    struct cpu_outcome outcome;

    /* Reserved bits of the low half are not writable: SDM volume 3A, "Control Registers". ET is 1. */
    if (value >> 32 == 0)
        value = (value & CR0_DEFINED) | CR0_ET;
    if (!cr0_allowed(cpu, value))
        return general_protection();
    uint64_t changed = value ^ state->cr0;
    /* SDM volume 3A, "Initializing IA-32e Mode": LMA follows LME and PG. */
    if (value & CR0_PG && (changed & CR0_PG ? efer & EFER_LME : state->msr.efer & EFER_LMA))
        efer |= EFER_LMA;
    if (changed & (CR0_CD | CR0_NW | CR0_PG) && pae_paging(value, state->cr4, efer) &&
        !load_pdptes(cpu, state->cr3, &outcome))
        return outcome;
    state->cr0 = value;
    state->msr.efer = efer;
    /* Demanded for PG from 1 to 0; from 0 to 1 it drops what was cached without paging. */
    if (changed & CR0_PG)
        mmu_flush_pcid(&cpu->mmu, -1, false, FLUSH_MOV_CR0);
    if (changed & CR0_REGIME)
        vmx_update_regime(&cpu->vmx);
    return outcome_of(OUTCOME_DONE);
}

struct cpu_outcome cpu_write_cr3(struct cpu *cpu, uint64_t value)
{
    struct cpu_state *state = &cpu->state;
    bool pcids = (state->cr4 & CR4_PCIDE) != 0;
    bool flush = true;
    struct cpu_outcome outcome;

    /* SDM volume 2, "MOV CR": with CR4.PCIDE bit 63 says not to invalidate, and is not stored. */
    if (pcids) {
        flush = !(value & CR3_NO_FLUSH);
        value &= ~CR3_NO_FLUSH;
    }
    if (cpu_long_mode(state) && value & cpu_cr3_reserved(cpu->profile))
        return general_protection();
    if (pae_paging(state->cr0, state->cr4, state->msr.efer) && !load_pdptes(cpu, value, &outcome))
        return outcome;
    state->cr3 = value;
    if (flush)
        mmu_flush_pcid(&cpu->mmu, pcids ? (int)(value & CR3_PCID) : 0, true, FLUSH_MOV_CR3);
    vmx_update_regime(&cpu->vmx);
    return outcome_of(OUTCOME_DONE);
}

static bool cr4_allowed(const struct cpu *cpu, uint64_t value)
{
    const struct cpu_state *state = &cpu->state;
    uint64_t set = value & ~state->cr4;
    uint64_t cleared = state->cr4 & ~value;

    if (value & ~cpu_cr4_allowed(cpu->profile))
        return false;
    if (cpu_long_mode(state) && (cleared & CR4_PAE || (set | cleared) & CR4_LA57))
        return false;
    if (set & CR4_CET && !(state->cr0 & CR0_WP))
        return false;
    if (set & CR4_PCIDE && (!cpu_long_mode(state) || state->cr3 & CR3_PCID))
        return false;
    return !cpu->vmx.on || vmx_cr_allowed(&cpu->vmx, 4, value);
}

static void cr4_invalidate(struct cpu *cpu, uint64_t old, uint64_t value)
{
    uint64_t changed = value ^ old;

    /* SDM: PGE changed, or PCIDE from 1 to 0: everything. PAE changed needs the current PCID only, which is
     * all that there is where PAE may change; a change of PSE may drop all. */
    if (changed & (CR4_PGE | CR4_PAE | CR4_PSE) || (old & ~value & CR4_PCIDE))
        mmu_flush_pcid(&cpu->mmu, -1, false, FLUSH_MOV_CR4);
    else if (value & ~old & CR4_SMEP)
        mmu_flush_pcid(&cpu->mmu, old & CR4_PCIDE ? (int)(cpu->state.cr3 & CR3_PCID) : 0, false,
                       FLUSH_MOV_CR4);
}

struct cpu_outcome cpu_done_unless_cet(const struct cpu *cpu)
{
    const struct cpu_state *state = &cpu->state;

    if (__builtin_expect(cet_enforced(state->cr4, state->msr.s_cet, state->msr.u_cet), 0))
        return (struct cpu_outcome){.kind = OUTCOME_UNSUPPORTED, .text = CET_REFUSED};
    return outcome_of(OUTCOME_DONE);
}

struct cpu_outcome cpu_write_cr4(struct cpu *cpu, uint64_t value)
{
    struct cpu_state *state = &cpu->state;
    uint64_t changed = value ^ state->cr4;
    struct cpu_outcome outcome;

    if (!cr4_allowed(cpu, value))
        return general_protection();
    if (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) &&
        pae_paging(state->cr0, value, state->msr.efer) && !load_pdptes(cpu, state->cr3, &outcome))
        return outcome;
    uint64_t old = state->cr4;
    state->cr4 = value;
    cr4_invalidate(cpu, old, value);
    if (changed & CR4_REGIME)
        vmx_update_regime(&cpu->vmx);
    return cpu_done_unless_cet(cpu);
}

/* SDM volume 3A, "Protection Keys": the register acts on the next access; no TLB invalidation is needed. */
void cpu_write_pkru(struct cpu *cpu, uint32_t value)
{
    if (cpu->state.pkru == value)
        return;
    cpu->state.pkru = value;
    vmx_update_regime(&cpu->vmx);
}
