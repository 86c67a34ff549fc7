/* controls_entry.c: SDM "Checks on VMX Controls", part "VM-Entry Control Fields". */
#include "vmx_model/checks/section_api.h"

#define BASIC_ANY_ERROR_CODE (1ull << 56)
#define MISC_ZERO_LENGTH_INJECTION (1ull << 30)
/* #DF, #TS, #NP, #SS, #GP, #PF, #AC */
#define VECTORS_WITH_ERROR_CODE                                                                              \
    (1u << VECTOR_DF | 1u << VECTOR_TS | 1u << VECTOR_NP | 1u << VECTOR_SS | 1u << VECTOR_GP |               \
     1u << VECTOR_PF | 1u << VECTOR_AC)

static bool injection_type_defined(const struct check_context *c)
{
    enum cpu_event_type type = injection_type(c->vmcs);
    bool monitor_trap_flag =
        ((allowed_settings(c->profile, CONTROLS_PRIMARY) >> 32) & PRIMARY_MONITOR_TRAP_FLAG) != 0;
    return (unsigned)type != 1 && (type != EVENT_OTHER || monitor_trap_flag);
}

/* Edition 082 speaks of guest CR0.PE alone. Without "unrestricted guest" CR0.PE must be 1 anyway, so a field
 * with PE = 0 fails the entry later; processors of this class already treat it as protected mode here (as
 * earlier editions say, and as kvm-unit-tests' vmx_controls_test expects). */
static bool injects_into_protected_mode(const struct check_context *c)
{
    return (c->vmcs->guest_cr0 & CR0_PE) || !(c->secondary_controls & SECONDARY_UNRESTRICTED_GUEST);
}

static bool vector_has_error_code(unsigned vector)
{
    return vector < 32 && ((VECTORS_WITH_ERROR_CODE >> vector) & 1);
}

static bool error_code_must_be_delivered(const struct check_context *c)
{
    return injects_into_protected_mode(c) && !(c->profile->vmx.basic & BASIC_ANY_ERROR_CODE) &&
           vector_has_error_code(injection_vector(c->vmcs));
}

static bool error_code_may_be_delivered(const struct check_context *c)
{
    return injection_type(c->vmcs) == EVENT_HARDWARE_EXCEPTION && injects_into_protected_mode(c) &&
           ((c->profile->vmx.basic & BASIC_ANY_ERROR_CODE) ||
            vector_has_error_code(injection_vector(c->vmcs)));
}

static bool software_event_length_valid(const struct check_context *c)
{
    uint32_t length = c->vmcs->vm_entry_instruction_length;
    return length <= 15 && (length || (c->profile->vmx.misc & MISC_ZERO_LENGTH_INJECTION));
}

#define SECTION controls_entry
#define SECTION_RULES "vmx_model/checks/controls_entry.def"
#define SECTION_TITLE "Checks on VMX Controls: VM-Entry Control Fields"
#define SECTION_PHASE VMX_CHECK_CONTROLS
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
