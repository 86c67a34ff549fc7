/*
 * pmu.h: performance counters. Source: SDM volume 3B, "Architectural Performance Monitoring" (version 2).
 *
 * Instructions retired are counted as the core counts executed instructions, less those that faulted or
 * caused a VM exit, and less the iterations after which a repeated string instruction goes on. Core cycles
 * and reference cycles are simulated cycles in which the processor was not halted. An instruction counts by
 * what is in force when it retires, as on real processors: the WRMSR that enables a counter does, the one
 * that disables it and what reads it do not.
 */
#ifndef VTSIM_SIM_CPU_PMU_H
#define VTSIM_SIM_CPU_PMU_H

#include <stdbool.h>
#include <stdint.h>

#include "vtsim/profile.h"

#define PMU_GENERAL 8 /* general-purpose counters, the most of any profile */
#define PMU_FIXED 3
#define PMU_COUNTERS (PMU_GENERAL + PMU_FIXED) /* the fixed-function ones last */

struct cpu;

struct pmu_counter {
    uint64_t value;   /* up to where it was brought up to date */
    uint64_t from;    /* the quantity then */
    bool counting;    /* its event, with its privilege, is enabled */
    bool interrupts;  /* on overflow */
    uint8_t quantity; /* enum pmu_quantity */
};

struct pmu {
    struct pmu_counter counter[PMU_COUNTERS];
    uint64_t select[PMU_GENERAL]; /* IA32_PERFEVTSELi */
    uint64_t fixed_ctrl;          /* IA32_FIXED_CTR_CTRL */
    uint64_t status;              /* IA32_PERF_GLOBAL_STATUS */
    uint64_t not_retired;         /* of cpu->instructions: those that faulted or exited, iterations */
    uint64_t applied_ctrl;        /* IA32_PERF_GLOBAL_CTRL and CPL as they were looked at last */
    uint8_t applied_cpl;
    bool programmed;        /* some counter is enabled by its own control */
    bool watched;           /* some counter that counts interrupts on overflow */
    bool executing;         /* an instruction is under way: in cpu->instructions, and not over */
    const char *unmodelled; /* text: a counter is enabled for an event that cannot be counted */
};

/* CPUID.0AH of the profile: how many, 0 without version 2; and their width in bits. */
unsigned pmu_general_counters(const struct cpu_profile *profile);
unsigned pmu_fixed_counters(const struct cpu_profile *profile);
unsigned pmu_width(const struct cpu_profile *profile);

/* Brings the counters that count up to date; overflows are noted, and their interrupt is sent. */
void pmu_bring_up_to_date(struct cpu *cpu);
/* After a change of a control, of the event or of CPL, behind pmu_bring_up_to_date: which count from now on?
 */
void pmu_apply_controls(struct cpu *cpu);
/* At the end of each of the processor's functions (cpu.h): CPL or IA32_PERF_GLOBAL_CTRL may have changed. */
void pmu_follow(struct cpu *cpu);
/* The next cycle at which a counter that interrupts may overflow, or earlier; UINT64_MAX: never. */
uint64_t pmu_next_deadline(const struct cpu *cpu);

/* The MSRs of the counters; false: #GP. */
bool pmu_read_msr(struct cpu *cpu, uint32_t index, uint64_t *value);
bool pmu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value);
/* RDPMC of the counter that ECX names; false: there is none. */
bool pmu_read_counter(struct cpu *cpu, uint32_t ecx, uint64_t *value);

#endif
