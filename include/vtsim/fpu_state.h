/*
 * fpu_state.h: x87 state and SSE state, and the way to them.
 *
 * They live in the core while translated code runs: they are copied out only for the few instructions that the model
 * executes on them (the XSAVE feature set). Source: SDM volume 1, "x87 State", "SSE State".
 */
#ifndef VTSIM_FPU_STATE_H
#define VTSIM_FPU_STATE_H

#include <stdint.h>

#define FPU_MXCSR_INITIAL 0x1f80u
#define FPU_MXCSR_MASK 0xffffu /* bits that may be 1 */
#define FPU_CONTROL_INITIAL 0x37fu

struct fpu_state {
    uint16_t control;
    uint16_t status; /* TOP included */
    uint16_t opcode;
    uint8_t valid; /* the abridged tag word: bit i is 1 if R(i) is not empty */
    uint64_t instruction_pointer, data_pointer;
    uint16_t instruction_selector, data_selector;
    uint8_t st[8][10]; /* ST(0) first */
    uint32_t mxcsr;
    uint8_t xmm[16][16];
};

/* Where a processor's x87 and SSE state is kept. */
struct fpu_access {
    void (*read)(void *opaque, struct fpu_state *to);
    void (*write)(void *opaque, const struct fpu_state *from);
    void *opaque;
};

#endif
