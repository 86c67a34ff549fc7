/* removable.c: see removable.h. */
#include "sim/cpu/profiles/removable.h"

#include "vmx_model/capabilities.h"
#include "vmx_model/controls.h"
#include "vtsim/cpu_state.h"

enum {
#define FLAG_NUMBER(member) NUMBER_##member,
    PROFILE_FLAGS(FLAG_NUMBER)
#undef FLAG_NUMBER
};

static const size_t flag_offsets[] = {
#define FLAG_OFFSET(member) offsetof(struct cpu_profile, member),
    PROFILE_FLAGS(FLAG_OFFSET)
#undef FLAG_OFFSET
};

static const struct removable removables[] = {
#define FLAG(member) (1u << NUMBER_##member)
#define REMOVABLE(text, id, ...) {.name = text, .feature = FEATURE_##id, __VA_ARGS__},
#include "sim/cpu/profiles/removable.def"
#undef REMOVABLE
#undef FLAG
};

#define LINEAR_BITS_SHIFT 8 /* CPUID.80000008H:EAX[15:8] */

const struct removable *removable_at(size_t index)
{
    return index < sizeof removables / sizeof *removables ? &removables[index] : NULL;
}

const char *cpu_removable_at(size_t index, enum cpu_feature *feature)
{
    const struct removable *row = removable_at(index);
    if (row)
        *feature = row->feature;
    return row ? row->name : NULL;
}

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

static void clear_leaf(struct cpu_selection *selection, uint32_t leaf)
{
    for (size_t i = 0; i < selection->profile.cpuid_count; i++) {
        struct cpuid_leaf *row = &selection->cpuid[i];
        if (row->leaf == leaf)
            *row = (struct cpuid_leaf){.leaf = row->leaf, .subleaf = row->subleaf};
    }
}

static void clear_flags(struct cpu_profile *profile, uint32_t flags)
{
    for (size_t i = 0; i < sizeof flag_offsets / sizeof *flag_offsets; i++)
        if (flags >> i & 1)
            *(bool *)((char *)profile + flag_offsets[i]) = false;
}

void removable_take(struct cpu_selection *selection, const struct removable *row)
{
    struct cpu_profile *profile = &selection->profile;
    struct vmx_capabilities *vmx = &profile->vmx;
    clear_cpuid_bit(selection, row->feature);
    clear_flags(profile, row->flags);
    vmx->cr4_fixed1 &= ~row->cr4;
    /* bits 63:32: may be 1 */
    vmx->procbased_ctls2 &= ~((uint64_t)row->secondary << 32);
    vmx->exit_ctls &= ~((uint64_t)row->exit << 32);
    vmx->true_exit_ctls &= ~((uint64_t)row->exit << 32);
    vmx->entry_ctls &= ~((uint64_t)row->entry << 32);
    vmx->true_entry_ctls &= ~((uint64_t)row->entry << 32);
    vmx->ept_vpid_cap &= ~row->ept_vpid_cap;
    if (row->feature == FEATURE_VMX)
        *vmx = (struct vmx_capabilities){0};
    if (row->leaf)
        clear_leaf(selection, row->leaf);
    if (row->linear_address_bits)
        set_linear_address_bits(selection, row->linear_address_bits);
}
