/* vmlaunch.c: the instructions' own checks of SDM "VMLAUNCH/VMRESUME - Launch/Resume Virtual Machine". */
#include "vmx_model/instructions/instructions.h"

/* A failure here never reached VM entry, whose cost vmx_enter charges. */
static struct cpu_outcome fail(struct vmx *vmx, bool launch, uint32_t error)
{
    cycles_charge(vmx->account, launch ? CYCLES_VMLAUNCH : CYCLES_VMRESUME,
                  vmx->profile->cost.system_instruction.cycles);
    return vmx_done_fail(vmx, error);
}

struct cpu_outcome vmx_instruction_vmlaunch(struct vmx *vmx, const struct insn *insn)
{
    bool launch = insn->id == INSN_VMLAUNCH;

    if (vmx->current_vmcs == VMX_NO_VMCS)
        return fail(vmx, launch, 0); /* VMfailInvalid */
    if (vmx->state->interruptibility_state & BLOCKING_BY_MOV_SS)
        return fail(vmx, launch, VMX_ERROR_EVENTS_BLOCKED_BY_MOV_SS);
    if (launch && vmx->vmcs.launched)
        return fail(vmx, launch, VMX_ERROR_VMLAUNCH_NON_CLEAR_VMCS);
    if (!launch && !vmx->vmcs.launched)
        return fail(vmx, launch, VMX_ERROR_VMRESUME_NON_LAUNCHED_VMCS);
    return vmx_enter(vmx, launch, insn->length);
}
