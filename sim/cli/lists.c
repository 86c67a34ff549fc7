/* lists.c: fields, rules, exits, errors, controls, profiles, MSRs and costs, each from the table that the
 * model itself uses. */
#include "sim/cli/lists.h"

#include <inttypes.h>
#include <stdio.h>

#include "sim/cpu/features.h"
#include "sim/sanitize/sanitizer.h"
#include "vmx_model/checks/checks.h"
#include "vmx_model/control_table.h"
#include "vmx_model/errors.h"
#include "vmx_model/exit_reasons.h"
#include "vmx_model/vmcs.h"
#include "vtsim/profile.h"

static void columns(struct table *table, const char *const *names)
{
    for (; *names; names++)
        table_column(table, *names);
}

const char *list_field_width(unsigned width)
{
    static const char *const words[] = {[VMCS_W16] = "16-bit",
                                        [VMCS_W64] = "64-bit",
                                        [VMCS_W32] = "32-bit",
                                        [VMCS_NATURAL] = "natural-width"};
    return words[width];
}

const char *list_field_area(unsigned area)
{
    static const char *const words[] = {[VMCS_CONTROL] = "control",
                                        [VMCS_READ_ONLY] = "VM-exit information",
                                        [VMCS_GUEST] = "guest state",
                                        [VMCS_HOST] = "host state"};
    return words[area];
}

static void fill_fields(struct table *table)
{
    columns(table, (const char *const[]){"encoding", "name", "identifier", "width", "area", "access",
                                         "exists_with", NULL});
    const struct vmcs_field_info *field;
    for (size_t i = 0; (field = vmcs_field_at(i)); i++) {
        table_stringf(table, "0x%04x", field->encoding);
        table_string(table, field->name);
        table_string(table, field->identifier);
        table_string(table, list_field_width(field->width));
        table_string(table, list_field_area(field->area));
        table_string(table, field->access == VMCS_RO ? "read only" : "read and write");
        table_string(table, vmcs_exists_text((enum vmcs_exists)field->exists));
    }
}

static void fill_rules(struct table *table)
{
    columns(table, (const char *const[]){"id", "phase", "demand", "when", "field", "section", NULL});
    const struct vmx_rule *rule;
    for (size_t i = 0; (rule = vmx_rule_at(i)); i++) {
        char conditions[512];
        vmx_rule_conditions(rule, conditions, sizeof conditions);
        const struct vmcs_field_info *field = vmcs_field_at(rule->field);
        table_string(table, rule->id);
        table_string(table, vmx_check_phase_name(rule->phase));
        table_string(table, rule->demand);
        table_string(table, conditions);
        table_string(table, field ? field->identifier : NULL);
        table_string(table, rule->section);
    }
}

static void fill_exits(struct table *table)
{
    columns(table, (const char *const[]){"reason", "identifier", "name", "kvm_name", "qualification", NULL});
    const struct vmx_exit_reason_info *reason;
    for (size_t i = 0; (reason = vmx_exit_reason_at(i)); i++) {
        table_integer(table, reason->number);
        table_string(table, reason->identifier);
        table_string(table, reason->name);
        table_string(table, *reason->kvm_name ? reason->kvm_name : NULL);
        table_string(table, *reason->qualification ? reason->qualification : NULL);
    }
}

static void fill_errors(struct table *table)
{
    columns(table, (const char *const[]){"error", "text", NULL});
    for (uint32_t number = 0; number <= VMX_ERROR_LAST; number++) {
        const char *text = vmx_instruction_error_text(number);
        if (!text)
            continue;
        table_integer(table, number);
        table_string(table, text);
    }
}

/* The profiles for which a capability MSR says so, oldest first, with a space between; null: none. */
static void add_profiles(struct table *table, const struct vmx_control *control,
                         bool (*holds)(const struct vmx_capabilities *, const struct vmx_control *))
{
    char names[512] = "";
    size_t length = 0;
    const struct cpu_profile *profile;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        if (holds(&profile->vmx, control) && length < sizeof names)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%s", length ? " " : "",
                                       profile->name);
    table_string(table, *names ? names : NULL);
}

static void fill_controls(struct table *table)
{
    columns(table, (const char *const[]){"word", "bit", "identifier", "name", "section", "may_be_1",
                                         "must_be_1", NULL});
    const struct vmx_control *control;
    for (size_t i = 0; (control = vmx_control_at(i)); i++) {
        table_string(table, control->word);
        table_integer(table, vmx_control_bit(control));
        table_string(table, control->identifier);
        table_string(table, control->name);
        table_string(table, vmx_control_section(control));
        add_profiles(table, control, vmx_control_may_be_1);
        add_profiles(table, control, vmx_control_must_be_1);
    }
}

static const char *yes_or_no(bool yes)
{
    return yes ? "yes" : "no";
}

static void add_array(struct table *table, const struct tlb_array_geometry *array)
{
    if (array->entries)
        table_stringf(table, "%u entries, %u ways", array->entries, array->ways);
    else
        table_null(table);
}

static void add_cpu_columns(struct table *table)
{
    columns(table, (const char *const[]){"name", "description", "physical_bits", "linear_bits", "vmx", "ept",
                                         "vpid", "pcid", "pages_1g", "tlb_4k", "tlb_2m", "tlb_1g",
                                         "guest_physical_cache", NULL});
}

static void add_cpu(struct table *table, const struct cpu_profile *profile)
{
    table_string(table, profile->name);
    table_string(table, profile->description);
    table_integer(table, profile->physical_address_bits);
    table_integer(table, profile->linear_address_bits);
    table_string(table, yes_or_no(profile->has_vmx));
    table_string(table, yes_or_no(profile->has_ept));
    table_string(table, yes_or_no(profile->has_vpid));
    table_string(table, yes_or_no(profile->has_pcid));
    table_string(table, yes_or_no(profile->has_1g_pages));
    add_array(table, &profile->tlb.main_4k_2m);
    if (profile->tlb.main_holds_2m)
        table_string(table, "shared with 4K");
    else
        add_array(table, &profile->tlb.large_2m);
    add_array(table, &profile->tlb.main_1g);
    add_array(table, &profile->tlb.guest_physical);
}

static void fill_cpus_for(struct table *table, const struct cpu_profile *profile)
{
    add_cpu_columns(table);
    add_cpu(table, profile);
}

static void fill_cpus(struct table *table)
{
    const struct cpu_profile *profile;
    add_cpu_columns(table);
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        add_cpu(table, profile);
}

/* Where software sees a feature: "CPUID.07H:EBX[7]". */
static void add_cpuid_place(struct table *table, enum cpu_feature feature)
{
    static const char *const registers[] = {"EAX", "EBX", "ECX", "EDX"};
    const struct cpuid_bit bit = cpu_feature_bit(feature);
    if (bit.subleaf)
        table_stringf(table, "CPUID.(%02" PRIX32 "H,%" PRIu32 "):%s[%u]", bit.leaf, bit.subleaf,
                      registers[bit.reg], bit.bit);
    else
        table_stringf(table, "CPUID.%02" PRIX32 "H:%s[%u]", bit.leaf, registers[bit.reg], bit.bit);
}

/* The profiles that a list of features has columns for: one, or all of them if it is null. */
static const struct cpu_profile *shown(const struct cpu_profile *only, size_t i)
{
    if (!only)
        return cpu_profile_at(i);
    return i ? NULL : only;
}

static void add_feature(struct table *table, const char *name, enum cpu_feature feature,
                        const struct cpu_profile *only)
{
    const struct cpu_profile *profile;
    table_string(table, name);
    add_cpuid_place(table, feature);
    for (size_t i = 0; (profile = shown(only, i)); i++)
        table_string(table, yes_or_no(cpu_has_feature(profile, feature)));
}

static bool may_be_1_somewhere(const struct vmx_control *control)
{
    const struct cpu_profile *profile;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        if (vmx_control_may_be_1(&profile->vmx, control))
            return true;
    return false;
}

static const char *setting(const struct cpu_profile *profile, const struct vmx_control *control)
{
    if (vmx_control_must_be_1(&profile->vmx, control))
        return "must be 1";
    return yes_or_no(vmx_control_may_be_1(&profile->vmx, control));
}

/* Named as --cpu takes it. */
static void add_control(struct table *table, const struct vmx_control *control,
                        const struct cpu_profile *only)
{
    const struct cpu_profile *profile;
    char name[64];
    snprintf(name, sizeof name, "%s", control->identifier);
    for (char *c = name; *c; c++)
        if (*c == '_')
            *c = '-';
    table_string(table, name);
    table_stringf(table, "%s[%u]", control->word, vmx_control_bit(control));
    for (size_t i = 0; (profile = shown(only, i)); i++)
        table_string(table, setting(profile, control));
}

static void fill_features_for(struct table *table, const struct cpu_profile *only)
{
    const struct cpu_profile *profile;
    const char *name;
    enum cpu_feature feature;
    const struct vmx_control *control;
    columns(table, (const char *const[]){"name", "seen_in", NULL});
    for (size_t i = 0; (profile = shown(only, i)); i++)
        table_column(table, profile->name);
    for (size_t i = 0; (name = cpu_removable_at(i, &feature)); i++)
        add_feature(table, name, feature, only);
    for (size_t i = 0; (control = vmx_control_at(i)); i++)
        if (may_be_1_somewhere(control))
            add_control(table, control, only);
}

static void fill_features(struct table *table)
{
    fill_features_for(table, NULL);
}

const char *list_msr_access(const struct msr_row *row)
{
    bool read_only = row->kind == MSR_CONSTANT || (row->kind == MSR_SPECIAL && !row->write);
    return read_only ? "read only" : "read and write";
}

const char *list_msr_feature(const struct msr_row *row)
{
#define FEATURE_NAME(name, leaf, reg, bit) [FEATURE_##name] = #name,
    static const char *const names[] = {CPU_FEATURES(FEATURE_NAME)};
#undef FEATURE_NAME
    return row->feature == MSR_ALWAYS ? "always" : names[row->feature];
}

static void fill_msrs(struct table *table)
{
    columns(table, (const char *const[]){"first", "last", "name", "access", "exists_with", NULL});
    const struct msr_row *row;
    for (size_t i = 0; (row = msr_row_at(i)); i++) {
        table_stringf(table, "0x%" PRIx32, row->first);
        table_stringf(table, "0x%" PRIx32, row->last);
        table_string(table, row->name);
        table_string(table, list_msr_access(row));
        table_string(table, list_msr_feature(row));
    }
}

static void add_cost(struct table *table, const char *profile, const char *name, const char *text,
                     const struct cpu_cost *cost)
{
    table_string(table, profile);
    table_string(table, name);
    table_string(table, text);
    table_integer(table, cost->cycles);
    table_string(table, cost->source);
}

static void add_cost_columns(struct table *table)
{
    columns(table, (const char *const[]){"cpu", "cost", "of", "cycles", "source", NULL});
}

/* What the cycles depend on besides: entries of an array, in the column of the cycles' place. */
static void add_geometry(struct table *table, const char *profile, const char *name, const char *text,
                         const struct tlb_array_geometry *geometry)
{
    if (!geometry->entries)
        return;
    table_string(table, profile);
    table_string(table, name);
    table_stringf(table, "%s: %u entries, %u ways", text, geometry->entries, geometry->ways);
    table_null(table);
    table_string(table, geometry->source);
}

static void add_geometries(struct table *table, const struct cpu_profile *profile)
{
    static const char *const caches[WALK_CACHE_LEVELS] = {"walk_cache_l1", "walk_cache_l2", "walk_cache_l3"};
    const struct tlb_geometry *tlb = &profile->tlb;
    add_geometry(table, profile->name, "tlb_first_level_size", "first level of the TLB", &tlb->first_level);
    add_geometry(table, profile->name, "tlb_main_size", "4K pages (2M too unless apart)", &tlb->main_4k_2m);
    add_geometry(table, profile->name, "tlb_large_size", "2M and 4M pages", &tlb->large_2m);
    add_geometry(table, profile->name, "tlb_huge_size", "1G pages", &tlb->main_1g);
    add_geometry(table, profile->name, "tlb_guest_physical_size", "guest-physical mappings",
                 &tlb->guest_physical);
    for (unsigned level = 0; level < WALK_CACHE_LEVELS; level++)
        add_geometry(table, profile->name, caches[level], "lines of paging structures",
                     &profile->walk_cache[level]);
}

static void add_costs(struct table *table, const struct cpu_profile *profile)
{
#define ADD_COST(field, text) add_cost(table, profile->name, #field, text, &profile->cost.field);
    CPU_COSTS(ADD_COST)
#undef ADD_COST
    add_geometries(table, profile);
}

static void fill_costs_for(struct table *table, const struct cpu_profile *profile)
{
    add_cost_columns(table);
    add_costs(table, profile);
}

static void fill_costs(struct table *table)
{
    const struct cpu_profile *profile;
    add_cost_columns(table);
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        add_costs(table, profile);
}

static void fill_findings(struct table *table)
{
    columns(table, (const char *const[]){"id", "group", "what", "section", "advice", NULL});
    const struct finding_info *finding;
    for (size_t i = 0; (finding = finding_at(i)); i++) {
        table_string(table, finding->id);
        table_string(table, finding_group_name(finding->group));
        table_string(table, finding->what);
        table_string(table, finding->section);
        table_string(table, finding->advice);
    }
}

const struct list_topic list_topics[] = {
    {"fields", "the fields of a VMCS", fill_fields, NULL},
    {"rules", "what a VM entry checks", fill_rules, NULL},
    {"exits", "basic exit reasons", fill_exits, NULL},
    {"errors", "VM-instruction errors", fill_errors, NULL},
    {"controls", "the bits of the VMX control fields, and which processors have them", fill_controls, NULL},
    {"cpus", "processor profiles", fill_cpus, fill_cpus_for},
    {"features", "what can be taken from a processor, as `--cpu NAME,-FEATURE`, and which have it",
     fill_features, fill_features_for},
    {"msrs", "model-specific registers", fill_msrs, NULL},
    {"costs", "what operations cost in cycles, and where the figure comes from", fill_costs, fill_costs_for},
    {"findings", "what `vtsim run --sanitize` looks for", fill_findings, NULL},
    {0},
};
