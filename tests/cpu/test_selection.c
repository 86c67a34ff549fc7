/* test_selection.c: features taken from a profile: what is left is consistent in itself. */
#include <stdio.h>

#include "sim/cpu/features.h"
#include "tests/cpu/execute_fixture.h"
#include "vmx_model/controls.h"

static struct cpu_selection selection;
static char message[256];

static const struct cpu_profile *selected(const char *text)
{
    message[0] = 0;
    if (!cpu_profile_select(text, &selection, message, sizeof message))
        fail_msg("%s: %s", text, message);
    return &selection.profile;
}

static void consistent(const struct cpu_profile *p)
{
    assert_int_equal(p->vmx.cr4_fixed1, cpu_cr4_allowed(p));
    assert_int_equal(p->has_pcid, cpu_has_feature(p, FEATURE_PCID));
    assert_int_equal(p->has_invpcid, cpu_has_feature(p, FEATURE_INVPCID));
    assert_int_equal(p->has_smep, cpu_has_feature(p, FEATURE_SMEP));
    assert_int_equal(p->has_smap, cpu_has_feature(p, FEATURE_SMAP));
    assert_int_equal(p->has_1g_pages, cpu_has_feature(p, FEATURE_PAGE_1G));
    assert_int_equal(p->has_invpcid, p->vmx.procbased_ctls2 >> 32 & SECONDARY_ENABLE_INVPCID ? 1 : 0);
    assert_int_equal(p->linear_address_bits, cpu_has_feature(p, FEATURE_LA57) ? 57 : 48);
    assert_int_equal(cpuid_find(p, 0x80000008, 0)->eax >> 8 & 0xff, p->linear_address_bits);
    assert_int_equal(p->has_1g_pages, p->vmx.ept_vpid_cap >> 17 & 1); /* EPT_CAP_PAGE_1G */
}

static void each_feature_alone(void **unused)
{
    const char *name;
    char text[64];
    const struct cpu_profile whole = *cpu_profile_find("skylake");

    (void)unused;
    for (size_t i = 0; (name = cpu_feature_name_at(i)); i++) {
        snprintf(text, sizeof text, "skylake,-%s", name);
        consistent(selected(text));
        assert_string_equal(selection.profile.name, "skylake");
        /* one bit of CPUID is gone, and with LA57 the width has changed */
        unsigned changed = 0;
        for (size_t leaf = 0; leaf < whole.cpuid_count; leaf++)
            changed += memcmp(&whole.cpuid[leaf], &selection.cpuid[leaf], sizeof(struct cpuid_leaf)) != 0;
        assert_int_equal(changed, strcmp(name, "la57") ? 1 : 2);
    }
    assert_int_equal(cpu_profile_find("skylake")->linear_address_bits, 57); /* the table is as it was */
}

static void all_and_none(void **unused)
{
    (void)unused;
    const struct cpu_profile *p = selected("skylake,-la57,-pcid,-invpcid,-smep,-smap,-1g-pages");
    consistent(p);
    assert_false(p->vmx.cr4_fixed1 & (CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP));
    assert_int_equal(cpuid_find(p, 7, 0)->ebx, 0x001c078b & ~(1u << 7 | 1u << 10 | 1u << 20));
    assert_int_equal(cpuid_find(p, 7, 0)->ecx, 0);
    p = selected("skylake,+la57");
    consistent(p);
    assert_int_equal(p->linear_address_bits, 57);
    p = selected("nehalem,-la57,-pcid"); /* what is not there can be taken away */
    consistent(p);
    assert_int_equal(p->cpuid_count, cpu_profile_find("nehalem")->cpuid_count);
}

static void refused(void **unused)
{
    static const struct {
        const char *text, *because;
    } rows[] = {
        {"itanium", "no processor profile \"itanium\""},
        {"sky", "no processor profile \"sky\""},
        {"skylake,", "these are: vme, la57, pcid, invpcid, smep, smap, x2apic, tsc-deadline, 1g-pages"},
        {"skylake,la57", "'la57' is no feature"},
        {"skylake,-la5", "'-la5' is no feature"},
        {"skylake,-la57,-avx", "'-avx' is no feature"},
        {"nehalem,+la57", "nehalem has no la57 to offer"},
        {"skylake,-pcid,+pcid", "skylake has no pcid to offer"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(cpu_profile_select(rows[i].text, &selection, message, sizeof message));
        if (!strstr(message, rows[i].because))
            fail_msg("row %zu: %s", i, message);
    }
}

/* Without a feature its instructions are undefined and its CR4 bits reserved, and addresses have 48 bits. */
static void a_processor_without(void **unused)
{
    struct fixture *f = fixture_new("skylake,-la57,-smap,-invpcid");
    (void)unused;
    fixture_long(f, 0);
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0xca), VECTOR_UD);             /* clac */
    expect_fault(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08), VECTOR_UD); /* invpcid rcx, [rax] */
    expect_fault(cpu_write_cr4(&f->cpu, CR4_PAE | CR4_SMAP), VECTOR_GP);
    assert_false(cpu_write_msr(&f->cpu, 0xc0000082, 1ull << 47));
    fixture_protected(f, 0);
    expect_fault(cpu_write_cr4(&f->cpu, CR4_LA57), VECTOR_GP);
    fixture_free(f);
    f = fixture_new("skylake,-x2apic,-tsc-deadline");
    assert_false(cpu_write_msr(&f->cpu, 0x1b, 0xfee00d00)); /* IA32_APIC_BASE.EXTD */
    assert_false(cpu_write_msr(&f->cpu, 0x6e0, 1));         /* IA32_TSC_DEADLINE */
    assert_false(cpu_write_msr(&f->cpu, 0x80b, 0));         /* x2APIC EOI */
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_feature_alone),
        cmocka_unit_test(all_and_none),
        cmocka_unit_test(refused),
        cmocka_unit_test(a_processor_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
