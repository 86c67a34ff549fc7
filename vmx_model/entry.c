/*
 * entry.c: VM entry after VMLAUNCH's and VMRESUME's own checks. SDM chapter "VM Entries".
 *
 * Order: checks on controls, on host state, on guest state; loading of guest state; MSR list; injection.
 */
#include "vmx_model/cet.h"
#include "vmx_model/checks/checks.h"
#include "vmx_model/effective_controls.h"
#include "vmx_model/transition.h"

static void emit_failure(const struct vmx *vmx, uint32_t code, const char *text)
{
    trace_emit(vmx->trace, &(struct trace_event){.kind = TRACE_VM_ENTRY_FAILED,
                                                 .processor = vmx->processor,
                                                 .vpid = vmcs_current_vpid(&vmx->vmcs),
                                                 .code = code,
                                                 .cost = vmx->account->now - vmx->entry_began,
                                                 .cycles = vmx->account->now,
                                                 .text = text});
}

/* For a person: the failed phase and those that the processor did not come to. */
static void explain_from(struct vmx *vmx, const struct check_context *context, enum vmx_check_phase phase)
{
    for (unsigned p = phase; p < VMX_CHECK_PHASES; p++)
        vmx_explain_violations(context, (enum vmx_check_phase)p, vmx->ops->explain, vmx->opaque);
}

/* SDM "VM-Entry Failures During or After Loading Guest State". Only exit reason and qualification are
 * recorded; the guest-state area, the valid bit of the VM-entry interruption information and the MSR-store
 * area stay as they are. */
static struct cpu_outcome fail_late(struct vmx *vmx, uint32_t reason, uint64_t qualification,
                                    uint32_t nmi_blocking)
{
    struct vmcs *v = &vmx->vmcs;
    v->exit_reason = reason | EXIT_REASON_VM_ENTRY_FAILURE;
    v->exit_qualification = qualification;
    vmx_forget_guest(vmx);
    const enum vmx_abort abort_code = vmx_load_host_state(vmx);
    if (abort_code != VMX_ABORT_NONE)
        return vmx_do_abort(vmx, abort_code);
    vmx->state->interruptibility_state =
        (vmx->state->interruptibility_state & ~BLOCKING_BY_NMI) | nmi_blocking;
    vmx_update_regime(vmx);
    if (vmx_load_msr_list(vmx, v->vm_exit_msr_load_address, v->vm_exit_msr_load_count, CYCLES_VM_EXIT_MSRS))
        return vmx_do_abort(vmx, VMX_ABORT_LOADING_HOST_MSRS);
    if (v->vm_exit_msr_load_count)
        vmx_update_regime(vmx);
    vmx_tell(vmx, VMX_WATCH_HOST_LOADED, 0);
    return outcome_of(OUTCOME_JUMPED);
}

static struct cpu_outcome fail_guest_state(struct vmx *vmx, uint64_t qualification, const char *text)
{
    emit_failure(vmx, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE, text);
    return fail_late(vmx, EXIT_REASON_ENTRY_FAILURE_GUEST_STATE, qualification,
                     vmx->state->interruptibility_state & BLOCKING_BY_NMI);
}

/* VMfailValid 7 or 8: SDM "Checks on VMX Controls and Host-State Area". Control passes to the next
 * instruction. */
static bool fails_early(struct vmx *vmx, const struct check_context *context, enum vmx_check_phase phase,
                        uint32_t error)
{
    const struct vmx_rule *rule = vmx_check_first(context, phase, NULL);
    if (__builtin_expect(!rule, 1))
        return false;
    explain_from(vmx, context, phase);
    emit_failure(vmx, error, rule->id);
    vmx_fail_valid(vmx, error);
    return true;
}

static bool guest_will_use_pae_paging(const struct vmcs *v)
{
    return (v->guest_cr0 & CR0_PG) && (v->guest_cr4 & CR4_PAE) &&
           !(v->vm_entry_controls & ENTRY_IA32E_MODE_GUEST);
}

/* Everything from the first change of processor state on. */
static struct cpu_outcome load_guest(struct vmx *vmx, bool launch)
{
    struct vmcs *v = &vmx->vmcs;
    const uint32_t nmi_blocking = vmx->state->interruptibility_state & BLOCKING_BY_NMI;
    vmx_load_guest_state(vmx);
    vmx->non_root = true;
    /* SDM "Updating Non-Register State" of VM entry. */
    if (!vmcs_vpid_enabled(v))
        mmu_flush_vpid(vmx->mmu, 0, false, FLUSH_VM_ENTRY);
    vmx_update_regime(vmx);
    vmx_enter_virtual_apic(vmx);
    if (v->vm_entry_msr_load_count) {
        const uint32_t failed = vmx_load_msr_list(vmx, v->vm_entry_msr_load_address,
                                                  v->vm_entry_msr_load_count, CYCLES_VM_ENTRY_MSRS);
        if (failed) {
            vmx->ops->explain(vmx->opaque,
                              "VM entry failed: exit reason 34 (bit 31 set); the exit qualification "
                              "is the number of the entry that cannot be loaded");
            emit_failure(vmx, EXIT_REASON_ENTRY_FAILURE_MSR_LOADING, "VM-entry MSR-load area");
            return fail_late(vmx, EXIT_REASON_ENTRY_FAILURE_MSR_LOADING, failed, nmi_blocking);
        }
        vmx_update_regime(vmx);
    }
    if (cet_enforced(vmx->state->cr4, vmx->state->msr.s_cet, vmx->state->msr.u_cet))
        return (struct cpu_outcome){.kind = OUTCOME_UNSUPPORTED, .text = "VM entry: " CET_REFUSED};
    vmx_load_injection(vmx);
    v->launched =
        true; /* SDM "Basic VM-Entry Checks" and VMLAUNCH: the launch state of the VMCS is now launched */
    vmx_start_preemption_timer(vmx);
    vmx->entry_cycles = vmx->account->now;
    vmx_entry_ended(vmx);
    vmx_tell(vmx, VMX_WATCH_ENTERED, 0);
    trace_emit(vmx->trace, &(struct trace_event){.kind = TRACE_VM_ENTRY,
                                                 .processor = vmx->processor,
                                                 .vpid = vmcs_current_vpid(v),
                                                 .code = launch ? 0 : 1,
                                                 .cost = vmx->account->now - vmx->entry_began,
                                                 .cycles = vmx->account->now});
    return outcome_of(OUTCOME_VM_ENTRY);
}

/* instruction_length: of VMLAUNCH or VMRESUME. An entry that fails before any state is loaded gives
 * OUTCOME_DONE, upon which the caller advances RIP by it. */
struct cpu_outcome vmx_enter(struct vmx *vmx, bool launch, unsigned instruction_length)
{
    (void)instruction_length;
    const struct vmcs *v = &vmx->vmcs;
    vmx_tell(vmx, VMX_WATCH_ENTRY, 0);
    vmx->entry_began = vmx->account->now;
    vmx_charge_entry(vmx);
    struct check_context context = {.vmcs = v,
                                    .profile = vmx->profile,
                                    .mem = vmx->mem,
                                    .current_vmcs = vmx->current_vmcs,
                                    .ia32e_mode = cpu_long_mode(vmx->state)};
    vmx_check_prepare(&context);
    if (fails_early(vmx, &context, VMX_CHECK_CONTROLS, VMX_ERROR_VM_ENTRY_INVALID_CONTROL_FIELDS) ||
        fails_early(vmx, &context, VMX_CHECK_HOST, VMX_ERROR_VM_ENTRY_INVALID_HOST_STATE_FIELDS))
        return outcome_of(OUTCOME_DONE);
    uint64_t qualification = 0;
    const struct vmx_rule *rule = vmx_check_first(&context, VMX_CHECK_GUEST, &qualification);
    if (__builtin_expect(rule != NULL, 0)) {
        explain_from(vmx, &context, VMX_CHECK_GUEST);
        return fail_guest_state(vmx, qualification, rule->id);
    }
    if (guest_will_use_pae_paging(v)) {
        uint64_t pdpte[4];
        if (!vmx_guest_pdptes(vmx, pdpte)) {
            vmx->ops->explain(vmx->opaque,
                              "VM entry failed: a guest PDPTE has a reserved bit set (SDM \"Checks on Guest "
                              "Page-Directory-Pointer-Table Entries\")");
            /* Exit qualification 2: a problem loading the PDPTEs. */
            return fail_guest_state(vmx, 2, "guest PDPTEs");
        }
        cycles_charge(vmx->account, CYCLES_VM_ENTRY_PDPTES, vmx->profile->cost.load_pdptes.cycles);
        memcpy(vmx->state->pdpte, pdpte, sizeof pdpte);
    }
    return load_guest(vmx, launch);
}
