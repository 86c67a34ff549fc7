/*
 * conformance: INT n, INT3, INTO, INT1 (ICEBP) and BOUND: vector, error code, saved IP, gate privilege
 * SDM: 2A, "INT n/INTO/INT3/INT1—Call to Interrupt Procedure"
 * SDM: 2A, "BOUND—Check Array Index Against Bounds"
 * SDM: 3A, "Software Initiated Exceptions"
 * conformance-bits: 32
 */
#include "lab.h"

enum { ERROR_IDT = 2, GATE_PRESENT = 0x80, GATE_ACCESS_BYTE = 5, GATE_BYTES = 8 };

struct piece {
    const char *name;
    uint8_t code[8];
    unsigned vector, length; /* of the instruction; IP is behind it (traps) */
    bool checks_dpl;         /* a gate with a DPL below CPL gives #GP */
};

static const struct piece pieces[] = {
    {"INT 3 (CDH 03H)", {0xcd, 3}, 3, 2, true}, {"INT3 (CCH)", {0xcc}, 3, 1, true},
    {"INT1 (F1H)", {0xf1}, 1, 1, false},        {"INTO with OF = 1", {0xce}, 4, 1, true},
    {"INT 30H", {0xcd, 0x30}, 0x30, 2, true},   {"INT 0DH", {0xcd, 0x0d}, 0xd, 2, true},
    {"INT 0EH", {0xcd, 0x0e}, 0xe, 2, true},    {"INT 8", {0xcd, 8}, 8, 2, true},
    {"INT 2", {0xcd, 2}, 2, 2, true},           {"INT 0FFH", {0xcd, 0xff}, 0xff, 2, true},
    {"66H INT3", {0x66, 0xcc}, 3, 2, true},     {"F2H INT 30H", {0xf2, 0xcd, 0x30}, 0x30, 3, true},
};
#define FLAGS_OF 0x800ul
#define FLAGS_IF 0x200ul

static uint8_t *gate_access(unsigned vector)
{
    return lab_idt + vector * GATE_BYTES + GATE_ACCESS_BYTE;
}

/* The stubs expect an error code where the exception has one; INT n pushes none (SDM 3A "Software Initiated
 * Exceptions"), so these tests point the gate at the stub of a vector without. */
static unsigned stub_vector(unsigned vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) ? LAB_DONE + 1 : vector;
}

static void each_piece(unsigned ring)
{
    extern const uint8_t lab_stubs[];
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const struct piece *p = &pieces[i];
        struct lab_state s = lab_start(p->code, ring);
        unsigned long sp = s.sp, done = s.ip + p->length;
        lab_set_gate(p->vector, LAB_CODE0, (unsigned long)lab_stubs + stub_vector(p->vector) * 16,
                     LAB_INTERRUPT_GATE, ring);
        s.flags |= FLAGS_OF | FLAGS_IF;
        lab_go(&s);
        LAB_EVENT(&s, stub_vector(p->vector), 0, done, "%s at ring %u", p->name, ring);
        LAB_EQUAL(s.sp, sp, "%s at ring %u: ESP", p->name, ring);
        LAB_EQUAL(s.flags, LAB_FLAGS_FIXED | FLAGS_OF | FLAGS_IF, "%s at ring %u: EFLAGS", p->name, ring);
        lab_set_gate(p->vector, LAB_CODE0, (unsigned long)lab_stubs + p->vector * 16, LAB_INTERRUPT_GATE, 0);
    }
}

/* Gate privilege is looked at before presence, and INT1 does not look at privilege. */
static void gate_privilege(void)
{
    extern const uint8_t lab_stubs[];
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const struct piece *p = &pieces[i];
        struct lab_state s = lab_start(p->code, 3);
        unsigned long start = s.ip;
        s.flags |= FLAGS_OF;
        if (p->vector == LAB_GP)
            continue; /* this gate is the handler's own */
        lab_set_gate(p->vector, LAB_CODE0, (unsigned long)lab_stubs + stub_vector(p->vector) * 16,
                     LAB_INTERRUPT_GATE, 2);
        *gate_access(p->vector) &= (uint8_t)~GATE_PRESENT;
        lab_go(&s);
        if (p->checks_dpl)
            LAB_EVENT(&s, LAB_GP, p->vector * 8 + ERROR_IDT, start, "%s, DPL 2, P = 0, at ring 3: #GP",
                      p->name);
        else
            LAB_EVENT(&s, LAB_NP, p->vector * 8 + ERROR_IDT + 1, start,
                      "%s, DPL 2, P = 0, at ring 3: #NP with EXT", p->name);
        s = lab_start(p->code, 0);
        s.flags |= FLAGS_OF;
        lab_go(&s);
        LAB_EVENT(&s, LAB_NP, p->vector * 8 + ERROR_IDT + !p->checks_dpl, start, "%s, P = 0, at ring 0: #NP",
                  p->name);
        lab_set_gate(p->vector, LAB_CODE0, (unsigned long)lab_stubs + p->vector * 16, LAB_INTERRUPT_GATE, 0);
    }
}

static void overflow_clear(void)
{
    static const uint8_t into[] = {0xce, 0xcd, LAB_DONE};
    struct lab_state s = lab_start(into, 3);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, into + 3, "INTO with OF = 0 does nothing, whatever the gate's DPL");
}

static void bound(void)
{
    static const struct {
        int32_t index, lower, upper;
        bool inside;
    } cases[] = {
        {0, 0, 0, true},
        {-1, 0, 5, false},
        {6, 0, 5, false},
        {5, 0, 5, true},
        {-3, -3, -2, true},
        {-4, -3, -2, false},
        {INT32_MAX, 0, INT32_MAX, true},
        {INT32_MIN, INT32_MIN, 0, true},
        {0, 1, -1, false}, /* limits the wrong way round */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t limits[2] = {cases[i].lower, cases[i].upper};
        LAB_TRY("bound %0, %1", ::"r"(cases[i].index), "m"(limits));
        if (cases[i].inside)
            LAB_NO_EVENT("BOUND %d in %d to %d", cases[i].index, limits[0], limits[1]);
        else
            LAB_FAULT(LAB_BR, 0, "BOUND %d in %d to %d: #BR", cases[i].index, limits[0], limits[1]);
    }
    int16_t words[2] = {-2, 2};
    LAB_TRY("bound %w0, %1", ::"r"(0x0001fffe), "m"(words));
    LAB_NO_EVENT("16-bit BOUND looks at 16 bits");
    LAB_TRY("bound %w0, %1", ::"r"(3), "m"(words));
    LAB_FAULT(LAB_BR, 0, "16-bit BOUND 3 in -2 to 2: #BR");
    LAB_TRY(".byte 0x62, 0xc0");
    LAB_FAULT(LAB_UD, 0, "BOUND with a register operand: #UD");
}

int main(void)
{
    lab_init();
    each_piece(0);
    each_piece(3);
    gate_privilege();
    overflow_clear();
    bound();
    lab_end();
}
