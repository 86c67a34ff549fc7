/* float80.c: see float80.h. Special operands, rounding, addition, multiplication, division, square root. */
#include "sim/core/x87/float80_parts.h"

const struct float80 float80_indefinite = {0xc000000000000000ull, 0xffff};

enum { WRAP = 24576 }; /* SDM volume 1, "Numeric Overflow Exception (#O)": exponents are adjusted by it */

enum float80_class float80_class(struct float80 a)
{
    const unsigned exponent = a.sign_exponent & EXPONENT_MAX;
    if (exponent == 0)
        return a.significand ? CLASS_DENORMAL : CLASS_ZERO;
    if (!(a.significand >> 63))
        return CLASS_UNSUPPORTED;
    if (exponent < EXPONENT_MAX)
        return CLASS_NORMAL;
    if (!(a.significand << 1))
        return CLASS_INFINITY;
    return a.significand & QUIET_BIT ? CLASS_QUIET_NAN : CLASS_SIGNALING_NAN;
}

struct float80 float80_pack(bool sign, unsigned exponent, uint64_t significand)
{
    return (struct float80){significand, (uint16_t)(exponent | (unsigned)sign << 15)};
}

struct float80_number float80_unpack(struct float80 a)
{
    struct float80_number n = {
        .sign = float80_sign(a), .exponent = a.sign_exponent & EXPONENT_MAX, .significand = a.significand};
    if (!n.significand)
        return n;
    if (n.exponent == 0)
        n.exponent = 1;
    const int shift = __builtin_clzll(n.significand);
    n.significand <<= shift;
    n.exponent -= shift;
    return n;
}

void float80_raise(struct float80_context *c, unsigned exceptions)
{
    c->raised |= (uint8_t)exceptions;
    if (exceptions & ~c->masked & (X87_IE | X87_DE | X87_ZE))
        c->discard = true;
}

struct float80 float80_invalid(struct float80_context *c)
{
    float80_raise(c, X87_IE);
    return float80_indefinite;
}

struct float80 float80_zero_divide(struct float80_context *c, bool sign)
{
    float80_raise(c, X87_ZE);
    return float80_pack(sign, EXPONENT_MAX, INTEGER_BIT);
}

void float80_note_denormal(struct float80_context *c, bool denormal)
{
    if (denormal)
        float80_raise(c, X87_DE);
}

static bool is_nan(enum float80_class k)
{
    return k == CLASS_QUIET_NAN || k == CLASS_SIGNALING_NAN;
}

static struct float80 quieted(struct float80 a)
{
    a.significand |= QUIET_BIT;
    return a;
}

/* SDM volume 1, table "Rules for Handling NaNs". */
static struct float80 chosen_nan(struct float80 a, struct float80 b)
{
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    if (!is_nan(kb))
        return quieted(a);
    if (!is_nan(ka))
        return quieted(b);
    if (ka != kb)
        return ka == CLASS_QUIET_NAN ? a : b;
    if (a.significand != b.significand)
        return quieted(a.significand > b.significand ? a : b);
    return quieted(float80_sign(a) ? b : a);
}

bool float80_special_pair(struct float80_context *c, struct float80 a, struct float80 b,
                          struct float80 *result)
{
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    if (ka < CLASS_QUIET_NAN && kb < CLASS_QUIET_NAN)
        return false;
    if (ka == CLASS_UNSUPPORTED || kb == CLASS_UNSUPPORTED) {
        *result = float80_invalid(c);
        return true;
    }
    if (ka == CLASS_SIGNALING_NAN || kb == CLASS_SIGNALING_NAN)
        float80_raise(c, X87_IE);
    *result = chosen_nan(a, b);
    return true;
}

bool float80_special(struct float80_context *c, struct float80 a, struct float80 *result)
{
    return float80_special_pair(c, a, a, result);
}

/* Of the bits below the last one that is kept: does rounding add to the magnitude? */
static bool rounds_up(const struct float80_context *c, bool sign, bool odd, bool half, bool below_half)
{
    switch ((enum float80_rounding)c->rounding) {
    case FLOAT80_NEAREST:
        return half && (below_half || odd);
    case FLOAT80_DOWN:
        return sign && (half || below_half);
    case FLOAT80_UP:
        return !sign && (half || below_half);
    case FLOAT80_CUT:
        break;
    }
    return false;
}

struct cut {
    uint64_t significand;
    bool inexact, up, carry;
};

/* Keeps the upper bits of significand:rest. */
static struct cut cut_to(const struct float80_context *c, bool sign, uint64_t significand, uint64_t rest,
                         unsigned bits)
{
    struct cut r = {.significand = significand};
    bool half, below;
    uint64_t unit = 1;
    if (bits == 64) {
        half = rest >> 63;
        below = rest << 1 != 0;
    } else {
        unit = 1ull << (64 - bits);
        half = (significand & (unit >> 1)) != 0;
        below = (significand & ((unit >> 1) - 1)) != 0 || rest != 0;
        r.significand &= ~(unit - 1);
    }
    r.inexact = half || below;
    r.up = rounds_up(c, sign, (r.significand & unit) != 0, half, below);
    if (r.up)
        r.carry = __builtin_add_overflow(r.significand, unit, &r.significand);
    return r;
}

static void shift_right_sticky(uint64_t *significand, uint64_t *rest, int64_t by)
{
    if (by >= 128) {
        *rest = (*significand | *rest) != 0;
        *significand = 0;
        return;
    }
    unsigned __int128 whole = (unsigned __int128)*significand << 64 | *rest;
    const bool lost = by && (whole & (((unsigned __int128)1 << by) - 1)) != 0;
    whole >>= by;
    *significand = (uint64_t)(whole >> 64);
    *rest = (uint64_t)whole | lost;
}

static struct float80_number overflow(struct float80_context *c, struct float80_number n,
                                      const struct float80_format *f, bool inexact)
{
    float80_raise(c, X87_OE);
    if (!(c->masked & X87_OE)) {
        n.exponent -= f->wraps ? WRAP : 0;
        c->discard |= !f->wraps;
        c->up = c->up && f->wraps;
        if (inexact && f->wraps)
            float80_raise(c, X87_PE);
        return n;
    }
    float80_raise(c, X87_PE);
    c->up = c->rounding == FLOAT80_NEAREST || c->rounding == (n.sign ? FLOAT80_DOWN : FLOAT80_UP);
    n.exponent = c->up ? FLOAT80_INFINITE : f->greatest;
    n.significand = c->up ? INTEGER_BIT : ~0ull << (64 - f->bits);
    return n;
}

/* Tiny: SDM volume 1, "Numeric Underflow Exception (#U)": after rounding to the destination's precision as if
 * the range of exponents had no end. */
static struct float80_number underflow(struct float80_context *c, struct float80_number n, uint64_t rest,
                                       const struct float80_format *f)
{
    if (!(c->masked & X87_UE)) {
        const struct cut r = cut_to(c, n.sign, n.significand, rest, f->bits);
        float80_raise(c, X87_UE);
        if (!f->wraps) {
            c->discard = true;
            return n;
        }
        if (r.inexact)
            float80_raise(c, X87_PE);
        c->up = r.up;
        n.significand = r.carry ? INTEGER_BIT : r.significand;
        n.exponent += WRAP + r.carry;
        return n;
    }
    shift_right_sticky(&n.significand, &rest, f->least - n.exponent);
    const struct cut r = cut_to(c, n.sign, n.significand, rest, f->bits);
    if (r.inexact)
        float80_raise(c, X87_UE | X87_PE);
    c->up = r.up;
    n.significand = r.significand;
    n.exponent = r.significand >> 63 ? f->least : FLOAT80_TINY;
    return n;
}

struct float80_number float80_fit(struct float80_context *c, struct float80_number n, uint64_t rest,
                                  const struct float80_format *f)
{
    const struct cut r = cut_to(c, n.sign, n.significand, rest, f->bits);
    if (n.exponent + r.carry < f->least)
        return underflow(c, n, rest, f);
    n.significand = r.carry ? INTEGER_BIT : r.significand;
    n.exponent += r.carry;
    c->up = r.up;
    if (n.exponent > f->greatest)
        return overflow(c, n, f, r.inexact);
    if (r.inexact)
        float80_raise(c, X87_PE);
    return n;
}

/* FSCALE goes further than an adjusted exponent can tell: SDM volume 1, "Numeric Overflow Exception (#O)" and
 * "Numeric Underflow Exception (#U)", massive overflow and underflow. */
static struct float80 massive(struct float80_context *c, struct float80_number n)
{
    const bool above = n.exponent > 0;
    float80_raise(c, X87_PE);
    c->up = above;
    return float80_pack(n.sign, above ? EXPONENT_MAX : 0, above ? INTEGER_BIT : 0);
}

struct float80 float80_finish(struct float80_context *c, struct float80_number n, uint64_t rest)
{
    const struct float80_format f = {
        .bits = c->precision, .least = 1, .greatest = EXPONENT_MAX - 1, .wraps = true};
    if (c->discard) /* an unmasked exception of the operands: no result is computed */
        return float80_indefinite;
    n = float80_fit(c, n, rest, &f);
    if (n.exponent == FLOAT80_INFINITE)
        return float80_pack(n.sign, EXPONENT_MAX, INTEGER_BIT);
    if (n.exponent == FLOAT80_TINY)
        return float80_pack(n.sign, 0, n.significand);
    if (n.exponent > EXPONENT_MAX - 1 || n.exponent < 1)
        return massive(c, n);
    return float80_pack(n.sign, (unsigned)n.exponent, n.significand);
}

/* |a| >= |b|: the larger one and the other at its place. */
static struct float80 add_magnitudes(struct float80_context *c, struct float80_number a,
                                     struct float80_number b, bool subtract)
{
    uint64_t rest = 0;
    shift_right_sticky(&b.significand, &rest, a.exponent - b.exponent);
    unsigned __int128 x = (unsigned __int128)a.significand << 64;
    const unsigned __int128 y = (unsigned __int128)b.significand << 64 | rest;
    if (!subtract) {
        const bool carry = __builtin_add_overflow(x, y, &x);
        if (carry) {
            x = x >> 1 | (x & 1) | (unsigned __int128)1 << 127;
            a.exponent++;
        }
    } else {
        x -= y;
        if (!x)
            return float80_pack(c->rounding == FLOAT80_DOWN, 0, 0);
        while (!(x >> 127)) {
            const uint64_t high = (uint64_t)(x >> 64);
            const int shift = high ? __builtin_clzll(high) : 64;
            x <<= shift;
            a.exponent -= shift;
        }
    }
    a.significand = (uint64_t)(x >> 64);
    return float80_finish(c, a, (uint64_t)x);
}

static bool denormal_pair(struct float80 a, struct float80 b)
{
    return float80_class(a) == CLASS_DENORMAL || float80_class(b) == CLASS_DENORMAL;
}

static struct float80 add_infinities(struct float80_context *c, struct float80 a, struct float80 b,
                                     bool denormal)
{
    if (float80_class(a) == CLASS_INFINITY && float80_class(b) == CLASS_INFINITY &&
        float80_sign(a) != float80_sign(b))
        return float80_invalid(c);
    float80_note_denormal(c, denormal);
    return float80_class(a) == CLASS_INFINITY ? a : b;
}

struct float80 float80_add(struct float80_context *c, struct float80 a, struct float80 b, bool subtract,
                           bool denormal)
{
    struct float80 result;
    if (float80_special_pair(c, a, b, &result))
        return result;
    if (subtract)
        b.sign_exponent ^= SIGN_BIT;
    denormal |= denormal_pair(a, b);
    if (float80_class(a) == CLASS_INFINITY || float80_class(b) == CLASS_INFINITY)
        return add_infinities(c, a, b, denormal);
    float80_note_denormal(c, denormal);
    struct float80_number x = float80_unpack(a), y = float80_unpack(b);
    if (!x.significand && !y.significand)
        return float80_pack(x.sign == y.sign ? x.sign : c->rounding == FLOAT80_DOWN, 0, 0);
    if (!x.significand || !y.significand)
        return float80_finish(c, x.significand ? x : y, 0);
    if (x.exponent < y.exponent || (x.exponent == y.exponent && x.significand < y.significand)) {
        const struct float80_number t = x;
        x = y;
        y = t;
    }
    return add_magnitudes(c, x, y, x.sign != y.sign);
}

struct float80 float80_multiply(struct float80_context *c, struct float80 a, struct float80 b, bool denormal)
{
    struct float80 result;
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    const bool sign = float80_sign(a) != float80_sign(b);
    if (float80_special_pair(c, a, b, &result))
        return result;
    if ((ka == CLASS_INFINITY && kb == CLASS_ZERO) || (ka == CLASS_ZERO && kb == CLASS_INFINITY))
        return float80_invalid(c);
    float80_note_denormal(c, denormal || denormal_pair(a, b));
    if (ka == CLASS_INFINITY || kb == CLASS_INFINITY)
        return float80_pack(sign, EXPONENT_MAX, INTEGER_BIT);
    if (ka == CLASS_ZERO || kb == CLASS_ZERO)
        return float80_pack(sign, 0, 0);
    const struct float80_number x = float80_unpack(a), y = float80_unpack(b);
    unsigned __int128 product = (unsigned __int128)x.significand * y.significand;
    struct float80_number n = {.sign = sign, .exponent = x.exponent + y.exponent - BIAS + 1};
    if (!(product >> 127)) {
        product <<= 1;
        n.exponent--;
    }
    n.significand = (uint64_t)(product >> 64);
    return float80_finish(c, n, (uint64_t)product);
}

static struct float80 divide_numbers(struct float80_context *c, struct float80_number x,
                                     struct float80_number y)
{
    struct float80_number n = {.sign = x.sign != y.sign, .exponent = x.exponent - y.exponent + BIAS};
    unsigned __int128 dividend = (unsigned __int128)x.significand << 63;
    if (x.significand < y.significand) {
        dividend <<= 1;
        n.exponent--;
    }
    n.significand = (uint64_t)(dividend / y.significand);
    const unsigned __int128 left = (unsigned __int128)(uint64_t)(dividend % y.significand) << 64;
    const uint64_t rest = (uint64_t)(left / y.significand) | (left % y.significand != 0);
    return float80_finish(c, n, rest);
}

struct float80 float80_divide(struct float80_context *c, struct float80 a, struct float80 b, bool denormal)
{
    struct float80 result;
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    const bool sign = float80_sign(a) != float80_sign(b);
    if (float80_special_pair(c, a, b, &result))
        return result;
    if ((ka == CLASS_INFINITY && kb == CLASS_INFINITY) || (ka == CLASS_ZERO && kb == CLASS_ZERO))
        return float80_invalid(c);
    const struct float80_number divisor = float80_unpack(b);
    if (!divisor.significand && ka != CLASS_INFINITY)
        return float80_zero_divide(c, sign);
    float80_note_denormal(c, denormal || denormal_pair(a, b));
    if (ka == CLASS_INFINITY)
        return float80_pack(sign, EXPONENT_MAX, INTEGER_BIT);
    if (ka == CLASS_ZERO || kb == CLASS_INFINITY)
        return float80_pack(sign, 0, 0);
    return divide_numbers(c, float80_unpack(a), divisor);
}

struct float80 float80_square_root(struct float80_context *c, struct float80 a)
{
    struct float80 result;
    const enum float80_class k = float80_class(a);
    if (float80_special(c, a, &result))
        return result;
    if (k == CLASS_ZERO)
        return a;
    if (float80_sign(a))
        return float80_invalid(c);
    if (k == CLASS_INFINITY)
        return a;
    float80_note_denormal(c, k == CLASS_DENORMAL);
    struct float80_number n = float80_unpack(a);
    const int64_t power = n.exponent - BIAS;
    /* the root of significand * 2^64 or 2^63 has 64 bits */
    unsigned __int128 left = (unsigned __int128)n.significand << (power & 1 ? 64 : 63);
    uint64_t root = 0;
    unsigned __int128 square = 0; /* of root */
    for (int bit = 63; bit >= 0; bit--) {
        const uint64_t step = 1ull << bit;
        const unsigned __int128 next =
            square + ((unsigned __int128)root << (bit + 1)) + ((unsigned __int128)step << bit);
        /* (root + step)^2 may not be more than what it is the root of */
        if (next <= left && next >= square) {
            square = next;
            root |= step;
        }
    }
    left -= square;
    n.significand = root;
    n.exponent = (power - (power & 1)) / 2 + BIAS;
    /* never half-way: the square of a number with 65 bits is no whole number here */
    return float80_finish(c, n, !left ? 0 : left > root ? 3ull << 62 : 1);
}

uint64_t float80_shift_rounded(struct float80_context *c, bool sign, uint64_t significand, int64_t places,
                               bool *inexact)
{
    uint64_t rest = 0;
    shift_right_sticky(&significand, &rest, places);
    const struct cut r = cut_to(c, sign, significand, rest, 64);
    *inexact = r.inexact;
    c->up = r.up;
    return r.significand;
}
