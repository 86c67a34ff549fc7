/*
 * selection.c: a profile without some of its features: "skylake,-la57,-pcid".
 *
 * What a feature consists of is one row: its CPUID bit, the profile's flag, its CR4 bit (CR4 itself follows
 * CPUID, but IA32_VMX_CR4_FIXED1 is a word of its own), the control that depends on it and its bits of
 * IA32_VMX_EPT_VPID_CAP. Features are only taken away: what is not in the profile's tables has no place in
 * them.
 */
#include <stdio.h>
#include <string.h>

#include "sim/cpu/features.h"
#include "sim/cpu/profiles/profiles.h"
#include "vmx_model/capabilities.h"
#include "vmx_model/controls.h"
#include "vtsim/cpu_state.h"

#define NO_FLAG SIZE_MAX
#define FLAG(member) offsetof(struct cpu_profile, member)

static const struct removable {
    const char *name;
    enum cpu_feature feature;
    size_t flag; /* offset of the bool */
    uint64_t cr4;
    uint32_t secondary_controls;
    uint64_t ept_vpid_cap;
    uint8_t linear_address_bits; /* without it; 0: it does not matter */
} removables[] = {
    {"vme", FEATURE_VME, NO_FLAG, CR4_VME | CR4_PVI, 0, 0, 0},
    {"la57", FEATURE_LA57, NO_FLAG, CR4_LA57, 0, 0, 48},
    {"pcid", FEATURE_PCID, FLAG(has_pcid), CR4_PCIDE, 0, 0, 0},
    {"invpcid", FEATURE_INVPCID, FLAG(has_invpcid), 0, SECONDARY_ENABLE_INVPCID, 0, 0},
    {"smep", FEATURE_SMEP, FLAG(has_smep), CR4_SMEP, 0, 0, 0},
    {"smap", FEATURE_SMAP, FLAG(has_smap), CR4_SMAP, 0, 0, 0},
    {"x2apic", FEATURE_X2APIC, NO_FLAG, 0, 0, 0, 0},
    {"tsc-deadline", FEATURE_TSC_DEADLINE, NO_FLAG, 0, 0, 0, 0},
    {"1g-pages", FEATURE_PAGE_1G, FLAG(has_1g_pages), 0, 0, EPT_CAP_PAGE_1G, 0},
};

#define REMOVABLES (sizeof removables / sizeof removables[0])
#define LINEAR_BITS_SHIFT 8 /* CPUID.80000008H:EAX[15:8] */

static struct cpuid_leaf *leaf_of(struct cpu_selection *selection, uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < selection->profile.cpuid_count; i++)
        if (selection->cpuid[i].leaf == leaf &&
            (selection->cpuid[i].subleaf == CPUID_ANY_SUBLEAF || selection->cpuid[i].subleaf == subleaf))
            return &selection->cpuid[i];
    return NULL;
}

static void set_linear_address_bits(struct cpu_selection *selection, uint8_t bits)
{
    struct cpuid_leaf *widths = leaf_of(selection, 0x80000008, 0);
    selection->profile.linear_address_bits = bits;
    if (widths)
        widths->eax = (widths->eax & ~(0xffu << LINEAR_BITS_SHIFT)) | (uint32_t)bits << LINEAR_BITS_SHIFT;
}

static void clear_cpuid_bit(struct cpu_selection *selection, enum cpu_feature feature)
{
    const struct cpuid_bit bit = cpu_feature_bit(feature);
    struct cpuid_leaf *row = leaf_of(selection, bit.leaf, bit.subleaf);
    uint32_t *const registers[4] = {&row->eax, &row->ebx, &row->ecx, &row->edx};
    *registers[bit.reg] &= ~(1u << bit.bit);
}

/* The profile has the feature, so its leaf is there. */
static void take_away(struct cpu_selection *selection, const struct removable *row)
{
    struct cpu_profile *profile = &selection->profile;
    clear_cpuid_bit(selection, row->feature);
    if (row->flag != NO_FLAG)
        *(bool *)((char *)profile + row->flag) = false;
    profile->vmx.cr4_fixed1 &= ~row->cr4;
    profile->vmx.procbased_ctls2 &= ~((uint64_t)row->secondary_controls << 32); /* bits 63:32: may be 1 */
    profile->vmx.ept_vpid_cap &= ~row->ept_vpid_cap;
    if (row->linear_address_bits)
        set_linear_address_bits(selection, row->linear_address_bits);
}

static const struct removable *find(const char *name, size_t length)
{
    for (size_t i = 0; i < REMOVABLES; i++)
        if (strlen(removables[i].name) == length && !strncmp(removables[i].name, name, length))
            return &removables[i];
    return NULL;
}

static void list_features(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < REMOVABLES && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", removables[i].name);
}

/* One of the items behind the name: "-FEATURE", or "+FEATURE" for what is there in any case. */
static bool apply(struct cpu_selection *selection, const char *item, size_t length, char *message,
                  size_t size)
{
    const bool remove = length && *item == '-', add = length && *item == '+';
    const struct removable *row = remove || add ? find(item + 1, length - 1) : NULL;
    char known[128];
    if (!row) {
        list_features(known, sizeof known);
        snprintf(message, size,
                 "'%.*s' is no feature of a processor that can be switched, as -FEATURE; these are: %s",
                 (int)length, item, known);
        return false;
    }
    const bool present = cpu_has_feature(&selection->profile, row->feature);
    if (add && !present) {
        snprintf(message, size, "%s has no %s to offer: features can only be taken away from a profile",
                 selection->profile.name, row->name);
        return false;
    }
    if (remove && present)
        take_away(selection, row);
    return true;
}

const char *cpu_feature_name_at(size_t index)
{
    return index < REMOVABLES ? removables[index].name : NULL;
}

bool cpu_profile_select(const char *text, struct cpu_selection *selection, char *message, size_t size)
{
    const size_t length = strcspn(text, ",");
    const struct cpu_profile *profile = NULL;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        if (strlen(profile->name) == length && !strncmp(profile->name, text, length))
            break;
    if (!profile || profile->cpuid_count > CPU_SELECTION_LEAVES) {
        snprintf(message, size, "there is no processor profile \"%.*s\"; vtsim list cpus shows them",
                 (int)length, text);
        return false;
    }
    selection->profile = *profile;
    memcpy(selection->cpuid, profile->cpuid, profile->cpuid_count * sizeof *profile->cpuid);
    selection->profile.cpuid = selection->cpuid;
    for (text += length; *text; text += strcspn(text, ",")) {
        text++;
        if (!apply(selection, text, strcspn(text, ","), message, size))
            return false;
    }
    return true;
}
