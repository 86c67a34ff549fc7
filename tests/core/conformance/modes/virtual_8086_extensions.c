/*
 * conformance: virtual-8086 mode extensions (CR4.VME): VIF, VIP, CLI, STI, PUSHF, POPF, IRET, redirection of INT n
 * SDM: 3B, "Class 2—Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual Interrupt Mechanism"
 * SDM: 3B, "Class 3—Software Interrupt Handling in Virtual-8086 Mode"
 * SDM: 2, "CLI—Clear Interrupt Flag", "STI—Set Interrupt Flag", "PUSHF/PUSHFD/PUSHFQ", "POPF/POPFD/POPFQ"
 * conformance-bits: 32
 */
#include "v86.h"

enum {
    CPUID_VME = 2,
    CR4_VME = 1,
    MAP_BASE_AT = 0x66,
    REDIRECTION_BYTES = 32,
    VECTOR = 0x41,
    HANDLER = 0x100
};

static uint8_t *const redirection = lab_tss + 0x68;

static void set_redirection(unsigned vector, bool protected_mode)
{
    redirection[vector / 8] =
        (uint8_t)((redirection[vector / 8] & ~(1u << vector % 8)) | protected_mode << vector % 8);
}

/* A TSS with a redirection map, its limit behind the map. */
static void build_tss(unsigned limit)
{
    uint16_t map_base = 0x68 + REDIRECTION_BYTES;
    memset(redirection, 0, REDIRECTION_BYTES);
    memcpy(lab_tss + MAP_BASE_AT, &map_base, sizeof map_base);
    lab_gdt[LAB_TSS / 8] = lab_descriptor((uint32_t)(uintptr_t)lab_tss, limit, 0x89, 0);
    __asm__ volatile("ltr %w0" ::"r"(LAB_TSS));
}

struct flag_case {
    const char *name;
    uint8_t code[4];
    unsigned bytes;
    unsigned long flags;    /* beside VM, at the start */
    unsigned pushed;        /* what the stack holds for POPF */
    bool refused;           /* #GP(0) at the instruction */
    unsigned long expected; /* beside VM and the fixed bit */
};
#define POPF {0x9d}, 1
static const struct flag_case flag_cases[] = {
    {"CLI", {0xfa}, 1, V86_VIF | V86_IF, 0, false, V86_IF},
    {"CLI with VIF = 0", {0xfa}, 1, V86_IF, 0, false, V86_IF},
    {"CLI with VIP = 1", {0xfa}, 1, V86_VIP | V86_IF, 0, false, V86_VIP | V86_IF},
    {"CLI, IOPL 3", {0xfa}, 1, V86_VIF | V86_IF | V86_IOPL, 0, false, V86_VIF | V86_IOPL},
    {"STI", {0xfb}, 1, 0, 0, false, V86_VIF},
    {"STI with VIP = 1", {0xfb}, 1, V86_VIP, 0, true, V86_VIP},
    {"STI with VIP = 1, IOPL 3", {0xfb}, 1, V86_VIP | V86_IOPL, 0, false, V86_VIP | V86_IOPL | V86_IF},
    {"STI, IOPL 1", {0xfb}, 1, 0x1000, 0, false, 0x1000 | V86_VIF},
    {"STI, IOPL 2", {0xfb}, 1, 0x2000, 0, false, 0x2000 | V86_VIF},
    {"POPF of IF", POPF, V86_CF, V86_IF, false, V86_VIF},
    {"POPF of IF = 0", POPF, V86_VIF | V86_IF, V86_CF, false, V86_IF | V86_CF},
    {"POPF leaves IOPL", POPF, 0x1000, 0x2000 | V86_NT, false, 0x1000 | V86_NT},
    {"POPF of IF with VIP = 1", POPF, V86_VIP, V86_IF, true, V86_VIP},
    {"POPF of IF = 0 with VIP = 1", POPF, V86_VIP, V86_CF, false, V86_VIP | V86_CF},
    {"POPF of TF", POPF, 0, V86_TF, true, 0},
    {"POPF of IF, IOPL 3", POPF, V86_IOPL | V86_VIP, V86_IF, false, V86_IOPL | V86_VIP | V86_IF},
    {"POPFD", {0x66, 0x9d}, 2, 0, 0, true, 0},
    {"PUSHFD", {0x66, 0x9c}, 2, 0, 0, true, 0},
    {"IRETD", {0x66, 0xcf}, 2, 0, 0, true, 0},
};

static void flag_instructions(void)
{
    for (unsigned i = 0; i < sizeof flag_cases / sizeof *flag_cases; i++) {
        const struct flag_case *c = &flag_cases[i];
        struct lab_state s = v86_start(c->code, c->bytes, c->flags);
        *v86_stack(V86_SP) = (uint16_t)c->pushed;
        lab_go(&s);
        LAB_EVENT(&s, LAB_GP, 0, c->refused ? 0 : c->bytes, "%s: %s", c->name,
                  c->refused ? "#GP(0)" : "done");
        LAB_EQUAL(s.flags & ~0x10000ul, LAB_FLAGS_FIXED | V86_VM | c->expected, "%s: EFLAGS", c->name);
        LAB_EQUAL(s.sp, c->code[0] == 0x9d && !c->refused ? V86_SP + 2 : V86_SP, "%s: SP", c->name);
    }
}

static void push_flags(void)
{
    static const struct {
        unsigned long flags;
        unsigned pushed;
    } cases[] = {
        {V86_IF, 0x3002},
        {V86_VIF, 0x3202},
        {V86_VIF | V86_IF | 0x1000, 0x3202},
        {V86_VIP | V86_CF, 0x3003},
        {V86_IOPL | V86_VIF, 0x3002},
        {V86_IOPL | V86_IF, 0x3202},
    };
    static const uint8_t pushf[] = {0x9c};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lab_state s = v86_start(pushf, 1, cases[i].flags);
        lab_go(&s);
        LAB_EVENT(&s, LAB_GP, 0, 1, "PUSHF with EFLAGS %lx", cases[i].flags);
        LAB_EQUAL(*v86_stack(s.sp), cases[i].pushed, "PUSHF with EFLAGS %lx: IOPL 3, VIF as IF below IOPL 3",
                  cases[i].flags);
    }
}

static void interrupt_return(void)
{
    static const struct {
        const char *name;
        unsigned long flags;
        unsigned popped;
        bool refused;
        unsigned long expected;
    } cases[] = {
        {"IRET of IF", 0, V86_IF | V86_CF, false, V86_VIF | V86_CF},
        {"IRET of IF = 0", V86_VIF | V86_IF, 0, false, V86_IF},
        {"IRET of IF with VIP = 1", V86_VIP, V86_IF, true, V86_VIP},
        {"IRET of TF", 0, V86_TF, true, 0},
        {"IRET of IOPL", 0x1000, 0x3000, false, 0x1000},
        {"IRET, IOPL 3", V86_IOPL, V86_IF, false, V86_IOPL | V86_IF},
    };
    static const uint8_t iret[] = {0xcf};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lab_state s = v86_start(iret, 1, cases[i].flags);
        uint16_t *frame = v86_stack(V86_SP);
        frame[0] = 0x10;
        frame[1] = V86_CODE + 1; /* 20020H */
        frame[2] = (uint16_t)cases[i].popped;
        *(uint8_t *)(V86_CODE * 16ul + 0x20) = V86_HLT;
        lab_go(&s);
        LAB_EVENT(&s, LAB_GP, 0, cases[i].refused ? 0 : 0x10, "%s: %s", cases[i].name,
                  cases[i].refused ? "#GP(0)" : "returns");
        LAB_EQUAL(s.cs, cases[i].refused ? V86_CODE : V86_CODE + 1, "%s: CS", cases[i].name);
        LAB_EQUAL(s.flags & ~0x10000ul, LAB_FLAGS_FIXED | V86_VM | cases[i].expected, "%s: EFLAGS",
                  cases[i].name);
    }
}

/* The six methods of the table "Software Interrupt Handling Methods While in Virtual-8086 Mode"; 1 and 2 have
 * VME = 0. */
static void redirection_methods(void)
{
    static const uint8_t int_n[] = {0xcd, VECTOR};
    struct lab_state s;
    uint16_t *frame;
    extern const uint8_t lab_stubs[];
    lab_set_gate(VECTOR, LAB_CODE0, (unsigned long)lab_stubs + VECTOR * 16, LAB_INTERRUPT_GATE, 3);
    v86_set_vector(VECTOR, V86_CODE, HANDLER);
    *(uint8_t *)(V86_CODE * 16ul + HANDLER) = V86_HLT;

    set_redirection(VECTOR, true);
    s = v86_start(int_n, 2, V86_VIF);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0, "method 3: bit 1, IOPL 0: #GP(0)");
    s = v86_start(int_n, 2, V86_IOPL | V86_IF | V86_VIF);
    lab_go(&s);
    LAB_EVENT(&s, VECTOR, 0, 2, "method 4: bit 1, IOPL 3: the gate of the IDT");
    LAB_EQUAL(s.flags, LAB_FLAGS_FIXED | V86_VM | V86_IOPL | V86_IF | V86_VIF,
              "method 4: EFLAGS in the frame");

    set_redirection(VECTOR, false);
    s = v86_start(int_n, 2, V86_IOPL | V86_IF | V86_VIF | V86_NT | V86_CF);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, HANDLER, "method 5: bit 0, IOPL 3: the program's handler");
    frame = v86_stack(s.sp);
    LAB_EQUAL(s.sp, V86_SP - 6, "method 5: six bytes pushed");
    LAB_EQUAL(frame[0], 2, "method 5: IP");
    LAB_EQUAL(frame[1], V86_CODE, "method 5: CS");
    LAB_EQUAL(frame[2], LAB_FLAGS_FIXED | V86_IOPL | V86_IF | V86_NT | V86_CF,
              "method 5: FLAGS as they were");
    LAB_EQUAL(s.flags & ~0x10000ul, LAB_FLAGS_FIXED | V86_VM | V86_IOPL | V86_VIF | V86_NT | V86_CF,
              "method 5: IF is cleared, VIF is not");

    s = v86_start(int_n, 2, V86_IF | V86_VIF | V86_CF);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, HANDLER, "method 6: bit 0, IOPL 0: the program's handler");
    frame = v86_stack(s.sp);
    LAB_EQUAL(frame[2], LAB_FLAGS_FIXED | V86_IOPL | V86_IF | V86_CF,
              "method 6: FLAGS with IOPL 3 and VIF as IF");
    LAB_EQUAL(s.flags & ~0x10000ul, LAB_FLAGS_FIXED | V86_VM | V86_IF | V86_CF,
              "method 6: VIF is cleared, IF is not");
    s = v86_start(int_n, 2, V86_IF | V86_VIP);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, HANDLER, "method 6 with VIP = 1, VIF = 0");
    LAB_EQUAL(v86_stack(s.sp)[2], LAB_FLAGS_FIXED | V86_IOPL, "method 6: IF of the image is VIF, 0");
}

/* Each vector has its own bit; INT3, INTO and INT1 are not looked up. */
static void redirection_bits(void)
{
    static const unsigned vectors[] = {0, 7, 8, 0x21, 0x7f, 0x80, 0xff};
    for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        uint8_t code[2] = {0xcd, (uint8_t)vectors[i]};
        struct lab_state s = v86_start(code, 2, 0);
        memset(redirection, 0xff, REDIRECTION_BYTES);
        set_redirection(vectors[i], false);
        v86_set_vector(vectors[i], V86_CODE, HANDLER);
        lab_go(&s);
        LAB_EVENT(&s, LAB_GP, 0, HANDLER, "INT %x: its bit alone is 0", vectors[i]);
        memset(redirection, 0, REDIRECTION_BYTES);
        set_redirection(vectors[i], true);
        s = v86_start(code, 2, 0);
        lab_go(&s);
        LAB_EVENT(&s, LAB_GP, 0, 0, "INT %x: its bit alone is 1", vectors[i]);
    }
    memset(redirection, 0, REDIRECTION_BYTES);
    static const uint8_t int3[] = {0xcc}, into[] = {0xce}, int1[] = {0xf1};
    extern const uint8_t lab_stubs[];
    lab_set_gate(LAB_BP, LAB_CODE0, (unsigned long)lab_stubs + LAB_BP * 16, LAB_INTERRUPT_GATE, 3);
    lab_set_gate(LAB_OF, LAB_CODE0, (unsigned long)lab_stubs + LAB_OF * 16, LAB_INTERRUPT_GATE, 3);
    struct lab_state s = v86_start(int3, 1, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_BP, 0, 1, "INT3 goes through the IDT whatever bit 3 and IOPL are");
    s = v86_start(into, 1, 0x800);
    lab_go(&s);
    LAB_EVENT(&s, LAB_OF, 0, 1, "INTO goes through the IDT whatever bit 4 and IOPL are");
    s = v86_start(int1, 1, 0);
    lab_go(&s);
    LAB_EVENT(&s, LAB_DB, 0, 1, "INT1 goes through the IDT whatever bit 1 and IOPL are");
}

static void pending_at_entry(void)
{
    static const uint8_t nop[] = {0x90};
    struct lab_state s = v86_start(nop, 1, V86_VIF | V86_VIP);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0, "VIF and VIP at the beginning of an instruction: #GP(0)");
    LAB_EQUAL(s.flags & (V86_VIF | V86_VIP), V86_VIF | V86_VIP, "both are in the frame");
    s = v86_start(nop, 1, V86_VIF | V86_VIP | V86_IOPL);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 1, "VIF and VIP with IOPL 3: nothing");
    s = v86_start(nop, 1, V86_VIP);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 1, "VIP without VIF: nothing");
}

static void map_beyond_limit(void)
{
    static const uint8_t int_n[] = {0xcd, VECTOR};
    struct lab_state s = v86_start(int_n, 2, 0);
    build_tss(0x67);
    lab_go(&s);
    LAB_EVENT(&s, LAB_GP, 0, 0, "redirection map beyond the TSS's limit: #GP(0)");
    build_tss(0x67 + REDIRECTION_BYTES);
    s = v86_start(int_n, 2, 0);
    s.sp = 1; /* 16-bit pushes at FFFFH */
    v86_set_vector(VECTOR, V86_CODE, HANDLER);
    lab_go(&s);
    LAB_EVENT(&s, LAB_SS, 0, 0, "no room for a word on the program's stack: #SS(0)");
}

int main(void)
{
    unsigned long edx, scratch = 1;
    lab_init();
    __asm__("cpuid" : "+a"(scratch), "=d"(edx)::"ebx", "ecx");
    LAB_EQUAL(edx & CPUID_VME, CPUID_VME, "CPUID.1:EDX.VME");
    build_tss(0x67 + REDIRECTION_BYTES);
    write_cr4(read_cr4() | CR4_VME);
    LAB_EQUAL(read_cr4() & CR4_VME, CR4_VME, "CR4.VME can be set");
    flag_instructions();
    push_flags();
    interrupt_return();
    redirection_methods();
    redirection_bits();
    pending_at_entry();
    map_beyond_limit();
    lab_end();
}
