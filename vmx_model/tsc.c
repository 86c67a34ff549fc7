/* tsc.c: the time-stamp counter that software sees. SDM "Changes to Instruction Behavior in VMX Non-Root
 * Operation", RDTSC, RDTSCP and RDMSR of IA32_TIME_STAMP_COUNTER; "Time-Stamp Counter Offset and
 * Multiplier". */
#include "vmx_model/effective_controls.h"
#include "vmx_model/vmx.h"

/* The product has 128 bits; the multiplier's binary point lies below its bit 48. */
static uint64_t scaled(uint64_t tsc, uint64_t multiplier)
{
    return (uint64_t)((unsigned __int128)tsc * multiplier >> 48);
}

/* Of no effect by itself: "use TSC offsetting" asks for it. */
static bool scales(const struct vmcs *v)
{
    return (vmcs_secondary_controls(v) & SECONDARY_USE_TSC_SCALING) != 0;
}

uint64_t vmx_tsc(const struct vmx *vmx)
{
    const uint64_t tsc = vmx->account->now + vmx->state->tsc_offset_root;
    if (vmx->non_root && (vmx->vmcs.primary_proc_based_controls & PRIMARY_USE_TSC_OFFSETTING))
        return (scales(&vmx->vmcs) ? scaled(tsc, vmx->vmcs.tsc_multiplier) : tsc) + vmx->vmcs.tsc_offset;
    return tsc;
}
