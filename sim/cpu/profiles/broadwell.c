/*
 * broadwell.c: the Broadwell generation (family 6, model 79, Xeon E5 v4), as far as vtsim models it.
 *
 * Over Haswell: SMAP, RDSEED and its exiting, ADX. No publication gives its round trip.
 */
#include "sim/cpu/profiles/costs.h"
#include "sim/cpu/profiles/cpuid_rows.h"
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

/* clang-format off */
static const struct cpuid_leaf cpuid[] = {
    ROW_VENDOR(0xd),
    ROW_FEATURES(0x000406f1, CPUID1_HASWELL), /* family 6, model 79, stepping 1 */
    /* Descriptors of the TLBs; caches by leaf 4 (SDM "CPUID", "Encoding of CPUID Leaf 2 Descriptors") */
    {0x2, CPUID_ANY_SUBLEAF, 0x76036301, 0x00f0b5ff, 0, 0x00c30000},
    ROW_CACHE(0, CACHE_DATA, 1u, 64u, 8u, 0), /* 32 KiB */
    ROW_CACHE(1, CACHE_CODE, 1u, 64u, 8u, 0),
    ROW_CACHE(2, CACHE_UNIFIED, 2u, 512u, 8u, 0), /* 256 KiB */
    ROW_CACHE(3, CACHE_UNIFIED, 3u, 16384u, 20u, CACHE_INCLUSIVE), /* 20 MiB */
    ROW_MONITOR,
    ROW_POWER,
    {0x7, 0, 0, 0x001c078b, 0, 0}, /* FSGSBASE TSC_ADJUST BMI1 SMEP BMI2 ERMS INVPCID RDSEED ADX SMAP */
    ROW_PERFORMANCE(8u),
    ROWS_TOPOLOGY,
    ROW_XSAVE(XSAVE_HAS_OPT),
    ROW_EXTENDED,
    ROW_EXTENDED_FEATURES(CPUID_EXTENDED_LAHF | CPUID_EXTENDED_LZCNT | CPUID_EXTENDED_PREFETCHW, CPUID_EXTENDED_EDX | CPUID_EXTENDED_RDTSCP | CPUID_EXTENDED_PAGE_1G),
    ROW_BRAND('b', 'r', 'o', 'a', 'd', 'w', 'e', 'l', 'l', 0),
    ROW_SECOND_LEVEL(256u, WAYS_8),
    ROW_INVARIANT_TSC,
    ROW_ADDRESS_WIDTHS(46, 48),
};
/* clang-format on */

const struct cpu_profile profile_broadwell = {
    .name = "broadwell",
    .description = "Broadwell, family 6 model 79: SMAP, RDSEED and ADX over Haswell",
    .physical_address_bits = 46,
    .linear_address_bits = 48,
    .has_1g_pages = true,
    .has_invpcid = true,
    .has_smep = true,
    .has_smap = true,
    .has_pcid = true,
    .has_nx = true,
    .has_rdtscp = true,
    .has_vmx = true,
    .has_ept = true,
    .has_vpid = true,
    .vmx =
        {
            .basic = VMX_BASIC_OF(0x13ull), /* revision identifier: assumed */
            SERVER_CONTROL_MSRS,
            .procbased_ctls2 = CONTROL_MSR_SECONDARY(
                MODELLED_SECONDARY | SERVER_SECONDARY | SECONDARY_PAUSE_LOOP_EXITING |
                SECONDARY_UNRESTRICTED_GUEST | SECONDARY_RDRAND_EXITING | SECONDARY_ENABLE_INVPCID |
                SECONDARY_RDSEED_EXITING | BROADWELL_ADDED_SECONDARY),
            .vmfunc = VM_FUNCTION_EPTP_SWITCHING,
            /* preemption timer at TSC / 2^5 (assumed); four CR3 targets; lists of 512 MSRs */
            .misc = 5 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_ALL | 4ull << VMX_MISC_CR3_TARGETS_SHIFT |
                    VMX_MISC_VMWRITE_ALL,
            .cr0_fixed0 = VMX_CR0_FIXED0,
            .cr0_fixed1 = VMX_CR0_FIXED1,
            .cr4_fixed0 = VMX_CR4_FIXED0,
            .cr4_fixed1 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                          CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE | CR4_PCIDE | CR4_OSXSAVE |
                          CR4_FSGSBASE | CR4_SMEP | CR4_SMAP,
            .vmcs_enum = 0x2e, /* index 23: VMX-preemption timer value */
            .ept_vpid_cap = MODELLED_EPT_VPID | EPT_CAP_PAGE_1G | EPT_CAP_ACCESSED_AND_DIRTY,
        },
    .tlb =
        {
            .first_level = {64, 4, "assumed: as Haswell"},
            .main_4k_2m = {1536, 6, "SDM volume 2, \"CPUID\", descriptor C3H, which Broadwell reports"},
            .main_1g = {16, 4, "SDM volume 2, \"CPUID\", descriptor C3H"},
            .guest_physical = {64, 64, "assumed"},
            .main_holds_2m = true,
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
            .tlb_second_level = ASSUMED(8),
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
