/* vmptrst.c: SDM "VMPTRST - Store Pointer to Virtual-Machine Control Structure". */
#include "vmx_model/instructions/instructions.h"

struct cpu_outcome vmx_instruction_vmptrst(struct vmx *vmx, const struct insn *insn)
{
    struct cpu_outcome fault;

    /* Without a current VMCS that is FFFFFFFF_FFFFFFFFH, VMX_NO_VMCS. */
    if (!mmu_write_operand(vmx->mmu, vmx->state, insn, &vmx->current_vmcs, sizeof(vmx->current_vmcs), &fault))
        return fault;
    return vmx_done_succeed(vmx);
}
