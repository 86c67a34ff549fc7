/*
 * transition_cost.c: what VM entries and VM exits cost, by what they check, load and save.
 *
 * The base costs hold the checks and the register state that every transition moves. On top come the MSRs
 * that a control adds, and, where a profile says that unchanged controls are not checked again, the checks
 * after a change.
 */
#include "vmx_model/controls.h"
#include "vmx_model/transition.h"

#define ENTRY_MSRS (ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL | ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER)
#define EXIT_MSRS                                                                                            \
    (EXIT_LOAD_IA32_PERF_GLOBAL_CTRL | EXIT_SAVE_IA32_PAT | EXIT_LOAD_IA32_PAT | EXIT_SAVE_IA32_EFER |       \
     EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_PERF_GLOBAL_CTL)

static void charge_msrs(struct vmx *vmx, enum cycle_cause cause, uint64_t controls)
{
    cycles_charge(vmx->account, cause,
                  (uint64_t)__builtin_popcountll(controls) * vmx->profile->cost.transition_msr.cycles);
}

void vmx_charge_entry(struct vmx *vmx)
{
    const struct cpu_costs *cost = &vmx->profile->cost;
    cycles_charge(vmx->account, CYCLES_VM_ENTRY, cost->vm_entry.cycles);
    if (vmx->controls_changed)
        cycles_charge(vmx->account, CYCLES_VM_ENTRY_RECHECK, cost->vm_entry_recheck.cycles);
    vmx->controls_changed = false;
    charge_msrs(vmx, CYCLES_VM_ENTRY_MSRS, vmx->vmcs.vm_entry_controls & ENTRY_MSRS);
}

void vmx_charge_exit(struct vmx *vmx)
{
    cycles_charge(vmx->account, CYCLES_VM_EXIT, vmx->profile->cost.vm_exit.cycles);
    charge_msrs(vmx, CYCLES_VM_EXIT_MSRS, vmx->vmcs.primary_vm_exit_controls & EXIT_MSRS);
}
