/*
 * remove_control.c: a profile without a VMX control: its bit is cleared in the capability MSRs, and so are
 * the bits of those that a VM entry would then refuse whatever software does.
 *
 * Source: SDM "Checks on VMX Controls", and appendix "VMX Capability Reporting Facility".
 */
#include <string.h>

#include "sim/cpu/profiles/removable.h"
#include "vmx_model/capabilities.h"
#include "vmx_model/controls.h"

#define ALL 0xffffffffffffffffull
#define EPT_CAPS 0x00000000ffffffffull /* IA32_VMX_EPT_VPID_CAP: the lower half is about EPT */
#define VPID_CAPS 0xffffffff00000000ull
#define FIELD(name) VMCS_INDEX_##name##_controls

/* Without the control, these of another (or its own) word may not be 1. */
static const struct need {
    enum vmcs_field_index field;
    uint64_t needed;
    enum vmcs_field_index of;
    uint64_t dependents;
} needs[] = {
    {FIELD(pin_based), PIN_NMI_EXITING, FIELD(pin_based), PIN_VIRTUAL_NMIS},
    {FIELD(pin_based), PIN_VIRTUAL_NMIS, FIELD(primary_proc_based), PRIMARY_NMI_WINDOW_EXITING},
    {FIELD(pin_based), PIN_EXTERNAL_INTERRUPT_EXITING, FIELD(secondary_proc_based),
     SECONDARY_VIRTUAL_INTERRUPT_DELIVERY},
    {FIELD(pin_based), PIN_ACTIVATE_PREEMPTION_TIMER, FIELD(primary_vm_exit),
     EXIT_SAVE_PREEMPTION_TIMER_VALUE},
    {FIELD(primary_vm_exit), EXIT_ACKNOWLEDGE_INTERRUPT, FIELD(pin_based), PIN_PROCESS_POSTED_INTERRUPTS},
    {FIELD(primary_vm_exit), EXIT_ACTIVATE_SECONDARY_CONTROLS, FIELD(secondary_vm_exit), ALL},
    {FIELD(primary_proc_based), PRIMARY_ACTIVATE_SECONDARY_CONTROLS, FIELD(secondary_proc_based), ALL},
    {FIELD(primary_proc_based), PRIMARY_ACTIVATE_TERTIARY_CONTROLS, FIELD(tertiary_proc_based), ALL},
    {FIELD(primary_proc_based), PRIMARY_USE_TPR_SHADOW, FIELD(secondary_proc_based),
     SECONDARY_VIRTUALIZE_X2APIC_MODE | SECONDARY_APIC_REGISTER_VIRTUALIZATION |
         SECONDARY_VIRTUAL_INTERRUPT_DELIVERY},
    {FIELD(primary_proc_based), PRIMARY_USE_TPR_SHADOW, FIELD(tertiary_proc_based),
     TERTIARY_IPI_VIRTUALIZATION},
    {FIELD(secondary_proc_based), SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, FIELD(pin_based),
     PIN_PROCESS_POSTED_INTERRUPTS},
    {FIELD(secondary_proc_based), SECONDARY_ENABLE_EPT, FIELD(secondary_proc_based),
     SECONDARY_UNRESTRICTED_GUEST | SECONDARY_ENABLE_PML | SECONDARY_MODE_BASED_EXECUTE_CONTROL_FOR_EPT |
         SECONDARY_SUB_PAGE_WRITE_PERMISSIONS_FOR_EPT | SECONDARY_INTEL_PT_USES_GUEST_PHYSICAL_ADDRESSES |
         SECONDARY_EPT_VIOLATION_VE},
    {FIELD(secondary_proc_based), SECONDARY_ENABLE_EPT, FIELD(tertiary_proc_based),
     TERTIARY_ENABLE_HLAT | TERTIARY_EPT_PAGING_WRITE_CONTROL | TERTIARY_GUEST_PAGING_VERIFICATION},
    {FIELD(secondary_proc_based), SECONDARY_ENABLE_EPT, FIELD(vm_function), VM_FUNCTION_EPTP_SWITCHING},
    {FIELD(secondary_proc_based), SECONDARY_ENABLE_VM_FUNCTIONS, FIELD(vm_function), ALL},
};

/* Every word of the field: it may be in two MSRs, and its bits in the upper half. */
static void clear_bits(struct vmx_capabilities *caps, enum vmcs_field_index field, uint64_t mask)
{
    struct {
        enum vmcs_field_index field;
        uint64_t *words[2];
        unsigned shift;
    } rows[] = {
        {FIELD(pin_based), {&caps->pinbased_ctls, &caps->true_pinbased_ctls}, 32},
        {FIELD(primary_proc_based), {&caps->procbased_ctls, &caps->true_procbased_ctls}, 32},
        {FIELD(secondary_proc_based), {&caps->procbased_ctls2, NULL}, 32},
        {FIELD(tertiary_proc_based), {&caps->procbased_ctls3, NULL}, 0},
        {FIELD(primary_vm_exit), {&caps->exit_ctls, &caps->true_exit_ctls}, 32},
        {FIELD(secondary_vm_exit), {&caps->exit_ctls2, NULL}, 0},
        {FIELD(vm_entry), {&caps->entry_ctls, &caps->true_entry_ctls}, 32},
        {FIELD(vm_function), {&caps->vmfunc, NULL}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t word = 0; rows[i].field == field && word < 2 && rows[i].words[word]; word++)
            *rows[i].words[word] &= ~(mask << rows[i].shift);
}

/* What other tables say of EPT, VPID and VM functions. */
static void follow(struct cpu_profile *profile)
{
    struct vmx_capabilities *caps = &profile->vmx;
    const uint32_t secondary = vmx_controls_may_be_1(caps, VMX_SECONDARY);
    if (!(secondary & SECONDARY_ENABLE_EPT)) {
        profile->has_ept = false;
        caps->ept_vpid_cap &= ~EPT_CAPS;
    }
    if (!(secondary & SECONDARY_ENABLE_VPID)) {
        profile->has_vpid = false;
        caps->ept_vpid_cap &= ~VPID_CAPS;
    }
}

static void remove_bits(struct vmx_capabilities *caps, enum vmcs_field_index field, uint64_t mask)
{
    clear_bits(caps, field, mask);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (needs[i].field == field && needs[i].needed & mask)
            remove_bits(caps, needs[i].of, needs[i].dependents);
}

static bool same_name(const char *identifier, const char *name, size_t length)
{
    if (strlen(identifier) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (identifier[i] != (name[i] == '-' ? '_' : name[i]))
            return false;
    return true;
}

bool control_present(const struct cpu_profile *profile, const char *name, size_t length)
{
    const struct vmx_control *control;
    for (size_t i = 0; (control = vmx_control_at(i)); i++)
        if (same_name(control->identifier, name, length) && vmx_control_may_be_1(&profile->vmx, control))
            return true;
    return false;
}

enum control_removal control_remove(struct cpu_profile *profile, const char *name, size_t length)
{
    enum control_removal result = CONTROL_UNKNOWN;
    const struct vmx_control *control;
    for (size_t i = 0; (control = vmx_control_at(i)); i++)
        if (same_name(control->identifier, name, length)) {
            if (vmx_control_must_be_1(&profile->vmx, control))
                return CONTROL_FIXED;
            if (result == CONTROL_UNKNOWN)
                result = CONTROL_ABSENT;
            if (!vmx_control_may_be_1(&profile->vmx, control))
                continue;
            remove_bits(&profile->vmx, control->field, control->mask);
            result = CONTROL_REMOVED;
        }
    if (result == CONTROL_REMOVED)
        follow(profile);
    return result;
}
