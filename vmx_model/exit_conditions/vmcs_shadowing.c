/* vmcs_shadowing.c: VMREAD and VMWRITE. SDM "Instructions That Cause VM Exits Conditionally", "VMCS Shadowing
 * Bitmap Addresses". */
#include "vmx_model/effective_controls.h"
#include "vmx_model/exit_conditions/exit_conditions.h"

/* Both bitmaps have a bit for each value of bits 14:0 of the operand that names the field. */
static bool intercepted(const struct vmx *vmx, const struct insn *insn, uint64_t bitmap)
{
    if (!(vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_VMCS_SHADOWING))
        return true;
    const uint64_t encoding =
        vmx_exit_low_bits(vmx->state->gpr[insn->reg], cpu_64bit_mode(vmx->state) ? 64 : 32);
    return encoding >> 15 || (phys_read(vmx->mem, bitmap | encoding >> 3, 1) >> (encoding & 7) & 1);
}

bool vmx_exit_vmread(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)exit;
    return intercepted(vmx, insn, vmx->vmcs.vmread_bitmap_address);
}

bool vmx_exit_vmwrite(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)exit;
    return intercepted(vmx, insn, vmx->vmcs.vmwrite_bitmap_address);
}
