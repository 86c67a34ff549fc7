/*
 * Limits in real-address and virtual-8086 mode, alignment and pages of 16-byte operands, in translated code
 * (sim/core/guard.h). SDM volume 3B, "8086 Emulation"; volume 3A, "Limit Checking", "Interrupt 13--General
 * Protection Exception (#GP)".
 */
#include "tests/core/harness.h"

#define LOAD(h, at, ...)                                                                                     \
    do {                                                                                                     \
        static const uint8_t bytes[] = {__VA_ARGS__};                                                        \
        harness_load(h, at, bytes, sizeof bytes);                                                            \
    } while (0)

enum { DATA = 0x20000, CODE_OFFSET = 0x1000, STACK = 0x30000 };

/* CS 1000H, DS 2000H, ES 2107H (not on a page), SS 3000H. */
static void real_mode(struct harness *h)
{
    static const uint16_t selectors[] = {0x2107, 0x1000, 0x3000, 0x2000, 0, 0};
    harness_flat_32(h);
    h->state.cr0 = CR0_ET;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        h->state.seg[i] = (struct cpu_segment){.selector = selectors[i],
                                               .base = selectors[i] * 16ull,
                                               .limit = 0xffff,
                                               .access_rights = i == SEG_CS ? 0x9b : 0x93};
    h->state.gpr[GPR_RSP] = 0x100;
    h->state.rip = CODE_OFFSET;
    mmu_set_regime(&h->mmu, &(struct mmu_regime){.cr0 = CR0_ET});
}

#define CODE(h, ...) LOAD(h, 0x10000 + CODE_OFFSET, __VA_ARGS__)

static void expect(const struct harness *h, unsigned vector, uint64_t rip)
{
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, vector);
    assert_int_equal(h->state.rip, rip);
}

static void a_word_at_ffff_faults(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    memset(h->mem.ram + DATA + 0xfffe, 0x11, 4);
    CODE(h, 0xa1, 0xfe, 0xff,                       /* mov ax,[fffe] */
         0xa0, 0xff, 0xff,                          /* mov al,[ffff] */
         0xc7, 0x06, 0xff, 0xff, 0x34, 0x12, 0xf4); /* mov word [ffff],1234 */
    harness_run(h);
    expect(h, VECTOR_GP, CODE_OFFSET + 6);
    assert_int_equal(h->state.gpr[GPR_RAX] & 0xffff, 0x1111);
    assert_int_equal(h->mem.ram[DATA + 0xffff], 0x11);
    assert_int_equal(h->mem.ram[DATA + 0x10000], 0x11);
    assert_int_equal(h->instructions, 2);
    assert_int_equal(core_checked_steps(h->core), 0);
}

/* The segment's end lies inside a page, and BX with SI makes the offset. */
static void the_end_of_a_segment_inside_a_page(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.gpr[GPR_RBX] = 0xfff0;
    h->state.gpr[GPR_RSI] = 0x000d;
    CODE(h, 0x66, 0x26, 0x8b, 0x48, 0xff, /* mov ecx, es:[bx+si-1]: fffc */
         0x66, 0x26, 0x8b, 0x08, 0xf4);   /* mov ecx, es:[bx+si]: fffd */
    h->mem.ram[0x21070 + 0xfffc] = 0x77;
    harness_run(h);
    expect(h, VECTOR_GP, CODE_OFFSET + 5);
    assert_int_equal(h->state.gpr[GPR_RCX], 0x77);
}

/* BP's default is SS; a push with SP 1; a pop with SP FFFFH. */
static void the_stack_segment_has_its_own_fault(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.gpr[GPR_RBP] = 0xffff;
    CODE(h, 0x8b, 0x46, 0x00, 0xf4); /* mov ax,[bp+0] */
    harness_run(h);
    expect(h, VECTOR_SS, CODE_OFFSET);
    real_mode(h);
    h->exceptions = 0;
    h->state.gpr[GPR_RSP] = 1;
    LOAD(h, 0x10000 + 0x2000, 0x50, 0xf4);
    h->state.rip = 0x2000;
    harness_run(h);
    expect(h, VECTOR_SS, 0x2000);
    assert_int_equal(h->state.gpr[GPR_RSP], 1);
    real_mode(h);
    h->exceptions = 0;
    h->state.gpr[GPR_RSP] = 0xffff;
    LOAD(h, 0x10000 + 0x2100, 0x58, 0xf4);
    h->state.rip = 0x2100;
    harness_run(h);
    expect(h, VECTOR_SS, 0x2100);
}

/* SP 0 wraps to FFFEH: no fault. */
static void a_push_wraps_at_zero(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.gpr[GPR_RSP] = 0;
    h->state.gpr[GPR_RAX] = 0x4321;
    CODE(h, 0x50, 0xf4);
    harness_run(h);
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(h->state.gpr[GPR_RSP], 0xfffe);
    assert_int_equal(h->mem.ram[STACK + 0xfffe], 0x21);
}

static void addresses_of_32_bits(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.gpr[GPR_RBX] = 0xffff;
    h->state.gpr[GPR_RSI] = 0x10000;
    CODE(h, 0x67, 0x8a, 0x03,     /* mov al,[ebx] */
         0x67, 0x8a, 0x06, 0xf4); /* mov al,[esi] */
    harness_run(h);
    expect(h, VECTOR_GP, CODE_OFFSET + 3);
    real_mode(h);
    h->exceptions = 0;
    h->state.gpr[GPR_RSP] = 0x10100;
    LOAD(h, 0x10000 + 0x2000, 0x67, 0x8a, 0x04, 0x24, 0xf4); /* mov al,[esp] */
    h->state.rip = 0x2000;
    harness_run(h);
    expect(h, VECTOR_SS, 0x2000);
}

/* A limit of 4 GiB that protected mode left: the whole memory, with no fault and no check by itself. */
static void unreal_mode_goes_on_working(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.seg[SEG_DS].limit = UINT32_MAX;
    h->state.seg[SEG_DS].base = 0;
    h->state.gpr[GPR_RBX] = 0x200000;
    h->mem.ram[0x200000] = 0x5a;
    CODE(h, 0x67, 0x66, 0x8b, 0x03, 0xf4); /* mov eax,[ebx] */
    harness_run(h);
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(h->state.gpr[GPR_RAX], 0x5a);
    assert_int_equal(core_checked_steps(h->core), 0);
}

/* 16-bit code that no address leaves its segment in is not checked one by one; string instructions meet the
 * end. */
static void strings_stop_at_the_end(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.gpr[GPR_RSI] = 0x2000;
    h->state.gpr[GPR_RDI] = 0xfffb;
    h->state.gpr[GPR_RCX] = 3;
    h->state.seg[SEG_ES].base = 0x40000;
    CODE(h, 0xf3, 0xa5, 0xf4); /* rep movsw */
    harness_run(h);
    expect(h, VECTOR_GP, CODE_OFFSET);
    assert_int_equal(h->state.gpr[GPR_RCX], 1);
    assert_int_equal(h->state.gpr[GPR_RSI], 0x2004);
    assert_int_equal(h->state.gpr[GPR_RDI], 0xffff);
    assert_int_equal(core_checked_steps(h->core), 0);
}

/* All sixteen bytes or none. */
static void pusha_changes_all_or_nothing(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.gpr[GPR_RSP] = 7; /* from FFF7H, across the end */
    CODE(h, 0x60, 0xf4);
    h->state.gpr[GPR_RDI] = 0x1234;
    harness_run(h);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_SS);
    assert_int_equal(h->mem.ram[STACK + 0xfff7], 0);
    assert_int_equal(h->state.gpr[GPR_RSP], 7);
}

static void x87_and_exchange(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    CODE(h, 0xd9, 0xe8, 0xdb, 0x3e, 0xf7, 0xff, 0xf4); /* fld1; fstp tword [fff7] */
    harness_run(h);
    expect(h, VECTOR_GP, CODE_OFFSET + 2);
    assert_int_equal(h->mem.ram[DATA + 0xffff], 0);
    real_mode(h);
    h->exceptions = 0;
    LOAD(h, 0x10000 + 0x2000, 0x87, 0x06, 0xff, 0xff, 0xf4); /* xchg ax,[ffff] */
    h->state.rip = 0x2000;
    harness_run(h);
    expect(h, VECTOR_GP, 0x2000);
}

/* An instruction whose bytes cross the limit of the code segment, and one after its end. */
static void ip_beyond_the_limit(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    LOAD(h, 0x1fffd, 0x40, 0xb8, 1, 2, 0xf4); /* inc ax; mov ax,201h at FFFEH */
    h->state.rip = 0xfffd;
    harness_run(h);
    expect(h, VECTOR_GP, 0xfffe);
    assert_int_equal(h->state.gpr[GPR_RAX], 1);
    real_mode(h);
    h->exceptions = 0;
    LOAD(h, 0x1fffe, 0x40, 0x40, 0x40, 0xf4);
    h->state.rip = 0xfffe;
    harness_run(h);
    expect(h, VECTOR_GP, 0x10000);
    assert_int_equal(h->state.gpr[GPR_RAX], 2);
}

/* Jumps with a 32-bit operand: the fault is the jump's own. SDM volume 2, "JMP--Jump", "RET", "CALL". */
static void a_branch_beyond_the_limit_faults_itself(void **state)
{
    static const uint8_t jump[] = {0x66, 0xe9, 0, 0, 1, 0, 0xf4}, call[] = {0x66, 0xe8, 0, 0, 1, 0, 0xf4},
                         back[] = {0x66, 0xc3, 0xf4}, to_eax[] = {0x66, 0xff, 0xe0, 0xf4},
                         taken[] = {0x66, 0x0f, 0x84, 0, 0, 1, 0, 0xf4};
    static const struct {
        const uint8_t *code;
        size_t size;
    } cases[] = {{jump, sizeof jump},
                 {call, sizeof call},
                 {back, sizeof back},
                 {to_eax, sizeof to_eax},
                 {taken, sizeof taken}};
    struct harness *h = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        real_mode(h);
        h->exceptions = 0;
        h->state.rip = CODE_OFFSET + 0x100 * i;
        h->state.rflags |= RFLAGS_ZF;
        h->state.gpr[GPR_RAX] = 0x10000;
        memset(h->mem.ram + STACK + 0xf0, 0, 32);
        h->mem.ram[STACK + 0x102] = 1; /* return to 10000h */
        harness_load(h, 0x10000 + h->state.rip, cases[i].code, cases[i].size);
        harness_run(h);
        expect(h, VECTOR_GP, CODE_OFFSET + 0x100 * i);
        assert_int_equal(h->state.gpr[GPR_RSP], 0x100);
        assert_int_equal(h->mem.ram[STACK + 0xfc], 0);
    }
}

static void virtual_8086_mode_too(void **state)
{
    struct harness *h = *state;
    real_mode(h);
    h->state.cr0 |= CR0_PE;
    h->state.rflags |= RFLAGS_VM;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        h->state.seg[i].access_rights = 0xf3;
    mmu_set_regime(&h->mmu, &(struct mmu_regime){.cr0 = h->state.cr0});
    CODE(h, 0xa1, 0xff, 0xff, 0xf4); /* mov ax,[ffff] */
    harness_run(h);
    expect(h, VECTOR_GP, CODE_OFFSET);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(a_word_at_ffff_faults),
        T(the_end_of_a_segment_inside_a_page),
        T(the_stack_segment_has_its_own_fault),
        T(a_push_wraps_at_zero),
        T(addresses_of_32_bits),
        T(unreal_mode_goes_on_working),
        T(strings_stop_at_the_end),
        T(pusha_changes_all_or_nothing),
        T(x87_and_exchange),
        T(ip_beyond_the_limit),
        T(a_branch_beyond_the_limit_faults_itself),
        T(virtual_8086_mode_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
