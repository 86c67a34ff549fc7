/*
 * The transcendental functions of the x87 unit against values with more digits than it has. SDM volume 1,
 * "Transcendental Instruction Accuracy", "Approximation of Pi"; volume 2, the tables of FPATAN, FYL2X, F2XM1,
 * FPTAN.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/core/x87/functions.h"
#include "sim/core/x87/x87.h"

#define TOP (1ull << 63)

static const struct float80 zero = {0, 0}, one = {TOP, 0x3fff}, three = {3ull << 62, 0x4000},
                            half = {TOP, 0x3ffe}, infinity = {TOP, 0x7fff};

static struct float80 number(uint16_t sign_exponent, uint64_t significand)
{
    return (struct float80){significand, sign_exponent};
}

enum function { SINE, COSINE, TANGENT, LOGARITHM, POWER, ARCTANGENT };

static struct float80 value(struct float80_context *c, enum function f, struct float80 a, struct float80 b)
{
    struct float80 result = zero;
    switch (f) {
    case SINE:
        assert_true(float80_sine_cosine(c, a, &result, NULL));
        break;
    case COSINE:
        assert_true(float80_sine_cosine(c, a, NULL, &result));
        break;
    case TANGENT:
        assert_true(float80_tangent(c, a, &result));
        break;
    case LOGARITHM:
        return float80_logarithm(c, a, b, false);
    case POWER:
        return float80_2_to_x_minus_1(c, a);
    case ARCTANGENT:
        return float80_arctangent(c, a, b);
    }
    return result;
}

/* cut: all 64 bits of the true value; up: is what follows more than a half? */
static void numbers(void **state)
{
    (void)state;
    const struct {
        enum function f;
        struct float80 a, b;
        uint16_t sign_exponent;
        uint64_t cut;
        bool up;
    } cases[] = {
        {SINE, one, zero, 0x3ffe, 0xd76aa47848677020, true},
        {SINE, number(0xbfff, TOP), zero, 0xbffe, 0xd76aa47848677020, true},
        {COSINE, one, zero, 0x3ffe, 0x8a51407da8345c91, true},
        {TANGENT, one, zero, 0x3fff, 0xc75922e5f71d2dc5, false},
        {LOGARITHM, three, one, 0x3fff, 0xcae00d1cfdeb43cf, true},
        {LOGARITHM, number(0x3fff, 9ull << 60), one, 0x3ffc, 0xae00d1cfdeb43cfd, false}, /* then 0.0013 */
        {POWER, half, zero, 0x3ffd, 0xd413cccfe7799211, false},
        {POWER, number(0xbffe, TOP), zero, 0xbffd, 0x95f619980c4336f7, false},
        {POWER, number(0x3fff - 70, TOP), zero, 0x3fff - 71, 0xb17217f7d1cf79ab, true},
        {ARCTANGENT, three, one, 0x3ffd, 0xa4bc7d1934f70924, false},
        {ARCTANGENT, number(0xc000, 3ull << 62), one, 0x4000, 0xb4784afefac9e110, false},
        {SINE, number(0x3fff + 40, TOP), zero, 0xbffd, 0xcfb89143d3c63218, true}, /* by the pi of 66 bits */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (unsigned rounding = FLOAT80_NEAREST; rounding <= FLOAT80_CUT; rounding++) {
            struct float80_context c = {
                .rounding = (uint8_t)rounding, .precision = 24, .masked = X87_EXCEPTIONS};
            const bool sign = cases[i].sign_exponent >> 15,
                       up = rounding == FLOAT80_NEAREST ? cases[i].up
                                                        : rounding == (sign ? FLOAT80_DOWN : FLOAT80_UP);
            const struct float80 r = value(&c, cases[i].f, cases[i].a, cases[i].b);
            assert_int_equal(r.sign_exponent, cases[i].sign_exponent);
            assert_true(r.significand == cases[i].cut + up);
            assert_int_equal(c.raised, X87_PE);
            assert_int_equal(c.up, up);
        }
}

static void limits(void **state)
{
    (void)state;
    const uint64_t pi = 0xc90fdaa22168c235; /* rounded */
    const struct float80 minus_zero = {0, 0x8000}, minus_infinity = {TOP, 0xffff}, minus_one = {TOP, 0xbfff};
    const struct {
        enum function f;
        struct float80 a, b, result;
        unsigned raised;
    } cases[] = {
        {SINE, minus_zero, zero, {0, 0x8000}, 0},
        {COSINE, zero, zero, {TOP, 0x3fff}, 0},
        {SINE, infinity, zero, {3ull << 62, 0xffff}, X87_IE},
        {SINE, number(0, 1), zero, {1, 0}, X87_DE | X87_UE | X87_PE},
        {POWER, one, zero, {TOP, 0x3fff}, 0},
        {POWER, minus_one, zero, {TOP, 0xbffe}, 0},
        {POWER, minus_infinity, zero, {TOP, 0xbfff}, 0},
        {LOGARITHM, number(0x4005, TOP), three, {9ull << 60, 0x4003}, 0}, /* 3 * 6 */
        {LOGARITHM, one, three, {0, 0}, 0},
        {LOGARITHM, zero, three, {TOP, 0xffff}, X87_ZE},
        {LOGARITHM, zero, zero, {3ull << 62, 0xffff}, X87_IE},
        {LOGARITHM, minus_one, three, {3ull << 62, 0xffff}, X87_IE},
        {LOGARITHM, one, infinity, {3ull << 62, 0xffff}, X87_IE},
        {ARCTANGENT, one, zero, {0, 0}, 0},
        {ARCTANGENT, minus_one, minus_zero, {pi, 0xc000}, X87_PE},
        {ARCTANGENT, zero, one, {pi, 0x3fff}, X87_PE},
        {ARCTANGENT, infinity, infinity, {pi, 0x3ffe}, X87_PE},
        {ARCTANGENT, minus_infinity, one, {pi, 0x4000}, X87_PE},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct float80_context c = {.precision = 64, .masked = X87_EXCEPTIONS};
        const struct float80 r = value(&c, cases[i].f, cases[i].a, cases[i].b);
        assert_int_equal(r.sign_exponent, cases[i].result.sign_exponent);
        assert_true(r.significand == cases[i].result.significand);
        assert_int_equal(c.raised, cases[i].raised);
    }
}

/* SDM volume 2, "FSIN", "FPTAN", "FSINCOS": out of range, C2; a place for the second result must be there. */
static void the_stack(void **state)
{
    (void)state;
    struct x87_registers x;
    x87_initialize(&x);
    x87_load_extended(&x, number(0x3fff + 63, TOP));
    assert_true(x87_sine_cosine(&x));
    assert_int_equal(x.status, X87_C2);
    assert_int_equal(x.top, 7);
    x.r[7] = one;
    assert_true(x87_tangent(&x));
    assert_int_equal(x.status & X87_C2, 0);
    assert_int_equal(x.top, 6);
    assert_true(x.r[6].significand == TOP && x.r[6].sign_exponent == 0x3fff);
    assert_true(x.r[7].significand == 0xc75922e5f71d2dc5);
    assert_true(x87_of_two(&x, X87_ARCTANGENT)); /* and back: the angle of (1, tan 1) */
    assert_int_equal(x.top, 7);
    assert_true(x.r[7].sign_exponent == 0x3fff && x.r[7].significand - TOP <= 1);
    x.empty[6] = 0;
    assert_true(x87_sine_cosine(&x));
    assert_int_equal(x.status & (X87_SF | X87_C1), X87_SF | X87_C1);
    x87_initialize(&x);
    x.control &= (uint16_t)~X87_IE;
    assert_false(x87_of_two(&x, X87_LOGARITHM));
    assert_int_equal(x.top, 0);
    assert_int_equal(x.status, X87_IE | X87_SF | X87_ES | X87_B);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(limits),
                                       cmocka_unit_test(the_stack)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
