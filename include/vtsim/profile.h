/*
 * profile.h: what one processor model offers: features, capability MSRs, TLB geometry, costs.
 *
 * Each profile is one constant table in sim/cpu/profiles/. Only what vtsim models is advertised.
 */
#ifndef VTSIM_PROFILE_H
#define VTSIM_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The VMX capability MSRs, IA32_VMX_BASIC (480H) to IA32_VMX_EXIT_CTLS2 (493H): SDM appendix "VMX Capability
 * Reporting Facility". */
struct vmx_capabilities {
    uint64_t basic;
    uint64_t pinbased_ctls, procbased_ctls, exit_ctls, entry_ctls;
    uint64_t misc;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t vmcs_enum;
    uint64_t procbased_ctls2;
    uint64_t ept_vpid_cap;
    uint64_t true_pinbased_ctls, true_procbased_ctls, true_exit_ctls, true_entry_ctls;
    uint64_t vmfunc;
    uint64_t procbased_ctls3, exit_ctls2; /* controls that may be 1; all may be 0 */
};

/* One set-associative array of the modelled TLB. entries == 0: the profile has none. */
struct tlb_array_geometry {
    uint16_t entries;
    uint16_t ways;
    const char *source;
};

struct tlb_geometry {
    /* What the first level holds: a translation that the model keeps was used that few fills ago, or it comes
     * from the second level. entries == 0: there is one level only. */
    struct tlb_array_geometry first_level;
    struct tlb_array_geometry main_4k_2m; /* the level that the model keeps: second level, or the only one */
    struct tlb_array_geometry main_1g;
    struct tlb_array_geometry
        guest_physical; /* cache of guest-physical mappings, fully associative if ways == entries */
    bool main_holds_2m; /* false: 2M and 4M pages go to large_2m */
    struct tlb_array_geometry large_2m;
};

/* The caches as page walks use them: entries are lines of 64 bytes that hold paging structures; sets a power
 * of two. entries == 0: no such level. */
#define WALK_CACHE_LEVELS 3

struct cpu_cost {
    uint32_t cycles;
    const char *source; /* a publication, or "assumed" */
};

/* X-macro: field, text. Costs are in cycles. */
#define CPU_COSTS(X)                                                                                         \
    X(instruction, "one ordinary instruction")                                                               \
    X(branch, "a taken or untaken branch instruction")                                                       \
    X(memory_access, "a memory operand that hits the first-level cache, on top")                             \
    X(system_instruction, "an intercepted system instruction executed by the model")                         \
    X(tlb_second_level, "a translation found in the second level of the TLB")                                \
    X(walk_l1, "a reference of a page walk that the first-level cache holds")                                \
    X(walk_l2, "a reference of a page walk that the second-level cache holds")                               \
    X(walk_l3, "a reference of a page walk that the third-level cache holds")                                \
    X(walk_memory, "a reference of a page walk that no cache holds")                                         \
    X(vm_entry, "VMLAUNCH or VMRESUME")                                                                      \
    X(vm_exit, "VM exit")                                                                                    \
    X(vm_entry_recheck, "checks at the VM entry after a VMWRITE to a control, or VMPTRLD")                   \
    X(transition_msr, "an MSR that a VM entry or exit loads or saves by a control")                          \
    X(load_pdptes, "loading four PDPTEs at a VM entry or exit")                                              \
    X(vmread, "VMREAD")                                                                                      \
    X(vmwrite, "VMWRITE")                                                                                    \
    X(vmptrld, "VMPTRLD")                                                                                    \
    X(vmclear, "VMCLEAR")                                                                                    \
    X(vmxon, "VMXON or VMXOFF")                                                                              \
    X(invept, "INVEPT")                                                                                      \
    X(invvpid, "INVVPID")                                                                                    \
    X(invlpg, "INVLPG or INVPCID")                                                                           \
    X(tlb_flush, "dropping a context from the TLB, on top of MOV CR, a VM entry ...")                        \
    X(mov_cr, "MOV to a control register")                                                                   \
    X(event_delivery, "delivery of an event through the IDT")                                                \
    X(task_switch, "a task switch, on top of what makes it")                                                 \
    X(wbinvd, "WBINVD or INVD: the caches are emptied to memory")                                            \
    X(io_port, "IN or OUT")                                                                                  \
    X(msr_list_entry, "one entry of an MSR load or store list")

struct cpu_costs {
#define CPU_COST_MEMBER(field, text) struct cpu_cost field;
    CPU_COSTS(CPU_COST_MEMBER)
#undef CPU_COST_MEMBER
};

struct cpuid_leaf {
    uint32_t leaf, subleaf; /* subleaf CPUID_ANY_SUBLEAF: the leaf has none */
    uint32_t eax, ebx, ecx, edx;
};
#define CPUID_ANY_SUBLEAF 0xffffffffu

/* "Instruction timeout": SDM volume 3C, "Instruction-Timeout Control". In cycles of the TSC. */
struct instruction_timeout {
    uint32_t crystal_clock; /* one cycle of the core crystal clock, the field's unit */
    uint32_t allowance;     /* what the processor allows on top of the field's value */
};

struct cpu_profile {
    const char *name; /* as given to --cpu */
    const char *description;
    uint8_t physical_address_bits;
    uint8_t linear_address_bits;
    bool has_1g_pages, has_pcid, has_invpcid, has_smep, has_smap, has_nx, has_umip, has_rdtscp, has_lam;
    bool has_vmx, has_ept, has_vpid;
    struct vmx_capabilities vmx;
    struct instruction_timeout instruction_timeout; /* 0 without the control */
    struct tlb_geometry tlb;
    struct tlb_array_geometry walk_cache[WALK_CACHE_LEVELS];
    struct cpu_costs cost;
    const struct cpuid_leaf *cpuid;
    size_t cpuid_count;
};

#define CPU_CR3_LAM (3ull << 61) /* LAM_U57 and LAM_U48 */

/* Bits of CR3 that must be 0 in IA-32e mode: SDM volume 3A, "Control Registers"; bit 63 as a source operand
 * has a meaning of its own with CR4.PCIDE. */
static inline uint64_t cpu_cr3_reserved(const struct cpu_profile *profile)
{
    const uint64_t lam = profile->has_lam ? CPU_CR3_LAM : 0;
    return UINT64_MAX << profile->physical_address_bits & ~lam;
}

/* Null if there is none of that name. */
const struct cpu_profile *cpu_profile_find(const char *name);
/* The index'th profile, null past the end; oldest generation first. */
const struct cpu_profile *cpu_profile_at(size_t index);

/* A profile less some features. It points into itself: not to be copied by assignment. */
#define CPU_SELECTION_LEAVES 32
struct cpu_selection {
    struct cpu_profile profile; /* cpuid is the array below */
    struct cpuid_leaf cpuid[CPU_SELECTION_LEAVES];
};

/* text: NAME[,-FEATURE...], as given to --cpu; "+FEATURE" is allowed for what the profile has. False: message
 * (of size bytes) says why not. */
bool cpu_profile_select(const char *text, struct cpu_selection *selection, char *message, size_t size);
/* The index'th feature of CPUID that can be taken away, null past the end. VMX controls can be too, by the
 * identifiers of `vtsim list controls`. */
const char *cpu_feature_name_at(size_t index);

#endif
