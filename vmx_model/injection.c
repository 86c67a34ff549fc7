/* injection.c: the event that a VM entry injects. SDM "Event Injection" and "Special Features of VM Entry".
 */
#include "vmx_model/effective_controls.h"
#include "vmx_model/transition.h"

static enum cpu_event_type injected_type(uint32_t information)
{
    return (enum cpu_event_type)((information & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT);
}

static bool is_software(enum cpu_event_type type)
{
    return type == EVENT_SOFTWARE_INTERRUPT || type == EVENT_SOFTWARE_EXCEPTION ||
           type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION;
}

bool vmx_entry_is_vectoring(const struct vmcs *v)
{
    const uint32_t information = v->vm_entry_interruption_information;
    return (information & INTERRUPTION_VALID) && injected_type(information) != EVENT_OTHER;
}

uint64_t vmx_entry_pending_debug_exceptions(const struct vmcs *v)
{
    const uint64_t pending = v->guest_pending_debug_exceptions;
    if (!pending)
        return 0;
    if (vmx_entry_is_vectoring(v)) {
        /* Injected INT n, INT3 and INTO behave as if executed after the MOV SS that met the debug trap. */
        const enum cpu_event_type type = injected_type(v->vm_entry_interruption_information);
        const bool after_mov_ss = (v->guest_interruptibility_state & BLOCKING_BY_MOV_SS) != 0;
        if (!after_mov_ss || (type != EVENT_SOFTWARE_INTERRUPT && type != EVENT_SOFTWARE_EXCEPTION))
            return 0;
    } else if (v->guest_activity_state == ACTIVITY_SHUTDOWN ||
               v->guest_activity_state == ACTIVITY_WAIT_FOR_SIPI) {
        return 0;
    }
    /* Valid only with BS or the enabled-breakpoint bit; else nothing is delivered. */
    return pending & (PENDING_DEBUG_BS | PENDING_DEBUG_ENABLED_BREAKPOINT) ? pending : 0;
}

/* SDM "Details of Vectored-Event Injection" and "Interruptibility State": with "virtual NMIs" an injected NMI
 * puts virtual-NMI blocking into effect; without, its delivery blocks NMIs as any NMI's does. */
static void block_nmis(struct vmx *vmx)
{
    if (vmx->vmcs.pin_based_controls & PIN_VIRTUAL_NMIS)
        vmx->virtual_nmi_blocking = true;
    else
        vmx->state->interruptibility_state |= BLOCKING_BY_NMI;
}

void vmx_load_injection(struct vmx *vmx)
{
    const struct vmcs *v = &vmx->vmcs;
    const uint32_t information = v->vm_entry_interruption_information;
    vmx->injection_valid = vmx_entry_is_vectoring(v);
    /* SDM "Injection of Pending MTF VM Exits": whatever the control says. */
    vmx->monitor_trap = (v->primary_proc_based_controls & PRIMARY_MONITOR_TRAP_FLAG) != 0;
    vmx->monitor_trap_due = (information & INTERRUPTION_VALID) && !vmx->injection_valid;
    vmx->bus_lock_due = false;
    vmx->bus_lock_detection = (vmcs_secondary_controls(v) & SECONDARY_VMM_BUS_LOCK_DETECTION) != 0;
    vmx->pause_seen = false;
    if (!vmx->injection_valid)
        return;
    const enum cpu_event_type type = injected_type(information);
    const bool has_error_code = (information & INTERRUPTION_ERROR_CODE) != 0;
    vmx->injection = (struct cpu_event){
        .vector = information & INTERRUPTION_VECTOR,
        .type = (uint8_t)type,
        .has_error_code = has_error_code,
        .error_code = has_error_code ? v->vm_entry_exception_error_code : 0,
        .cr2 = vmx->state->cr2, /* injection of a page fault leaves CR2 alone */
        .instruction_length = is_software(type) ? (uint8_t)v->vm_entry_instruction_length : 0,
    };
    if (type == EVENT_NMI)
        block_nmis(vmx);
}
