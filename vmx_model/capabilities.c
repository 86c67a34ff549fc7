/* capabilities.c: see capabilities.h; and the capability MSRs as RDMSR sees them. */
#include "vmx_model/capabilities.h"

#include "vmx_model/vmcs.h"
#include "vmx_model/vmx.h"

enum { MSR_VMX_BASIC = 0x480, MSR_VMX_VMCS_ENUM = 0x48a, MSR_VMX_VMFUNC = 0x491, MSR_VMX_EXIT_CTLS2 = 0x493 };

uint64_t vmx_control_capability(const struct vmx_capabilities *caps, enum vmx_control_word word)
{
    bool true_msrs = (caps->basic & VMX_BASIC_TRUE_CONTROLS) != 0;

    switch (word) {
    case VMX_PIN_BASED:
        return true_msrs ? caps->true_pinbased_ctls : caps->pinbased_ctls;
    case VMX_PRIMARY:
        return true_msrs ? caps->true_procbased_ctls : caps->procbased_ctls;
    case VMX_SECONDARY:
        return caps->procbased_ctls >> 63 ? caps->procbased_ctls2 : 0;
    case VMX_EXIT:
        return true_msrs ? caps->true_exit_ctls : caps->exit_ctls;
    case VMX_ENTRY:
        return true_msrs ? caps->true_entry_ctls : caps->entry_ctls;
    case VMX_CONTROL_WORDS:
        break;
    }
    return 0;
}

uint32_t vmx_controls_must_be_1(const struct vmx_capabilities *caps, enum vmx_control_word word)
{
    return (uint32_t)vmx_control_capability(caps, word);
}

uint32_t vmx_controls_may_be_1(const struct vmx_capabilities *caps, enum vmx_control_word word)
{
    return (uint32_t)(vmx_control_capability(caps, word) >> 32);
}

bool vmx_controls_allowed(const struct vmx_capabilities *caps, enum vmx_control_word word, uint32_t value)
{
    uint32_t must = vmx_controls_must_be_1(caps, word);

    return (value & must) == must && !(value & ~vmx_controls_may_be_1(caps, word));
}

uint64_t vmx_tertiary_controls_may_be_1(const struct vmx_capabilities *caps)
{
    return vmx_controls_may_be_1(caps, VMX_PRIMARY) & PRIMARY_ACTIVATE_TERTIARY_CONTROLS
               ? caps->procbased_ctls3
               : 0;
}

uint64_t vmx_vm_functions(const struct vmx_capabilities *caps)
{
    return vmx_controls_may_be_1(caps, VMX_SECONDARY) & SECONDARY_ENABLE_VM_FUNCTIONS ? caps->vmfunc : 0;
}

bool vmx_cr_fixed_bits_ok(const struct vmx_capabilities *caps, unsigned cr, uint64_t value)
{
    uint64_t fixed0 = cr == 0 ? caps->cr0_fixed0 : caps->cr4_fixed0;
    uint64_t fixed1 = cr == 0 ? caps->cr0_fixed1 : caps->cr4_fixed1;

    return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

bool vmx_vmcs_pointer_valid(const struct cpu_profile *profile, uint64_t address)
{
    unsigned width = profile->vmx.basic & VMX_BASIC_ADDRESSES_32_BITS ? 32 : profile->physical_address_bits;

    return !(address & 0xfff) && !(address >> width);
}

bool vmx_ept_pointer_valid(const struct cpu_profile *profile, uint64_t ept_pointer)
{
    uint64_t caps = profile->vmx.ept_vpid_cap;
    unsigned memory_type = ept_pointer & 7;
    unsigned walk_length = (ept_pointer >> 3 & 7) + 1;
    uint64_t reserved = 0xf80;

    if (!(memory_type == 0 && caps & EPT_CAP_MEMORY_TYPE_UC) &&
        !(memory_type == 6 && caps & EPT_CAP_MEMORY_TYPE_WB))
        return false;
    if (!(walk_length == 4 && caps & EPT_CAP_WALK_LENGTH_4) &&
        !(walk_length == 5 && caps & EPT_CAP_WALK_LENGTH_5))
        return false;
    if (!(caps & EPT_CAP_ACCESSED_AND_DIRTY))
        reserved |= 1u << 6;
    return !(ept_pointer & reserved) && !(ept_pointer >> profile->physical_address_bits);
}

/* SDM appendix "VMX Capability Reporting Facility": which of the MSRs exist follows from others of them. */
static bool capability_msr_exists(const struct vmx_capabilities *caps, uint32_t index)
{
    uint32_t secondary = vmx_controls_may_be_1(caps, VMX_SECONDARY);

    if (!caps->basic || index < MSR_VMX_BASIC || index > MSR_VMX_EXIT_CTLS2)
        return false;
    switch (index) {
    case 0x48b: /* IA32_VMX_PROCBASED_CTLS2 */
        return caps->procbased_ctls >> 63;
    case 0x48c: /* IA32_VMX_EPT_VPID_CAP */
        return secondary & (SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID);
    case 0x48d: /* IA32_VMX_TRUE_*_CTLS */
    case 0x48e:
    case 0x48f:
    case 0x490:
        return caps->basic & VMX_BASIC_TRUE_CONTROLS;
    case MSR_VMX_VMFUNC:
        return secondary & SECONDARY_ENABLE_VM_FUNCTIONS;
    case 0x492: /* IA32_VMX_PROCBASED_CTLS3 */
        return vmx_controls_may_be_1(caps, VMX_PRIMARY) & PRIMARY_ACTIVATE_TERTIARY_CONTROLS;
    case MSR_VMX_EXIT_CTLS2:
        return vmx_controls_may_be_1(caps, VMX_EXIT) & EXIT_ACTIVATE_SECONDARY_CONTROLS;
    default:
        return true;
    }
}

bool vmx_capability_msr(const struct vmx_capabilities *caps, uint32_t index, uint64_t *value)
{
    const uint64_t values[] = {
        caps->basic,
        caps->pinbased_ctls,
        caps->procbased_ctls,
        caps->exit_ctls,
        caps->entry_ctls,
        caps->misc,
        caps->cr0_fixed0,
        caps->cr0_fixed1,
        caps->cr4_fixed0,
        caps->cr4_fixed1,
        0, /* IA32_VMX_VMCS_ENUM: below */
        caps->procbased_ctls2,
        caps->ept_vpid_cap,
        caps->true_pinbased_ctls,
        caps->true_procbased_ctls,
        caps->true_exit_ctls,
        caps->true_entry_ctls,
        caps->vmfunc,
        caps->procbased_ctls3,
        caps->exit_ctls2,
    };

    if (!capability_msr_exists(caps, index))
        return false;
    /* Computed, so that it stays true when a feature is switched off on the command line. */
    *value = index == MSR_VMX_VMCS_ENUM ? vmcs_enum_value(caps) : values[index - MSR_VMX_BASIC];
    return true;
}

void profile_cpuid(const struct cpu_profile *profile, uint32_t leaf, uint32_t subleaf, uint32_t registers[4])
{
    for (int i = 0; i < 4; i++)
        registers[i] = 0;
    for (size_t i = 0; i < profile->cpuid_count; i++) {
        const struct cpuid_leaf *row = &profile->cpuid[i];
        if (row->leaf != leaf || (row->subleaf != subleaf && row->subleaf != CPUID_ANY_SUBLEAF))
            continue;
        registers[0] = row->eax;
        registers[1] = row->ebx;
        registers[2] = row->ecx;
        registers[3] = row->edx;
        return;
    }
}
