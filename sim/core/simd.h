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
