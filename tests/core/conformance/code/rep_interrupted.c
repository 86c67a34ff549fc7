/*
 * conformance: repeated string instructions left in their middle, by faults and by interrupts: registers, RF, going on
 * SDM: 2B, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix"
 * SDM: 3A, "System Flags and Fields in the EFLAGS Register" (RF)
 * SDM: 3A, "APIC Timer"
 */
#include "window.h"

#define FLAGS_IF 0x200ul
#define FLAGS_DF 0x400ul
#define FLAGS_RF 0x10000ul
enum { FIRST = 2, SECOND = 3, VECTOR = 0x51, TIMER = 0x832, TIMER_COUNT = 0x838, TIMER_DIVIDE = 0x83e };

LAB_CODE(movs_1, "rep movsb");
LAB_CODE(movs_8, "rep movsq");
LAB_CODE(stos_4, "rep stosl");
LAB_CODE(cmps_1, "repe cmpsb");
LAB_CODE(scas_2, "repne scasw");
LAB_CODE(lods_1, "rep lodsb");

static const struct piece {
    const char *name;
    const uint8_t *code;
    unsigned length, size;
    bool source, destination, writes;
} pieces[] = {
    {"REP MOVSB", movs_1, 2, 1, true, true, true},     {"REP MOVSQ", movs_8, 3, 8, true, true, true},
    {"REP STOSD", stos_4, 2, 4, false, true, true},    {"REPE CMPSB", cmps_1, 2, 1, true, true, false},
    {"REPNE SCASW", scas_2, 3, 2, false, true, false}, {"REP LODSB", lods_1, 2, 1, true, false, false},
};

/* The destination's (or source's) second page is missing; it comes, and the instruction goes on. */
static void fault(const struct piece *p, bool at_source, bool down)
{
    enum { DONE = 24, LEFT = 16 };
    const unsigned bad = down ? FIRST : SECOND;
    struct lab_state s = lab_start(p->code, 0);
    memset(window_memory, 0x21, sizeof window_memory);
    /* up: DONE bytes before the boundary; down: the operand's last element begins DONE bytes above it */
    const unsigned long boundary = (unsigned long)window_at(SECOND);
    const unsigned long at = down ? boundary + DONE - p->size : boundary - DONE;
    const unsigned long other = (unsigned long)window_at(9) + 1024;
    s.si = at_source ? at : other;
    s.di = at_source ? other : at;
    s.cx = (DONE + LEFT) / p->size;
    s.ax = 0x55;
    s.flags |= down ? FLAGS_DF : 0;
    const unsigned long si = s.si, di = s.di, count = s.cx, done = DONE / p->size;
    const unsigned long sign = down ? -1ul : 1ul;
    window_map(bad, bad, 0);
    lab_go(&s);
    const unsigned code = p->writes && !at_source ? PF_W : 0;
    LAB_EVENT(&s, LAB_PF, code, p->code, "%s, %s: the second page is missing", p->name, down ? "down" : "up");
    LAB_EQUAL(s.cr2, down ? boundary - p->size : boundary, "CR2");
    LAB_EQUAL(s.cx, count - done, "RCX");
    LAB_EQUAL(s.si, p->source ? si + sign * DONE : si, "RSI");
    LAB_EQUAL(s.di, p->destination ? di + sign * DONE : di, "RDI");
    LAB_EQUAL(s.flags & FLAGS_RF, FLAGS_RF, "RF is saved as 1");
    window_map(bad, bad, PAGE_ALL);
    s.cs = LAB_CODE0;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, p->code + p->length + 2, "it goes on");
    LAB_EQUAL(s.cx, 0, "to the end");
    LAB_EQUAL(s.flags & FLAGS_RF, 0, "and RF is 0 behind it");
}

/* The timer comes while 1 MiB is being filled. */
static void interrupt(void)
{
    enum { BYTES = 1 << 20 };
    static uint8_t target[BYTES + 1];
    unsigned interrupts = 0;
    struct lab_state s = lab_start(movs_1, 0);
    s.si = (unsigned long)target;
    s.di = (unsigned long)target + 1;
    s.cx = BYTES;
    s.flags |= FLAGS_IF;
    target[0] = 0x77;
    wrmsr(TIMER_DIVIDE, 0xb);
    wrmsr(TIMER, VECTOR);
    for (;;) {
        const unsigned long before = s.cx;
        wrmsr(TIMER_COUNT, 20000);
        lab_go(&s);
        if (s.vector != VECTOR)
            break;
        wrmsr(0x80b, 0);
        interrupts++;
        const unsigned long moved = s.di - ((unsigned long)target + 1);
        if (s.ip == (unsigned long)movs_1 && s.cx && (s.flags & FLAGS_RF) && moved == BYTES - s.cx &&
            s.cx < before && s.si == (unsigned long)target + moved && target[moved] == 0x77 &&
            target[moved + 1] == 0) {
            s.cs = LAB_CODE0;
            continue;
        }
        if (s.ip == (unsigned long)movs_1 + 2 && !s.cx && !(s.flags & FLAGS_RF))
            continue;
        LAB_CHECK(false, "interrupt %u: RIP %lx, RCX %lx, flags %lx, moved %lx", interrupts,
                  s.ip - (unsigned long)movs_1, s.cx, s.flags, moved);
        s.cs = LAB_CODE0;
    }
    wrmsr(TIMER_COUNT, 0);
    LAB_EVENT(&s, LAB_DONE, 0, movs_1 + 4, "REP MOVSB of 1 MiB under timer interrupts");
    LAB_CHECK(interrupts > 3, "was interrupted");
    LAB_EQUAL(s.cx, 0, "RCX");
    LAB_EQUAL(target[BYTES], 0x77, "the last byte");
}

/* The comparison that ends a repetition leaves the rest undone. */
static void ended_by_comparison(void)
{
    struct lab_state s = lab_start(cmps_1, 0);
    memset(window_memory, 0x21, 3 * PAGE);
    window_memory[1][5] = 0x22;
    s.si = (unsigned long)window_memory[0];
    s.di = (unsigned long)window_memory[1];
    s.cx = 100;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, cmps_1 + 4, "REPE CMPSB with a difference");
    LAB_EQUAL(s.cx, 94, "RCX");
    LAB_EQUAL(s.si, (unsigned long)window_memory[0] + 6, "RSI");
    s = lab_start(movs_1, 0);
    s.si = s.di = 1ul << 63; /* not canonical */
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, movs_1 + 4, "REP MOVSB of nothing accesses nothing");
}

int main(void)
{
    lab_init();
    window_open();
    wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
    wrmsr(0x80f, 0x1ff);
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (unsigned down = 0; down < 2; down++) {
            if (pieces[i].destination)
                fault(&pieces[i], false, down);
            if (pieces[i].source)
                fault(&pieces[i], true, down);
        }
    interrupt();
    ended_by_comparison();
    lab_end();
}
