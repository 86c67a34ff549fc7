/* cmd_explain.c: vtsim explain: what an exit reason, error, field, rule, MSR, control, feature or finding
 * means. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sim/cli/cli.h"
#include "sim/cli/lists.h"
#include "sim/cpu/features.h"
#include "sim/sanitize/sanitizer.h"
#include "vmx_model/checks/checks.h"
#include "vmx_model/control_table.h"
#include "vmx_model/errors.h"
#include "vmx_model/exit_reasons.h"
#include "vmx_model/vmcs.h"

#define EXIT_REASON_PREFIX "EXIT_REASON_"

enum kind {
    ANY,
    ONLY_EXIT,
    ONLY_ERROR,
    ONLY_FIELD,
    ONLY_RULE,
    ONLY_MSR,
    ONLY_CONTROL,
    ONLY_FEATURE,
    ONLY_FINDING
};

struct term {
    char text[160];   /* the words, a space between them */
    const char *name; /* text without a leading "error", "exit reason", "msr" ... */
    bool is_number, hexadecimal;
    uint64_t number;
    enum kind only; /* what the leading word asks for */
    unsigned found;
    struct suggestions near;
};

/* Equal but for letter case, and for -, _ and space. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        char x = (char)tolower((unsigned char)*a), y = (char)tolower((unsigned char)*b);
        x = x == '-' || x == '_' ? ' ' : x;
        y = y == '-' || y == '_' ? ' ' : y;
        if (x != y)
            return false;
        if (!x)
            return true;
    }
}

static bool named(struct term *term, const char *name)
{
    suggest(&term->near, name);
    return same_name(term->name, name);
}

static void heading(struct term *term, const char *kind)
{
    printf("%s%s ", term->found++ ? "\n" : "", kind);
}

static const char *exit_text(unsigned number)
{
    static const char *const texts[] = {
#define EXPLAIN_EXIT(number, text) [number] = text,
#include "sim/cli/explain_exits.def"
#undef EXPLAIN_EXIT
    };
    return number < sizeof texts / sizeof *texts ? texts[number] : NULL;
}

static bool exit_matches(struct term *term, const struct vmx_exit_reason_info *reason)
{
    /* Marks on top of the basic exit reason: SDM "Basic VM-Exit Information".
     */
    static const uint64_t marks = EXIT_REASON_VM_ENTRY_FAILURE | EXIT_REASON_AFTER_BUS_LOCK;
    if (term->is_number)
        return (term->number & ~marks) == reason->number;
    bool match = named(term, reason->name);
    match = named(term, reason->identifier) || match;
    return (*reason->kvm_name && named(term, reason->kvm_name)) || match;
}

static void explain_exits(struct term *term)
{
    const struct vmx_exit_reason_info *reason;
    for (size_t i = 0; (reason = vmx_exit_reason_at(i)); i++) {
        if (!exit_matches(term, reason))
            continue;
        heading(term, "Exit reason");
        printf("%u: %s", reason->number, reason->name);
        if (*reason->kvm_name)
            printf(" (KVM: " EXIT_REASON_PREFIX "%s)", reason->kvm_name);
        printf("\n  %s\n", exit_text(reason->number));
        printf("  Exit qualification: %s.\n", *reason->qualification ? reason->qualification : "always 0");
    }
}

static const char *error_text(uint32_t number)
{
    static const char *const texts[VMX_ERROR_LAST + 1] = {
#define EXPLAIN_ERROR(number, text) [number] = text,
#include "sim/cli/explain_errors.def"
#undef EXPLAIN_ERROR
    };
    return texts[number];
}

static void explain_errors(struct term *term)
{
    for (uint32_t number = 0; number <= VMX_ERROR_LAST; number++) {
        const char *name = vmx_instruction_error_text(number);
        if (!name || !(term->is_number ? term->number == number : named(term, name)))
            continue;
        heading(term, "VM-instruction error");
        printf("%" PRIu32 ": %s\n  %s\n", number, name, error_text(number));
    }
}

static void print_rules_of_field(size_t index)
{
    const struct vmx_rule *rule;
    bool any = false;
    for (size_t i = 0; (rule = vmx_rule_at(i)); i++) {
        if (rule->field != index)
            continue;
        printf("%s    %s: %s\n", any ? "" : "  VM entry checks it:\n", rule->id, rule->demand);
        any = true;
    }
}

static void explain_fields(struct term *term)
{
    const struct vmcs_field_info *field;
    for (size_t i = 0; (field = vmcs_field_at(i)); i++) {
        /* Small decimal numbers are meant as exit reasons; an encoding is written in hexadecimal. */
        bool by_encoding = term->is_number && (term->hexadecimal || term->only == ONLY_FIELD) &&
                           term->number <= UINT32_MAX && vmcs_field((uint32_t)term->number) == field;
        bool by_name = !term->is_number && named(term, field->identifier);
        by_name = (!term->is_number && named(term, field->name)) || by_name;
        if (!by_encoding && !by_name)
            continue;
        heading(term, "VMCS field");
        printf("0x%04x: %s (%s)\n", field->encoding, field->name, field->identifier);
        printf("  A %s field of the %s area, for software to %s.\n", list_field_width(field->width),
               list_field_area(field->area), field->access == VMCS_RO ? "read only" : "read and write");
        if (field->exists != VMCS_EXISTS_ALWAYS)
            printf("  It exists on processors that support: %s.\n",
                   vmcs_exists_text((enum vmcs_exists)field->exists));
        print_rules_of_field(i);
    }
}

static const char *failure_text(enum vmx_check_phase phase)
{
    static const char *const texts[VMX_CHECK_PHASES] = {
        [VMX_CHECK_CONTROLS] = "VMfailValid with VM-instruction error 7",
        [VMX_CHECK_HOST] = "VMfailValid with VM-instruction error 8",
        [VMX_CHECK_GUEST] = "a VM exit with reason 33 (bit 31 set)",
    };
    return texts[phase];
}

static void explain_rules(struct term *term)
{
    const struct vmx_rule *rule;
    for (size_t i = 0; !term->is_number && (rule = vmx_rule_at(i)); i++) {
        if (!named(term, rule->id))
            continue;
        char conditions[512];
        vmx_rule_conditions(rule, conditions, sizeof conditions);
        const struct vmcs_field_info *field = vmcs_field_at(rule->field);
        heading(term, "Rule");
        printf("%s: %s\n", rule->id, rule->demand);
        printf("  Checked: %s.\n", conditions);
        if (field)
            printf("  It looks at field 0x%04x, %s.\n", field->encoding, field->name);
        printf("  Where it is broken, VM entry fails: %s.\n", failure_text(rule->phase));
        printf("  SDM \"%s\"\n", rule->section);
    }
}

struct msr_text {
    uint32_t index;
    const char *name, *text;
};

static const struct msr_text msr_texts[] = {
#define EXPLAIN_MSR(index, name, text) {index, name, text},
#include "sim/cli/explain_msrs.def"
#undef EXPLAIN_MSR
};
#define MSR_TEXT_COUNT (sizeof msr_texts / sizeof *msr_texts)

static const struct msr_row *msr_row_of(uint32_t index)
{
    const struct msr_row *row;
    for (size_t i = 0; (row = msr_row_at(i)); i++)
        if (row->first <= index && index <= row->last)
            return row;
    return NULL;
}

static void print_msr(struct term *term, uint32_t index, const char *name, const char *text)
{
    const struct msr_row *row = msr_row_of(index);
    heading(term, "MSR");
    printf("0x%" PRIx32 ": %s\n", index, name);
    if (text)
        printf("  %s\n", text);
    if (!row) {
        puts("  vtsim does not model it.");
        return;
    }
    printf("  Access: %s. It comes with: %s.\n", list_msr_access(row),
           row->feature == MSR_ALWAYS ? "every profile" : list_msr_feature(row));
    const struct cpu_profile *profile;
    uint64_t value;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        if (profile->has_vmx && vmx_capability_msr(&profile->vmx, index, &value))
            printf("  Of --cpu %s: 0x%016" PRIx64 "\n", profile->name, value);
}

static bool msr_matches(struct term *term, uint32_t first, uint32_t last, const char *name)
{
    if (term->is_number)
        return (term->hexadecimal || term->only == ONLY_MSR) && first <= term->number && term->number <= last;
    return named(term, name);
}

static void explain_msrs(struct term *term)
{
    const struct msr_row *row;
    unsigned before = term->found;
    for (size_t i = 0; i < MSR_TEXT_COUNT; i++)
        if (msr_matches(term, msr_texts[i].index, msr_texts[i].index, msr_texts[i].name))
            print_msr(term, msr_texts[i].index, msr_texts[i].name, msr_texts[i].text);
    for (size_t i = 0; term->found == before && (row = msr_row_at(i)); i++)
        if (msr_matches(term, row->first, row->last, row->name))
            print_msr(term, term->is_number ? (uint32_t)term->number : row->first, row->name, NULL);
}

static void print_profiles(const char *before, const struct vmx_control *control,
                           bool (*holds)(const struct vmx_capabilities *, const struct vmx_control *))
{
    const struct cpu_profile *profile;
    bool any = false;
    printf("  %s:", before);
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++) {
        if (!holds(&profile->vmx, control))
            continue;
        printf(" %s", profile->name);
        any = true;
    }
    puts(any ? "." : " no profile.");
}

/* By its identifier, the SDM's name, or what --cpu takes: with "vmx-" before it, or without "enable". */
static bool control_matches(struct term *term, const struct vmx_control *control)
{
    static const char prefix[] = "vmx-", enable[] = "enable_";
    const char *whole = term->name, *identifier = control->identifier;
    if (!strncasecmp(term->name, prefix, sizeof prefix - 1))
        term->name += sizeof prefix - 1;
    bool match = named(term, identifier) || same_name(term->name, control->name) ||
                 (!strncmp(identifier, enable, sizeof enable - 1) &&
                  same_name(term->name, identifier + sizeof enable - 1));
    term->name = whole;
    return match;
}

static void explain_controls(struct term *term)
{
    const struct vmx_control *control;
    for (size_t i = 0; !term->is_number && (control = vmx_control_at(i)); i++) {
        if (!control_matches(term, control))
            continue;
        const struct vmcs_field_info *field = vmcs_field_at(control->field);
        heading(term, "Control");
        printf("%s: %s\n", control->identifier, control->name);
        printf("  Bit %u of field 0x%04x, %s.\n", vmx_control_bit(control), field->encoding, field->name);
        print_profiles("It may be 1 on", control, vmx_control_may_be_1);
        print_profiles("It must be 1 on", control, vmx_control_must_be_1);
        printf("  SDM \"%s\"\n", vmx_control_section(control));
    }
}

static void explain_features(struct term *term)
{
    static const char registers[4][4] = {
        [CPUID_EAX] = "EAX", [CPUID_EBX] = "EBX", [CPUID_ECX] = "ECX", [CPUID_EDX] = "EDX"};
    const char *name;
    enum cpu_feature feature;
    for (size_t i = 0; !term->is_number && (name = cpu_removable_at(i, &feature)); i++) {
        if (!named(term, name))
            continue;
        const struct cpuid_bit bit = cpu_feature_bit(feature);
        const struct cpu_profile *profile;
        heading(term, "Feature");
        printf("%s: CPUID.(EAX=%02XH,ECX=%u):%s[%u]\n  Offered by:", name, bit.leaf, bit.subleaf,
               registers[bit.reg], bit.bit);
        for (size_t p = 0; (profile = cpu_profile_at(p)); p++)
            if (cpu_has_feature(profile, feature))
                printf(" %s", profile->name);
        printf(". Taken away by: --cpu PROFILE,-%s\n", name);
    }
}

static void explain_findings(struct term *term)
{
    const struct finding_info *finding;
    for (size_t i = 0; !term->is_number && (finding = finding_at(i)); i++) {
        if (!named(term, finding->id))
            continue;
        heading(term, "Finding");
        printf("%s (--sanitize %s): %s\n", finding->id, finding_group_name(finding->group), finding->what);
        printf("  Way out: %s\n  SDM \"%s\"\n", finding->advice, finding->section);
    }
}

/* A leading word that says what kind of thing is meant. */
static void take_kind(struct term *term)
{
    static const struct {
        const char *word;
        enum kind only;
    } kinds[] = {{"VM-instruction error ", ONLY_ERROR},
                 {"error ", ONLY_ERROR},
                 {"exit reason ", ONLY_EXIT},
                 {EXIT_REASON_PREFIX, ONLY_EXIT},
                 {"exit ", ONLY_EXIT},
                 {"reason ", ONLY_EXIT},
                 {"VMCS field ", ONLY_FIELD},
                 {"field ", ONLY_FIELD},
                 {"rule ", ONLY_RULE},
                 {"MSR ", ONLY_MSR},
                 {"control ", ONLY_CONTROL},
                 {"feature ", ONLY_FEATURE},
                 {"finding ", ONLY_FINDING}};
    term->name = term->text;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && term->only == ANY; i++) {
        size_t length = strlen(kinds[i].word);
        if (strncasecmp(term->text, kinds[i].word, length) || !term->text[length])
            continue;
        term->name = term->text + length;
        term->only = kinds[i].only;
    }
    term->is_number = cli_parse_number(term->name, &term->number);
    term->hexadecimal = term->is_number && term->name[1] == 'x';
    term->near.wanted = term->name;
}

static int explain(struct term *term)
{
    static void (*const explainers[])(struct term *) = {
        [ONLY_EXIT] = explain_exits,       [ONLY_ERROR] = explain_errors,
        [ONLY_FIELD] = explain_fields,     [ONLY_RULE] = explain_rules,
        [ONLY_MSR] = explain_msrs,         [ONLY_CONTROL] = explain_controls,
        [ONLY_FEATURE] = explain_features, [ONLY_FINDING] = explain_findings};
    for (unsigned kind = ONLY_EXIT; kind <= ONLY_FINDING; kind++)
        if (term->only == ANY || (unsigned)term->only == kind)
            explainers[kind](term);
    if (term->found)
        return CLI_OK;
    char hint[512];
    suggest_text(&term->near, hint, sizeof hint);
    return cli_fail(
        CLI_USAGE,
        "'%s' is no exit reason, VM-instruction error, VMCS field, rule, MSR, VMX control, feature or "
        "finding that is known%s",
        term->text, hint);
}

static int add_word(void *target, const char *value)
{
    struct term *term = target;
    size_t used = strlen(term->text);
    int length = snprintf(term->text + used, sizeof term->text - used, "%s%s", used ? " " : "", value);
    if (length < 0 || (size_t)length >= sizeof term->text - used)
        return cli_fail(CLI_USAGE, "the term is too long");
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    struct term term = {0};
    int status = cli_parse(&cmd_explain, argc, argv, &term);
    if (status != CLI_OK)
        return status == CLI_HELP_SHOWN ? CLI_OK : status;
    if (!*term.text)
        return cli_fail(CLI_USAGE, "what is to be explained? 'vtsim explain --help' gives examples");
    take_kind(&term);
    return explain(&term);
}

static const struct cli_option options[] = {{0}};

const struct cli_command cmd_explain = {
    .name = "explain",
    .arguments = "TERM",
    .summary = "an exit reason, VM-instruction error, field, rule, MSR, control, feature or finding",
    .details = "Examples: vtsim explain 48; vtsim explain EPT_VIOLATION; vtsim explain error 7; vtsim "
               "explain 0x4002;\n"
               "vtsim explain guest_cr0; vtsim explain IA32_VMX_BASIC; vtsim explain msr 0x480;\n"
               "vtsim explain ept; vtsim explain lam; vtsim explain stale_ept. Letter case does not matter.",
    .options = options,
    .positional = add_word,
    .run = run,
};
