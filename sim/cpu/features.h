/*
 * features.h: does a profile have a feature, by its CPUID bit.
 *
 * CPUID is the one place that says what a processor offers; CR4, the MSRs and the instructions follow it.
 * Source: SDM volume 2, "CPUID", table "Information Returned by CPUID Instruction".
 */
#ifndef VTSIM_SIM_CPU_FEATURES_H
#define VTSIM_SIM_CPU_FEATURES_H

#include "vtsim/profile.h"

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/* X-macro: name, leaf (subleaf 0, or 1 with the mark), register, bit. */
#define SUBLEAF_1 0x40000000u
#define CPU_FEATURES(X)                                                                                      \
    X(VME, 1, EDX, 1)                                                                                        \
    X(DE, 1, EDX, 2)                                                                                         \
    X(PSE, 1, EDX, 3)                                                                                        \
    X(TSC, 1, EDX, 4)                                                                                        \
    X(PAE, 1, EDX, 6)                                                                                        \
    X(MCE, 1, EDX, 7)                                                                                        \
    X(APIC, 1, EDX, 9)                                                                                       \
    X(SEP, 1, EDX, 11)                                                                                       \
    X(MTRR, 1, EDX, 12)                                                                                      \
    X(PGE, 1, EDX, 13)                                                                                       \
    X(MCA, 1, EDX, 14)                                                                                       \
    X(PAT, 1, EDX, 16)                                                                                       \
    X(CLFSH, 1, EDX, 19)                                                                                     \
    X(FXSR, 1, EDX, 24)                                                                                      \
    X(SSE, 1, EDX, 25)                                                                                       \
    X(MONITOR, 1, ECX, 3)                                                                                    \
    X(VMX, 1, ECX, 5)                                                                                        \
    X(EIST, 1, ECX, 7)                                                                                       \
    X(XTPR, 1, ECX, 14)                                                                                      \
    X(PCID, 1, ECX, 17)                                                                                      \
    X(X2APIC, 1, ECX, 21)                                                                                    \
    X(TSC_DEADLINE, 1, ECX, 24)                                                                              \
    X(XSAVE, 1, ECX, 26)                                                                                     \
    X(RDRAND, 1, ECX, 30)                                                                                    \
    X(FSGSBASE, 7, EBX, 0)                                                                                   \
    X(TSC_ADJUST, 7, EBX, 1)                                                                                 \
    X(SMEP, 7, EBX, 7)                                                                                       \
    X(INVPCID, 7, EBX, 10)                                                                                   \
    X(MPX, 7, EBX, 14)                                                                                       \
    X(RDSEED, 7, EBX, 18)                                                                                    \
    X(SMAP, 7, EBX, 20)                                                                                      \
    X(LA57, 7, ECX, 16)                                                                                      \
    X(UMIP, 7, ECX, 2)                                                                                       \
    X(CLFLUSHOPT, 7, EBX, 23)                                                                                \
    X(CLWB, 7, EBX, 24)                                                                                      \
    X(SHADOW_STACK, 7, ECX, 7)                                                                               \
    X(BRANCH_TRACKING, 7, EDX, 20)                                                                           \
    X(BUS_LOCK_DETECT, 7, ECX, 24)                                                                           \
    X(CORE_CAPABILITIES, 7, EDX, 30)                                                                         \
    X(WAITPKG, 7, ECX, 5)                                                                                    \
    X(RDPID, 7, ECX, 22)                                                                                     \
    X(SERIALIZE, 7, EDX, 14)                                                                                 \
    X(IBRS, 7, EDX, 26)                                                                                      \
    X(STIBP, 7, EDX, 27)                                                                                     \
    X(L1D_FLUSH, 7, EDX, 28)                                                                                 \
    X(ARCH_CAPABILITIES, 7, EDX, 29)                                                                         \
    X(SSBD, 7, EDX, 31)                                                                                      \
    X(PKU, 7, ECX, 3)                                                                                        \
    X(PKS, 7, ECX, 31)                                                                                       \
    X(LAM, SUBLEAF_1 | 7, EAX, 26)                                                                           \
    X(PERFMON_2, 0xa, EAX, 1) /* of the version number: there are none but 0 and 2 */                        \
    X(XSAVEOPT, SUBLEAF_1 | 0xd, EAX, 0)                                                                     \
    X(XSAVEC, SUBLEAF_1 | 0xd, EAX, 1)                                                                       \
    X(XGETBV_1, SUBLEAF_1 | 0xd, EAX, 2)                                                                     \
    X(XSAVES, SUBLEAF_1 | 0xd, EAX, 3)                                                                       \
    X(SYSCALL, 0x80000001, EDX, 11)                                                                          \
    X(NX, 0x80000001, EDX, 20)                                                                               \
    X(PAGE_1G, 0x80000001, EDX, 26)                                                                          \
    X(RDTSCP, 0x80000001, EDX, 27)                                                                           \
    X(LONG_MODE, 0x80000001, EDX, 29)

enum cpu_feature {
#define CPU_FEATURE_ENUM(name, leaf, reg, bit) FEATURE_##name,
    CPU_FEATURES(CPU_FEATURE_ENUM)
#undef CPU_FEATURE_ENUM
        FEATURE_COUNT
};

/* Where CPUID reports a feature. */
struct cpuid_bit {
    uint32_t leaf, subleaf;
    uint8_t reg; /* enum cpuid_register */
    uint8_t bit;
};
struct cpuid_bit cpu_feature_bit(enum cpu_feature feature);

/* Does the profile's CPUID report the feature? (Bits that follow the processor's state are looked at as in
 * the table.) */
bool cpu_has_feature(const struct cpu_profile *profile, enum cpu_feature feature);
/* The name of the index'th feature that can be taken from a profile (profiles/removable.def), and which it is;
 * null past the end. */
const char *cpu_removable_at(size_t index, enum cpu_feature *feature);
/* The CR4 bits that may be set: SDM volume 3A, "Control Registers", and the CPUID bit of each. */
uint64_t cpu_cr4_allowed(const struct cpu_profile *profile);
/* The row of a leaf, null if the table has none. */
const struct cpuid_leaf *cpuid_find(const struct cpu_profile *profile, uint32_t leaf, uint32_t subleaf);

#endif
