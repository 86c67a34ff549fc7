/* shared.c: predicates that more than one section needs. */
#include "vmx_model/cet.h"
#include "vmx_model/checks/section_api.h"

#define CPUID_7_ECX_SHADOW_STACK (1u << 7)
#define CPUID_7_EDX_BRANCH_TRACKING (1u << 20)

#define BASIC_TRUE_CONTROLS (1ull << 55)

/* SDM appendix A, "Reserved Controls and Default Settings". */
uint64_t allowed_settings(const struct cpu_profile *profile, enum control_word word)
{
    const struct vmx_capabilities *vmx = &profile->vmx;
    bool true_controls = (vmx->basic & BASIC_TRUE_CONTROLS) != 0;
    switch (word) {
    case CONTROLS_PIN_BASED:
        return true_controls ? vmx->true_pinbased_ctls : vmx->pinbased_ctls;
    case CONTROLS_PRIMARY:
        return true_controls ? vmx->true_procbased_ctls : vmx->procbased_ctls;
    case CONTROLS_EXIT:
        return true_controls ? vmx->true_exit_ctls : vmx->exit_ctls;
    case CONTROLS_ENTRY:
        return true_controls ? vmx->true_entry_ctls : vmx->entry_ctls;
    }
    return 0;
}

/* SDM volume 3B, "Architectural Performance Monitoring Version 2" (layout of IA32_PERF_GLOBAL_CTRL): one bit
 * for each general-purpose counter from bit 0, one for each fixed-function counter from bit 32. */
uint64_t perf_global_ctrl_reserved(const struct cpu_profile *profile)
{
    uint32_t registers[4];
    profile_cpuid(profile, 0xa, 0, registers);
    uint32_t general = (registers[0] >> 8) & 0xff;
    uint32_t fixed = registers[3] & 0x1f;
    uint64_t general_mask = general >= 32 ? 0xffffffffull : (1ull << general) - 1;
    uint64_t fixed_mask = ((1ull << fixed) - 1) | registers[2];
    return ~(general_mask | (fixed_mask << 32));
}

/* SDM volume 3A, "Extended Feature Enable Register". */
uint64_t efer_reserved(const struct cpu_profile *profile)
{
    return ~(EFER_SCE | EFER_LME | EFER_LMA | (profile->has_nx ? EFER_NXE : 0));
}

/* SDM volume 4, IA32_S_CET: CPUID.07H:ECX[7] shadow stacks, EDX[20] indirect-branch tracking. */
uint64_t s_cet_reserved(const struct cpu_profile *profile)
{
    uint32_t registers[4];
    profile_cpuid(profile, 7, 0, registers);
    return ~((registers[2] & CPUID_7_ECX_SHADOW_STACK ? CET_SHADOW_STACK_BITS : 0) |
             (registers[3] & CPUID_7_EDX_BRANCH_TRACKING ? CET_BRANCH_TRACKING_BITS : 0));
}

bool s_cet_tracker_valid(uint64_t s_cet)
{
    return !(s_cet & CET_SUPPRESS) || !(s_cet & CET_TRACKER);
}

/* Each byte 0 (UC), 1 (WC), 4 (WT), 5 (WP), 6 (WB) or 7 (UC-). */
bool pat_valid(uint64_t pat)
{
    uint64_t above_7 = pat & 0xf8f8f8f8f8f8f8f8ull;
    uint64_t bit_1_without_bit_2 = (pat >> 1) & ~(pat >> 2) & 0x0101010101010101ull;
    return !above_7 && !bit_1_without_bit_2;
}

/* The sum is less than 2^64 + 2^36: an overflow shows as a sum that is smaller than the address. */
bool msr_list_end_valid(const struct check_context *c, uint64_t address, uint32_t count)
{
    uint64_t last = address + (uint64_t)count * 16 - 1;
    return last >= address && !(last & c->beyond_vmx_address);
}
