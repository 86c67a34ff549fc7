/*
 * merom.c: the first Core 2 generation (Merom, Conroe, 2006), as far as vtsim models it.
 *
 * Over Prescott: virtual NMIs and MSR bitmaps (QEMU's model "core2duo" has them). No TRUE MSRs, EPT or VPID.
 * Its secondary controls hold "virtualize APIC accesses" alone.
 */
#include "sim/cpu/profiles/costs.h"
#include "sim/cpu/profiles/cpuid_rows.h"
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

/* clang-format off */
static const struct cpuid_leaf cpuid[] = {
    ROW_VENDOR(0x6),
    ROW_FEATURES(0x000006fb, CPUID1_MEROM),
    /* Descriptors of TLBs and caches (SDM "CPUID", "Encoding of CPUID Leaf 2 Descriptors") */
    {0x2, CPUID_ANY_SUBLEAF, 0x05b0b101, 0x005657f0, 0, 0x2cb43049},
    ROW_CACHE(0, CACHE_DATA, 1u, 64u, 8u, 0), /* 32 KiB */
    ROW_CACHE(1, CACHE_CODE, 1u, 64u, 8u, 0),
    ROW_CACHE(2, CACHE_UNIFIED, 2u, 4096u, 16u, 0), /* 4 MiB */
    ROW_MONITOR,
    ROW_EXTENDED,
    ROW_EXTENDED_FEATURES(CPUID_EXTENDED_LAHF, CPUID_EXTENDED_EDX),
    ROW_BRAND('m', 'e', 'r', 'o', 'm', 0, 0, 0, 0, 0),
    ROW_SECOND_LEVEL(4096u, WAYS_16),
    ROW_ADDRESS_WIDTHS(36, 48),
};
/* clang-format on */

const struct cpu_profile profile_merom = {
    .name = "merom",
    .description = "Core 2 (Merom, 2006), family 6 model 15: virtual NMIs, MSR bitmaps and virtualized APIC "
                   "accesses, without EPT and VPID",
    .physical_address_bits = 36,
    .linear_address_bits = 48,
    .has_nx = true,
    .has_vmx = true,
    .vmx =
        {
            /* revision identifier: assumed */
            .basic = VMX_BASIC_DEFAULT1_OF(7ull) | VMX_BASIC_INS_OUTS_INFORMATION,
            CONTROL_MSRS_DEFAULT1(CORE_2_PIN, CORE_2_PRIMARY | PRIMARY_ACTIVATE_SECONDARY_CONTROLS,
                                  FIRST_EXIT, FIRST_ENTRY),
            .procbased_ctls2 = CONTROL_MSR_SECONDARY(SECONDARY_VIRTUALIZE_APIC_ACCESSES),
            /* four CR3 targets; lists of 512 MSRs */
            .misc = VMX_MISC_ACTIVITY_ALL | 4ull << VMX_MISC_CR3_TARGETS_SHIFT,
            .cr0_fixed0 = VMX_CR0_FIXED0,
            .cr0_fixed1 = VMX_CR0_FIXED1,
            .cr4_fixed0 = VMX_CR4_FIXED0,
            .cr4_fixed1 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                          CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE,
            .vmcs_enum = 0x2a, /* index 21: guest IA32_SYSENTER_CS */
        },
    .tlb =
        {
            .main_4k_2m = {256, 4, "CPUID dumps in InstLatx64 (Conroe, Yorkfield): 4K only"},
            .main_holds_2m = false,
            .large_2m = {16, 4, "CPUID dumps in InstLatx64 (Conroe, Yorkfield)"},
        },
    .walk_cache =
        {
            {64, 8, "32 KiB, 8 ways (CPUID leaf 4); " SHARE},
            {8192, 16, "4 MiB (CPUID leaf 4); " SHARE},
        },
    .cost =
        {
            COSTS_OF_TRANSLATED_CODE,
            COSTS_OF_SYSTEM_INSTRUCTIONS,
            COSTS_WITHOUT_EPT_AND_VPID,
            WALKS_OF_CORE_2(14),
            .tlb_second_level = ONE_LEVEL,
            .tlb_flush = {33, "assumed: with the walks that follow it, a part of the published round trip"},
            .vm_entry_recheck = NO_RECHECK,
            /* pre-production parts: entry 937, page-fault exit 1186 */
            .vm_entry = {658, ROUND_TRIP_WITH_REFILLS("1579")},
            .vm_exit = {834, ROUND_TRIP_WITH_REFILLS("1579")},
            .vmread = {52, "Core 2 (pre-production) in " ADAMS_AGESEN},
            .vmwrite = {44, "Core 2 (pre-production) in " ADAMS_AGESEN},
        },
    .cpuid = cpuid,
    .cpuid_count = sizeof(cpuid) / sizeof(cpuid[0]),
};
