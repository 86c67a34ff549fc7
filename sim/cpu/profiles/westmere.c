/*
 * westmere.c: the Westmere generation (family 6, model 44, Xeon 5600), as far as vtsim models it.
 *
 * Over Nehalem: unrestricted guest, PCID, AES and PCLMULQDQ.
 */
#include "sim/cpu/profiles/costs.h"
#include "sim/cpu/profiles/cpuid_rows.h"
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

/* clang-format off */
static const struct cpuid_leaf cpuid[] = {
    ROW_VENDOR(0xb),
    ROW_FEATURES(0x000206c2, CPUID1_WESTMERE), /* family 6, model 44, stepping 2 */
    /* Descriptors of the TLBs; caches by leaf 4 (SDM "CPUID", "Encoding of CPUID Leaf 2 Descriptors") */
    {0x2, CPUID_ANY_SUBLEAF, 0x55035a01, 0x00f0b2ff, 0, 0x00ca0000},
    ROW_CACHE(0, CACHE_DATA, 1u, 64u, 8u, 0), /* 32 KiB */
    ROW_CACHE(1, CACHE_CODE, 1u, 128u, 4u, 0),
    ROW_CACHE(2, CACHE_UNIFIED, 2u, 512u, 8u, 0), /* 256 KiB */
    ROW_CACHE(3, CACHE_UNIFIED, 3u, 12288u, 16u, CACHE_INCLUSIVE), /* 12 MiB */
    ROW_MONITOR,
    ROW_POWER,
    ROW_PERFORMANCE(4u),
    ROWS_TOPOLOGY,
    ROW_EXTENDED,
    ROW_EXTENDED_FEATURES(CPUID_EXTENDED_LAHF, CPUID_EXTENDED_EDX | CPUID_EXTENDED_RDTSCP),
    ROW_BRAND('w', 'e', 's', 't', 'm', 'e', 'r', 'e', 0, 0),
    ROW_SECOND_LEVEL(256u, WAYS_8),
    ROW_INVARIANT_TSC,
    ROW_ADDRESS_WIDTHS(40, 48),
};
/* clang-format on */

const struct cpu_profile profile_westmere = {
    .name = "westmere",
    .description = "Westmere, family 6 model 44: unrestricted guest and PCID over Nehalem",
    .physical_address_bits = 40,
    .linear_address_bits = 48,
    .has_pcid = true,
    .has_nx = true,
    .has_rdtscp = true,
    .has_vmx = true,
    .has_ept = true,
    .has_vpid = true,
    .vmx =
        {
            .basic = VMX_BASIC_OF(0xfull), /* revision identifier: assumed */
            MODELLED_CONTROL_MSRS,
            .procbased_ctls2 = CONTROL_MSR_SECONDARY(MODELLED_SECONDARY | SECONDARY_UNRESTRICTED_GUEST |
                                                     SECONDARY_PAUSE_LOOP_EXITING),
            /* preemption timer at TSC / 2^5 (assumed); four CR3 targets; lists of 512 MSRs */
            .misc = 5 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_ALL | 4ull << VMX_MISC_CR3_TARGETS_SHIFT,
            .cr0_fixed0 = VMX_CR0_FIXED0,
            .cr0_fixed1 = VMX_CR0_FIXED1,
            .cr4_fixed0 = VMX_CR4_FIXED0,
            .cr4_fixed1 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                          CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE | CR4_PCIDE,
            .vmcs_enum = 0x2e, /* index 23: VMX-preemption timer value */
            .ept_vpid_cap = MODELLED_EPT_VPID,
        },
    .tlb =
        {
            .first_level = {64, 4,
                            "Nehalem encyclopedia figure in notes/published-figures.md: dTLB for 4K; fully "
                            "associative here"},
            .main_4k_2m = {512, 4, "as Nehalem (encyclopedia figure): 4K only; the same here is assumed"},
            .guest_physical = {64, 64, "assumed"},
            .main_holds_2m = false,
            .large_2m = {32, 4, "as Nehalem (encyclopedia figure); the same here and the ways are assumed"},
        },
    .walk_cache =
        {
            WALK_CACHE_32K_256K,
            {16384, 16, "12 MiB, 16 ways (CPUID leaf 4); a twelfth of it for paging structures is assumed"},
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
            .vm_entry = {336, ROUND_TRIP("761")},
            .vm_exit = {425, ROUND_TRIP("761")},
            .vmread = VMREAD_AS_CORE_2,
            .vmwrite = VMWRITE_AS_CORE_2,
        },
    .cpuid = cpuid,
    .cpuid_count = sizeof(cpuid) / sizeof(cpuid[0]),
};
