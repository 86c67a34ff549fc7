/*
 * conformance: breakpoints on ports, and on what the processor accesses itself: deliveries, transfers, string I/O, operands
 * SDM: 3B, "Data Memory and I/O Breakpoint Exception Conditions"
 * SDM: 3B, "Debug Control Register (DR7)", "Breakpoint Field Recognition"
 */
#include "window.h"

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

LAB_CODE(sgdt_it, "sgdt (%rbx)");
LAB_CODE(lidt_it, "lidt (%rbx)");
LAB_CODE(sldt_it, "sldt (%rbx)");
LAB_CODE(str_it, "str (%rbx)");
LAB_CODE(smsw_it, "smsw (%rbx)");
LAB_CODE(lmsw_it, "lmsw (%rbx)");
LAB_CODE(lldt_it, "lldt (%rbx)");
LAB_CODE(invpcid_it, "invpcid (%rbx), %rax");
LAB_CODE(jump_far, "ljmpl *(%rbx)");
LAB_CODE(xsave_it, "xsave (%rbx)");
LAB_CODE(xrstor_it, "xrstor (%rbx)");

static uint8_t area[1024] __attribute__((aligned(64)));

static struct lab_state with_operand(const uint8_t *code, unsigned kind, unsigned at)
{
    struct lab_state s = lab_start(code, 0);
    s.bx = (unsigned long)area;
    s.ax = 3; /* INVPCID: all but global; XSAVE: x87 and SSE */
    go(&s, kind, 1, (unsigned long)area + at);
    return s;
}

static void operands(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        uint8_t length, at, behind, kind;
    } rows[] = {
        {"SGDT", sgdt_it, 3, 9, 10, WRITE},    {"LIDT", lidt_it, 3, 9, 10, ACCESS},
        {"SLDT", sldt_it, 3, 1, 2, WRITE},     {"STR", str_it, 3, 1, 2, WRITE},
        {"SMSW", smsw_it, 3, 1, 2, WRITE},     {"LMSW", lmsw_it, 3, 1, 2, ACCESS},
        {"LLDT", lldt_it, 3, 1, 2, ACCESS},    {"INVPCID", invpcid_it, 5, 15, 16, ACCESS},
        {"XSAVE", xsave_it, 3, 2, 200, WRITE}, {"XRSTOR", xrstor_it, 3, 2, 200, ACCESS},
    };
    enum { CR4_OSXSAVE = 1 << 18 };
    write_cr4(read_cr4() | CR4_OSXSAVE);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(area, 0, sizeof area);
        area[512] = rows[i].code == xrstor_it; /* XSTATE_BV: x87 state is there */
        if (rows[i].code == lidt_it)
            __asm__ volatile("sidt %0" : "=m"(area));
        if (rows[i].code == lmsw_it)
            area[0] = (uint8_t)read_cr0() & 0xf;
        struct lab_state s = with_operand(rows[i].code, rows[i].kind, rows[i].at);
        LAB_EVENT(&s, LAB_DB, 0, rows[i].code + rows[i].length, "the operand of %s", rows[i].name);
        LAB_EQUAL(hit, 1, "DR6");
        s = with_operand(rows[i].code, rows[i].kind, rows[i].behind);
        LAB_EQUAL(s.vector, LAB_DONE, "behind the operand of %s", rows[i].name);
        if (rows[i].kind == ACCESS) {
            s = with_operand(rows[i].code, WRITE, rows[i].at);
            LAB_EQUAL(s.vector, LAB_DONE, "%s does not write", rows[i].name);
        }
    }
    *(volatile uint32_t *)area = (uint32_t)(unsigned long)out_8 + 1;
    *(volatile uint16_t *)(area + 4) = LAB_CODE0;
    struct lab_state s = with_operand(jump_far, ACCESS, 5);
    LAB_EVENT(&s, LAB_DB, 0, out_8 + 1, "a far pointer: a trap at its target");
    /* What an instruction accessed before it faulted does not count. */
    memset(area, 0x55, sizeof area);
    s = with_operand(lidt_it, ACCESS, 2);
    LAB_EVENT(&s, LAB_GP, 0, lidt_it, "LIDT of a base that is not canonical");
    LAB_EQUAL(hit, 0, "DR6");
}

/* The frame of #UD begins on a watched page and ends on one that is not there; #PF has a stack of its own. */
static void delivery_that_fails(void)
{
    enum { TSS_RSP0 = 4, TSS_IST1 = 0x24, GATE_IST = 4 };
    static uint8_t other_stack[4096] __attribute__((aligned(16)));
    const unsigned long other = (unsigned long)other_stack + sizeof other_stack;
    const unsigned long top = (unsigned long)window_at(1) + 16;
    unsigned long rsp0;
    memcpy(&rsp0, lab_tss + TSS_RSP0, sizeof rsp0);
    memcpy(lab_tss + TSS_RSP0, &top, sizeof top);
    memcpy(lab_tss + TSS_IST1, &other, sizeof other);
    lab_idt[16 * LAB_PF + GATE_IST] = 1;
    window_map(0, 0, 0);
    struct lab_state s = lab_start(undefined, 3);
    go(&s, WRITE, 4, top - 8);
    LAB_EVENT(&s, LAB_PF, PF_W, undefined, "a delivery that fails half-way");
    LAB_EQUAL(s.cr2, top - 24, "CR2");
    LAB_EQUAL(hit, 0, "what it pushed before does not count");
    window_map(0, 0, PAGE_ALL);
    s = lab_start(undefined, 3);
    go(&s, WRITE, 4, top - 8);
    LAB_EQUAL(s.vector, LAB_DB, "when it succeeds it does");
    lab_idt[16 * LAB_PF + GATE_IST] = 0;
    memcpy(lab_tss + TSS_RSP0, &rsp0, sizeof rsp0);
}

int main(void)
{
    lab_init();
    ports();
    string_memory();
    delivery();
    transfer();
    operands();
    window_open();
    delivery_that_fails();
    lab_end();
}
