/* features.c: see features.h. */
#include "sim/cpu/features.h"

#include "vtsim/cpu_state.h"

static const struct cpuid_bit features[FEATURE_COUNT] = {
#define CPU_FEATURE_ROW(name, leaf, reg, bit)                                                                \
    {(leaf) & ~SUBLEAF_1, ((leaf)&SUBLEAF_1) != 0, CPUID_##reg, bit},
    CPU_FEATURES(CPU_FEATURE_ROW)
#undef CPU_FEATURE_ROW
};

struct cpuid_bit cpu_feature_bit(enum cpu_feature feature)
{
    return features[feature];
}

const struct cpuid_leaf *cpuid_find(const struct cpu_profile *profile, uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < profile->cpuid_count; i++) {
        const struct cpuid_leaf *row = &profile->cpuid[i];
        if (row->leaf == leaf && (row->subleaf == CPUID_ANY_SUBLEAF || row->subleaf == subleaf))
            return row;
    }
    return NULL;
}

bool cpu_has_feature(const struct cpu_profile *profile, enum cpu_feature feature)
{
    const struct cpuid_leaf *row = cpuid_find(profile, features[feature].leaf, features[feature].subleaf);

    if (!row)
        return false;
    const uint32_t registers[4] = {row->eax, row->ebx, row->ecx, row->edx};
    return registers[features[feature].reg] >> features[feature].bit & 1;
}

uint64_t cpu_cr4_allowed(const struct cpu_profile *profile)
{
    static const struct {
        uint64_t bits;
        enum cpu_feature feature;
    } rows[] = {
        {CR4_VME | CR4_PVI, FEATURE_VME}, {CR4_TSD, FEATURE_TSC},          {CR4_DE, FEATURE_DE},
        {CR4_PSE, FEATURE_PSE},           {CR4_PAE, FEATURE_PAE},          {CR4_MCE, FEATURE_MCE},
        {CR4_PGE, FEATURE_PGE},           {CR4_OSFXSR, FEATURE_FXSR},      {CR4_OSXMMEXCPT, FEATURE_SSE},
        {CR4_UMIP, FEATURE_UMIP},         {CR4_VMXE, FEATURE_VMX},         {CR4_FSGSBASE, FEATURE_FSGSBASE},
        {CR4_PCIDE, FEATURE_PCID},        {CR4_OSXSAVE, FEATURE_XSAVE},    {CR4_SMEP, FEATURE_SMEP},
        {CR4_SMAP, FEATURE_SMAP},         {CR4_LA57, FEATURE_LA57},        {CR4_PKE, FEATURE_PKU},
        {CR4_PKS, FEATURE_PKS},           {CR4_CET, FEATURE_SHADOW_STACK}, {CR4_CET, FEATURE_BRANCH_TRACKING},
        {CR4_LAM_SUP, FEATURE_LAM},
    };
    uint64_t allowed = CR4_PCE; /* RDPMC is in every processor since the P6 family */

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (cpu_has_feature(profile, rows[i].feature))
            allowed |= rows[i].bits;
    return allowed;
}
