/* cr8.c: SDM "Virtualizing CR8-Based TPR Accesses". */
#include "vmx_model/apic/virtual_apic.h"

bool vmx_virtualizes_cr8(const struct vmx *vmx)
{
    return vmx->non_root && (vmx->vmcs.primary_proc_based_controls & PRIMARY_USE_TPR_SHADOW);
}

uint64_t vmx_read_virtual_cr8(const struct vmx *vmx)
{
    return virtual_apic_read(vmx, VAPIC_TPR) >> 4 & 0xf;
}

void vmx_write_virtual_cr8(struct vmx *vmx, uint64_t value)
{
    virtual_apic_write(vmx, VAPIC_TPR, (uint32_t)(value & 0xf) << 4);
    virtualize_tpr(vmx);
}
