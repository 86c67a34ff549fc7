/*
 * skylake.c: a client processor of the Skylake generation (family 6, model 5EH), as far as vtsim models it.
 *
 * CPUID bits are set only for what the core executes (libunicorn 2.1.1: no AVX) or the model does. Costs and geometry have their sources beside them; what no publication gives is
 * "assumed".
 *
 * One thing is more than such a processor has: 5-level paging (LA57), which came with Ice Lake. It is here so
 * that software can be tried with it on a profile that has all else; "skylake,-la57" is without.
 */
#include "sim/cpu/profiles/cpuid_rows.h"
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

/* clang-format off */
static const struct cpuid_leaf cpuid[] = {
    ROW_VENDOR(0xd),
    ROW_FEATURES(0x000506e3, CPUID1_HASWELL), /* family 6, model 5EH, stepping 3 */
    /* Descriptors of the TLBs; caches by leaf 4 (SDM "CPUID", "Encoding of CPUID Leaf 2 Descriptors") */
    {0x2, CPUID_ANY_SUBLEAF, 0x76036301, 0x00f0b5ff, 0, 0x00c30000},
    ROW_CACHE(0, CACHE_DATA, 1u, 64u, 8u, 0), /* 32 KiB */
    ROW_CACHE(1, CACHE_CODE, 1u, 64u, 8u, 0),
    ROW_CACHE(2, CACHE_UNIFIED, 2u, 1024u, 4u, 0), /* 256 KiB */
    ROW_CACHE(3, CACHE_UNIFIED, 3u, 8192u, 16u, 6), /* 8 MiB; inclusive, complex indexing */
    ROW_MONITOR,
    ROW_POWER,
    /* FSGSBASE TSC_ADJUST BMI1 SMEP BMI2 ERMS INVPCID MPX RDSEED ADX SMAP; ECX: LA57. CLFLUSHOPT is not offered: the core lacks it */
    {0x7, 0, 0, 0x001c478b, 0x00010000, 0},
    ROW_PERFORMANCE(8u),
    ROWS_TOPOLOGY,
    ROW_XSAVE(XSAVE_HAS_ALL),
    ROW_EXTENDED,
    ROW_EXTENDED_FEATURES(CPUID_EXTENDED_LAHF | CPUID_EXTENDED_LZCNT | CPUID_EXTENDED_PREFETCHW,
                          CPUID_EXTENDED_EDX | CPUID_EXTENDED_PAGE_1G | CPUID_EXTENDED_RDTSCP),
    ROW_BRAND('s', 'k', 'y', 'l', 'a', 'k', 'e', 0, 0, 0),
    ROW_SECOND_LEVEL(256u, WAYS_8),
    ROW_INVARIANT_TSC,
    ROW_ADDRESS_WIDTHS(39, 57),
};
/* clang-format on */

const struct cpu_profile profile_skylake = {
    .name = "skylake",
    .description =
        "Skylake client, family 6 model 5EH: EPT with A/D, unrestricted guest, VPID, PCID; and LA57, "
        "which real parts lack (skylake,-la57)",
    .physical_address_bits = 39,
    .linear_address_bits = 57,
    .has_1g_pages = true,
    .has_pcid = true,
    .has_invpcid = true,
    .has_smep = true,
    .has_smap = true,
    .has_nx = true,
    .has_rdtscp = true,
    .has_vmx = true,
    .has_ept = true,
    .has_vpid = true,
    .vmx =
        {
            .basic = VMX_BASIC_OF(4ull),
            SKYLAKE_CONTROL_MSRS,
            .procbased_ctls2 = CONTROL_MSR_SECONDARY(MODELLED_SECONDARY | SECONDARY_UNRESTRICTED_GUEST |
                                                     SECONDARY_RDRAND_EXITING | SECONDARY_ENABLE_INVPCID |
                                                     SECONDARY_RDSEED_EXITING | SECONDARY_PAUSE_LOOP_EXITING |
                                                     BROADWELL_ADDED_SECONDARY | SKYLAKE_ADDED_SECONDARY),
            .vmfunc = VM_FUNCTION_EPTP_SWITCHING,
            /* preemption timer at TSC / 2^7 (assumed); four CR3 targets; lists of 512 MSRs */
            .misc = 7 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_ALL | 4ull << VMX_MISC_CR3_TARGETS_SHIFT |
                    VMX_MISC_VMWRITE_ALL | VMX_MISC_INJECT_LENGTH_0,
            .cr0_fixed0 = VMX_CR0_FIXED0,
            .cr0_fixed1 = VMX_CR0_FIXED1,
            .cr4_fixed0 = VMX_CR4_FIXED0,
            .cr4_fixed1 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                          CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE | CR4_FSGSBASE | CR4_PCIDE |
                          CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_LA57,
            .vmcs_enum = 0x32, /* index 25: TSC multiplier */
            .ept_vpid_cap = MODELLED_EPT_VPID | EPT_CAP_PAGE_1G | EPT_CAP_ACCESSED_AND_DIRTY |
                            EPT_CAP_ADVANCED_INFORMATION,
        },
    .tlb =
        {
            .first_level = {64, 4, "CPUID dumps in InstLatx64: dTLB for 4K; fully associative here"},
            .main_4k_2m = {1536, 12, "CPUID dumps in InstLatx64 (Skylake)"},
            .main_1g = {16, 4, "CPUID dumps in InstLatx64 (Skylake)"},
            .guest_physical = {64, 64, "assumed"},
            .main_holds_2m = true,
        },
    .walk_cache =
        {
            {64, 8, "32 KiB, 8 ways (CPUID leaf 4); an eighth of it for paging structures is assumed"},
            {512, 4, "256 KiB, 4 ways (CPUID leaf 4); an eighth of it for paging structures is assumed"},
            {16384, 16, "8 MiB, 16 ways (CPUID leaf 4); an eighth of it for paging structures is assumed"},
        },
    .cost =
        {
            .instruction = {1, "assumed"},
            .branch = {1, "assumed"},
            .memory_access =
                {1, "assumed: the latency of 4 (published load latency, Skylake L1) mostly overlaps"},
            .system_instruction = {25, "assumed"},
            .walk_l1 = {4, "published load latency, Skylake L1"},
            .walk_l2 = {12, "published load latency, Skylake L2"},
            .walk_l3 = {46, "published load latency, Skylake L3"},
            .walk_memory = {200, "assumed"},
            .tlb_second_level =
                {9, "published for Skylake-X: a second-level hit adds 9; the same here is assumed"},
            .tlb_flush = {30, "assumed"},
            .vm_entry_recheck =
                {300, "assumed, of \"several hundred\" in Linux commits 804939ea200d, 3af80fec6e7f"},
            .transition_msr = {20, "assumed"},
            .load_pdptes = {20, "assumed"},
            .task_switch = {300, "assumed"},
            .vm_entry =
                {441,
                 "CPUID loop of 1018-1098 (kvm list, December 2024) less its instructions; split as Core 2 "
                 "in Adams, Agesen, ASPLOS 2006, Table 1"},
            .vm_exit =
                {559,
                 "CPUID loop of 1018-1098 (kvm list, December 2024) less its instructions; split as Core 2 "
                 "in Adams, Agesen, ASPLOS 2006, Table 1"},
            .vmread = {20, "assumed"},
            .vmwrite = {20, "assumed"},
            .vmptrld = {120, "assumed"},
            .vmclear = {120, "assumed"},
            .vmxon = {150, "assumed"},
            .invept = {300, "assumed"},
            .invvpid = {300, "assumed"},
            .invlpg = {150, "assumed"},
            .mov_cr = {120, "assumed"},
            .event_delivery = {250, "assumed"},
            .io_port = {1000, "assumed"},
            .wbinvd = {100000, "assumed"},
            .msr_list_entry = {100, "assumed"},
        },
    .cpuid = cpuid,
    .cpuid_count = sizeof(cpuid) / sizeof(cpuid[0]),
};
