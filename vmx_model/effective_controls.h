/*
 * effective_controls.h: controls as they act, where one control switches others off.
 *
 * Source: SDM "Processor-Based VM-Execution Controls": with "activate secondary controls" 0 the processor
 * acts as if all secondary processor-based controls were 0.
 */
#ifndef VTSIM_VMX_MODEL_EFFECTIVE_CONTROLS_H
#define VTSIM_VMX_MODEL_EFFECTIVE_CONTROLS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx_model/vmcs.h"

static inline uint32_t vmcs_secondary_controls(const struct vmcs *v)
{
    return v->primary_proc_based_controls & PRIMARY_ACTIVATE_SECONDARY_CONTROLS
               ? v->secondary_proc_based_controls
               : 0;
}

/* With "activate tertiary controls" 0 all of them count as 0. */
static inline uint64_t vmcs_tertiary_controls(const struct vmcs *v)
{
    return v->primary_proc_based_controls & PRIMARY_ACTIVATE_TERTIARY_CONTROLS
               ? v->tertiary_proc_based_controls
               : 0;
}

static inline bool vmcs_ipi_virtualization(const struct vmcs *v)
{
    return (vmcs_tertiary_controls(v) & TERTIARY_IPI_VIRTUALIZATION) != 0;
}

/* SDM "VM-Function Controls". */
static inline uint64_t vmcs_vm_functions(const struct vmcs *v)
{
    return vmcs_secondary_controls(v) & SECONDARY_ENABLE_VM_FUNCTIONS ? v->vm_function_controls : 0;
}

static inline bool vmcs_vpid_enabled(const struct vmcs *v)
{
    return (vmcs_secondary_controls(v) & SECONDARY_ENABLE_VPID) != 0;
}

static inline bool vmcs_ept_enabled(const struct vmcs *v)
{
    return (vmcs_secondary_controls(v) & SECONDARY_ENABLE_EPT) != 0;
}

/* The VPID that tags translations in this guest: 0 with "enable VPID" off (SDM "VPIDs"). */
static inline uint16_t vmcs_current_vpid(const struct vmcs *v)
{
    return vmcs_vpid_enabled(v) ? v->virtual_processor_identifier : 0;
}

#endif
