/* circular.c: see functions.h. Sine, cosine, tangent. */
#include "sim/core/x87/functions.h"
#include "sim/core/x87/wide.h"

enum { RANGE = 63, UNITS = 67 };

/* An angle between -pi/4 and pi/4, and how many right angles were taken off. */
struct reduced {
    struct wide angle;
    unsigned quadrant;
};

/* By the value of pi that the unit has: 66 bits. SDM volume 1, "Approximation of Pi". a is positive. */
static struct reduced reduce(struct float80 a)
{
    const wide_significand half_pi = wide_halves(0xc, 0x90fdaa22168c234c); /* in 2^-67 */
    struct float80_number n = float80_unpack(a);
    struct reduced r = {.angle = wide_from(a)};
    const int64_t shift = n.exponent - BIAS - 63 + UNITS;
    if (n.exponent < BIAS - 1) /* below 1/2 */
        return r;
    wide_significand left = n.significand;
    for (int64_t i = 0; i < shift; i++) {
        left <<= 1;
        r.quadrant <<= 1;
        if (left >= half_pi) {
            left -= half_pi;
            r.quadrant++;
        }
    }
    r.quadrant &= 3;
    if (left > half_pi / 2) {
        r.angle = wide_negated(wide_from_integer(half_pi - left, -UNITS));
        r.quadrant = (r.quadrant + 1) & 3;
    } else {
        r.angle = wide_from_integer(left, -UNITS);
    }
    return r;
}

/* 1 - y^2/((k+1)(k+2)) (1 - ...): for k = 0 the cosine, for k = 1 the sine over y. */
static struct wide series(struct wide y, unsigned k)
{
    enum { LAST = 34 };
    const struct wide square = wide_negated(wide_multiply(y, y));
    struct wide sum = wide_one();
    for (unsigned i = LAST + k; i > k; i -= 2)
        sum = wide_add(wide_one(), wide_over(wide_multiply(square, sum), (uint64_t)i * (i - 1)));
    return sum;
}

static struct wide sine_of(const struct reduced *r, bool cosine)
{
    const unsigned quadrant = (r->quadrant + cosine) & 3;
    struct wide result = quadrant & 1 ? series(r->angle, 0) : wide_multiply(r->angle, series(r->angle, 1));
    if (quadrant & 2)
        result.sign = !result.sign;
    return result;
}

/* True: the results are there, or nothing is to be done (*in_range false). */
static bool limits(struct float80_context *c, struct float80 a, bool *in_range, struct float80 *result)
{
    *in_range = true;
    if (float80_special(c, a, result))
        return true;
    if (float80_class(a) == CLASS_INFINITY) {
        *result = float80_invalid(c);
        return true;
    }
    *in_range = (a.sign_exponent & EXPONENT_MAX) < BIAS + RANGE;
    if (*in_range)
        float80_note_denormal(c, float80_class(a) == CLASS_DENORMAL);
    return !*in_range;
}

bool float80_sine_cosine(struct float80_context *c, struct float80 a, struct float80 *sine,
                         struct float80 *cosine)
{
    struct float80 result;
    bool in_range;
    if (limits(c, a, &in_range, &result)) {
        if (sine)
            *sine = result;
        if (cosine)
            *cosine = result;
        return in_range;
    }
    if (float80_class(a) == CLASS_ZERO) {
        if (sine)
            *sine = a;
        if (cosine)
            *cosine = float80_from_integer(1);
        return true;
    }
    const bool negative = float80_sign(a);
    a.sign_exponent &= EXPONENT_MAX;
    const struct reduced r = reduce(a);
    if (sine) {
        struct wide s = sine_of(&r, false);
        s.sign = s.sign != negative;
        *sine = wide_round(c, s, true);
    }
    if (cosine)
        *cosine = wide_round(c, sine_of(&r, true), true);
    return true;
}

bool float80_tangent(struct float80_context *c, struct float80 a, struct float80 *tangent)
{
    bool in_range;
    if (limits(c, a, &in_range, tangent))
        return in_range;
    *tangent = a;
    if (float80_class(a) == CLASS_ZERO)
        return true;
    const bool negative = float80_sign(a);
    a.sign_exponent &= EXPONENT_MAX;
    const struct reduced r = reduce(a);
    struct wide t = wide_divide(sine_of(&r, false), sine_of(&r, true));
    t.sign = t.sign != negative;
    *tangent = wide_round(c, t, true);
    return true;
}
