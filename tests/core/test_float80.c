/*
 * Arithmetic of the x87 unit, by hand. SDM volume 1, "Numeric Overflow Exception (#O)", "Numeric Underflow
 * Exception
 * (#U)", "Rounding", "Precision Control Field", "Operating on SNaNs and QNaNs".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/core/x87/float80.h"

#define TOP (1ull << 63)
#define ALL_MASKED                                                                                           \
    {                                                                                                        \
        .precision = 64, .masked = X87_EXCEPTIONS                                                            \
    }

static struct float80 number(uint16_t sign_exponent, uint64_t significand)
{
    return (struct float80){significand, sign_exponent};
}

static void is(struct float80 a, uint16_t sign_exponent, uint64_t significand)
{
    assert_int_equal(a.sign_exponent, sign_exponent);
    assert_true(a.significand == significand);
}

static const struct float80 one = {TOP, 0x3fff}, three = {3ull << 62, 0x4000},
                            ulp_of_one = {TOP, 0x3fff - 63}, half_ulp = {TOP, 0x3fff - 64},
                            infinity = {TOP, 0x7fff}, greatest = {~0ull, 0x7ffe}, least = {TOP, 1},
                            least_denormal = {1, 0};

/* 1 + 2^-64: a tie, to the even neighbour; (1 + 2^-63) + 2^-64: to the other one. */
static void ties_go_to_even(void **state)
{
    (void)state;
    struct float80_context c = ALL_MASKED;
    is(float80_add(&c, one, half_ulp, false, false), 0x3fff, TOP);
    assert_int_equal(c.raised, X87_PE);
    assert_false(c.up);
    const struct float80 odd = float80_add(&c, one, ulp_of_one, false, false);
    is(odd, 0x3fff, TOP | 1);
    is(float80_add(&c, odd, half_ulp, false, false), 0x3fff, TOP | 2);
    assert_true(c.up);
}

static void directions(void **state)
{
    (void)state;
    static const struct {
        uint8_t rounding;
        uint64_t of_third, of_minus_third;
    } cases[] = {{FLOAT80_NEAREST, 0xaaaaaaaaaaaaaaab, 0xaaaaaaaaaaaaaaab},
                 {FLOAT80_DOWN, 0xaaaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab},
                 {FLOAT80_UP, 0xaaaaaaaaaaaaaaab, 0xaaaaaaaaaaaaaaaa},
                 {FLOAT80_CUT, 0xaaaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaaa}};
    for (unsigned i = 0; i < 4; i++) {
        struct float80_context c = ALL_MASKED;
        c.rounding = cases[i].rounding;
        is(float80_divide(&c, one, three, false), 0x3ffd, cases[i].of_third);
        assert_int_equal(c.up, cases[i].of_third & 1);
        is(float80_divide(&c, one, number(0xc000, 3ull << 62), false), 0xbffd, cases[i].of_minus_third);
        assert_int_equal(c.up, cases[i].of_minus_third & 1);
    }
}

/* 1/3 = 0.0101..b */
static void precision(void **state)
{
    (void)state;
    struct float80_context c = {.precision = 24, .masked = X87_EXCEPTIONS};
    is(float80_divide(&c, one, three, false), 0x3ffd, 0xaaaaab0000000000);
    c.precision = 53;
    is(float80_divide(&c, one, three, false), 0x3ffd, 0xaaaaaaaaaaaaa800);
    assert_int_equal(c.raised, X87_PE);
}

static void ends_of_the_range(void **state)
{
    (void)state;
    struct float80_context c = ALL_MASKED;
    is(float80_add(&c, greatest, greatest, false, false), 0x7fff, TOP);
    assert_int_equal(c.raised, X87_OE | X87_PE);
    c = (struct float80_context)ALL_MASKED;
    c.rounding = FLOAT80_CUT;
    is(float80_add(&c, greatest, greatest, false, false), 0x7ffe, ~0ull);
    c = (struct float80_context){.precision = 64, .masked = X87_EXCEPTIONS & ~X87_OE};
    is(float80_add(&c, greatest, greatest, false, false), 0x7fff - 24576, ~0ull);
    assert_int_equal(c.raised, X87_OE);
    /* half of the least normal number: exact, so no underflow while it is masked */
    const struct float80 half = {TOP, 0x3ffe};
    c = (struct float80_context)ALL_MASKED;
    is(float80_multiply(&c, least, half, false), 0, 1ull << 62);
    assert_int_equal(c.raised, 0);
    c.masked &= (uint8_t)~X87_UE;
    is(float80_multiply(&c, least, half, false), 24576, TOP);
    assert_int_equal(c.raised, X87_UE);
    /* half of the least denormal one */
    c = (struct float80_context)ALL_MASKED;
    is(float80_multiply(&c, least_denormal, half, false), 0, 0);
    assert_int_equal(c.raised, X87_DE | X87_UE | X87_PE);
}

static void invalid_operations(void **state)
{
    (void)state;
    const struct float80 minus_infinity = {TOP, 0xffff}, zero = {0, 0}, unnormal = {1, 0x3fff};
    struct float80_context c = ALL_MASKED;
    is(float80_add(&c, infinity, minus_infinity, false, false), 0xffff, 3ull << 62);
    is(float80_multiply(&c, infinity, zero, false), 0xffff, 3ull << 62);
    is(float80_divide(&c, zero, zero, false), 0xffff, 3ull << 62);
    is(float80_square_root(&c, number(0xbfff, TOP)), 0xffff, 3ull << 62);
    is(float80_add(&c, unnormal, one, false, false), 0xffff, 3ull << 62);
    assert_int_equal(c.raised, X87_IE);
    c = (struct float80_context)ALL_MASKED;
    is(float80_divide(&c, number(0xbfff, TOP), zero, false), 0xffff, TOP);
    assert_int_equal(c.raised, X87_ZE);
}

static void nans(void **state)
{
    (void)state;
    const struct float80 quiet = {3ull << 62 | 5, 0x7fff}, larger = {3ull << 62 | 7, 0xffff},
                         signaling = {TOP | 9, 0x7fff};
    struct float80_context c = ALL_MASKED;
    is(float80_add(&c, quiet, one, false, false), 0x7fff, 3ull << 62 | 5);
    is(float80_add(&c, quiet, larger, false, false), 0xffff, 3ull << 62 | 7);
    is(float80_add(&c, quiet, least_denormal, false, false), 0x7fff, 3ull << 62 | 5);
    assert_int_equal(c.raised, 0);
    is(float80_add(&c, signaling, quiet, false, false), 0x7fff, 3ull << 62 | 5);
    is(float80_add(&c, one, signaling, false, false), 0x7fff, 3ull << 62 | 9);
    assert_int_equal(c.raised, X87_IE);
}

/* An unmasked exception of the operands leaves no room for those of the result. */
static void before_the_result(void **state)
{
    (void)state;
    struct float80_context c = {.precision = 64, .masked = X87_EXCEPTIONS & ~X87_DE};
    float80_add(&c, least_denormal, one, false, false);
    assert_int_equal(c.raised, X87_DE);
    assert_true(c.discard);
}

static void other_formats(void **state)
{
    (void)state;
    struct float80_context c = ALL_MASKED;
    is(float80_load(&c, 1, 32), 0x3fff - 149, TOP);
    assert_int_equal(c.raised, X87_DE);
    c = (struct float80_context)ALL_MASKED;
    assert_true(float80_store(&c, one, 64) == 0x3ff0000000000000);
    assert_true(float80_store(&c, number(0x3fff - 149, TOP), 32) == 1);
    assert_int_equal(c.raised, 0);
    assert_true(float80_store(&c, number(0x3fff - 150, TOP | 1), 32) == 1);
    assert_int_equal(c.raised, X87_UE | X87_PE);
    c = (struct float80_context)ALL_MASKED;
    assert_true(float80_store(&c, number(0x3fff + 128, TOP), 32) == 0x7f800000);
    assert_int_equal(c.raised, X87_OE | X87_PE);
    c = (struct float80_context)ALL_MASKED;
    assert_int_equal(float80_to_integer(&c, number(0xc000, 0xa000000000000000), 16, false), -2); /* -2.5 */
    assert_int_equal(float80_to_integer(&c, number(0x4000, 0xe000000000000000), 16, false), 4);  /* 3.5 */
    assert_int_equal(float80_to_integer(&c, number(0x4000, 0xe000000000000000), 16, true), 3);
    assert_int_equal(c.raised, X87_PE);
    assert_int_equal(float80_to_integer(&c, number(0x400e, TOP), 16, false), -32768); /* 2^15 */
    assert_int_equal(c.raised, X87_PE | X87_IE);
}

/* 2^70 mod 3: 2^70 = 4^35, of which the remainder is 1; more than 63 apart, so in two steps. */
static void remainders(void **state)
{
    (void)state;
    struct float80_context c = ALL_MASKED;
    bool partial;
    unsigned quotient;
    struct float80 a = float80_remainder(&c, number(0x3fff + 70, TOP), three, false, &partial, &quotient);
    assert_true(partial);
    a = float80_remainder(&c, a, three, false, &partial, &quotient);
    assert_false(partial);
    is(a, 0x3fff, TOP);
    /* 5 = 2 * 3 - 1 for FPREM1, 1 * 3 + 2 for FPREM */
    const struct float80 five = {0xa000000000000000, 0x4001};
    is(float80_remainder(&c, five, three, true, &partial, &quotient), 0xbfff, TOP);
    assert_int_equal(quotient, 2);
    is(float80_remainder(&c, five, three, false, &partial, &quotient), 0x4000, TOP);
    assert_int_equal(quotient, 1);
    assert_int_equal(c.raised, 0);
}

static void roots_and_scaling(void **state)
{
    (void)state;
    struct float80_context c = ALL_MASKED;
    is(float80_square_root(&c, number(0x4001, TOP)), 0x4000, TOP); /* of 4 */
    assert_int_equal(c.raised, 0);
    is(float80_square_root(&c, number(0x4000, TOP)), 0x3fff, 0xb504f333f9de6484); /* 1.41421356... */
    assert_int_equal(c.raised, X87_PE);
    is(float80_scale(&c, three, number(0xc000, 0xe000000000000000)), 0x4000 - 3,
       3ull << 62); /* 2^-3.5: cut */
    struct float80 significand;
    is(float80_extract(&c, number(0xc003, 5ull << 61), &significand), 0x4001, TOP); /* 4 */
    is(significand, 0xbfff, 5ull << 61);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties_go_to_even),    cmocka_unit_test(directions),
        cmocka_unit_test(precision),          cmocka_unit_test(ends_of_the_range),
        cmocka_unit_test(invalid_operations), cmocka_unit_test(nans),
        cmocka_unit_test(before_the_result),  cmocka_unit_test(other_formats),
        cmocka_unit_test(remainders),         cmocka_unit_test(roots_and_scaling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
