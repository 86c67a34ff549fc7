/* msr_access.c: SDM "Virtualizing MSR-Based APIC Accesses". */
#include "vmx_model/apic/virtual_apic.h"

enum {
    MSR_FIRST = 0x800,
    MSR_LAST = 0x8ff,
    MSR_TPR = 0x808,
    MSR_EOI = 0x80b,
    MSR_ICR = 0x830,
    MSR_SELF_IPI = 0x83f
};

static bool is_virtualized(const struct vmx *vmx, uint32_t index)
{
    return vmx->non_root && index >= MSR_FIRST && index <= MSR_LAST &&
           (vmx->vmcs.primary_proc_based_controls & PRIMARY_USE_TPR_SHADOW) &&
           has_secondary(vmx, SECONDARY_VIRTUALIZE_X2APIC_MODE);
}

static uint64_t address_of(const struct vmx *vmx, uint32_t index)
{
    return vmx->vmcs.virtual_apic_address + ((index & 0xff) << 4);
}

enum vmx_msr_access vmx_read_virtual_apic_msr(const struct vmx *vmx, uint32_t index, uint64_t *value)
{
    if (!is_virtualized(vmx, index) ||
        (index != MSR_TPR && !has_secondary(vmx, SECONDARY_APIC_REGISTER_VIRTUALIZATION)))
        return VMX_MSR_NORMAL;
    *value = phys_read64(vmx->mem, address_of(vmx, index));
    return VMX_MSR_VIRTUALIZED;
}

static enum vmx_msr_access store(const struct vmx *vmx, uint32_t index, uint64_t value, uint64_t reserved)
{
    if (value & reserved)
        return VMX_MSR_FAULTS;
    phys_write64(vmx->mem, address_of(vmx, index), value);
    return VMX_MSR_VIRTUALIZED;
}

static enum vmx_msr_access write_self_ipi(struct vmx *vmx, uint64_t value)
{
    const enum vmx_msr_access result = store(vmx, MSR_SELF_IPI, value, ~0xffull);
    if (result != VMX_MSR_VIRTUALIZED)
        return result;
    if (value & 0xf0)
        virtualize_self_ipi(vmx, (uint8_t)value);
    else
        apic_write_exit(vmx, VAPIC_SELF_IPI);
    return result;
}

/* Bits 31:20, 17:16 and 13 fault; that bit 12 is set is found afterwards. */
static enum vmx_msr_access write_icr(struct vmx *vmx, uint64_t value)
{
    const enum vmx_msr_access result = store(vmx, MSR_ICR, value, ICR_RESERVED);
    if (result != VMX_MSR_VIRTUALIZED)
        return result;
    if (is_virtual_ipi((uint32_t)value))
        virtualize_ipi(vmx, (uint8_t)value, (uint32_t)(value >> 32));
    else
        apic_write_exit(vmx, VAPIC_ICR_LO);
    return result;
}

enum vmx_msr_access vmx_write_virtual_apic_msr(struct vmx *vmx, uint32_t index, uint64_t value)
{
    enum vmx_msr_access result = VMX_MSR_NORMAL;
    if (!is_virtualized(vmx, index))
        return result;
    const bool delivery = has_secondary(vmx, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
    if (index == MSR_TPR) {
        result = store(vmx, index, value, ~0xffull);
        if (result == VMX_MSR_VIRTUALIZED)
            virtualize_tpr(vmx);
    } else if (index == MSR_EOI && delivery) {
        result = store(vmx, index, value, ~0ull);
        if (result == VMX_MSR_VIRTUALIZED)
            virtualize_eoi(vmx);
    } else if (index == MSR_SELF_IPI && delivery) {
        result = write_self_ipi(vmx, value);
    } else if (index == MSR_ICR && vmcs_ipi_virtualization(&vmx->vmcs)) {
        result = write_icr(vmx, value);
    }
    return result;
}
