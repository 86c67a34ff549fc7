/* exit_save.c: saving guest state. SDM "Saving Guest State"; the sections are named at each function. */
#include "vmx_model/capabilities.h"
#include "vmx_model/effective_controls.h"
#include "vmx_model/transition.h"

#define DEBUG_EXCEPTION_BD (1u << 13)
#define BASIC_REASON 0xffffu
#define DEBUGCTL_BTF (1ull << 1)

/* Same section and "Saving RIP, RSP, RFLAGS, and SSP": saved whenever the processor can load them at VM
 * entry (IA32_BNDCFGS: or clear it at VM exit), whatever the control says. */
static void save_by_capability(const struct cpu_state *s, struct vmcs *v, const struct vmx_capabilities *caps)
{
    const uint32_t entry = vmx_controls_may_be_1(caps, VMX_ENTRY);
    if (entry & ENTRY_LOAD_IA32_BNDCFGS || vmx_controls_may_be_1(caps, VMX_EXIT) & EXIT_CLEAR_IA32_BNDCFGS)
        v->guest_ia32_bndcfgs = s->msr.bndcfgs;
    if (entry & ENTRY_LOAD_PKRS)
        v->guest_ia32_pkrs = s->msr.pkrs;
    if (entry & ENTRY_LOAD_CET_STATE) {
        v->guest_ia32_s_cet = s->msr.s_cet;
        v->guest_ia32_interrupt_ssp_table_addr = s->msr.interrupt_ssp_table;
        v->guest_ssp = s->ssp;
    }
}

/* SDM "Saving Control Registers, Debug Registers, and MSRs". */
static void save_control_registers_and_msrs(const struct cpu_state *s, struct vmcs *v)
{
    const uint32_t controls = v->primary_vm_exit_controls;
    v->guest_cr0 = s->cr0;
    v->guest_cr3 = s->cr3;
    v->guest_cr4 = s->cr4;
    v->guest_ia32_sysenter_cs = (uint32_t)s->msr.sysenter_cs;
    v->guest_ia32_sysenter_esp = s->msr.sysenter_esp;
    v->guest_ia32_sysenter_eip = s->msr.sysenter_eip;
    if (controls & EXIT_SAVE_DEBUG_CONTROLS) {
        v->guest_dr7 = s->dr7;
        v->guest_ia32_debugctl = s->msr.debugctl;
    }
    if (controls & EXIT_SAVE_IA32_PAT)
        v->guest_ia32_pat = s->msr.pat;
    if (controls & EXIT_SAVE_IA32_EFER)
        v->guest_ia32_efer = s->msr.efer;
    if (controls & EXIT_SAVE_IA32_PERF_GLOBAL_CTL)
        v->guest_ia32_perf_global_ctrl = s->msr.perf_global_ctrl;
}

/* SDM "Saving Segment Registers and Descriptor-Table Registers". Of an unusable register everything is saved,
 * with the bits cleared that must be. */
static void save_segments(const struct cpu_state *s, struct vmcs *v)
{
#define SAVE_SEGMENT(index, name, base_bits)                                                                 \
    v->guest_##name##_selector = s->seg[index].selector;                                                     \
    v->guest_##name##_base = s->seg[index].base & (base_bits);                                               \
    v->guest_##name##_limit = s->seg[index].limit;                                                           \
    v->guest_##name##_access_rights = s->seg[index].access_rights & TRANSITION_ACCESS_RIGHTS
    const uint64_t low_half_if_unusable[2] = {UINT64_MAX, UINT32_MAX};
#define UNUSABLE(index) ((s->seg[index].access_rights & AR_UNUSABLE) != 0)
    SAVE_SEGMENT(SEG_ES, es, low_half_if_unusable[UNUSABLE(SEG_ES)]);
    SAVE_SEGMENT(SEG_CS, cs, UINT64_MAX);
    SAVE_SEGMENT(SEG_SS, ss, low_half_if_unusable[UNUSABLE(SEG_SS)]);
    SAVE_SEGMENT(SEG_DS, ds, low_half_if_unusable[UNUSABLE(SEG_DS)]);
    SAVE_SEGMENT(SEG_FS, fs, UINT64_MAX);
    SAVE_SEGMENT(SEG_GS, gs, UINT64_MAX);
    SAVE_SEGMENT(SEG_LDTR, ldtr, UINT64_MAX);
    SAVE_SEGMENT(SEG_TR, tr, UINT64_MAX);
#undef UNUSABLE
#undef SAVE_SEGMENT
    v->guest_gdtr_base = s->gdtr.base;
    v->guest_gdtr_limit = s->gdtr.limit;
    v->guest_idtr_base = s->idtr.base;
    v->guest_idtr_limit = s->idtr.limit;
}

/* The RF that the RFLAGS image of an event's delivery would hold: SDM volume 3B, "Instruction-Breakpoint
 * Exception Condition": 1 for fault-class exceptions other than an instruction breakpoint, else as it was. */
static bool resume_flag_of_event(uint32_t information, uint64_t debug_conditions, bool rf)
{
    if ((information & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT != EVENT_HARDWARE_EXCEPTION)
        return rf;
    switch (information & INTERRUPTION_VECTOR) {
    case VECTOR_DB:
        return rf || (debug_conditions &
                      DEBUG_EXCEPTION_BD); /* general detect is a fault; the others here are traps */
    case VECTOR_DF:
    case VECTOR_MC:
        return rf; /* aborts */
    default:
        return true;
    }
}

/* SDM "Saving RIP, RSP, RFLAGS, and SSP". */
static bool saved_resume_flag(const struct vm_exit *exit, bool rf)
{
    const bool vectoring = (exit->idt_vectoring_information & INTERRUPTION_VALID) != 0;
    switch (exit->reason & BASIC_REASON) {
    case EXIT_REASON_EXCEPTION_OR_NMI:
        return resume_flag_of_event(exit->interruption_information, exit->qualification, rf);
    case EXIT_REASON_TASK_SWITCH:
        /* CALL, JMP and IRET clear RF as they begin, so that the old TSS would hold 0. */
        return vectoring && resume_flag_of_event(exit->idt_vectoring_information, 0, rf);
    case EXIT_REASON_APIC_ACCESS:
    case EXIT_REASON_EPT_VIOLATION:
    case EXIT_REASON_EPT_MISCONFIGURATION:
    case EXIT_REASON_PML_FULL:
    case EXIT_REASON_SPP_RELATED_EVENT:
        return vectoring ? resume_flag_of_event(exit->idt_vectoring_information, 0, rf) : true;
    case EXIT_REASON_EXTERNAL_INTERRUPT:
    case EXIT_REASON_TRIPLE_FAULT:
    case EXIT_REASON_INIT_SIGNAL:
    case EXIT_REASON_START_UP_IPI:
    case EXIT_REASON_INTERRUPT_WINDOW:
    case EXIT_REASON_NMI_WINDOW:
    case EXIT_REASON_MONITOR_TRAP_FLAG:
    case EXIT_REASON_TPR_BELOW_THRESHOLD:
    case EXIT_REASON_VIRTUALIZED_EOI:
    case EXIT_REASON_PREEMPTION_TIMER_EXPIRED:
    case EXIT_REASON_APIC_WRITE:
    case EXIT_REASON_INSTRUCTION_TIMEOUT:
    case EXIT_REASON_BUS_LOCK:
        return rf;
    default:
        return false; /* an instruction that exits, unconditionally or by a control */
    }
}

/* SDM "Saving Non-Register State": is the pending debug exceptions field saved as it is, rather than clear?
 */
static bool keeps_pending_debug_exceptions(const struct cpu_state *s, const struct vm_exit *exit)
{
    const uint32_t information = exit->interruption_information;
    const uint32_t exception =
        information & INTERRUPTION_VALID ? information & INTERRUPTION_VECTOR : UINT32_MAX;
    switch (exit->reason & BASIC_REASON) {
    case EXIT_REASON_INIT_SIGNAL:
    case EXIT_REASON_TPR_BELOW_THRESHOLD:
    case EXIT_REASON_VIRTUALIZED_EOI:
    case EXIT_REASON_APIC_WRITE:
    case EXIT_REASON_MONITOR_TRAP_FLAG:
    case EXIT_REASON_BUS_LOCK:
        return true;
    case EXIT_REASON_EXCEPTION_OR_NMI:
        if (exception == VECTOR_MC)
            return true;
        if (exception == VECTOR_DB)
            return false;
        break;
    default:
        break;
    }
    return (s->interruptibility_state & BLOCKING_BY_MOV_SS) != 0;
}

/* The single-step trap of MOV SS or POP SS waits for the shadow's end. Nothing holds it meanwhile, as
 * RFLAGS.TF makes it anew; the field shows it, for VM entry ("Checks on Guest Non-Register State") wants it
 * there. */
static uint64_t saved_pending_debug_exceptions(const struct cpu_state *s, const struct vm_exit *exit)
{
    if (!keeps_pending_debug_exceptions(s, exit))
        return 0;
    const bool stepped = (s->interruptibility_state & BLOCKING_BY_MOV_SS) && (s->rflags & RFLAGS_TF) &&
                         !(s->msr.debugctl & DEBUGCTL_BTF);
    return s->pending_debug_exceptions | (stepped ? PENDING_DEBUG_BS : 0);
}

/* SDM "Saving Non-Register State". */
static void save_non_register_state(struct vmx *vmx, const struct vm_exit *exit)
{
    const struct cpu_state *s = vmx->state;
    struct vmcs *v = &vmx->vmcs;
    uint32_t blocking = s->interruptibility_state & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    if (v->pin_based_controls & PIN_VIRTUAL_NMIS)
        blocking |= vmx->virtual_nmi_blocking ? BLOCKING_BY_NMI : 0;
    else
        blocking |= s->interruptibility_state & BLOCKING_BY_NMI;
    v->guest_interruptibility_state = blocking;
    v->guest_activity_state = s->activity_state;
    v->guest_pending_debug_exceptions = saved_pending_debug_exceptions(s, exit);
    if ((v->primary_vm_exit_controls & EXIT_SAVE_PREEMPTION_TIMER_VALUE) && vmx->preemption_timer_on)
        v->vmx_preemption_timer_value = vmx_preemption_timer_left(vmx);
    if (vmcs_ept_enabled(v) && transition_pae_paging(s)) {
        v->guest_pdpte0 = s->pdpte[0];
        v->guest_pdpte1 = s->pdpte[1];
        v->guest_pdpte2 = s->pdpte[2];
        v->guest_pdpte3 = s->pdpte[3];
    }
}

void vmx_save_guest_state(struct vmx *vmx, const struct vm_exit *exit)
{
    const struct cpu_state *s = vmx->state;
    struct vmcs *v = &vmx->vmcs;
    save_control_registers_and_msrs(s, v);
    save_by_capability(vmx->state, &vmx->vmcs, &vmx->profile->vmx);
    save_segments(s, v);
    v->guest_rip = s->rip;
    v->guest_rsp = s->gpr[GPR_RSP];
    const bool rf = saved_resume_flag(exit, (s->rflags & RFLAGS_RF) != 0);
    v->guest_rflags = (s->rflags & ~RFLAGS_RF) | (rf ? RFLAGS_RF : 0);
    save_non_register_state(vmx, exit);
}
