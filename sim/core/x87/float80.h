/*
 * float80.h: arithmetic of the x87 unit in whole numbers: bit for bit, with all six exceptions, the direction
 * of rounding and the answers to unmasked exceptions. Pure C; no floating point of the host.
 *
 * Source: SDM volume 1, "x87 FPU Floating-Point Exception Handling" and its neighbours, "Unsupported Double
 * Extended-Precision Floating-Point Encodings", "Operating on SNaNs and QNaNs".
 */
#ifndef VTSIM_CORE_X87_FLOAT80_H
#define VTSIM_CORE_X87_FLOAT80_H

#include <stdbool.h>
#include <stdint.h>

/* As in a register; the library's own layout. */
struct float80 {
    uint64_t significand; /* bit 63: the integer bit */
    uint16_t sign_exponent;
};

/* Exceptions: bits of the status word, masks of the control word. */
enum {
    X87_IE = 1,
    X87_DE = 2,
    X87_ZE = 4,
    X87_OE = 8,
    X87_UE = 16,
    X87_PE = 32,
    X87_EXCEPTIONS = 0x3f,
};

/* One operation's surroundings, from the control word, and what it raised. */
struct float80_context {
    uint8_t rounding;  /* enum float80_rounding */
    uint8_t precision; /* bits of a significand: 24, 53, 64 */
    uint8_t masked;    /* exceptions */
    uint8_t raised;    /* exceptions, or-ed */
    bool up;           /* the last rounding increased the magnitude: C1 */
    bool discard;      /* raised an unmasked exception that leaves the destination as it was */
};

enum float80_rounding { FLOAT80_NEAREST, FLOAT80_DOWN, FLOAT80_UP, FLOAT80_CUT };

enum float80_class {
    CLASS_ZERO,
    CLASS_DENORMAL, /* pseudo-denormals too */
    CLASS_NORMAL,
    CLASS_INFINITY,
    CLASS_QUIET_NAN,
    CLASS_SIGNALING_NAN,
    CLASS_UNSUPPORTED,
};

extern const struct float80 float80_indefinite;

enum float80_class float80_class(struct float80 a);
static inline bool float80_sign(struct float80 a)
{
    return a.sign_exponent >> 15;
}

/* denormal: an operand was denormal before it was brought into this format. */
struct float80 float80_add(struct float80_context *c, struct float80 a, struct float80 b, bool subtract,
                           bool denormal);
struct float80 float80_multiply(struct float80_context *c, struct float80 a, struct float80 b, bool denormal);
struct float80 float80_divide(struct float80_context *c, struct float80 a, struct float80 b, bool denormal);
struct float80 float80_square_root(struct float80_context *c, struct float80 a);
/* a * 2^(b cut to a whole number). */
struct float80 float80_scale(struct float80_context *c, struct float80 a, struct float80 b);
struct float80 float80_round(struct float80_context *c, struct float80 a);
/* The exponent; *significand: with the exponent of 1.0. */
struct float80 float80_extract(struct float80_context *c, struct float80 a, struct float80 *significand);
/* Of a / b; nearest: FPREM1's. *partial: the exponents are too far apart for one step; *quotient: its low
 * bits. */
struct float80 float80_remainder(struct float80_context *c, struct float80 a, struct float80 b, bool nearest,
                                 bool *partial, unsigned *quotient);

enum float80_order { ORDER_BELOW, ORDER_EQUAL, ORDER_ABOVE, ORDER_NONE };
/* quiet: a quiet NaN is no invalid operation. */
enum float80_order float80_compare(struct float80_context *c, struct float80 a, struct float80 b, bool quiet,
                                   bool denormal);

/* From 32 and 64 bits, exactly: a signaling NaN stays one. */
struct float80 float80_from(uint64_t value, unsigned bits);
struct float80 float80_from_integer(int64_t value);
/* FLD's way: a signaling NaN is invalid, a denormal number raises #D. */
struct float80 float80_load(struct float80_context *c, uint64_t value, unsigned bits);
/* To 32 or 64 bits. */
uint64_t float80_store(struct float80_context *c, struct float80 a, unsigned bits);
/* To an integer of 16, 32, 64 bits, or of 60 for 18 decimal digits; what does not fit is invalid: the least
 * one. */
int64_t float80_to_integer(struct float80_context *c, struct float80 a, unsigned bits, bool cut);
/* For instructions with one operand whose result is computed elsewhere. True: *result is the answer already.
 */
bool float80_special(struct float80_context *c, struct float80 a, struct float80 *result);
/* The same of two. */
bool float80_special_pair(struct float80_context *c, struct float80 a, struct float80 b,
                          struct float80 *result);
void float80_note_denormal(struct float80_context *c, bool denormal);
struct float80 float80_invalid(struct float80_context *c);
struct float80 float80_zero_divide(struct float80_context *c, bool sign);

#endif
