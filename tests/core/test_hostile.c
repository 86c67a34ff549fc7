/* What guests did to bring the process down, found by tests/fuzz/fuzz_guest.c: each is now an ordinary trap.
 */
#include "tests/core/harness.h"

#define LOAD(h, at, ...)                                                                                     \
    do {                                                                                                     \
        static const uint8_t bytes[] = {__VA_ARGS__};                                                        \
        harness_load(h, at, bytes, sizeof bytes);                                                            \
    } while (0)

/* LOCK BTS with a register: libunicorn's translator aborts. SDM volume 2, "LOCK": #UD. */
static void lock_with_a_register_is_undefined(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x40, 0xf0, 0x0f, 0xba, 0xec, 0x35, 0xf4); /* inc eax; lock bts esp,35h; hlt */
    h->stop_after_traps = 1;
    harness_run(h);
    assert_int_equal(h->traps, 1);
    assert_int_equal(h->insn.id, INSN_UD);
    assert_int_equal(h->insn.length, 5);
    assert_int_equal(h->state.gpr[GPR_RAX], 1);
}

/* The same instruction with memory is carried out. */
static void lock_with_memory_is_carried_out(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xf0, 0x0f, 0xba, 0x2d, 0, 0, 0x02, 0, 0x04,
         0xf4); /* lock bts dword [20000h],4; hlt */
    memset(h->mem.ram + 0x20000, 0, 4);
    harness_run(h);
    assert_int_equal(h->insn.id, INSN_HLT);
    assert_int_equal(h->mem.ram[0x20000], 0x10);
}

/* -2^63 / -1 in EDX:EAX: libunicorn takes the host's division, which traps. SDM volume 2, "IDIV": #DE. */
static void the_largest_quotient_is_a_divide_error(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xba, 0, 0, 0, 0x80, 0x31, 0xc0, 0x83, 0xc9,
         0xff,        /* mov edx,80000000h; xor eax,eax; or ecx,-1 */
         0xf7, 0xf9); /* idiv ecx */
    harness_run(h);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_DE);
    assert_int_equal(h->state.rip, HARNESS_CODE + 10);
    assert_int_equal(h->instructions, 3);
    assert_int_equal(h->state.gpr[GPR_RDX], 0x80000000);
}

static void other_divisions_are_carried_out(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xb8, 0xf9, 0xff, 0xff, 0xff, 0x99, 0xb9, 2, 0, 0, 0, 0xf7, 0xf9,
         0xf4); /* -7 / 2 */
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX], 0xfffffffd);
    assert_int_equal(h->state.gpr[GPR_RDX], 0xffffffff);
}

/* An instruction that the model executes lies across two pages: a store to its second page is noticed. */
static void a_store_to_the_second_page_of_an_instruction_is_seen(void **state)
{
    struct harness *h = *state;
    LOAD(h, 0x10ffe, 0x40, 0xcd, 0x21,        /* 1: inc eax; int 21h, whose vector lies in the next page */
         0xc6, 0x05, 0, 0x10, 0x01, 0, 0x22,  /* mov byte [11000h],22h */
         0x83, 0xf8, 0x02, 0x75, 0xf1, 0xf4); /* cmp eax,2; jnz 1b; hlt */
    h->state.rip = 0x10ffe;
    h->stop_after_traps = 2;
    harness_run(h);
    assert_int_equal(h->traps, 2);
    assert_int_equal(h->insn.immediate, 0x22);
}

/* Self-modifying code under checked stepping (a segment limit) fills the code buffer of 32 MiB, which must be
 * emptied in time: nothing of it shows. The crash that it could lead to is
 * tests/fuzz/seeds/guest/full_code_buffer. */
static void stepped_code_that_changes_itself_does_not_fill_the_code_buffer(void **state)
{
    enum { ROUNDS = 60000 };
    struct harness *h = *state;
    h->state.seg[SEG_DS].limit = 0x1ffff;
    h->state.gpr[GPR_RCX] = ROUNDS;
    LOAD(h, HARNESS_CODE, 0xfe, 0x05, 0x07, 0, 0x01, 0, /* 1: inc byte [10007h] */
         0xb0, 0, 0x49, 0x75, 0xf5, 0xf4);              /* mov al,0 (at 10006h); dec ecx; jnz 1b; hlt */
    harness_run(h);
    assert_int_equal(h->insn.id, INSN_HLT);
    assert_int_equal(h->state.gpr[GPR_RAX], ROUNDS & 0xff);
    assert_int_equal(h->instructions, 4 * ROUNDS);
    assert_true(core_checked_steps(h->core) >= 4 * ROUNDS);
    LOAD(h, HARNESS_CODE, 0xf4); /* what is left of the blocks is retired: the list of them must be whole */
    h->state.rip = HARNESS_CODE;
    harness_run(h);
    assert_int_equal(h->state.rip, HARNESS_CODE);
}

/* A fetch fault in the middle of an instruction ends its translation, which takes room all the same: more of
 * them than there are records of blocks. */
static void fetch_faults_do_not_fill_the_code_buffer(void **state)
{
    enum { FAULTS = 400000 };
    struct harness *h = *state;
    harness_paged_32(h);
    *harness_page_entry(h, 0x11000) = 0;
    h->state.rip = 0x10ffd;
    h->faults_to_repeat = FAULTS;
    LOAD(h, 0x10ffd, 0x40, 0xb8, 1); /* inc eax; mov eax,imm32 with three bytes in the next page */
    harness_run(h);
    assert_int_equal(h->faults, FAULTS);
    assert_int_equal(h->state.rip, 0x10ffe);
    assert_int_equal(h->instructions, 1);
}

/* A code segment that wraps around 4 GiB: the library's linear addresses then have a bit 32, and what is
 * invalidated must be found under those too. */
static void an_invalidation_reaches_code_behind_a_wrapped_segment(void **state)
{
    struct harness *h = *state;
    harness_paged_32(h);
    LOAD(h, HARNESS_CODE, 0xb0, 1, 0xf4);   /* mov al,1; hlt */
    LOAD(h, 0x30000, 0xb0, 2, 0xf4);        /* mov al,2; hlt */
    h->state.seg[SEG_CS].base = 0xfffff000; /* + 11000h: 10000h */
    h->state.rip = HARNESS_CODE + 0x1000;
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX], 1);
    *harness_page_entry(h, HARNESS_CODE) = 0x30003;
    mmu_invlpg(&h->mmu, HARNESS_CODE);
    h->state.rip = HARNESS_CODE + 0x1000;
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX], 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(lock_with_a_register_is_undefined),
        T(lock_with_memory_is_carried_out),
        T(the_largest_quotient_is_a_divide_error),
        T(other_divisions_are_carried_out),
        T(a_store_to_the_second_page_of_an_instruction_is_seen),
        T(stepped_code_that_changes_itself_does_not_fill_the_code_buffer),
        T(fetch_faults_do_not_fill_the_code_buffer),
        T(an_invalidation_reaches_code_behind_a_wrapped_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
