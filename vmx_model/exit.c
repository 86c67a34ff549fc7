/*
 * exit.c: carrying a VM exit out. SDM chapter "VM Exits".
 *
 * Order: information fields, guest state, MSR-store list, host state, MSR-load list.
 */
#include "vmx_model/cet.h"
#include "vmx_model/effective_controls.h"
#include "vmx_model/exit_conditions/exit_conditions.h"
#include "vmx_model/transition.h"

#define MISC_STORES_LMA (1u << 5) /* IA32_VMX_MISC: SDM "Miscellaneous Data" */

/* Error codes are not delivered in real-address mode, and not reported: SDM "Information for VM Exits Due to
 * Vectored Events" and "Information for VM Exits During Event Delivery". */
static uint32_t reported_information(const struct cpu_state *s, uint32_t information)
{
    return cpu_real_mode(s) ? information & ~INTERRUPTION_ERROR_CODE : information;
}

/* SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields". Fields that the SDM leaves
 * undefined for an exit get the 0 of struct vm_exit. */
static void record(struct vmx *vmx, const struct vm_exit *exit)
{
    const struct cpu_state *s = vmx->state;
    struct vmcs *v = &vmx->vmcs;
    v->exit_reason = exit->reason | (vmx->bus_lock_due ? EXIT_REASON_AFTER_BUS_LOCK : 0);
    v->exit_qualification = exit->qualification;
    v->guest_linear_address = vmx_reported_linear_address(s, exit);
    v->guest_physical_address = exit->guest_physical_address;
    v->vm_exit_interruption_information = reported_information(s, exit->interruption_information);
    v->vm_exit_interruption_error_code = exit->interruption_error_code;
    v->idt_vectoring_information = reported_information(s, exit->idt_vectoring_information);
    v->idt_vectoring_error_code = exit->idt_vectoring_error_code;
    /* SDM "Information for VM Exits Due to Instruction Execution": also for faults met in delivering a
     * software event. */
    v->vm_exit_instruction_length =
        exit->instruction_length ? exit->instruction_length : exit->idt_vectoring_instruction_length;
    v->vm_exit_instruction_information = exit->instruction_information;
    v->vm_entry_interruption_information &= ~INTERRUPTION_VALID;
    if (vmx->profile->vmx.misc & MISC_STORES_LMA)
        v->vm_entry_controls = (v->vm_entry_controls & ~ENTRY_IA32E_MODE_GUEST) |
                               (cpu_long_mode(s) ? ENTRY_IA32E_MODE_GUEST : 0);
}

static const char *abort_text(enum vmx_abort indicator)
{
    switch (indicator) {
    case VMX_ABORT_NONE:
        break;
    case VMX_ABORT_SAVING_GUEST_MSRS:
        return "VMX abort 1: an entry of the VM-exit MSR-store area cannot be stored";
    case VMX_ABORT_HOST_PDPTES:
        return "VMX abort 2: a host PDPTE has a reserved bit set";
    case VMX_ABORT_LOADING_HOST_MSRS:
        return "VMX abort 4: an entry of the VM-exit MSR-load area cannot be loaded";
    case VMX_ABORT_HOST_NOT_IA32E:
        return "VMX abort 6: the guest is in IA-32e mode and \"host address-space size\" is 0";
    }
    return "VMX abort";
}

/* SDM "VMX Aborts": the indicator is written to the VMCS region, and the processor shuts down until reset. */
struct cpu_outcome vmx_do_abort(struct vmx *vmx, enum vmx_abort indicator)
{
    vmcs_region_set_abort(vmx->mem, vmx->current_vmcs, indicator);
    vmx->aborted = true;
    vmx->state->activity_state = ACTIVITY_SHUTDOWN;
    vmx_update_regime(vmx);
    return (struct cpu_outcome){.kind = OUTCOME_VMX_ABORT, .text = abort_text(indicator)};
}

/* Was it an NMI that caused the exit directly? Then NMIs are blocked after it: SDM "Updating Non-Register
 * State". */
static bool caused_by_nmi(const struct vm_exit *exit)
{
    const uint32_t information = exit->interruption_information;
    return (exit->reason & 0xffff) == EXIT_REASON_EXCEPTION_OR_NMI && (information & INTERRUPTION_VALID) &&
           (information & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT == EVENT_NMI;
}

void vmx_forget_guest(struct vmx *vmx)
{
    vmx->non_root = false;
    vmx->injection_valid = false;
    vmx->preemption_timer_on = false;
    vmx->virtual_nmi_blocking = false;
    vmx->trap_exit_pending = false;
    vmx->apic_write = (struct vmx_apic_write){0};
    vmx->virtual_interrupt_recognized = false;
    vmx->monitor_trap = false;
    vmx->monitor_trap_due = false;
    vmx->bus_lock_detection = vmx->bus_lock_due = false;
}

/* From the saved guest state to the running host. MSRs are stored as the host's RDMSR reads them: the TSC
 * without the VMCS's offset. */
static enum vmx_abort change_to_host(struct vmx *vmx)
{
    const struct vmcs *v = &vmx->vmcs;
    if (vmx_store_msr_list(vmx, v->vm_exit_msr_store_address, v->vm_exit_msr_store_count))
        return VMX_ABORT_SAVING_GUEST_MSRS;
    const enum vmx_abort failure = vmx_load_host_state(vmx);
    if (failure != VMX_ABORT_NONE)
        return failure;
    vmx_update_regime(vmx);
    if (!v->vm_exit_msr_load_count)
        return VMX_ABORT_NONE;
    if (vmx_load_msr_list(vmx, v->vm_exit_msr_load_address, v->vm_exit_msr_load_count, CYCLES_VM_EXIT_MSRS))
        return VMX_ABORT_LOADING_HOST_MSRS;
    vmx_update_regime(vmx);
    return VMX_ABORT_NONE;
}

struct cpu_outcome vmx_exit(struct vmx *vmx, const struct vm_exit *exit)
{
    const uint64_t guest_rip = vmx->state->rip;
    const uint16_t vpid = vmcs_current_vpid(&vmx->vmcs);
    const uint64_t start = vmx->account->now;
    vmx_exit_begins(vmx);
    /* Time passes in the exit before the guest's state is saved, so the saved preemption timer counts it; how
     * much of the exit comes before is assumed. */
    vmx_charge_exit(vmx);
    record(vmx, exit);
    vmx_save_guest_state(vmx, exit);
    vmx_forget_guest(vmx);
    if (caused_by_nmi(exit))
        vmx->state->interruptibility_state |= BLOCKING_BY_NMI;
    const enum vmx_abort failure = change_to_host(vmx);
    vmx_tell(vmx, VMX_WATCH_HOST_LOADED, 0);
    vmx_exit_ended(vmx, exit->reason, vpid, start);
    trace_emit(vmx->trace, &(struct trace_event){.kind = TRACE_VM_EXIT,
                                                 .processor = vmx->processor,
                                                 .vpid = vpid,
                                                 .code = exit->reason & 0xffff,
                                                 .a = exit->qualification,
                                                 .b = guest_rip,
                                                 .cost = vmx->account->now - start,
                                                 .cycles = vmx->account->now});
    if (failure != VMX_ABORT_NONE)
        return vmx_do_abort(vmx, failure);
    const struct cpu_state *s = vmx->state;
    if (__builtin_expect(cet_enforced(s->cr4, s->msr.s_cet, s->msr.u_cet), 0))
        return (struct cpu_outcome){.kind = OUTCOME_UNSUPPORTED, .text = "VM exit: " CET_REFUSED};
    return outcome_of(OUTCOME_DONE);
}
