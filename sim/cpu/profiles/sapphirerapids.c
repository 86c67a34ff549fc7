/*
 * sapphirerapids.c: a server processor of the Sapphire Rapids generation (family 6, model 8FH), as far as
 * vtsim models it.
 *
 * CPUID bits are set only for what the core executes (libunicorn 2.1.1: no AVX) or the model
 * does. Costs and geometry have their sources beside them; what no publication gives is "assumed".
 *
 * Over Ice Lake: protection keys for supervisor pages, the registers of shadow stacks (which cannot be
 * switched on: vmx_model/cet.h; indirect-branch tracking is left out, since systems switch that on unasked),
 * UMONITOR, UMWAIT and TPAUSE, SERIALIZE, IPI virtualization, instruction timeouts, bus-lock detection, hypervisor-managed
 * linear-address translation (published for clients of the time; on this server: assumed). No publication
 * gives its round trip.
 *
 * Two things are more than such a processor has: linear-address masking (LAM), which came with Sierra Forest
 * and Arrow Lake, and Intel MPX with the controls of IA32_BNDCFGS, which ended before Ice Lake. They are here
 * so that software can be tried with them on a profile that has all else; "sapphirerapids,-lam,-mpx" is
 * without.
 */
#include "sim/cpu/profiles/costs.h"
#include "sim/cpu/profiles/cpuid_rows.h"
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

/* clang-format off */
static const struct cpuid_leaf cpuid[] = {
    ROW_VENDOR(0x18),
    ROW_FEATURES(0x000806f8, CPUID1_HASWELL), /* family 6, model 8FH, stepping 8 */
    {0x2, CPUID_ANY_SUBLEAF, 0x00feff01, 0x000000f0, 0, 0}, /* TLBs by leaf 18H, caches by leaf 4 */
    ROW_CACHE(0, CACHE_DATA, 1u, 64u, 12u, 0), /* 48 KiB */
    ROW_CACHE(1, CACHE_CODE, 1u, 64u, 8u, 0),
    ROW_CACHE(2, CACHE_UNIFIED, 2u, 2048u, 16u, 0), /* 2 MiB */
    ROW_CACHE(3, CACHE_UNIFIED, 3u, 114688u, 15u, 4), /* 105 MiB; complex indexing */
    ROW_MONITOR,
    ROW_POWER,
    /* FSGSBASE TSC_ADJUST BMI1 SMEP BMI2 ERMS INVPCID MPX RDSEED ADX SMAP CLFLUSHOPT CLWB; ECX: UMIP PKU WAITPKG CET_SS LA57
     * RDPID BUS_LOCK_DETECT PKS; EDX: FSRM SERIALIZE IBRS STIBP L1D_FLUSH ARCH_CAPABILITIES CORE_CAPABILITIES SSBD */
    {0x7, 0, 1, 0x019c478b, 0x814100ac, 0xfc004010},
    {0x7, 1, 1u << 26, 0, 0, 0}, /* LAM */
    ROW_PERFORMANCE(8u),
    ROWS_TOPOLOGY,
    ROW_XSAVE(XSAVE_HAS_ALL),
    ROW_SHARED_TLBS(128u, 16u, 128u, 8u),
    ROW_EXTENDED,
    ROW_EXTENDED_FEATURES(CPUID_EXTENDED_LAHF | CPUID_EXTENDED_LZCNT | CPUID_EXTENDED_PREFETCHW,
                          CPUID_EXTENDED_EDX | CPUID_EXTENDED_PAGE_1G | CPUID_EXTENDED_RDTSCP),
    ROW_BRAND('s', 'a', 'p', 'p', 'h', 'i', 'r', 'e', 'r', 'a'),
    {0x80000003, CPUID_ANY_SUBLEAF, CPUID_TEXT('p', 'i', 'd', 's'), 0, 0, 0},
    ROW_SECOND_LEVEL(2048u, WAYS_16),
    ROW_INVARIANT_TSC,
    ROW_ADDRESS_WIDTHS_WBNOINVD(46, 57),
};
/* clang-format on */

const struct cpu_profile profile_sapphirerapids = {
    .name = "sapphirerapids",
    .description =
        "Sapphire Rapids, family 6 model 8FH: PKS, UMWAIT and TPAUSE, SERIALIZE over Ice Lake; and LAM "
        "and MPX, which real parts lack (sapphirerapids,-lam,-mpx)",
    .physical_address_bits = 46,
    .linear_address_bits = 57,
    .has_1g_pages = true,
    .has_pcid = true,
    .has_invpcid = true,
    .has_smep = true,
    .has_smap = true,
    .has_umip = true,
    .has_nx = true,
    .has_rdtscp = true,
    .has_lam = true,
    .has_vmx = true,
    .has_ept = true,
    .has_vpid = true,
    .vmx =
        {
            .basic = VMX_BASIC_OF(4ull),
            SAPPHIRERAPIDS_CONTROL_MSRS,
            .procbased_ctls2 = CONTROL_MSR_SECONDARY(
                MODELLED_SECONDARY | SERVER_SECONDARY | SECONDARY_PAUSE_LOOP_EXITING |
                SECONDARY_UNRESTRICTED_GUEST | SECONDARY_RDRAND_EXITING | SECONDARY_ENABLE_INVPCID |
                SECONDARY_RDSEED_EXITING | BROADWELL_ADDED_SECONDARY | SKYLAKE_ADDED_SECONDARY |
                SKYLAKE_SERVER_ADDED_SECONDARY | ICELAKE_ADDED_SECONDARY | SAPPHIRERAPIDS_ADDED_SECONDARY),
            .procbased_ctls3 = TERTIARY_ENABLE_HLAT | TERTIARY_EPT_PAGING_WRITE_CONTROL |
                               TERTIARY_GUEST_PAGING_VERIFICATION | TERTIARY_IPI_VIRTUALIZATION,
            .vmfunc = VM_FUNCTION_EPTP_SWITCHING,
            /* preemption timer at TSC / 2^7 (assumed); four CR3 targets; lists of 512 MSRs */
            .misc = 7 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_ALL | 4ull << VMX_MISC_CR3_TARGETS_SHIFT |
                    VMX_MISC_VMWRITE_ALL | VMX_MISC_INJECT_LENGTH_0,
            .cr0_fixed0 = VMX_CR0_FIXED0,
            .cr0_fixed1 = VMX_CR0_FIXED1,
            .cr4_fixed0 = VMX_CR4_FIXED0,
            .cr4_fixed1 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                          CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_VMXE | CR4_FSGSBASE | CR4_PCIDE |
                          CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_LA57 | CR4_UMIP | CR4_PKE | CR4_PKS |
                          CR4_CET | CR4_LAM_SUP,
            .vmcs_enum = 0x42, /* index 33: PID-pointer table address */
            .ept_vpid_cap = MODELLED_EPT_VPID | EPT_CAP_PAGE_1G | EPT_CAP_ACCESSED_AND_DIRTY |
                            EPT_CAP_ADVANCED_INFORMATION | EPT_CAP_WALK_LENGTH_5,
            /* bits 53:48, the most that the HLAT prefix size may be, stay 0: software older than HLAT takes
             * them for reserved (kvm-unit-tests does); a prefix size of 1 works */
        },
    /* 25 MHz (Xeon's crystal) under a TSC of 3 GHz; the allowance is assumed: no publication gives it */
    .instruction_timeout = {.crystal_clock = 120, .allowance = 131072},
    .tlb =
        {
            .first_level = {64, 4, "assumed: as Skylake"},
            .main_4k_2m = {2048, 16, "assumed: as Ice Lake"},
            .main_1g = {1024, 8, "assumed: as Ice Lake"},
            .guest_physical = {64, 64, "assumed"},
            .main_holds_2m = true,
        },
    .walk_cache =
        {
            {96, 12, "48 KiB, 12 ways (CPUID leaf 4); an eighth of it for paging structures is assumed"},
            {4096, 16, "2 MiB, 16 ways (CPUID leaf 4); an eighth of it for paging structures is assumed"},
            {61440, 15,
             "105 MiB, 15 ways (CPUID leaf 4); some 4 MiB of it for paging structures are assumed"},
        },
    .cost =
        {
            .instruction = {1, "assumed"},
            .branch = {1, "assumed"},
            .memory_access =
                {1, "assumed: the latency of 4 (published load latency, Skylake L1) mostly overlaps"},
            .system_instruction = {25, "assumed"},
            .walk_l1 = {5, "assumed: as published for Sunny Cove's first-level cache"},
            .walk_l2 = {14, "assumed: as published for Sunny Cove's second-level cache"},
            .walk_l3 = {46, "assumed: as Skylake"},
            .walk_memory = {200, "assumed"},
            .tlb_second_level = {9, "assumed: as Skylake"},
            .tlb_flush = {30, "assumed"},
            .vm_entry_recheck = RECHECK,
            .transition_msr = {20, "assumed"},
            .load_pdptes = {20, "assumed"},
            .task_switch = {300, "assumed"},
            .vm_entry = {441, "assumed: as Skylake"},
            .vm_exit = {559, "assumed: as Skylake"},
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
