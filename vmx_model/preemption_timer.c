/*
 * preemption_timer.c: the VMX-preemption timer. SDM "VMX-Preemption Timer" (of VMX non-root operation and of
 * VM entry).
 *
 * It counts down by 1 whenever bit X of the TSC changes due to an increment, that is whenever TSC >> X grows;
 * X is in IA32_VMX_MISC bits 4:0. The TSC here is the one of the processor: without the VMCS's offset.
 */
#include "vmx_model/transition.h"

static unsigned rate_shift(const struct vmx *vmx)
{
    return (unsigned)(vmx->profile->vmx.misc & 0x1f);
}

static uint64_t processor_tsc(const struct vmx *vmx, uint64_t cycles)
{
    return cycles + vmx->state->tsc_offset_root;
}

void vmx_start_preemption_timer(struct vmx *vmx)
{
    vmx->preemption_timer_on = (vmx->vmcs.pin_based_controls & PIN_ACTIVATE_PREEMPTION_TIMER) != 0;
    if (!vmx->preemption_timer_on)
        return;
    const uint64_t value = vmx->vmcs.vmx_preemption_timer_value;
    const uint64_t tsc = processor_tsc(vmx, vmx->account->now);
    const unsigned shift = rate_shift(vmx);
    /* 0 has expired already: the exit comes before any instruction. */
    const uint64_t wait = value ? (((tsc >> shift) + value) << shift) - tsc : 0;
    vmx->preemption_deadline = vmx->account->now + wait;
}

uint32_t vmx_preemption_timer_left(const struct vmx *vmx)
{
    if (vmx->preemption_deadline <= vmx->account->now)
        return 0;
    const unsigned shift = rate_shift(vmx);
    return (uint32_t)((processor_tsc(vmx, vmx->preemption_deadline) >> shift) -
                      (processor_tsc(vmx, vmx->account->now) >> shift));
}
