/* fixed_bits.c: CR0 and CR4 bits that VMX operation fixes: SDM "Restrictions on VMX Operation". */
#include "vmx_model/capabilities.h"
#include "vmx_model/effective_controls.h"
#include "vmx_model/vmx.h"

bool vmx_cr_allowed(const struct vmx *vmx, unsigned cr, uint64_t value)
{
    if (!vmx->on)
        return true;
    /* "Unrestricted guest" frees CR0.PE and CR0.PG in non-root operation. (PG without PE faults by itself.)
     */
    if (cr == 0 && vmx->non_root && vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_UNRESTRICTED_GUEST)
        value |= CR0_PE | CR0_PG;
    return vmx_cr_fixed_bits_ok(&vmx->profile->vmx, cr, value);
}
