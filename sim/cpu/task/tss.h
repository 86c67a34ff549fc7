/*
 * tss.h: what a task switch saves in and loads from a TSS, 16-bit or 32-bit. Inside of this folder.
 *
 * Source: SDM volume 3A "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)".
 */
#ifndef VTSIM_SIM_CPU_TASK_TSS_H
#define VTSIM_SIM_CPU_TASK_TSS_H

#include "sim/cpu/descriptors.h"

#define TSS_GPRS 8
#define TSS_SEGMENTS 6 /* ES, CS, SS, DS, FS, GS: the order of enum cpu_segment_index */

/* A task as its TSS holds it. What a 16-bit TSS has no place for is 0. */
struct task_image {
    uint32_t eip, eflags, cr3;
    uint32_t gpr[TSS_GPRS];
    uint16_t segment[TSS_SEGMENTS], ldt;
    bool debug_trap; /* the T flag */
};

static inline bool tss_is_32_bit(const struct cpu_segment *tss)
{
    return (tss->access_rights & 8u) != 0; /* types 9 and 11 */
}

/* The smallest limit that the new task's TSS may have. */
uint32_t tss_least_limit(bool is_32_bit);

/* Reads all that a switch loads. False: *outcome is the #PF. */
bool tss_load(struct cpu *cpu, const struct cpu_segment *tss, struct task_image *image,
              struct cpu_outcome *outcome);

/* Could the current task be saved in TR's TSS? False: *outcome is #TS (beyond its limit; ext goes into the
 * code) or #PF. */
bool tss_may_save(struct cpu *cpu, uint32_t ext, struct cpu_outcome *outcome);
/* Saves the current task in TR's TSS, with this EIP and EFLAGS; the link, stacks, CR3, LDT and reserved
 * fields stay. False: *outcome is the #PF. */
bool tss_save(struct cpu *cpu, uint64_t rip, uint64_t rflags, struct cpu_outcome *outcome);

#endif
