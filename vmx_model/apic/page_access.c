/* page_access.c: accesses to the APIC-access page: virtualized, or a VM exit? SDM "Virtualizing Memory-Mapped
 * APIC Accesses". */
#include "vmx_model/apic/virtual_apic.h"

/* What a register of the page allows: with "APIC-register virtualization" (READ, WRITE), with
 * "virtual-interrupt delivery" (DELIVERY), with "IPI virtualization" (IPI), or always (TPR). */
enum { READ = 1, WRITE = 2, ANY_DELIVERY = 4, ANY_IPI = 8, ALWAYS_VIRTUAL = 16 };

/* By page offset / 16: SDM "Virtualizing Reads from the APIC-Access Page" and "Determining Whether a Write
 * Access is Virtualized". */
static const uint8_t registers[0x40] = {
    [VAPIC_ID >> 4] = READ | WRITE,
    [VAPIC_VERSION >> 4] = READ,
    [VAPIC_TPR >> 4] = READ | WRITE | ALWAYS_VIRTUAL,
    [VAPIC_EOI >> 4] = READ | WRITE | ANY_DELIVERY,
    [VAPIC_LDR >> 4] = READ | WRITE,
    [VAPIC_DFR >> 4] = READ | WRITE,
    [VAPIC_SVR >> 4] = READ | WRITE,
    [VAPIC_ISR >> 4 ...(VAPIC_ISR >> 4) + 7] = READ,
    [VAPIC_TMR >> 4 ...(VAPIC_TMR >> 4) + 7] = READ,
    [VAPIC_IRR >> 4 ...(VAPIC_IRR >> 4) + 7] = READ,
    [VAPIC_ESR >> 4] = READ | WRITE,
    [VAPIC_ICR_LO >> 4] = READ | WRITE | ANY_DELIVERY | ANY_IPI,
    [VAPIC_ICR_HI >> 4] = READ | WRITE,
    [VAPIC_LVT_FIRST >> 4 ... VAPIC_LVT_LAST >> 4] = READ | WRITE,
    [VAPIC_TIMER_INITIAL >> 4] = READ | WRITE,
    [VAPIC_TIMER_DIVIDE >> 4] = READ | WRITE,
};

/* The ranges of "APIC-register virtualization" hold any access inside; the other controls name a page offset,
 * at which the access has to begin. */
static bool register_is_virtualized(const struct vmx *vmx, unsigned offset, bool write)
{
    const uint8_t what = offset >> 4 < sizeof registers ? registers[offset >> 4] : 0;
    if (has_secondary(vmx, SECONDARY_APIC_REGISTER_VIRTUALIZATION) && (what & (write ? WRITE : READ)))
        return true;
    if (offset & 3)
        return false;
    if (what & ALWAYS_VIRTUAL)
        return true;
    if ((what & ANY_DELIVERY) && has_secondary(vmx, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY))
        return true;
    return write && (what & ANY_IPI) && vmcs_ipi_virtualization(&vmx->vmcs);
}

/* SDM: "The access is part of an operation for which the processor has already virtualized a write". */
static bool after_virtualized_write(const struct vmx *vmx, unsigned offset, unsigned size, bool write)
{
    const struct vmx_apic_write *before = &vmx->apic_write;
    return before->pending && !(write && before->offset == offset && before->size == size);
}

bool vmx_virtualizes_apic_access(const struct vmx *vmx, unsigned offset, unsigned size,
                                 enum mmu_access access)
{
    const bool write = access == MMU_WRITE;
    if (!(vmx->vmcs.primary_proc_based_controls & PRIMARY_USE_TPR_SHADOW) || access == MMU_FETCH ||
        size > 4 || after_virtualized_write(vmx, offset, size, write))
        return false;
    /* In the low 4 bytes of a naturally aligned 16-byte region. */
    if ((offset & 0xf) + size > 4)
        return false;
    return register_is_virtualized(vmx, offset, write);
}

void vmx_note_virtualized_write(struct vmx *vmx, unsigned offset, unsigned size)
{
    vmx->apic_write =
        (struct vmx_apic_write){.pending = true, .offset = (uint16_t)offset, .size = (uint8_t)size};
}
