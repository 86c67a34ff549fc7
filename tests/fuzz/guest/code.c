/*
 * code.c: random code from a table of instructions with which something special happens.
 *
 * A template's hexadecimal digits are bytes; m is a ModRM byte with all that follows it, most often of memory
 * (/N before it fixes its reg field); r a register's ModRM byte; b, w, d immediates of 1, 2, 4 bytes; z of
 * the operand size; s a selector; a an address of the address size; j a short jump.
 */
#include <string.h>

#include "tests/fuzz/guest/guest.h"

static const char *const templates[] = {
    /* far transfers and events */
    "9azs",
    "eazs",
    "ff/3m",
    "ff/5m",
    "cb",
    "caw",
    "cf",
    "48cf",
    "66cf",
    "cdb",
    "cc",
    "ce",
    "f1",
    "c3",
    "e8z",
    "ff/2m",
    "ff/4m",
    "ebj",
    "75j",
    "e2j",
    "e3j",
    "e9z",
    "0f85z",
    /* system */
    "0f20r",
    "0f22r",
    "0f21r",
    "0f23r",
    "0f22r",
    "0f06",
    "0f01/6m",
    "0f01/4m",
    "0f01/2m",
    "0f01/3m",
    "0f01/0m",
    "0f01/1m",
    "0f01/7m",
    "0f00/0m",
    "0f00/1m",
    "0f00/2m",
    "0f00/3m",
    "0f00/4m",
    "0f00/5m",
    "0f02m",
    "0f03m",
    "63m",
    "0f01f8",
    "0f01f9",
    "0f01d0",
    "0f01d1",
    "0f01caa",
    "0f01cb",
    "0f01ca",
    "0f31",
    "0f33",
    "0f30",
    "0f32",
    "bdw0f32",
    "b9z0f30",
    "0f08",
    "0f09",
    "0fa2",
    "f4",
    "fb",
    "fa",
    "fbf4",
    "9c",
    "9d",
    "669d",
    "0f05",
    "480f07",
    "0f07",
    "0f34",
    "0f35",
    "480f35",
    "0faa",
    "0f37",
    "f390",
    "0f01c8",
    "0f01c9",
    "0fc7r",
    "660fc7r",
    "0f0b",
    "0fb9m",
    "0fffm",
    "660f3882m",
    "0f20c00d000100000f22c0",
    "0f20e035d00000000f22e0",
    "68z9d",
    "9c810c24000100009d",
    "b9800000c00f3235010800000f30",
    /* VMX */
    "0f01c1",
    "0f01c2",
    "0f01c3",
    "0f01c4",
    "0f01d4",
    "0fc7/6m",
    "660fc7/6m",
    "f30fc7/6m",
    "0fc7/7m",
    "0f78m",
    "0f79m",
    "660f3880m",
    "660f3881m",
    "0f01d8",
    "0f01da",
    "0f01db",
    "0f01dc",
    "0f01dd",
    "0f01de",
    "0f01df",
    /* I/O */
    "e4b",
    "e5b",
    "e6b",
    "e7b",
    "ec",
    "ed",
    "ee",
    "ef",
    "6c",
    "6d",
    "6e",
    "6f",
    "f36c",
    "f36d",
    "f36e",
    "f36f",
    "f3676d",
    "66ba800066ef",
    "baf8030000ee",
    "b034e643",
    "b8d0cf000066e7f8",
    /* segments and the stack */
    "8em",
    "8cm",
    "8ed0",
    "8ed8",
    "c5m",
    "c4m",
    "0fb2m",
    "0fb4m",
    "0fb5m",
    "06",
    "07",
    "17",
    "1f",
    "0fa0",
    "0fa1",
    "0fa9",
    "60",
    "61",
    "c8wb",
    "c9",
    "50",
    "58",
    "6ab",
    "68z",
    "8f/0m",
    "ff/6m",
    "62m",
    "f30fae/0r",
    "f30fae/2r",
    "f30fae/3r",
    /* strings */
    "a4",
    "a5",
    "f3a4",
    "f3a5",
    "f3ab",
    "f3ac",
    "f2ae",
    "f3a6",
    "f348ab",
    "67f3a4",
    "b9z",
    "fc",
    "fd",
    /* arithmetic that traps */
    "f6/6m",
    "f6/7m",
    "f7/6m",
    "f7/7m",
    "48f7/7m",
    "d4b",
    "d40037",
    "99f7/7m",
    "f7f8",
    "f7f9",
    "4899",
    /* x87, SSE, XSAVE */
    "d8m",
    "d9m",
    "dam",
    "dbm",
    "dcm",
    "ddm",
    "dem",
    "dfm",
    "9b",
    "dbe3",
    "dfe0",
    "d9/5m",
    "0f77",
    "0fae/0m",
    "0fae/1m",
    "0fae/2m",
    "0fae/3m",
    "0fae/4m",
    "0fae/5m",
    "0fae/6m",
    "0fae/7m",
    "0fc7/4m",
    "0fc7/3m",
    "0fc7/5m",
    "0f28m",
    "0f29m",
    "660f6fm",
    "f20f58m",
    "0f58m",
    "f30f2cm",
    "660f3a63mb",
    "660f3840m",
    "0f3800m",
    "0f38f0m",
    "f20f38f1m",
    "0fe7m",
    "660ff7m",
    "c5f857",
    "c4e2790cm",
    "62f17c48",
    "0f0dm",
    "0f18m",
    "0f0em",
    "0f0fmb",
    "0f1am",
    "f30f1bm",
    /* MPX, and branches with the BND prefix */
    "f30f1am",
    "f20f1am",
    "660f1am",
    "f20f1bm",
    "660f1bm",
    "0f1bm",
    "670f1am",
    "67660f1bm",
    "f2e8z",
    "f2e9z",
    "f275j",
    "f2ff/2m",
    "f2c3",
    "0f01ee",
    "0f01ef",
    "c7f8z",
    "c6f8b",
    "0f01d5",
    "0f01d6",
    /* memory, locks */
    "0fc7/1m",
    "f00fc7/1m",
    "480fc7/1m",
    "f0480fc7/1m",
    "f00fb1m",
    "f00fb0m",
    "87m",
    "f087m",
    "f001m",
    "f00fc1m",
    "f0ff/0m",
    "f00fba/5mb",
    "f00fabm",
    "0fabm",
    "88m",
    "89m",
    "8am",
    "8bm",
    "c6/0mb",
    "c7/0mz",
    "a1a",
    "a3a",
    "a2a",
    "0fc3m",
    "01m",
    "f08bm",
    "f090",
    "2e8bm",
    "648bm",
    "65890425a",
    "0f1fm",
    "8dm",
    "d7",
    "0fa4mb",
    "d3m",
    "c1mb",
    "d2m",
};

struct writer {
    struct choices *c;
    uint8_t *at, *end;
    bool wide; /* 32-bit or 64-bit operands and addresses by default */
    bool bits64;
};

static void put(struct writer *w, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes && w->at < w->end; i++)
        *w->at++ = (uint8_t)(value >> 8 * i);
}

static void put_address(struct writer *w, unsigned bytes)
{
    put(w, bytes == 2 ? choose_bits(w->c, 16) : choose_address(w->c), bytes);
}

/* reg: of the ModRM byte, or -1. */
static void put_modrm(struct writer *w, int reg)
{
    unsigned fixed = (reg >= 0 ? (unsigned)reg : choose(w->c, 8)) << 3;
    if (!w->wide) {
        unsigned mod = choose(w->c, 4), rm = choose(w->c, 8);
        put(w, mod << 6 | fixed | rm, 1);
        put(w, choose_bits(w->c, 16), mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 6) ? 2 : 0);
        return;
    }
    switch (choose(w->c, 8)) {
    case 0: /* a register */
        put(w, 0xc0 | fixed | choose(w->c, 8), 1);
        break;
    case 1: /* through a register and a displacement */
        put(w, 0x45 | fixed, 1);
        put(w, choose_bits(w->c, 8), 1);
        break;
    case 2: { /* with an index */
        put(w, 0x04 | fixed, 1);
        unsigned sib = choose(w->c, 256);
        put(w, sib, 1);
        if ((sib & 7) == 5)
            put_address(w, 4);
        break;
    }
    case 3: { /* through a register */
        static const uint8_t bases[] = {0, 1, 2, 3, 6, 7};
        put(w, fixed | bases[choose(w->c, 6)], 1);
        break;
    }
    default: /* an address */
        put(w, fixed | (w->bits64 ? 4 : 5), 1);
        if (w->bits64)
            put(w, 0x25, 1);
        put_address(w, 4);
    }
}

static unsigned digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

/* Letters above f, and those of a to f that stand alone (an odd run of digits ends in a letter). */
static void put_template(struct writer *w, const char *t)
{
    static const char digits[] = "0123456789abcdef";
    unsigned size = w->wide ? 4 : 2;
    int reg = -1;
    while (*t) {
        if (strchr(digits, t[0]) && t[1] && strchr(digits, t[1])) {
            put(w, digit(t[0]) << 4 | digit(t[1]), 1);
            t += 2;
            continue;
        }
        switch (*t) {
        case '/':
            reg = t[1] - '0';
            t++;
            break;
        case 'm':
            put_modrm(w, reg);
            break;
        case 'r':
            put(w, 0xc0u | (reg >= 0 ? (unsigned)reg << 3 | choose(w->c, 8) : choose(w->c, 64)), 1);
            break;
        case 'b':
            put(w, choose_bits(w->c, 8), 1);
            break;
        case 'w':
            put(w, choose_bits(w->c, 16), 2);
            break;
        case 'd':
            put(w, choose_value(w->c), 4);
            break;
        case 'z':
            put(w,
                one_in(w->c, 3)   ? choose_address(w->c)
                : one_in(w->c, 2) ? choose(w->c, 64)
                                  : choose_value(w->c),
                size);
            break;
        case 's':
            put(w, choose_selector(w->c), 2);
            break;
        case 'a':
            put_address(w, w->bits64 && strlen(t) == 1 ? 8 : size);
            break;
        case 'j':
            put(w, one_in(w->c, 4) ? choose_bits(w->c, 8) : choose(w->c, 24), 1);
            break;
        default:
            break;
        }
        t++;
    }
}

static void put_prefixes(struct writer *w)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36,
                                       0x3e, 0x64, 0x65, 0x48, 0x41, 0x4c, 0x66};
    if (!one_in(w->c, 8))
        return;
    unsigned count = one_in(w->c, 8) ? choose(w->c, 18) : 1 + choose(w->c, 3);
    while (count--)
        put(w, prefixes[choose(w->c, sizeof prefixes)], 1);
}

static void put_instruction(struct writer *w)
{
    switch (choose(w->c, 12)) {
    case 0: /* a register gets a value */
        if (w->bits64 && one_in(w->c, 2)) {
            put(w, 0x48, 1);
            put(w, 0xb8 + choose(w->c, 8), 1);
            put(w, choose_value(w->c), 8);
            return;
        }
        put(w, 0xb8 + choose(w->c, 8), 1);
        put(w, choose_value(w->c), w->wide ? 4 : 2);
        return;
    case 1:
        for (unsigned i = choose(w->c, 6); i; i--)
            put(w, choose_bits(w->c, 8), 1);
        return;
    default:
        put_prefixes(w);
        put_template(w, templates[choose(w->c, sizeof templates / sizeof templates[0])]);
    }
}

/* Handlers begin at multiples of 256: many of them return. */
static void put_handler_end(struct writer *w)
{
    static const char *const ends[] = {"cf", "5acf", "ebfe", "c3", "cb", "f4cf"};
    if (w->bits64)
        put(w, 0x48, 1);
    put_template(w, ends[choose(w->c, 6)]);
}

void guest_fill_code(struct choices *c, uint8_t *ram, enum guest_mode mode)
{
    struct writer w = {.c = c,
                       .at = ram + GUEST_CODE,
                       .end = ram + GUEST_CODE + GUEST_CODE_BYTES,
                       .wide = mode >= GUEST_PROTECTED_32,
                       .bits64 = mode == GUEST_64};
    while (w.at < w.end) {
        put_instruction(&w);
        if (one_in(c, 16))
            put_handler_end(&w);
    }
    for (unsigned page = 1; page <= GUEST_CODE_BYTES >> 12; page++) { /* something at the ends of pages */
        w.at = ram + GUEST_CODE + page * 0x1000 - 1 - choose(c, 12);
        w.end = page == GUEST_CODE_BYTES >> 12 ? ram + GUEST_CODE + GUEST_CODE_BYTES : w.at + 16;
        put_instruction(&w);
        put_instruction(&w);
    }
}
