/* vmxon.c: SDM "VMXON - Enter VMX Operation". */
#include "vmx_model/capabilities.h"
#include "vmx_model/instructions/instructions.h"

#define FEATURE_CONTROL_LOCK 1u
#define FEATURE_CONTROL_VMXON_OUTSIDE_SMX 4u

/* The conditions of the processor's state. A20M and SMX operation do not exist in the model. */
static bool state_allows_vmxon(const struct vmx *vmx)
{
    const struct cpu_state *state = vmx->state;
    const struct vmx_capabilities *caps = &vmx->profile->vmx;
    uint64_t needed = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON_OUTSIDE_SMX;

    return vmx_cr_fixed_bits_ok(caps, 0, state->cr0) && vmx_cr_fixed_bits_ok(caps, 4, state->cr4) &&
           (state->msr.feature_control & needed) == needed;
}

struct cpu_outcome vmx_instruction_vmxon(struct vmx *vmx, const struct insn *insn)
{
    struct cpu_outcome fault;
    uint64_t address;

    if (vmx->on)
        return vmx_done_fail(vmx, VMX_ERROR_VMXON_IN_ROOT_OPERATION);
    if (!state_allows_vmxon(vmx))
        return outcome_fault_code(VECTOR_GP, 0);
    if (!mmu_read_operand(vmx->mmu, vmx->state, insn, &address, sizeof(address), &fault))
        return fault;
    if (!vmx_vmcs_pointer_valid(vmx->profile, address))
        return vmx_done_fail_invalid(vmx);
    /* Bit 31 must be clear too: the whole word is compared. */
    if (vmcs_region_identifier(vmx->mem, address) != (vmx->profile->vmx.basic & VMX_BASIC_REVISION))
        return vmx_done_fail_invalid(vmx);

    vmx->on = true;
    vmx->non_root = vmx->monitoring = false;
    vmx->vmxon_pointer = address;
    vmx->current_vmcs = VMX_NO_VMCS;
    vmx_tell(vmx, VMX_WATCH_VMXON, address);
    return vmx_done_succeed(vmx);
}
