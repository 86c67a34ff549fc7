/*
 * virtual_interrupts.h: RFLAGS.VIF and VIP, in virtual-8086 mode (CR4.VME) and in protected mode (CR4.PVI).
 *
 * Source: SDM volume 3, "Interrupt and Exception Handling in Virtual-8086 Mode" with its parts "Class
 * 2--Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual Interrupt Mechanism" and
 * "Class 3--Software Interrupt Handling in Virtual-8086 Mode", "Protected-Mode Virtual Interrupts"; volume 2,
 * CLI, STI, PUSHF, POPF.
 */
#ifndef VTSIM_SIM_CPU_VIRTUAL_INTERRUPTS_H
#define VTSIM_SIM_CPU_VIRTUAL_INTERRUPTS_H

#include "sim/cpu/cpu.h"

static inline unsigned io_privilege_level(const struct cpu_state *state)
{
    return (unsigned)((state->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT);
}

/* Virtual-8086 mode with IOPL below 3: CLI, STI, PUSHF, POPF, IRET and INT n are not simply executed. */
static inline bool v86_flags_protected(const struct cpu_state *state)
{
    return cpu_v86_mode(state) && io_privilege_level(state) != 3;
}

/* Do CLI and STI act on VIF here, in place of IF? */
static inline bool virtual_interrupt_flag_in_use(const struct cpu_state *state)
{
    if (io_privilege_level(state) == 3 || cpu_cpl(state) != 3)
        return false;
    return (state->cr4 & (cpu_v86_mode(state) ? CR4_VME : CR4_PVI)) != 0;
}

/* VIF and VIP at the beginning of an instruction: #GP(0), so that the monitor handles the pending interrupt.
 */
static inline bool virtual_interrupt_due(const struct cpu_state *state)
{
    return (state->rflags & (RFLAGS_VIF | RFLAGS_VIP)) == (RFLAGS_VIF | RFLAGS_VIP) &&
           virtual_interrupt_flag_in_use(state);
}

/* What PUSHF and a redirected INT n push with IOPL below 3: IOPL 3, and VIF as IF. */
static inline uint64_t virtual_flags_image(uint64_t rflags)
{
    const uint64_t image = (rflags & ~RFLAGS_IF) | RFLAGS_IOPL;
    return rflags & RFLAGS_VIF ? image | RFLAGS_IF : image;
}

/* 16-bit POPF and IRET with IOPL below 3 and CR4.VME: may they load these flags? #GP(0) if not. */
static inline bool virtual_flags_loadable(const struct cpu_state *state, uint64_t image)
{
    return !(image & RFLAGS_TF) && !(image & RFLAGS_IF && state->rflags & RFLAGS_VIP);
}

/* They load IF's bit into VIF, and neither IF nor IOPL. */
static inline void load_virtual_flags(struct cpu_state *state, uint64_t image)
{
    const uint64_t mask = RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
    state->rflags = (state->rflags & ~(mask | RFLAGS_VIF | RFLAGS_RF)) | (image & mask) |
                    (image & RFLAGS_IF ? RFLAGS_VIF : 0);
}

#endif
