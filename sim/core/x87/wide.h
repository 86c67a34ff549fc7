/*
 * wide.h: numbers with a significand of 128 bits, for what has to be rounded to 64 in the end. Results are
 * cut, not rounded: they are right to about the last place of the 128.
 */
#ifndef VTSIM_CORE_X87_WIDE_H
#define VTSIM_CORE_X87_WIDE_H

#include "sim/core/x87/float80_parts.h"

typedef unsigned __int128 wide_significand;

/* significand * 2^(exponent - 127); 0 has no significand. */
struct wide {
    bool sign;
    int64_t exponent;
    wide_significand significand; /* bit 127 set */
};

static inline wide_significand wide_halves(uint64_t high, uint64_t low)
{
    return (wide_significand)high << 64 | low;
}
/* Of a number that is neither infinite nor a NaN. */
struct wide wide_from(struct float80 a);
struct wide wide_from_integer(wide_significand value, int64_t exponent); /* value * 2^exponent */
struct wide wide_add(struct wide a, struct wide b);
struct wide wide_multiply(struct wide a, struct wide b);
struct wide wide_divide(struct wide a, struct wide b);
struct wide wide_over(struct wide a, uint64_t divisor); /* at most 2^63 */
struct wide wide_negated(struct wide a);
static inline struct wide wide_one(void)
{
    return (struct wide){false, 0, (wide_significand)1 << 127};
}
/* To a register: all 64 bits, whatever the precision control; inexact: beyond what is known of it, too. */
struct float80 wide_round(struct float80_context *c, struct wide a, bool inexact);

extern const struct wide wide_pi, wide_ln_2, wide_log2_e;

#endif
