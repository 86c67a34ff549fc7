/*
 * float80_quick.h: the usual case of addition and multiplication, by a short way: normal numbers, a normal
 * result, rounding to nearest with all 64 bits. What float80_add and float80_multiply give is the same.
 */
#ifndef VTSIM_CORE_X87_FLOAT80_QUICK_H
#define VTSIM_CORE_X87_FLOAT80_QUICK_H

#include "sim/core/x87/float80.h"

struct float80_quick {
    struct float80 value;
    bool inexact, up;
};

static inline bool float80_normal(struct float80 a)
{
    return (unsigned)(a.sign_exponent & 0x7fff) - 1 < 0x7ffe && a.significand >> 63;
}

/* Rounds high:low; false: this way does not lead there. */
static inline bool float80_quick_round(struct float80_quick *r, unsigned sign, int exponent, uint64_t high,
                                       uint64_t low)
{
    const uint64_t up = low >> 63 & ((low << 1 != 0) | (high & 1));
    high += up;
    if (!high) {
        high = 1ull << 63;
        exponent++;
    }
    r->value = (struct float80){high, (uint16_t)(sign | (unsigned)exponent)};
    r->inexact = low != 0;
    r->up = up;
    return exponent >= 1 && exponent < 0x7fff;
}

static inline bool float80_quick_multiply(struct float80 a, struct float80 b, struct float80_quick *r)
{
    const unsigned __int128 product = (unsigned __int128)a.significand * b.significand;
    const unsigned shift = !(product >> 127);
    const unsigned __int128 normalized = product << shift;
    const int exponent = (a.sign_exponent & 0x7fff) + (b.sign_exponent & 0x7fff) - 16382 - (int)shift;
    return exponent >= 1 && float80_quick_round(r, (a.sign_exponent ^ b.sign_exponent) & 0x8000u, exponent,
                                                (uint64_t)(normalized >> 64), (uint64_t)normalized);
}

static inline bool float80_quick_add(struct float80 a, struct float80 b, struct float80_quick *r)
{
    int distance = (a.sign_exponent & 0x7fff) - (b.sign_exponent & 0x7fff);
    if (distance < 0 || (distance == 0 && a.significand < b.significand)) {
        const struct float80 t = a;
        a = b;
        b = t;
        distance = -distance;
    }
    if (distance > 63)
        return false;
    const unsigned sign = a.sign_exponent & 0x8000u;
    int exponent = a.sign_exponent & 0x7fff;
    uint64_t low = distance ? b.significand << (64 - distance) : 0, high;
    if (!((a.sign_exponent ^ b.sign_exponent) & 0x8000)) {
        if (__builtin_add_overflow(a.significand, b.significand >> distance, &high)) {
            low = low >> 1 | (low & 1) | high << 63;
            high = high >> 1 | 1ull << 63;
            exponent++;
        }
        return float80_quick_round(r, sign, exponent, high, low);
    }
    high = a.significand - (b.significand >> distance) - (low != 0);
    low = 0 - low;
    if (!high)
        return false;
    const int shift = __builtin_clzll(high);
    if (shift) {
        high = high << shift | low >> (64 - shift);
        low <<= shift;
    }
    return exponent > shift && float80_quick_round(r, sign, exponent - shift, high, low);
}

#endif
