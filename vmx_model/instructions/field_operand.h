/* field_operand.h: the field that VMREAD or VMWRITE names, if this processor has it, in the VMCS that the
 * instruction accesses: the current one, or in VMX non-root operation the shadow VMCS that its link pointer
 * names. */
#ifndef VTSIM_VMX_MODEL_FIELD_OPERAND_H
#define VTSIM_VMX_MODEL_FIELD_OPERAND_H

#include "vmx_model/vmx.h"

/* Null: "source operand does not correspond to any VMCS field". In 64-bit mode all 64 bits of the operand
 * count: SDM "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
static inline const struct vmcs_field_info *vmx_field_operand(const struct vmx *vmx, uint64_t encoding)
{
    const struct vmcs_field_info *field = encoding >> 32 ? NULL : vmcs_field((uint32_t)encoding);

    return field && vmcs_field_exists(field, &vmx->profile->vmx) ? field : NULL;
}

/* Is there a VMCS to access? */
static inline bool vmx_accessed_vmcs_valid(const struct vmx *vmx)
{
    return vmx->non_root ? vmx->vmcs.vmcs_link_pointer != UINT64_MAX : vmx->current_vmcs != VMX_NO_VMCS;
}

static inline uint64_t vmx_accessed_vmcs_read(const struct vmx *vmx, const struct vmcs_field_info *field,
                                              uint32_t encoding)
{
    if (vmx->non_root)
        return vmcs_region_read(vmx->mem, vmx->vmcs.vmcs_link_pointer, field, encoding);
    return vmcs_read_encoding(&vmx->vmcs, field, encoding);
}

static inline void vmx_accessed_vmcs_write(struct vmx *vmx, const struct vmcs_field_info *field,
                                           uint32_t encoding, uint64_t value)
{
    if (vmx->non_root)
        vmcs_region_write(vmx->mem, vmx->vmcs.vmcs_link_pointer, field, encoding, value);
    else
        vmcs_write_encoding(&vmx->vmcs, field, encoding, value);
}

#endif
