/* wide.c: see wide.h. */
#include "sim/core/x87/wide.h"

#define TOP ((wide_significand)1 << 127)

const struct wide wide_pi = {false, 1, (wide_significand)0xc90fdaa22168c234 << 64 | 0xc4c6628b80dc1cd1},
                  wide_ln_2 = {false, -1, (wide_significand)0xb17217f7d1cf79ab << 64 | 0xc9e3b39803f2f6af},
                  wide_log2_e = {false, 0, (wide_significand)0xb8aa3b295c17f0bb << 64 | 0xbe87fed0691d3e88};

static struct wide normalized(bool sign, int64_t exponent, wide_significand significand)
{
    const uint64_t high = (uint64_t)(significand >> 64);
    if (!significand)
        return (struct wide){.sign = sign};
    const int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)significand);
    return (struct wide){sign, exponent - shift, significand << shift};
}

struct wide wide_from_integer(wide_significand value, int64_t exponent)
{
    return normalized(false, exponent + 127, value);
}

struct wide wide_from(struct float80 a)
{
    const struct float80_number n = float80_unpack(a);
    return normalized(n.sign, n.exponent - BIAS, (wide_significand)n.significand << 64);
}

struct wide wide_negated(struct wide a)
{
    a.sign = !a.sign;
    return a;
}

static bool smaller(struct wide a, struct wide b)
{
    return a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
}

struct wide wide_add(struct wide a, struct wide b)
{
    if (!b.significand)
        return a;
    if (!a.significand)
        return b;
    if (smaller(a, b)) {
        const struct wide t = a;
        a = b;
        b = t;
    }
    const int64_t distance = a.exponent - b.exponent;
    const wide_significand shifted = distance < 128 ? b.significand >> distance : 0;
    const bool lost = distance > 0 && (distance >= 128 || b.significand << (128 - distance) != 0);
    if (a.sign != b.sign) /* what is lost makes the difference smaller still */
        return normalized(a.sign, a.exponent, a.significand - shifted - lost);
    wide_significand sum;
    if (!__builtin_add_overflow(a.significand, shifted, &sum))
        return (struct wide){a.sign, a.exponent, sum};
    return (struct wide){a.sign, a.exponent + 1, sum >> 1 | TOP};
}

struct wide wide_multiply(struct wide a, struct wide b)
{
    const uint64_t ah = (uint64_t)(a.significand >> 64), al = (uint64_t)a.significand,
                   bh = (uint64_t)(b.significand >> 64), bl = (uint64_t)b.significand;
    const wide_significand low = (wide_significand)al * bl, first = (wide_significand)ah * bl + (low >> 64),
                           second = (wide_significand)al * bh + (uint64_t)first,
                           high = (wide_significand)ah * bh + (first >> 64) + (second >> 64);
    if (!high)
        return (struct wide){.sign = a.sign != b.sign};
    if (high & TOP)
        return (struct wide){a.sign != b.sign, a.exponent + b.exponent + 1, high};
    return (struct wide){a.sign != b.sign, a.exponent + b.exponent, high << 1 | (second >> 63 & 1)};
}

struct wide wide_divide(struct wide a, struct wide b)
{
    wide_significand quotient = 0, left = a.significand;
    for (unsigned i = 0; i < 128; i++) {
        const bool beyond = i && left & TOP;
        if (i)
            left <<= 1;
        quotient <<= 1;
        if (beyond || left >= b.significand) {
            left -= b.significand;
            quotient |= 1;
        }
    }
    return normalized(a.sign != b.sign, a.exponent - b.exponent, quotient);
}

struct wide wide_over(struct wide a, uint64_t divisor)
{
    const wide_significand quotient = a.significand / divisor, left = a.significand % divisor;
    const struct wide n = normalized(a.sign, a.exponent, quotient);
    const int64_t shift = a.exponent - n.exponent;
    if (shift == 0 || !quotient)
        return n;
    /* the bits that normalization brought in: divisor is below 2^63, so its quotient has at least 65 bits */
    return (struct wide){n.sign, n.exponent, n.significand | ((left << shift) / divisor)};
}

struct float80 wide_round(struct float80_context *c, struct wide a, bool inexact)
{
    const uint8_t precision = c->precision;
    if (!a.significand)
        return float80_pack(a.sign, 0, 0);
    c->precision = 64;
    const struct float80 result = float80_finish(
        c,
        (struct float80_number){
            .sign = a.sign, .exponent = a.exponent + BIAS, .significand = (uint64_t)(a.significand >> 64)},
        (uint64_t)a.significand | inexact);
    c->precision = precision;
    return result;
}
