/*
 * conformance: Intel MPX in 64-bit mode: enabling, bounds, checks, moves, bound tables, XSAVE
 * SDM: 1, "Intel Memory Protection Extensions"
 * SDM: 2A, "BNDCL—Check Lower Bound", "BNDCU/BNDCN—Check Upper Bound", "BNDMK—Make Bounds", "BNDMOV—Move Bounds"
 * SDM: 2A, "BNDLDX—Load Extended Bounds Using Address Translation", "BNDSTX—Store Extended Bounds Using Address Translation"
 * expect: options --cpu skylake
 */
#include "bounds.h"
#include "window.h"

static uint64_t memory[4] __attribute__((aligned(16)));

/* What is not enabled does nothing. */
static void hints(const char *text)
{
    memory[0] = 0x1234;
    LAB_TRY("bndmk 0x10(%0), %%bnd0", ::"r"(memory));
    LAB_NO_EVENT("%s: BNDMK", text);
    LAB_TRY("bndcl %0, %%bnd0", ::"r"(0ul));
    LAB_NO_EVENT("%s: BNDCL", text);
    LAB_TRY("bndcu 0x12345678(%0,%0,2), %%bnd0", ::"r"(-1ul));
    LAB_NO_EVENT("%s: BNDCU", text);
    LAB_TRY("bndcn %0, %%bnd0", ::"r"(-1ul));
    LAB_NO_EVENT("%s: BNDCN", text);
    LAB_TRY("bndmov %%bnd1, (%0)", ::"r"(memory) : "memory");
    LAB_NO_EVENT("%s: BNDMOV to memory", text);
    LAB_EQUAL(memory[0], 0x1234, "%s: BNDMOV stores nothing", text);
    LAB_TRY("bndmov (%0), %%bnd1", ::"r"(MIDDLE_OF_NOWHERE) : "memory");
    LAB_NO_EVENT("%s: BNDMOV from memory that is not there", text);
    LAB_TRY("bndldx 3(%0,%0), %%bnd1", ::"r"(MIDDLE_OF_NOWHERE) : "memory");
    LAB_NO_EVENT("%s: BNDLDX", text);
    LAB_TRY("bndstx %%bnd1, 3(%0,%0)", ::"r"(MIDDLE_OF_NOWHERE) : "memory");
    LAB_NO_EVENT("%s: BNDSTX", text);
    LAB_TRY(".byte 0xf3, 0x0f, 0x1b, 0x20", :); /* BNDMK with BND4 */
    LAB_NO_EVENT("%s: BND4", text);
    LAB_TRY(".byte 0xf0, 0xf3, 0x0f, 0x1b, 0x00", :);
    LAB_FAULT(LAB_UD, 0, "%s: LOCK BNDMK", text);
}

static void enabling(void)
{
    static const uint32_t halves[] = {0x0b, 0x13};
    uint32_t a, b, c, d;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    LAB_CHECK(b >> 14 & 1, "CPUID.07H:EBX[14]");
    write_cr4(read_cr4() | 1ul << 18 | 1ul << 9);
    for (unsigned i = 0; i < 2; i++) {
        LAB_TRY("xsetbv", ::"a"(halves[i]), "d"(0), "c"(0));
        LAB_FAULT(LAB_GP, 0, "XCR0[4:3] are set together");
    }
    wrmsr(BOUNDS_MSR, BOUNDS_ENABLE);
    hints("XCR0 without MPX");
    bounds_switch_on();
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0xd), "c"(0));
    LAB_EQUAL(a, BOUNDS_XCR0, "CPUID leaf 0DH: components");
    LAB_EQUAL(b, 1088, "CPUID leaf 0DH: size of the area");
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0xd), "c"(3));
    LAB_CHECK(a == 64 && b == 960 && c == 0 && d == 0, "BNDREGS: 64 bytes at 960");
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0xd), "c"(4));
    LAB_CHECK(a == 64 && b == 1024 && c == 0 && d == 0, "BNDCSR: 64 bytes at 1024");
    wrmsr(BOUNDS_MSR, 0);
    hints("IA32_BNDCFGS without enable");
    write_cr4(read_cr4() & ~(1ul << 18));
    wrmsr(BOUNDS_MSR, BOUNDS_ENABLE);
    hints("CR4 without OSXSAVE");
    bounds_switch_on();
    LAB_TRY("wrmsr", ::"a"(BOUNDS_ENABLE | 4), "d"(0), "c"(BOUNDS_MSR));
    LAB_FAULT(LAB_GP, 0, "IA32_BNDCFGS[2]");
    LAB_TRY("wrmsr", ::"a"(BOUNDS_ENABLE | 0x800), "d"(0), "c"(BOUNDS_MSR));
    LAB_FAULT(LAB_GP, 0, "IA32_BNDCFGS[11]");
    LAB_TRY("wrmsr", ::"a"(BOUNDS_ENABLE), "d"(0x01000000), "c"(BOUNDS_MSR));
    LAB_FAULT(LAB_GP, 0, "IA32_BNDCFGS: a base that is not canonical in 57 bits");
    wrmsr(BOUNDS_MSR, 0x0000800000000000ul);
    LAB_EQUAL(rdmsr(BOUNDS_MSR), 0x0000800000000000ul, "IA32_BNDCFGS: one that is");
    bounds_configure(0, BOUNDS_ENABLE | BOUNDS_PRESERVE);
}

static void making(void)
{
    const unsigned long base = 0x123456789000ul;
    LAB_TRY("bndmk (%0), %%bnd0", ::"r"(base));
    LAB_NO_EVENT("BNDMK");
    bounds_are(0, base, ~base, "base alone");
    LAB_TRY("bndmk 0x7f(%0), %%bnd1", ::"r"(base));
    LAB_NO_EVENT("BNDMK with a displacement of a byte");
    bounds_are(1, base, ~(base + 0x7f), "displacement of a byte");
    LAB_TRY("bndmk -0x1000(%0,%1,4), %%bnd2", ::"r"(base), "r"(0x100ul));
    LAB_NO_EVENT("BNDMK with base, index and displacement");
    bounds_are(2, base, ~(base + 0x400 - 0x1000), "base, index and displacement");
    LAB_TRY("bndmk 0x33(,%0,8), %%bnd3", ::"r"(0x10ul));
    LAB_NO_EVENT("BNDMK without a base");
    bounds_are(3, 0, ~(0x80ul + 0x33), "no base");
    LAB_TRY("bndmk -1(%0), %%bnd3", ::"r"(0ul));
    bounds_are(3, 0, 0, "base 0, all of memory");
    LAB_TRY(".byte 0x67\n\tbndmk 5(%0), %%bnd3", ::"a"(base));
    LAB_NO_EVENT("67H BNDMK");
    bounds_are(3, base, ~(base + 5), "67H is ignored");
    LAB_TRY(".byte 0xf3, 0x0f, 0x1b, 0x05, 0, 0, 0, 0", :);
    LAB_FAULT(LAB_UD, 0, "BNDMK relative to RIP");
    LAB_TRY(".byte 0xf3, 0x0f, 0x1b, 0x20", ::"a"(0));
    LAB_FAULT(LAB_UD, 0, "BNDMK with BND4");
    LAB_TRY(".byte 0xf3, 0x44, 0x0f, 0x1b, 0x00", ::"a"(0));
    LAB_FAULT(LAB_UD, 0, "BNDMK with BND8");
    LAB_TRY(".byte 0xf3, 0x0f, 0x1b, 0xe0", :);
    LAB_NO_EVENT("BNDMK of a register is a hint");
    LAB_TRY("bndmk (%0), %%bnd0", ::"r"(MIDDLE_OF_NOWHERE));
    LAB_FAULT(LAB_GP, 0, "BNDMK of an address that is not canonical");
    bounds_are(0, base, ~base, "BND0 is as it was");
}

#define CHECKED(instruction, value, bad, ...)                                                                \
    do {                                                                                                     \
        bounds_configure(0, BOUNDS_ENABLE | BOUNDS_PRESERVE);                                                \
        LAB_TRY(instruction, ::"a"(value), "c"(0x10ul));                                                     \
        if (bad)                                                                                             \
            LAB_FAULT(LAB_BR, 0, __VA_ARGS__);                                                               \
        else                                                                                                 \
            LAB_NO_EVENT(__VA_ARGS__);                                                                       \
        LAB_EQUAL(bounds_status(), bad, "BNDSTATUS of " __VA_ARGS__);                                        \
    } while (0)

/* BND1 is 2000H to 2FFFH. */
static void checking(void)
{
    bounds_fill();
    CHECKED("bndcl %%rax, %%bnd1", 0x2000ul, 0, "BNDCL of the first byte");
    CHECKED("bndcl %%rax, %%bnd1", 0x1ffful, 1, "BNDCL below");
    CHECKED("bndcl (%%rax), %%bnd1", 0x1ffful, 1, "BNDCL (RAX) below");
    CHECKED("bndcl 1(%%rax), %%bnd1", 0x1ffful, 0, "BNDCL 1(RAX)");
    CHECKED("bndcl -0x10000(%%rax), %%bnd1", 0x12000ul, 0, "BNDCL -10000H(RAX)");
    CHECKED("bndcl -0x10(%%rax,%%rcx), %%bnd1", 0x1ffful, 1, "BNDCL -10H(RAX,RCX)");
    CHECKED("bndcl %%fs:1(%%rax), %%bnd1", 0x1ffful, 0, "BNDCL FS:1(RAX)");
    CHECKED(".byte 0x67\n\tbndcl (%%rax), %%bnd1", 0x100000000ul, 0, "67H BNDCL (RAX) above 4 GiB");
    CHECKED("bndcu %%rax, %%bnd1", 0x2ffful, 0, "BNDCU of the last byte");
    CHECKED("bndcu %%rax, %%bnd1", 0x3000ul, 1, "BNDCU above");
    CHECKED("bndcu %%rax, %%bnd1", -1ul, 1, "BNDCU far above");
    CHECKED("bndcu 7(%%rax), %%bnd1", 0x2ff8ul, 0, "BNDCU 7(RAX)");
    CHECKED("bndcu 7(%%rax), %%bnd1", 0x2ff9ul, 1, "BNDCU 7(RAX) above");
    CHECKED("bndcu 0x100(%%rax,%%rcx,8), %%bnd1", 0x2f00ul, 1, "BNDCU 100H(RAX,RCX,8)");
    CHECKED("bndcn %%rax, %%bnd1", ~0x2ffful, 0, "BNDCN takes the bound as it is");
    CHECKED("bndcn 1(%%rax), %%bnd1", ~0x2ffful, 1, "BNDCN 1(RAX) above");
    CHECKED("bndcl (%%rax), %%bnd1", MIDDLE_OF_NOWHERE, 0, "BNDCL of an address that is not canonical");
    CHECKED(".byte 0xf3, 0x0f, 0x1a, 0x0d, 0, 0, 0, 0", 0, 0, "BNDCL relative to RIP");
    LAB_TRY(".byte 0xf3, 0x0f, 0x1a, 0xf8", :);
    LAB_FAULT(LAB_UD, 0, "BNDCL with BND7");
    LAB_TRY(".byte 0xf2, 0x44, 0x0f, 0x1a, 0xc0", :);
    LAB_FAULT(LAB_UD, 0, "BNDCU with BND8");
    LAB_TRY(".byte 0xf0, 0xf2, 0x0f, 0x1b, 0xc0", :);
    LAB_FAULT(LAB_UD, 0, "LOCK BNDCN");
    bounds_all(true, "checks");
}

static void moving(void)
{
    uint64_t *at = (uint64_t *)(window_at(1) + PAGE - 8);
    bounds_fill();
    LAB_TRY("bndmov %%bnd2, %%bnd0", :);
    bounds_are(0, 0x3000, ~0x3ffful, "BNDMOV of registers");
    LAB_TRY(".byte 0x66, 0x0f, 0x1b, 0xcb", :); /* the other encoding: BND1 to BND3 */
    bounds_are(3, 0x2000, ~0x2ffful, "BNDMOV of registers, 1BH");
    LAB_TRY("bndmov %%bnd1, 8(%0,%1,8)", ::"r"(memory), "r"(1ul) : "memory");
    LAB_CHECK(memory[2] == 0x2000 && memory[3] == ~0x2ffful, "BNDMOV to memory");
    LAB_TRY("bndmov 0x10(%0), %%bnd0", ::"r"(memory));
    bounds_are(0, 0x2000, ~0x2ffful, "BNDMOV from memory");
    LAB_TRY(".byte 0x67\n\tbndmov %%bnd2, (%0)", ::"r"(at) : "memory");
    LAB_NO_EVENT("67H BNDMOV above 4 GiB");
    LAB_CHECK(at[0] == 0x3000 && at[1] == ~0x3ffful, "across a page");
    window_map(2, 2, 0);
    LAB_TRY("bndmov (%0), %%bnd0", ::"r"(at));
    LAB_FAULT(LAB_PF, 0, "BNDMOV from a page that is not there");
    LAB_EQUAL(lab_tried.cr2, at + 1, "CR2");
    bounds_are(0, 0x2000, ~0x2ffful, "BND0 is as it was");
    LAB_TRY("bndmov %%bnd1, (%0)", ::"r"(at) : "memory");
    LAB_FAULT(LAB_PF, PF_W, "BNDMOV to a page that is not there");
    LAB_EQUAL(at[0], 0x3000, "nothing is stored");
    window_map(2, 2, PAGE_ALL);
    LAB_TRY("bndmov %%bnd1, (%0)", ::"r"(MIDDLE_OF_NOWHERE) : "memory");
    LAB_FAULT(LAB_GP, 0, "BNDMOV to an address that is not canonical");
    LAB_TRY("bndmov %%bnd1, (%%rsp,%0)", ::"r"(MIDDLE_OF_NOWHERE) : "memory");
    LAB_FAULT(LAB_SS, 0, "the same, by RSP");
    LAB_TRY(".byte 0x66, 0x0f, 0x1a, 0xc4", :);
    LAB_FAULT(LAB_UD, 0, "BNDMOV from BND4");
    LAB_TRY(".byte 0x66, 0x41, 0x0f, 0x1b, 0xc0", :);
    LAB_FAULT(LAB_UD, 0, "BNDMOV to BND8");
    LAB_TRY(".byte 0xf0, 0x66, 0x0f, 0x1b, 0x00", ::"a"(memory));
    LAB_FAULT(LAB_UD, 0, "LOCK BNDMOV");
}

/* Directory: page 4 of the window; the table that serves 100000H to 1FFFFFH: page 8, its entries for 100000H on. */
static void tables(void)
{
    uint64_t *directory = (uint64_t *)window_at(4), *table = (uint64_t *)window_at(8);
    const uint64_t configuration = (unsigned long)directory | BOUNDS_ENABLE | BOUNDS_PRESERVE;
    bounds_configure(0, configuration);
    bounds_fill();
    directory[1] = (unsigned long)table | 7; /* bits 2:1 do not count */
    LAB_TRY("bndstx %%bnd1, 8(%0,%1)", ::"r"(0x100000ul), "r"(0xabcdef0123ul) : "memory");
    LAB_NO_EVENT("BNDSTX");
    LAB_CHECK(table[4] == 0x2000 && table[5] == ~0x2ffful && table[6] == 0xabcdef0123ul && table[7] == 0,
              "entry 1");
    LAB_TRY("bndldx 0xf(%0,%1), %%bnd0", ::"r"(0x100000ul), "r"(0xabcdef0123ul));
    LAB_NO_EVENT("BNDLDX; bits 2:0 of the pointer's address do not count");
    bounds_are(0, 0x2000, ~0x2ffful, "BNDLDX");
    LAB_TRY(".byte 0x0f, 0x1a, 0x54, 0xc8, 0x08", ::"a"(0x100000ul),
            "c"(0xabcdef0123ul)); /* 8(RAX,RCX,8), BND2 */
    bounds_are(2, 0x2000, ~0x2ffful, "the scale does not count");
    LAB_TRY("bndldx 8(%0,%1), %%bnd0", ::"r"(0x100000ul), "r"(0xabcdef0124ul));
    bounds_are(0, 0, 0, "another pointer");
    table[4 * 2 + 0] = 0x77;
    LAB_TRY("bndldx 0x10(%0), %%bnd0", ::"r"(0x100000ul));
    bounds_are(0, 0x77, 0, "without an index the pointer is 0");
    LAB_TRY(".byte 0x67\n\tbndldx 8(%0,%1), %%bnd3", ::"r"(1ul << 48 | 0x100000ul), "r"(0xabcdef0123ul));
    bounds_are(3, 0x2000, ~0x2ffful, "67H is ignored; so are address bits 63:48");
    wrmsr(0xc0000100, 0x100008);
    LAB_TRY("bndldx %%fs:(%0,%1), %%bnd0", ::"r"(0ul), "r"(0xabcdef0123ul));
    bounds_are(0, 0x2000, ~0x2ffful, "FS's base");
    LAB_TRY("bndldx %%fs:0x7000(,%0), %%bnd1", ::"r"(0xabcdef0123ul));
    bounds_are(1, 0x2000, ~0x2ffful, "without a base there is no displacement");
    wrmsr(0xc0000100, 0);
}

static void tables_refused(void)
{
    uint64_t *directory = (uint64_t *)window_at(4), *table = (uint64_t *)window_at(8);
    const uint64_t configuration = (unsigned long)directory | BOUNDS_ENABLE | BOUNDS_PRESERVE;
    bounds_configure(0, configuration);
    bounds_fill();
    LAB_TRY("bndldx (%0,%0), %%bnd0", ::"r"(0x200000ul));
    LAB_FAULT(LAB_BR, 0, "BNDLDX without a table");
    LAB_EQUAL(bounds_status(), (unsigned long)&directory[2] | 2, "BNDSTATUS: the entry of the directory");
    bounds_configure(0, configuration);
    LAB_TRY("bndstx %%bnd0, (%0,%0)", ::"r"(0x300000ul) : "memory");
    LAB_FAULT(LAB_BR, 0, "BNDSTX without a table");
    LAB_EQUAL(bounds_status(), (unsigned long)&directory[3] | 2, "BNDSTATUS");
    LAB_TRY(".byte 0x0f, 0x1a, 0x05, 0, 0, 0, 0", :);
    LAB_FAULT(LAB_UD, 0, "BNDLDX relative to RIP");
    LAB_TRY(".byte 0x0f, 0x1b, 0x64, 0x00, 0x00", ::"a"(0x100000));
    LAB_FAULT(LAB_UD, 0, "BNDSTX of BND4");
    LAB_TRY(".byte 0x0f, 0x1a, 0xc0, 0x0f, 0x1b, 0xff", :);
    LAB_NO_EVENT("register forms are hints");
    write_cr0(read_cr0() | 1ul << 16); /* WP */
    directory[2] = WINDOW + 15 * PAGE + 1;
    window_map(15, 15, PAGE_P);
    LAB_TRY("bndldx (%0,%0), %%bnd3", ::"r"(0x200000ul));
    LAB_NO_EVENT("BNDLDX from a table that is read-only");
    LAB_TRY("bndstx %%bnd3, (%0,%0)", ::"r"(0x200000ul) : "memory");
    LAB_FAULT(LAB_PF, PF_P | PF_W, "BNDSTX into a table that is read-only");
    LAB_EQUAL(lab_tried.cr2, WINDOW + 15 * PAGE, "CR2: its entry");
    directory[2] = 0x0008000000000001ul;
    LAB_TRY("bndldx (%0,%0), %%bnd3", ::"r"(0x200000ul));
    LAB_FAULT(LAB_GP, 0, "a table at an address that is not canonical");
    wrmsr(BOUNDS_MSR, 0x0000800000000000ul | BOUNDS_ENABLE | BOUNDS_PRESERVE);
    LAB_TRY("bndldx (%0,%0), %%bnd3", ::"r"(0x200000ul));
    LAB_FAULT(LAB_GP, 0, "a directory that is not canonical in 48 bits");
    wrmsr(BOUNDS_MSR, (WINDOW + 16 * PAGE) | BOUNDS_ENABLE | BOUNDS_PRESERVE);
    LAB_TRY("bndstx %%bnd0, (%0,%0)", ::"r"(0x100000ul) : "memory");
    LAB_FAULT(LAB_PF, 0, "BNDSTX reads the directory");
    LAB_EQUAL(lab_tried.cr2, WINDOW + 16 * PAGE + 8, "CR2: the directory's entry");
    LAB_EQUAL(table[6], 0xabcdef0123ul, "the table is as it was");
}

static uint64_t in_use(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    return low & 0x18;
}

static void saving(void)
{
    bounds_configure(0, BOUNDS_ENABLE | BOUNDS_PRESERVE);
    bounds_fill();
    LAB_EQUAL(in_use(), 8, "XINUSE: BNDREGS");
    bounds_configure(0x7000 | BOUNDS_PRESERVE, BOUNDS_ENABLE | BOUNDS_PRESERVE);
    LAB_EQUAL(in_use(), 0x18, "XINUSE: BNDREGS and BNDCSR");
    memset(bounds_area, 0xee, sizeof bounds_area);
    memset(bounds_area + BOUNDS_BV, 0, 64);
    bounds_save();
    LAB_EQUAL(*bounds_word(BOUNDS_BV), 0x18, "XSAVE: XSTATE_BV");
    LAB_EQUAL(*bounds_word(BOUNDS_REGISTERS + 48), 0x4000, "XSAVE: BND3");
    LAB_EQUAL(*bounds_word(BOUNDS_CSR), 0x7000 | BOUNDS_PRESERVE, "XSAVE: BNDCFGU");
    LAB_EQUAL(*bounds_word(BOUNDS_CSR + 64), 0xeeeeeeeeeeeeeeeeul, "XSAVE: nothing behind");
    __asm__ volatile("xsavec (%0)" ::"r"(bounds_area), "a"(0x18), "d"(0) : "memory");
    LAB_EQUAL(*bounds_word(BOUNDS_BV), 0x18, "XSAVEC: XSTATE_BV");
    LAB_EQUAL(*bounds_word(BOUNDS_BV + 8), 1ul << 63 | 0x18, "XSAVEC: XCOMP_BV");
    LAB_EQUAL(*bounds_word(576 + 16), 0x2000, "XSAVEC: BND1");
    LAB_EQUAL(*bounds_word(640), 0x7000 | BOUNDS_PRESERVE, "XSAVEC: BNDCFGU");
    __asm__ volatile("xrstor (%0)" ::"r"(bounds_area), "a"(8), "d"(0) : "memory");
    *bounds_word(BOUNDS_BV) = 0;
    __asm__ volatile("xrstor (%0)" ::"r"(bounds_area), "a"(0x18), "d"(0) : "memory");
    LAB_EQUAL(in_use(), 0, "XRSTOR of what is not in the area initializes");
    memset(bounds_area + BOUNDS_REGISTERS, 0xee, 128);
    *bounds_word(BOUNDS_BV) = 0x18;
    *bounds_word(BOUNDS_BV + 8) = 0;
    __asm__ volatile("xsaveopt (%0)" ::"r"(bounds_area), "a"(0x18), "d"(0) : "memory");
    LAB_EQUAL(*bounds_word(BOUNDS_BV), 0, "XSAVEOPT: XSTATE_BV");
    LAB_EQUAL(*bounds_word(BOUNDS_REGISTERS), 0xeeeeeeeeeeeeeeeeul, "XSAVEOPT saves nothing");
    bounds_configure(0x01234567abcdefffu, BOUNDS_ENABLE | BOUNDS_PRESERVE);
    bounds_save();
    LAB_EQUAL(*bounds_word(BOUNDS_CSR), 0xff234567abcde003ul, "BNDCFGU takes any value");
    bounds_configure(0, 0);
}

/* Where Intel MPX is not enabled the registers stay. */
static void kept(void)
{
    bounds_configure(0, BOUNDS_ENABLE | BOUNDS_PRESERVE);
    bounds_fill();
    wrmsr(BOUNDS_MSR, 0);
    bounds_xsetbv(3);
    hints("switched off");
    bounds_xsetbv(BOUNDS_XCR0);
    bounds_all(true, "XCR0 without MPX, and again with it");
}

int main(void)
{
    lab_init();
    window_open();
    enabling();
    making();
    checking();
    moving();
    tables();
    tables_refused();
    saving();
    kept();
    lab_end();
}
