/* vmlaunch.c: the instructions' own checks of SDM "VMLAUNCH/VMRESUME - Launch/Resume Virtual Machine". */
#include "vmx_model/instructions/instructions.h"

/* A failure here never reached VM entry, whose cost vmx_enter charges. */
static void charge(struct vmx *vmx, bool launch)
{
    cycles_charge(vmx->account, launch ? CYCLES_VMLAUNCH : CYCLES_VMRESUME,
                  vmx->profile->cost.system_instruction.cycles);
}

static struct cpu_outcome fail(struct vmx *vmx, bool launch, uint32_t error)
{
    charge(vmx, launch);
    return vmx_done_fail(vmx, error);
}

/* SDM "Basic VM-Entry Checks": with a shadow VMCS there is no error number, as with none at all. */
static struct cpu_outcome fail_invalid(struct vmx *vmx, bool launch)
{
    charge(vmx, launch);
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
