/*
 * conformance: protected-mode virtual interrupts (CR4.PVI): at CPL 3 CLI and STI act on VIF, other instructions on IF
 * SDM: 3B, "Protected-Mode Virtual Interrupts"
 * SDM: 2, "CLI—Clear Interrupt Flag", "STI—Set Interrupt Flag"
 */
#include "lab.h"

#define FLAGS_IF 0x200ul
#define FLAGS_VIF 0x80000ul
#define FLAGS_VIP 0x100000ul
#define FLAGS_IOPL3 0x3000ul
#define FLAGS_RF 0x10000ul
enum { CR4_PVI = 2 };

struct piece {
    const char *name;
    uint8_t code[4];
    unsigned bytes;
    unsigned long flags;
    bool refused;
    unsigned long expected;
};
static const struct piece with_pvi[] = {
    {"CLI", {0xfa}, 1, FLAGS_VIF | FLAGS_IF, false, FLAGS_IF},
    {"CLI with VIP = 1", {0xfa}, 1, FLAGS_VIP, false, FLAGS_VIP},
    {"STI", {0xfb}, 1, 0, false, FLAGS_VIF},
    {"STI with IF = 1", {0xfb}, 1, FLAGS_IF, false, FLAGS_IF | FLAGS_VIF},
    {"STI with VIP = 1", {0xfb}, 1, FLAGS_VIP, true, FLAGS_VIP},
    {"STI, IOPL 2", {0xfb}, 1, 0x2000, false, 0x2000 | FLAGS_VIF},
    {"STI, IOPL 3", {0xfb}, 1, FLAGS_IOPL3, false, FLAGS_IOPL3 | FLAGS_IF},
    {"CLI, IOPL 3", {0xfa}, 1, FLAGS_IOPL3 | FLAGS_IF | FLAGS_VIF, false, FLAGS_IOPL3 | FLAGS_VIF},
    {"VIF and VIP at the beginning of an instruction",
     {0x90},
     1,
     FLAGS_VIF | FLAGS_VIP,
     true,
     FLAGS_VIF | FLAGS_VIP},
    {"VIF and VIP, IOPL 3",
     {0x90},
     1,
     FLAGS_VIF | FLAGS_VIP | FLAGS_IOPL3,
     false,
     FLAGS_VIF | FLAGS_VIP | FLAGS_IOPL3},
};
static const struct piece without[] = {
    {"CLI, PVI = 0", {0xfa}, 1, FLAGS_VIF | FLAGS_IF, true, FLAGS_VIF | FLAGS_IF},
    {"STI, PVI = 0", {0xfb}, 1, 0, true, 0},
    {"VIF and VIP, PVI = 0", {0x90}, 1, FLAGS_VIF | FLAGS_VIP, false, FLAGS_VIF | FLAGS_VIP},
};

static void run(const struct piece *pieces, unsigned count, const char *mode, unsigned long cs)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t code[8];
        memcpy(code, pieces[i].code, 4);
        code[pieces[i].bytes] = 0xcd;
        code[pieces[i].bytes + 1] = LAB_DONE;
        struct lab_state s = lab_start(code, 3);
        s.cs = cs;
        s.flags |= pieces[i].flags;
        lab_go(&s);
        if (pieces[i].refused)
            LAB_EVENT(&s, LAB_GP, 0, code, "%s mode: %s: #GP(0)", mode, pieces[i].name);
        else
            LAB_EVENT(&s, LAB_DONE, 0, code + pieces[i].bytes + 2, "%s mode: %s: done", mode, pieces[i].name);
        LAB_EQUAL(s.flags & ~FLAGS_RF, LAB_FLAGS_FIXED | pieces[i].expected, "%s mode: %s: RFLAGS", mode,
                  pieces[i].name);
    }
}

/* PUSHF and POPF know nothing of VIF outside of virtual-8086 mode; at CPL 0 nothing does. */
static void what_stays(void)
{
    static const uint8_t flags_through_stack[] = {0x9c, 0x58, 0x9d, 0xcd,
                                                  LAB_DONE}; /* PUSHF; POP RAX; POPF */
    struct lab_state s = lab_start(flags_through_stack, 3);
    *(unsigned long *)s.sp = FLAGS_IF | FLAGS_VIF | FLAGS_IOPL3;
    s.flags |= FLAGS_VIF;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, flags_through_stack + 5, "PUSHF and POPF at CPL 3");
    LAB_EQUAL(s.ax, LAB_FLAGS_FIXED | FLAGS_VIF, "PUSHF pushes IF and VIF as they are");
    LAB_EQUAL(s.flags, LAB_FLAGS_FIXED | FLAGS_VIF, "POPF changes neither");
    static const uint8_t both[] = {0xfb, 0x90, 0xfa, 0xcd, LAB_DONE};
    s = lab_start(both, 0);
    s.flags |= FLAGS_VIF | FLAGS_VIP;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, both + 5, "CPL 0: CLI and STI change IF, VIF and VIP are not looked at");
    LAB_EQUAL(s.flags, LAB_FLAGS_FIXED | FLAGS_VIF | FLAGS_VIP, "CPL 0: VIF and VIP stay");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    run(without, sizeof without / sizeof *without, "64-bit", LAB_CODE3);
    write_cr4(read_cr4() | CR4_PVI);
    run(with_pvi, sizeof with_pvi / sizeof *with_pvi, "64-bit", LAB_CODE3);
    run(with_pvi, sizeof with_pvi / sizeof *with_pvi, "compatibility", LAB_CODE32_3);
    what_stays();
    lab_end();
}
