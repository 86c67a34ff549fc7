/* vmfunc.c: SDM "VM Functions": "General Operation of the VMFUNC Instruction" and "EPTP Switching". */
#include "vmx_model/capabilities.h"
#include "vmx_model/effective_controls.h"
#include "vmx_model/instructions/instructions.h"

enum { HIGHEST_VM_FUNCTION = 63, EPTP_SWITCHING = 0, EPTP_LIST_ENTRIES = 512 };

#define EPTP_WALK_LENGTH (7ull << 3)

static struct cpu_outcome vm_exit(const struct insn *insn)
{
    return outcome_vm_exit(
        &(struct vm_exit){.reason = EXIT_REASON_VMFUNC, .instruction_length = insn->length});
}

/* Would VM entry take it, and has it the walk length of the current one? */
static bool valid_for_switching(const struct vmx *vmx, uint64_t eptp)
{
    return !((eptp ^ vmx->vmcs.ept_pointer) & EPTP_WALK_LENGTH) && vmx_ept_pointer_valid(vmx->profile, eptp);
}

static struct cpu_outcome switch_eptp(struct vmx *vmx, const struct insn *insn)
{
    struct vmcs *v = &vmx->vmcs;
    const uint32_t index = (uint32_t)vmx->state->gpr[GPR_RCX];
    uint64_t eptp;

    if (index >= EPTP_LIST_ENTRIES)
        return vm_exit(insn);
    eptp = phys_read64(vmx->mem, v->eptp_list_address + 8ull * index);
    if (!valid_for_switching(vmx, eptp))
        return vm_exit(insn);
    v->ept_pointer = eptp;
    if (vmx_controls_may_be_1(&vmx->profile->vmx, VMX_SECONDARY) & SECONDARY_EPT_VIOLATION_VE)
        v->eptp_index = (uint16_t)index;
    if (!vmcs_vpid_enabled(v))
        mmu_flush_vpid(vmx->mmu, 0, false, FLUSH_VMFUNC);
    /* With PAE paging the PDPTE registers stay as they are. */
    vmx_update_regime(vmx);
    return outcome_of(OUTCOME_DONE); /* RFLAGS is not changed */
}

struct cpu_outcome vmx_instruction_vmfunc(struct vmx *vmx, const struct insn *insn)
{
    const uint32_t function = (uint32_t)vmx->state->gpr[GPR_RAX];

    if (!(vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_ENABLE_VM_FUNCTIONS) ||
        function > HIGHEST_VM_FUNCTION)
        return outcome_fault(VECTOR_UD);
    /* VM entry lets no other function be enabled than those that the processor has: EPTP switching. */
    if (function != EPTP_SWITCHING || !(vmcs_vm_functions(&vmx->vmcs) & VM_FUNCTION_EPTP_SWITCHING))
        return vm_exit(insn);
    return switch_eptp(vmx, insn);
}
