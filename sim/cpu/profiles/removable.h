/*
 * removable.h: what selection.c takes from a profile: features of CPUID, and VMX controls.
 */
#ifndef VTSIM_SIM_CPU_PROFILES_REMOVABLE_H
#define VTSIM_SIM_CPU_PROFILES_REMOVABLE_H

#include "sim/cpu/features.h"
#include "vmx_model/control_table.h"

/* The profile's bools that repeat CPUID bits. */
#define PROFILE_FLAGS(X)                                                                                     \
    X(has_1g_pages)                                                                                          \
    X(has_pcid)                                                                                              \
    X(has_invpcid)                                                                                           \
    X(has_smep)                                                                                              \
    X(has_smap)                                                                                              \
    X(has_nx)                                                                                                \
    X(has_umip)                                                                                              \
    X(has_rdtscp)                                                                                            \
    X(has_lam)                                                                                               \
    X(has_vmx)                                                                                               \
    X(has_ept)                                                                                               \
    X(has_vpid)

/* A feature and all that goes with it. CR4 itself follows CPUID, but IA32_VMX_CR4_FIXED1 is a word of its
 * own. */
struct removable {
    const char *name;
    enum cpu_feature feature;
    uint64_t cr4;
    uint32_t secondary, exit, entry; /* VMX controls that depend on it */
    uint64_t ept_vpid_cap;
    uint32_t flags;              /* a set of PROFILE_FLAGS, by their order */
    uint32_t leaf;               /* of CPUID: reports nothing without it; 0: none */
    uint8_t linear_address_bits; /* without it; 0: they stay */
};

/* Null past the end. */
const struct removable *removable_at(size_t index);
/* The profile has the feature. */
void removable_take(struct cpu_selection *selection, const struct removable *row);

/* What becomes of a control that is to go. */
enum control_removal { CONTROL_UNKNOWN, CONTROL_ABSENT, CONTROL_REMOVED, CONTROL_FIXED };
/* Controls by their identifier of vmx_model/controls.def, with '-' or '_' between the words; one name may be
 * in several words (load-ia32-pat), and all of them go, with what may be 1 together with them only ("Checks
 * on VMX Controls" in the SDM). FIXED: the processor wants it 1. */
enum control_removal control_remove(struct cpu_profile *profile, const char *name, size_t length);
/* Is there a control of that name that may be 1? */
bool control_present(const struct cpu_profile *profile, const char *name, size_t length);

#endif
