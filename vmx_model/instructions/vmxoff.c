/* vmxoff.c: SDM "VMXOFF - Leave VMX Operation". The dual-monitor treatment of SMIs does not exist in the
 * model. */
#include "vmx_model/instructions/instructions.h"

struct cpu_outcome vmx_instruction_vmxoff(struct vmx *vmx, const struct insn *insn)
{
    (void)insn;
    vmx_tell(vmx, VMX_WATCH_VMXOFF, 0);
    /* SDM "Software Use of Virtual-Machine Control Structures" lets active VMCSs be corrupted here. The model
     * writes its data back, which is the harmless choice. */
    if (vmx->current_vmcs != VMX_NO_VMCS)
        vmcs_region_store(vmx->mem, vmx->current_vmcs, &vmx->vmcs);
    vmx->on = vmx->monitoring = false;
    vmx->vmxon_pointer = VMX_NO_VMCS;
    vmx->current_vmcs = VMX_NO_VMCS;
    return vmx_done_succeed(vmx);
}
