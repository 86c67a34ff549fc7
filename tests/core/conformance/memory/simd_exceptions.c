/*
 * conformance: exceptions of SSE: each flag masked and unmasked, #XM or #UD, what is left of the operands
 * SDM: 1, "SIMD Floating-Point Exceptions" and "SSE and SSE2 SIMD Floating-Point Exception Conditions"
 * SDM: 3A, "Interrupt 19—SIMD Floating-Point Exception (#XM)"
 * SDM: 1, "MXCSR Control and Status Register"
 */
#include "lab.h"

enum {
    IE = 1,
    DE = 2,
    ZE = 4,
    OE = 8,
    UE = 16,
    PE = 32,
    ALL = 0x3f,
    MASKS = 0x1f80,
    DAZ = 1 << 6,
    FTZ = 1 << 15,
    CR4_OSXMMEXCPT = 1 << 10
};

static uint64_t operand[2][2] __attribute__((aligned(16)));
static uint64_t result[2] __attribute__((aligned(16)));
static uint32_t mxcsr;

LAB_CODE(add_pd, "addpd %xmm1, %xmm0");
LAB_CODE(mul_pd, "mulpd %xmm1, %xmm0");
LAB_CODE(div_pd, "divpd %xmm1, %xmm0");
LAB_CODE(sqrt_pd, "sqrtpd %xmm1, %xmm0");
LAB_CODE(convert, "cvttsd2si %xmm1, %rax");
LAB_CODE(ordered, "comisd %xmm1, %xmm0");
LAB_CODE(unordered, "ucomisd %xmm1, %xmm0");
LAB_CODE(narrow, "cvtsd2ss %xmm1, %xmm0");
LAB_CODE(least, "minpd %xmm1, %xmm0");
LAB_CODE(equal_to, "cmpeqpd %xmm1, %xmm0");
LAB_CODE(add_pairs, "haddpd %xmm1, %xmm0");
LAB_CODE(to_integer, "cvtsd2si %xmm1, %rax");
LAB_CODE(from_memory, "divpd (%rbx), %xmm0");

#define ONE 0x3ff0000000000000ul
#define TWO 0x4000000000000000ul
#define THREE 0x4008000000000000ul
#define MINUS_ONE 0xbff0000000000000ul
#define MAX 0x7feffffffffffffful
#define MIN 0x0010000000000000ul  /* the least normal number */
#define TINY 0x0000000000000001ul /* the least denormal one */
#define INF 0x7ff0000000000000ul
#define QNAN 0x7ff8000000000000ul
#define SNAN 0x7ff0000000000001ul
#define INDEFINITE 0xfff8000000000000ul

static const struct {
    const char *name;
    const uint8_t *code;
    uint64_t a, b; /* low halves; the high ones are 1.0 */
    unsigned flags;
    uint64_t masked; /* XMM0 afterwards, or RAX */
    bool in_rax;
} pieces[] = {
    {"1 / 0", div_pd, ONE, 0, ZE, INF, false},
    {"0 / 0", div_pd, 0, 0, IE, INDEFINITE, false},
    {"1 / 3", div_pd, ONE, THREE, PE, 0x3fd5555555555555ul, false},
    {"2 * 3: exact", mul_pd, TWO, THREE, 0, 0x4018000000000000ul, false},
    {"square root of -1", sqrt_pd, 0, MINUS_ONE, IE, INDEFINITE, false},
    {"infinity - infinity", add_pd, INF, INF | 1ul << 63, IE, INDEFINITE, false},
    {"overflow", mul_pd, MAX, TWO, OE | PE, INF, false},
    {"underflow", mul_pd, MIN, 0x3fd5555555555555ul, UE | PE, 0x0005555555555555ul, false},
    {"signaling NaN", add_pd, SNAN, ONE, IE, SNAN | 1ul << 51, false},
    {"quiet NaN", add_pd, QNAN, ONE, 0, QNAN, false},
    {"conversion out of range", convert, 0, 0x43f0000000000000ul, IE, 1ul << 63, true},
    {"COMISD with a quiet NaN", ordered, QNAN, ONE, IE, QNAN, false},
    {"UCOMISD with a quiet NaN", unordered, QNAN, ONE, 0, QNAN, false},
    {"UCOMISD with a signaling NaN", unordered, SNAN, ONE, IE, SNAN, false},
    {"denormal + 1", add_pd, TINY, ONE, DE | PE, ONE, false},
    {"2^1023 * denormal", mul_pd, 0x7fe0000000000000ul, TINY, DE, 0x3cc0000000000000ul, false},
    {"denormal + quiet NaN", add_pd, TINY, QNAN, 0, QNAN, false},
    {"denormal + signaling NaN", add_pd, TINY, SNAN, IE, SNAN | 1ul << 51, false},
    {"denormal / 0", div_pd, TINY, 0, ZE, INF, false},
    {"0 / denormal", div_pd, 0, TINY, DE, 0, false},
    {"infinity + denormal", add_pd, INF, TINY, DE, INF, false},
    {"square root of a denormal number", sqrt_pd, 0, TINY, DE, 0x1e60000000000000ul, false},
    {"square root of a negative denormal number", sqrt_pd, 0, TINY | 1ul << 63, IE, INDEFINITE, false},
    {"MINPD", least, TINY, ONE, DE, TINY, false},
    {"CMPEQPD", equal_to, TINY, ONE, DE, 0, false},
    {"HADDPD", add_pairs, TINY, ONE, DE | PE, ONE, false},
    {"UCOMISD", unordered, TINY, ONE, DE, TINY, false},
    {"UCOMISD of a denormal number and a quiet NaN", unordered, TINY, QNAN, 0, TINY, false},
    {"COMISD", ordered, ONE, TINY, DE, ONE, false},
    {"CVTSD2SS of a denormal number", narrow, 0, TINY, DE | UE | PE, 0, false},
    {"CVTSD2SI has no denormal exception", to_integer, 0, TINY, PE, 0, true},
    {"CVTSD2SS, inexact", narrow, 0, 0x3fd5555555555555ul, PE, 0x3eaaaaabul, false},
};

static struct lab_state go(const uint8_t *code, uint64_t a, uint64_t b, uint32_t start)
{
    struct lab_state s = lab_start(code, 0);
    operand[0][0] = a;
    operand[1][0] = b;
    operand[0][1] = operand[1][1] = ONE;
    s.bx = (unsigned long)operand[1];
    __asm__ volatile("movapd %0, %%xmm0\n\tmovapd %1, %%xmm1\n\tldmxcsr %2"
                     :
                     : "m"(operand[0]), "m"(operand[1]), "m"(start));
    lab_go(&s);
    __asm__ volatile("stmxcsr %0\n\tmovapd %%xmm0, %1" : "=m"(mxcsr), "=m"(result) : : "memory");
    return s;
}

static void masked(void)
{
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const struct lab_state s = go(pieces[i].code, pieces[i].a, pieces[i].b, MASKS);
        LAB_EQUAL(s.vector, LAB_DONE, "%s, masked: no exception", pieces[i].name);
        LAB_EQUAL(mxcsr, MASKS | pieces[i].flags, "%s, masked: MXCSR", pieces[i].name);
        LAB_EQUAL(pieces[i].in_rax ? s.ax : result[0], pieces[i].masked, "%s, masked: the result",
                  pieces[i].name);
    }
}

/* With a NaN or a division by zero nothing after it is computed: flags of the result stay clear. */
static void unmasked(void)
{
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (unsigned flag = IE; flag <= PE; flag <<= 1) {
            const uint32_t start = MASKS & ~(flag << 7);
            const struct lab_state s = go(pieces[i].code, pieces[i].a, pieces[i].b, start);
            if (!(pieces[i].flags & flag)) {
                LAB_EQUAL(s.vector, LAB_DONE, "%s, %x unmasked: not raised", pieces[i].name, flag);
                continue;
            }
            LAB_EVENT(&s, LAB_XM, 0, pieces[i].code, "%s, %x unmasked", pieces[i].name, flag);
            LAB_EQUAL(mxcsr & flag, flag, "%s, %x unmasked: the flag", pieces[i].name, flag);
            LAB_EQUAL(result[0], pieces[i].a, "%s, %x unmasked: XMM0 is as before", pieces[i].name, flag);
            LAB_EQUAL(result[1], ONE, "%s, %x unmasked: its high half", pieces[i].name, flag);
        }
}

/* SDM volume 1, "Numeric Underflow Exception (#U)": masked, it takes a result that is tiny and inexact;
 * unmasked, a tiny one. */
static void exact_and_tiny(void)
{
    const uint64_t half = 0x3fe0000000000000ul, half_of_min = MIN >> 1;
    struct lab_state s = go(mul_pd, MIN, half, MASKS);
    LAB_EQUAL(s.vector, LAB_DONE, "tiny and exact, masked");
    LAB_EQUAL(mxcsr, MASKS, "no flag");
    LAB_EQUAL(result[0], half_of_min, "the result is denormal");
    s = go(mul_pd, MIN, half, MASKS & ~(UE << 7));
    LAB_EVENT(&s, LAB_XM, 0, mul_pd, "tiny and exact, underflow unmasked");
    LAB_EQUAL(mxcsr & ALL, UE, "underflow alone");
    LAB_EQUAL(result[0], MIN, "XMM0 is as before");
    s = go(mul_pd, MIN, half, (MASKS & ~(UE << 7)) | FTZ);
    LAB_EVENT(&s, LAB_XM, 0, mul_pd, "flush-to-zero is ignored then");
}

/* SDM volume 1, "Denormals-Are-Zeros", "Flush-To-Zero". */
static void zeros(void)
{
    struct lab_state s = go(add_pd, TINY, ONE, (MASKS & ~(DE << 7)) | DAZ);
    LAB_EQUAL(s.vector, LAB_DONE, "denormals are zeros: no denormal exception though it is unmasked");
    LAB_EQUAL(mxcsr & ALL, 0, "and no flag");
    s = go(unordered, TINY, ONE, MASKS | DAZ);
    LAB_EQUAL(mxcsr & ALL, 0, "UCOMISD neither");
    s = go(mul_pd, TINY, ONE, MASKS | FTZ);
    LAB_EQUAL(mxcsr & ALL, DE | UE | PE, "flush-to-zero concerns results: denormal, underflow, precision");
    LAB_EQUAL(result[0], 0, "of which is 0");
}

/* An element may be denormal while another one is inexact: nothing is computed, so the flag of the result stays
 * clear. SDM volume 1, "Handling Combinations of Masked and Unmasked Exceptions". */
static void elements(void)
{
    operand[0][0] = TINY;
    operand[0][1] = ONE;
    operand[1][0] = TINY;
    operand[1][1] = THREE;
    struct lab_state s = lab_start(div_pd, 0);
    __asm__ volatile("movapd %0, %%xmm0\n\tmovapd %1, %%xmm1\n\tldmxcsr %2"
                     :
                     : "m"(operand[0]), "m"(operand[1]), "m"((const uint32_t){MASKS & ~(DE << 7)}));
    lab_go(&s);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    LAB_EVENT(&s, LAB_XM, 0, div_pd, "one element denormal (unmasked), the other inexact");
    LAB_EQUAL(mxcsr & ALL, DE, "only what comes before a result is reported");
    __asm__ volatile("ldmxcsr %0" : : "m"((const uint32_t){MASKS}));
    lab_go(&s);
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    LAB_EQUAL(mxcsr & ALL, DE | PE, "masked: both");
}

/* (t0 + t1) + (t2 + t3), each step with its own rounding and exceptions: SDM volume 2, "DPPS". */
static void dot_product(void)
{
    enum { FLOAT_ONE = 0x3f800000, TO_24 = 0x4b800000 }; /* 2^24; one more in the last place is 2 */
    static const uint32_t a[4] __attribute__((aligned(16))) = {TO_24, FLOAT_ONE, FLOAT_ONE, FLOAT_ONE};
    static const uint32_t b[4] __attribute__((aligned(16))) = {FLOAT_ONE, 0, FLOAT_ONE, FLOAT_ONE};
    static const uint32_t tiny[4] __attribute__((aligned(16))) = {1, 0, 0, 0};
    uint32_t product[4] __attribute__((aligned(16)));
    const uint32_t masked_all = MASKS;
    __asm__ volatile("ldmxcsr %4; movaps %2, %%xmm0; dpps $0xf1, %3, %%xmm0; movaps %%xmm0, %0; stmxcsr %1"
                     : "=m"(product), "=m"(mxcsr)
                     : "m"(a), "m"(b), "m"(masked_all));
    LAB_EQUAL(product[0], TO_24 + 1, "DPPS adds the halves first");
    LAB_EQUAL(mxcsr & ALL, 0, "which is exact");
    LAB_EQUAL(product[1], 0, "what the mask leaves out is 0");
    __asm__ volatile("ldmxcsr %4; movaps %2, %%xmm0; dpps $0xe1, %3, %%xmm0; movaps %%xmm0, %0; stmxcsr %1"
                     : "=m"(product), "=m"(mxcsr)
                     : "m"(tiny), "m"(b), "m"(masked_all));
    LAB_EQUAL(mxcsr & ALL, 0, "a denormal element that the mask leaves out");
    __asm__ volatile("ldmxcsr %4; movaps %2, %%xmm0; dpps $0x11, %3, %%xmm0; movaps %%xmm0, %0; stmxcsr %1"
                     : "=m"(product), "=m"(mxcsr)
                     : "m"(tiny), "m"(b), "m"(masked_all));
    LAB_EQUAL(mxcsr & ALL, DE, "and one that is multiplied");
}

static void without_osxmmexcpt(void)
{
    write_cr4(read_cr4() & ~(unsigned long)CR4_OSXMMEXCPT);
    const struct lab_state s = go(div_pd, ONE, 0, MASKS & ~(ZE << 7));
    LAB_EVENT(&s, LAB_UD, 0, div_pd, "without CR4.OSXMMEXCPT: #UD");
    LAB_EQUAL(mxcsr & ZE, ZE, "and the flag is set");
    write_cr4(read_cr4() | CR4_OSXMMEXCPT);
}

/* Flags that are set already raise nothing; neither does LDMXCSR: SDM volume 2, "LDMXCSR". */
static void sticky_flags(void)
{
    const struct lab_state s = go(mul_pd, TWO, THREE, ALL);
    LAB_EQUAL(s.vector, LAB_DONE, "flags set and unmasked: an exact product raises nothing");
    LAB_EQUAL(mxcsr, ALL, "MXCSR is as it was");
}

/* A page fault of the operand comes before the arithmetic. */
static void memory_operand(void)
{
    struct lab_state s = go(from_memory, ONE, 0, MASKS & ~(ZE << 7));
    LAB_EVENT(&s, LAB_XM, 0, from_memory, "the operand in memory");
    s = lab_start(from_memory, 0);
    s.bx = 1ul << 63;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, from_memory, "an operand that cannot be read comes first");
    __asm__ volatile("ldmxcsr %0" : : "m"((const uint32_t){MASKS}));
}

/* The handler masks the exception and returns: the instruction is executed again. */
static void again(void)
{
    struct lab_state s = go(div_pd, ONE, 0, MASKS & ~(ZE << 7));
    const uint32_t all_masked = MASKS;
    __asm__ volatile("ldmxcsr %0" : : "m"(all_masked));
    s.cs = LAB_CODE0;
    lab_go(&s);
    __asm__ volatile("movapd %%xmm0, %0" : "=m"(result) : : "memory");
    LAB_EQUAL(s.vector, LAB_DONE, "once it is masked it completes");
    LAB_EQUAL(result[0], INF, "with the result");
}

int main(void)
{
    lab_init();
    masked();
    unmasked();
    without_osxmmexcpt();
    exact_and_tiny();
    zeros();
    elements();
    dot_product();
    sticky_flags();
    memory_operand();
    again();
    lab_end();
}
