/*
 * prescott.c: a Pentium 4 662 or 672 (Prescott 2M, November 2005), the first processor with VT-x, as far as
 * vtsim models it.
 *
 * VMX of the first day: no TRUE MSRs, so that CR3-load and CR3-store exiting cannot be switched off; no MSR
 * bitmaps, so that each RDMSR and WRMSR exits; no secondary controls, hence no EPT, VPID or unrestricted
 * guest; no virtual NMIs, no VMX-preemption timer; IA32_EFER and IA32_PAT are not switched. No dump of its
 * capability MSRs was at hand: that it lacks just these, and the CPUID words but for the features, are
 * assumed.
 */
#include "sim/cpu/profiles/costs.h"
#include "sim/cpu/profiles/cpuid_rows.h"
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

/* clang-format off */
static const struct cpuid_leaf cpuid[] = {
    ROW_VENDOR(0x5),
    ROW_FEATURES(0x00000f4a, CPUID1_PRESCOTT), /* family 15, model 4, stepping 10 */
    /* 50H and 5BH: TLBs of 64 entries for code and data; 60H, 70H, 7DH, 40H: caches */
    {0x2, CPUID_ANY_SUBLEAF, 0x605b5001, 0, 0, 0x007d7040},
    ROW_CACHE(0, CACHE_DATA, 1u, 32u, 8u, 0),      /* 16 KiB; for code there is a trace cache */
    ROW_CACHE(1, CACHE_UNIFIED, 2u, 4096u, 8u, 0), /* 2 MiB */
    ROW_MONITOR,
    ROW_EXTENDED,
    ROW_EXTENDED_FEATURES(CPUID_EXTENDED_LAHF, CPUID_EXTENDED_EDX),
    ROW_BRAND('p', 'r', 'e', 's', 'c', 'o', 't', 't', 0, 0),
    ROW_SECOND_LEVEL(2048u, WAYS_8),
    ROW_ADDRESS_WIDTHS(36, 48),
};
/* clang-format on */

/* With the page walks that follow the two flushes (costs.h) it is within 10 % of both publications, which
 * differ by as much. */
#define SCALED                                                                                               \
    "Pentium 4 672 in " ADAMS_AGESEN                                                                         \
    " (entry 2409, page-fault exit 1931), scaled to the round trip of 3963 (Agesen et al., USENIX ATC "      \
    "2012, Table 1)"
#define NANOBENCHMARK "Pentium 4 672, native, in the nanobenchmarks of Adams, Agesen, ASPLOS 2006: "

const struct cpu_profile profile_prescott = {
    .name = "prescott",
    .description = "Pentium 4 672 (Prescott 2M, 2005), family 15 model 4: the first VT-x, without EPT, VPID, "
                   "MSR bitmaps "
                   "and secondary controls; CR3 accesses always exit",
    .physical_address_bits = 36,
    .linear_address_bits = 48,
    .has_nx = true,
    .has_vmx = true,
    .vmx =
        {
            .basic = VMX_BASIC_DEFAULT1_OF(3ull), /* revision identifier: assumed */
            CONTROL_MSRS_DEFAULT1(FIRST_PIN, FIRST_PRIMARY, FIRST_EXIT, FIRST_ENTRY),
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
            .main_4k_2m = {64, 64, "CPUID descriptor 5BH (SDM volume 2, \"CPUID\"); ways assumed"},
            .main_holds_2m = true,
        },
    .walk_cache =
        {
            {32, 8, "16 KiB, 8 ways; " SHARE},
            {4096, 8, "2 MiB, 8 ways; " SHARE},
        },
    .cost =
        {
            COSTS_OF_TRANSLATED_CODE,
            .system_instruction = {121, NANOBENCHMARK "syscall and its return 242, half of it for each"},
            .walk_l1 = ASSUMED(4),
            .walk_l2 = ASSUMED(27),
            .walk_l3 = NOT_THERE("third-level cache"),
            .walk_memory = ASSUMED(300),
            .tlb_second_level = ONE_LEVEL,
            .tlb_flush = {69, "assumed: with the walks that follow it, a part of the published round trip"},
            .vm_entry_recheck = NO_RECHECK,
            .transition_msr = ASSUMED(40),
            .load_pdptes = ASSUMED(40),
            .task_switch = ASSUMED(600),
            .vm_entry = {2200, SCALED},
            .vm_exit = {1763, SCALED},
            .vmread = {178, "Pentium 4 672 in " ADAMS_AGESEN},
            .vmwrite = {171, "Pentium 4 672 in " ADAMS_AGESEN},
            .vmptrld = ASSUMED(400),
            .vmclear = ASSUMED(400),
            .vmxon = ASSUMED(500),
            COSTS_WITHOUT_EPT_AND_VPID,
            .invlpg = ASSUMED(500),
            .mov_cr = {150, NANOBENCHMARK "cr8write 150; the same for the others is assumed"},
            .event_delivery = {768, NANOBENCHMARK "divzero 889, less 121 for its return"},
            .wbinvd = {100000, "assumed"},
            .io_port = {3209, NANOBENCHMARK "in 3209; the same for OUT is assumed"},
            .msr_list_entry = ASSUMED(250),
        },
    .cpuid = cpuid,
    .cpuid_count = sizeof(cpuid) / sizeof(cpuid[0]),
};
