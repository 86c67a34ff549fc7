/* float80_convert.c: see float80.h. Other formats, whole numbers, comparison, remainder, scaling. */
#include "sim/core/x87/float80_parts.h"

/* The two formats of memory. */
struct layout {
    unsigned bits, fraction; /* fraction: bits behind the point */
    int64_t bias;
};
static const struct layout single_precision = {32, 23, 127}, double_precision = {64, 52, 1023};

static const struct layout *layout_of(unsigned bits)
{
    return bits == 32 ? &single_precision : &double_precision;
}

static bool denormal_in(uint64_t value, const struct layout *l)
{
    const uint64_t magnitude = value & ((1ull << (l->bits - 1)) - 1);
    return magnitude && !(magnitude >> l->fraction);
}

struct float80 float80_from(uint64_t value, unsigned bits)
{
    const struct layout *l = layout_of(bits);
    const bool sign = value >> (bits - 1) & 1;
    const int64_t greatest = 2 * l->bias + 1, exponent = (int64_t)(value >> l->fraction) & greatest;
    const uint64_t fraction = value & ((1ull << l->fraction) - 1);
    const uint64_t significand = fraction << (63 - l->fraction);
    if (exponent == greatest)
        return float80_pack(sign, EXPONENT_MAX, INTEGER_BIT | significand);
    if (exponent)
        return float80_pack(sign, (unsigned)(exponent - l->bias + BIAS), INTEGER_BIT | significand);
    if (!significand)
        return float80_pack(sign, 0, 0);
    const int shift = __builtin_clzll(significand);
    return float80_pack(sign, (unsigned)(1 - l->bias + BIAS - shift), significand << shift);
}

struct float80 float80_load(struct float80_context *c, uint64_t value, unsigned bits)
{
    struct float80 a = float80_from(value, bits);
    if (float80_class(a) == CLASS_SIGNALING_NAN) {
        float80_raise(c, X87_IE);
        a.significand |= QUIET_BIT;
    }
    float80_note_denormal(c, denormal_in(value, layout_of(bits)));
    return a;
}

struct float80 float80_from_integer(int64_t value)
{
    if (!value)
        return float80_pack(false, 0, 0);
    const uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    const int shift = __builtin_clzll(magnitude);
    return float80_pack(value < 0, (unsigned)(BIAS + 63 - shift), magnitude << shift);
}

static uint64_t pack_in(const struct layout *l, bool sign, uint64_t exponent, uint64_t significand)
{
    const uint64_t fraction = significand << 1 >> (64 - l->fraction);
    return (uint64_t)sign << (l->bits - 1) | exponent << l->fraction | fraction;
}

uint64_t float80_store(struct float80_context *c, struct float80 a, unsigned bits)
{
    const struct layout *l = layout_of(bits);
    const uint64_t greatest = (uint64_t)(2 * l->bias + 1);
    const enum float80_class k = float80_class(a);
    struct float80 special;
    if (float80_special(c, a, &special))
        return pack_in(l, float80_sign(special), greatest, special.significand);
    if (k == CLASS_INFINITY || k == CLASS_ZERO)
        return pack_in(l, float80_sign(a), k == CLASS_ZERO ? 0 : greatest, 0);
    const struct float80_format f = {
        .bits = l->fraction + 1, .least = BIAS - l->bias + 1, .greatest = BIAS + l->bias, .wraps = false};
    const struct float80_number n = float80_fit(c, float80_unpack(a), 0, &f);
    if (n.exponent == FLOAT80_INFINITE)
        return pack_in(l, n.sign, greatest, 0);
    if (n.exponent == FLOAT80_TINY)
        return pack_in(l, n.sign, 0, n.significand);
    return pack_in(l, n.sign, (uint64_t)(n.exponent - BIAS + l->bias), n.significand);
}

/* Cut or rounded to a whole number of up to 64 bits. False: more. */
static bool whole(struct float80_context *c, struct float80_number n, bool cut, uint64_t *value,
                  bool *inexact)
{
    const int64_t places = BIAS + 63 - n.exponent; /* behind the point */
    struct float80_context rounding = {.rounding = cut ? FLOAT80_CUT : c->rounding};
    if (places < 0)
        return false;
    *value = float80_shift_rounded(&rounding, n.sign, n.significand, places, inexact);
    c->up = rounding.up;
    return *value || !rounding.up;
}

int64_t float80_to_integer(struct float80_context *c, struct float80 a, unsigned bits, bool cut)
{
    static const uint64_t most_digits = 999999999999999999ull;
    const uint64_t limit = bits == 60 ? most_digits : (1ull << (bits - 1)) - 1;
    const int64_t indefinite = bits == 60 ? INT64_MIN : -(int64_t)limit - 1;
    uint64_t value = 0;
    bool inexact = false;
    if (float80_class(a) == CLASS_ZERO)
        return 0;
    const bool number = float80_class(a) == CLASS_DENORMAL || float80_class(a) == CLASS_NORMAL;
    if (!number || !whole(c, float80_unpack(a), cut, &value, &inexact) ||
        value > limit + (bits != 60 && float80_sign(a))) {
        c->up = false;
        float80_raise(c, X87_IE);
        return indefinite;
    }
    if (inexact)
        float80_raise(c, X87_PE);
    return float80_sign(a) ? (int64_t)(0 - value) : (int64_t)value;
}

struct float80 float80_round(struct float80_context *c, struct float80 a)
{
    struct float80 result;
    const enum float80_class k = float80_class(a);
    if (float80_special(c, a, &result))
        return result;
    if (k == CLASS_ZERO || k == CLASS_INFINITY)
        return a;
    float80_note_denormal(c, k == CLASS_DENORMAL);
    const struct float80_number n = float80_unpack(a);
    uint64_t value = 0;
    bool inexact = false;
    if (c->discard || n.exponent >= BIAS + 63)
        return a;
    whole(c, n, false, &value, &inexact);
    if (inexact)
        float80_raise(c, X87_PE);
    if (!value)
        return float80_pack(n.sign, 0, 0);
    const int shift = __builtin_clzll(value);
    return float80_pack(n.sign, (unsigned)(BIAS + 63 - shift), value << shift);
}

static enum float80_order reversed_if(bool reversed, enum float80_order order)
{
    if (!reversed || order == ORDER_EQUAL)
        return order;
    return order == ORDER_BELOW ? ORDER_ABOVE : ORDER_BELOW;
}

static enum float80_order order_of(struct float80_number x, struct float80_number y)
{
    if (!x.significand && !y.significand)
        return ORDER_EQUAL;
    if (!x.significand)
        return y.sign ? ORDER_ABOVE : ORDER_BELOW;
    if (!y.significand)
        return x.sign ? ORDER_BELOW : ORDER_ABOVE;
    if (x.sign != y.sign)
        return x.sign ? ORDER_BELOW : ORDER_ABOVE;
    if (x.exponent != y.exponent)
        return reversed_if(x.sign, x.exponent < y.exponent ? ORDER_BELOW : ORDER_ABOVE);
    if (x.significand != y.significand)
        return reversed_if(x.sign, x.significand < y.significand ? ORDER_BELOW : ORDER_ABOVE);
    return ORDER_EQUAL;
}

enum float80_order float80_compare(struct float80_context *c, struct float80 a, struct float80 b, bool quiet,
                                   bool denormal)
{
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    if (ka >= CLASS_QUIET_NAN || kb >= CLASS_QUIET_NAN) {
        if (!quiet || ka > CLASS_QUIET_NAN || kb > CLASS_QUIET_NAN)
            float80_raise(c, X87_IE);
        return ORDER_NONE;
    }
    float80_note_denormal(c, denormal || ka == CLASS_DENORMAL || kb == CLASS_DENORMAL);
    return order_of(float80_unpack(a), float80_unpack(b));
}

struct float80 float80_extract(struct float80_context *c, struct float80 a, struct float80 *significand)
{
    struct float80 result;
    const enum float80_class k = float80_class(a);
    *significand = a;
    if (float80_special(c, a, &result)) {
        *significand = result;
        return result;
    }
    if (k == CLASS_ZERO)
        return float80_zero_divide(c, true);
    if (k == CLASS_INFINITY)
        return float80_pack(false, EXPONENT_MAX, INTEGER_BIT);
    float80_note_denormal(c, k == CLASS_DENORMAL);
    const struct float80_number n = float80_unpack(a);
    *significand = float80_pack(n.sign, BIAS, n.significand);
    return float80_from_integer(n.exponent - BIAS);
}

/* With all bits: SDM volume 1, "Precision Control Field", names the instructions that it affects. */
static struct float80 finish_whole(struct float80_context *c, struct float80_number n)
{
    const uint8_t precision = c->precision;
    c->precision = 64;
    const struct float80 result = float80_finish(c, n, 0);
    c->precision = precision;
    return result;
}

static struct float80 scale_by_infinity(struct float80_context *c, struct float80 a, bool down)
{
    const enum float80_class k = float80_class(a);
    if (k == (down ? CLASS_INFINITY : CLASS_ZERO))
        return float80_invalid(c);
    float80_note_denormal(c, k == CLASS_DENORMAL);
    return down ? float80_pack(float80_sign(a), 0, 0)
                : float80_pack(float80_sign(a), EXPONENT_MAX, INTEGER_BIT);
}

struct float80 float80_scale(struct float80_context *c, struct float80 a, struct float80 b)
{
    enum { MOST = 1 << 16 }; /* beyond every number's range */
    struct float80 result;
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    if (float80_special_pair(c, a, b, &result))
        return result;
    if (kb == CLASS_INFINITY)
        return scale_by_infinity(c, a, float80_sign(b));
    float80_note_denormal(c, ka == CLASS_DENORMAL || kb == CLASS_DENORMAL);
    if (ka == CLASS_ZERO || ka == CLASS_INFINITY)
        return a;
    struct float80_context cutting = {.masked = X87_EXCEPTIONS};
    int64_t power = float80_to_integer(&cutting, b, 32, true);
    if (cutting.raised & X87_IE || power > MOST || power < -MOST)
        power = float80_sign(b) ? -MOST : MOST;
    struct float80_number n = float80_unpack(a);
    n.exponent += power;
    return finish_whole(c, n);
}

/* a mod b of magnitudes, the exponent of a above b's by less than 64: what is left and the quotient. */
static uint64_t divided(uint64_t a, uint64_t b, unsigned steps, uint64_t *quotient)
{
    const unsigned __int128 x = (unsigned __int128)a << steps;
    *quotient = (uint64_t)(x / b); /* below 2^64: steps are at most 63, and both have bit 63 set */
    return (uint64_t)(x % b);
}

static struct float80 remainder_of(struct float80_context *c, bool sign, int64_t exponent, uint64_t left)
{
    if (!left)
        return float80_pack(sign, 0, 0);
    const int shift = __builtin_clzll(left);
    return finish_whole(
        c, (struct float80_number){.sign = sign, .exponent = exponent - shift, .significand = left << shift});
}

static struct float80 remainder_step(struct float80_context *c, struct float80_number x,
                                     struct float80_number y, bool nearest, unsigned *quotient)
{
    const int64_t distance = x.exponent - y.exponent;
    uint64_t q = 0, left = x.significand;
    int64_t exponent = x.exponent;
    bool sign = x.sign;
    if (distance >= 0) {
        left = divided(x.significand, y.significand, (unsigned)distance, &q);
        exponent = y.exponent;
    }
    if (nearest && distance >= -1) {
        /* twice what is left against the divisor, at the divisor's place or one below */
        const unsigned __int128 twice = (unsigned __int128)left << (distance < 0 ? 0 : 1);
        if (twice > y.significand || (twice == y.significand && q & 1)) {
            const unsigned __int128 divisor = (unsigned __int128)y.significand << (distance < 0 ? 1 : 0);
            const unsigned __int128 over = divisor - left;
            q++;
            sign = !sign;
            left = (uint64_t)over; /* less than half of the divisor at its own place: 64 bits hold it */
        }
    }
    *quotient = (unsigned)(q & 7);
    return remainder_of(c, left ? sign : x.sign, exponent, left);
}

struct float80 float80_remainder(struct float80_context *c, struct float80 a, struct float80 b, bool nearest,
                                 bool *partial, unsigned *quotient)
{
    enum { STEP = 64, LEAST = 32 };
    struct float80 result;
    const enum float80_class ka = float80_class(a), kb = float80_class(b);
    *partial = false;
    *quotient = 0;
    if (float80_special_pair(c, a, b, &result))
        return result;
    if (ka == CLASS_INFINITY || kb == CLASS_ZERO)
        return float80_invalid(c);
    float80_note_denormal(c, ka == CLASS_DENORMAL || kb == CLASS_DENORMAL);
    if (ka == CLASS_ZERO)
        return a;
    if (kb == CLASS_INFINITY)
        return finish_whole(c, float80_unpack(a));
    struct float80_number x = float80_unpack(a);
    const struct float80_number y = float80_unpack(b);
    const int64_t distance = x.exponent - y.exponent;
    if (distance < STEP)
        return remainder_step(c, x, y, nearest, quotient);
    /* SDM volume 2, "FPREM": the exponent is brought down by 32 to 63, as the implementation likes */
    *partial = true;
    const int64_t down = LEAST + distance % LEAST;
    uint64_t q;
    const uint64_t left = divided(x.significand, y.significand, (unsigned)down, &q);
    return remainder_of(c, x.sign, y.exponent + distance - down, left);
}
