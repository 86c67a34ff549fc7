/*
 * conformance: RFLAGS.TF: where the trap comes, what it saves, what clears and what keeps it
 * SDM: 3B, "Single-Step Exception Condition"
 * SDM: 3A, "Interrupt 1—Debug Exception (#DB)", "System Flags and Fields in the EFLAGS Register"
 * SDM: 2B, "POPF/POPFD/POPFQ", "SYSCALL—Fast System Call"
 */
#include "lab.h"

#define FLAGS_TF 0x100ul
#define FLAGS_RF 0x10000ul
#define DR6_INIT 0xffff0ff0ul
enum { BS = 1 << 14, COUNT = 3 };

LAB_LABEL(taken);
LAB_LABEL(after_popf);
LAB_CODE(nop_nop, "nop\n\tnop");
LAB_CODE(jumping, "jmp taken\n\tnop\n\tnop\ntaken: nop");
LAB_CODE(looping, "dec %ecx\n\tjnz looping");
LAB_CODE(faulting, "ud2");
LAB_CODE(setting, "pushfq\n\torl $0x100, (%rsp)\n\tpopfq\nafter_popf: nop\n\tnop");
LAB_CODE(clearing, "pushfq\n\tandl $~0x100, (%rsp)\n\tpopfq\n\tnop");
LAB_CODE(reading, "pushfq\n\tpop %rax");
LAB_CODE(calling, "call 1f\n1:\tret");
LAB_CODE(interrupting, "int $0x20");
LAB_CODE(system, "cpuid\n\trdmsr");
LAB_CODE(repeating, "rep stosb\n\tnop");
LAB_CODE(dividing, "div %bl\n\tnop");

static unsigned long dr6(void)
{
    unsigned long v;
    __asm__ volatile("mov %%dr6, %0" : "=r"(v));
    return v ^ DR6_INIT;
}

static struct lab_state start(const uint8_t *code)
{
    struct lab_state s = lab_start(code, 0);
    __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_INIT));
    s.flags |= FLAGS_TF;
    s.cx = COUNT;
    s.di = (unsigned long)lab_stack3;
    return s;
}

static void step(struct lab_state *s)
{
    s->cs = LAB_CODE0;
    lab_go(s);
}

/* Each instruction of a loop, one by one. */
static void each(void)
{
    struct lab_state s = start(looping);
    for (unsigned i = COUNT; i; i--) {
        step(&s);
        LAB_EVENT(&s, LAB_DB, 0, looping + 2, "DEC, %u left", i - 1);
        step(&s);
        LAB_EVENT(&s, LAB_DB, 0, i > 1 ? looping : looping + 4, "JNZ");
    }
    LAB_EQUAL(s.cx, 0, "ECX");
}

static void rep(void)
{
    struct lab_state s = start(repeating);
    for (unsigned left = COUNT; left--;) {
        step(&s);
        LAB_EVENT(&s, LAB_DB, 0, left ? repeating : repeating + 2, "REP STOSB, %u left", left);
        LAB_EQUAL(s.cx, left, "RCX");
        LAB_EQUAL(s.flags & FLAGS_RF, left ? FLAGS_RF : 0, "RF");
    }
    s = start(repeating);
    s.cx = 0;
    step(&s);
    LAB_EVENT(&s, LAB_DB, 0, repeating + 2, "REP STOSB of nothing: behind it");
}

int main(void)
{
    lab_init();
    struct lab_state s = start(nop_nop);
    step(&s);
    LAB_EVENT(&s, LAB_DB, 0, nop_nop + 1, "after the instruction");
    LAB_EQUAL(dr6(), BS, "DR6.BS alone");
    LAB_EQUAL(s.flags, FLAGS_TF | LAB_FLAGS_FIXED, "saved: TF, not RF");
    s = start(jumping);
    step(&s);
    LAB_EVENT(&s, LAB_DB, 0, taken, "a jump: at its target");
    each();
    rep();
    s = start(faulting);
    step(&s);
    LAB_EVENT(&s, LAB_UD, 0, faulting, "an instruction that faults: no trap");
    LAB_EQUAL(dr6(), 0, "DR6");
    LAB_EQUAL(s.flags, FLAGS_TF | FLAGS_RF | LAB_FLAGS_FIXED, "saved: TF and RF");
    s = start(dividing);
    step(&s);
    LAB_EVENT(&s, LAB_DE, 0, dividing, "DIV by zero");
    s = start(interrupting);
    step(&s);
    LAB_EVENT(&s, LAB_DONE, 0, interrupting + 2, "INT n clears TF: no trap after it");
    LAB_EQUAL(s.flags & FLAGS_TF, FLAGS_TF, "it is saved");
    s = start(setting);
    s.flags &= ~FLAGS_TF;
    step(&s);
    LAB_EVENT(&s, LAB_DB, 0, after_popf + 1, "POPF that sets TF: one instruction later");
    s = start(clearing);
    for (unsigned i = 0; i < 3; i++)
        step(&s);
    LAB_EVENT(&s, LAB_DB, 0, after_popf - setting + clearing, "POPF that clears TF: a trap after it still");
    LAB_EQUAL(s.flags & FLAGS_TF, 0, "with TF clear in the saved flags");
    step(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "and none further");
    s = start(reading);
    step(&s);
    step(&s);
    LAB_EQUAL(s.ax & (FLAGS_TF | FLAGS_RF), FLAGS_TF, "PUSHF stores TF and a cleared RF");
    s = start(calling);
    step(&s);
    LAB_EVENT(&s, LAB_DB, 0, calling + 5, "CALL");
    step(&s);
    LAB_EVENT(&s, LAB_DB, 0, calling + 5, "RET");
    s = start(system);
    step(&s);
    LAB_EVENT(&s, LAB_DB, 0, system + 2, "CPUID");
    lab_end();
}
