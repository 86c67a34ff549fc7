/*
 * sim/core/x87 against the x87 unit of the host, bit for bit: random registers, tags, control words and
 * operands, every arithmetic instruction; transcendental ones to two units in the last place. On a host
 * without one it is skipped. What the manual leaves to the implementation, and where processors are known to
 * differ from it, is left out by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/x87/x87.h"

#ifdef __x86_64__
#include <sys/mman.h>

enum { ROUNDS = 60000, AREA = 512, CODE = 64, FSW = 2, FTW = 4, MXCSR = 24, ST = 32 };

struct image {
    uint8_t bytes[AREA];
} __attribute__((aligned(16)));

static uint64_t seed;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}

static uint64_t below(uint64_t limit)
{
    return next() % limit;
}

static uint64_t any_significand(void)
{
    const uint64_t top = 1ull << 63;
    switch (below(6)) {
    case 0:
        return top;
    case 1:
        return top | ~0ull << below(64);
    case 2:
        return top | (next() & next() & 0xffff);
    case 3:
        return top | next() << 40;
    case 4:
        return top | 1ull << below(63) | 1ull << below(63);
    default:
        return top | next();
    }
}

/* Numbers near 1 mostly; the ends of every format's range; all that is special. */
static struct float80 any(void)
{
    static const struct {
        uint16_t least, span;
    } exponents[] = {{16383 - 40, 110}, {16383 - 40, 110},  {16383 - 70, 140},  {0, 4},
                     {0x7ffb, 4},       {16383 - 1060, 60}, {16383 + 1000, 40}, {16383 - 150, 40},
                     {16383 + 110, 30}, {0, 0x7fff}};
    const uint64_t kind = below(14);
    const uint16_t sign = (uint16_t)(below(2) << 15);
    struct float80 a = {any_significand(), 0};
    if (kind < 10)
        a.sign_exponent = (uint16_t)(exponents[kind].least + below(exponents[kind].span));
    else if (kind == 10)
        a.significand = below(2) ? 0 : a.significand << 1 >> below(64);
    else if (kind == 11)
        a.sign_exponent = 0x7fff;
    else if (kind == 12)
        a = (struct float80){1ull << 63, 0x7fff};
    else
        a = (struct float80){a.significand << 1 >> 1, (uint16_t)below(0x8000)};
    a.sign_exponent |= sign;
    return a;
}

static void any_state(struct x87_registers *x)
{
    static const uint16_t precision[] = {0, 2 << 8, 3 << 8, 3 << 8};
    memset(x, 0, sizeof *x);
    x87_initialize(x);
    x->top = (uint32_t)below(8);
    x->control = (uint16_t)(0x40 | precision[below(4)] | below(4) << 10 | (below(2) ? 0x3f : below(64)));
    for (unsigned i = 0; i < X87_REGISTERS; i++) {
        x->r[i] = any();
        x->empty[i] = below(8) == 0;
    }
    x->empty[(x->top + 7) % 8] = below(4) != 0; /* where the next push goes */
    if (below(4) == 0) {                        /* two that lie close together */
        struct float80 *near = &x->r[(x->top + 1) % 8];
        *near = x->r[x->top];
        near->significand ^= below(4);
        near->sign_exponent ^= (uint16_t)(below(2) << 15);
    }
}

static void to_image(const struct x87_registers *x, struct image *to)
{
    const uint16_t status = (uint16_t)(x->status | x->top << X87_TOP_SHIFT);
    const uint32_t mxcsr = 0x1f80;
    memset(to, 0, sizeof *to);
    memcpy(to->bytes, &x->control, 2);
    memcpy(to->bytes + FSW, &status, 2);
    memcpy(to->bytes + MXCSR, &mxcsr, 4);
    for (size_t i = 0; i < X87_REGISTERS; i++) {
        to->bytes[FTW] |= (uint8_t)(!x->empty[i] << i);
        memcpy(to->bytes + ST + 16 * i, &x->r[(x->top + i) % 8], 10);
    }
}

/* fxrstor64 [rdi]; the instruction, of which a memory operand is [rsi]; fxsave64 [rdi]; fninit; ret */
static void on_host(uint8_t *code, const uint8_t *instruction, unsigned bytes, struct image *image,
                    void *operand)
{
    static const uint8_t before[] = {0x48, 0x0f, 0xae, 0x0f},
                         after[] = {0x48, 0x0f, 0xae, 0x07, 0xdb, 0xe3, 0xc3};
    memcpy(code, before, sizeof before);
    memcpy(code + sizeof before, instruction, bytes);
    memcpy(code + sizeof before + bytes, after, sizeof after);
    void (*run)(struct image *, void *);
    memcpy(&run, &code, sizeof run);
    run(image, operand);
}

static bool with_register(struct x87_registers *x, unsigned first, unsigned reg, unsigned i)
{
    static const enum x87_operation operations[8] = {
        X87_ADD, X87_MULTIPLY, 0, 0, X87_SUBTRACT, X87_SUBTRACT_REVERSED, X87_DIVIDE, X87_DIVIDE_REVERSED};
    const bool to_top = first == 0xd8;
    const struct x87_operand operand = x87_operand_register(x, to_top ? i : 0);
    /* DC and DE turn the two subtractions and the two divisions around */
    return x87_arithmetic(x, operations[!to_top && reg >= 4 ? reg ^ 1 : reg], to_top ? 0 : i, &operand);
}

static bool compare(struct x87_registers *x, struct x87_operand operand, bool quiet, unsigned pops)
{
    enum float80_order order;
    if (!x87_compare(x, &operand, quiet, &order))
        return false;
    x87_set_order(x, order);
    while (pops-- > 0)
        x87_pop(x);
    return true;
}

static void pop_if(struct x87_registers *x, bool goes_on)
{
    if (goes_on)
        x87_pop(x);
}

/* Runs a register form here. False: it is not looked at. */
static bool register_form(struct x87_registers *x, unsigned first, unsigned modrm)
{
    const unsigned reg = modrm >> 3 & 7, i = modrm & 7, opcode = first << 8 | modrm;
    const bool arithmetic = reg != 2 && reg != 3;
    if ((first == 0xd8 || first == 0xdc || first == 0xde) && arithmetic) {
        const bool goes_on = with_register(x, first, reg, i);
        pop_if(x, goes_on && first == 0xde);
        return true;
    }
    if (first == 0xd8)
        return compare(x, x87_operand_register(x, i), false, reg & 1), true;
    if (opcode == 0xded9 || opcode == 0xdae9)
        return compare(x, x87_operand_register(x, 1), first == 0xda, 2), true;
    if (first == 0xdd && (reg == 4 || reg == 5))
        return compare(x, x87_operand_register(x, i), true, reg & 1), true;
    if (first == 0xdd && (reg == 2 || reg == 3))
        return pop_if(x, x87_store_register(x, i) && reg == 3), true;
    if (first == 0xd9 && reg == 0)
        return x87_load_register(x, i), true;
    if (first == 0xd9 && reg == 1)
        return x87_exchange(x, i), true;
    if (opcode >= 0xd9e8 && opcode <= 0xd9ee)
        return x87_load_constant(x, (enum x87_constant)i), true;
    switch (opcode) {
    case 0xd9f0:
        return x87_power(x), true;
    case 0xd9f1:
    case 0xd9f9:
        return x87_of_two(x, opcode == 0xd9f1 ? X87_LOGARITHM : X87_LOGARITHM_PLUS_ONE), true;
    case 0xd9f2:
        return x87_tangent(x), true;
    case 0xd9f3:
        return x87_of_two(x, X87_ARCTANGENT), true;
    case 0xd9fb:
        return x87_sine_cosine(x), true;
    case 0xd9fe:
    case 0xd9ff:
        return x87_sine(x, i & 1), true;
    case 0xd9e0:
    case 0xd9e1:
        return x87_change_sign(x, i), true;
    case 0xd9e4:
        return compare(x, x87_operand_integer(0), false, 0), true;
    case 0xd9e5:
        return x87_examine(x), true;
    case 0xd9f4:
        return x87_extract(x), true;
    case 0xd9f5:
        return x87_remainder(x, true), true;
    case 0xd9f8:
        return x87_remainder(x, false), true;
    case 0xd9fa:
        return x87_square_root(x), true;
    case 0xd9fc:
        return x87_round(x), true;
    case 0xd9fd:
        return x87_scale(x), true;
    default:
        return false;
    }
}

/* A memory form; *value is the operand, its least significant byte first. */
static bool memory_form(struct x87_registers *x, unsigned first, unsigned reg, uint8_t value[16])
{
    uint64_t quad;
    uint32_t dword;
    int64_t integer;
    struct float80 extended;
    memcpy(&quad, value, 8);
    memcpy(&dword, value, 4);
    bool goes_on;
    switch (first << 4 | reg) {
    case 0xd90:
        return x87_load_real(x, dword, 32), true;
    case 0xdd0:
        return x87_load_real(x, quad, 64), true;
    case 0xdf0:
        return x87_load_extended(x, float80_from_integer((int16_t)dword)), true;
    case 0xdb0:
        return x87_load_extended(x, float80_from_integer((int32_t)dword)), true;
    case 0xdf5:
        return x87_load_extended(x, float80_from_integer((int64_t)quad)), true;
    case 0xd92:
    case 0xd93:
    case 0xdd2:
    case 0xdd3:
        goes_on = x87_store_real(x, first == 0xd9 ? 32 : 64, &quad);
        if (goes_on)
            memcpy(value, &quad, first == 0xd9 ? 4 : 8);
        return pop_if(x, goes_on && reg == 3), true;
    case 0xdf1:
    case 0xdf2:
    case 0xdf3:
    case 0xdb1:
    case 0xdb2:
    case 0xdb3:
    case 0xdd1:
    case 0xdf7: {
        const unsigned bits = first == 0xdb ? 32 : first == 0xdd || reg == 7 ? 64 : 16;
        goes_on = x87_store_integer(x, bits, reg == 1, &integer);
        if (goes_on)
            memcpy(value, &integer, bits / 8);
        return pop_if(x, goes_on && reg != 2), true;
    }
    case 0xdb7:
        goes_on = x87_store_extended(x, &extended);
        if (goes_on)
            memcpy(value, &extended, 10);
        return pop_if(x, goes_on), true;
    default:
        break;
    }
    if (first == 0xd9 || first == 0xdb || first == 0xdd || first == 0xdf)
        return false;
    const struct x87_operand operand = first == 0xd8   ? x87_operand_real(dword, 32)
                                       : first == 0xdc ? x87_operand_real(quad, 64)
                                       : first == 0xda ? x87_operand_integer((int32_t)dword)
                                                       : x87_operand_integer((int16_t)dword);
    if (reg == 2 || reg == 3)
        return compare(x, operand, false, reg & 1), true;
    static const enum x87_operation operations[8] = {
        X87_ADD, X87_MULTIPLY, 0, 0, X87_SUBTRACT, X87_SUBTRACT_REVERSED, X87_DIVIDE, X87_DIVIDE_REVERSED};
    return x87_arithmetic(x, operations[reg], 0, &operand), true;
}

static bool transcendental(unsigned first, unsigned modrm)
{
    static const uint8_t those[] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff};
    return first == 0xd9 && memchr(those, (int)modrm, sizeof those);
}

/* Beyond what F2XM1 and FYL2XP1 are for; logarithms of powers of two, which may be exact or may not. */
static bool undefined(unsigned opcode, struct float80 a)
{
    const unsigned exponent = a.sign_exponent & 0x7fff;
    if (opcode == 0xd9f1)
        return exponent < 0x7fff && !(a.significand << 1);
    return (opcode == 0xd9f0 && exponent >= 0x3fff) || (opcode == 0xd9f9 && exponent >= 0x3ffd);
}

/* Not fixed by the manual: how far a partial remainder goes. The manual's way, but not that of every
 * processor: an unmasked #D of a load leaves the stack alone. */
static bool left_out(const struct x87_registers *before, unsigned first, unsigned modrm, uint64_t operand)
{
    const unsigned opcode = first << 8 | modrm;
    const struct float80 a = before->r[before->top], b = before->r[(before->top + 1) % 8];
    const uint64_t magnitude = first == 0xd9 ? (uint32_t)operand << 1 : operand << 1;
    if ((opcode == 0xd9f5 || opcode == 0xd9f8) && (a.sign_exponent & 0x7fff) - (b.sign_exponent & 0x7fff) > 0)
        return (a.sign_exponent & 0x7fff) - (b.sign_exponent & 0x7fff) > 63 || !(b.sign_exponent & 0x7fff);
    if (transcendental(first, modrm) && undefined(opcode, a))
        return true;
    if ((first == 0xd9 || first == 0xdd) && modrm < 0xc0 && (modrm >> 3 & 7) == 0)
        return !(before->control & X87_DE) && magnitude &&
               (first == 0xd9 ? (uint32_t)magnitude >> 24 : magnitude >> 53) == 0;
    return false;
}

/* The condition codes that the instruction leaves undefined are not compared. */
static uint16_t defined_bits(unsigned first, unsigned modrm, const struct x87_registers *after)
{
    enum { ALL = 0xffff, CODES = X87_C0 | X87_C2 | X87_C3 };
    const unsigned opcode = first << 8 | modrm, reg = modrm >> 3 & 7;
    const bool remainder = opcode == 0xd9f5 || opcode == 0xd9f8;
    const bool comparison = (reg == 2 || reg == 3) && (first == 0xd8 || (modrm < 0xc0 && !(first & 1)));
    const bool others = (first == 0xdd && modrm >= 0xe0) || opcode == 0xded9 || opcode == 0xdae9 ||
                        opcode == 0xd9e4 || opcode == 0xd9e5;
    if (transcendental(first, modrm)) /* C1: the direction of the last rounding, which need not be the same */
        return (uint16_t)(ALL & ~(after->status & X87_SF ? CODES : CODES | X87_C1));
    /* the manual: unmasked exceptions of a comparison leave them alone; not every processor does */
    if ((remainder && after->status & X87_IE) || after->status & X87_ES)
        return (uint16_t)(ALL & ~CODES);
    return remainder || comparison || others ? ALL : (uint16_t)(ALL & ~CODES);
}

/* In units of the last place from 0 on. */
static __int128 place(const uint8_t *bytes)
{
    struct float80 a = {0};
    memcpy(&a, bytes, 10);
    const unsigned exponent = a.sign_exponent & 0x7fff;
    const __int128 magnitude = ((__int128)(exponent ? exponent : 1) << 63) + (__int128)a.significand;
    return float80_sign(a) ? -magnitude : magnitude;
}

static bool alike(const uint8_t *a, const uint8_t *b, bool nearly)
{
    const __int128 distance = place(a) - place(b);
    return nearly ? distance >= -2 && distance <= 2 : memcmp(a, b, 10) == 0;
}

static unsigned one_instruction(uint8_t *code)
{
    struct x87_registers x, before;
    struct image image, expected;
    uint8_t ours[16], theirs[16];
    unsigned first = 0xd8 + (unsigned)below(8),
             modrm = (unsigned)below(2) ? 0xc0 + (unsigned)below(64) : (unsigned)below(8) << 3 | 6;
    any_state(&x);
    before = x;
    for (unsigned i = 0; i < 16; i += 8) {
        const uint64_t value = below(3) ? next() : next() & 0x800fffff807fffffull;
        memcpy(ours + i, &value, 8);
    }
    if (first == 0xdb && modrm >> 3 == 5)
        memcpy(ours, &x.r[0], 10);
    memcpy(theirs, ours, sizeof ours);
    uint64_t operand;
    memcpy(&operand, ours, sizeof operand);
    if (left_out(&before, first, modrm, operand))
        return 0;
    if (!(modrm >= 0xc0 ? register_form(&x, first, modrm) : memory_form(&x, first, modrm >> 3 & 7, ours)))
        return 0;
    to_image(&before, &image);
    on_host(code, (const uint8_t[]){(uint8_t)first, (uint8_t)modrm}, 2, &image, theirs);
    to_image(&x, &expected);
    uint16_t status[2];
    memcpy(&status[0], image.bytes + FSW, 2);
    memcpy(&status[1], expected.bytes + FSW, 2);
    const uint16_t mask = defined_bits(first, modrm, &x);
    bool same = !((status[0] ^ status[1]) & mask) && image.bytes[FTW] == expected.bytes[FTW] &&
                memcmp(ours, theirs, sizeof ours) == 0;
    for (size_t i = 0; i < X87_REGISTERS; i++)
        if (image.bytes[FTW] >> ((x.top + i) % 8) & 1)
            same &=
                alike(image.bytes + ST + 16 * i, expected.bytes + ST + 16 * i, transcendental(first, modrm));
    if (same)
        return 1;
    const struct float80 *a = &before.r[before.top],
                         *b = &before.r[(before.top + (modrm >= 0xc0 ? modrm & 7 : 0)) % 8];
    fail_msg("%02x %02x, control word %04x, ST(0) %04x:%016llx, ST(i) %04x:%016llx, operand %016llx: "
             "status %04x, not %04x",
             first, modrm, before.control, a->sign_exponent, (unsigned long long)a->significand,
             b->sign_exponent, (unsigned long long)b->significand, (unsigned long long)operand, status[1],
             status[0]);
    return 0;
}

static void as_the_host_does(void **state)
{
    (void)state;
    uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        skip(); /* the host lets no program write its own code */
    unsigned compared = 0;
    seed = 88172645463325252ull;
    for (unsigned i = 0; i < ROUNDS; i++)
        compared += one_instruction(code);
    munmap(code, 4096);
    assert_true(compared > ROUNDS / 2);
}

#else
static void as_the_host_does(void **state)
{
    (void)state;
    skip(); /* the host has no x87 unit */
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_the_host_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
