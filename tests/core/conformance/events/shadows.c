/*
 * conformance: the shadows of STI, MOV SS and POP SS, apart; which instructions have none
 * SDM: 2B, "STI—Set Interrupt Flag"
 * SDM: 2B, "MOV—Move", "POP—Pop a Value From the Stack"
 * SDM: 3A, "Masking Exceptions and Interrupts When Switching Stacks", "Single-Step Exception Condition"
 */
#include "lab.h"

enum {
    X2APIC_SPURIOUS = 0x80f,
    X2APIC_EOI = 0x80b,
    X2APIC_SELF_IPI = 0x83f,
    APIC_BASE = 0x1b,
    VECTOR = 0x51
};
#define FLAGS_TF 0x100ul
#define FLAGS_IF 0x200ul
#define DR6_BS 0x4000ul

struct piece {
    const char *name;
    uint8_t code[16];
    unsigned at; /* offset of the event */
    unsigned long flags;
    unsigned vector;
};

/* An interrupt waits with IF = 0. */
static const struct piece interrupts[] = {
    {"STI; NOP: behind the NOP", {0xfb, 0x90, 0x90}, 2, 0, VECTOR},
    {"STI; STI; NOP: the second STI finds IF = 1 and has no shadow", {0xfb, 0xfb, 0x90}, 2, 0, VECTOR},
    {"STI; CLI: not at all", {0xfb, 0xfa, 0xcd, LAB_DONE}, 4, 0, LAB_DONE},
    {"STI; HLT: behind the HLT, at once", {0xfb, 0xf4, 0x90}, 2, 0, VECTOR},
    {"STI; JMP: at its target", {0xfb, 0xeb, 0x02, 0x90, 0x90, 0x90}, 5, 0, VECTOR},
    {"STI; UD2: the fault first", {0xfb, 0x0f, 0x0b}, 1, 0, LAB_UD},
    {"STI; MOV DS: behind it", {0xfb, 0x8e, 0xd8, 0x90}, 3, 0, VECTOR},
    {"IRET that sets IF: before the first instruction", {0x90, 0x90}, 0, FLAGS_IF, VECTOR},
    {"POPF that sets IF: behind it", {0x9d, 0x90, 0x90}, 1, 0, VECTOR},
};

/* TF = 1: where is the first single-step trap? */
static const struct piece steps[] = {
    {"NOP", {0x90, 0x90}, 1, FLAGS_TF, LAB_DB},
    {"STI does not hold back the trap", {0xfb, 0x90, 0x90}, 1, FLAGS_TF, LAB_DB},
    {"MOV SS holds it back for one instruction", {0x8e, 0xd0, 0x90, 0x90}, 3, FLAGS_TF, LAB_DB},
    {"MOV SS; MOV RSP: behind MOV RSP", {0x8e, 0xd0, 0x48, 0x89, 0xe4, 0x90}, 5, FLAGS_TF, LAB_DB},
    {"MOV SS; CPUID: behind CPUID", {0x8e, 0xd0, 0x0f, 0xa2, 0x90}, 4, FLAGS_TF, LAB_DB},
    {"MOV DS has no shadow", {0x8e, 0xd8, 0x90}, 2, FLAGS_TF, LAB_DB},
    {"MOV SS; UD2: #UD, and the trap is lost", {0x8e, 0xd0, 0x0f, 0x0b}, 2, FLAGS_TF, LAB_UD},
    {"MOV SS; INT 20H", {0x8e, 0xd0, 0xcd, LAB_DONE}, 4, FLAGS_TF, LAB_DONE},
};

static unsigned long dr6(void)
{
    unsigned long v;
    __asm__ volatile("mov %%dr6, %0" : "=r"(v));
    return v;
}

static void run(const struct piece *p, bool interrupt)
{
    static uint8_t code[32];
    memset(code, 0x90, sizeof code);
    memcpy(code, p->code, sizeof p->code);
    struct lab_state s = lab_start(code, 0);
    *(unsigned long *)s.sp = FLAGS_IF | LAB_FLAGS_FIXED;
    s.ax = LAB_DATA0;
    s.flags |= p->flags;
    if (interrupt)
        wrmsr(X2APIC_SELF_IPI, VECTOR);
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0ul));
    lab_go(&s);
    LAB_EVENT(&s, p->vector, 0, code + p->at, "%s", p->name);
    if (p->vector == LAB_DB)
        LAB_EQUAL(dr6() & DR6_BS, DR6_BS, "%s: DR6.BS", p->name);
    if (interrupt && s.vector != VECTOR) { /* it still waits */
        static const uint8_t nops[] = {0x90, 0x90};
        s = lab_start(nops, 0);
        s.flags |= FLAGS_IF;
        lab_go(&s);
        LAB_EVENT(&s, VECTOR, 0, nops, "%s: the interrupt waited", p->name);
    }
    if (interrupt)
        wrmsr(X2APIC_EOI, 0);
}

/* POP SS in compatibility mode; LSS has no shadow (SDM 2A "LDS/LES/LFS/LGS/LSS"). */
static void compatibility_mode(void)
{
    static const uint8_t pop_ss[] = {0x17, 0x90, 0x90};
    static uint32_t far_pointer[2];
    static const uint8_t lss[] = {0x0f, 0xb2, 0x26, 0x90}; /* LSS ESP, [ESI] */
    struct lab_state s = lab_start(pop_ss, 0);
    s.cs = LAB_CODE32;
    *(uint32_t *)s.sp = LAB_DATA0;
    s.flags |= FLAGS_TF;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DB, 0, pop_ss + 2, "POP SS holds the trap back for one instruction");
    s = lab_start(lss, 0);
    s.cs = LAB_CODE32;
    far_pointer[0] = (uint32_t)s.sp;
    far_pointer[1] = LAB_DATA0;
    s.si = (unsigned long)far_pointer;
    s.flags |= FLAGS_TF;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DB, 0, lss + 3, "LSS has no shadow");
}

int main(void)
{
    lab_init();
    wrmsr(APIC_BASE, rdmsr(APIC_BASE) | 0xc00);
    wrmsr(X2APIC_SPURIOUS, 0x1ff);
    for (unsigned i = 0; i < sizeof interrupts / sizeof *interrupts; i++)
        run(&interrupts[i], true);
    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++)
        run(&steps[i], false);
    compatibility_mode();
    lab_end();
}
