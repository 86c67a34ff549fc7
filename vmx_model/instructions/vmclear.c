/* vmclear.c: SDM "VMCLEAR - Clear Virtual-Machine Control Structure". */
#include "vmx_model/capabilities.h"
#include "vmx_model/instructions/instructions.h"

struct cpu_outcome vmx_instruction_vmclear(struct vmx *vmx, const struct insn *insn)
{
    struct cpu_outcome fault;
    uint64_t address;

    if (!mmu_read_operand(vmx->mmu, vmx->state, insn, &address, sizeof(address), &fault))
        return fault;
    if (!vmx_vmcs_pointer_valid(vmx->profile, address))
        return vmx_done_fail(vmx, VMX_ERROR_VMCLEAR_INVALID_PHYSICAL_ADDRESS);
    if (address == vmx->vmxon_pointer)
        return vmx_done_fail(vmx, VMX_ERROR_VMCLEAR_VMXON_POINTER);

    vmx_tell(vmx, VMX_WATCH_VMCLEAR, address);
    /* Only the current VMCS has data on the processor; those of every other are in memory. */
    if (address == vmx->current_vmcs) {
        vmx->vmcs.launched = false;
        vmcs_region_store(vmx->mem, address, &vmx->vmcs);
        vmx->current_vmcs = VMX_NO_VMCS;
    } else {
        vmcs_region_clear_launch_state(vmx->mem, address);
    }
    return vmx_done_succeed(vmx);
}
