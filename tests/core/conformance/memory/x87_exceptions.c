/*
 * conformance: exceptions of the x87 unit: flags, stack faults, masked and unmasked answers, #MF at the next instruction that waits
 * SDM: 1, "x87 FPU Floating-Point Exception Conditions"
 * SDM: 1, "x87 FPU Exception Synchronization"
 * SDM: 1, "Stack Overflow or Underflow Exception (#IS)"
 * SDM: 1, "Numeric Overflow Exception (#O)"
 * SDM: 1, "Numeric Underflow Exception (#U)"
 * SDM: 3A, "Interrupt 16—x87 FPU Floating-Point Error (#MF)"
 */
#include "lab.h"

enum {
    IE = 1,
    DE = 2,
    ZE = 4,
    OE = 8,
    UE = 16,
    PE = 32,
    SF = 1 << 6,
    ES = 1 << 7,
    C1 = 1 << 9,
    B = 1 << 15,
    TOP = 7 << 11,
    MASKED = 0x37f,
    ROUND_UP = 2 << 10,
    FLAGS = IE | DE | ZE | OE | UE | PE | SF,
    TF = 1 << 8
};
#define CR0_TS 8ul

/* RBX points to it: offsets stand in the code below. */
static struct {
    uint16_t control, unused[3];
    uint64_t a, b;            /* 8, 16 */
    uint64_t result[2];       /* 24 */
    uint32_t environment[28]; /* 40 */
    uint16_t status[2];       /* 152, 154 */
} work __attribute__((aligned(16)));

/* ST(0) = a, ST(1) = b */
#define BEGIN "fninit; fldl 16(%rbx); fldl 8(%rbx); fldcw (%rbx);"
#define STORE "fnstsw 152(%rbx); fnclex; fstpt 24(%rbx);"
LAB_CODE(add, BEGIN "fadd %st(1); " STORE);
LAB_CODE(multiply, BEGIN "fmul %st(1); " STORE);
LAB_CODE(divide, BEGIN "fdiv %st(1); " STORE);
LAB_CODE(root, BEGIN "fsqrt; " STORE);
LAB_CODE(round_it, BEGIN "frndint; " STORE);
LAB_CODE(compare, BEGIN "fcom %st(1); " STORE);
LAB_CODE(quiet_compare, BEGIN "fucom %st(1); " STORE);
LAB_CODE(add_single, BEGIN "fadds 16(%rbx); " STORE);
LAB_CODE(to_single, BEGIN "fsts 24(%rbx); fnstsw 152(%rbx); fnclex");
LAB_CODE(to_integer, BEGIN "fistl 24(%rbx); fnstsw 152(%rbx); fnclex");
LAB_CODE(load_single, "fninit; fldcw (%rbx); flds 8(%rbx); " STORE);
LAB_CODE(remainder_of, BEGIN "fprem; " STORE);
LAB_CODE(overflowing, "fninit; fldcw (%rbx); fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fldz; " STORE);
LAB_CODE(underflowing, "fninit; fldcw (%rbx); fld1; fadd %st(1); " STORE);
LAB_CODE(nothing_to_pop, "fninit; fldcw (%rbx); fstpl 24(%rbx); fnstsw 152(%rbx); fnclex");

#define ONE 0x3ff0000000000000ul
#define TWO 0x4000000000000000ul
#define THREE 0x4008000000000000ul
#define MINUS_ONE 0xbff0000000000000ul
#define HUGE 0x7feffffffffffffful
#define INF 0x7ff0000000000000ul
#define QNAN 0x7ff8000000000000ul
#define SNAN 0x7ff0000000000001ul

static struct lab_state go(const uint8_t *code, unsigned control, uint64_t a, uint64_t b)
{
    struct lab_state s = lab_start(code, 0);
    memset(&work, 0xee, sizeof work);
    work.control = (uint16_t)control;
    work.a = a;
    work.b = b;
    s.bx = (unsigned long)&work;
    lab_go(&s);
    return s;
}

static const struct {
    const char *name;
    const uint8_t *code;
    uint64_t a, b;
    unsigned control, status;
    uint64_t significand; /* or what is stored */
    unsigned sign_exponent;
} pieces[] = {
    {"1 + 2", add, ONE, TWO, MASKED, 0, 0xc000000000000000, 0x4000},
    {"1 / 3, rounded up from ...AAAA|AA", divide, ONE, THREE, MASKED, PE | C1, 0xaaaaaaaaaaaaaaab, 0x3ffd},
    {"1 / 3 with 53 bits, rounded down", divide, ONE, THREE, 0x27f, PE, 0xaaaaaaaaaaaaa800, 0x3ffd},
    {"2 / 3, upwards", divide, TWO, THREE, MASKED | ROUND_UP, PE | C1, 0xaaaaaaaaaaaaaaab, 0x3ffe},
    {"1 / 0", divide, ONE, 0, MASKED, ZE, 1ul << 63, 0x7fff},
    {"0 / 0", divide, 0, 0, MASKED, IE, 3ul << 62, 0xffff},
    {"square root of -1", root, MINUS_ONE, 0, MASKED, IE, 3ul << 62, 0xffff},
    {"infinity - infinity", add, INF, INF | 1ul << 63, MASKED, IE, 3ul << 62, 0xffff},
    {"a quiet NaN", add, QNAN, ONE, MASKED, 0, 3ul << 62, 0x7fff},
    {"FCOM with a quiet NaN", compare, QNAN, ONE, MASKED, IE, 3ul << 62, 0x7fff},
    {"FUCOM with a quiet NaN", quiet_compare, QNAN, ONE, MASKED, 0, 3ul << 62, 0x7fff},
    {"FRNDINT of 1", round_it, ONE, 0, MASKED, 0, 1ul << 63, 0x3fff},
    {"FPREM of 3 and 2: the quotient's last bit in C1", remainder_of, THREE, TWO, MASKED, C1, 1ul << 63,
     0x3fff},
    {"FADD of a denormal single-precision number", add_single, ONE, 1, MASKED, DE | PE, 1ul << 63, 0x3fff},
    {"FLD of a denormal single-precision number", load_single, 1, 0, MASKED, DE, 1ul << 63, 0x3fff - 149},
    {"FLD of a signaling NaN", load_single, 0x7f800001, 0, MASKED, IE, 0xc000010000000000, 0x7fff},
    {"FST of a number too large", to_single, HUGE, 0, MASKED, OE | PE | C1, 0x7f800000, 0},
    {"FST of a tiny number", to_single, 0x3690000000000000ul, 0, MASKED | ROUND_UP, UE | PE | C1, 1, 0},
    {"FIST of a number too large", to_integer, HUGE, 0, MASKED, IE, 0x80000000, 0},
    {"FIST of 1/2", to_integer, 0x3fe0000000000000ul, 0, MASKED, PE, 0, 0},
    {"a ninth value: stack overflow", overflowing, 0, 0, MASKED, IE | SF | C1, 3ul << 62, 0xffff},
    {"an operand that is not there: stack underflow", underflowing, 0, 0, MASKED, IE | SF, 3ul << 62, 0xffff},
    {"FSTP of nothing", nothing_to_pop, 0, 0, MASKED, IE | SF, 0xfff8000000000000ul, 0},
};

static void masked(void)
{
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const struct lab_state s = go(pieces[i].code, pieces[i].control, pieces[i].a, pieces[i].b);
        LAB_EQUAL(s.vector, LAB_DONE, "%s: no exception", pieces[i].name);
        LAB_EQUAL(work.status[0] & (FLAGS | C1 | ES | B), pieces[i].status, "%s: the status word",
                  pieces[i].name);
        const bool stored = pieces[i].code == to_single || pieces[i].code == to_integer;
        LAB_EQUAL(stored ? (uint32_t)work.result[0] : work.result[0], pieces[i].significand, "%s: the result",
                  pieces[i].name);
        if (!stored && pieces[i].code != nothing_to_pop)
            LAB_EQUAL(work.result[1] & 0xffff, pieces[i].sign_exponent, "%s: its exponent", pieces[i].name);
    }
}

LAB_LABEL(at_mf);
LAB_CODE(divide_then_load, BEGIN "fdiv %st(1); fnstsw 152(%rbx); at_mf: fld1");
LAB_LABEL(at_wait);
LAB_CODE(divide_then_wait, BEGIN "fdiv %st(1); nop; at_wait: fwait");
LAB_LABEL(at_mmx);
LAB_CODE(divide_then_mmx, BEGIN "fdiv %st(1); at_mmx: movd %eax, %mm0");
LAB_LABEL(at_emms);
LAB_CODE(divide_then_emms, BEGIN "fdiv %st(1); at_emms: emms");
LAB_LABEL(at_fldcw);
LAB_CODE(divide_then_fldcw, BEGIN "fdiv %st(1); at_fldcw: fldcw (%rbx)");
LAB_LABEL(at_fldenv);
LAB_CODE(divide_then_fldenv, BEGIN "fdiv %st(1); at_fldenv: fldenv 40(%rbx)");
LAB_LABEL(at_memory);
LAB_CODE(divide_then_memory, BEGIN "fdiv %st(1); at_memory: fldl (%rax)");
LAB_LABEL(at_nop);
LAB_CODE(divide_then_nop, BEGIN "fdiv %st(1); at_nop: fnop");

/* Only those that wait report it; it is the fault of the instruction that waits, which has not begun. */
static void at_the_next(void)
{
    static const struct {
        const char *name;
        const uint8_t *code, *at;
    } waiting[] = {
        {"FLD1", divide_then_load, at_mf},
        {"FWAIT", divide_then_wait, at_wait},
        {"MOVD MM0, EAX", divide_then_mmx, at_mmx},
        {"EMMS", divide_then_emms, at_emms},
        {"FLDCW", divide_then_fldcw, at_fldcw},
        {"FLDENV", divide_then_fldenv, at_fldenv},
        {"FNOP", divide_then_nop, at_nop},
        {"FLD of an address that is not canonical", divide_then_memory, at_memory},
    };
    for (unsigned i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        struct lab_state s = lab_start(waiting[i].code, 0);
        work.control = MASKED & ~ZE;
        work.a = ONE;
        work.b = 0;
        s.bx = (unsigned long)&work;
        s.ax = 1ul << 63;
        lab_go(&s);
        LAB_EVENT(&s, LAB_MF, 0, waiting[i].at, "%s waits: #MF", waiting[i].name);
        uint16_t status;
        __asm__ volatile("fnstsw %0; fnclex; fstpt %1" : "=m"(status), "=m"(work.result) : : "memory");
        LAB_EQUAL(status & (FLAGS | ES | B), ZE | ES | B, "flags, ES and B");
        LAB_EQUAL(status & TOP, 6 << 11, "the stack is as it was");
        LAB_EQUAL(work.result[0] == 1ul << 63 && (work.result[1] & 0xffff) == 0x3fff, 1,
                  "ST(0) is as before the division");
    }
}

LAB_CODE(not_waiting, BEGIN "fdiv %st(1); fnstsw %ax; mov %ax, 154(%rbx); fnstcw 24(%rbx); fnstenv 40(%rbx); "
                            "fnstcw 26(%rbx); fnstsw 152(%rbx); fnclex; fld1");
LAB_CODE(initializes, BEGIN "fdiv %st(1); fninit; fld1; fnstsw 152(%rbx)");
LAB_CODE(saves, BEGIN "fdiv %st(1); fnsave 40(%rbx); fld1; fnstsw 152(%rbx)");

/* SDM volume 2, "FSTENV/FNSTENV": all exceptions are masked afterwards. */
static void those_that_do_not_wait(void)
{
    struct lab_state s = go(not_waiting, MASKED & ~ZE, ONE, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "FNSTSW, FNSTCW, FNSTENV, FNCLEX do not wait");
    LAB_EQUAL(work.status[1] & (FLAGS | ES | B), ZE | ES | B, "FNSTSW AX");
    LAB_EQUAL(work.result[0] & 0xffff, MASKED & ~ZE, "FNSTCW");
    LAB_EQUAL(work.environment[0] & 0xffff, MASKED & ~ZE, "FNSTENV: the control word");
    LAB_EQUAL(work.environment[1] & (FLAGS | ES | B), ZE | ES | B, "FNSTENV: the status word");
    LAB_EQUAL(work.result[0] >> 16 & 0xffff, MASKED, "after FNSTENV all exceptions are masked");
    LAB_EQUAL(work.status[0] & (FLAGS | ES | B), ZE, "and none is pending");
    s = go(initializes, MASKED & ~ZE, ONE, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "FNINIT does not wait");
    LAB_EQUAL(work.status[0], TOP, "and clears all");
    s = go(saves, MASKED & ~ZE, ONE, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "FNSAVE does not wait");
    LAB_EQUAL(work.environment[1] & (FLAGS | ES | B), ZE | ES | B, "stores what is pending");
    LAB_EQUAL(work.status[0], TOP, "and clears it");
}

LAB_LABEL(at_unmasked);
LAB_CODE(unmasks,
         BEGIN "movw $0x37f, (%rbx); fldcw (%rbx); fdiv %st(1); fnstsw 154(%rbx); movw $0x37b, (%rbx); "
               "fldcw (%rbx); fnstsw 152(%rbx); at_unmasked: fld1");
LAB_LABEL(at_restored);
LAB_CODE(restores, BEGIN "fnstenv 40(%rbx); movw $0x37b, 40(%rbx); orw $4, 44(%rbx); fldenv 40(%rbx); "
                         "fnstsw 152(%rbx); at_restored: fld1");

/* A flag that is set becomes pending when it is unmasked. */
static void unmasked_later(void)
{
    struct lab_state s = go(unmasks, MASKED, ONE, 0);
    LAB_EVENT(&s, LAB_MF, 0, at_unmasked, "FLDCW that unmasks a flag: #MF at the next");
    LAB_EQUAL(work.status[1] & (FLAGS | ES | B), ZE, "before: the flag alone");
    LAB_EQUAL(work.status[0] & (FLAGS | ES | B), ZE | ES | B, "then ES and B too");
    s = go(restores, MASKED, ONE, 0);
    LAB_EVENT(&s, LAB_MF, 0, at_restored, "FLDENV with a flag that is not masked: #MF at the next");
    LAB_EQUAL(work.status[0] & (FLAGS | ES | B), ZE | ES | B, "ES and B follow from the flags");
    __asm__ volatile("fnclex; fninit");
}

LAB_CODE(product, BEGIN "fmul %st(1); " STORE "fnstsw 154(%rbx)");
LAB_CODE(pops_single, BEGIN "fstps 24(%rbx); fnstsw 152(%rbx); fnclex");
LAB_CODE(load_denormal, "fninit; fldcw (%rbx); flds 8(%rbx); fnstsw 152(%rbx); fnclex");

/* The answers to unmasked exceptions of the result. */
static void results(void)
{
    static const uint64_t large = 0x7fe0000000000000ul; /* 2^1023: 16 of them leave the range of 80 bits */
    struct lab_state s = go(pops_single, MASKED & ~OE, large, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "FSTP m32, overflow unmasked: nothing at once");
    LAB_EQUAL((uint32_t)work.result[0], 0xeeeeeeee, "memory is as before");
    LAB_EQUAL(work.status[0] & (FLAGS | ES | TOP), OE | ES | 6 << 11, "nothing is popped");
    s = go(pops_single, MASKED & ~UE, 0x3690000000000000ul, 0);
    LAB_EQUAL((uint32_t)work.result[0], 0xeeeeeeee, "underflow unmasked: memory is as before");
    LAB_EQUAL(work.status[0] & (FLAGS | ES | TOP), UE | ES | 6 << 11, "nothing is popped");
    s = go(pops_single, MASKED & ~PE, 0x3fd5555555555555ul, 0);
    LAB_EQUAL((uint32_t)work.result[0], 0x3eaaaaab, "precision unmasked: the result is stored");
    LAB_EQUAL(work.status[0] & (FLAGS | ES | TOP), PE | ES | 7 << 11, "and popped");
    s = go(load_denormal, MASKED & ~DE, 1, 0);
    LAB_EQUAL(work.status[0] & (FLAGS | ES | TOP), DE | ES, "denormal unmasked: nothing is loaded");
    s = go(overflowing, MASKED & ~IE, 0, 0);
    LAB_EQUAL(work.status[0] & (FLAGS | ES | C1 | TOP), IE | SF | C1 | ES,
              "stack overflow unmasked: nothing is loaded");
    LAB_EQUAL(work.result[0], 1ul << 63, "and nothing overwritten");
}

LAB_CODE(overflows_register, "fninit; fldcw (%rbx); fldt greatest_number; fadd %st(0); " STORE);
LAB_CODE(underflows_register, "fninit; fldcw (%rbx); fldt least_number; fldt least_number; fmulp; " STORE);
__asm__(".pushsection .rodata\ngreatest_number: .quad 0xffffffffffffffff\n .short 0x7ffe\n"
        "least_number: .quad 0x8000000000000000\n .short 1\n.popsection");

/* Of registers the exponent is adjusted by 24576: SDM volume 1, "Numeric Overflow Exception (#O)". */
static void adjusted(void)
{
    go(overflows_register, MASKED & ~OE, 0, 0);
    LAB_EQUAL(work.status[0] & (FLAGS | ES | C1), OE | ES, "overflow unmasked");
    LAB_EQUAL(work.result[1] & 0xffff, 0x7fff - 24576, "the exponent is smaller by 24576");
    LAB_EQUAL(work.result[0], ~0ul, "the significand is right");
    go(overflows_register, MASKED, 0, 0);
    LAB_EQUAL(work.status[0] & (FLAGS | ES | C1), OE | PE | C1, "masked");
    LAB_EQUAL(work.result[1] & 0xffff, 0x7fff, "infinity");
    go(underflows_register, MASKED & ~UE, 0, 0);
    LAB_EQUAL(work.status[0] & (FLAGS | ES | C1), UE | ES, "underflow unmasked, though exact");
    LAB_EQUAL(work.result[1] & 0xffff, 1 + 1 - 16383 + 24576, "the exponent is larger by 24576");
    go(underflows_register, MASKED, 0, 0);
    LAB_EQUAL(work.status[0] & (FLAGS | ES), UE | PE, "masked: tiny and inexact");
}

LAB_LABEL(at_nm);
LAB_CODE(task_switched, BEGIN "fdiv %st(1); mov %cr0, %rax; or $8, %rax; mov %rax, %cr0; at_nm: fld1");
LAB_LABEL(after_division);
LAB_LABEL(at_division);
LAB_CODE(stepped, "at_division: fdiv %st(1); after_division: nop");

/* #NM has priority; RFLAGS.TF traps after an instruction whose result was given up too. */
static void with_other_events(void)
{
    struct lab_state s = go(task_switched, MASKED & ~ZE, ONE, 0);
    LAB_EVENT(&s, LAB_NM, 0, at_nm, "CR0.TS: #NM comes before #MF");
    write_cr0(read_cr0() & ~CR0_TS);
    __asm__ volatile("fnclex; fninit; fldz; fld1; fldcw %0" : : "m"((const uint16_t){MASKED & ~ZE}));
    s = lab_start(stepped, 0);
    s.flags |= TF;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DB, 0, after_division, "single-stepped: #DB after the division");
    uint16_t status;
    __asm__ volatile("fnstsw %0; fnclex; fninit" : "=m"(status));
    LAB_EQUAL(status & (FLAGS | ES), ZE | ES, "which had set its flag");
}

int main(void)
{
    lab_init();
    masked();
    at_the_next();
    those_that_do_not_wait();
    unmasked_later();
    results();
    adjusted();
    with_other_events();
    lab_end();
}
