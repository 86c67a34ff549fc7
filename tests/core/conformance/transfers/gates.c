/*
 * conformance: far CALL, JMP and RET in 32-bit protected mode: direct, through 16- and 32-bit gates, same, inner and outer ring
 * SDM: 3A, "Direct Calls or Jumps to Code Segments", "Accessing a Code Segment Through a Call Gate", "Stack Switching"
 * SDM: 2A, "CALL—Call Procedure", "JMP—Jump"; 2B, "RET—Return From Procedure"
 * conformance-bits: 32
 */
#include "lab.h"

enum {
    GATE = LAB_FREE,         /* the gate under test */
    CODE = LAB_FREE + 8,     /* its target */
    STACK = LAB_FREE + 0x10, /* SS0 where it is spoiled */
    GATE32 = 0x8c,
    GATE16 = 0x84,
    TSS_ESP0 = 4,
    TSS_SS0 = 8,
    DPL3 = 0x60,
    CONFORMING = 4,
};

/* INT 20H at the target; the pieces are built from selector and offset. */
static const uint8_t target[] = {0xcd, LAB_DONE};
static uint8_t piece[16];

static uint32_t address(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static uint64_t call_gate(unsigned selector, uint32_t offset, unsigned access, unsigned parameters)
{
    return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)parameters << 32 |
           (uint64_t)access << 40 | (uint64_t)(offset >> 16) << 48;
}

/* CALL or JMP ptr16:32. */
static struct lab_state far_direct(bool call, unsigned selector, uint32_t offset, unsigned ring)
{
    piece[0] = call ? 0x9a : 0xea;
    memcpy(piece + 1, &offset, 4);
    piece[5] = (uint8_t)selector;
    piece[6] = (uint8_t)(selector >> 8);
    return lab_start(piece, ring);
}

static void set_code(unsigned access, unsigned flags)
{
    lab_gdt[CODE / 8] = lab_descriptor(0, 0xfffff, access, flags);
}

struct direct {
    const char *name;
    unsigned access, rpl, ring;
    unsigned vector; /* LAB_DONE: goes there */
    unsigned cs_rpl; /* RPL that CS gets */
};
static const struct direct directs[] = {
    {"to a non-conforming segment, DPL = CPL = 0", 0x9b, 0, 0, LAB_DONE, 0},
    {"DPL = 0, CPL = 3", 0x9b, 0, 3, LAB_GP, 0},
    {"DPL = CPL = 3", 0xfb, 3, 3, LAB_DONE, 3},
    {"DPL = CPL = 3, RPL 0", 0xfb, 0, 3, LAB_DONE, 3},
    {"DPL = CPL = 0, RPL 3", 0x9b, 3, 0, LAB_GP, 0},
    {"DPL = 3, CPL = 0", 0xfb, 0, 0, LAB_GP, 0},
    {"conforming, DPL = 0, CPL = 3", 0x9f, 0, 3, LAB_DONE, 3},
    {"conforming, DPL = 0, CPL = 0, RPL 3", 0x9f, 3, 0, LAB_DONE, 0},
    {"conforming, DPL = 3, CPL = 0", 0xff, 0, 0, LAB_GP, 0},
    {"not present", 0x1b, 0, 0, LAB_NP, 0},
    {"not present, DPL too low", 0x1b, 0, 3, LAB_GP, 0},
    {"data segment", 0x93, 0, 0, LAB_GP, 0},
    {"LDT descriptor", 0x82, 0, 0, LAB_GP, 0},
    {"interrupt gate", 0x8e, 0, 0, LAB_GP, 0},
    {"execute-only code", 0x99, 0, 0, LAB_DONE, 0},
};

static void direct_transfers(void)
{
    for (unsigned call = 0; call < 2; call++)
        for (unsigned i = 0; i < sizeof directs / sizeof *directs; i++) {
            const struct direct *d = &directs[i];
            const char *what = call ? "CALL" : "JMP";
            set_code(d->access, LAB_FLAGS_32);
            struct lab_state s = far_direct(call, CODE | d->rpl, address(target), d->ring);
            unsigned long sp = s.sp;
            lab_go(&s);
            if (d->vector != LAB_DONE) {
                LAB_EVENT(&s, d->vector, CODE, piece, "%s %s", what, d->name);
                LAB_EQUAL(s.sp, sp, "%s %s: ESP as before", what, d->name);
                continue;
            }
            LAB_EVENT(&s, LAB_DONE, 0, target + 2, "%s %s", what, d->name);
            LAB_EQUAL(s.cs, CODE | d->cs_rpl, "%s %s: CS", what, d->name);
            LAB_EQUAL(s.sp, call ? sp - 8 : sp, "%s %s: ESP", what, d->name);
            if (call) {
                LAB_EQUAL(((uint32_t *)s.sp)[0], address(piece) + 7, "CALL %s: return EIP", d->name);
                LAB_EQUAL(((uint32_t *)s.sp)[1], d->ring ? LAB_CODE3 : LAB_CODE0, "CALL %s: return CS",
                          d->name);
            }
        }
    struct lab_state s = far_direct(false, 0, 0, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, piece, "JMP to a null selector: #GP(0)");
    s = far_direct(false, LAB_GDT_ENTRIES * 8, 0, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, LAB_GDT_ENTRIES * 8, piece, "JMP beyond the GDT: #GP(selector)");
    lab_gdt[CODE / 8] = lab_descriptor(0, 0xfff, LAB_ACCESS_CODE, 4); /* limit FFFH */
    s = far_direct(false, CODE, 0x1000, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, piece, "JMP beyond the segment's limit: #GP(0)");
}

struct gated {
    const char *name;
    unsigned gate, code; /* access bytes */
    unsigned rpl, ring;
    bool jump;
    unsigned vector, error_code; /* LAB_DONE: goes there */
    unsigned cpl;                /* afterwards */
};
static const struct gated gateds[] = {
    {"CALL, same ring", GATE32, 0x9b, 0, 0, false, LAB_DONE, 0, 0},
    {"CALL, ring 3 to 3", GATE32 | DPL3, 0xfb, 3, 3, false, LAB_DONE, 0, 3},
    {"CALL, ring 3 to 0", GATE32 | DPL3, 0x9b, 3, 3, false, LAB_DONE, 0, 0},
    {"CALL, ring 3, conforming code of DPL 0", GATE32 | DPL3, 0x9f, 3, 3, false, LAB_DONE, 0, 3},
    {"CALL, CPL above the gate's DPL", GATE32, 0x9b, 0, 3, false, LAB_GP, GATE, 0},
    {"CALL, RPL above the gate's DPL", GATE32, 0x9b, 3, 0, false, LAB_GP, GATE, 0},
    {"CALL, gate not present", (GATE32 | DPL3) & 0x7f, 0x9b, 0, 3, false, LAB_NP, GATE, 0},
    {"CALL, gate not present and DPL too low", GATE32 & 0x7f, 0x9b, 0, 3, false, LAB_GP, GATE, 0},
    {"CALL, code of DPL 3 from ring 0", GATE32, 0xfb, 0, 0, false, LAB_GP, CODE, 0},
    {"CALL, code not present", GATE32, 0x1b, 0, 0, false, LAB_NP, CODE, 0},
    {"CALL, data segment", GATE32, 0x93, 0, 0, false, LAB_GP, CODE, 0},
    {"JMP, same ring", GATE32, 0x9b, 0, 0, true, LAB_DONE, 0, 0},
    {"JMP, ring 3 to 0", GATE32 | DPL3, 0x9b, 3, 3, true, LAB_GP, CODE, 0},
    {"JMP, ring 3, conforming code of DPL 0", GATE32 | DPL3, 0x9f, 3, 3, true, LAB_DONE, 0, 3},
    {"JMP, CPL above the gate's DPL", GATE32, 0x9b, 0, 3, true, LAB_GP, GATE, 0},
};

static void through_gates(void)
{
    for (unsigned i = 0; i < sizeof gateds / sizeof *gateds; i++) {
        const struct gated *g = &gateds[i];
        set_code(g->code, LAB_FLAGS_32);
        lab_gdt[GATE / 8] = call_gate(CODE, address(target), g->gate, 0);
        struct lab_state s = far_direct(!g->jump, GATE | g->rpl, 0xdeadbeef, g->ring);
        unsigned long sp = s.sp, ss = s.ss;
        lab_go(&s);
        if (g->vector != LAB_DONE) {
            LAB_EVENT(&s, g->vector, g->error_code, piece, "%s", g->name);
            continue;
        }
        LAB_EVENT(&s, LAB_DONE, 0, target + 2, "%s", g->name);
        LAB_EQUAL(s.cs, CODE | g->cpl, "%s: CS", g->name);
        if (g->jump)
            LAB_EQUAL(s.sp, sp, "%s: ESP", g->name);
        else if (g->cpl == g->ring)
            LAB_EQUAL(s.sp, sp - 8, "%s: ESP", g->name);
        else {
            const uint32_t *frame = (const uint32_t *)s.sp;
            LAB_EQUAL(s.sp, address(lab_stack_event) + LAB_STACK_BYTES - 16, "%s: ESP of the TSS", g->name);
            LAB_EQUAL(frame[0], address(piece) + 7, "%s: EIP pushed", g->name);
            LAB_EQUAL(frame[1], LAB_CODE3, "%s: CS pushed", g->name);
            LAB_EQUAL(frame[2], sp, "%s: ESP pushed", g->name);
            LAB_EQUAL(frame[3], ss, "%s: SS pushed", g->name);
        }
    }
}

static void parameters(void)
{
    set_code(0x9b, LAB_FLAGS_32);
    lab_gdt[GATE / 8] = call_gate(CODE, address(target), GATE32 | DPL3, 31);
    struct lab_state s = far_direct(true, GATE | 3, 0, 3);
    s.sp -= 256;
    uint32_t *from = (uint32_t *)s.sp, sp = (uint32_t)s.sp;
    for (unsigned i = 0; i < 31; i++)
        from[i] = 0x1000 + i;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "31 doublewords of parameters");
    const uint32_t *frame = (const uint32_t *)s.sp;
    unsigned right = 0;
    for (unsigned i = 0; i < 31; i++)
        right += frame[2 + i] == 0x1000 + i;
    LAB_EQUAL(right, 31, "each copied, in order");
    LAB_EQUAL(frame[33], sp, "and ESP above them");
    /* 16-bit gate: words, and the low half of the offset; target below 64 KiB */
    memcpy((void *)0x5000ul, target, sizeof target);
    lab_gdt[GATE / 8] = call_gate(CODE, 0xffff5000, GATE16 | DPL3, 2);
    s = far_direct(true, GATE | 3, 0, 3);
    ((uint16_t *)s.sp)[0] = 0x1111;
    ((uint16_t *)s.sp)[1] = 0x2222;
    sp = (uint32_t)s.sp;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, 0x5002, "16-bit gate: 16 bits of offset");
    const uint16_t *words = (const uint16_t *)s.sp;
    LAB_EQUAL(words[0], (uint16_t)(address(piece) + 7), "16-bit gate: IP");
    LAB_EQUAL(words[1], LAB_CODE3, "16-bit gate: CS");
    LAB_EQUAL(words[2] | (uint32_t)words[3] << 16, 0x22221111, "16-bit gate: parameters");
    LAB_EQUAL(words[4], (uint16_t)sp, "16-bit gate: SP");
    LAB_EQUAL(words[5], LAB_DATA3, "16-bit gate: SS");
}

static void return_to_outer_ring(void)
{
    static const uint8_t retf[] = {0xcb}, retf8[] = {0xca, 8, 0};
    struct lab_state s = lab_start(retf8, 0);
    uint32_t *frame = (uint32_t *)(s.sp -= 64);
    frame[0] = address(target);
    frame[1] = LAB_CODE3;
    frame[2] = 0xaaaa; /* parameters, released on both stacks */
    frame[3] = 0xbbbb;
    frame[4] = address(lab_stack3) + 1024;
    frame[5] = LAB_DATA3;
    s.ds = s.es = LAB_DATA0; /* not for ring 3 */
    s.fs = LAB_DATA3;
    s.gs = 0;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, target + 2, "RET 8 to ring 3");
    LAB_EQUAL(s.sp, address(lab_stack3) + 1024 + 8, "parameters are released on the outer stack too");
    LAB_EQUAL(s.ds, 0, "DS of DPL 0 becomes null");
    LAB_EQUAL(s.es, 0, "ES of DPL 0 becomes null");
    LAB_EQUAL(s.fs, LAB_DATA3, "FS of DPL 3 stays");

    static const struct {
        const char *name;
        uint32_t cs, ss;
        unsigned vector, error_code;
    } cases[] = {
        {"null CS", 0, LAB_DATA3, LAB_GP, 0},
        {"CS beyond the GDT", LAB_GDT_ENTRIES * 8 + 3, LAB_DATA3, LAB_GP, LAB_GDT_ENTRIES * 8},
        {"CS a data segment", LAB_DATA3, LAB_DATA3, LAB_GP, LAB_DATA3 & ~3},
        {"CS with DPL 0, RPL 3", LAB_CODE0 | 3, LAB_DATA3, LAB_GP, LAB_CODE0},
        {"null SS", LAB_CODE3, 0, LAB_GP, 0},
        {"SS with RPL 0", LAB_CODE3, LAB_DATA3 & ~3, LAB_GP, LAB_DATA3 & ~3},
        {"SS with DPL 0", LAB_CODE3, LAB_DATA0 | 3, LAB_GP, LAB_DATA0},
        {"SS a code segment", LAB_CODE3, LAB_CODE3, LAB_GP, LAB_CODE3 & ~3},
        {"SS not present", LAB_CODE3, STACK | 3, LAB_SS, STACK},
        {"CS not present", CODE | 3, LAB_DATA3, LAB_NP, CODE},
    };
    lab_gdt[STACK / 8] = lab_descriptor(0, 0xfffff, 0x73, LAB_FLAGS_32);
    set_code(0x7b, LAB_FLAGS_32);
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        s = lab_start(retf, 0);
        frame = (uint32_t *)(s.sp -= 64);
        frame[0] = address(target);
        frame[1] = cases[i].cs;
        frame[2] = address(lab_stack3) + 1024;
        frame[3] = cases[i].ss;
        unsigned long sp = s.sp;
        lab_go(&s);
        LAB_EVENT(&s, cases[i].vector, cases[i].error_code, retf, "RET to ring 3, %s", cases[i].name);
        LAB_EQUAL(s.sp, sp, "RET to ring 3, %s: ESP as before", cases[i].name);
    }
    s = lab_start(retf, 3);
    frame = (uint32_t *)s.sp;
    frame[0] = address(target);
    frame[1] = LAB_CODE0;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, LAB_CODE0, retf, "RET to an inner ring: #GP(selector)");
}

static void busy_task_register(void)
{
    unsigned access = (unsigned)(lab_gdt[LAB_TSS / 8] >> 40) & 0xff;
    LAB_EQUAL(access, 0x8b, "TR's descriptor is busy all the time");
}

int main(void)
{
    lab_init();
    direct_transfers();
    through_gates();
    parameters();
    return_to_outer_ring();
    busy_task_register();
    lab_end();
}
