/*
 * test_checks.c: every VM-entry rule has a state that passes and one that fails. SDM volume 3C, chapter "VM
 * Entries", "Checks on VMX Controls and Host-State Area" and "Checks on the Guest State Area".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "checks_fixture.h"

struct mutation {
    const char *rule;
    void (*base)(struct fixture *f);
    void (*prepare)(struct fixture *f, struct vmcs *v);
    void (*break_it)(struct fixture *f, struct vmcs *v);
    bool among; /* other rules may be violated too */
};

static void inject(struct fixture *f, enum cpu_event_type type, uint32_t vector_and_bits)
{
    f->vmcs.vm_entry_interruption_information =
        INTERRUPTION_VALID | (uint32_t)type << INTERRUPTION_TYPE_SHIFT | vector_and_bits;
}

/* Lets the processor have secondary controls, and sets them. */
static void extend(struct fixture *f, uint32_t controls)
{
    f->profile.vmx.procbased_ctls2 |= (uint64_t)controls << 32;
    f->vmcs.secondary_proc_based_controls |= controls;
}

/* A processor with HLAT and its like, and these controls. */
static void redirect(struct fixture *f, uint64_t controls)
{
    f->profile.vmx.true_procbased_ctls |= (uint64_t)PRIMARY_ACTIVATE_TERTIARY_CONTROLS << 32;
    f->profile.vmx.procbased_ctls3 =
        TERTIARY_ENABLE_HLAT | TERTIARY_EPT_PAGING_WRITE_CONTROL | TERTIARY_GUEST_PAGING_VERIFICATION;
    f->vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_TERTIARY_CONTROLS;
    f->vmcs.tertiary_proc_based_controls = controls;
}

/* clang-format off */
#define MUTATION(rule, base, pass, fail)                                                                     \
    static void rule##_pass(struct fixture *f, struct vmcs *v) { (void)f; (void)v; pass }                    \
    static void rule##_fail(struct fixture *f, struct vmcs *v) { (void)f; (void)v; fail }
#define MUTATION_AMONG MUTATION
#include "checks_mutations.def"
#undef MUTATION
#undef MUTATION_AMONG

static const struct mutation mutations[] = {
#define MUTATION(rule, base, pass, fail) {#rule, fixture_##base, rule##_pass, rule##_fail, false},
#define MUTATION_AMONG(rule, base, pass, fail) {#rule, fixture_##base, rule##_pass, rule##_fail, true},
#include "checks_mutations.def"
#undef MUTATION
#undef MUTATION_AMONG
};
/* clang-format on */
#define MUTATION_COUNT (sizeof mutations / sizeof mutations[0])

/* States in which something must not be looked at; and the rules whose condition only saves time. */
struct ignored {
    const char *name;
    void (*base)(struct fixture *f);
    void (*prepare)(struct fixture *f, struct vmcs *v);
};

/* clang-format off */
#define GUARD(rule)
#define IGNORED(name, base, statements)                                                                      \
    static void ignored_##name(struct fixture *f, struct vmcs *v) { (void)f; (void)v; statements }
#include "checks_ignored.def"
#undef IGNORED

static const struct ignored ignored_states[] = {
#define IGNORED(name, base, statements) {#name, fixture_##base, ignored_##name},
#include "checks_ignored.def"
#undef IGNORED
#undef GUARD
};

static const char *const guards[] = {
#define IGNORED(name, base, statements)
#define GUARD(rule) #rule,
#include "checks_ignored.def"
#undef IGNORED
#undef GUARD
};
/* clang-format on */
#define IGNORED_COUNT (sizeof ignored_states / sizeof ignored_states[0])
#define GUARD_COUNT (sizeof guards / sizeof guards[0])

struct violations {
    const char *wanted;
    bool found;
    size_t count;
    char others[512];
};

static void collect(void *opaque, const struct vmx_rule *rule)
{
    struct violations *violations = opaque;
    violations->count++;
    if (violations->wanted && !strcmp(rule->id, violations->wanted)) {
        violations->found = true;
        return;
    }
    size_t length = strlen(violations->others);
    snprintf(violations->others + length, sizeof violations->others - length, " %s", rule->id);
}

static struct violations violations_of(struct fixture *f, const char *wanted)
{
    struct violations violations = {.wanted = wanted};
    const struct check_context *context = fixture_context(f);
    size_t counted = 0;
    for (int phase = 0; phase < VMX_CHECK_PHASES; phase++)
        counted += vmx_check_all(context, (enum vmx_check_phase)phase, collect, &violations);
    assert_int_equal(counted, violations.count);
    return violations;
}

static void assert_valid(struct fixture *f, const char *what)
{
    struct violations violations = violations_of(f, NULL);
    if (violations.count)
        fail_msg("%s: should pass, but violates%s", what, violations.others);
    for (int phase = 0; phase < VMX_CHECK_PHASES; phase++)
        assert_null(vmx_check_first(&f->context, (enum vmx_check_phase)phase, NULL));
}

static void bases_pass_every_rule(void **state)
{
    static struct fixture f;
    (void)state;
    fixture_long(&f);
    assert_valid(&f, "long");
    fixture_pae(&f);
    assert_valid(&f, "pae");
    fixture_v86(&f);
    assert_valid(&f, "v86");
    fixture_real(&f);
    assert_valid(&f, "real");
    fixture_pae(&f);
    fixture_host_32(&f);
    assert_valid(&f, "pae under a 32-bit host");
}

static void assert_mutation(const struct mutation *m)
{
    static struct fixture f;
    const struct vmx_rule *rule = vmx_rule_find(m->rule);
    if (!rule)
        fail_msg("no rule %s", m->rule);
    m->base(&f);
    m->prepare(&f, &f.vmcs);
    assert_valid(&f, m->rule);
    if ((f.context.facts & rule->applies) != rule->applies)
        fail_msg("%s: does not apply in its passing state", m->rule);

    m->break_it(&f, &f.vmcs);
    struct violations violations = violations_of(&f, m->rule);
    if (!violations.found)
        fail_msg("%s: not violated, but%s", m->rule, violations.others);
    if (!m->among && violations.count != 1)
        fail_msg("%s: others violated too:%s", m->rule, violations.others);
    if (m->among && violations.count == 1)
        fail_msg("%s: violated alone: MUTATION serves", m->rule);

    uint64_t qualification = 99;
    const struct vmx_rule *first = vmx_check_first(&f.context, rule->phase, &qualification);
    assert_non_null(first);
    if (!m->among) {
        assert_ptr_equal(first, rule);
        assert_int_equal(qualification, rule->qualification);
    }
}

static void each_rule_passes_and_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < MUTATION_COUNT; i++)
        assert_mutation(&mutations[i]);
}

static bool has_mutation(const char *rule)
{
    for (size_t i = 0; i < MUTATION_COUNT; i++)
        if (!strcmp(mutations[i].rule, rule))
            return true;
    return false;
}

static void no_rule_lacks_a_mutation(void **state)
{
    const struct vmx_rule *rule;
    size_t count = 0;
    (void)state;
    for (; (rule = vmx_rule_at(count)); count++)
        if (!has_mutation(rule->id))
            fail_msg("rule %s has no line in checks_mutations.def", rule->id);
    assert_int_equal(count, MUTATION_COUNT);
}

static void switched_off_fields_are_ignored(void **state)
{
    static struct fixture f;
    (void)state;
    for (size_t i = 0; i < IGNORED_COUNT; i++) {
        ignored_states[i].base(&f);
        ignored_states[i].prepare(&f, &f.vmcs);
        assert_valid(&f, ignored_states[i].name);
    }
}

/* Would the rule refuse this valid state if it were checked without its condition? */
static bool condition_matters_in(struct fixture *f, const struct vmx_rule *rule)
{
    const struct check_context *context = fixture_context(f);
    return (context->facts & rule->applies) != rule->applies && !rule->holds(context);
}

static bool condition_matters(const struct vmx_rule *rule)
{
    static struct fixture f;
    bool matters = false;
    for (size_t i = 0; i < MUTATION_COUNT && !matters; i++) {
        mutations[i].base(&f);
        mutations[i].prepare(&f, &f.vmcs);
        matters = condition_matters_in(&f, rule);
    }
    for (size_t i = 0; i < IGNORED_COUNT && !matters; i++) {
        ignored_states[i].base(&f);
        ignored_states[i].prepare(&f, &f.vmcs);
        matters = condition_matters_in(&f, rule);
    }
    return matters;
}

static bool is_guard(const char *rule)
{
    for (size_t i = 0; i < GUARD_COUNT; i++)
        if (!strcmp(guards[i], rule))
            return true;
    return false;
}

/* A rule that lost its condition would refuse one of the states that must pass. */
static void each_condition_is_tested(void **state)
{
    const struct vmx_rule *rule;
    (void)state;
    for (size_t i = 0; (rule = vmx_rule_at(i)); i++)
        if (rule->applies && !is_guard(rule->id) && !condition_matters(rule))
            fail_msg("no valid state shows that %s is conditional", rule->id);
}

static void rules_are_ordered_and_complete(void **state)
{
    const struct vmx_rule *rule;
    enum vmx_check_phase phase = VMX_CHECK_CONTROLS;
    char conditions[256];
    (void)state;
    for (size_t i = 0; (rule = vmx_rule_at(i)); i++) {
        assert_ptr_equal(vmx_rule_find(rule->id), rule); /* ids are unique */
        assert_true(rule->phase >= phase);
        phase = rule->phase;
        assert_true(strlen(rule->section) > 10 && strlen(rule->demand) > 10);
        assert_non_null(vmcs_field_at(rule->field));
        assert_true(rule->phase == VMX_CHECK_GUEST || !rule->qualification);
        assert_true(vmx_rule_conditions(rule, conditions, sizeof conditions) > 0);
    }
    assert_int_equal(phase, VMX_CHECK_GUEST);
    assert_null(vmx_rule_find("no_such_rule"));
}

/* SDM "VM-Entry Failures During or After Loading Guest State": the exit qualifications 2, 3 and 4. */
static void qualifications_are_the_sdms(void **state)
{
    (void)state;
    assert_int_equal(vmx_rule_find("guest_pdpte0_valid")->qualification, 2);
    assert_int_equal(vmx_rule_find("guest_pdptes_in_memory_valid")->qualification, 2);
    assert_int_equal(vmx_rule_find("guest_interruptibility_nmi_sti")->qualification, 3);
    assert_int_equal(vmx_rule_find("guest_interruptibility_nmi_mov_ss")->qualification, 0);
    assert_int_equal(vmx_rule_find("guest_link_pointer_address")->qualification, 4);
    assert_int_equal(vmx_rule_find("guest_link_pointer_revision")->qualification, 4);
    assert_int_equal(vmx_rule_find("guest_cr0_fixed_bits")->qualification, 0);
}

static void keep_line(void *opaque, const char *text)
{
    char *all = opaque;
    assert_true(strlen(all) + strlen(text) + 2 < 4096);
    strcat(all, text);
    strcat(all, "\n");
}

static void explanation_names_all_that_matters(void **state)
{
    static struct fixture f;
    char text[4096] = "";
    (void)state;
    fixture_long(&f);
    f.vmcs.guest_cr4 = 0x1ull << 63; /* PAE and VMXE missing, bit 63 too much */
    assert_int_equal(vmx_explain_violations(fixture_context(&f), VMX_CHECK_GUEST, keep_line, text), 2);
    assert_string_equal(
        text, "guest_cr4_fixed_bits: CR4 must not set any bit to a value not supported in VMX operation\n"
              "    Guest CR4 (6804H) = 8000000000000000H\n"
              "    expected 1 in bit 13\n"
              "    expected 0 in bit 63\n"
              "    SDM \"Checks on Guest Control Registers, Debug Registers, and MSRs\"\n"
              "guest_ia32e_needs_pae: if \"IA-32e mode guest\" is 1, CR4.PAE must be 1\n"
              "    Guest CR4 (6804H) = 8000000000000000H\n"
              "    expected 1 in bit 5\n"
              "    VM-entry controls (4012H) = 000013FBH\n"
              "    SDM \"Checks on Guest Control Registers, Debug Registers, and MSRs\"\n");

    text[0] = '\0';
    fixture_v86(&f);
    f.vmcs.guest_fs_base = 0x10;
    assert_int_equal(vmx_explain_violations(fixture_context(&f), VMX_CHECK_GUEST, keep_line, text), 1);
    assert_non_null(strstr(text, "    expected 12340H\n    Guest FS selector (0808H) = 1234H\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bases_pass_every_rule),       cmocka_unit_test(each_rule_passes_and_fails),
        cmocka_unit_test(no_rule_lacks_a_mutation),    cmocka_unit_test(switched_off_fields_are_ignored),
        cmocka_unit_test(each_condition_is_tested),    cmocka_unit_test(rules_are_ordered_and_complete),
        cmocka_unit_test(qualifications_are_the_sdms), cmocka_unit_test(explanation_names_all_that_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
