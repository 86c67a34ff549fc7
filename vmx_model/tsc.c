/* tsc.c: the time-stamp counter that software sees. SDM "Changes to Instruction Behavior in VMX Non-Root
 * Operation", RDTSC and RDMSR of IA32_TIME_STAMP_COUNTER. TSC scaling is not modelled and not advertised. */
#include "vmx_model/vmx.h"

uint64_t vmx_tsc(const struct vmx *vmx)
{
    const uint64_t tsc = vmx->account->now + vmx->state->tsc_offset_root;
    if (vmx->non_root && (vmx->vmcs.primary_proc_based_controls & PRIMARY_USE_TSC_OFFSETTING))
        return tsc + vmx->vmcs.tsc_offset;
    return tsc;
}
