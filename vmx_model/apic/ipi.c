/* ipi.c: SDM "IPI Virtualization". */
#include "vmx_model/apic/virtual_apic.h"

#define PID_POINTER_VALID 1u /* bits 5:0 must be this */
#define PID_NOTIFICATION 32u /* byte of the descriptor: NotifyInfo */
#define NOTIFY_OUTSTANDING (1ull << 0)
#define NOTIFY_SUPPRESSED (1ull << 1)
#define NOTIFY_VECTOR_SHIFT 16
#define NOTIFY_DESTINATION_SHIFT 32
#define FIRST_LEGAL_VECTOR 16u

/* The descriptor of a virtual APIC ID. False: the table ends before it, or its entry is not fit. */
static bool find_descriptor(const struct vmx *vmx, uint32_t id, uint64_t *descriptor)
{
    const struct vmcs *v = &vmx->vmcs;
    if (id > v->last_pid_pointer_index)
        return false;
    const uint64_t entry = phys_read64(vmx->mem, v->pid_pointer_table_address + ((uint64_t)id << 3));
    *descriptor = entry & ~0x3full;
    return (entry & 0x3f) == PID_POINTER_VALID && !(entry >> vmx->profile->physical_address_bits);
}

static void post(const struct vmx *vmx, uint64_t descriptor, uint8_t vector)
{
    const uint64_t word = descriptor + (vector >> 3 & ~3u);
    phys_write(vmx->mem, word, phys_read(vmx->mem, word, 4) | 1u << (vector & 31), 4);
}

void virtualize_ipi(struct vmx *vmx, uint8_t vector, uint32_t id)
{
    uint64_t descriptor;
    if (vector < FIRST_LEGAL_VECTOR || !find_descriptor(vmx, id, &descriptor)) {
        apic_write_exit(vmx, VAPIC_ICR_LO);
        return;
    }
    post(vmx, descriptor, vector);
    const uint64_t notify = phys_read64(vmx->mem, descriptor + PID_NOTIFICATION);
    if (notify & (NOTIFY_OUTSTANDING | NOTIFY_SUPPRESSED))
        return;
    phys_write64(vmx->mem, descriptor + PID_NOTIFICATION, notify | NOTIFY_OUTSTANDING);
    vmx->ops->send_notification(vmx->opaque, (uint32_t)(notify >> NOTIFY_DESTINATION_SHIFT),
                                (uint8_t)(notify >> NOTIFY_VECTOR_SHIFT));
}

/* Fixed, edge-triggered, physical, without shorthand. */
bool is_virtual_ipi(uint32_t icr)
{
    return !(icr & (ICR_RESERVED | ICR_DELIVERY_STATUS | ICR_SHORTHAND | ICR_LEVEL_TRIGGERED | ICR_LOGICAL |
                    ICR_DELIVERY_MODE));
}
