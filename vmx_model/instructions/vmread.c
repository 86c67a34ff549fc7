/* vmread.c: SDM "VMREAD - Read Field from Virtual-Machine Control Structure". */
#include "vmx_model/instructions/field_operand.h"
#include "vmx_model/instructions/instructions.h"

struct cpu_outcome vmx_instruction_vmread(struct vmx *vmx, const struct insn *insn)
{
    const struct vmcs_field_info *field;
    uint64_t encoding = vmx_register_operand(vmx, insn->reg);
    unsigned size = vmx_operand_size(vmx);
    struct cpu_outcome fault;
    uint64_t value;

    if (!vmx_accessed_vmcs_valid(vmx))
        return vmx_done_fail_invalid(vmx);
    field = vmx_field_operand(vmx, encoding);
    if (!field)
        return vmx_done_fail(vmx, VMX_ERROR_UNSUPPORTED_VMCS_COMPONENT);

    vmx_tell(vmx, VMX_WATCH_FIELD, encoding);
    value = vmx_accessed_vmcs_read(vmx, field, (uint32_t)encoding);
    if (insn->is_memory) {
        if (!mmu_write_operand(vmx->mmu, vmx->state, insn, &value, size, &fault))
            return fault;
    } else {
        vmx->state->gpr[insn->rm] = size == 8 ? value : (uint32_t)value;
    }
    return vmx_done_succeed(vmx);
}
