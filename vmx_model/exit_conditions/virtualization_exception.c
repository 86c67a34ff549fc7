/* virtualization_exception.c: EPT violations that become #VE. SDM "Convertible EPT Violations",
 * "Virtualization-Exception Information". */
#include "vmx_model/effective_controls.h"
#include "vmx_model/exit_conditions/exit_conditions.h"

/* Offsets in the virtualization-exception information area. */
enum {
    AREA_REASON = 0,
    AREA_BUSY = 4, /* all ones until software clears it: until then EPT violations cause VM exits */
    AREA_QUALIFICATION = 8,
    AREA_GUEST_LINEAR = 16,
    AREA_GUEST_PHYSICAL = 24,
    AREA_EPTP_INDEX = 32,
};

static bool converts(const struct vmx *vmx, const struct vm_exit *exit)
{
    const struct vmcs *v = &vmx->vmcs;
    return vmx->non_root && exit->reason == EXIT_REASON_EPT_VIOLATION && exit->convertible &&
           (vmcs_secondary_controls(v) & SECONDARY_EPT_VIOLATION_VE) && !cpu_real_mode(vmx->state) &&
           !(exit->idt_vectoring_information & INTERRUPTION_VALID) &&
           !phys_read(vmx->mem, v->virtualization_exception_information_address + AREA_BUSY, 4);
}

static void save_information(const struct vmx *vmx, const struct vm_exit *exit)
{
    const uint64_t area = vmx->vmcs.virtualization_exception_information_address;
    phys_write(vmx->mem, area + AREA_REASON, exit->reason, 4);
    phys_write(vmx->mem, area + AREA_BUSY, UINT32_MAX, 4);
    phys_write64(vmx->mem, area + AREA_QUALIFICATION, exit->qualification);
    phys_write64(vmx->mem, area + AREA_GUEST_LINEAR, vmx_reported_linear_address(vmx->state, exit));
    phys_write64(vmx->mem, area + AREA_GUEST_PHYSICAL, exit->guest_physical_address);
    phys_write(vmx->mem, area + AREA_EPTP_INDEX, vmx->vmcs.eptp_index, 2);
}

bool vmx_ept_violation_converts(struct vmx *vmx, const struct vm_exit *exit, struct cpu_event *event)
{
    if (!converts(vmx, exit))
        return false;
    save_information(vmx, exit);
    *event = (struct cpu_event){.vector = VECTOR_VE, .type = EVENT_HARDWARE_EXCEPTION};
    return true;
}
