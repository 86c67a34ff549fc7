/* entry_load.c: loading guest state. SDM "Loading Guest State"; the sections are named at each function. */
#include "vmx_model/effective_controls.h"
#include "vmx_model/transition.h"

#define DR7_LOADED (~((uint64_t)(1u << 12 | 3u << 14)) & 0xffffffffull)
#define DR7_FIXED_1 (1u << 10)

/* SDM "Loading Guest Control Registers, Debug Registers, and MSRs". */
static void load_control_and_debug_registers(struct cpu_state *s, const struct vmcs *v)
{
    s->cr0 = (s->cr0 & ~TRANSITION_CR0_LOADED) | (v->guest_cr0 & TRANSITION_CR0_LOADED);
    s->cr3 = v->guest_cr3;
    s->cr4 = v->guest_cr4;
    if (v->vm_entry_controls & ENTRY_LOAD_DEBUG_CONTROLS) {
        s->dr7 = (v->guest_dr7 & DR7_LOADED) | DR7_FIXED_1;
        s->msr.debugctl = v->guest_ia32_debugctl;
    }
}

/* Same section: IA32_EFER without its control gets LMA, and LME if the guest pages, from "IA-32e mode guest".
 */
static uint64_t guest_efer(uint64_t efer, const struct vmcs *v)
{
    if (v->vm_entry_controls & ENTRY_LOAD_IA32_EFER)
        return v->guest_ia32_efer;
    const bool ia32e = (v->vm_entry_controls & ENTRY_IA32E_MODE_GUEST) != 0;
    const uint64_t changed = EFER_LMA | (v->guest_cr0 & CR0_PG ? EFER_LME : 0);
    return (efer & ~changed) | (ia32e ? changed : 0);
}

static void load_msrs(struct cpu_state *s, const struct vmcs *v)
{
    s->msr.sysenter_cs = v->guest_ia32_sysenter_cs;
    s->msr.sysenter_esp = v->guest_ia32_sysenter_esp;
    s->msr.sysenter_eip = v->guest_ia32_sysenter_eip;
    s->msr.efer = guest_efer(s->msr.efer, v);
    if (v->vm_entry_controls & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
        s->msr.perf_global_ctrl = v->guest_ia32_perf_global_ctrl;
    if (v->vm_entry_controls & ENTRY_LOAD_IA32_PAT)
        s->msr.pat = v->guest_ia32_pat;
    if (v->vm_entry_controls & ENTRY_LOAD_IA32_BNDCFGS)
        s->msr.bndcfgs = v->guest_ia32_bndcfgs;
    if (v->vm_entry_controls & ENTRY_LOAD_PKRS)
        s->msr.pkrs = v->guest_ia32_pkrs;
    if (v->vm_entry_controls & ENTRY_LOAD_CET_STATE) {
        s->msr.s_cet = v->guest_ia32_s_cet;
        s->msr.interrupt_ssp_table = v->guest_ia32_interrupt_ssp_table_addr;
        s->ssp = v->guest_ssp; /* SDM "Loading Guest RIP, RSP, RFLAGS, and SSP" */
    }
}

/* SDM "Loading Guest Segment Registers and Descriptor-Table Registers". What is undefined for an unusable
 * register is loaded all the same, unless the section says otherwise. */
static void load_segments(struct cpu_state *s, const struct vmcs *v, unsigned linear_bits)
{
#define LOAD_SEGMENT(index, name)                                                                            \
    s->seg[index] =                                                                                          \
        (struct cpu_segment){.base = v->guest_##name##_base,                                                 \
                             .limit = v->guest_##name##_limit,                                               \
                             .access_rights = v->guest_##name##_access_rights & TRANSITION_ACCESS_RIGHTS,    \
                             .selector = v->guest_##name##_selector}
    LOAD_SEGMENT(SEG_ES, es);
    LOAD_SEGMENT(SEG_CS, cs);
    LOAD_SEGMENT(SEG_SS, ss);
    LOAD_SEGMENT(SEG_DS, ds);
    LOAD_SEGMENT(SEG_FS, fs);
    LOAD_SEGMENT(SEG_GS, gs);
    LOAD_SEGMENT(SEG_LDTR, ldtr);
    LOAD_SEGMENT(SEG_TR, tr);
#undef LOAD_SEGMENT
    if (s->seg[SEG_SS].access_rights & AR_UNUSABLE) {
        s->seg[SEG_SS].base &= 0xfffffff0u;
        s->seg[SEG_SS].access_rights |= AR_DB;
    }
    if (s->seg[SEG_DS].access_rights & AR_UNUSABLE)
        s->seg[SEG_DS].base &= 0xffffffffu;
    if (s->seg[SEG_ES].access_rights & AR_UNUSABLE)
        s->seg[SEG_ES].base &= 0xffffffffu;
    if ((s->seg[SEG_LDTR].access_rights & AR_UNUSABLE) && !cpu_canonical(s->seg[SEG_LDTR].base, linear_bits))
        s->seg[SEG_LDTR].base = 0;
    s->gdtr =
        (struct cpu_descriptor_table){.base = v->guest_gdtr_base, .limit = (uint16_t)v->guest_gdtr_limit};
    s->idtr =
        (struct cpu_descriptor_table){.base = v->guest_idtr_base, .limit = (uint16_t)v->guest_idtr_limit};
}

/* SDM "Interruptibility State", "Activity State" and "Delivery of Pending Debug Exceptions after VM Entry".
 */
static void load_non_register_state(struct vmx *vmx)
{
    struct cpu_state *s = vmx->state;
    const struct vmcs *v = &vmx->vmcs;
    const bool vectoring = vmx_entry_is_vectoring(v);
    const bool virtual_nmis = (v->pin_based_controls & PIN_VIRTUAL_NMIS) != 0;
    uint32_t blocking =
        v->guest_interruptibility_state & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS | BLOCKING_BY_NMI);
    if (vectoring)
        blocking &= BLOCKING_BY_NMI;
    /* With "virtual NMIs" the bit is that of virtual NMIs, and NMIs themselves are not blocked in the guest.
     */
    vmx->virtual_nmi_blocking = virtual_nmis && (blocking & BLOCKING_BY_NMI);
    if (virtual_nmis)
        blocking &= ~BLOCKING_BY_NMI;
    s->interruptibility_state = blocking | (s->interruptibility_state & BLOCKING_BY_SMI);
    s->activity_state = vectoring ? ACTIVITY_ACTIVE : v->guest_activity_state;
    s->pending_debug_exceptions = vmx_entry_pending_debug_exceptions(v);
}

void vmx_load_guest_state(struct vmx *vmx)
{
    struct cpu_state *s = vmx->state;
    const struct vmcs *v = &vmx->vmcs;
    load_msrs(s, v);
    load_control_and_debug_registers(s, v);
    load_segments(s, v, vmx->profile->linear_address_bits);
    /* SDM "Loading Guest RIP, RSP, RFLAGS, and SSP". */
    s->gpr[GPR_RSP] = v->guest_rsp;
    s->rip = v->guest_rip;
    s->rflags = v->guest_rflags;
    load_non_register_state(vmx);
    vmx->monitoring = false; /* SDM "Clearing Address-Range Monitoring" of VM entries */
}

bool vmx_guest_pdptes(struct vmx *vmx, uint64_t pdpte[4])
{
    const struct vmcs *v = &vmx->vmcs;
    if (vmcs_ept_enabled(v)) {
        pdpte[0] = v->guest_pdpte0;
        pdpte[1] = v->guest_pdpte1;
        pdpte[2] = v->guest_pdpte2;
        pdpte[3] = v->guest_pdpte3;
        return true; /* checked as fields of the guest-state area */
    }
    /* The guest's CR3 is a physical address; the processor is still in root operation, where no EPT
     * translates. */
    struct mmu_fault fault;
    bool invalid = false;
    return mmu_load_pdptes(vmx->mmu, v->guest_cr3, pdpte, &invalid, &fault) == MMU_OK && !invalid;
}
