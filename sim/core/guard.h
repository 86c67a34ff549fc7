/*
 * guard.h: translated code looks at some of its own addresses.
 *
 * An address that must not be used as it is, or that only a closer look can decide about, is replaced by one
 * that no mode can translate. The library's cache misses it, the fill recognises it, and the instruction is
 * checked and run by itself (step.h). That costs a few operations in the intermediate code and, as long as
 * nothing is found, no branch and no call.
 *
 * Looked at: in real-address and virtual-8086 mode every offset, against the segment's limit; in every mode
 * the alignment of 16-byte operands that must be aligned, and accesses in several pieces that cross a page
 * (they change all or nothing); where indirect calls lead to.
 */
#ifndef VTSIM_CORE_GUARD_H
#define VTSIM_CORE_GUARD_H

#include "sim/core/core_private.h"

/* Of one instruction; a set. Each concerns its first access. */
enum {
    GUARD_ALIGNED = 1,     /* 16 bytes, which must be aligned */
    GUARD_WHOLE = 2,       /* 16 bytes that need not be */
    GUARD_HALF = 4,        /* 8 bytes, of which the library reads 16 */
    GUARD_EIGHT = 8,       /* eight times the first access: PUSHA */
    GUARD_STATUS_OUT = 32, /* reads MXCSR: its flags are collected first */
    GUARD_STATUS_IN = 64,  /* writes MXCSR, with more */
    GUARD_REPEATS = 128,   /* a repeated string instruction: its iterations are counted */
    GUARD_LINE = 256,      /* locked: it may not cross a cache line; any access */
    GUARD_CALL = 16,       /* the store pushes a return address: where the call leads must be canonical */
};

/* Not canonical in any paging mode, with linear-address masking or without: bit 63 differs from bits 56
 * and 47. */
#define GUARD_ADDRESS 0x5b5a800000000000ull
#define GUARD_ADDRESS_MASK 0xffff800000000000ull

/* What insn, decoded with detail, needs. */
uint8_t guard_of(const cs_insn *insn);
/* What the mode asks for besides; a set. */
enum {
    GUARD_LIMITS = 1, /* real-address or virtual-8086 mode: offsets against the limits */
    GUARD_FS_GS = 2,  /* protected mode, and FS or GS is not flat */
    GUARD_SIMD = 4,   /* an exception of SSE is unmasked */
    GUARD_LOCKS = 8,  /* locked accesses across cache lines: GUARD_LINE */
};

/* May insn, decoded with detail, not be left to translated code even with guards? offset: of its first byte
 * in the code segment; asked: GUARD_LIMITS and its like. */
bool guard_cannot(const cs_insn *insn, uint64_t offset, unsigned asked);
/* May it change what the mode asks for, so that its block ends with it? */
bool guard_changes(const cs_insn *insn);
/* Does it lock its access to memory? */
bool guard_locks(const cs_insn *insn);
/* A near branch, conditional ones included. */
bool guard_branches(const cs_insn *insn);

#endif
