/*
 * exit_load.c: loading host state. SDM "Loading Host State"; the sections are named at each function.
 *
 * Bases and SYSENTER addresses are canonical: VM entry has checked the host-state area, and nothing in VMX
 * non-root operation can write it. So the sign extension that the SDM asks for changes nothing here.
 */
#include "vmx_model/effective_controls.h"
#include "vmx_model/transition.h"

#define DR7_AFTER_EXIT 0x400u
#define RFLAGS_AFTER_EXIT RFLAGS_FIXED1
#define DESCRIPTOR_TABLE_LIMIT 0xffff
#define FLAT_LIMIT 0xffffffffu
#define TSS_LIMIT 0x67u

/* Types: 11 is execute/read, accessed, for code and busy 32-bit TSS for TR; 3 is read/write, accessed. */
#define ACCESS_CODE (0xbu | AR_S | AR_P | AR_G)
#define ACCESS_DATA (0x3u | AR_S | AR_P | AR_DB | AR_G)
#define ACCESS_TSS (0xbu | AR_P)

/* SDM "Loading Host Control Registers, Debug Registers, MSRs". */
static void load_control_and_debug_registers(struct cpu_state *s, const struct vmcs *v,
                                             const struct cpu_profile *profile)
{
    s->cr0 = (s->cr0 & ~TRANSITION_CR0_LOADED) | (v->host_cr0 & TRANSITION_CR0_LOADED);
    s->cr3 = v->host_cr3 & ~cpu_cr3_reserved(profile);
    if (v->primary_vm_exit_controls & EXIT_HOST_ADDRESS_SPACE_SIZE)
        s->cr4 = v->host_cr4 | CR4_PAE;
    else
        s->cr4 = v->host_cr4 & ~CR4_PCIDE;
    s->dr7 = DR7_AFTER_EXIT;
}

static void load_msrs(struct cpu_state *s, const struct vmcs *v)
{
    const uint32_t controls = v->primary_vm_exit_controls;
    s->msr.debugctl = 0;
    s->msr.sysenter_cs = v->host_ia32_sysenter_cs;
    s->msr.sysenter_esp = v->host_ia32_sysenter_esp;
    s->msr.sysenter_eip = v->host_ia32_sysenter_eip;
    const uint64_t ia32e = EFER_LMA | EFER_LME;
    if (controls & EXIT_LOAD_IA32_EFER)
        s->msr.efer = v->host_ia32_efer;
    else
        s->msr.efer = (s->msr.efer & ~ia32e) | (controls & EXIT_HOST_ADDRESS_SPACE_SIZE ? ia32e : 0);
    if (controls & EXIT_LOAD_IA32_PERF_GLOBAL_CTRL)
        s->msr.perf_global_ctrl = v->host_ia32_perf_global_ctrl;
    if (controls & EXIT_LOAD_IA32_PAT)
        s->msr.pat = v->host_ia32_pat;
    if (controls & EXIT_CLEAR_IA32_BNDCFGS)
        s->msr.bndcfgs = 0;
    if (controls & EXIT_LOAD_PKRS)
        s->msr.pkrs = v->host_ia32_pkrs;
    if (controls & EXIT_LOAD_CET_STATE) {
        s->msr.s_cet = v->host_ia32_s_cet;
        s->msr.interrupt_ssp_table = v->host_ia32_interrupt_ssp_table_addr;
        s->ssp = v->host_ssp; /* SDM "Loading Host RIP, RSP, RFLAGS, and SSP" */
    }
}

/* The selector decides: a null one gives an unusable register, whose other parts are undefined. */
static struct cpu_segment data_segment(uint16_t selector, uint64_t base)
{
    return (struct cpu_segment){.base = base,
                                .limit = FLAT_LIMIT,
                                .access_rights = selector ? ACCESS_DATA : ACCESS_DATA | AR_UNUSABLE,
                                .selector = selector};
}

/* SDM "Loading Host Segment and Descriptor-Table Registers". */
static void load_segments(struct cpu_state *s, const struct vmcs *v)
{
    const bool host_64 = (v->primary_vm_exit_controls & EXIT_HOST_ADDRESS_SPACE_SIZE) != 0;
    s->seg[SEG_CS] = (struct cpu_segment){.limit = FLAT_LIMIT,
                                          .access_rights = ACCESS_CODE | (host_64 ? AR_L : AR_DB),
                                          .selector = v->host_cs_selector};
    s->seg[SEG_SS] = data_segment(v->host_ss_selector, 0);
    s->seg[SEG_DS] = data_segment(v->host_ds_selector, 0);
    s->seg[SEG_ES] = data_segment(v->host_es_selector, 0);
    s->seg[SEG_FS] = data_segment(v->host_fs_selector, v->host_fs_base);
    s->seg[SEG_GS] = data_segment(v->host_gs_selector, v->host_gs_base);
    s->seg[SEG_TR] = (struct cpu_segment){.base = v->host_tr_base,
                                          .limit = TSS_LIMIT,
                                          .access_rights = ACCESS_TSS,
                                          .selector = v->host_tr_selector};
    s->seg[SEG_LDTR] = (struct cpu_segment){.access_rights = AR_UNUSABLE};
    s->gdtr = (struct cpu_descriptor_table){.base = v->host_gdtr_base, .limit = DESCRIPTOR_TABLE_LIMIT};
    s->idtr = (struct cpu_descriptor_table){.base = v->host_idtr_base, .limit = DESCRIPTOR_TABLE_LIMIT};
}

/* SDM "Checking and Loading Host Page-Directory-Pointer-Table Entries". */
static bool load_pdptes(struct vmx *vmx)
{
    struct cpu_state *s = vmx->state;
    if (!transition_pae_paging(s))
        return true;
    vmx_update_regime(vmx); /* the host's: CR3 is a physical address */
    struct mmu_fault fault;
    bool invalid = false;
    cycles_charge(vmx->account, CYCLES_VM_EXIT_PDPTES, vmx->profile->cost.load_pdptes.cycles);
    return mmu_load_pdptes(vmx->mmu, s->cr3, s->pdpte, &invalid, &fault) == MMU_OK && !invalid;
}

/* SDM "Updating Non-Register State" of VM exits, but for blocking by NMI. */
static void load_non_register_state(struct vmx *vmx)
{
    struct cpu_state *s = vmx->state;
    s->activity_state = ACTIVITY_ACTIVE;
    s->interruptibility_state &= ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    s->pending_debug_exceptions = 0;
    vmx->monitoring = false; /* SDM "Clearing Address-Range Monitoring" of VM exits */
    if (!vmcs_vpid_enabled(&vmx->vmcs))
        mmu_flush_vpid(vmx->mmu, 0, false, FLUSH_VM_EXIT);
}

enum vmx_abort vmx_load_host_state(struct vmx *vmx)
{
    struct cpu_state *s = vmx->state;
    const struct vmcs *v = &vmx->vmcs;
    if (cpu_long_mode(s) && !(v->primary_vm_exit_controls & EXIT_HOST_ADDRESS_SPACE_SIZE))
        return VMX_ABORT_HOST_NOT_IA32E;
    load_control_and_debug_registers(s, v, vmx->profile);
    load_msrs(s, v);
    load_segments(s, v);
    /* SDM "Loading Host RIP, RSP, RFLAGS, and SSP". */
    s->rip = v->host_rip;
    s->gpr[GPR_RSP] = v->host_rsp;
    s->rflags = RFLAGS_AFTER_EXIT;
    load_non_register_state(vmx);
    return load_pdptes(vmx) ? VMX_ABORT_NONE : VMX_ABORT_HOST_PDPTES;
}
