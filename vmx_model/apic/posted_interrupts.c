/* posted_interrupts.c: SDM "Posted-Interrupt Processing". */
#include "vmx_model/apic/virtual_apic.h"

#define DESCRIPTOR_NOTIFICATION 32u /* byte of the outstanding-notification bit */
#define OUTSTANDING_NOTIFICATION 1u

bool vmx_posts_interrupts(const struct vmx *vmx)
{
    return vmx->non_root && (vmx->vmcs.pin_based_controls & PIN_PROCESS_POSTED_INTERRUPTS);
}

/* Steps 5 and 6: PIR into VIRR and RVI. */
static void take_requests(struct vmx *vmx)
{
    const uint64_t descriptor = vmx->vmcs.posted_interrupt_descriptor_address;
    for (unsigned word = 0; word < 8; word++) {
        const uint32_t requests = (uint32_t)phys_read(vmx->mem, descriptor + word * 4ull, 4);
        const unsigned offset = VAPIC_IRR + word * 0x10;
        if (!requests)
            continue;
        phys_write(vmx->mem, descriptor + word * 4ull, 0, 4);
        virtual_apic_write(vmx, offset, virtual_apic_read(vmx, offset) | requests);
        const uint8_t highest = (uint8_t)(word * 32 + 31 - (unsigned)__builtin_clz(requests));
        if (highest > guest_rvi(vmx))
            set_guest_rvi(vmx, highest);
    }
}

bool vmx_process_posted_interrupts(struct vmx *vmx, uint8_t vector)
{
    const struct vmcs *v = &vmx->vmcs;
    if (vector != (v->posted_interrupt_notification_vector & 0xff))
        return false;
    const uint64_t notification = v->posted_interrupt_descriptor_address + DESCRIPTOR_NOTIFICATION;
    const uint64_t flags = phys_read(vmx->mem, notification, 1);
    phys_write(vmx->mem, notification, flags & ~(uint64_t)OUTSTANDING_NOTIFICATION, 1);
    vmx->ops->end_of_interrupt(vmx->opaque);
    take_requests(vmx);
    evaluate_virtual_interrupts(vmx);
    return true;
}
