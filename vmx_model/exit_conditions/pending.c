/* pending.c: VM exits that come between two instructions by themselves. SDM "Other Causes of VM Exits" and
 * "Special Features of VM Entry". */
#include "vmx_model/exit_conditions/exit_conditions.h"

static bool preemption_timer_expired(const struct vmx *vmx)
{
    return vmx->preemption_timer_on && vmx->account->now >= vmx->preemption_deadline;
}

static bool is_blocked_by_sti_or_mov_ss(const struct cpu_state *s)
{
    return (s->interruptibility_state & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) != 0;
}

static bool nmi_window_open(const struct vmx *vmx)
{
    return (vmx->vmcs.primary_proc_based_controls & PRIMARY_NMI_WINDOW_EXITING) &&
           !vmx->virtual_nmi_blocking && !is_blocked_by_sti_or_mov_ss(vmx->state);
}

static bool interrupt_window_open(const struct vmx *vmx)
{
    const struct cpu_state *s = vmx->state;
    return (vmx->vmcs.primary_proc_based_controls & PRIMARY_INTERRUPT_WINDOW_EXITING) &&
           (s->rflags & RFLAGS_IF) && !is_blocked_by_sti_or_mov_ss(s) &&
           s->activity_state != ACTIVITY_SHUTDOWN;
}

/* Timer before NMI window before interrupt window. Pending debug exceptions go before all of them; an NMI
 * goes before the interrupt window only. None comes before the event that VM entry injects. */
static bool exit_is_pending(const struct vmx *vmx, uint32_t *reason)
{
    if (!vmx->non_root || vmx->injection_valid || vmx->state->activity_state == ACTIVITY_WAIT_FOR_SIPI)
        return false;
    if (preemption_timer_expired(vmx))
        *reason = EXIT_REASON_PREEMPTION_TIMER_EXPIRED;
    else if (nmi_window_open(vmx))
        *reason = EXIT_REASON_NMI_WINDOW;
    else if (interrupt_window_open(vmx))
        *reason = EXIT_REASON_INTERRUPT_WINDOW;
    else
        return false;
    return true;
}

bool vmx_pending_exit(struct vmx *vmx, struct vm_exit *exit)
{
    uint32_t reason;
    if (!exit_is_pending(vmx, &reason))
        return false;
    *exit = (struct vm_exit){.reason = reason};
    return true;
}

uint64_t vmx_next_deadline(const struct vmx *vmx)
{
    uint32_t reason;
    if (!vmx->non_root || vmx->state->activity_state == ACTIVITY_WAIT_FOR_SIPI)
        return UINT64_MAX;
    if (exit_is_pending(vmx, &reason))
        return vmx->account->now;
    return vmx->preemption_timer_on ? vmx->preemption_deadline : UINT64_MAX;
}
