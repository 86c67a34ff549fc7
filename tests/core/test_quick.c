/* test_quick.c: instructions that the client executes from inside translated code, and what keeps it from it.
 */
#include "tests/core/harness.h"

#define LOAD(h, at, ...)                                                                                     \
    do {                                                                                                     \
        static const uint8_t bytes[] = {__VA_ARGS__};                                                        \
        harness_load(h, at, bytes, sizeof bytes);                                                            \
    } while (0)

enum { COST = 40 };

/* What the client saw. */
static struct {
    unsigned calls;
    uint64_t rip, rax, rcx, now, instructions;
    uint8_t length;
    bool refuses, sets_flags;
    uint64_t flags;
} seen;

static bool quick(void *opaque, const struct insn *insn, bool *sets_flags)
{
    struct harness *h = opaque;
    seen.calls++;
    seen.rip = h->state.rip;
    seen.rax = h->state.gpr[GPR_RAX];
    seen.rcx = h->state.gpr[GPR_RCX];
    seen.now = h->account.now;
    seen.instructions = h->instructions;
    seen.length = insn->length;
    if (seen.refuses)
        return false;
    h->state.gpr[GPR_RAX] = 0x1234;
    h->state.gpr[GPR_RSP] -= 16; /* VMREAD may name any register */
    h->state.rflags = RFLAGS_FIXED1 | seen.flags;
    *sets_flags = seen.sets_flags;
    h->instructions++;
    cycles_charge(&h->account, CYCLES_SYSTEM, COST);
    return true;
}

static int open_quick(void **state)
{
    harness_open(state);
    ((struct harness *)*state)->client.quick = quick;
    memset(&seen, 0, sizeof seen);
    return 0;
}

/* inc eax; inc ecx; rdtsc; inc eax; hlt */
#define PROGRAM 0x40, 0x41, 0x0f, 0x31, 0x40, 0xf4

static void registers_go_in_and_out(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, PROGRAM);
    harness_run(h);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.rip, HARNESS_CODE + 2);
    assert_int_equal(seen.rax, 1);
    assert_int_equal(seen.rcx, 1);
    assert_int_equal(seen.instructions, 2);
    assert_int_equal(seen.now, 2 * h->profile.cost.instruction.cycles);
    assert_int_equal(h->traps, 1); /* HLT alone */
    assert_int_equal(h->state.gpr[GPR_RAX], 0x1235);
    assert_int_equal(h->state.gpr[GPR_RSP], HARNESS_STACK - 16);
    assert_int_equal(h->instructions, 4);
    assert_int_equal(h->account.now, 3 * h->profile.cost.instruction.cycles + COST);
}

/* CPUID and RDTSC leave the flags alone; VMREAD sets them. cmp makes ZF in the library's own form. */
static void flags_when_it_says_so(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x39, 0xc0, 0x0f, 0x31, 0x9c, 0x5a,
         0xf4); /* cmp eax,eax; rdtsc; pushf; pop edx; hlt */
    harness_run(h);
    assert_true(h->state.rflags & RFLAGS_ZF);
    seen.sets_flags = true;
    seen.flags = RFLAGS_CF;
    harness_flat_32(h);
    h->state.rflags |= RFLAGS_DF; /* is not one of them */
    harness_run(h);
    assert_int_equal(h->state.rflags & RFLAGS_ARITHMETIC, RFLAGS_CF);
    assert_true(h->state.rflags & RFLAGS_DF);
}

static void refused_it_comes_as_a_trap(void **state)
{
    struct harness *h = *state;
    seen.refuses = true;
    LOAD(h, HARNESS_CODE, PROGRAM);
    h->stop_after_traps = 1;
    harness_run(h);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(h->insn.id, INSN_RDTSC);
    assert_int_equal(h->instructions_at_trap, 2);
    assert_int_equal(h->account.now, 2 * h->profile.cost.instruction.cycles);
    assert_int_equal(h->state.rip, HARNESS_CODE + 4);
}

static unsigned calls_of(struct harness *h, uint64_t rip)
{
    seen.calls = 0;
    h->traps = 0;
    h->state.rip = rip;
    harness_run(h);
    return seen.calls;
}

/* Longer by prefixes, at the page's last bytes, over its end; the bytes in memory are as they were. */
static void lengths_and_page_ends(void **state)
{
    struct harness *h = *state;
    static const uint8_t prefixed[] = {0x2e, 0x3e, 0x66, 0x0f, 0xa2, 0xf4}; /* cpuid */
    harness_load(h, HARNESS_CODE, prefixed, sizeof prefixed);
    assert_int_equal(calls_of(h, HARNESS_CODE), 1);
    assert_int_equal(seen.length, 5);
    assert_int_equal(h->state.rip, HARNESS_CODE + 5);
    assert_memory_equal(h->mem.ram + HARNESS_CODE, prefixed, sizeof prefixed);
    LOAD(h, 0x10ffe, 0x0f, 0x31, 0xf4);
    harness_flat_32(h);
    assert_int_equal(calls_of(h, 0x10ffe), 1);
    LOAD(h, 0x11fff, 0x0f, 0x31, 0xf4);
    harness_flat_32(h);
    assert_int_equal(calls_of(h, 0x11fff), 0);
    assert_int_equal(h->traps, 2);
}

/* A shadow ends with it, RFLAGS.TF traps after it, a breakpoint comes before it: all by a trap. */
static void what_keeps_it_from_being_quick(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE + 32, 0x0f, 0x31, 0x0f, 0x31, 0xf4);
    h->state.interruptibility_state = BLOCKING_BY_MOV_SS;
    assert_int_equal(calls_of(h, HARNESS_CODE + 32), 0); /* this client leaves the shadow standing */
    assert_int_equal(h->traps, 3);
    harness_flat_32(h);
    h->state.rflags |= RFLAGS_TF;
    h->stop_after_traps = 1;
    assert_int_equal(calls_of(h, HARNESS_CODE + 32), 0);
    h->stop_after_traps = 0;
    harness_flat_32(h);
    h->state.dr7 = 1;
    h->state.dr[0] = HARNESS_CODE + 34;
    assert_int_equal(calls_of(h, HARNESS_CODE + 32), 0);
    assert_int_equal(h->exceptions, 1);
}

static bool note_poll(struct harness *h)
{
    h->deadline = UINT64_MAX;
    return true;
}

/* Its cycles count for the deadline: the poll comes right behind it. */
static void time_that_it_takes(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, PROGRAM);
    h->deadline = 2 * h->profile.cost.instruction.cycles + COST;
    h->on_poll = note_poll;
    harness_run(h);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(h->polls, 1);
    assert_int_equal(h->instructions, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(registers_go_in_and_out, open_quick, harness_close),
        cmocka_unit_test_setup_teardown(flags_when_it_says_so, open_quick, harness_close),
        cmocka_unit_test_setup_teardown(refused_it_comes_as_a_trap, open_quick, harness_close),
        cmocka_unit_test_setup_teardown(lengths_and_page_ends, open_quick, harness_close),
        cmocka_unit_test_setup_teardown(what_keeps_it_from_being_quick, open_quick, harness_close),
        cmocka_unit_test_setup_teardown(time_that_it_takes, open_quick, harness_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
