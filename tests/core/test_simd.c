/*
 * MXCSR's flags and the exceptions of SSE arithmetic. SDM volume 1, "MXCSR Control and Status Register",
 * "SIMD Floating-Point Exceptions"; volume 3A, "Interrupt 19--SIMD Floating-Point Exception (#XM)".
 */
#include "tests/core/harness.h"

enum {
    AT = 0x3000, /* operands */
    MXCSR_AT = 0x3100,
    RESULT = 0x3200,
    IE = 1,
    ZE = 4,
    OE = 8,
    UE = 16,
    PE = 32,
    DAZ = 1 << 6,
    ALL_MASKED = 0x1f80,
    FTZ = 1 << 15,
    UNMASK_IE = 1 << 7,
    UNMASK_ZE = 1 << 9,
    UNMASK_PE = 1 << 12,
};

static void set_float(struct harness *h, unsigned index, uint32_t bits)
{
    memcpy(h->mem.ram + AT + 4 * index, &bits, 4);
}
static uint32_t word(const struct harness *h, uint64_t at)
{
    uint32_t value;
    memcpy(&value, h->mem.ram + at, sizeof value);
    return value;
}

/* ldmxcsr [MXCSR_AT]; movups xmm0,[AT]; ...; stmxcsr [MXCSR_AT]; movups [RESULT],xmm0; hlt. Of the
 * instruction in the middle the memory operand is AT + 16. */
static uint64_t run(struct harness *h, uint32_t mxcsr, const void *middle, size_t bytes)
{
    static const uint8_t before[] = {0x0f, 0xae, 0x15, 0, 0x31, 0, 0, 0x0f, 0x10, 0x05, 0, 0x30, 0, 0};
    static const uint8_t after[] = {0x0f, 0xae, 0x1d, 0, 0x31, 0, 0, 0x0f, 0x11, 0x05, 0, 0x32, 0, 0, 0xf4};
    uint64_t at = HARNESS_CODE + sizeof before;
    harness_flat_32(h);
    h->exceptions = 0;
    h->state.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    memcpy(h->mem.ram + MXCSR_AT, &mxcsr, sizeof mxcsr);
    harness_load(h, HARNESS_CODE, before, sizeof before);
    harness_load(h, at, middle, bytes);
    harness_load(h, at + bytes, after, sizeof after);
    harness_run(h);
    return at;
}
#define RUN(h, mxcsr, ...)                                                                                   \
    run(h, mxcsr, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define DIVPS 0x0f, 0x5e, 0x05, 0x10, 0x30, 0, 0

static void operands(struct harness *h, uint32_t a, uint32_t b)
{
    for (unsigned i = 0; i < 4; i++) {
        set_float(h, i, a);
        set_float(h, 4 + i, b);
    }
}

enum {
    ONE = 0x3f800000,
    THREE = 0x40400000,
    INFINITE = 0x7f800000,
    HUGE_ONE = 0x7f000000,
    TINY = 0x00800000,
    QNAN = (int)0xffc00000
};

static void flags_are_there_for_stmxcsr(void **state)
{
    static const struct {
        uint32_t a, b, flags;
    } cases[] = {{ONE, ONE, 0}, {ONE, THREE, PE},          {ONE, 0, ZE},
                 {0, 0, IE},    {HUGE_ONE, TINY, OE | PE}, {TINY, HUGE_ONE, UE | PE}};
    struct harness *h = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        operands(h, cases[i].a, cases[i].b);
        RUN(h, ALL_MASKED, DIVPS);
        assert_int_equal(h->exceptions, 0);
        assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | cases[i].flags);
        assert_int_equal(core_checked_steps(h->core), 0);
    }
}

/* Flags stay until they are written; FXSAVE shows them too. */
static void flags_are_sticky_and_saved(void **state)
{
    struct harness *h = *state;
    operands(h, ONE, THREE);
    RUN(h, ALL_MASKED | ZE, DIVPS, 0x0f, 0xae, 0x05, 0, 0x40, 0, 0); /* fxsave [4000h] */
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | ZE | PE);
    assert_int_equal(word(h, 0x4000 + 24), ALL_MASKED | ZE | PE);
    const uint32_t clear = ALL_MASKED;
    memcpy(h->mem.ram + 0x4000 + 24, &clear, sizeof clear);
    operands(h, ONE, ONE);
    RUN(h, ALL_MASKED | ZE, 0x0f, 0xae, 0x0d, 0, 0x40, 0, 0); /* fxrstor [4000h] */
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED);
}

static void an_unmasked_exception_faults(void **state)
{
    struct harness *h = *state;
    operands(h, ONE, 0);
    uint64_t at = RUN(h, ALL_MASKED & ~UNMASK_ZE, DIVPS);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_XM);
    assert_false(h->event.has_error_code);
    assert_int_equal(h->state.rip, at);
    /* the destination is as it was, MXCSR tells why */
    static const uint8_t look[] = {0x0f, 0xae, 0x1d, 0, 0x31, 0, 0, 0x0f, 0x11, 0x05, 0, 0x32, 0, 0, 0xf4};
    harness_load(h, HARNESS_CODE + 0x100, look, sizeof look);
    h->state.rip = HARNESS_CODE + 0x100;
    harness_run(h);
    assert_int_equal(word(h, MXCSR_AT), (ALL_MASKED & ~UNMASK_ZE) | ZE);
    assert_int_equal(word(h, RESULT), ONE);
    assert_int_equal(word(h, RESULT + 12), ONE);
}

/* Without CR4.OSXMMEXCPT it is #UD. */
static void without_osxmmexcpt(void **state)
{
    struct harness *h = *state;
    static const uint8_t code[] = {0x0f, 0xae, 0x15, 0,    0x31, 0,
                                   0,    0x0f, 0x5e, 0xc0, 0xf4}; /* divps xmm0,xmm0: 0/0 */
    const uint32_t mxcsr = ALL_MASKED & ~UNMASK_IE;
    h->state.cr4 = CR4_OSFXSR;
    memcpy(h->mem.ram + MXCSR_AT, &mxcsr, sizeof mxcsr);
    harness_load(h, HARNESS_CODE, code, sizeof code);
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_UD);
    assert_int_equal(h->state.rip, HARNESS_CODE + 7);
}

/* An exception that is masked beside an unmasked one that does not occur. */
static void what_stays_masked_goes_on(void **state)
{
    struct harness *h = *state;
    operands(h, ONE, THREE);
    RUN(h, ALL_MASKED & ~UNMASK_ZE, DIVPS);
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(word(h, MXCSR_AT), (ALL_MASKED & ~UNMASK_ZE) | PE);
    assert_int_equal(word(h, RESULT), 0x3eaaaaab);
    assert_int_equal(core_checked_steps(h->core), 1);
}

/* One element invalid (unmasked), another inexact: no result is computed, and only what comes before is
 * reported. */
static void before_the_result(void **state)
{
    struct harness *h = *state;
    operands(h, ONE, THREE);
    set_float(h, 0, 0);
    set_float(h, 4, 0);
    RUN(h, ALL_MASKED & ~UNMASK_IE, DIVPS);
    assert_int_equal(h->event.vector, VECTOR_XM);
    static const uint8_t look[] = {0x0f, 0xae, 0x1d, 0, 0x31, 0, 0, 0xf4};
    harness_load(h, HARNESS_CODE + 0x100, look, sizeof look);
    h->state.rip = HARNESS_CODE + 0x100;
    harness_run(h);
    assert_int_equal(word(h, MXCSR_AT), (ALL_MASKED & ~UNMASK_IE) | IE);
}

/* COMISS of a quiet NaN is invalid and leaves RFLAGS; UCOMISS is not. */
static void comparisons(void **state)
{
    struct harness *h = *state;
    operands(h, ONE, (uint32_t)QNAN);
    RUN(h, ALL_MASKED, 0x0f, 0x2e, 0x05, 0x10, 0x30, 0, 0); /* ucomiss */
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED);
    RUN(h, ALL_MASKED & ~UNMASK_IE, 0x31, 0xc0, 0x40, 0x0f, 0x2f, 0x05, 0x10, 0x30, 0,
        0); /* xor eax,eax; inc eax; comiss */
    assert_int_equal(h->event.vector, VECTOR_XM);
    assert_int_equal(h->state.rflags & RFLAGS_ARITHMETIC, 0);
}

/* FTZ is SSE's; DAZ makes denormal operands zero. */
static void flush_and_denormals_are_zero(void **state)
{
    struct harness *h = *state;
    operands(h, TINY, 0x40000000); /* half of the least normal number */
    RUN(h, ALL_MASKED, DIVPS);
    assert_int_equal(word(h, RESULT), 0x00400000);
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED); /* exact: no underflow while masked */
    RUN(h, ALL_MASKED | FTZ, DIVPS);
    assert_int_equal(word(h, RESULT), 0);
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | FTZ | UE | PE);
    operands(h, 0x00400000, ONE);
    RUN(h, ALL_MASKED | DAZ, DIVPS);
    assert_int_equal(word(h, RESULT), 0);
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | DAZ);
}

/* SDM volume 1, "Denormal-Operand Exception (#D)". Elements of which one is denormal, for every form. */
static void denormal_operands(void **state)
{
    enum { DENORMAL = 0x00000001, DE = 2, RSQRTPS = 0x52, RCPPS = 0x53 };
    static const struct {
        uint8_t prefix, opcode, immediate;
        uint32_t a, b, flags;
    } cases[] = {
        {0, 0x58, 0, DENORMAL, ONE, DE | PE},
        {0xf3, 0x58, 0, ONE, DENORMAL, DE | PE},
        {0, 0x5c, 0, DENORMAL, DENORMAL, DE},
        {0, 0x59, 0, DENORMAL, ONE, DE},
        {0xf3, 0x59, 0, DENORMAL, (uint32_t)QNAN, 0},
        {0, 0x5e, 0, DENORMAL, 0, ZE},
        {0xf3, 0x5e, 0, ONE, DENORMAL, DE | OE | PE},
        {0, 0x51, 0, DENORMAL, ONE, 0},
        {0, 0x51, 0, ONE, DENORMAL, DE | PE},
        {0xf3, 0x5d, 0, DENORMAL, ONE, DE},
        {0, 0x5f, 0, DENORMAL, (uint32_t)QNAN, IE},
        {0, 0x2e, 0, DENORMAL, ONE, DE},
        {0, 0x2f, 0, ONE, DENORMAL, DE},
        {0, 0x5a, 0, ONE, DENORMAL, DE},
        {0xf3, 0x5a, 0, ONE, DENORMAL, DE},
        {0, 0x5b, 0, ONE, DENORMAL, 0},
        {0x66, 0x5b, 0, ONE, DENORMAL, PE},
        {0, RSQRTPS, 0, ONE, DENORMAL, 0},
        {0, RCPPS, 0, ONE, DENORMAL, 0},
        {0xf2, 0x7c, 0, DENORMAL, ONE, DE},
        {0xf2, 0xd0, 0, ONE, DENORMAL, DE | PE},
    };
    struct harness *h = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint8_t code[] = {
            cases[i].prefix ? cases[i].prefix : 0x3e, 0x0f, cases[i].opcode, 0x05, 0x10, 0x30, 0, 0};
        operands(h, cases[i].a, cases[i].b);
        run(h, ALL_MASKED, code, sizeof code);
        assert_int_equal(h->exceptions, 0);
        assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | cases[i].flags);
    }
    for (uint8_t predicate = 0; predicate < 8; predicate++) {
        operands(h, DENORMAL, ONE);
        RUN(h, ALL_MASKED, 0x0f, 0xc2, 0x05, 0x10, 0x30, 0, 0, predicate);
        assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | DE);
        operands(h, DENORMAL, ONE);
        RUN(h, ALL_MASKED | DAZ, 0xf3, 0x0f, 0xc2, 0x05, 0x10, 0x30, 0, 0, predicate);
        assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | DAZ);
    }
    operands(h, DENORMAL, ONE);
    uint64_t at = RUN(h, ALL_MASKED & ~(1u << 8), DIVPS);
    assert_int_equal(h->event.vector, VECTOR_XM);
    assert_int_equal(h->state.rip, at);
}

/* SDM volume 1, "Numeric Underflow Exception (#U)". */
static void exact_underflow_unmasked(void **state)
{
    struct harness *h = *state;
    operands(h, TINY, 0x40000000);
    uint64_t at = RUN(h, ALL_MASKED & ~(1u << 11), DIVPS);
    assert_int_equal(h->event.vector, VECTOR_XM);
    assert_int_equal(h->state.rip, at);
    operands(h, ONE, 0x40000000);
    RUN(h, ALL_MASKED & ~(1u << 11), DIVPS);
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(word(h, RESULT), 0x3f000000);
}

static void approximations_and_rounding_raise_nothing(void **state)
{
    struct harness *h = *state;
    operands(h, ONE, 0);
    RUN(h, ALL_MASKED, 0x0f, 0x53, 0x05, 0x10, 0x30, 0, 0); /* rcpps: 1/0 */
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED);
    assert_int_equal(word(h, RESULT), INFINITE);
    operands(h, ONE, 0x3fc00000); /* 1.5 */
    RUN(h, ALL_MASKED, 0x66, 0x0f, 0x3a, 0x08, 0x05, 0x10, 0x30, 0, 0,
        8); /* roundps, no precision exception */
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED);
    RUN(h, ALL_MASKED, 0x66, 0x0f, 0x3a, 0x08, 0x05, 0x10, 0x30, 0, 0, 0);
    assert_int_equal(word(h, MXCSR_AT), ALL_MASKED | PE);
}

static void reserved_bits_of_mxcsr(void **state)
{
    struct harness *h = *state;
    operands(h, ONE, ONE);
    RUN(h, 0x10000 | ALL_MASKED, DIVPS);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_GP);
    assert_int_equal(h->state.rip, HARNESS_CODE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(flags_are_there_for_stmxcsr),
        T(flags_are_sticky_and_saved),
        T(an_unmasked_exception_faults),
        T(without_osxmmexcpt),
        T(what_stays_masked_goes_on),
        T(before_the_result),
        T(comparisons),
        T(flush_and_denormals_are_zero),
        T(denormal_operands),
        T(exact_underflow_unmasked),
        T(approximations_and_rounding_raise_nothing),
        T(reserved_bits_of_mxcsr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
