/* invvpid.c: SDM "INVVPID - Invalidate Translations Based on VPID". */
#include "vmx_model/capabilities.h"
#include "vmx_model/instructions/instructions.h"

enum invvpid_type {
    INVVPID_INDIVIDUAL_ADDRESS = 0,
    INVVPID_SINGLE_CONTEXT = 1,
    INVVPID_ALL_CONTEXTS = 2,
    INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS = 3,
};

static bool type_supported(const struct vmx *vmx, uint64_t type)
{
    return type <= INVVPID_SINGLE_CONTEXT_RETAINING_GLOBALS &&
           vmx->profile->vmx.ept_vpid_cap & EPT_CAP_INVVPID_TYPE(type);
}

/* By the processor's width, not the paging mode's: the VPID may be that of a guest in another mode. */
static bool canonical(const struct vmx *vmx, uint64_t address)
{
    return cpu_canonical(address, vmx->profile->linear_address_bits);
}

static void invalidate(struct vmx *vmx, uint64_t type, uint16_t vpid, uint64_t linear)
{
    if (type == INVVPID_INDIVIDUAL_ADDRESS)
        mmu_flush_vpid_address(vmx->mmu, vpid, linear);
    else if (type == INVVPID_SINGLE_CONTEXT)
        mmu_flush_vpid(vmx->mmu, vpid, false, FLUSH_INVVPID_SINGLE);
    else if (type == INVVPID_ALL_CONTEXTS)
        mmu_flush_all_vpids(vmx->mmu);
    else
        mmu_flush_vpid(vmx->mmu, vpid, true, FLUSH_INVVPID_SINGLE_NONGLOBAL);
}

struct cpu_outcome vmx_instruction_invvpid(struct vmx *vmx, const struct insn *insn)
{
    uint64_t type = vmx_register_operand(vmx, insn->reg);
    uint64_t descriptor[2]; /* VPID and reserved bits, linear address */
    struct cpu_outcome fault;

    if (!type_supported(vmx, type))
        return vmx_done_fail(vmx, VMX_ERROR_INVALID_OPERAND_TO_INVEPT_INVVPID);
    if (!mmu_read_operand(vmx->mmu, vmx->state, insn, descriptor, sizeof(descriptor), &fault))
        return fault;
    if (descriptor[0] >> 16 || (type != INVVPID_ALL_CONTEXTS && !descriptor[0]) ||
        (type == INVVPID_INDIVIDUAL_ADDRESS && !canonical(vmx, descriptor[1])))
        return vmx_done_fail(vmx, VMX_ERROR_INVALID_OPERAND_TO_INVEPT_INVVPID);
    vmx_tell(vmx, VMX_WATCH_INVVPID, type);
    invalidate(vmx, type, (uint16_t)descriptor[0], descriptor[1]);
    return vmx_done_succeed(vmx);
}
