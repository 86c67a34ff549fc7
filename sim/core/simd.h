/*
 * simd.h: MXCSR's exception flags, and the exceptions of SSE.
 *
 * The library keeps the flags of its arithmetic apart from MXCSR and raises nothing. They are brought
 * together wherever MXCSR is read or written; while an exception is unmasked, SSE arithmetic is run one
 * instruction at a time (step.h), and what it did is taken back when it raised one.
 */
#ifndef VTSIM_CORE_SIMD_H
#define VTSIM_CORE_SIMD_H

#include "sim/core/core_private.h"

/* The library's status of one kind of arithmetic. */
struct lib_float_status {
    int8_t tininess, rounding;
    uint8_t flags;
    int8_t precision;
    uint8_t flush_to_zero, flush_inputs_to_zero, nan[2];
};

enum {
    MXCSR_UNDERFLOW_MASKED = 1 << 11,
    LIB_DENORMAL = 2, /* ours: the library never sets it, nor clears it */
    LIB_UNDERFLOW = 16,
    LIB_INEXACT = 32,
    LIB_FLUSHED = 128,
    LIB_FLAGS = 0x3f, /* MXCSR's own bits: invalid, denormal, divide-by-zero, overflow, underflow, inexact */
};

/* That of SSE: lies before MXCSR. */
static inline struct lib_float_status *simd_status(const struct core *core)
{
    return (struct lib_float_status *)(void *)core->mxcsr - 1;
}

/* The core whose state this is; null: another user's of the library. */
static inline struct core *simd_core(const struct lib_state *env)
{
    return core_current && env == core_current->env ? core_current : NULL;
}

/* core_open's part: finds MXCSR and its neighbours, and gives MXCSR its value after reset. False: another
 * layout. */
bool simd_prove_layout(struct core *core);
/* Puts the flags into MXCSR, or takes MXCSR as it was written. Between blocks. */
void simd_collect(struct core *core);
void simd_accept(struct core *core);
/* Is an exception unmasked? */
bool simd_unmasked(const struct core *core);
/* May insn, decoded with detail, raise one? */
bool simd_arithmetic(const cs_insn *insn);
/* Before and after the one instruction. True: it raised an unmasked exception; its results are taken back,
 * MXCSR tells. */
void simd_begin(struct core *core);
bool simd_failed(struct core *core);

#endif
