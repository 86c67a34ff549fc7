/* control_table.c: controls.def, and what the capability MSRs say of its rows. */
#include "vmx_model/control_table.h"

#include "vmx_model/capabilities.h"
#include "vmx_model/controls.h"

static const struct vmx_control controls[] = {
#define VMX_CONTROL(field, identifier, bit, name) {VMCS_INDEX_##field, #field, #identifier, name, bit},
#include "vmx_model/controls.def"
#undef VMX_CONTROL
};

const struct vmx_control *vmx_control_at(size_t index)
{
    return index < sizeof controls / sizeof *controls ? &controls[index] : NULL;
}

unsigned vmx_control_bit(const struct vmx_control *control)
{
    return (unsigned)__builtin_ctzll(control->mask);
}

const char *vmx_control_section(const struct vmx_control *control)
{
    switch (control->field) {
    case VMCS_INDEX_pin_based_controls:
        return "Pin-Based VM-Execution Controls";
    case VMCS_INDEX_vm_function_controls:
        return "VM-Function Controls";
    case VMCS_INDEX_primary_vm_exit_controls:
    case VMCS_INDEX_secondary_vm_exit_controls:
        return "VM-Exit Controls";
    case VMCS_INDEX_vm_entry_controls:
        return "VM-Entry Controls";
    default:
        return "Processor-Based VM-Execution Controls";
    }
}

/* Bits 31:0 (or all 64 of the words without bits that must be 1) that may be 1. */
static uint64_t may_be_1(const struct vmx_capabilities *caps, enum vmcs_field_index field)
{
    switch (field) {
    case VMCS_INDEX_pin_based_controls:
        return vmx_controls_may_be_1(caps, VMX_PIN_BASED);
    case VMCS_INDEX_primary_proc_based_controls:
        return vmx_controls_may_be_1(caps, VMX_PRIMARY);
    case VMCS_INDEX_secondary_proc_based_controls:
        return vmx_controls_may_be_1(caps, VMX_SECONDARY);
    case VMCS_INDEX_vm_function_controls:
        return vmx_vm_functions(caps);
    case VMCS_INDEX_primary_vm_exit_controls:
        return vmx_controls_may_be_1(caps, VMX_EXIT);
    case VMCS_INDEX_vm_entry_controls:
        return vmx_controls_may_be_1(caps, VMX_ENTRY);
    case VMCS_INDEX_tertiary_proc_based_controls:
        return vmx_tertiary_controls_may_be_1(caps);
    case VMCS_INDEX_secondary_vm_exit_controls:
        return vmx_controls_may_be_1(caps, VMX_EXIT) & EXIT_ACTIVATE_SECONDARY_CONTROLS ? caps->exit_ctls2
                                                                                        : 0;
    default:
        return 0;
    }
}

bool vmx_control_may_be_1(const struct vmx_capabilities *caps, const struct vmx_control *control)
{
    return (may_be_1(caps, control->field) & control->mask) != 0;
}

bool vmx_control_must_be_1(const struct vmx_capabilities *caps, const struct vmx_control *control)
{
    static const struct {
        enum vmcs_field_index field;
        enum vmx_control_word word;
    } words[] = {{VMCS_INDEX_pin_based_controls, VMX_PIN_BASED},
                 {VMCS_INDEX_primary_proc_based_controls, VMX_PRIMARY},
                 {VMCS_INDEX_secondary_proc_based_controls, VMX_SECONDARY},
                 {VMCS_INDEX_primary_vm_exit_controls, VMX_EXIT},
                 {VMCS_INDEX_vm_entry_controls, VMX_ENTRY}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].field == control->field)
            return (vmx_controls_must_be_1(caps, words[i].word) & control->mask) != 0;
    return false;
}
