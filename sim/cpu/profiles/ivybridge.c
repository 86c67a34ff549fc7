/*
 * ivybridge.c: the Ivy Bridge generation (family 6, model 62, Xeon E5 v2), as far as vtsim models it.
 *
 * Over Sandy Bridge: SMEP, FSGSBASE, RDRAND and its exiting. No publication gives its round trip.
 */
#include "sim/cpu/profiles/costs.h"
#include "sim/cpu/profiles/cpuid_rows.h"
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

/* clang-format off */
static const struct cpuid_leaf cpuid[] = {
    ROW_VENDOR(0xd),
    ROW_FEATURES(0x000306e4, CPUID1_IVYBRIDGE), /* family 6, model 62, stepping 4 */
    /* Descriptors of the TLBs; caches by leaf 4 (SDM "CPUID", "Encoding of CPUID Leaf 2 Descriptors") */
    {0x2, CPUID_ANY_SUBLEAF, 0x76035a01, 0x00f0b2ff, 0, 0x00ca0000},
    ROW_CACHE(0, CACHE_DATA, 1u, 64u, 8u, 0), /* 32 KiB */
    ROW_CACHE(1, CACHE_CODE, 1u, 64u, 8u, 0),
    ROW_CACHE(2, CACHE_UNIFIED, 2u, 512u, 8u, 0), /* 256 KiB */
    ROW_CACHE(3, CACHE_UNIFIED, 3u, 16384u, 20u, CACHE_INCLUSIVE), /* 20 MiB */
    ROW_MONITOR,
    ROW_POWER,
    {0x7, 0, 0, 0x00000281, 0, 0}, /* FSGSBASE SMEP ERMS */
    ROW_PERFORMANCE(8u),
    ROWS_TOPOLOGY,
    ROW_XSAVE(XSAVE_HAS_OPT),
    ROW_EXTENDED,
    ROW_EXTENDED_FEATURES(CPUID_EXTENDED_LAHF, CPUID_EXTENDED_EDX | CPUID_EXTENDED_RDTSCP | CPUID_EXTENDED_PAGE_1G),
    ROW_BRAND('i', 'v', 'y', 'b', 'r', 'i', 'd', 'g', 'e', 0),
    ROW_SECOND_LEVEL(256u, WAYS_8),
    ROW_INVARIANT_TSC,
    ROW_ADDRESS_WIDTHS(46, 48),
};
/* clang-format on */

const struct cpu_profile profile_ivybridge = {
    .name = "ivybridge",
    .description = "Ivy Bridge, family 6 model 62: SMEP, FSGSBASE and RDRAND over Sandy Bridge",
    .physical_address_bits = 46,
    .linear_address_bits = 48,
    .has_1g_pages = true,
    .has_pcid = true,
    .has_smep = true,
    .has_nx = true,
    .has_rdtscp = true,
    .has_vmx = true,
    .has_ept = true,
    .has_vpid = true,
    .vmx =
        {
            .basic = VMX_BASIC_OF(0x11ull), /* revision identifier: assumed */
            SERVER_CONTROL_MSRS,
            .procbased_ctls2 =
                CONTROL_MSR_SECONDARY(MODELLED_SECONDARY | SERVER_SECONDARY | SECONDARY_PAUSE_LOOP_EXITING |
                                      SECONDARY_UNRESTRICTED_GUEST | SECONDARY_RDRAND_EXITING),
            /* preemption timer at TSC / 2^5 (assumed); four CR3 targets; lists of 512 MSRs */
            .misc = 5 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_ALL | 4ull << VMX_MISC_CR3_TARGETS_SHIFT,
            .cr0_fixed0 = VMX_CR0_FIXED0,
            .cr0_fixed1 = VMX_CR0_FIXED1,
            .cr4_fixed0 = VMX_CR4_FIXED0,
            .cr4_fixed1 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                          CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE | CR4_PCIDE | CR4_OSXSAVE |
                          CR4_FSGSBASE | CR4_SMEP,
            .vmcs_enum = 0x2e, /* index 23: VMX-preemption timer value */
            .ept_vpid_cap = MODELLED_EPT_VPID | EPT_CAP_PAGE_1G,
        },
    .tlb =
        {
            .first_level = {64, 4, "assumed: as Sandy Bridge"},
            .main_4k_2m = {512, 4, "assumed: as Sandy Bridge: 4K only"},
            .main_1g = {4, 4, "assumed: as Sandy Bridge"},
            .guest_physical = {64, 64, "assumed"},
            .main_holds_2m = false,
            .large_2m = {32, 4, "assumed: as Sandy Bridge"},
        },
    .walk_cache =
        {
            WALK_CACHE_32K_256K,
            {40960, 20, "20 MiB, 20 ways (CPUID leaf 4); " SHARE},
        },
    .cost =
        {
            COSTS_OF_TRANSLATED_CODE,
            COSTS_OF_SYSTEM_INSTRUCTIONS,
            COSTS_OF_EPT_AND_VPID,
            WALKS_AS_HASWELL,
            .tlb_second_level = ASSUMED(7),
            .tlb_flush = ASSUMED(30),
            .vm_entry_recheck = RECHECK,
            .vm_entry = {346, "assumed: as Sandy Bridge"},
            .vm_exit = {438, "assumed: as Sandy Bridge"},
            .vmread = VMREAD_AS_CORE_2,
            .vmwrite = VMWRITE_AS_CORE_2,
        },
    .cpuid = cpuid,
    .cpuid_count = sizeof(cpuid) / sizeof(cpuid[0]),
};
