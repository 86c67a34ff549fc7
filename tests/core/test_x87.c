/*
 * The x87 unit in translated code: no checked stepping, what ends an instruction, what is told outside,
 * layouts of real-address mode. SDM volume 1, "x87 FPU Exception Synchronization", "MS-DOS Compatibility
 * Sub-mode", figures "Real Mode x87 FPU State Image in Memory".
 */
#include "tests/core/harness.h"

enum {
    CONTROL_AT = 0x3000,
    OPERAND = 0x3010,
    RESULT = 0x3020,
    IMAGE = 0x3040,
    UNMASK_ZE = 0x37b,
    NOT_TOP = ~0x3800
};

static uint32_t word(const struct harness *h, uint32_t at, unsigned bytes)
{
    uint32_t value = 0;
    memcpy(&value, h->mem.ram + at, bytes);
    return value;
}

static void run(struct harness *h, uint16_t control, uint64_t cr0, const uint8_t *code, size_t bytes)
{
    harness_flat_32(h);
    h->exceptions = h->traps = 0;
    h->stop_after_traps = 0;
    h->state.cr0 |= cr0;
    memcpy(h->mem.ram + CONTROL_AT, &control, sizeof control);
    harness_load(h, HARNESS_CODE, code, bytes);
    harness_run(h);
}
#define RUN(h, control, cr0, ...)                                                                            \
    run(h, control, cr0, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define FNINIT 0xdb, 0xe3
#define FLDCW 0xd9, 0x2d, 0, 0x30, 0, 0
#define FLD1 0xd9, 0xe8
#define FLDZ 0xd9, 0xee
#define FDIV_ST1 0xd8, 0xf1
#define FNSTSW_AX 0xdf, 0xe0
#define HLT 0xf4

static void arithmetic_is_translated(void **state)
{
    struct harness *h = *state;
    RUN(h, 0x37f, CR0_NE, FNINIT, FLDZ, FLD1, FDIV_ST1, FNSTSW_AX, HLT);
    assert_int_equal(h->traps, 1); /* HLT */
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(core_checked_steps(h->core), 0);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 6 << 11 | 4);
    assert_int_equal(h->instructions, 5);
}

/* The division ends in its middle; the next instruction that waits has the exception. */
static void an_unmasked_exception(void **state)
{
    struct harness *h = *state;
    RUN(h, UNMASK_ZE, CR0_NE, FNINIT, FLDCW, FLDZ, FLD1, FDIV_ST1, FNSTSW_AX, FLD1, HLT);
    assert_int_equal(h->traps, 1);
    assert_int_equal(h->insn.id, INSN_X87);
    assert_int_equal(h->insn.length, 2);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_MF);
    assert_false(h->event.has_error_code);
    assert_int_equal(h->state.rip, HARNESS_CODE + 16);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 0x8000 | 6 << 11 | 0x84);
    assert_int_equal(core_checked_steps(h->core), 0);
}

/* fdivp, with an exception: nothing is popped. */
static void nothing_is_popped(void **state)
{
    struct harness *h = *state;
    RUN(h, UNMASK_ZE, CR0_NE, FNINIT, FLDCW, FLD1, FLDZ, 0xde, 0xf9, FNSTSW_AX, HLT);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 0x8000 | 6 << 11 | 0x84);
    RUN(h, UNMASK_ZE | 4, CR0_NE, FNINIT, FLDCW, FLD1, FLDZ, 0xde, 0xf9, FNSTSW_AX, HLT);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 7 << 11 | 4);
}

/* With CR0.NE = 0 it would be FERR#: the model is asked, which refuses. */
static void told_outside(void **state)
{
    struct harness *h = *state;
    RUN(h, UNMASK_ZE, 0, FNINIT, FLDCW, FLDZ, FLD1, FDIV_ST1, FNSTSW_AX, HLT);
    assert_int_equal(h->insn.id, INSN_HLT); /* nothing waited */
    h->stop_after_traps = 2;
    harness_flat_32(h);
    h->traps = 0;
    static const uint8_t waits[] = {FNINIT, FLDCW, FLDZ, FLD1, FDIV_ST1, 0x9b, HLT};
    harness_load(h, HARNESS_CODE, waits, sizeof waits);
    harness_run(h);
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(h->traps, 2);
    assert_int_equal(h->insn.id, INSN_X87_EXTERNAL);
}

/* Pointers are linear: CS = 1000H, DS = 300H. */
static void real_address_mode(void **state)
{
    struct harness *h = *state;
    /* fninit; fld dword [0010h]; fnstenv [0040h]; db 66h, fnstenv [0080h]; fldenv [0040h]; fnstenv [00c0h];
     * db 66h, fldenv [0080h]; db 66h, fnstenv [0100h]; hlt */
    static const uint8_t code[] = {FNINIT, 0xd9, 0x06, 0x10, 0,    0xd9, 0x36, 0x40, 0,    0x66, 0xd9,
                                   0x36,   0x80, 0,    0xd9, 0x26, 0x40, 0,    0xd9, 0x36, 0xc0, 0,
                                   0x66,   0xd9, 0x26, 0x80, 0,    0x66, 0xd9, 0x36, 0,    1,    HLT};
    harness_flat_32(h);
    h->state.cr0 = CR0_ET | CR0_NE;
    h->state.rip = 0;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        h->state.seg[i] =
            (struct cpu_segment){.selector = 0x300, .base = 0x3000, .limit = 0xffff, .access_rights = 0x93};
    h->state.seg[SEG_CS] =
        (struct cpu_segment){.selector = 0x1000, .base = 0x10000, .limit = 0xffff, .access_rights = 0x9b};
    mmu_set_regime(&h->mmu, &(struct mmu_regime){.cr0 = h->state.cr0});
    harness_load(h, HARNESS_CODE, code, sizeof code);
    harness_run(h);
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(word(h, IMAGE, 2), 0x37f);
    assert_int_equal(word(h, IMAGE + 6, 2), 0x0002);  /* the instruction's linear address, bits 15:0 */
    assert_int_equal(word(h, IMAGE + 8, 2), 0x1106);  /* its bits 19:16, the opcode D9 06 */
    assert_int_equal(word(h, IMAGE + 10, 2), 0x3010); /* the operand's, bits 15:0 */
    assert_int_equal(word(h, IMAGE + 12, 2), 0);
    assert_int_equal(word(h, IMAGE + 0x40, 4) & 0xffff, 0x37f);
    assert_int_equal(word(h, IMAGE + 0x40 + 12, 4) & 0xffff, 0x0002);
    assert_int_equal(word(h, IMAGE + 0x40 + 16, 4),
                     0x1000u << 0 | 0x106); /* bits 31:16 = 1, from bit 12 on */
    assert_int_equal(word(h, IMAGE + 0x40 + 20, 4) & 0xffff, 0x3010);
    assert_memory_equal(h->mem.ram + IMAGE, h->mem.ram + IMAGE + 0x80, 14);
    assert_memory_equal(h->mem.ram + IMAGE + 0x40, h->mem.ram + IMAGE + 0xc0, 28);
}

/* FBLD and FBSTP: 18 digits; more are invalid. SDM volume 1, "BCD and Packed BCD Integers". */
static void decimal(void **state)
{
    struct harness *h = *state;
    static const uint8_t digits[10] = {0x21, 0x43, 0x65, 0x87, 0x09, 0, 0, 0, 0x12, 0x80};
    static const uint8_t indefinite[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
    memcpy(h->mem.ram + OPERAND, digits, sizeof digits);
    /* fbld [OPERAND]; fbstp [RESULT] */
    RUN(h, 0x37f, CR0_NE, FNINIT, 0xdf, 0x25, 0x10, 0x30, 0, 0, 0xdf, 0x35, 0x20, 0x30, 0, 0, FNSTSW_AX, HLT);
    assert_memory_equal(h->mem.ram + RESULT, digits, sizeof digits);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 0);
    const double large = 1e18;
    memcpy(h->mem.ram + OPERAND, &large, sizeof large);
    RUN(h, 0x37f, CR0_NE, FNINIT, 0xdd, 0x05, 0x10, 0x30, 0, 0, 0xdf, 0x35, 0x20, 0x30, 0, 0, FNSTSW_AX, HLT);
    assert_memory_equal(h->mem.ram + RESULT, indefinite, sizeof indefinite);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 1);
}

/* FCMOVcc looks at the stack whether its condition holds or not; FCOMI clears OF, SF and AF. */
static void conditional(void **state)
{
    struct harness *h = *state;
    RUN(h, 0x37f, CR0_NE, FNINIT, FLD1, 0xf8, 0xda, 0xc1, FNSTSW_AX, HLT); /* clc; fcmovb st, st(1) */
    assert_int_equal(h->state.gpr[GPR_RAX] & (uint16_t)NOT_TOP, 0x41);
    RUN(h, 0x37f, CR0_NE, FNINIT, FLDZ, FLD1, 0xf9, 0xda, 0xc1, 0xdf, 0xf1, 0x9f,
        HLT);                                                  /* stc: 0; fcomip; lahf */
    assert_int_equal(h->state.gpr[GPR_RAX] >> 8 & 0xff, 0x42); /* equal */
    RUN(h, 0x37f, CR0_NE, FNINIT, FLDZ, FLD1, 0xb0, 0x80, 0x2c, 1, 0xdb, 0xf1, HLT); /* 80h - 1: OF, AF */
    assert_int_equal(h->state.rflags & RFLAGS_ARITHMETIC, 0);
}

/* Instructions that push and pop by themselves: FPTAN, FPATAN; FYL2X of 0, unmasked. */
static void functions(void **state)
{
    struct harness *h = *state;
    RUN(h, 0x37f, CR0_NE, FNINIT, FLD1, 0xd9, 0xf2, FNSTSW_AX, 0x89, 0xc3, 0xd9, 0xf3, FNSTSW_AX, HLT);
    assert_int_equal(h->state.gpr[GPR_RBX] & 0x38ff, 6 << 11 | 0x20);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0x38ff, 7 << 11 | 0x20);
    RUN(h, UNMASK_ZE, CR0_NE, FNINIT, FLDCW, FLD1, FLDZ, 0xd9, 0xf1, FNSTSW_AX, HLT);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 0x8000 | 6 << 11 | 0x84);
}

/* SDM volume 2, "CVTPI2PD", "CVTPI2PS": of an operand in memory the first one neither waits nor turns to MMX
 * state, the second one does both. */
static void conversions_of_memory(void **state)
{
    struct harness *h = *state;
    const uint64_t cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (unsigned prefix = 0; prefix < 2; prefix++) {
        const uint8_t code[] = {FNINIT, FLDCW,     FLDZ, FLD1, FDIV_ST1, prefix ? 0x66 : 0x3e,
                                0x0f,   0x2a,      0x05, 0x10, 0x30,     0,
                                0,      FNSTSW_AX, HLT};
        const uint16_t control = UNMASK_ZE;
        harness_flat_32(h);
        h->exceptions = h->traps = h->stop_after_traps = 0;
        h->state.cr0 |= CR0_NE;
        h->state.cr4 = cr4;
        memcpy(h->mem.ram + CONTROL_AT, &control, sizeof control);
        harness_load(h, HARNESS_CODE, code, sizeof code);
        harness_run(h);
        assert_int_equal(h->exceptions, prefix ? 0 : 1);
        if (prefix)
            assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 0x8000 | 6 << 11 | 0x84);
    }
}

/* A store that cannot be made has not been: the status word and the opcode are as before it. */
static void a_store_that_faults(void **state)
{
    struct harness *h = *state;
    enum { NOT_PRESENT = 0x6000 };
    /* fninit; fld1; fldpi; fstp dword [NOT_PRESENT] */
    static const uint8_t code[] = {FNINIT, FLD1, 0xd9, 0xeb, 0xd9, 0x1d, 0, 0x60, 0, 0};
    /* fnstsw ax; fnstenv [RESULT]; hlt */
    static const uint8_t look[] = {FNSTSW_AX, 0xd9, 0x35, 0x20, 0x30, 0, 0, HLT};
    harness_paged_32(h);
    *harness_page_entry(h, NOT_PRESENT) = 0;
    harness_load(h, HARNESS_CODE, code, sizeof code);
    harness_run(h);
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->state.rip, HARNESS_CODE + 6);
    harness_load(h, HARNESS_CODE + 0x100, look, sizeof look);
    h->state.rip = HARNESS_CODE + 0x100;
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 6 << 11);
    assert_int_equal(word(h, RESULT + 16, 4) >> 16, 0x1eb);
}

/* SDM volume 1, "The MMX State and the x87 FPU State": bits 79:64 of what is written are ones, TOP is 0. */
static void mmx_writes(void **state)
{
    struct harness *h = *state;
    /* movd mm3, eax; movd ecx, mm4; fxsave [4000h] */
    RUN(h, 0x37f, CR0_NE, FNINIT, FLD1, 0x0f, 0x6e, 0xd8, 0x0f, 0x7e, 0xe1, 0x0f, 0xae, 0x05, 0, 0x40, 0, 0,
        HLT);
    assert_int_equal(word(h, 0x4000 + 32 + 3 * 16 + 8, 2), 0xffff);
    assert_int_equal(word(h, 0x4000 + 32 + 4 * 16 + 8, 2), 0);
    assert_int_equal(word(h, 0x4000 + 32 + 7 * 16 + 8, 2), 0x3fff);
    assert_int_equal(word(h, 0x4000 + 2, 2), 0);
    assert_int_equal(word(h, 0x4000 + 4, 1), 0xff);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(arithmetic_is_translated),
        T(an_unmasked_exception),
        T(nothing_is_popped),
        T(told_outside),
        T(real_address_mode),
        T(decimal),
        T(conditional),
        T(functions),
        T(mmx_writes),
        T(a_store_that_faults),
        T(conversions_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
