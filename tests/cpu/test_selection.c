/* test_selection.c: features taken from a profile: what is left is consistent in itself. */
#include <stdio.h>

#include "sim/cpu/features.h"
#include "tests/cpu/execute_fixture.h"
#include "vmx_model/capabilities.h"
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
    assert_int_equal(p->has_vmx, cpu_has_feature(p, FEATURE_VMX));
    assert_int_equal(p->has_umip, cpu_has_feature(p, FEATURE_UMIP));
    assert_int_equal(p->has_lam, cpu_has_feature(p, FEATURE_LAM));
    assert_int_equal(p->has_rdtscp, cpu_has_feature(p, FEATURE_RDTSCP));
    assert_int_equal(p->has_nx, cpu_has_feature(p, FEATURE_NX));
}

/* Bits of CPUID that differ from the whole processor's. */
static unsigned cpuid_bits_gone(const struct cpu_profile *whole)
{
    unsigned gone = 0;
    for (size_t leaf = 0; leaf < whole->cpuid_count; leaf++) {
        const struct cpuid_leaf *a = &whole->cpuid[leaf], *b = &selection.cpuid[leaf];
        gone += (unsigned)(__builtin_popcount(a->eax ^ b->eax) + __builtin_popcount(a->ebx ^ b->ebx) +
                           __builtin_popcount(a->ecx ^ b->ecx) + __builtin_popcount(a->edx ^ b->edx));
    }
    return gone;
}

/* Features that are one bit of CPUID and nothing else there; a whole leaf or a width goes with the others. */
static void each_feature_alone(void **unused)
{
    static const char *const more[] = {"la57", "xsave", "perfmon"};
    const char *name;
    char text[64];
    const struct cpu_profile whole = *cpu_profile_find("sapphirerapids");

    (void)unused;
    for (size_t i = 0; (name = cpu_feature_name_at(i)); i++) {
        snprintf(text, sizeof text, "sapphirerapids,-%s", name);
        const struct cpu_profile *p = selected(text);
        if (strcmp(name, "vmx"))
            consistent(p);
        else
            assert_false(p->has_vmx || p->has_ept || p->vmx.basic || cpu_cr4_allowed(p) & CR4_VMXE);
        assert_string_equal(p->name, "sapphirerapids");
        bool one = true;
        for (size_t k = 0; k < sizeof more / sizeof *more; k++)
            one &= strcmp(name, more[k]) != 0;
        const unsigned gone = cpuid_bits_gone(&whole);
        if (one ? gone != 1 : gone < 2)
            fail_msg("%s: %u bits of CPUID differ", name, gone);
    }
    assert_int_equal(cpu_profile_find("sapphirerapids")->linear_address_bits,
                     57); /* the table is as it was */
}

static uint32_t secondary(const struct cpu_profile *p)
{
    return vmx_controls_may_be_1(&p->vmx, VMX_SECONDARY);
}

/* A control goes from every word that has one of its name, and what VM entry would refuse without it goes
 * too: SDM "Checks on VMX Controls". */
static void controls(void **unused)
{
    (void)unused;
    const struct cpu_profile *p = selected("sapphirerapids,-ept");
    assert_false(p->has_ept);
    assert_true(p->has_vpid);
    assert_int_equal((uint32_t)p->vmx.ept_vpid_cap, 0);
    assert_true(p->vmx.ept_vpid_cap & EPT_CAP_INVVPID);
    assert_false(secondary(p) & (SECONDARY_ENABLE_EPT | SECONDARY_UNRESTRICTED_GUEST | SECONDARY_ENABLE_PML |
                                 SECONDARY_MODE_BASED_EXECUTE_CONTROL_FOR_EPT));
    assert_true(secondary(p) & SECONDARY_ENABLE_VPID);
    assert_int_equal(vmx_vm_functions(&p->vmx), 0);

    p = selected("sapphirerapids,-vmx-vpid");
    assert_true(p->has_ept && !p->has_vpid);
    assert_int_equal(p->vmx.ept_vpid_cap >> 32, 0);

    p = selected("sapphirerapids,-enable-hlat");
    assert_int_equal(vmx_tertiary_controls_may_be_1(&p->vmx), 0x1c);
    assert_true(p->has_vpid && p->has_ept);

    p = selected("skylake,-activate-secondary-controls");
    assert_int_equal(secondary(p), 0);
    assert_false(p->has_ept || p->has_vpid || p->vmx.ept_vpid_cap || vmx_vm_functions(&p->vmx));

    p = selected("skylake,-load_ia32_efer"); /* in two words */
    assert_false(vmx_controls_may_be_1(&p->vmx, VMX_EXIT) & EXIT_LOAD_IA32_EFER);
    assert_false(vmx_controls_may_be_1(&p->vmx, VMX_ENTRY) & ENTRY_LOAD_IA32_EFER);
    assert_true(vmx_controls_may_be_1(&p->vmx, VMX_EXIT) & EXIT_SAVE_IA32_EFER);

    p = selected("icelake-server,-use-tpr-shadow");
    assert_false(secondary(p) & (SECONDARY_VIRTUAL_INTERRUPT_DELIVERY | SECONDARY_VIRTUALIZE_X2APIC_MODE));
    assert_false(vmx_controls_may_be_1(&p->vmx, VMX_PIN_BASED) & PIN_PROCESS_POSTED_INTERRUPTS);

    selected("nehalem,-unrestricted-guest"); /* is not there */
    selected("skylake,+ept,+unrestricted-guest");
}

static void all_and_none(void **unused)
{
    (void)unused;
    const struct cpu_profile *p = selected("skylake,-la57,-pcid,-invpcid,-smep,-smap,-1g-pages");
    consistent(p);
    assert_false(p->vmx.cr4_fixed1 & (CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP));
    assert_int_equal(cpuid_find(p, 7, 0)->ebx, 0x001c478b & ~(1u << 7 | 1u << 10 | 1u << 20));
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
        {"skylake,", "'vtsim list features' shows them"},
        {"skylake,la57", "'la57' is no feature"},
        {"skylake,-la5", "'-la5' is no feature"},
        {"skylake,-la57,-avx", "'-avx' is no feature"},
        {"nehalem,+la57", "nehalem has no la57 to offer"},
        {"nehalem,+unrestricted-guest", "nehalem has no unrestricted-guest to offer"},
        {"penryn,-cr3-load-exiting", "must be 1 on penryn"},
        {"skylake,-vmx-", "'-vmx-' is no feature"},
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
    f = fixture_new("sapphirerapids,-xsave,-rdrand,-vmx,-pku,-nx");
    fixture_long(f, 0);
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0xd0), VECTOR_UD); /* xgetbv */
    expect_fault(EXECUTE(f, 0x0f, 0xc7, 0xf0), VECTOR_UD); /* rdrand eax */
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0xee), VECTOR_UD); /* rdpkru */
    expect_fault(cpu_write_cr4(&f->cpu, CR4_PAE | CR4_OSXSAVE), VECTOR_GP);
    expect_fault(cpu_write_cr4(&f->cpu, CR4_PAE | CR4_VMXE), VECTOR_GP);
    assert_false(cpu_write_msr(&f->cpu, 0xc0000080, EFER_LME | EFER_LMA | EFER_NXE));
    assert_false(cpu_write_msr(&f->cpu, 0x480, 0)); /* IA32_VMX_BASIC */
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
        cmocka_unit_test(each_feature_alone),  cmocka_unit_test(controls),
        cmocka_unit_test(all_and_none),        cmocka_unit_test(refused),
        cmocka_unit_test(a_processor_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
