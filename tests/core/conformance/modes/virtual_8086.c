/*
 * conformance: virtual-8086 mode without extensions: sensitive and privileged instructions, entry, leaving, address wrap
 * SDM: 3B, "Virtual-8086 Mode" with "Entering Virtual-8086 Mode", "Leaving Virtual-8086 Mode", "Sensitive Instructions"
 * SDM: 3B, "Handling an Interrupt or Exception Through a Protected-Mode Trap or Interrupt Gate"
 * conformance-bits: 32
 */
#include "v86.h"

extern const uint8_t lab_stubs[];

struct piece {
    const char *name;
    uint8_t code[8];
    unsigned bytes;
};

/* Each with IOPL 0: #GP(0); with IOPL 3: done, and HLT behind it gives the #GP. */
static const struct piece sensitive[] = {
    {"CLI", {0xfa}, 1},  {"STI", {0xfb}, 1},          {"PUSHF", {0x9c}, 1},
    {"POPF", {0x9d}, 1}, {"PUSHFD", {0x66, 0x9c}, 2}, {"POPFD", {0x66, 0x9d}, 2},
};
static const struct piece privileged[] = {
    {"HLT", {0xf4}, 1},
    {"MOV EAX, CR0", {0x0f, 0x20, 0xc0}, 3},
    {"MOV CR3, EAX", {0x0f, 0x22, 0xd8}, 3},
    {"MOV EAX, DR7", {0x0f, 0x21, 0xf8}, 3},
    {"CLTS", {0x0f, 0x06}, 2},
    {"LGDT", {0x0f, 0x01, 0x16, 0, 0}, 5},
    {"LIDT", {0x0f, 0x01, 0x1e, 0, 0}, 5},
    {"LMSW AX", {0x0f, 0x01, 0xf0}, 3},
    {"INVD", {0x0f, 0x08}, 2},
    {"WBINVD", {0x0f, 0x09}, 2},
    {"INVLPG", {0x0f, 0x01, 0x3e, 0, 0}, 5},
    {"RDMSR", {0x0f, 0x32}, 2},
    {"WRMSR", {0x0f, 0x30}, 2},
    {"IN AL, DX (map beyond the limit)", {0xec}, 1},
    {"OUT 80H, AL", {0xe6, 0x80}, 2},
};
static const struct piece unknown[] = {
    {"SLDT AX", {0x0f, 0x00, 0xc0}, 3},    {"STR AX", {0x0f, 0x00, 0xc8}, 3},
    {"LLDT AX", {0x0f, 0x00, 0xd0}, 3},    {"LTR AX", {0x0f, 0x00, 0xd8}, 3},
    {"VERR AX", {0x0f, 0x00, 0xe0}, 3},    {"VERW AX", {0x0f, 0x00, 0xe8}, 3},
    {"LAR AX, AX", {0x0f, 0x02, 0xc0}, 3}, {"LSL AX, AX", {0x0f, 0x03, 0xc0}, 3},
    {"ARPL AX, AX", {0x63, 0xc0}, 2},      {"UD2", {0x0f, 0x0b}, 2},
};

static void instructions(void)
{
    struct lab_state s;
    for (unsigned i = 0; i < sizeof sensitive / sizeof *sensitive; i++)
        for (unsigned iopl = 0; iopl <= 3; iopl++) {
            s = v86_start(sensitive[i].code, sensitive[i].bytes, iopl << 12);
            *v86_stack(V86_SP) = 0;
            *v86_stack(V86_SP + 2) = 0;
            lab_go(&s);
            LAB_EVENT(&s, LAB_GP, 0, iopl == 3 ? sensitive[i].bytes : 0, "%s, IOPL %u", sensitive[i].name,
                      iopl);
        }
    for (unsigned i = 0; i < sizeof privileged / sizeof *privileged; i++)
        for (unsigned iopl = 0; iopl <= 3; iopl += 3) {
            s = v86_start(privileged[i].code, privileged[i].bytes, iopl << 12);
            lab_go(&s);
            LAB_EVENT(&s, LAB_GP, 0, 0, "%s, IOPL %u: #GP(0)", privileged[i].name, iopl);
        }
    for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        s = v86_start(unknown[i].code, unknown[i].bytes, V86_IOPL);
        lab_go(&s);
        LAB_EVENT(&s, LAB_UD, 0, 0, "%s: #UD", unknown[i].name);
    }
}

static void flags_at_iopl_3(void)
{
    static const uint8_t pushfd[] = {0x66, 0x9c}, popfd[] = {0x66, 0x9d}, popf[] = {0x9d};
    struct lab_state s = v86_start(pushfd, 2, V86_IOPL | V86_IF | V86_VIF);
    lab_go(&s);
    LAB_EQUAL(*(uint32_t *)(void *)v86_stack(s.sp), LAB_FLAGS_FIXED | V86_IOPL | V86_IF | V86_VIF,
              "PUSHFD: VM and RF are 0 in the image");
    s = v86_start(popfd, 2, V86_IOPL);
    *(uint32_t *)(void *)v86_stack(V86_SP) = V86_CF | V86_IF | V86_VIF | V86_VIP | V86_AC;
    lab_go(&s);
    LAB_EQUAL(s.flags & ~0x10000ul, LAB_FLAGS_FIXED | V86_VM | V86_IOPL | V86_CF | V86_IF | V86_AC,
              "POPFD: VM, IOPL, VIF and VIP stay");
    s = v86_start(popf, 1, V86_IOPL | V86_AC);
    *v86_stack(V86_SP) = V86_CF | V86_NT;
    lab_go(&s);
    LAB_EQUAL(s.flags & ~0x10000ul, LAB_FLAGS_FIXED | V86_VM | V86_IOPL | V86_CF | V86_NT | V86_AC,
              "POPF: 16 bits, IOPL stays");
}

static void interrupts(void)
{
    static const uint8_t int_n[] = {0xcd, 0x61}, int3[] = {0xcc}, into[] = {0xce};
    static const unsigned open[] = {0x61, LAB_BP, LAB_OF};
    for (unsigned i = 0; i < 3; i++)
        lab_set_gate(open[i], LAB_CODE0, (unsigned long)lab_stubs + open[i] * 16, LAB_INTERRUPT_GATE, 3);
    struct lab_state s = v86_start(int_n, 2, 0x2000);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0, "INT n, IOPL 2: #GP(0)");
    s = v86_start(int_n, 2, V86_IOPL);
    s.fs = 0x4444;
    s.gs = 0x5555;
    lab_go(&s);
    LAB_EVENT(&s, 0x61, 0, 2, "INT n, IOPL 3: through the gate");
    LAB_EQUAL(s.cs, V86_CODE, "CS in the frame");
    LAB_EQUAL(s.ds, V86_STACK, "DS in the frame");
    LAB_EQUAL(s.fs, 0x4444, "FS in the frame");
    LAB_EQUAL(s.gs, 0x5555, "GS in the frame");
    LAB_EQUAL(s.frame, (unsigned long)lab_stack_event + LAB_STACK_BYTES - 36,
              "nine doublewords on the stack of ring 0");
    s = v86_start(int3, 1, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_BP, 0, 1, "INT3, IOPL 0: through the gate");
    s = v86_start(into, 1, 0x800);
    lab_go(&s);
    LAB_EVENT(&s, LAB_OF, 0, 1, "INTO, IOPL 0: through the gate");
    /* ring 0, non-conforming alone */
    lab_gdt[LAB_FREE / 8] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE | 4, LAB_FLAGS_32);
    lab_gdt[LAB_FREE / 8 + 1] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE | 0x20, LAB_FLAGS_32);
    for (unsigned i = 0; i < 2; i++) {
        lab_set_gate(0x61, LAB_FREE + i * 8, (unsigned long)lab_stubs + 0x61 * 16, LAB_INTERRUPT_GATE, 3);
        s = v86_start(int_n, 2, V86_IOPL);
        lab_go(&s);
        LAB_EVENT(&s, LAB_GP, LAB_FREE + i * 8, 0,
                  i ? "gate to ring 1: #GP(selector)" : "gate to conforming code: #GP(selector)");
    }
}

static void addresses(void)
{
    static const uint8_t load[] = {0xa0, 0x10, 0x00}; /* MOV AL, [0010H] */
    struct lab_state s = v86_start(load, 3, 0);
    s.ds = 0xffff;
    lab_go(&s);
    LAB_EQUAL(s.ax & 0xff, *(volatile uint8_t *)0x100000ul,
              "FFFFH:0010H is linear 100000H, no wrap at 1 MiB");
    static const uint8_t set[] = {0x8e, 0xd8, 0xa0, 0x00, 0x00}; /* MOV DS, AX; MOV AL, [0] */
    s = v86_start(set, 5, 0);
    s.ax = V86_CODE;
    lab_go(&s);
    LAB_EQUAL(s.ax & 0xff, 0x8e, "MOV DS: base is the selector times 16");
    LAB_EQUAL(s.ds, V86_CODE, "and any selector is good");
}

static void entry(void)
{
    static const uint8_t nop[] = {0x90};
    struct lab_state s = v86_start(nop, 1, 0);
    s.ip = 0x10000;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, lab_iret, "IRETD with VM = 1 and EIP above FFFFH: #GP(0) at it");
    s = v86_start(nop, 1, 0);
    s.sp = 0xabcd0000 | V86_SP;
    lab_go(&s);
    LAB_EQUAL(s.sp, 0xabcd0000 | V86_SP, "the upper half of ESP is loaded and kept");
    static const uint8_t push[] = {0x50};
    s = v86_start(push, 1, 0);
    s.sp = 0xabcd0000;
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 1, "PUSH at SP = 0 wraps to FFFEH");
    LAB_EQUAL(s.sp, 0xabcdfffe, "SP wraps, the upper half of ESP stays");
    /* at CPL 3 VM of the image is ignored */
    static const uint8_t iretd[] = {0xcf}, done[] = {0xcd, LAB_DONE};
    s = lab_start(iretd, 3);
    uint32_t *frame = (uint32_t *)(s.sp - 64);
    s.sp = (unsigned long)frame;
    frame[0] = (uint32_t)(uintptr_t)done;
    frame[1] = LAB_CODE3;
    frame[2] = V86_VM | V86_VIF | V86_VIP | V86_IOPL | V86_CF | LAB_FLAGS_FIXED;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, done + 2, "IRETD at CPL 3 with VM = 1 in the image");
    LAB_EQUAL(s.flags, LAB_FLAGS_FIXED | V86_CF, "VM, VIF, VIP, IOPL stay");
}

int main(void)
{
    lab_init();
    instructions();
    flags_at_iopl_3();
    interrupts();
    addresses();
    entry();
    lab_end();
}
