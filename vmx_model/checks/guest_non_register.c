/* guest_non_register.c: SDM "Checks on Guest Non-Register State", but for the VMCS link pointer. */
#include "vmx_model/checks/section_api.h"

#define DEBUGCTL_BTF (1ull << 1)
/* CPUID leaf 7, EBX: SDM volume 2A, "CPUID". */
#define CPUID_7_EBX_SGX (1u << 2)
#define CPUID_7_EBX_RTM (1u << 11)

/* SDM appendix A, "Miscellaneous Data": bits 8:6 stand for states 3:1. */
static bool activity_supported(const struct check_context *c)
{
    uint32_t state = c->vmcs->guest_activity_state;
    return state <= ACTIVITY_WAIT_FOR_SIPI &&
           (state == ACTIVITY_ACTIVE || ((c->profile->vmx.misc >> (5 + state)) & 1));
}

static bool injects_exception(const struct vmcs *v, unsigned vector)
{
    return injection_type(v) == EVENT_HARDWARE_EXCEPTION && injection_vector(v) == vector;
}

static bool activity_allows_injection(const struct vmcs *v)
{
    enum cpu_event_type type = injection_type(v);
    switch (v->guest_activity_state) {
    case ACTIVITY_HLT:
        return type == EVENT_EXTERNAL_INTERRUPT || type == EVENT_NMI || injects_exception(v, VECTOR_DB) ||
               injects_exception(v, VECTOR_MC) || (type == EVENT_OTHER && injection_vector(v) == 0);
    case ACTIVITY_SHUTDOWN:
        return type == EVENT_NMI || injects_exception(v, VECTOR_MC);
    case ACTIVITY_WAIT_FOR_SIPI:
        return false;
    default: /* active; or no activity state at all, which another rule reports */
        return true;
    }
}

static bool single_step_pending(const struct vmcs *v)
{
    return (v->guest_rflags & RFLAGS_TF) && !(v->guest_ia32_debugctl & DEBUGCTL_BTF);
}

static bool cpuid_7_ebx_has(const struct check_context *c, uint32_t bit)
{
    uint32_t registers[4];
    profile_cpuid(c->profile, 7, 0, registers);
    return (registers[1] & bit) != 0;
}

static bool supports_sgx(const struct check_context *c)
{
    return cpuid_7_ebx_has(c, CPUID_7_EBX_SGX);
}

static bool supports_rtm(const struct check_context *c)
{
    return cpuid_7_ebx_has(c, CPUID_7_EBX_RTM);
}

/* Bit 11. The manual's list of checks still has it among the bits that must be 0; its table of the field, and
 * processors that save it as 1, do not. Rarely set, so CPUID is rarely asked. */
static uint64_t bus_lock_reserved(const struct check_context *c)
{
    uint32_t registers[4] = {0};
    if (c->vmcs->guest_pending_debug_exceptions & DR6_BUS_LOCK)
        profile_cpuid(c->profile, 7, 0, registers);
    return registers[2] & 1u << 24 ? 0 : DR6_BUS_LOCK;
}

#define SECTION guest_non_register
#define SECTION_RULES "vmx_model/checks/guest_non_register.def"
#define SECTION_TITLE "Checks on Guest Non-Register State"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
