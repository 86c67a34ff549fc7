/* vmptrld.c: SDM "VMPTRLD - Load Pointer to Virtual-Machine Control Structure". */
#include "vmx_model/capabilities.h"
#include "vmx_model/instructions/instructions.h"

/* Revision identifier of this processor; shadow-VMCS indicator only with "VMCS shadowing". */
static bool identifier_supported(const struct vmx_capabilities *caps, uint32_t identifier)
{
    if ((identifier & ~VMCS_REGION_SHADOW) != (caps->basic & VMX_BASIC_REVISION))
        return false;
    return !(identifier & VMCS_REGION_SHADOW) ||
           vmx_controls_may_be_1(caps, VMX_SECONDARY) & SECONDARY_VMCS_SHADOWING;
}

struct cpu_outcome vmx_instruction_vmptrld(struct vmx *vmx, const struct insn *insn)
{
    struct cpu_outcome fault;
    uint64_t address;
    uint32_t identifier;

    if (!mmu_read_operand(vmx->mmu, vmx->state, insn, &address, sizeof(address), &fault))
        return fault;
    if (!vmx_vmcs_pointer_valid(vmx->profile, address))
        return vmx_done_fail(vmx, VMX_ERROR_VMPTRLD_INVALID_PHYSICAL_ADDRESS);
    if (address == vmx->vmxon_pointer)
        return vmx_done_fail(vmx, VMX_ERROR_VMPTRLD_VMXON_POINTER);
    identifier = vmcs_region_identifier(vmx->mem, address);
    if (!identifier_supported(&vmx->profile->vmx, identifier))
        return vmx_done_fail(vmx, VMX_ERROR_VMPTRLD_INCORRECT_REVISION);

    vmx_tell(vmx, VMX_WATCH_VMPTRLD, address);
    if (address != vmx->current_vmcs) {
        if (vmx->current_vmcs != VMX_NO_VMCS)
            vmcs_region_store(vmx->mem, vmx->current_vmcs, &vmx->vmcs);
        vmcs_region_load(vmx->mem, address, &vmx->vmcs);
        vmx->current_vmcs = address;
        vmx->controls_changed = true;
        vmx->current_vmcs_is_shadow = (identifier & VMCS_REGION_SHADOW) != 0;
    }
    return vmx_done_succeed(vmx);
}
