/*
 * conformance: #DF by every pair of first and second event; else the second is delivered, with EXT in its error code
 * SDM: 3A, "Interrupt 8—Double Fault Exception (#DF)", table "Conditions for Generating a Double Fault"
 * SDM: 3A, "Error Code"
 */
#include "lab.h"

enum {
    GATE_IST = 4,
    GATE_ACCESS = 5,
    GATE_BYTES = 16,
    TSS_IST1 = 36, /* SDM "64-Bit TSS Format" */
    TSS_TYPE = 0x89,
    CR0_TS = 8,
    CR0_AM = 1 << 18,
    X2APIC_ICR = 0x830,
    X2APIC_SPURIOUS = 0x80f,
    APIC_BASE = 0x1b,
    INTERRUPT = 0x51,
    FNINIT_BYTES = 2,
};
#define UNMAPPED 0x8000000000ul
#define NOT_CANONICAL 0x800000000000ul
#define FLAGS_IF 0x200ul
#define FLAGS_OF 0x800ul

enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT };
extern const uint8_t lab_stubs[];

/* First events: a piece of code at ring 0 that raises each. */
struct first {
    const char *name;
    unsigned vector;
    enum class class;
    uint8_t code[16];
    bool software;           /* INT n and its kin: EXT = 0 in the second's error code */
    unsigned long ax, flags; /* at the start */
};
#define WRMSR 0x0f, 0x30
static const struct first firsts[] = {
    {"#DE", 0, CONTRIBUTORY, {0xf7, 0xf1}, false, 1, 0},
    {"#DB (INT1)", 1, BENIGN, {0xf1}, false, 0, 0},
    {"#BP", 3, BENIGN, {0xcc}, true, 0, 0},
    {"#UD", 6, BENIGN, {0x0f, 0x0b}, false, 0, 0},
    {"#NM", 7, BENIGN, {0xd9, 0xd0}, false, 0, 0},
    {"#NP", 11, CONTRIBUTORY, {0xcd, 0x71}, false, 0, 0},               /* its gate is not present */
    {"#SS", 12, CONTRIBUTORY, {0x48, 0x8b, 0x45, 0x00}, false, 0, 0},   /* MOV RAX, [RBP], not canonical */
    {"#GP", 13, CONTRIBUTORY, {0x0f, 0x22, 0xe0}, false, 1ul << 31, 0}, /* MOV CR4, RAX */
    {"#PF", 14, PAGE_FAULT, {0x48, 0x8b, 0x03}, false, 0, 0},           /* MOV RAX, [RBX] */
    {"#AC", 17, BENIGN, {0x48, 0x8b, 0x06}, false, 0, 1ul << 18},       /* MOV RAX, [RSI], at CPL 3 */
    {"INT 61H", 0x61, BENIGN, {0xcd, 0x61}, true, 0, 0},
    {"interrupt", INTERRUPT, BENIGN, {WRMSR, 0x90}, false, INTERRUPT, FLAGS_IF},
    {"NMI", 2, BENIGN, {WRMSR, 0x90}, false, 0x400, 0},
};

/* Second faults, met while the first is delivered. */
enum how {
    GATE_NOT_PRESENT,
    GATE_OF_NO_TYPE,
    CODE_SEGMENT_NULL,
    IST_NOT_CANONICAL,
    IST_BEYOND_LIMIT,
    IST_NOT_MAPPED
};
static const struct second {
    const char *name;
    unsigned vector;
    enum class class;
} seconds[] = {
    [GATE_NOT_PRESENT] = {"#NP (gate)", 11, CONTRIBUTORY},
    [GATE_OF_NO_TYPE] = {"#GP (gate)", 13, CONTRIBUTORY},
    [CODE_SEGMENT_NULL] = {"#GP (null CS)", 13, CONTRIBUTORY},
    [IST_NOT_CANONICAL] = {"#SS (stack)", 12, CONTRIBUTORY},
    [IST_BEYOND_LIMIT] = {"#TS (stack)", 10, CONTRIBUTORY},
    [IST_NOT_MAPPED] = {"#PF (stack)", 14, PAGE_FAULT},
};

static void set_ist(unsigned n, unsigned long sp)
{
    memcpy(lab_tss + TSS_IST1 + (n - 1) * 8, &sp, sizeof sp);
}

static void restore_gate(unsigned vector)
{
    lab_set_gate(vector, LAB_CODE0, (unsigned long)lab_stubs + vector * 16, LAB_INTERRUPT_GATE, 3);
    lab_idt[vector * GATE_BYTES + GATE_IST] = 1;
}

/* What the gate of the second (or of #DF) itself needs stays good: IST 1. The first's stack is IST 2. */
static void spoil(unsigned vector, enum how how)
{
    uint8_t *gate = lab_idt + vector * GATE_BYTES;
    gate[GATE_IST] = 2;
    switch (how) {
    case GATE_NOT_PRESENT:
        gate[GATE_ACCESS] &= 0x7f;
        break;
    case GATE_OF_NO_TYPE:
        gate[GATE_ACCESS] &= 0xf0;
        break;
    case CODE_SEGMENT_NULL:
        gate[2] = gate[3] = 0;
        break;
    case IST_NOT_CANONICAL:
        set_ist(2, NOT_CANONICAL + 0x1000);
        break;
    case IST_BEYOND_LIMIT:
        gate[GATE_IST] = 3;
        break;
    case IST_NOT_MAPPED:
        set_ist(2, UNMAPPED + 0x1000);
        break;
    }
}

/* The TSS ends behind IST 2. */
static void load_tr(void)
{
    lab_gdt[LAB_TSS / 8] =
        lab_descriptor((uint32_t)(unsigned long)lab_tss, TSS_IST1 + 2 * 8 - 1, TSS_TYPE, 0);
    __asm__ volatile("ltr %w0" ::"r"(LAB_TSS));
}

static unsigned long error_code(const struct first *first, enum how how)
{
    unsigned long ext = !first->software;
    switch (how) {
    case GATE_NOT_PRESENT:
    case GATE_OF_NO_TYPE:
        return first->vector * 8 + 2 + ext;
    case CODE_SEGMENT_NULL:
    case IST_NOT_CANONICAL:
        return ext;
    case IST_BEYOND_LIMIT:
        return LAB_TSS + ext;
    case IST_NOT_MAPPED:
        break;
    }
    return 2; /* a write to a page that is not there */
}

static bool makes_double_fault(enum class a, enum class b)
{
    return (a == CONTRIBUTORY && b == CONTRIBUTORY) || (a == PAGE_FAULT && b != BENIGN);
}

/* INT 71H raises #NP, whose delivery is "first"; with its own gate spoiled #NP cannot be told from its #NP. */
static void pair(const struct first *first, enum how how)
{
    const struct second *second = &seconds[how];
    static uint8_t code[32];
    memset(code, 0x90, sizeof code);
    memcpy(code, first->code, sizeof first->code);
    struct lab_state s = lab_start(code, first->vector == LAB_AC ? 3 : 0);
    s.ax = first->ax;
    s.flags |= first->flags;
    s.bx = UNMAPPED;
    s.bp = NOT_CANONICAL;
    s.si = (unsigned long)lab_stack3 + 1;
    s.cx = first->vector == INTERRUPT || first->vector == 2 ? X2APIC_ICR : 0;
    if (s.cx)
        s.dx = 0;
    lab_set_gate(0x71, LAB_CODE0, (unsigned long)lab_stubs, LAB_INTERRUPT_GATE & 0x7f, 3);
    spoil(first->vector, how);
    write_cr0(first->vector == LAB_NM ? read_cr0() | CR0_TS : (read_cr0() & ~(unsigned long)CR0_TS) | CR0_AM);
    lab_go(&s);
    write_cr0(read_cr0() & ~(unsigned long)CR0_TS);
    if (makes_double_fault(first->class, second->class)) {
        LAB_EQUAL(s.vector, LAB_DF, "%s, then %s: #DF", first->name, second->name);
        LAB_EQUAL(s.error_code, 0, "%s, then %s: error code 0", first->name, second->name);
    } else {
        LAB_EQUAL(s.vector, second->vector, "%s, then %s: the second", first->name, second->name);
        LAB_EQUAL(s.error_code, error_code(first, how), "%s, then %s: error code", first->name, second->name);
    }
    restore_gate(first->vector);
    if (first->vector == 2) { /* NMIs are blocked until an IRET */
        static const uint8_t nop[] = {0xcd, LAB_DONE};
        struct lab_state after = lab_start(nop, 0);
        lab_go(&after);
    }
    if (first->vector == INTERRUPT) /* in service: EOI */
        wrmsr(0x80b, 0);
}

int main(void)
{
    lab_init();
    lab_user_pages();
    load_tr();
    set_ist(1, (unsigned long)lab_stack_event + LAB_STACK_BYTES);
    for (unsigned v = 0; v < 256; v++)
        restore_gate(v);
    wrmsr(APIC_BASE, rdmsr(APIC_BASE) | 0xc00); /* x2APIC mode: its registers are MSRs, acting at once */
    wrmsr(X2APIC_SPURIOUS, 0x1ff);
    for (unsigned i = 0; i < sizeof firsts / sizeof *firsts; i++)
        for (unsigned how = GATE_NOT_PRESENT; how <= IST_NOT_MAPPED; how++) {
            if (firsts[i].vector == seconds[how].vector)
                continue; /* one gate for both: it would be met twice */
            pair(&firsts[i], (enum how)how);
        }
    lab_end();
}
