/* page_write.c: SDM "APIC-Write Emulation" and "APIC-Write VM Exits". */
#include "vmx_model/apic/virtual_apic.h"

void apic_write_exit(struct vmx *vmx, unsigned offset)
{
    vmx->trap_exit = (struct vm_exit){.reason = EXIT_REASON_APIC_WRITE, .qualification = offset};
    vmx->trap_exit_pending = true;
}

/* Fixed, edge-triggered, to self, with a legal vector. */
static bool is_self_ipi(uint32_t icr)
{
    const uint32_t judged =
        ICR_RESERVED | ICR_DELIVERY_STATUS | ICR_SHORTHAND | ICR_LEVEL_TRIGGERED | ICR_DELIVERY_MODE;
    return (icr & judged) == ICR_SHORTHAND_SELF && (icr & 0xf0);
}

static void emulate_icr_write(struct vmx *vmx)
{
    const uint32_t icr = virtual_apic_read(vmx, VAPIC_ICR_LO);
    if (has_secondary(vmx, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY) && is_self_ipi(icr))
        virtualize_self_ipi(vmx, (uint8_t)icr);
    else if (vmcs_ipi_virtualization(&vmx->vmcs) && is_virtual_ipi(icr))
        virtualize_ipi(vmx, (uint8_t)icr, virtual_apic_read(vmx, VAPIC_ICR_HI) >> 24);
    else
        apic_write_exit(vmx, VAPIC_ICR_LO);
}

static void emulate_eoi_write(struct vmx *vmx)
{
    if (!has_secondary(vmx, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)) {
        apic_write_exit(vmx, VAPIC_EOI);
        return;
    }
    virtual_apic_write(vmx, VAPIC_EOI, 0);
    virtualize_eoi(vmx);
}

/* The SDM names 080H, 0B0H and 300H as page offsets and 310H to 313H as a range: a write that begins inside
 * one of the former registers (possible with "APIC-register virtualization") is "any other page offset". */
void vmx_emulate_apic_write(struct vmx *vmx)
{
    const unsigned offset = vmx->apic_write.offset;
    vmx->apic_write = (struct vmx_apic_write){0};
    switch (offset) {
    case VAPIC_TPR:
        virtual_apic_write(vmx, VAPIC_TPR, virtual_apic_read(vmx, VAPIC_TPR) & 0xff);
        virtualize_tpr(vmx);
        break;
    case VAPIC_EOI:
        emulate_eoi_write(vmx);
        break;
    case VAPIC_ICR_LO:
        emulate_icr_write(vmx);
        break;
    case VAPIC_ICR_HI:
    case VAPIC_ICR_HI + 1:
    case VAPIC_ICR_HI + 2:
    case VAPIC_ICR_HI + 3:
        virtual_apic_write(vmx, VAPIC_ICR_HI, virtual_apic_read(vmx, VAPIC_ICR_HI) & 0xff000000u);
        break;
    default:
        apic_write_exit(vmx, offset);
        break;
    }
}
