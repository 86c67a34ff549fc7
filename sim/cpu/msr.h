/*
 * msr.h: the table of model-specific registers.
 *
 * cpu_read_msr and cpu_write_msr (cpu.h) search it. An index with no row, a row that the profile lacks, or a
 * value that the row's check refuses gives #GP. Source: SDM volume 4, "IA-32 Architectural MSRs".
 */
#ifndef VTSIM_SIM_CPU_MSR_H
#define VTSIM_SIM_CPU_MSR_H

#include "sim/cpu/cpu.h"

enum {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_TSC_ADJUST = 0x3b,
    MSR_PMC0 = 0xc1,
    MSR_MTRRCAP = 0xfe,
    MSR_SYSENTER_CS = 0x174,
    MSR_PERFEVTSEL0 = 0x186,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_MTRR_PHYSBASE0 = 0x200,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_FIXED_CTR0 = 0x309,
    MSR_FIXED_CTR_CTRL = 0x38d,
    MSR_PERF_GLOBAL_STATUS = 0x38e,
    MSR_PERF_GLOBAL_CTRL = 0x38f,
    MSR_PERF_GLOBAL_OVF_CTRL = 0x390,
    MSR_VMX_FIRST = 0x480,
    MSR_VMX_LAST = 0x493,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC_FIRST = 0x800,
    MSR_U_CET = 0x6a0,
    MSR_S_CET = 0x6a2,
    MSR_PL0_SSP = 0x6a4,
    MSR_INTERRUPT_SSP_TABLE = 0x6a8,
    MSR_PKRS = 0x6e1,
    MSR_BNDCFGS = 0xd90,
    MSR_X2APIC_LAST = 0x8ff,
    MSR_XSS = 0xda0,
};
#define MSR_EFER 0xc0000080u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_BSP (1ull << 8)
#define FEATURE_CONTROL_LOCK (1ull << 0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX (1ull << 2)
#define MISC_ENABLE_FAST_STRINGS (1ull << 0)
#define MISC_ENABLE_THERMAL_CONTROL (1ull << 3)
#define MISC_ENABLE_PERFORMANCE_MONITORING (1ull << 7)
#define MISC_ENABLE_BTS_UNAVAILABLE (1ull << 11)
#define MISC_ENABLE_PEBS_UNAVAILABLE (1ull << 12)
#define MISC_ENABLE_EIST (1ull << 16)
#define MISC_ENABLE_MONITOR (1ull << 18)
#define MISC_ENABLE_LIMIT_CPUID (1ull << 22)
#define MISC_ENABLE_XTPR_DISABLE (1ull << 23)
#define MISC_ENABLE_XD_DISABLE (1ull << 34)
#define DEBUGCTL_LBR (1ull << 0)
#define DEBUGCTL_BTF (1ull << 1)

struct msr_row;

/* Is the value fit to be written? */
typedef bool msr_check(const struct cpu *cpu, const struct msr_row *row, uint64_t value);
typedef bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *value);
typedef bool msr_write(struct cpu *cpu, uint32_t index, uint64_t value);

enum msr_kind {
    MSR_STATE,    /* a member of struct cpu_state at offset */
    MSR_STORED,   /* plain storage, read by nobody else */
    MSR_CONSTANT, /* reads as argument; writes raise #GP */
    MSR_SPECIAL,  /* the functions */
};

struct msr_row {
    uint32_t first, last; /* a range of indexes */
    const char *name;     /* the SDM's; of a range, of its first */
    uint8_t kind;         /* enum msr_kind */
    int16_t feature;      /* enum cpu_feature that it comes with, or MSR_ALWAYS */
    uint16_t offset;      /* MSR_STATE */
    uint64_t argument;    /* MSR_CONSTANT: the value; else reserved bits, for the checks that look at them */
    msr_check *check;     /* may be null */
    msr_read *read;       /* MSR_SPECIAL; null: reads raise #GP */
    msr_write *write;     /* MSR_SPECIAL; null: writes raise #GP */
};
#define MSR_ALWAYS (-1)

/* The index'th row, null past the end; for vtsim list msrs. */
const struct msr_row *msr_row_at(size_t index);
/* The row of an MSR that the processor has, or null. */
const struct msr_row *msr_find(const struct cpu_profile *profile, uint32_t index);
/* Puts stored MSRs and those of the state to their power-on values. */
void msr_reset(struct cpu *cpu);

/* msr_special.c: rows that need more than storage. */
bool msr_read_tsc(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_tsc(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_tsc_adjust(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_tsc_adjust(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_sysenter_cs(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_sysenter_cs(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_efer(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_efer(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_feature_control(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_feature_control(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_misc_enable(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_misc_enable(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_segment_base(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_segment_base(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_apic(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_apic(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_debugctl(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_debugctl(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_spec_ctrl(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_spec_ctrl(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_write_command(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_write_update_trigger(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_cet(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_cet(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_xss(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_xss(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_pkrs(struct cpu *cpu, uint32_t index, uint64_t *value);
bool msr_write_pkrs(struct cpu *cpu, uint32_t index, uint64_t value);
bool msr_read_vmx_capability(struct cpu *cpu, uint32_t index, uint64_t *value);

#endif
