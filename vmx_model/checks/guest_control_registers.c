/* guest_control_registers.c: SDM "Checks on Guest Control Registers, Debug Registers, and MSRs". */
#include "vmx_model/checks/section_api.h"

/* SDM volume 3B, "IA32_DEBUGCTL MSR": LBR, BTF, TR, BTS, BTINT, BTS_OFF_OS, BTS_OFF_USR, FREEZE_LBRS_ON_PMI,
 * FREEZE_PERFMON_ON_PMI, ENABLE_UNCORE_PMI, FREEZE_WHILE_SMM; RTM where CPUID reports it. */
#define DEBUGCTL_DEFINED 0x7fc3ull
#define DEBUGCTL_RTM (1ull << 15)
#define CPUID_7_EBX_RTM (1u << 11)
#define CPUID_7_ECX_BUS_LOCK_DETECT (1u << 24)

static uint64_t cr0_unchecked_bits(const struct check_context *c)
{
    bool unrestricted = (c->secondary_controls & SECONDARY_UNRESTRICTED_GUEST) != 0;
    return CR0_NW | CR0_CD | (unrestricted ? CR0_PE | CR0_PG : 0);
}

/* Only bits 2 and 15 need a look at CPUID, and the field rarely sets them. */
static uint64_t debugctl_reserved(const struct check_context *c)
{
    uint32_t registers[4] = {0};
    if (c->vmcs->guest_ia32_debugctl & (DEBUGCTL_RTM | DEBUGCTL_BUS_LOCK_DETECT))
        profile_cpuid(c->profile, 7, 0, registers);
    return ~(DEBUGCTL_DEFINED | (registers[1] & CPUID_7_EBX_RTM ? DEBUGCTL_RTM : 0) |
             (registers[2] & CPUID_7_ECX_BUS_LOCK_DETECT ? DEBUGCTL_BUS_LOCK_DETECT : 0));
}

#define SECTION guest_control_registers
#define SECTION_RULES "vmx_model/checks/guest_control_registers.def"
#define SECTION_TITLE "Checks on Guest Control Registers, Debug Registers, and MSRs"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
