/* float80_parts.h: what the files of float80.h share. */
#ifndef VTSIM_CORE_X87_FLOAT80_PARTS_H
#define VTSIM_CORE_X87_FLOAT80_PARTS_H

#include "sim/core/x87/float80.h"

#define INTEGER_BIT (1ull << 63)
#define QUIET_BIT (1ull << 62)

enum { EXPONENT_MAX = 0x7fff, BIAS = 16383, SIGN_BIT = 0x8000 };

/* A number other than zero: 1.xxx * 2^(exponent - BIAS); zero has no significand. */
struct float80_number {
    bool sign;
    int64_t exponent;
    uint64_t significand; /* bit 63 set */
};
/* Exponents that stand for what is none. */
#define FLOAT80_INFINITE INT64_MAX
#define FLOAT80_TINY INT64_MIN /* significand: as it is at the least exponent */

struct float80_format {
    unsigned bits;           /* of the significand */
    int64_t least, greatest; /* exponents of normal numbers, biased as in 80 bits */
    bool wraps; /* unmasked overflow and underflow give a result with an adjusted exponent; else none */
};

struct float80 float80_pack(bool sign, unsigned exponent, uint64_t significand);
struct float80_number float80_unpack(struct float80 a);
void float80_raise(struct float80_context *c, unsigned exceptions);
/* Rounds significand:rest to the format. */
struct float80_number float80_fit(struct float80_context *c, struct float80_number n, uint64_t rest,
                                  const struct float80_format *f);
/* Rounds to a register, with the precision that the context asks for. */
struct float80 float80_finish(struct float80_context *c, struct float80_number n, uint64_t rest);
/* significand / 2^places as a whole number. */
uint64_t float80_shift_rounded(struct float80_context *c, bool sign, uint64_t significand, int64_t places,
                               bool *inexact);

#endif
