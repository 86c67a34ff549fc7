/* vmwrite.c: SDM "VMWRITE - Write Field to Virtual-Machine Control Structure". */
#include "vmx_model/capabilities.h"
#include "vmx_model/instructions/field_operand.h"
#include "vmx_model/instructions/instructions.h"

/* The controls whose checks a VM entry may leave out while they do not change. */
static bool is_major_control(const struct vmcs_field_info *field)
{
    static const uint16_t major[] = {0x4000, 0x4002, 0x401e, 0x400c,
                                     0x4012}; /* pin-based, processor-based, exit, entry */
    for (size_t i = 0; i < sizeof major / sizeof major[0]; i++)
        if (field->encoding == major[i])
            return true;
    return false;
}

struct cpu_outcome vmx_instruction_vmwrite(struct vmx *vmx, const struct insn *insn)
{
    const struct vmcs_field_info *field;
    uint64_t encoding = vmx_register_operand(vmx, insn->reg);
    uint64_t value = 0; /* a 32-bit operand clears the high bits of a longer field */
    struct cpu_outcome fault;

    if (!vmx_accessed_vmcs_valid(vmx))
        return vmx_done_fail_invalid(vmx);
    /* Faults of the operand come before the field is looked at (unlike VMREAD's). */
    if (!insn->is_memory)
        value = vmx_register_operand(vmx, insn->rm);
    else if (!mmu_read_operand(vmx->mmu, vmx->state, insn, &value, vmx_operand_size(vmx), &fault))
        return fault;

    field = vmx_field_operand(vmx, encoding);
    if (!field)
        return vmx_done_fail(vmx, VMX_ERROR_UNSUPPORTED_VMCS_COMPONENT);
    if (field->access == VMCS_RO && !(vmx->profile->vmx.misc & VMX_MISC_VMWRITE_ALL))
        return vmx_done_fail(vmx, VMX_ERROR_VMWRITE_READ_ONLY_COMPONENT);

    vmx_tell(vmx, VMX_WATCH_FIELD, encoding);
    vmx->controls_changed |= !vmx->non_root && is_major_control(field);
    vmx_accessed_vmcs_write(vmx, field, (uint32_t)encoding, value);
    return vmx_done_succeed(vmx);
}
