/*
 * conformance: DR0 to DR7: instruction and data breakpoints, general detect, RF, what DR6 says
 * SDM: 3B, "Debug Registers" with "Debug Status Register (DR6)", "Debug Control Register (DR7)", "Breakpoint Field Recognition"
 * SDM: 3B, "Debug Exception (#DB)—Interrupt Vector 1" with its conditions
 * SDM: 3A, "Masking Exceptions and Interrupts When Switching Stacks"
 */
#include "lab.h"

#define FLAGS_TF 0x100ul
#define FLAGS_RF 0x10000ul
#define DR6_INIT 0xffff0ff0ul
#define DR7_INIT 0x400ul
#define DR7_GD 0x2000ul
enum { BD = 1 << 13, BS = 1 << 14, EXECUTE = 0, WRITE = 1, ACCESS = 3 };

/* Below what is watched there is room for the frames of events: PUSH is tried with the stack there. */
static uint8_t room[1024] __attribute__((aligned(64)));
static uint8_t *const memory = room + sizeof room - 64;

static unsigned long dr6(void)
{
    unsigned long v;
    __asm__ volatile("mov %%dr6, %0" : "=r"(v));
    return v;
}
static unsigned long dr7(void)
{
    unsigned long v;
    __asm__ volatile("mov %%dr7, %0" : "=r"(v));
    return v;
}
static void set_dr7(unsigned long v)
{
    __asm__ volatile("mov %1, %%dr6\n\tmov %0, %%dr7" : : "r"(v | DR7_INIT), "r"(DR6_INIT));
}
static void set_dr(unsigned n, unsigned long v)
{
    switch (n) {
    case 0:
        __asm__ volatile("mov %0, %%dr0" : : "r"(v));
        break;
    case 1:
        __asm__ volatile("mov %0, %%dr1" : : "r"(v));
        break;
    case 2:
        __asm__ volatile("mov %0, %%dr2" : : "r"(v));
        break;
    default:
        __asm__ volatile("mov %0, %%dr3" : : "r"(v));
        break;
    }
}
static unsigned long enable(unsigned n, unsigned kind, unsigned length)
{
    const unsigned code = length == 1 ? 0 : length == 2 ? 1 : length == 8 ? 2 : 3;
    return 2ul << 2 * n | (unsigned long)(kind | code << 2) << (16 + 4 * n);
}

/* Runs code with DR7, and what DR6 says of it then. */
static unsigned long hit;
static struct lab_state go(const uint8_t *code, unsigned long control, unsigned long flags)
{
    struct lab_state s = lab_start(code, 0);
    s.bx = s.di = (unsigned long)memory + 16;
    s.si = (unsigned long)memory + 32;
    s.cx = 4;
    s.flags |= flags;
    set_dr7(control);
    lab_go(&s);
    hit = dr6() ^ DR6_INIT;
    set_dr7(0);
    return s;
}

LAB_LABEL(second);
LAB_CODE(three, "inc %eax\nsecond: inc %eax\n\tinc %eax");

static void instructions(void)
{
    for (unsigned n = 0; n < 4; n++) {
        set_dr(n, (unsigned long)second);
        struct lab_state s = go(three, enable(n, EXECUTE, 1), 0);
        LAB_EVENT(&s, LAB_DB, 0, second, "DR%u: a fault before the instruction", n);
        LAB_EQUAL(s.ax, 1, "only the one before is executed");
        LAB_EQUAL(hit, 1ul << n, "DR6");
        LAB_EQUAL(s.flags & FLAGS_RF, 0, "RF is not set in the saved flags, other than by other faults");
        s = go(three, enable(n, EXECUTE, 1) >> 1, 0);
        LAB_EVENT(&s, LAB_DB, 0, second, "and by the local enable");
        s = go(three, 0, 0);
        LAB_EQUAL(s.ax, 3, "disabled: not hit");
        set_dr(n, (unsigned long)second + 1);
        s = go(three, enable(n, EXECUTE, 1), 0);
        LAB_EQUAL(s.ax, 3, "inside an instruction: not hit");
        set_dr(n, 0);
    }
    set_dr(0, (unsigned long)three);
    set_dr(3, (unsigned long)second);
    struct lab_state s = go(three, enable(0, EXECUTE, 1) | enable(3, EXECUTE, 1), FLAGS_RF);
    LAB_EVENT(&s, LAB_DB, 0, second, "RF passes the first, not the second");
    LAB_EQUAL(hit, 8, "DR6 has the second");
    s = go(three, enable(0, EXECUTE, 1), FLAGS_TF);
    LAB_EVENT(&s, LAB_DB, 0, three, "with TF set as well: the breakpoint is first");
    LAB_EQUAL(hit, 1, "without BS");
    set_dr(0, 0);
    set_dr(3, (unsigned long)second);
    s = go(three, enable(3, EXECUTE, 1), FLAGS_TF);
    LAB_EVENT(&s, LAB_DB, 0, second, "the trap of the instruction before");
    LAB_CHECK(hit == BS || hit == (BS | 8), "DR6 has BS: %lx", hit);
}

LAB_CODE(store_1, "movb $1, (%rbx)");
LAB_CODE(store_4, "movl $1, (%rbx)");
LAB_CODE(store_8, "movq $1, (%rbx)");
LAB_CODE(load_1, "mov (%rbx), %al");
LAB_CODE(load_8, "mov (%rbx), %rax");
LAB_CODE(sse, "movups %xmm0, (%rbx)");
LAB_CODE(lock_8, "lock incq (%rbx)");
LAB_CODE(cmpxchg_8, "lock cmpxchg8b (%rbx)");
LAB_CODE(string_1, "movsb");
LAB_CODE(push_8, "lea 8(%rbx), %rsp\n\tpush %rax");
LAB_CODE(lea_8, "lea (%rbx), %rax");
LAB_CODE(nop_8, "nopl (%rbx)");
LAB_CODE(faulting, "movq $1, (%rbx)\n\tud2");

static const struct {
    const char *name;
    const uint8_t *code;
    unsigned length; /* of the instruction, from the begin of the code */
    int at;          /* of the breakpoint, from RBX */
    unsigned bytes;
    bool on_write, on_access;
} data[] = {
    {"store of a byte", store_1, 3, 0, 1, true, true},
    {"store before it", store_1, 3, 1, 1, false, false},
    {"store of 4 bytes over a byte", store_4, 6, 3, 1, true, true},
    {"store of 4 bytes just before", store_4, 6, 4, 4, false, false},
    {"store of 8 bytes, 4 watched", store_8, 7, 4, 4, true, true},
    {"store of a byte, 8 watched", store_1, 3, 0, 8, true, true},
    {"load of a byte", load_1, 2, 0, 1, false, true},
    {"load of 8 bytes", load_8, 3, 6, 2, false, true},
    {"MOVUPS", sse, 3, 14, 2, true, true},
    {"LOCK INC", lock_8, 4, 4, 4, true, true},
    {"CMPXCHG8B", cmpxchg_8, 4, 0, 4, true, true},
    {"MOVSB, destination", string_1, 1, 0, 1, true, true},
    {"MOVSB, source", string_1, 1, 16, 1, false, true},
    {"PUSH", push_8, 5, 0, 8, true, true},
    {"LEA", lea_8, 3, 0, 8, false, false},
    {"NOP with an operand", nop_8, 3, 0, 8, false, false},
};

static void one_access(unsigned i, unsigned kind, bool expected)
{
    set_dr(1, (unsigned long)memory + 16 + (unsigned long)data[i].at);
    struct lab_state s = go(data[i].code, enable(1, kind, data[i].bytes), 0);
    if (expected) {
        LAB_EVENT(&s, LAB_DB, 0, data[i].code + data[i].length, "%s: a trap after it", data[i].name);
        LAB_EQUAL(hit, 2, "%s: DR6", data[i].name);
        LAB_EQUAL(s.flags & FLAGS_RF, 0, "%s: RF is clear", data[i].name);
    } else {
        LAB_EQUAL(s.vector, LAB_DONE, "%s, %s: not hit", data[i].name,
                  kind == WRITE ? "writes watched" : "accesses watched");
    }
}

static void accesses(void)
{
    for (unsigned i = 0; i < sizeof data / sizeof *data; i++) {
        one_access(i, WRITE, data[i].on_write);
        one_access(i, ACCESS, data[i].on_access);
    }
    set_dr(1, (unsigned long)memory + 16);
    struct lab_state s = go(store_8, enable(1, WRITE, 8), FLAGS_RF);
    LAB_EQUAL(s.vector, LAB_DB, "RF does not hold data breakpoints back");
    s = go(store_8, enable(1, WRITE, 8), FLAGS_TF);
    LAB_EVENT(&s, LAB_DB, 0, store_8 + 7, "with TF: one exception");
    LAB_EQUAL(hit, BS | 2, "both in DR6");
    s = go(faulting, enable(1, WRITE, 8), 0);
    LAB_EVENT(&s, LAB_DB, 0, store_8 + 7 - store_8 + faulting,
              "the trap comes before the next instruction's fault");
    set_dr(0, (unsigned long)memory + 20);
    s = go(store_8, enable(1, WRITE, 4) | enable(0, ACCESS, 4), 0);
    LAB_EQUAL(hit, 3, "two breakpoints of one access");
    set_dr(1, (unsigned long)memory + 22); /* the low bits are ignored */
    s = go(store_8, enable(1, WRITE, 8), 0);
    LAB_EQUAL(hit, 2, "an address is aligned to the length");
}

LAB_LABEL(repeated);
LAB_CODE(repeat, "nop\nrepeated: rep movsb");

static void strings(void)
{
    set_dr(0, (unsigned long)memory + 18);
    struct lab_state s = go(repeat, enable(0, WRITE, 1), 0);
    LAB_EVENT(&s, LAB_DB, 0, repeated, "REP MOVSB: after the iteration that hit");
    LAB_EQUAL(s.cx, 1, "RCX: three are done");
    LAB_EQUAL(s.flags & FLAGS_RF, FLAGS_RF, "RF is set between iterations");
    set_dr(0, (unsigned long)memory + 19);
    s = go(repeat, enable(0, WRITE, 1), 0);
    LAB_EVENT(&s, LAB_DB, 0, repeated + 2, "the last iteration: behind the instruction");
    LAB_EQUAL(s.flags & FLAGS_RF, 0, "RF is clear there");
    set_dr(0, (unsigned long)repeated);
    s = go(repeat, enable(0, EXECUTE, 1), 0);
    LAB_EVENT(&s, LAB_DB, 0, repeated, "a breakpoint on it");
    LAB_EQUAL(s.cx, 4, "before the first iteration");
    s.flags |= FLAGS_RF;
    set_dr7(enable(0, EXECUTE, 1));
    s.cs = LAB_CODE0;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "returned to with RF: all iterations, once");
    LAB_EQUAL(s.cx, 0, "RCX");
    set_dr7(0);
    s = go(repeated, 0, FLAGS_TF);
    LAB_EVENT(&s, LAB_DB, 0, repeated, "TF: a trap after each iteration");
    LAB_EQUAL(s.cx, 3, "RCX");
    LAB_EQUAL(s.flags & FLAGS_RF, FLAGS_RF, "with RF set");
}

LAB_CODE(held, "mov (%rbx), %ss\n\tnop\n\tnop");

static void mov_ss(void)
{
    *(uint64_t *)(memory + 16) = LAB_DATA0;
    set_dr(2, (unsigned long)memory + 16);
    struct lab_state s = go(held, enable(2, ACCESS, 2), 0);
    LAB_EVENT(&s, LAB_DB, 0, held + 3, "MOV SS from watched memory: after the next instruction");
    LAB_EQUAL(hit, 4, "DR6");
    s = go(held, enable(2, ACCESS, 2), FLAGS_TF);
    LAB_EVENT(&s, LAB_DB, 0, held + 3, "with TF");
    LAB_EQUAL(hit, BS | 4, "both in DR6");
    set_dr(2, (unsigned long)held + 2);
    s = go(held, enable(2, EXECUTE, 1), 0);
    LAB_EQUAL(s.vector, LAB_DONE, "an instruction breakpoint behind MOV SS is not seen");
    set_dr(2, 0);
}

LAB_CODE(read_dr7, "mov %dr7, %rax");
LAB_CODE(write_dr0, "mov %rax, %dr0");

static void general_detect(void)
{
    struct lab_state s = lab_start(read_dr7, 0);
    set_dr7(DR7_GD);
    lab_go(&s);
    LAB_EQUAL(dr7() & DR7_GD, 0, "delivery clears DR7.GD");
    LAB_EVENT(&s, LAB_DB, 0, read_dr7, "MOV from DR7 with GD: a fault");
    LAB_EQUAL(dr6() ^ DR6_INIT, BD, "DR6.BD");
    LAB_EQUAL(s.flags & FLAGS_RF, FLAGS_RF, "RF is set as of a fault");
    s = lab_start(write_dr0, 0);
    s.ax = 0x1234;
    set_dr7(DR7_GD);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DB, 0, write_dr0, "MOV to DR0 too");
    s = lab_start(read_dr7, 3);
    set_dr7(DR7_GD);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, read_dr7, "CPL 3: #GP comes first");
    LAB_TRY("mov %%dr7, %0", : "=r"(s.ax));
    LAB_FAULT(LAB_DB, 0, "and GD is set as before");
    set_dr7(0);
}

LAB_CODE(icebp, ".byte 0xf1\n\tnop");

static void without_conditions(void)
{
    struct lab_state s = go(icebp, 0, 0);
    LAB_EVENT(&s, LAB_DB, 0, icebp + 1, "INT1: a trap");
    LAB_EQUAL(hit, 0, "DR6 is as it was");
    set_dr7(0);
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_INIT | 5 | BS));
    s = lab_start(icebp, 0);
    lab_go(&s);
    LAB_EQUAL(dr6() ^ DR6_INIT, 5 | BS, "whatever it was");
    set_dr(0, (unsigned long)memory + 16);
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_INIT | 8 | BS | BD));
    s = lab_start(store_1, 0);
    s.bx = (unsigned long)memory + 16;
    __asm__ volatile("mov %0, %%dr7" : : "r"(DR7_INIT | enable(0, WRITE, 1)));
    lab_go(&s);
    LAB_EQUAL((dr6() ^ DR6_INIT) & 0xf, 1, "a breakpoint clears the bits of others");
    LAB_EQUAL((dr6() ^ DR6_INIT) & (BS | BD), BS | BD, "and leaves BS and BD");
    set_dr7(0);
}

int main(void)
{
    lab_init();
    lab_user_pages();
    instructions();
    accesses();
    strings();
    mov_ss();
    general_detect();
    without_conditions();
    lab_end();
}
