/*
 * section_api.h: what the section files of this room share: facts, numbers of fields, and the smallest
 * predicates.
 */
#ifndef VTSIM_VMX_MODEL_CHECKS_SECTION_API_H
#define VTSIM_VMX_MODEL_CHECKS_SECTION_API_H

#include "vmx_model/capabilities.h"
#include "vmx_model/checks/checks.h"
#include "vmx_model/controls.h"
#include "vmx_model/effective_controls.h"
#include "vtsim/cpu_state.h"
#include "vtsim/outcome.h"

struct check_section {
    const struct vmx_rule *rules;
    size_t count;
    const struct vmx_rule *(*first)(const struct check_context *context);
    enum vmx_check_phase phase;
};

/* In the order of the SDM; engine.c walks them in this order. */
#define CHECK_SECTIONS(X)                                                                                    \
    X(controls_execution)                                                                                    \
    X(controls_extensions)                                                                                   \
    X(controls_exit)                                                                                         \
    X(controls_entry)                                                                                        \
    X(host_control_registers)                                                                                \
    X(host_segments)                                                                                         \
    X(host_address_space)                                                                                    \
    X(guest_control_registers)                                                                               \
    X(guest_segments_v86)                                                                                    \
    X(guest_segments)                                                                                        \
    X(guest_descriptor_tables)                                                                               \
    X(guest_rip_rflags)                                                                                      \
    X(guest_non_register)                                                                                    \
    X(guest_link_pointer)                                                                                    \
    X(guest_pdptes)

#define DECLARE_SECTION(name) extern const struct check_section name##_section;
CHECK_SECTIONS(DECLARE_SECTION)
#undef DECLARE_SECTION

/* FACT_x: the number of a line of facts.def. */
enum check_fact {
#define FACT(name, text, expression) FACT_##name,
#include "vmx_model/checks/facts.def"
#undef FACT
    FACT_COUNT
};
_Static_assert(FACT_COUNT <= 128, "facts are one bit each of a vmx_facts");

/* For rules that show no second field: what vmcs_field_at has nothing for. */
#define VMCS_INDEX_none VMCS_FIELD_COUNT

/* SDM "VM-Entry Controls for Event Injection": bits 30:12. */
#define INJECTION_RESERVED 0x7ffff000u

/* SDM "Format of Interruptibility State" and "Format of Pending-Debug-Exceptions". */
#define ENCLAVE_INTERRUPTION (1u << 4)
#define PENDING_ENABLED_BREAKPOINT (1ull << 12)
#define PENDING_BS (1ull << 14)
#define PENDING_RTM (1ull << 16)

#define HIGH_32_BITS 0xffffffff00000000ull

static inline bool injects(const struct vmcs *v)
{
    return (v->vm_entry_interruption_information & INTERRUPTION_VALID) != 0;
}

static inline enum cpu_event_type injection_type(const struct vmcs *v)
{
    return (enum cpu_event_type)((v->vm_entry_interruption_information >> 8) & 7);
}

static inline unsigned injection_vector(const struct vmcs *v)
{
    return v->vm_entry_interruption_information & 0xff;
}

static inline bool usable(uint32_t access_rights)
{
    return !(access_rights & AR_UNUSABLE);
}

static inline unsigned segment_type(uint32_t access_rights)
{
    return access_rights & AR_TYPE;
}

static inline unsigned segment_dpl(uint32_t access_rights)
{
    return (access_rights & AR_DPL) >> AR_DPL_SHIFT;
}

static inline unsigned selector_rpl(unsigned selector)
{
    return selector & 3;
}

/* Canonical for the processor's linear-address width: bits 63:N-1 are identical. */
static inline bool canonical(const struct check_context *c, uint64_t address)
{
    return cpu_canonical(address, c->profile->linear_address_bits);
}

/* Capability MSRs of one control word. With IA32_VMX_BASIC[55] the TRUE ones hold (SDM "VM-Execution
 * Controls"). */
enum control_word { CONTROLS_PIN_BASED, CONTROLS_PRIMARY, CONTROLS_EXIT, CONTROLS_ENTRY };
uint64_t allowed_settings(const struct cpu_profile *profile, enum control_word word);

/* Low half: bits that must be 1; high half: bits that may be 1. */
static inline uint64_t required_bits(uint64_t allowed)
{
    return (uint32_t)allowed;
}
static inline uint64_t forbidden_bits(uint64_t allowed)
{
    return (uint32_t) ~(allowed >> 32);
}

/* What IA32_PERF_GLOBAL_CTRL must not set, from CPUID leaf 0AH. */
uint64_t perf_global_ctrl_reserved(const struct cpu_profile *profile);
/* What IA32_EFER must not set. */
uint64_t efer_reserved(const struct cpu_profile *profile);
/* What IA32_S_CET must not set, from CPUID leaf 07H: bits of what the processor lacks. */
uint64_t s_cet_reserved(const struct cpu_profile *profile);
/* SUPPRESS and TRACKER are not both set. */
bool s_cet_tracker_valid(uint64_t s_cet);
/* Could WRMSR write this to IA32_PAT? */
bool pat_valid(uint64_t pat);
/* Does the last byte of an MSR list lie within bits that addresses may have? */
bool msr_list_end_valid(const struct check_context *c, uint64_t address, uint32_t count);

#endif
