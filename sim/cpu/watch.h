/*
 * watch.h: data and I/O breakpoints on what the model accesses itself: the stack of deliveries and transfers,
 * descriptor tables and TSS, string I/O, ports. Operands of system instructions note theirs in tlb/operand.c,
 * translated code's accesses are seen in sim/core/step_check.c.
 *
 * The SDM does not say which implicit accesses count; processors report those to stacks and tables too
 * (systems keep breakpoints away from them for that reason). Hits wait in the pending debug exceptions and
 * come as a trap before the next instruction: SDM volume 3B, "Data Memory and I/O Breakpoint Exception
 * Conditions".
 */
#ifndef VTSIM_SIM_CPU_WATCH_H
#define VTSIM_SIM_CPU_WATCH_H

#include "sim/cpu/cpu.h"
#include "vtsim/breakpoints.h"

/* size bytes at linear have been read, or written. */
static inline void watch_read(struct cpu *cpu, uint64_t linear, uint64_t size)
{
    breakpoints_note(&cpu->state, linear, size, BREAKPOINT_ON_ACCESS);
}
static inline void watch_write(struct cpu *cpu, uint64_t linear, uint64_t size)
{
    breakpoints_note(&cpu->state, linear, size, BREAKPOINT_ON_ACCESS | BREAKPOINT_ON_WRITE);
}
/* SDM volume 3B, "Debug Registers DR4 and DR5", "Debug Control Register (DR7)": with CR4.DE alone. */
static inline void watch_port(struct cpu *cpu, uint16_t port, unsigned size)
{
    if (cpu->state.cr4 & CR4_DE)
        breakpoints_note(&cpu->state, port, size, BREAKPOINT_ON_IO);
}

#endif
