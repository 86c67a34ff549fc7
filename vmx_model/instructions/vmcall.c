/* vmcall.c: SDM "VMCALL - Call to VM Monitor", in VMX root operation. */
#include "vmx_model/instructions/instructions.h"

struct cpu_outcome vmx_instruction_vmcall(struct vmx *vmx, const struct insn *insn)
{
    (void)insn;
    /* The model has no dual-monitor treatment of SMIs and SMM, so there is no SMM monitor to call. */
    return vmx_done_fail(vmx, VMX_ERROR_VMCALL_IN_ROOT_OPERATION);
}
