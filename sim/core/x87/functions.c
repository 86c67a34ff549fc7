/* functions.c: see functions.h. Power and logarithm, arctangent. */
#include "sim/core/x87/functions.h"
#include "sim/core/x87/wide.h"

static const struct float80 zero = {0, 0}, one = {INTEGER_BIT, BIAS}, infinity = {INTEGER_BIT, EXPONENT_MAX};

static struct float80 with_sign(struct float80 a, bool sign)
{
    a.sign_exponent = (uint16_t)((a.sign_exponent & EXPONENT_MAX) | (unsigned)sign << 15);
    return a;
}

/* 1 + y/2 (1 + y/3 (1 + ...)): (e^y - 1) / y, |y| < 0.7. */
static struct wide exponential_series(struct wide y)
{
    enum { TERMS = 36 };
    struct wide sum = wide_one();
    for (unsigned k = TERMS; k >= 2; k--)
        sum = wide_add(wide_one(), wide_over(wide_multiply(y, sum), k));
    return sum;
}

struct float80 float80_2_to_x_minus_1(struct float80_context *c, struct float80 a)
{
    struct float80 result;
    const enum float80_class k = float80_class(a);
    if (float80_special(c, a, &result))
        return result;
    if (k == CLASS_ZERO)
        return a;
    if (k == CLASS_INFINITY)
        return float80_sign(a) ? with_sign(one, true) : a;
    float80_note_denormal(c, k == CLASS_DENORMAL);
    const struct wide x = wide_from(a);
    if (x.exponent >= 0) {
        /* 2^1 - 1 and 2^-1 - 1; beyond, the manual defines nothing: the operand */
        if (x.exponent > 0 || x.significand << 1)
            return a;
        return float80_sign(a) ? float80_pack(true, BIAS - 1, INTEGER_BIT) : a;
    }
    const struct wide y = wide_multiply(x, wide_ln_2);
    return wide_round(c, wide_multiply(y, exponential_series(y)), true);
}

/* 2 atanh(t) / t = 2 (1 + t^2/3 + t^4/5 + ...), |t| < 0.18. */
static struct wide logarithm_series(struct wide t)
{
    enum { TERMS = 53 };
    const struct wide square = wide_multiply(t, t);
    struct wide sum = wide_over(wide_one(), TERMS);
    for (int k = TERMS - 2; k > 0; k -= 2)
        sum = wide_add(wide_over(wide_one(), (uint64_t)k), wide_multiply(square, sum));
    sum.exponent++;
    return sum;
}

/* log2((1 + t) / (1 - t)) */
static struct wide binary_logarithm_of_ratio(struct wide t)
{
    return wide_multiply(wide_multiply(t, logarithm_series(t)), wide_log2_e);
}

/* a > 0. *exact: a power of two. */
static struct wide binary_logarithm(struct wide a, bool *exact)
{
    int64_t exponent = a.exponent;
    struct wide m = {false, 0, a.significand};
    if ((uint64_t)(a.significand >> 64) > 0xb504f333f9de6484) { /* above the square root of 2 */
        m.exponent = -1;
        exponent++;
    }
    struct wide whole = wide_from_integer((wide_significand)(exponent < 0 ? -exponent : exponent), 0);
    whole.sign = exponent < 0;
    const struct wide difference = wide_add(m, wide_negated(wide_one()));
    *exact = !difference.significand;
    if (*exact)
        return whole;
    const struct wide t = wide_divide(difference, wide_add(m, wide_one()));
    return wide_add(whole, binary_logarithm_of_ratio(t));
}

/* Of a + 1, |a| < 0.3 */
static struct wide binary_logarithm_plus_one(struct wide a)
{
    struct wide two = wide_one();
    two.exponent = 1;
    return binary_logarithm_of_ratio(wide_divide(a, wide_add(a, two)));
}

/* a is 0 (or -1 + 1), 1 (or 0 + 1), or infinite; or b is infinite or 0. above: the logarithm is positive. */
static struct float80 logarithm_limits(struct float80_context *c, struct float80 b, int order, bool at_zero,
                                       bool at_infinity, bool denormal)
{
    const enum float80_class kb = float80_class(b);
    const bool sign = float80_sign(b) != (order < 0);
    if (at_zero) {
        if (kb == CLASS_ZERO)
            return float80_invalid(c);
        return kb == CLASS_INFINITY ? with_sign(infinity, !float80_sign(b))
                                    : float80_zero_divide(c, !float80_sign(b));
    }
    if ((at_infinity && kb == CLASS_ZERO) || (order == 0 && kb == CLASS_INFINITY))
        return float80_invalid(c);
    float80_note_denormal(c, denormal);
    return with_sign(at_infinity || kb == CLASS_INFINITY ? infinity : zero, sign);
}

struct float80 float80_logarithm(struct float80_context *c, struct float80 a, struct float80 b, bool plus_one)
{
    struct float80 result;
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    const bool denormal = ka == CLASS_DENORMAL || kb == CLASS_DENORMAL;
    if (float80_special_pair(c, a, b, &result))
        return result;
    struct float80_context quiet = {.masked = X87_EXCEPTIONS};
    const bool negative = float80_sign(a) && ka != CLASS_ZERO;
    if (negative && (!plus_one || ka == CLASS_INFINITY))
        return float80_invalid(c);
    const enum float80_order order = float80_compare(&quiet, a, plus_one ? zero : one, true, false);
    const int direction = order == ORDER_EQUAL ? 0 : order == ORDER_ABOVE ? 1 : -1;
    const bool at_zero = !plus_one && ka == CLASS_ZERO;
    if (plus_one && ka == CLASS_ZERO && kb != CLASS_INFINITY) {
        float80_note_denormal(c, denormal);
        return with_sign(zero, float80_sign(a) != float80_sign(b));
    }
    if (at_zero || direction == 0 || ka == CLASS_INFINITY || kb == CLASS_INFINITY || kb == CLASS_ZERO)
        return logarithm_limits(c, b, direction, at_zero, ka == CLASS_INFINITY, denormal);
    float80_note_denormal(c, denormal);
    bool exact = false;
    struct wide x = wide_from(a);
    if (plus_one && x.exponent >= -1) { /* beyond what the manual defines, in the same way */
        x = wide_add(x, wide_one());
        if (x.sign || !x.significand)
            return a;
        plus_one = false;
    }
    const struct wide logarithm = plus_one ? binary_logarithm_plus_one(x) : binary_logarithm(x, &exact);
    return wide_round(c, wide_multiply(logarithm, wide_from(b)), !exact);
}

/* atan(t), 0 < t <= 1 */
static struct wide arctangent(struct wide t)
{
    enum { TERMS = 103 };
    const struct wide eighth = {false, -2,
                                wide_halves(0xd413cccfe7799211, 0x65f626cdd52afa7c)}; /* tan(pi/8) */
    struct wide offset = {0};
    if (t.exponent > eighth.exponent ||
        (t.exponent == eighth.exponent && t.significand > eighth.significand)) {
        const struct wide below = wide_add(t, wide_negated(wide_one())), above = wide_add(t, wide_one());
        offset = wide_pi;
        offset.exponent -= 2;
        if (!below.significand)
            return offset;
        t = wide_divide(below, above);
    }
    const struct wide square = wide_negated(wide_multiply(t, t));
    struct wide sum = wide_over(wide_one(), TERMS);
    for (int k = TERMS - 2; k > 0; k -= 2)
        sum = wide_add(wide_over(wide_one(), (uint64_t)k), wide_multiply(square, sum));
    return wide_add(offset, wide_multiply(t, sum));
}

/* quarters: of pi. */
static struct float80 quarters_of_pi(struct float80_context *c, bool sign, unsigned quarters)
{
    struct wide angle = wide_multiply(wide_pi, wide_from_integer(quarters, -2));
    angle.sign = sign;
    return quarters ? wide_round(c, angle, true) : float80_pack(sign, 0, 0);
}

/* SDM volume 2, table "FPATAN Results": where one of the two is 0 or infinite. */
static struct float80 arctangent_limits(struct float80_context *c, struct float80 x, struct float80 y)
{
    const enum float80_class kx = float80_class(x), ky = float80_class(y);
    const bool left = float80_sign(x), sign = float80_sign(y);
    if (kx == CLASS_INFINITY && ky == CLASS_INFINITY)
        return quarters_of_pi(c, sign, left ? 3 : 1);
    if (ky == CLASS_INFINITY || (kx == CLASS_ZERO && ky != CLASS_ZERO))
        return quarters_of_pi(c, sign, 2);
    return quarters_of_pi(c, sign, left ? 4 : 0);
}

struct float80 float80_arctangent(struct float80_context *c, struct float80 x, struct float80 y)
{
    struct float80 result;
    const enum float80_class kx = float80_class(x), ky = float80_class(y);
    if (float80_special_pair(c, x, y, &result))
        return result;
    float80_note_denormal(c, kx == CLASS_DENORMAL || ky == CLASS_DENORMAL);
    if (kx == CLASS_ZERO || kx == CLASS_INFINITY || ky == CLASS_ZERO || ky == CLASS_INFINITY)
        return arctangent_limits(c, x, y);
    struct wide a = wide_from(x), b = wide_from(y);
    a.sign = b.sign = false;
    const bool steep = b.exponent > a.exponent || (b.exponent == a.exponent && b.significand > a.significand);
    struct wide angle = steep ? wide_divide(a, b) : wide_divide(b, a);
    angle = arctangent(angle);
    struct wide half = wide_pi;
    half.exponent--;
    if (steep)
        angle = wide_add(half, float80_sign(x) ? angle : wide_negated(angle));
    else if (float80_sign(x))
        angle = wide_add(wide_pi, wide_negated(angle));
    angle.sign = float80_sign(y);
    return wide_round(c, angle, true);
}
