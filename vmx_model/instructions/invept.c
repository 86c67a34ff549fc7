/* invept.c: SDM "INVEPT - Invalidate Translations Derived from EPT". */
#include "vmx_model/capabilities.h"
#include "vmx_model/instructions/instructions.h"

enum invept_type { INVEPT_SINGLE_CONTEXT = 1, INVEPT_GLOBAL = 2 };

static bool type_supported(const struct vmx *vmx, uint64_t type)
{
    return (type == INVEPT_SINGLE_CONTEXT || type == INVEPT_GLOBAL) &&
           vmx->profile->vmx.ept_vpid_cap & EPT_CAP_INVEPT_TYPE(type);
}

struct cpu_outcome vmx_instruction_invept(struct vmx *vmx, const struct insn *insn)
{
    uint64_t type = vmx_register_operand(vmx, insn->reg);
    uint64_t descriptor[2]; /* EPTP, reserved */
    struct cpu_outcome fault;

    if (!type_supported(vmx, type))
        return vmx_done_fail(vmx, VMX_ERROR_INVALID_OPERAND_TO_INVEPT_INVVPID);
    if (!mmu_read_operand(vmx->mmu, vmx->state, insn, descriptor, sizeof(descriptor), &fault))
        return fault;
    /* Figure "INVEPT Descriptor": bits 127:64 must be zero. */
    if (descriptor[1])
        return vmx_done_fail(vmx, VMX_ERROR_INVALID_OPERAND_TO_INVEPT_INVVPID);
    vmx_tell(vmx, VMX_WATCH_INVEPT, type);
    if (type == INVEPT_GLOBAL) {
        mmu_flush_all_ept(vmx->mmu);
        return vmx_done_succeed(vmx);
    }
    if (!vmx_ept_pointer_valid(vmx->profile, descriptor[0]))
        return vmx_done_fail(vmx, VMX_ERROR_INVALID_OPERAND_TO_INVEPT_INVVPID);
    mmu_flush_ept(vmx->mmu, descriptor[0]);
    return vmx_done_succeed(vmx);
}
