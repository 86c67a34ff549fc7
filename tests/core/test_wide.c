/*
 * 64-bit mode: canonical addresses of data and of branches; 16-byte operands, their alignment and their
 * pages. SDM volume 1, "Canonical Addressing"; volume 2, "JMP--Jump", "CALL--Call Procedure", "RET--Return
 * From Procedure".
 */
#include "tests/core/wide.h"

static void data_at_a_non_canonical_address(void **state)
{
    struct harness *h = *state;
    wide(h);
    h->state.gpr[GPR_RBX] = NOT_CANONICAL;
    RUN(h, 0x90, 0x48, 0x8b, 0x03, 0xf4); /* nop; mov rax,[rbx] */
    expect(h, VECTOR_GP, HARNESS_CODE + 1);
}

/* The last bytes of the lower half are there; the operand reaches beyond. */
static void data_that_reaches_out_of_the_lower_half(void **state)
{
    struct harness *h = *state;
    wide(h);
    h->state.gpr[GPR_RBX] = NOT_CANONICAL - 4;
    h->state.gpr[GPR_RAX] = UINT64_MAX;
    RUN(h, 0x8b, 0x0b, 0x48, 0x89, 0x03, 0xf4); /* mov ecx,[rbx]; mov [rbx],rax */
    expect(h, VECTOR_GP, HARNESS_CODE + 2);
    assert_int_equal(h->mem.ram[0x1ffffc], 0);
}

static void the_stack_raises_its_own(void **state)
{
    struct harness *h = *state;
    wide(h);
    h->state.gpr[GPR_RBP] = NOT_CANONICAL;
    RUN(h, 0x48, 0x8b, 0x45, 0, 0xf4); /* mov rax,[rbp] */
    expect(h, VECTOR_SS, HARNESS_CODE);
    wide(h);
    h->state.gpr[GPR_RSP] = NOT_CANONICAL + 0x1000;
    h->state.gpr[GPR_RBX] = 0x3000;
    RUN(h, 0xff, 0x33, 0xf4); /* push [rbx] */
    expect(h, VECTOR_SS, HARNESS_CODE);
    assert_int_equal(h->state.gpr[GPR_RSP], NOT_CANONICAL + 0x1000);
}

static void a_jump_faults_itself(void **state)
{
    struct harness *h = *state;
    wide(h);
    h->state.gpr[GPR_RAX] = NOT_CANONICAL;
    RUN(h, 0x90, 0xff, 0xe0, 0xf4); /* nop; jmp rax */
    expect(h, VECTOR_GP, HARNESS_CODE + 1);
}

static void a_return_faults_itself(void **state)
{
    struct harness *h = *state;
    const uint64_t target = NOT_CANONICAL;
    wide(h);
    memcpy(h->mem.ram + HARNESS_STACK, &target, sizeof target);
    RUN(h, 0x90, 0xc3, 0xf4);
    expect(h, VECTOR_GP, HARNESS_CODE + 1);
    assert_int_equal(h->state.gpr[GPR_RSP], HARNESS_STACK);
    wide(h);
    RUN(h, 0xc2, 0x10, 0, 0xf4); /* ret 16 */
    expect(h, VECTOR_GP, HARNESS_CODE);
    assert_int_equal(h->state.gpr[GPR_RSP], HARNESS_STACK);
}

/* Nothing is pushed. */
static void a_call_faults_itself(void **state)
{
    struct harness *h = *state;
    const uint64_t target = NOT_CANONICAL, before = 0x1234567890abcdef;
    wide(h);
    memcpy(h->mem.ram + HARNESS_STACK - 8, &before, sizeof before);
    memcpy(h->mem.ram + 0x3000, &target, sizeof target);
    h->state.gpr[GPR_RAX] = target;
    RUN(h, 0x90, 0xff, 0xd0, 0xf4); /* nop; call rax */
    expect(h, VECTOR_GP, HARNESS_CODE + 1);
    assert_int_equal(h->state.gpr[GPR_RSP], HARNESS_STACK);
    assert_memory_equal(h->mem.ram + HARNESS_STACK - 8, &before, sizeof before);
    wide(h);
    RUN(h, 0xff, 0x14, 0x25, 0, 0x30, 0, 0, 0xf4); /* call [3000h] */
    expect(h, VECTOR_GP, HARNESS_CODE);
    assert_memory_equal(h->mem.ram + HARNESS_STACK - 8, &before, sizeof before);
    wide(h);
    h->state.gpr[GPR_RAX] = HARNESS_CODE + 3;
    RUN(h, 0xff, 0xd0, 0x90, 0xf4); /* call rax */
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(h->state.gpr[GPR_RSP], HARNESS_STACK - 8);
    assert_int_equal(core_checked_steps(h->core), 0);
}

/* Execution runs on to the end of the lower half: the next instruction faults. */
static void running_out_of_the_lower_half(void **state)
{
    struct harness *h = *state;
    wide(h);
    h->state.rip = NOT_CANONICAL - 2;
    h->mem.ram[0x1ffffe] = h->mem.ram[0x1fffff] = 0x90;
    harness_run(h);
    expect(h, VECTOR_GP, NOT_CANONICAL);
}

static void sixteen_bytes_are_aligned(void **state)
{
    struct harness *h = *state;
    wide(h);
    h->state.gpr[GPR_RBX] = 0x3008;
    RUN(h, 0x0f, 0x10, 0x03, 0x66, 0x0f, 0x2f, 0x03, /* movups xmm0,[rbx]; comisd xmm0,[rbx] */
        0x66, 0x0f, 0x6f, 0x03, 0xf4);               /* movdqa xmm0,[rbx] */
    expect(h, VECTOR_GP, HARNESS_CODE + 7);
    wide(h);
    h->state.gpr[GPR_RBX] = 0x3010;
    RUN(h, 0x66, 0x0f, 0x6f, 0x03, 0x66, 0x0f, 0x7f, 0x43, 0x10, 0x66, 0x0f, 0xef, 0x43, 0xf8, 0xf4);
    expect(h, VECTOR_GP, HARNESS_CODE + 9); /* pxor xmm0,[rbx-8] */
}

/* The second page may not be written: the first keeps what it has, whichever way the bytes are split. */
static void a_store_across_pages_changes_all_or_nothing(void **state)
{
    static const uint8_t code[] = {0x66, 0x0f, 0x76, 0xc0,
                                   0x0f, 0x11, 0x03, 0xf4}; /* pcmpeqd xmm0,xmm0; movups [rbx],xmm0 */
    struct harness *h = *state;
    for (unsigned in_first = 1; in_first < 16; in_first++) {
        wide(h);
        *page_entry(h, 0x5000) = 0x5001; /* read-only */
        mmu_invlpg(&h->mmu, 0x5000);
        h->state.gpr[GPR_RBX] = 0x5000 - in_first;
        harness_load(h, HARNESS_CODE, code, sizeof code);
        harness_run(h);
        assert_int_equal(h->faults, 1);
        assert_int_equal(h->fault.linear, 0x5000);
        assert_int_equal(h->fault.error_code, PF_P | PF_W);
        assert_int_equal(h->state.rip, HARNESS_CODE + 4);
        for (unsigned i = 0; i < in_first; i++)
            assert_int_equal(h->mem.ram[0x5000 - in_first + i], 0);
    }
    for (unsigned in_first = 1; in_first < 16; in_first++) { /* and where both may: all sixteen */
        wide(h);
        mmu_invlpg(&h->mmu, 0x5000);
        memset(h->mem.ram + 0x4f00, 0, 0x200);
        h->state.gpr[GPR_RBX] = 0x5000 - in_first;
        harness_run(h);
        assert_int_equal(h->faults, 0);
        assert_int_equal(h->mem.ram[0x5000 - in_first - 1], 0);
        assert_int_equal(h->mem.ram[0x5000 - in_first], 0xff);
        assert_int_equal(h->mem.ram[0x5000 - in_first + 15], 0xff);
        assert_int_equal(h->mem.ram[0x5000 - in_first + 16], 0);
    }
}

/* A load whose second page is missing leaves the register as it was. */
static void a_load_across_pages_changes_all_or_nothing(void **state)
{
    struct harness *h = *state;
    wide(h);
    *page_entry(h, 0x5000) = 0;
    h->state.gpr[GPR_RBX] = 0x4ff8;
    h->faults_to_repeat = 1;
    RUN(h, 0x66, 0x0f, 0x76, 0xc0, 0x0f, 0x10, 0x03, 0xf4); /* pcmpeqd xmm0,xmm0; movups xmm0,[rbx] */
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->fault.linear, 0x5000);
    h->state.rip = HARNESS_CODE + 0x100;
    static const uint8_t store[] = {0x0f, 0x11, 0x04, 0x25, 0, 0x30, 0, 0, 0xf4}; /* movups [3000h],xmm0 */
    harness_load(h, HARNESS_CODE + 0x100, store, sizeof store);
    harness_run(h);
    assert_int_equal(h->mem.ram[0x3000], 0xff);
    assert_int_equal(h->mem.ram[0x300f], 0xff);
}

static void whole_states_and_masked_stores(void **state)
{
    static const uint8_t code[3][5] = {{0x0f, 0xae, 0x03, 0xf4},        /* fxsave [rbx] */
                                       {0xdd, 0x33, 0xf4},              /* fnsave [rbx] */
                                       {0x66, 0x0f, 0xf7, 0xc0, 0xf4}}; /* maskmovdqu xmm0,xmm0: [rdi] */
    static const unsigned in_first[3] = {0x1f0, 100, 8};
    struct harness *h = *state;
    for (unsigned i = 0; i < 3; i++) {
        wide(h);
        *page_entry(h, 0x5000) = 0;
        mmu_invlpg(&h->mmu, 0x5000);
        memset(h->mem.ram + 0x4e00, 0x55, 0x200);
        h->state.gpr[GPR_RBX] = h->state.gpr[GPR_RDI] = 0x5000 - in_first[i];
        harness_load(h, HARNESS_CODE, "\x66\x0f\x76\xc0", 4); /* pcmpeqd xmm0,xmm0 */
        harness_load(h, HARNESS_CODE + 4, code[i], sizeof code[i]);
        harness_run(h);
        assert_int_equal(h->faults, 1);
        assert_int_equal(h->fault.linear, 0x5000);
        assert_int_equal(h->fault.error_code, PF_W);
        assert_int_equal(h->state.rip, HARNESS_CODE + 4);
        for (unsigned at = 0x4e00; at < 0x5000; at++)
            assert_int_equal(h->mem.ram[at], 0x55);
    }
}

/* CVTPS2PD reads eight bytes, the last of the page. */
static void a_half_is_not_read_beyond(void **state)
{
    struct harness *h = *state;
    wide(h);
    *page_entry(h, 0x5000) = 0;
    h->state.gpr[GPR_RBX] = 0x4ff8;
    RUN(h, 0x0f, 0x5a, 0x03, 0xf3, 0x0f, 0xe6, 0x03, 0xf4); /* cvtps2pd xmm0,[rbx]; cvtdq2pd xmm0,[rbx] */
    assert_int_equal(h->faults, 0);
    assert_int_equal(h->exceptions, 0);
    assert_int_equal(h->state.rip, HARNESS_CODE + 7);
}

/* An instruction that reads, changes and writes asks for the right to write at once. */
static void a_missing_page_of_a_read_modify_write(void **state)
{
    struct harness *h = *state;
    wide(h);
    *page_entry(h, 0x5000) = 0;
    h->state.gpr[GPR_RBX] = 0x5000;
    RUN(h, 0x01, 0x03, 0xf4); /* add [rbx],eax */
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->fault.error_code, PF_W);
    wide(h);
    *page_entry(h, 0x5000) = 0;
    h->state.gpr[GPR_RBX] = 0x5000;
    RUN(h, 0x39, 0x03, 0xf4); /* cmp [rbx],eax */
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->fault.error_code, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(data_at_a_non_canonical_address),
        T(data_that_reaches_out_of_the_lower_half),
        T(the_stack_raises_its_own),
        T(a_jump_faults_itself),
        T(a_return_faults_itself),
        T(a_call_faults_itself),
        T(running_out_of_the_lower_half),
        T(sixteen_bytes_are_aligned),
        T(a_store_across_pages_changes_all_or_nothing),
        T(a_load_across_pages_changes_all_or_nothing),
        T(whole_states_and_masked_stores),
        T(a_half_is_not_read_beyond),
        T(a_missing_page_of_a_read_modify_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
