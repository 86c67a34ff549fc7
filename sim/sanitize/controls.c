/* controls.c: what is used of VMX, against the capability MSRs that software has read and against a minimum
 * processor. SDM appendix "VMX Capability Reporting Facility". */
#include <inttypes.h>

#include "sim/sanitize/private.h"
#include "vmx_model/capabilities.h"
#include "vmx_model/control_table.h"
#include "vmx_model/controls.h"

enum {
    IA32_VMX_FIRST = 0x480,
    IA32_VMX_EPT_VPID_CAP = 0x48c,
    IA32_VMX_VMFUNC = 0x491,
    IA32_VMX_PROCBASED_CTLS3 = 0x492,
    IA32_VMX_EXIT_CTLS2 = 0x493,
    CAPABILITY_MSRS = 32,
};
#define EPTP_ACCESSED_AND_DIRTY (1ull << 6)
#define EPTP_WALK_LENGTH (7ull << 3) /* less one */
#define EPTP_WALK_LENGTH_5 (4ull << 3)

/* The control words. default1: SDM "VM-Execution Controls", "VM-Exit Controls" and "VM-Entry Controls" of the
 * appendix; true_msr 0: there are no default1 controls. */
static const struct control_word {
    const char *name;
    enum vmcs_field_index field;
    uint32_t msr, true_msr, default1;
} words[VMX_CONTROL_WORDS] = {
    [VMX_PIN_BASED] = {"pin-based controls", VMCS_INDEX_pin_based_controls, 0x481, 0x48d, 0x00000016},
    [VMX_PRIMARY] = {"primary processor-based controls", VMCS_INDEX_primary_proc_based_controls, 0x482, 0x48e,
                     0x0401e172},
    [VMX_SECONDARY] = {"secondary processor-based controls", VMCS_INDEX_secondary_proc_based_controls, 0x48b,
                       0, 0},
    [VMX_EXIT] = {"VM-exit controls", VMCS_INDEX_primary_vm_exit_controls, 0x483, 0x48f, 0x00036dff},
    [VMX_ENTRY] = {"VM-entry controls", VMCS_INDEX_vm_entry_controls, 0x484, 0x490, 0x000011ff},
};

static const char *control_name(enum vmx_control_word word, unsigned bit)
{
    const struct vmx_control *control;
    for (size_t i = 0; (control = vmx_control_at(i)); i++)
        if (control->field == words[word].field && vmx_control_bit(control) == bit)
            return control->name;
    return "no name";
}

void controls_capability_read(struct sanitizer *s, uint64_t index)
{
    if (index - IA32_VMX_FIRST < CAPABILITY_MSRS)
        s->capabilities_read |= 1u << (index - IA32_VMX_FIRST);
}

static bool was_read(const struct sanitizer_processor *p, uint32_t msr)
{
    return msr && p->sanitizer->capabilities_read >> (msr - IA32_VMX_FIRST) & 1;
}

static uint32_t value_of(const struct vmcs *v, enum vmx_control_word word)
{
    switch (word) {
    case VMX_PIN_BASED:
        return v->pin_based_controls;
    case VMX_PRIMARY:
        return v->primary_proc_based_controls;
    case VMX_SECONDARY:
        return v->primary_proc_based_controls & PRIMARY_ACTIVATE_SECONDARY_CONTROLS
                   ? v->secondary_proc_based_controls
                   : 0;
    case VMX_EXIT:
        return v->primary_vm_exit_controls;
    case VMX_ENTRY:
        return v->vm_entry_controls;
    case VMX_CONTROL_WORDS:
        break;
    }
    return 0;
}

static void check_capabilities(struct sanitizer_processor *p, enum vmx_control_word word)
{
    const struct control_word *w = &words[word];
    const uint32_t value = value_of(&p->vmx->vmcs, word), cleared = ~value & w->default1;
    if (cleared && !was_read(p, w->true_msr))
        sanitizer_find(p, FINDING_default1_without_true, "%s 0x%x: bits 0x%x are 0; MSR 0x%x was not read",
                       w->name, value, cleared, w->true_msr);
    if (value & ~w->default1 && !was_read(p, w->msr) && !was_read(p, w->true_msr))
        sanitizer_find(p, FINDING_capability_not_read, "%s 0x%x: MSR 0x%x was not read", w->name, value,
                       w->msr);
}

static void check_minimum(struct sanitizer_processor *p, enum vmx_control_word word)
{
    const struct cpu_profile *minimum = p->sanitizer->options.minimum;
    const uint32_t value = value_of(&p->vmx->vmcs, word);
    uint32_t lacking = value & ~vmx_controls_may_be_1(&minimum->vmx, word);
    uint32_t forced = word == VMX_SECONDARY ? 0 : ~value & vmx_controls_must_be_1(&minimum->vmx, word);
    for (unsigned bit = 0; bit < 32; bit++) {
        if (lacking >> bit & 1)
            sanitizer_find(p, FINDING_beyond_minimum, "%s bit %u, \"%s\": %s does not have it",
                           words[word].name, bit, control_name(word, bit), minimum->name);
        if (forced >> bit & 1)
            sanitizer_find(p, FINDING_beyond_minimum, "%s bit %u, \"%s\" is 0: on %s it must be 1",
                           words[word].name, bit, control_name(word, bit), minimum->name);
    }
}

static void check_ept_pointer(struct sanitizer_processor *p)
{
    const struct vmcs *v = &p->vmx->vmcs;
    const struct cpu_profile *minimum = p->sanitizer->options.minimum;
    if (!(value_of(v, VMX_SECONDARY) & SECONDARY_ENABLE_EPT))
        return;
    const uint64_t eptp = v->ept_pointer;
    const bool plain = !(eptp & EPTP_ACCESSED_AND_DIRTY) && (eptp & EPTP_WALK_LENGTH) != EPTP_WALK_LENGTH_5;
    if (!plain && !was_read(p, IA32_VMX_EPT_VPID_CAP))
        sanitizer_find(p, FINDING_capability_not_read, "EPTP with %s: MSR 0x%x was not read",
                       eptp & EPTP_ACCESSED_AND_DIRTY ? "accessed and dirty flags"
                                                      : "a page-walk length of 5",
                       IA32_VMX_EPT_VPID_CAP);
    if (minimum && minimum->has_ept && eptp & EPTP_ACCESSED_AND_DIRTY &&
        !(minimum->vmx.ept_vpid_cap & EPT_CAP_ACCESSED_AND_DIRTY))
        sanitizer_find(p, FINDING_beyond_minimum, "accessed and dirty flags for EPT: %s does not have them",
                       minimum->name);
    if (minimum && minimum->has_ept && (eptp & EPTP_WALK_LENGTH) == EPTP_WALK_LENGTH_5 &&
        !(minimum->vmx.ept_vpid_cap & EPT_CAP_WALK_LENGTH_5))
        sanitizer_find(p, FINDING_beyond_minimum, "EPT with a page-walk length of 5: %s does not have it",
                       minimum->name);
}

/* SDM appendix "Miscellaneous Data": bits 8:6 for activity states 3, 2 and 1. */
static void check_activity_state(struct sanitizer_processor *p)
{
    const struct cpu_profile *minimum = p->sanitizer->options.minimum;
    const uint32_t state = p->vmx->vmcs.guest_activity_state;
    if (state && state <= 3 && !(minimum->vmx.misc & VMX_MISC_ACTIVITY_HLT << (state - 1)))
        sanitizer_find(p, FINDING_beyond_minimum, "guest activity state %u: %s does not have it", state,
                       minimum->name);
}

/* The controls without a word of 32 bits or with an MSR of their own. */
static void check_extensions(struct sanitizer_processor *p)
{
    const struct vmcs *v = &p->vmx->vmcs;
    if (v->primary_proc_based_controls & PRIMARY_ACTIVATE_TERTIARY_CONTROLS &&
        !was_read(p, IA32_VMX_PROCBASED_CTLS3))
        sanitizer_find(p, FINDING_capability_not_read,
                       "tertiary processor-based controls: MSR 0x%x was not read", IA32_VMX_PROCBASED_CTLS3);
    if (v->primary_vm_exit_controls & EXIT_ACTIVATE_SECONDARY_CONTROLS && !was_read(p, IA32_VMX_EXIT_CTLS2))
        sanitizer_find(p, FINDING_capability_not_read, "secondary VM-exit controls: MSR 0x%x was not read",
                       IA32_VMX_EXIT_CTLS2);
    if (value_of(v, VMX_SECONDARY) & SECONDARY_ENABLE_VM_FUNCTIONS && !was_read(p, IA32_VMX_VMFUNC))
        sanitizer_find(p, FINDING_capability_not_read, "VM functions: MSR 0x%x was not read",
                       IA32_VMX_VMFUNC);
}

void controls_entry(struct sanitizer_processor *p)
{
    for (unsigned word = 0; word < VMX_CONTROL_WORDS; word++) {
        check_capabilities(p, (enum vmx_control_word)word);
        if (p->sanitizer->options.minimum)
            check_minimum(p, (enum vmx_control_word)word);
    }
    check_extensions(p);
    check_ept_pointer(p);
    if (p->sanitizer->options.minimum)
        check_activity_state(p);
}

void controls_field(struct sanitizer_processor *p, uint32_t encoding)
{
    const struct cpu_profile *minimum = p->sanitizer->options.minimum;
    const struct vmcs_field_info *field = minimum ? vmcs_field(encoding) : NULL;
    if (field && !vmcs_field_exists(field, &minimum->vmx))
        sanitizer_find(p, FINDING_beyond_minimum, "VMCS field 0x%x, \"%s\": %s does not have it",
                       field->encoding, field->name, minimum->name);
}

void controls_invalidation(struct sanitizer_processor *p, bool invvpid, uint64_t type)
{
    const struct cpu_profile *minimum = p->sanitizer->options.minimum;
    const char *name = invvpid ? "INVVPID" : "INVEPT";
    if (minimum &&
        !(minimum->vmx.ept_vpid_cap & (invvpid ? EPT_CAP_INVVPID_TYPE(type) : EPT_CAP_INVEPT_TYPE(type))))
        sanitizer_find(p, FINDING_beyond_minimum, "%s, type %" PRIu64 ": %s does not have it", name, type,
                       minimum->name);
}
