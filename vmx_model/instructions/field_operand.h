/* field_operand.h: the field that VMREAD or VMWRITE names, if this processor has it. */
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

#endif
