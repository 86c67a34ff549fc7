/* boundary.c: VM exits on the boundary after an operation. */
#include "vmx_model/exit_conditions/exit_conditions.h"

/* SDM "Monitor Trap Flag" and "VM Exits Induced by the TPR Threshold": in these states neither comes; what
 * made it pending stays so until an event takes the processor out of the shutdown state. */
static bool held_by_activity_state(const struct vmx *vmx)
{
    const uint32_t activity = vmx->state->activity_state;
    return activity == ACTIVITY_SHUTDOWN || activity == ACTIVITY_WAIT_FOR_SIPI;
}

bool vmx_boundary_due(const struct vmx *vmx)
{
    return vmx->non_root && !vmx->injection_valid &&
           (vmx->apic_write.pending || vmx->bus_lock_due ||
            ((vmx->trap_exit_pending || vmx->monitor_trap_due) && !held_by_activity_state(vmx)));
}

bool vmx_trap_exit(struct vmx *vmx, struct vm_exit *exit)
{
    if (!vmx_boundary_due(vmx))
        return false;
    if (vmx->apic_write.pending)
        vmx_emulate_apic_write(vmx);
    if (vmx->trap_exit_pending)
        *exit = vmx->trap_exit;
    else if (vmx->bus_lock_due)
        *exit = (struct vm_exit){.reason = EXIT_REASON_BUS_LOCK};
    else
        return false;
    return true;
}

/* SDM "Other Causes of VM Exits", bus locks: trap-like, before SMIs and INIT signals. Of two exits that
 * follow one instruction (APIC-write emulation with it) the other one reports the bus lock in bit 26 of the
 * exit reason. */
void vmx_note_bus_lock(struct vmx *vmx)
{
    vmx->bus_lock_due = vmx->non_root && vmx->bus_lock_detection;
}

bool vmx_boundary_exit(struct vmx *vmx, struct vm_exit *exit)
{
    if (vmx_trap_exit(vmx, exit))
        return true;
    if (!vmx_boundary_due(vmx))
        return false;
    *exit = (struct vm_exit){.reason = EXIT_REASON_MONITOR_TRAP_FLAG};
    return true;
}

void vmx_note_operation(struct vmx *vmx)
{
    vmx->monitor_trap_due = vmx->non_root && vmx->monitor_trap;
}
