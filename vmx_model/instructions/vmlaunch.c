/* vmlaunch.c: the instructions' own checks of SDM "VMLAUNCH/VMRESUME - Launch/Resume Virtual Machine". */
#include "vmx_model/instructions/instructions.h"

#include <stdio.h>

/* A failure here never reached VM entry, whose cost vmx_enter charges. */
static void charge(struct vmx *vmx, bool launch)
{
    cycles_charge(vmx->account, launch ? CYCLES_VMLAUNCH : CYCLES_VMRESUME,
                  vmx->profile->cost.system_instruction.cycles);
}

/* For a person, as the checks of VM entry do. */
static void explain(struct vmx *vmx, bool launch, const char *result, const char *why)
{
    char line[256];
    snprintf(line, sizeof line, "%s failed (%s): %s", launch ? "VMLAUNCH" : "VMRESUME", result, why);
    vmx->ops->explain(vmx->opaque, line);
    vmx->ops->explain(vmx->opaque, "    SDM \"VMLAUNCH/VMRESUME - Launch/Resume Virtual Machine\"");
}

static struct cpu_outcome fail(struct vmx *vmx, bool launch, uint32_t error)
{
    char result[32], why[192];
    charge(vmx, launch);
    snprintf(result, sizeof result, "VM-instruction error %u", error);
    if (error == VMX_ERROR_EVENTS_BLOCKED_BY_MOV_SS)
        snprintf(why, sizeof why,
                 "events are blocked by MOV SS or POP SS; put another instruction behind that");
    else
        snprintf(why, sizeof why, "the launch state of the current VMCS, at %#llx, is %s",
                 (unsigned long long)vmx->current_vmcs,
                 launch ? "launched; VMRESUME enters it again, VMCLEAR makes it clear"
                        : "clear; the first entry after VMCLEAR is a VMLAUNCH");
    explain(vmx, launch, result, why);
    return vmx_done_fail(vmx, error);
}

/* SDM "Basic VM-Entry Checks": with a shadow VMCS there is no error number, as with none at all. */
static struct cpu_outcome fail_invalid(struct vmx *vmx, bool launch)
{
    charge(vmx, launch);
    explain(vmx, launch, "VMfailInvalid",
            vmx->current_vmcs == VMX_NO_VMCS
                ? "there is no current VMCS; execute VMPTRLD first, and again after a VMCLEAR"
                : "the current VMCS is a shadow VMCS, which no VM entry may use");
    return vmx_done_fail_invalid(vmx);
}

struct cpu_outcome vmx_instruction_vmlaunch(struct vmx *vmx, const struct insn *insn)
{
    bool launch = insn->id == INSN_VMLAUNCH;

    if (vmx->current_vmcs == VMX_NO_VMCS || vmx->current_vmcs_is_shadow)
        return fail_invalid(vmx, launch);
    if (vmx->state->interruptibility_state & BLOCKING_BY_MOV_SS)
        return fail(vmx, launch, VMX_ERROR_EVENTS_BLOCKED_BY_MOV_SS);
    if (launch && vmx->vmcs.launched)
        return fail(vmx, launch, VMX_ERROR_VMLAUNCH_NON_CLEAR_VMCS);
    if (!launch && !vmx->vmcs.launched)
        return fail(vmx, launch, VMX_ERROR_VMRESUME_NON_LAUNCHED_VMCS);
    return vmx_enter(vmx, launch, insn->length);
}
