/* test_profiles.c: every profile is consistent in itself: flags, CPUID, CR4, capability MSRs, geometry,
 * sources. */
#include "sim/cpu/features.h"
#include "tests/cpu/execute_fixture.h"
#include "vmx_model/capabilities.h"

static const struct cpu_profile *profile_at(size_t index)
{
    return cpu_profile_at(index);
}

/* Oldest first. */
static void test_find(void **unused)
{
    static const char *const names[] = {"prescott",  "merom",       "penryn",         "nehalem",
                                        "westmere",  "sandybridge", "ivybridge",      "haswell",
                                        "broadwell", "skylake",     "icelake-server", "sapphirerapids"};
    size_t count = 0;

    (void)unused;
    for (; count < sizeof(names) / sizeof(names[0]); count++) {
        assert_string_equal(profile_at(count)->name, names[count]);
        assert_ptr_equal(cpu_profile_find(names[count]), profile_at(count));
    }
    assert_null(cpu_profile_find("itanium"));
    assert_null(profile_at(count));
}

static void test_flags_follow_cpuid(void **unused)
{
    const struct cpu_profile *p;

    (void)unused;
    for (size_t i = 0; (p = profile_at(i)); i++) {
        assert_int_equal(p->has_vmx, cpu_has_feature(p, FEATURE_VMX));
        assert_int_equal(p->has_pcid, cpu_has_feature(p, FEATURE_PCID));
        assert_int_equal(p->has_invpcid, cpu_has_feature(p, FEATURE_INVPCID));
        assert_int_equal(p->has_smep, cpu_has_feature(p, FEATURE_SMEP));
        assert_int_equal(p->has_smap, cpu_has_feature(p, FEATURE_SMAP));
        assert_int_equal(p->has_nx, cpu_has_feature(p, FEATURE_NX));
        assert_int_equal(p->has_umip, cpu_has_feature(p, FEATURE_UMIP));
        assert_int_equal(p->has_lam, cpu_has_feature(p, FEATURE_LAM));
        assert_int_equal(p->has_rdtscp, cpu_has_feature(p, FEATURE_RDTSCP));
        assert_int_equal(p->has_1g_pages, cpu_has_feature(p, FEATURE_PAGE_1G));
        uint32_t widths = cpuid_find(p, 0x80000008, 0)->eax;
        assert_int_equal(widths & 0xff, p->physical_address_bits);
        assert_int_equal(widths >> 8 & 0xff, p->linear_address_bits);
        /* what this core does not execute, and a hypervisor's bit */
        uint32_t ecx = cpuid_find(p, 1, 0)->ecx;
        assert_false(ecx & (1u << 12 | 1u << 15 | 1u << 28 | 1u << 31)); /* FMA PDCM AVX hypervisor */
        /* CPUID leaf 0DH names instructions of the XSAVE feature set only where that is */
        if (!cpu_has_feature(p, FEATURE_XSAVE))
            assert_false(cpu_has_feature(p, FEATURE_XSAVEOPT) || cpu_has_feature(p, FEATURE_XSAVES));
    }
}

/* SDM appendix "VMX-Fixed Bits in CR4": bits that may be 1 in VMX operation are those that may be 1 at all.
 */
static void test_cr4_fixed1_is_what_cr4_allows(void **unused)
{
    const struct cpu_profile *p;

    (void)unused;
    for (size_t i = 0; (p = profile_at(i)); i++)
        assert_int_equal(p->vmx.cr4_fixed1, cpu_cr4_allowed(p));
}

/* SDM appendix "Reserved Controls and Default Settings": bits of the default1 class must be 1 by the plain
 * MSR; the TRUE MSR has the same allowed 1-settings, and exists with IA32_VMX_BASIC[55]. */
static void expect_control_pair(bool has_true, uint64_t plain, uint64_t true_value, uint32_t default1)
{
    assert_int_equal((uint32_t)plain & default1, default1);
    assert_int_equal((uint32_t)plain & ~(plain >> 32), 0);
    if (!has_true) {
        assert_int_equal(true_value, 0);
        return;
    }
    assert_int_equal(plain >> 32, true_value >> 32);
    assert_int_equal((uint32_t)plain, (uint32_t)true_value | default1);
}

static void test_control_msrs(void **unused)
{
    const struct cpu_profile *p;

    (void)unused;
    for (size_t i = 0; (p = profile_at(i)); i++) {
        const struct vmx_capabilities *v = &p->vmx;
        bool has_true = v->basic >> 55 & 1;
        expect_control_pair(has_true, v->pinbased_ctls, v->true_pinbased_ctls, 0x16);
        expect_control_pair(has_true, v->procbased_ctls, v->true_procbased_ctls, 0x0401e172);
        expect_control_pair(has_true, v->exit_ctls, v->true_exit_ctls, 0x36dff);
        expect_control_pair(has_true, v->entry_ctls, v->true_entry_ctls, 0x11ff);
        assert_int_equal((uint32_t)v->procbased_ctls2, 0);
        assert_int_equal(v->basic >> 32 & 0x1fff, 4096);
        assert_int_equal(v->basic >> 50 & 0xf, 6);
        /* IA32_VMX_MISC[5] is 1 with "unrestricted guest" */
        if (v->procbased_ctls2 >> 39 & 1)
            assert_true(v->misc >> 5 & 1);
        assert_int_equal(vmcs_enum_value(v), v->vmcs_enum);
    }
}

/* Controls, flags, CPUID and IA32_VMX_EPT_VPID_CAP speak of the same features: SDM appendix "VMX Capability
 * Reporting Facility" and the descriptions of the controls. */
static void test_controls_follow_features(void **unused)
{
    const struct cpu_profile *p;

    (void)unused;
    for (size_t i = 0; (p = profile_at(i)); i++) {
        const struct vmx_capabilities *v = &p->vmx;
        const uint32_t secondary = (uint32_t)(v->procbased_ctls2 >> 32),
                       pin = (uint32_t)(v->pinbased_ctls >> 32);
        const uint32_t primary = (uint32_t)(v->procbased_ctls >> 32), exit = (uint32_t)(v->exit_ctls >> 32);

        assert_int_equal(secondary != 0, primary >> 31);
        assert_int_equal(p->has_ept, secondary >> 1 & 1);
        assert_int_equal(p->has_rdtscp, secondary >> 3 & 1);
        assert_int_equal(p->has_vpid, secondary >> 5 & 1);
        assert_int_equal(p->has_invpcid, secondary >> 12 & 1);
        assert_int_equal(cpu_has_feature(p, FEATURE_RDRAND), secondary >> 11 & 1);
        assert_int_equal(cpu_has_feature(p, FEATURE_RDSEED), secondary >> 16 & 1);
        if (secondary >> 7 & 1) /* unrestricted guest */
            assert_true(p->has_ept);
        assert_int_equal(p->has_ept, v->ept_vpid_cap >> 20 & 1);  /* INVEPT */
        assert_int_equal(p->has_vpid, v->ept_vpid_cap >> 32 & 1); /* INVVPID */
        assert_int_equal(p->has_1g_pages, v->ept_vpid_cap >> 17 & 1);
        assert_int_equal(p->has_ept, p->tlb.guest_physical.entries != 0);
        assert_int_equal(pin >> 5 & 1, primary >> 22 & 1); /* virtual NMIs, NMI-window exiting */
        assert_int_equal(pin >> 6 & 1, exit >> 22 & 1);    /* VMX-preemption timer, saving it */
        assert_int_equal(p->has_pcid, cpu_has_feature(p, FEATURE_PCID));
        if (p->has_invpcid)
            assert_true(p->has_pcid);
    }
}

/* The first VT-x: no TRUE MSRs, MSR bitmaps (28), secondary controls (31), virtual NMIs or timer; CR3-load
 * and CR3-store exiting (15, 16) must be 1. */
static void test_prescott_words(void **unused)
{
    const struct vmx_capabilities *v = &cpu_profile_find("prescott")->vmx;
    uint64_t value;

    (void)unused;
    assert_int_equal(v->basic, 0x0018100000000003);
    assert_int_equal(v->pinbased_ctls, 0x0000001f00000016);
    assert_int_equal(v->procbased_ctls, 0x67b9fffe0401e172);
    assert_int_equal(v->exit_ctls, 0x0003efff00036dff);
    assert_int_equal(v->entry_ctls, 0x000013ff000011ff);
    assert_int_equal(v->misc, 0x401c0);
    for (uint32_t index = 0x48b; index <= 0x491; index++) /* secondary, EPT, TRUE and VM functions */
        assert_false(vmx_capability_msr(v, index, &value));
    assert_true(vmx_capability_msr(v, 0x48a, &value));
    assert_int_equal(vmx_controls_must_be_1(v, VMX_PRIMARY) >> 15 & 3, 3);
    assert_int_equal(vmx_controls_may_be_1(v, VMX_SECONDARY), 0);
}

static void test_skylake_words(void **unused)
{
    const struct vmx_capabilities *v = &cpu_profile_find("skylake")->vmx;

    (void)unused;
    assert_int_equal(v->basic, 0x00d8100000000004);
    assert_int_equal(v->ept_vpid_cap, 0x00000f0106734141);
    assert_int_equal(v->pinbased_ctls, 0x0000007f00000016);
    assert_int_equal(v->true_exit_ctls & 0xffffffff, 0x36dfb);
    assert_int_equal(v->true_entry_ctls & 0xffffffff, 0x11fb);
    assert_int_equal(v->true_procbased_ctls & 0xffffffff, 0x04006172);
    assert_int_equal(v->misc, 0x600401e7);
}

static void test_costs_and_geometry(void **unused)
{
    const struct cpu_profile *p;

    (void)unused;
    for (size_t i = 0; (p = profile_at(i)); i++) {
#define HAS_SOURCE(field, text)                                                                              \
    assert_non_null(p->cost.field.source);                                                                   \
    if (p->cost.field.cycles == 0)                                                                           \
        assert_true(!strncmp(p->cost.field.source, "none: ", 6));
        CPU_COSTS(HAS_SOURCE)
#undef HAS_SOURCE
        assert_int_equal(p->has_ept, p->cost.invept.cycles != 0);
        assert_int_equal(p->has_vpid, p->cost.invvpid.cycles != 0);
        assert_int_equal(p->tlb.main_4k_2m.entries % p->tlb.main_4k_2m.ways, 0);
        assert_non_null(p->tlb.main_4k_2m.source);
        assert_int_equal(p->has_1g_pages, p->tlb.main_1g.entries != 0);
        assert_true(p->tlb.main_holds_2m || p->tlb.large_2m.entries != 0);
        assert_int_equal(p->tlb.first_level.entries != 0, p->cost.tlb_second_level.cycles != 0);
        assert_int_equal(p->walk_cache[2].entries != 0, p->cost.walk_l3.cycles != 0);
        for (unsigned level = 0; level < WALK_CACHE_LEVELS && p->walk_cache[level].entries; level++) {
            const struct tlb_array_geometry *cache = &p->walk_cache[level];
            const unsigned sets = cache->entries / cache->ways;
            assert_int_equal(cache->entries % cache->ways, 0);
            assert_int_equal(sets & (sets - 1), 0);
            assert_non_null(cache->source);
        }
    }
}

/* Agesen et al. 2012, Table 1: entry, exit and, where VPID does not spare them, a flush and three
 * references of a walk, which the first-level cache holds, after each, within 10 %. The Pentium 4's split in Adams, Agesen 2006, Table 1, is 2409 and 1931: also
 * within 10 %. */
static void test_round_trips(void **unused)
{
    static const struct {
        const char *name;
        uint32_t cycles;
    } published[] = {{"prescott", 3963}, {"merom", 1579},   {"penryn", 1266},
                     {"nehalem", 1009},  {"westmere", 761}, {"sandybridge", 784}};

    (void)unused;
    for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
        const struct cpu_profile *p = cpu_profile_find(published[i].name);
        uint32_t walks = p->has_vpid ? 0 : 2 * p->cost.tlb_flush.cycles + 6 * p->cost.walk_l1.cycles;
        uint32_t cycles = p->cost.vm_entry.cycles + p->cost.vm_exit.cycles + walks;
        assert_in_range(cycles, published[i].cycles * 9 / 10, published[i].cycles * 11 / 10);
    }
    const struct cpu_costs *cost = &cpu_profile_find("prescott")->cost;
    assert_in_range(cost->vm_entry.cycles + cost->tlb_flush.cycles + 3 * cost->walk_l1.cycles, 2169, 2649);
    assert_in_range(cost->vm_exit.cycles + cost->tlb_flush.cycles + 3 * cost->walk_l1.cycles, 1738, 2124);
}

/* SDM volume 2, "CPUID": bits that follow the state, and leaves that are not there. */
static void test_cpuid_instruction(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    uint32_t out[4], highest[4];

    (void)unused;
    cpu_cpuid(&f->cpu, 1, 0, out);
    assert_int_equal(out[0], 0x506e3);
    assert_true(out[3] >> 9 & 1);
    f->apic_base &= ~0x800ull;
    cpu_cpuid(&f->cpu, 1, 0, out);
    assert_false(out[3] >> 9 & 1);
    assert_true(out[2] >> 3 & 1);
    f->cpu.state.msr.misc_enable &= ~(1ull << 18);
    cpu_cpuid(&f->cpu, 1, 0, out);
    assert_false(out[2] >> 3 & 1);
    /* above the maximum: the highest basic leaf */
    cpu_cpuid(&f->cpu, 0xd, 0, highest);
    cpu_cpuid(&f->cpu, 0x40000000, 0, out);
    assert_memory_equal(out, highest, sizeof(out));
    cpu_cpuid(&f->cpu, 0x80000009, 0, out);
    assert_memory_equal(out, highest, sizeof(out));
    /* SYSCALL in 64-bit mode alone */
    cpu_cpuid(&f->cpu, 0x80000001, 0, out);
    assert_false(out[3] >> 11 & 1);
    fixture_long(f, 0);
    cpu_cpuid(&f->cpu, 0x80000001, 0, out);
    assert_true(out[3] >> 11 & 1);
    /* IA32_MISC_ENABLE "Limit CPUID Maxval" */
    f->cpu.state.msr.misc_enable |= 1ull << 22;
    cpu_cpuid(&f->cpu, 0, 0, out);
    assert_int_equal(out[0], 2);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_flags_follow_cpuid),
        cmocka_unit_test(test_cr4_fixed1_is_what_cr4_allows),
        cmocka_unit_test(test_control_msrs),
        cmocka_unit_test(test_controls_follow_features),
        cmocka_unit_test(test_prescott_words),
        cmocka_unit_test(test_skylake_words),
        cmocka_unit_test(test_costs_and_geometry),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_cpuid_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
