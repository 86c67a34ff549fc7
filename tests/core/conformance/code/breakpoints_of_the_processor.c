/*
 * conformance: breakpoints on ports, and on memory that the processor accesses by itself: deliveries, transfers, string I/O
 * SDM: 3B, "Data Memory and I/O Breakpoint Exception Conditions"
 * SDM: 3B, "Debug Control Register (DR7)", "Breakpoint Field Recognition"
 */
#include "lab.h"

#define FLAGS_TF 0x100ul
#define DR6_INIT 0xffff0ff0ul
#define DR7_INIT 0x400ul
enum { BS = 1 << 14, WRITE = 1, IO = 2, ACCESS = 3, CR4_DE = 8, PORT = 0x80 };

static uint8_t memory[64] __attribute__((aligned(64)));
static unsigned long hit; /* DR6 after go */

static void set_dr7(unsigned long v)
{
    __asm__ volatile("mov %1, %%dr6\n\tmov %0, %%dr7" : : "r"(v | DR7_INIT), "r"(DR6_INIT));
}

/* Breakpoint 0 of this kind, length (1, 2, 4) and address while s runs. */
static void go(struct lab_state *s, unsigned kind, unsigned length, unsigned long address)
{
    unsigned long dr6;
    __asm__ volatile("mov %0, %%dr0" : : "r"(address));
    set_dr7(2 | (unsigned long)(kind | (length - 1) << 2) << 16);
    lab_go(s);
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    set_dr7(0);
    hit = dr6 ^ DR6_INIT;
}

LAB_CODE(out_8, "out %al, %dx");
LAB_CODE(in_32, "in %dx, %eax");
LAB_CODE(outs_8, "rep outsb");
LAB_CODE(ins_8, "insb");

static struct lab_state at_port(const uint8_t *code, unsigned port)
{
    struct lab_state s = lab_start(code, 0);
    s.dx = port;
    s.si = s.di = (unsigned long)memory;
    s.cx = 3;
    return s;
}

static void ports(void)
{
    struct lab_state s = at_port(out_8, PORT);
    go(&s, IO, 1, PORT);
    LAB_EQUAL(s.vector, LAB_DONE, "without CR4.DE: not hit");
    write_cr4(read_cr4() | CR4_DE);
    s = at_port(out_8, PORT);
    go(&s, IO, 1, PORT);
    LAB_EVENT(&s, LAB_DB, 0, out_8 + 1, "OUT to a watched port: a trap after it");
    LAB_EQUAL(hit, 1, "DR6");
    s = at_port(out_8, PORT);
    s.flags |= FLAGS_TF;
    go(&s, IO, 1, PORT);
    LAB_EVENT(&s, LAB_DB, 0, out_8 + 1, "with TF: one exception");
    LAB_EQUAL(hit, BS | 1, "both in DR6");
    s = at_port(out_8, PORT + 1);
    go(&s, IO, 1, PORT);
    LAB_EQUAL(s.vector, LAB_DONE, "another port");
    s = at_port(in_32, PORT - 2);
    go(&s, IO, 1, PORT);
    LAB_EVENT(&s, LAB_DB, 0, in_32 + 1, "IN of 4 ports over the watched one");
    s = at_port(outs_8, PORT);
    go(&s, IO, 1, PORT);
    LAB_EVENT(&s, LAB_DB, 0, outs_8, "REP OUTSB: after the first iteration");
    LAB_EQUAL(s.cx, 2, "RCX");
    s = at_port(out_8, PORT);
    go(&s, WRITE, 1, PORT);
    LAB_EQUAL(s.vector, LAB_DONE, "a data breakpoint at the port's number is none on the port");
    write_cr4(read_cr4() & ~(unsigned long)CR4_DE);
}

static void string_memory(void)
{
    struct lab_state s = at_port(outs_8, PORT);
    go(&s, ACCESS, 1, (unsigned long)memory + 1);
    LAB_EVENT(&s, LAB_DB, 0, outs_8, "REP OUTSB reads watched memory in its second iteration");
    LAB_EQUAL(s.cx, 1, "RCX");
    s = at_port(outs_8, PORT);
    go(&s, WRITE, 1, (unsigned long)memory + 1);
    LAB_EQUAL(s.vector, LAB_DONE, "reads hit no breakpoint on writes");
    s = at_port(ins_8, PORT);
    go(&s, WRITE, 1, (unsigned long)memory);
    LAB_EVENT(&s, LAB_DB, 0, ins_8 + 1, "INSB writes it");
}

LAB_CODE(undefined, "ud2");
LAB_CODE(return_far, "lretq");

/* The handler's first instruction is not executed yet: the frame of #DB is there, and below it that of #UD. */
static void delivery(void)
{
    extern const uint8_t lab_stubs[];
    struct lab_state s = lab_start(undefined, 3);
    const unsigned long top = (unsigned long)lab_stack_event + LAB_STACK_BYTES;
    lab_user_pages();
    go(&s, WRITE, 4, top - 8);
    LAB_EVENT(&s, LAB_DB, 0, lab_stubs + 16 * LAB_UD,
              "a frame pushed over watched memory: #DB before the handler");
    LAB_EQUAL(hit, 1, "DR6");
    LAB_EQUAL(s.cs & 3, 0, "at CPL 0");
    s = lab_start(undefined, 3);
    go(&s, WRITE, 4, top);
    LAB_EQUAL(s.vector, LAB_UD, "above the frame: not hit");
}

static void transfer(void)
{
    struct lab_state s = lab_start(return_far, 3);
    s.sp -= 16;
    ((volatile uint64_t *)s.sp)[0] = (unsigned long)out_8 + 1;
    ((volatile uint64_t *)s.sp)[1] = LAB_CODE3;
    go(&s, ACCESS, 4, s.sp + 8);
    LAB_EVENT(&s, LAB_DB, 0, out_8 + 1, "a far return from a watched stack: a trap at its target");
}

int main(void)
{
    lab_init();
    ports();
    string_memory();
    delivery();
    transfer();
    lab_end();
}
