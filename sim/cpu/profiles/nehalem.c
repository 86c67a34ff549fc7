/*
 * nehalem.c: the Nehalem generation (family 6, model 1AH), the first with EPT and VPID, as far as vtsim
 * models it.
 *
 * No unrestricted guest, no EPT accessed and dirty flags, no PCID, no 1-GByte pages. Costs and geometry have
 * their sources beside them; what no publication gives is "assumed".
 */
#include "sim/cpu/profiles/profiles.h"
#include "sim/cpu/profiles/vmx_controls.h"
#include "vtsim/cpu_state.h"

static const struct cpuid_leaf cpuid[] = {
    /* "GenuineIntel" */
    {0x0, CPUID_ANY_SUBLEAF, 0xb, 0x756e6547, 0x6c65746e, 0x49656e69},
    /* EAX: family 6, model 1AH, stepping 5. EBX: CLFLUSH line 8 * 8 bytes, one logical processor.
     * ECX: SSE3 MONITOR VMX SSSE3 CX16 SSE4.1 SSE4.2 POPCNT.
     * EDX: FPU DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2. */
    {0x1, CPUID_ANY_SUBLEAF, 0x000106a5, 0x00010800, 0x00982229, 0x078bfbfd},
    /* Descriptors of the TLBs; caches by leaf 4 (SDM "CPUID", "Encoding of CPUID Leaf 2 Descriptors") */
    {0x2, CPUID_ANY_SUBLEAF, 0x5a035501, 0x00f0b0ff, 0, 0x00ca0000},
    /* Caches: 32K 8-way data, 32K 4-way code, 256K 8-way, 8M 16-way inclusive; sharing by one logical
       processor */
    {0x4, 0, 0x00000121, 0x01c0003f, 0x0000003f, 0},
    {0x4, 1, 0x00000122, 0x00c0003f, 0x0000007f, 0},
    {0x4, 2, 0x00000143, 0x01c0003f, 0x000001ff, 0},
    {0x4, 3, 0x00000163, 0x03c0003f, 0x00001fff, 2},
    /* MONITOR/MWAIT: lines of 64 bytes, no extensions */
    {0x5, CPUID_ANY_SUBLEAF, 0x40, 0x40, 0, 0},
    /* Topology: one thread, one core */
    {0xb, 0, 0, 1, 0x100, 0},
    {0xb, 1, 0, 1, 0x201, 0},
    {0x80000000, CPUID_ANY_SUBLEAF, 0x80000008, 0, 0, 0},
    /* ECX: LAHF. EDX: SYSCALL NX RDTSCP Intel 64 */
    {0x80000001, CPUID_ANY_SUBLEAF, 0, 0, 0x00000001, 0x28100800},
    /* "vtsim nehalem" */
    {0x80000002, CPUID_ANY_SUBLEAF, 0x69737476, 0x656e206d, 0x656c6168, 0x0000006d},
    /* 256K of second-level cache, 8-way code, line of 64 bytes */
    {0x80000006, CPUID_ANY_SUBLEAF, 0, 0, 0x01006040, 0},
    /* Invariant TSC */
    {0x80000007, CPUID_ANY_SUBLEAF, 0, 0, 0, 0x100},
    /* 40 physical, 48 linear address bits */
    {0x80000008, CPUID_ANY_SUBLEAF, 0x3028, 0, 0, 0},
};

#define ROUND_TRIP                                                                                           \
    "round trip of 1009 (Agesen et al., USENIX ATC 2012, Table 1); split as Core 2 in Adams, Agesen, "       \
    "ASPLOS 2006, "                                                                                          \
    "Table 1"

const struct cpu_profile profile_nehalem = {
    .name = "nehalem",
    .description = "Nehalem, family 6 model 1AH: EPT and VPID, without unrestricted guest, EPT A/D and PCID",
    .physical_address_bits = 40,
    .linear_address_bits = 48,
    .has_nx = true,
    .has_rdtscp = true,
    .has_vmx = true,
    .has_ept = true,
    .has_vpid = true,
    .vmx =
        {
            .basic = VMX_BASIC_OF(0xeull), /* revision identifier: assumed */
            MODELLED_CONTROL_MSRS,
            .procbased_ctls2 = CONTROL_MSR_SECONDARY(MODELLED_SECONDARY),
            /* preemption timer at TSC / 2^5 (assumed); four CR3 targets; lists of 512 MSRs */
            .misc = 5 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_HLT | 4ull << VMX_MISC_CR3_TARGETS_SHIFT,
            .cr0_fixed0 = VMX_CR0_FIXED0,
            .cr0_fixed1 = VMX_CR0_FIXED1,
            .cr4_fixed0 = VMX_CR4_FIXED0,
            .cr4_fixed1 = CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
                          CR4_OSXMMEXCPT | CR4_VMXE,
            .vmcs_enum = 0x2e, /* index 23: VMX-preemption timer value */
            .ept_vpid_cap = MODELLED_EPT_VPID,
        },
    .tlb =
        {
            .main_4k_2m = {512, 4, "Nehalem encyclopedia figure in notes/published-figures.md: 4K only"},
            .guest_physical = {64, 64, "assumed"},
            .main_holds_2m = false,
            .large_2m = {32, 4, "Nehalem encyclopedia figure: 32 entries for 2M; ways assumed"},
        },
    .cost =
        {
            .instruction = {1, "assumed"},
            .branch = {1, "assumed"},
            .memory_access = {1, "assumed"},
            .system_instruction = {25, "assumed"},
            .page_walk_reference = {12, "assumed, as Skylake"},
            .vm_entry = {445, ROUND_TRIP},
            .vm_exit = {564, ROUND_TRIP},
            .vmread = {52, "Core 2 in Adams, Agesen, ASPLOS 2006, Table 1; the same here is assumed"},
            .vmwrite = {44, "Core 2 in Adams, Agesen, ASPLOS 2006, Table 1; the same here is assumed"},
            .vmptrld = {200, "assumed"},
            .vmclear = {200, "assumed"},
            .vmxon = {250, "assumed"},
            .invept = {400, "assumed"},
            .invvpid = {400, "assumed"},
            .invlpg = {200, "assumed"},
            .mov_cr = {150, "assumed"},
            .event_delivery = {300, "assumed"},
            .io_port = {1000, "assumed"},
            .msr_list_entry = {120, "assumed"},
        },
    .cpuid = cpuid,
    .cpuid_count = sizeof(cpuid) / sizeof(cpuid[0]),
};
