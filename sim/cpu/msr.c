/* msr.c: the table of MSRs and the ways into it. */
#include "sim/cpu/msr.h"

#include <stddef.h>
#include <string.h>

#include "sim/cpu/features.h"

static bool no_reserved_bits(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    (void)cpu;
    return !(value & row->argument);
}

/* SDM volume 2, "WRMSR": an address that is not canonical by the processor's width raises #GP. */
static bool canonical(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    (void)row;
    return cpu_canonical(value, cpu->profile->linear_address_bits);
}

/* SDM volume 4, IA32_PL0_SSP to IA32_PL3_SSP: a canonical address that is a multiple of 4. */
static bool canonical_aligned(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    return canonical(cpu, row, value) && no_reserved_bits(cpu, row, value);
}

/* SDM volume 1, chapter "Intel Memory Protection Extensions"; volume 4, IA32_BNDCFGS: bits 11:2 are reserved,
 * the bound directory's base is canonical. */
static bool canonical_base(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    return canonical(cpu, row, value & BNDCFG_BASE) && no_reserved_bits(cpu, row, value);
}

/* Memory types that exist: UC, WC, WT, WP, WB; in the PAT also UC-: SDM volume 3A, "Memory Types". */
static bool every_byte_in(uint64_t value, unsigned allowed_types)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t type = value >> (8 * i) & 0xff;
        if (type > 7 || !(allowed_types >> type & 1))
            return false;
    }
    return true;
}

#define MTRR_TYPES 0x73u /* 0, 1, 4, 5, 6 */
#define PAT_TYPES 0xf3u  /* and 7 */

static bool pat_valid(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    (void)cpu;
    (void)row;
    return every_byte_in(value, PAT_TYPES);
}

static bool mtrr_fixed_valid(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    (void)cpu;
    (void)row;
    return every_byte_in(value, MTRR_TYPES);
}

/* SDM volume 3A, "IA32_MTRR_DEF_TYPE MSR": type in 7:0, FE 10, E 11. */
static bool mtrr_def_type_valid(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    (void)cpu;
    return !(value & row->argument) && every_byte_in(value & 0xff, MTRR_TYPES);
}

/* SDM volume 3A, "Variable Range MTRRs": no address bits beyond the physical width; type and reserved bits by
 * pair. */
static bool mtrr_variable_valid(const struct cpu *cpu, const struct msr_row *row, uint64_t value, bool mask)
{
    (void)row;
    if (value >> cpu->profile->physical_address_bits)
        return false;
    return mask ? !(value & 0x7ff) : !(value & 0xf00) && every_byte_in(value & 0xff, MTRR_TYPES);
}

static bool mtrr_base_valid(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    return mtrr_variable_valid(cpu, row, value, false);
}

static bool mtrr_mask_valid(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    return mtrr_variable_valid(cpu, row, value, true);
}

#define STATE(index, name, feature, member, reserved, check)                                                 \
    {                                                                                                        \
        index, index, name, MSR_STATE, feature, offsetof(struct cpu_state, msr.member), reserved, check,     \
            NULL, NULL                                                                                       \
    }
#define STORED(index, name, feature, reserved, check)                                                        \
    {                                                                                                        \
        index, index, name, MSR_STORED, feature, 0, reserved, check, NULL, NULL                              \
    }
#define CONSTANT(index, name, feature, value)                                                                \
    {                                                                                                        \
        index, index, name, MSR_CONSTANT, feature, 0, value, NULL, NULL, NULL                                \
    }
#define SPECIAL(first, last, name, feature, read, write)                                                     \
    {                                                                                                        \
        first, last, name, MSR_SPECIAL, feature, 0, 0, NULL, read, write                                     \
    }
#define MTRR_PAIR(n)                                                                                         \
    STORED(0x200 + 2 * (n), "IA32_MTRR_PHYSBASE" #n, FEATURE_MTRR, 0, mtrr_base_valid),                      \
        STORED(0x201 + 2 * (n), "IA32_MTRR_PHYSMASK" #n, FEATURE_MTRR, 0, mtrr_mask_valid)
#define MTRR_FIXED(index, name) STORED(index, name, FEATURE_MTRR, 0, mtrr_fixed_valid)
#define UPPER_HALF 0xffffffff00000000ull
/* RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO: nothing is executed
 * speculatively. */
#define ARCH_CAPABILITIES 0x16bull

/* By index. To add an MSR, add its row; a special one has its functions in msr_special.c. */
static const struct msr_row rows[] = {
    SPECIAL(MSR_TSC, MSR_TSC, "IA32_TIME_STAMP_COUNTER", FEATURE_TSC, msr_read_tsc, msr_write_tsc),
    CONSTANT(0x17, "IA32_PLATFORM_ID", MSR_ALWAYS, 0),
    SPECIAL(MSR_APIC_BASE, MSR_APIC_BASE, "IA32_APIC_BASE", FEATURE_APIC, msr_read_apic, msr_write_apic),
    STATE(0x33, "MSR_TEST_CTRL", FEATURE_CORE_CAPABILITIES, test_ctrl, ~TEST_CTRL_SPLIT_LOCK,
          no_reserved_bits),
    SPECIAL(MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL, "IA32_FEATURE_CONTROL", FEATURE_VMX,
            msr_read_feature_control, msr_write_feature_control),
    SPECIAL(MSR_TSC_ADJUST, MSR_TSC_ADJUST, "IA32_TSC_ADJUST", FEATURE_TSC_ADJUST, msr_read_tsc_adjust,
            msr_write_tsc_adjust),
    SPECIAL(0x48, 0x48, "IA32_SPEC_CTRL", FEATURE_IBRS, msr_read_spec_ctrl, msr_write_spec_ctrl),
    SPECIAL(0x49, 0x49, "IA32_PRED_CMD", FEATURE_IBRS, NULL, msr_write_command),
    SPECIAL(0x79, 0x79, "IA32_BIOS_UPDT_TRIG", MSR_ALWAYS, NULL, msr_write_update_trigger),
    STORED(0x8b, "IA32_BIOS_SIGN_ID", MSR_ALWAYS, 0, NULL),
    SPECIAL(MSR_PMC0, MSR_PMC0 + PMU_GENERAL - 1, "IA32_PMC0", FEATURE_PERFMON_2, pmu_read_msr,
            pmu_write_msr),
    CONSTANT(0xcf, "IA32_CORE_CAPABILITIES", FEATURE_CORE_CAPABILITIES, 1 << 5), /* split-lock disable */
    STORED(0xe1, "IA32_UMWAIT_CONTROL", FEATURE_WAITPKG, UPPER_HALF | 2, no_reserved_bits),
    CONSTANT(MSR_MTRRCAP, "IA32_MTRRCAP", FEATURE_MTRR, 0x508), /* WC, fixed ranges, eight variable ranges */
    CONSTANT(0x10a, "IA32_ARCH_CAPABILITIES", FEATURE_ARCH_CAPABILITIES, ARCH_CAPABILITIES),
    SPECIAL(0x10b, 0x10b, "IA32_FLUSH_CMD", FEATURE_L1D_FLUSH, NULL, msr_write_command),
    SPECIAL(0x174, 0x174, "IA32_SYSENTER_CS", FEATURE_SEP, msr_read_sysenter_cs, msr_write_sysenter_cs),
    STATE(0x175, "IA32_SYSENTER_ESP", FEATURE_SEP, sysenter_esp, 0, canonical),
    STATE(0x176, "IA32_SYSENTER_EIP", FEATURE_SEP, sysenter_eip, 0, canonical),
    CONSTANT(0x179, "IA32_MCG_CAP", FEATURE_MCA, 0), /* no banks, no IA32_MCG_CTL */
    STORED(0x17a, "IA32_MCG_STATUS", FEATURE_MCA, ~7ull, no_reserved_bits),
    SPECIAL(MSR_PERFEVTSEL0, MSR_PERFEVTSEL0 + PMU_GENERAL - 1, "IA32_PERFEVTSEL0", FEATURE_PERFMON_2,
            pmu_read_msr, pmu_write_msr),
    /* One performance state: the ratio of 3 GHz to a bus clock of 100 MHz (assumed). Requests change nothing.
     */
    CONSTANT(0x198, "IA32_PERF_STATUS", FEATURE_EIST, 30 << 8),
    STORED(0x199, "IA32_PERF_CTL", FEATURE_EIST, ~0xffffull, no_reserved_bits),
    SPECIAL(MSR_MISC_ENABLE, MSR_MISC_ENABLE, "IA32_MISC_ENABLE", MSR_ALWAYS, msr_read_misc_enable,
            msr_write_misc_enable),
    SPECIAL(MSR_DEBUGCTL, MSR_DEBUGCTL, "IA32_DEBUGCTL", MSR_ALWAYS, msr_read_debugctl, msr_write_debugctl),
    MTRR_PAIR(0),
    MTRR_PAIR(1),
    MTRR_PAIR(2),
    MTRR_PAIR(3),
    MTRR_PAIR(4),
    MTRR_PAIR(5),
    MTRR_PAIR(6),
    MTRR_PAIR(7),
    MTRR_FIXED(0x250, "IA32_MTRR_FIX64K_00000"),
    MTRR_FIXED(0x258, "IA32_MTRR_FIX16K_80000"),
    MTRR_FIXED(0x259, "IA32_MTRR_FIX16K_A0000"),
    MTRR_FIXED(0x268, "IA32_MTRR_FIX4K_C0000"),
    MTRR_FIXED(0x269, "IA32_MTRR_FIX4K_C8000"),
    MTRR_FIXED(0x26a, "IA32_MTRR_FIX4K_D0000"),
    MTRR_FIXED(0x26b, "IA32_MTRR_FIX4K_D8000"),
    MTRR_FIXED(0x26c, "IA32_MTRR_FIX4K_E0000"),
    MTRR_FIXED(0x26d, "IA32_MTRR_FIX4K_E8000"),
    MTRR_FIXED(0x26e, "IA32_MTRR_FIX4K_F0000"),
    MTRR_FIXED(0x26f, "IA32_MTRR_FIX4K_F8000"),
    STATE(MSR_PAT, "IA32_PAT", FEATURE_PAT, pat, 0, pat_valid),
    STORED(MSR_MTRR_DEF_TYPE, "IA32_MTRR_DEF_TYPE", FEATURE_MTRR, ~0xcffull, mtrr_def_type_valid),
    SPECIAL(MSR_FIXED_CTR0, MSR_FIXED_CTR0 + PMU_FIXED - 1, "IA32_FIXED_CTR0", FEATURE_PERFMON_2,
            pmu_read_msr, pmu_write_msr),
    SPECIAL(MSR_FIXED_CTR_CTRL, MSR_FIXED_CTR_CTRL, "IA32_FIXED_CTR_CTRL", FEATURE_PERFMON_2, pmu_read_msr,
            pmu_write_msr),
    SPECIAL(MSR_PERF_GLOBAL_STATUS, MSR_PERF_GLOBAL_STATUS, "IA32_PERF_GLOBAL_STATUS", FEATURE_PERFMON_2,
            pmu_read_msr, pmu_write_msr),
    SPECIAL(MSR_PERF_GLOBAL_CTRL, MSR_PERF_GLOBAL_CTRL, "IA32_PERF_GLOBAL_CTRL", FEATURE_PERFMON_2,
            pmu_read_msr, pmu_write_msr),
    SPECIAL(MSR_PERF_GLOBAL_OVF_CTRL, MSR_PERF_GLOBAL_OVF_CTRL, "IA32_PERF_GLOBAL_OVF_CTRL",
            FEATURE_PERFMON_2, pmu_read_msr, pmu_write_msr),
    SPECIAL(MSR_VMX_FIRST, MSR_VMX_LAST, "IA32_VMX_BASIC", FEATURE_VMX, msr_read_vmx_capability, NULL),
    SPECIAL(MSR_U_CET, MSR_U_CET, "IA32_U_CET", FEATURE_SHADOW_STACK, msr_read_cet, msr_write_cet),
    SPECIAL(MSR_S_CET, MSR_S_CET, "IA32_S_CET", FEATURE_SHADOW_STACK, msr_read_cet, msr_write_cet),
    STATE(MSR_PL0_SSP, "IA32_PL0_SSP", FEATURE_SHADOW_STACK, pl_ssp[0], 3, canonical_aligned),
    STATE(MSR_PL0_SSP + 1, "IA32_PL1_SSP", FEATURE_SHADOW_STACK, pl_ssp[1], 3, canonical_aligned),
    STATE(MSR_PL0_SSP + 2, "IA32_PL2_SSP", FEATURE_SHADOW_STACK, pl_ssp[2], 3, canonical_aligned),
    STATE(MSR_PL0_SSP + 3, "IA32_PL3_SSP", FEATURE_SHADOW_STACK, pl_ssp[3], 3, canonical_aligned),
    STATE(MSR_INTERRUPT_SSP_TABLE, "IA32_INTERRUPT_SSP_TABLE_ADDR", FEATURE_SHADOW_STACK, interrupt_ssp_table,
          0, canonical),
    SPECIAL(MSR_TSC_DEADLINE, MSR_TSC_DEADLINE, "IA32_TSC_DEADLINE", FEATURE_TSC_DEADLINE, msr_read_apic,
            msr_write_apic),
    SPECIAL(MSR_PKRS, MSR_PKRS, "IA32_PKRS", FEATURE_PKS, msr_read_pkrs, msr_write_pkrs),
    SPECIAL(MSR_X2APIC_FIRST, MSR_X2APIC_LAST, "x2APIC registers", FEATURE_X2APIC, msr_read_apic,
            msr_write_apic),
    STATE(MSR_BNDCFGS, "IA32_BNDCFGS", FEATURE_MPX, bndcfgs, BNDCFG_RESERVED, canonical_base),
    SPECIAL(MSR_XSS, MSR_XSS, "IA32_XSS", FEATURE_XSAVES, msr_read_xss, msr_write_xss),
    SPECIAL(MSR_EFER, MSR_EFER, "IA32_EFER", FEATURE_LONG_MODE, msr_read_efer, msr_write_efer),
    STATE(0xc0000081u, "IA32_STAR", FEATURE_SYSCALL, star, 0, NULL),
    STATE(0xc0000082u, "IA32_LSTAR", FEATURE_SYSCALL, lstar, 0, canonical),
    STATE(0xc0000083u, "IA32_CSTAR", FEATURE_SYSCALL, cstar, 0, canonical),
    STATE(0xc0000084u, "IA32_FMASK", FEATURE_SYSCALL, fmask, UPPER_HALF, no_reserved_bits),
    SPECIAL(MSR_FS_BASE, MSR_KERNEL_GS_BASE, "IA32_FS_BASE", FEATURE_LONG_MODE, msr_read_segment_base,
            msr_write_segment_base),
    STATE(0xc0000103u, "IA32_TSC_AUX", FEATURE_RDTSCP, tsc_aux, UPPER_HALF, no_reserved_bits),
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))
/* A stored MSR's place in cpu->misc_msr is that of its row. */
_Static_assert(ROW_COUNT <= CPU_MISC_MSRS, "every row has a place");

const struct msr_row *msr_row_at(size_t index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}

const struct msr_row *msr_find(const struct cpu_profile *profile, uint32_t index)
{
    size_t low = 0, high = ROW_COUNT;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index > rows[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ROW_COUNT || index < rows[low].first)
        return NULL;
    if (rows[low].feature != MSR_ALWAYS && !cpu_has_feature(profile, (enum cpu_feature)rows[low].feature))
        return NULL;
    return &rows[low];
}

static uint64_t *place(struct cpu *cpu, const struct msr_row *row)
{
    if (row->kind == MSR_STATE)
        return (uint64_t *)((char *)&cpu->state + row->offset);
    return &cpu->misc_msr[row - rows];
}

bool cpu_read_msr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    const struct msr_row *row = msr_find(cpu->profile, index);

    if (!row)
        return false;
    if (row->kind == MSR_SPECIAL)
        return row->read && row->read(cpu, index, value);
    *value = row->kind == MSR_CONSTANT ? row->argument : *place(cpu, row);
    return true;
}

bool cpu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    const struct msr_row *row = msr_find(cpu->profile, index);

    if (!row || row->kind == MSR_CONSTANT || (row->check && !row->check(cpu, row, value)))
        return false;
    if (row->kind == MSR_SPECIAL)
        return row->write && row->write(cpu, index, value);
    *place(cpu, row) = value;
    return true;
}

/* SDM volume 3A, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT"; volume 3A,
 * "Page Attribute Table", power-up value. MTRRs are disabled; their values are undefined there and 0 here. */
void msr_reset(struct cpu *cpu)
{
    struct cpu_msrs *msr = &cpu->state.msr;

    memset(cpu->misc_msr, 0, sizeof(cpu->misc_msr));
    memset(msr, 0, sizeof(*msr));
    msr->pat = 0x0007040600070406ull;
    msr->apic_base = 0xfee00000u | APIC_BASE_ENABLE | (cpu->processor == 0 ? APIC_BASE_BSP : 0);
    msr->misc_enable = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_THERMAL_CONTROL | MISC_ENABLE_BTS_UNAVAILABLE |
                       MISC_ENABLE_PEBS_UNAVAILABLE;
    if (cpu_has_feature(cpu->profile, FEATURE_EIST))
        msr->misc_enable |= MISC_ENABLE_EIST;
    if (cpu_has_feature(cpu->profile, FEATURE_MONITOR))
        msr->misc_enable |= MISC_ENABLE_MONITOR;
    if (cpu_has_feature(cpu->profile, FEATURE_PERFMON_2))
        msr->misc_enable |= MISC_ENABLE_PERFORMANCE_MONITORING;
    /* Same table: general-purpose counters start enabled here; each has its own switch too. */
    msr->perf_global_ctrl = (1ull << pmu_general_counters(cpu->profile)) - 1;
}
