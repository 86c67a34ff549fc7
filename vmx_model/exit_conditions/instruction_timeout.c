/*
 * instruction_timeout.c: how long may the processor be without an instruction boundary? SDM
 * "Instruction-Timeout Control", "Other Causes of VM Exits".
 *
 * The field counts cycles of the core crystal clock. The processor allows some time by itself on top of it,
 * so that 0 is a safe value (hypervisors use it); the SDM does not say how much: see the profile.
 */
#include "vmx_model/effective_controls.h"
#include "vmx_model/exit_conditions/exit_conditions.h"

bool vmx_instruction_deadline(const struct vmx *vmx, uint64_t since, uint64_t *deadline)
{
    if (!vmx->non_root || !(vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_INSTRUCTION_TIMEOUT))
        return false;
    const struct instruction_timeout *timeout = &vmx->profile->instruction_timeout;
    *deadline =
        since + (uint64_t)vmx->vmcs.instruction_timeout_control * timeout->crystal_clock + timeout->allowance;
    return true;
}

void vmx_instruction_timeout(struct vm_exit *exit, const struct cpu_event *event)
{
    /* Bit 0 of the qualification stays 0: an event that is not delivered has changed nothing. */
    *exit = (struct vm_exit){.reason = EXIT_REASON_INSTRUCTION_TIMEOUT};
    vmx_note_vectoring(exit, event);
}
