/*
 * conformance: Intel MPX in compatibility mode, in 32- and 16-bit code segments; BOUND
 * SDM: 1, "Intel MPX and Operating Modes", "BOUND Instruction and Intel MPX"
 * SDM: 2A, "BNDMOV—Move Bounds", "BNDLDX—Load Extended Bounds Using Address Translation" (outside 64-bit mode)
 * expect: options --cpu skylake
 */
#include "bounds.h"

#define CODE32(name, text) LAB_CODE(name, ".code32\n\t" text "\n\t.code64")
#define CODE16(name, text) LAB_CODE(name, ".code16\n\t" text "\n\t.code64")

CODE32(make, "bndmk 0x10(%ebx,%ecx,2), %bnd0");
CODE32(check_lower, "bndcl (%ebx), %bnd1");
CODE32(check_upper, "bndcu -1(%ebx), %bnd1");
CODE32(check_upper_as_is, "bndcn %ebx, %bnd1");
CODE32(move, "bndmov %bnd1, %bnd2");
CODE32(load, "bndmov 8(%ebx), %bnd3");
CODE32(store, "bndmov %bnd1, 8(%ebx)");
CODE32(load_entry, "bndldx 4(%ebx,%ecx), %bnd0");
CODE32(store_entry, "bndstx %bnd1, 4(%ebx,%ecx)");
CODE32(make_16, ".byte 0x67, 0xf3, 0x0f, 0x1b, 0x07");  /* 16-bit addressing */
CODE32(check_16, ".byte 0x67, 0xf3, 0x0f, 0x1a, 0xcb"); /* BNDCL EBX: no address */
CODE32(branch, "jmp *%eax");
CODE32(bnd_branch, ".byte 0xf2\n\tjmp *%eax");
CODE32(bound, "bound %eax, (%ebx)");
CODE32(fifth, "int $5");
CODE16(make_in_16, ".byte 0xf3, 0x0f, 0x1b, 0x07");
CODE16(make_in_16_by_32, ".byte 0x67, 0xf3, 0x0f, 0x1b, 0x43, 0x08"); /* BNDMK 8(EBX), BND0 */
CODE16(move_in_16, ".byte 0x66, 0x0f, 0x1a, 0xd1");                   /* BNDMOV BND1, BND2 */
CODE16(check_in_16, ".byte 0xf3, 0x0f, 0x1a, 0xcb");                  /* BNDCL EBX, BND1 */
CODE16(jcc_in_16, ".byte 0x66, 0x75, 0"); /* 66H: else EIP would lose its upper half */
CODE16(bnd_jcc_in_16, ".byte 0xf2, 0x66, 0x75, 0");

static uint32_t memory[4] __attribute__((aligned(16)));
static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint32_t table[4096] __attribute__((aligned(4096)));

static struct lab_state go(const uint8_t *code, unsigned long cs, unsigned long bx, unsigned long cx)
{
    struct lab_state s = lab_start(code, 3);
    s.cs = cs;
    s.bx = bx;
    s.cx = cx;
    lab_go(&s);
    return s;
}

static void reset(void)
{
    bounds_configure((unsigned long)directory | BOUNDS_ENABLE | BOUNDS_PRESERVE,
                     BOUNDS_ENABLE | BOUNDS_PRESERVE);
    bounds_fill();
}

/* Of values that 64-bit mode left only the lower half counts; what is written is zero-extended. */
static void halves(void)
{
    struct lab_state s;
    reset();
    s = go(make, LAB_CODE32_3, 0x5000, 0x100);
    LAB_EQUAL(s.vector, LAB_DONE, "BNDMK");
    bounds_are(0, 0x5000, 0xffffadefu, "BNDMK"); /* ~5210H in 32 bits */
    *bounds_word(BOUNDS_REGISTERS + 16) = 0x700002000ul;
    *bounds_word(BOUNDS_REGISTERS + 24) = 0x9ffffd000ul;
    bounds_load(8);
    s = go(check_lower, LAB_CODE32_3, 0x2000, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "BNDCL of the first byte");
    s = go(check_lower, LAB_CODE32_3, 0x1fff, 0);
    LAB_EVENT(&s, LAB_BR, 0, check_lower, "BNDCL below");
    LAB_EQUAL(bounds_status(), 1, "BNDSTATUS");
    s = go(check_upper, LAB_CODE32_3, 0x3000, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "BNDCU of the last byte");
    s = go(check_upper, LAB_CODE32_3, 0x3001, 0);
    LAB_EVENT(&s, LAB_BR, 0, check_upper, "BNDCU above");
    s = go(check_upper, LAB_CODE32_3, 0, 0);
    LAB_EVENT(&s, LAB_BR, 0, check_upper, "BNDCU of FFFFFFFFH");
    s = go(check_upper_as_is, LAB_CODE32_3, 0xffffd000u, 0);
    LAB_EQUAL(s.vector, LAB_DONE, "BNDCN");
    s = go(check_upper_as_is, LAB_CODE32_3, 0xffffd001u, 0);
    LAB_EVENT(&s, LAB_BR, 0, check_upper_as_is, "BNDCN above");
    s = go(move, LAB_CODE32_3, 0, 0);
    bounds_are(2, 0x2000, 0xffffd000u, "BNDMOV of registers");
    s = go(store, LAB_CODE32_3, (unsigned long)memory, 0);
    LAB_CHECK(memory[2] == 0x2000 && memory[3] == 0xffffd000u && memory[1] == 0, "BNDMOV to memory: 8 bytes");
    memory[3] = 0x80000000u;
    s = go(load, LAB_CODE32_3, (unsigned long)memory, 0);
    bounds_are(3, 0x2000, 0x80000000u, "BNDMOV from memory");
}

/* Address 00002010H + 4: entry 2 of the directory, entry 5 of the table. */
static void tables(void)
{
    struct lab_state s;
    reset();
    directory[2] = (uint32_t)(unsigned long)table | 3;
    s = go(store_entry, LAB_CODE32_3, 0x2010, 0xcafe);
    LAB_EQUAL(s.vector, LAB_DONE, "BNDSTX");
    LAB_CHECK(table[20] == 0x2000 && table[21] == 0xffffd000u && table[22] == 0xcafe && table[23] == 0,
              "entry 5");
    s = go(load_entry, LAB_CODE32_3, 0x2010, 0xcafe);
    bounds_are(0, 0x2000, 0xffffd000u, "BNDLDX");
    s = go(load_entry, LAB_CODE32_3, 0x2010, 0xcaff);
    bounds_are(0, 0, 0, "BNDLDX of another pointer");
    s = go(load_entry, LAB_CODE32_3, 0x3010, 0);
    LAB_EVENT(&s, LAB_BR, 0, load_entry, "BNDLDX without a table");
    LAB_EQUAL(bounds_status(), (unsigned long)&directory[3] | 2, "BNDSTATUS");
    lab_gdt[LAB_FREE / 8] = lab_descriptor(0, (uint32_t)(unsigned long)table >> 12,
                                           LAB_ACCESS_DATA | LAB_ACCESS_DPL3, LAB_FLAGS_32);
    s = lab_start(load_entry, 3);
    s.cs = LAB_CODE32_3;
    s.ds = LAB_FREE | 3;
    s.bx = 0x2010;
    lab_go(&s);
    LAB_EVENT(&s, LAB_DONE, 0, s.ip, "the table within the limit of DS");
    directory[2] += 4096;
    lab_go((s = lab_start(load_entry, 3), s.cs = LAB_CODE32_3, s.ds = LAB_FREE | 3, s.bx = 0x2010, &s));
    LAB_EVENT(&s, LAB_GP, 0, load_entry, "beyond the limit of DS");
    lab_go((s = lab_start(load_entry, 3), s.cs = LAB_CODE32_3, s.ds = 0, s.bx = 0x2010, &s));
    LAB_EVENT(&s, LAB_GP, 0, load_entry, "DS null");
}

static void addressing(void)
{
    struct lab_state s;
    reset();
    s = go(make_16, LAB_CODE32_3, 0, 0);
    LAB_EVENT(&s, LAB_UD, 0, make_16, "16-bit addressing in 32-bit code");
    s = go(check_16, LAB_CODE32_3, 0x2000, 0);
    LAB_EVENT(&s, LAB_DONE, 0, check_16 + 7, "67H before a register form");
    lab_gdt[LAB_FREE / 8] = lab_descriptor(0, 0xfffff, LAB_ACCESS_CODE | LAB_ACCESS_DPL3, 0x8); /* D = 0 */
    s = go(make_in_16, LAB_FREE | 3, 0, 0);
    LAB_EVENT(&s, LAB_UD, 0, make_in_16, "16-bit addressing in 16-bit code");
    s = go(make_in_16_by_32, LAB_FREE | 3, 0x12345678, 0);
    LAB_EVENT(&s, LAB_DONE, 0, make_in_16_by_32 + 8, "32-bit addressing in 16-bit code");
    bounds_are(0, 0x12345678, ~0x12345680u, "32 bits");
    s = go(move_in_16, LAB_FREE | 3, 0, 0);
    bounds_are(2, 0x2000, 0xffffd000u, "BNDMOV of registers in 16-bit code");
    s = go(check_in_16, LAB_FREE | 3, 0x12000, 0);
    LAB_EVENT(&s, LAB_DONE, 0, check_in_16 + 6, "BNDCL of a register in 16-bit code has 32 bits");
    s = go(check_in_16, LAB_FREE | 3, 0x11f, 0);
    LAB_EVENT(&s, LAB_BR, 0, check_in_16, "BNDCL in 16-bit code");
}

static void branches(void)
{
    static const struct {
        const char *name;
        const uint8_t *code;
        unsigned long cs;
        bool keeps;
    } rows[] = {{"JMP", branch, LAB_CODE32_3, false},
                {"BND JMP", bnd_branch, LAB_CODE32_3, true},
                {"JNZ in 16-bit code", jcc_in_16, LAB_FREE | 3, false},
                {"BND JNZ in 16-bit code", bnd_jcc_in_16, LAB_FREE | 3, true}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        bounds_configure(BOUNDS_ENABLE, BOUNDS_ENABLE | BOUNDS_PRESERVE);
        bounds_fill();
        struct lab_state s = lab_start(rows[i].code, 3);
        s.cs = rows[i].cs;
        s.ax = (unsigned long)rows[i].code + (rows[i].keeps ? 3 : 2);
        lab_go(&s);
        LAB_EQUAL(s.vector, LAB_DONE, "%s", rows[i].name);
        bounds_all(rows[i].keeps, rows[i].name);
    }
}

/* A #BR of BOUND clears BNDSTATUS, a BOUND without and INT 5 do not. */
static void bound_instruction(void)
{
    struct lab_state s;
    memory[0] = 10;
    memory[1] = 20;
    reset();
    go(check_lower, LAB_CODE32_3, 0, 0);
    s = lab_start(bound, 3);
    s.cs = LAB_CODE32_3;
    s.bx = (unsigned long)memory;
    s.ax = 15;
    lab_go(&s);
    LAB_EQUAL(s.vector, LAB_DONE, "BOUND within");
    LAB_EQUAL(bounds_status(), 1, "BNDSTATUS stays");
    lab_set_gate(5, LAB_CODE0, *(uint16_t *)(lab_idt + 80) | *(uint64_t *)(lab_idt + 86) << 16,
                 LAB_INTERRUPT_GATE, 3);
    s = go(fifth, LAB_CODE32_3, 0, 0);
    LAB_EVENT(&s, LAB_BR, 0, fifth + 2, "INT 5");
    LAB_EQUAL(bounds_status(), 1, "BNDSTATUS stays");
    s = lab_start(bound, 3);
    s.cs = LAB_CODE32_3;
    s.bx = (unsigned long)memory;
    s.ax = 21;
    lab_go(&s);
    LAB_EVENT(&s, LAB_BR, 0, bound, "BOUND above");
    LAB_EQUAL(bounds_status(), 0, "BNDSTATUS is 0");
    go(check_lower, LAB_CODE32_3, 0, 0);
    bounds_save();
    *bounds_word(BOUNDS_CSR) = 0; /* BNDCFGU: not enabled; BNDSTATUS as it is */
    bounds_load(0x10);
    s = lab_start(bound, 3);
    s.cs = LAB_CODE32_3;
    s.bx = (unsigned long)memory;
    lab_go(&s);
    LAB_EVENT(&s, LAB_BR, 0, bound, "BOUND below, MPX not enabled");
    LAB_EQUAL(bounds_status(), 1, "BNDSTATUS stays");
}

int main(void)
{
    lab_init();
    lab_user_pages();
    bounds_switch_on();
    halves();
    tables();
    addressing();
    branches();
    bound_instruction();
    lab_end();
}
