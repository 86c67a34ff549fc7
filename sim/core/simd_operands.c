/*
 * simd_operands.c: what MXCSR tells of SSE arithmetic and the library does not: denormal operands, and
 * results that are tiny though exact while underflow is unmasked.
 *
 * The helpers of the library stay; around each of them its elements are looked at. Sources: SDM volume 1,
 * "Denormal-Operand Exception (#D)", "Numeric Underflow Exception (#U)" and "Floating-Point Exception
 * Priority": neither a NaN operand nor an invalid operation nor a division by zero leaves room for #D.
 */
#include "sim/core/simd.h"

enum shape {
    BOTH,   /* element i of both operands */
    DIVIDE, /* likewise; the source divides */
    SOURCE, /* the source alone */
    ROOT,   /* likewise; it must not be negative */
    PAIRS,  /* neighbours, of either operand */
};

static inline uint64_t element(const void *from, unsigned bits, unsigned index)
{
    uint64_t value = 0;
    memcpy(&value, (const char *)from + index * bits / 8, bits / 8);
    return value;
}

static inline uint64_t magnitude(uint64_t value, unsigned bits)
{
    return value & ((1ull << (bits - 1)) - 1);
}

/* fraction: bits of it. */
static inline unsigned fraction_bits(unsigned bits)
{
    return bits == 32 ? 23 : 52;
}

static inline bool is_denormal(uint64_t value, unsigned bits)
{
    return magnitude(value, bits) - 1 < (1ull << fraction_bits(bits)) - 1;
}

static inline bool is_nan(uint64_t value, unsigned bits)
{
    const uint64_t infinity = (1ull << (bits - 1)) - (1ull << fraction_bits(bits));
    return magnitude(value, bits) > infinity;
}

static inline bool pair_raises(uint64_t a, uint64_t b, unsigned bits)
{
    return (is_denormal(a, bits) || is_denormal(b, bits)) && !is_nan(a, bits) && !is_nan(b, bits);
}

static inline bool element_raises(const void *to, const void *from, unsigned bits, unsigned i, unsigned count,
                                  enum shape shape)
{
    const uint64_t source = element(from, bits, i);
    switch (shape) {
    case BOTH:
        return pair_raises(element(to, bits, i), source, bits);
    case DIVIDE:
        return magnitude(source, bits) && pair_raises(element(to, bits, i), source, bits);
    case SOURCE:
        return is_denormal(source, bits);
    case ROOT:
        return is_denormal(source, bits) && !(source >> (bits - 1));
    case PAIRS:
        break;
    }
    const void *half = i < count / 2 ? to : from;
    const unsigned first = 2 * (i % (count / 2));
    return pair_raises(element(half, bits, first), element(half, bits, first + 1), bits);
}

/* A flag that is set already, and denormals that are zeros, need no look. */
static inline void look_at_operands(struct lib_float_status *status, const void *to, const void *from,
                                    unsigned bits, unsigned count, enum shape shape)
{
    if (status->flags & LIB_DENORMAL || status->flush_inputs_to_zero)
        return;
    bool any = false, raises = false;
    for (unsigned i = 0; i < count; i++) {
        any |= is_denormal(element(from, bits, i), bits);
        if (shape != SOURCE && shape != ROOT)
            any |= is_denormal(element(to, bits, i), bits);
    }
    if (!any)
        return;
    for (unsigned i = 0; i < count; i++)
        raises |= element_raises(to, from, bits, i, count, shape);
    if (raises)
        status->flags |= LIB_DENORMAL;
}

static inline void look_at_results(const struct core *core, struct lib_float_status *status, const void *to,
                                   unsigned bits, unsigned count)
{
    if (*core->mxcsr & MXCSR_UNDERFLOW_MASKED)
        return;
    for (unsigned i = 0; i < count; i++)
        if (is_denormal(element(to, bits, i), bits))
            status->flags |= LIB_UNDERFLOW;
}

#define LOOKED_AT(name, bits, count, shape, result_bits, results)                                            \
    void __real_helper_##name##_x86_64(struct lib_state *env, void *to, void *from);                         \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from);                         \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from)                          \
    {                                                                                                        \
        struct core *core = simd_core(env);                                                                  \
        if (core)                                                                                            \
            look_at_operands(simd_status(core), to, from, bits, count, shape);                               \
        __real_helper_##name##_x86_64(env, to, from);                                                        \
        if (core && (results))                                                                               \
            look_at_results(core, simd_status(core), to, result_bits, results);                              \
    }

/* In each of four forms: is the result a number that may be tiny? */
#define FORMS(name, shape, tiny)                                                                             \
    LOOKED_AT(name##ps, 32, 4, shape, 32, 4 * (tiny))                                                        \
    LOOKED_AT(name##ss, 32, 1, shape, 32, (tiny))                                                            \
    LOOKED_AT(name##pd, 64, 2, shape, 64, 2 * (tiny))                                                        \
    LOOKED_AT(name##sd, 64, 1, shape, 64, (tiny))

FORMS(add, BOTH, 1)
FORMS(sub, BOTH, 1)
FORMS(mul, BOTH, 1)
FORMS(div, DIVIDE, 1)
FORMS(min, BOTH, 0)
FORMS(max, BOTH, 0)
FORMS(sqrt, ROOT, 0)
FORMS(cmpeq, BOTH, 0)
FORMS(cmplt, BOTH, 0)
FORMS(cmple, BOTH, 0)
FORMS(cmpunord, BOTH, 0)
FORMS(cmpneq, BOTH, 0)
FORMS(cmpnlt, BOTH, 0)
FORMS(cmpnle, BOTH, 0)
FORMS(cmpord, BOTH, 0)
LOOKED_AT(addsubps, 32, 4, BOTH, 32, 4)
LOOKED_AT(addsubpd, 64, 2, BOTH, 64, 2)
LOOKED_AT(haddps, 32, 4, PAIRS, 32, 4)
LOOKED_AT(haddpd, 64, 2, PAIRS, 64, 2)
LOOKED_AT(hsubps, 32, 4, PAIRS, 32, 4)
LOOKED_AT(hsubpd, 64, 2, PAIRS, 64, 2)
LOOKED_AT(cvtps2pd, 32, 2, SOURCE, 64, 0)
LOOKED_AT(cvtss2sd, 32, 1, SOURCE, 64, 0)
LOOKED_AT(cvtpd2ps, 64, 2, SOURCE, 32, 2)
LOOKED_AT(cvtsd2ss, 64, 1, SOURCE, 32, 1)
LOOKED_AT(ucomiss, 32, 1, BOTH, 32, 0)
LOOKED_AT(comiss, 32, 1, BOTH, 32, 0)
LOOKED_AT(ucomisd, 64, 1, BOTH, 64, 0)
LOOKED_AT(comisd, 64, 1, BOTH, 64, 0)

/*
 * DPPS and DPPD are done anew: each multiplication and each addition has exceptions of its own, and the
 * library adds in another order. SDM volume 2, "DPPS--Dot Product of Packed Single Precision Floating-Point
 * Values".
 */
enum { DP_MULTIPLY_SHIFT = 4 };

uint32_t float32_add_x86_64(uint32_t a, uint32_t b, struct lib_float_status *status);
uint32_t float32_mul_x86_64(uint32_t a, uint32_t b, struct lib_float_status *status);
uint64_t float64_add_x86_64(uint64_t a, uint64_t b, struct lib_float_status *status);
uint64_t float64_mul_x86_64(uint64_t a, uint64_t b, struct lib_float_status *status);

static uint64_t dp_step(struct core *core, uint64_t a, uint64_t b, unsigned bits, bool multiply)
{
    struct lib_float_status *status = simd_status(core);
    look_at_operands(status, &a, &b, bits, 1, BOTH);
    uint64_t result;
    if (bits == 32)
        result = multiply ? float32_mul_x86_64((uint32_t)a, (uint32_t)b, status)
                          : float32_add_x86_64((uint32_t)a, (uint32_t)b, status);
    else
        result = multiply ? float64_mul_x86_64(a, b, status) : float64_add_x86_64(a, b, status);
    look_at_results(core, status, &result, bits, 1);
    return result;
}

static void dot_product(struct core *core, void *to, const void *from, unsigned bits, uint32_t selected)
{
    const unsigned count = 128 / bits;
    uint64_t term[4] = {0, 0, 0, 0}, result[2] = {0, 0};
    for (unsigned i = 0; i < count; i++)
        if (selected >> (DP_MULTIPLY_SHIFT + i) & 1)
            term[i] = dp_step(core, element(to, bits, i), element(from, bits, i), bits, true);
    uint64_t sum = dp_step(core, term[0], term[1], bits, false);
    if (count == 4)
        sum = dp_step(core, sum, dp_step(core, term[2], term[3], bits, false), bits, false);
    for (unsigned i = 0; i < count; i++)
        if (selected >> i & 1)
            memcpy((char *)result + i * bits / 8, &sum, bits / 8);
    memcpy(to, result, sizeof result);
}

#define DOT_PRODUCT(name, bits)                                                                              \
    void __real_helper_##name##_x86_64(struct lib_state *env, void *to, void *from, uint32_t selected);      \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from, uint32_t selected);      \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from, uint32_t selected)       \
    {                                                                                                        \
        if (simd_core(env))                                                                                  \
            dot_product(core_current, to, from, bits, selected);                                             \
        else                                                                                                 \
            __real_helper_##name##_x86_64(env, to, from, selected);                                          \
    }
DOT_PRODUCT(dpps_xmm, 32)
DOT_PRODUCT(dppd_xmm, 64)
