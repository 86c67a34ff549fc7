/* The core by itself: each answer to a trap of libunicorn that was found by experiment. No VMX. */
#include "tests/core/harness.h"

#define LOAD(h, at, ...)                                                                                     \
    do {                                                                                                     \
        static const uint8_t bytes[] = {__VA_ARGS__};                                                        \
        harness_load(h, at, bytes, sizeof bytes);                                                            \
    } while (0)

/* A loop of 1000 rounds and three instructions, one before and HLT: each is counted once, whatever the slices
 * are. */
static void counts_instructions_exactly(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xb9, 0xe8, 0x03, 0, 0, /* mov ecx, 1000 */
         0x40, 0x49, 0x75, 0xfc, 0xf4);           /* 1: inc eax; dec ecx; jnz 1b; hlt */
    harness_run(h);
    assert_int_equal(h->instructions, 1 + 3 * 1000);
    assert_int_equal(h->state.gpr[GPR_RAX], 1000);
    assert_int_equal(h->insn.id, INSN_HLT);
    assert_int_equal(h->state.rip, HARNESS_CODE + 9);
}

static bool next_deadline(struct harness *h)
{
    h->deadline = h->account.now + 7; /* in the middle of a block of the loop below */
    return true;
}

static void slices_do_not_change_the_count(void **state)
{
    struct harness *h = *state;
    uint64_t cycles;
    counts_instructions_exactly(state);
    cycles = h->account.now;
    h->account.now = h->instructions = 0;
    h->deadline = 5;
    h->on_poll = next_deadline;
    harness_flat_32(h);
    harness_run(h);
    assert_true(h->polls > 100);
    assert_int_equal(h->instructions, 1 + 3 * 1000);
    assert_int_equal(h->account.now, cycles);
}

/* A fault in the middle of a block: what ran before it is counted, the rest is not. */
static void a_fault_inside_a_block_gives_back_the_rest(void **state)
{
    struct harness *h = *state;
    harness_paged_32(h);
    *harness_page_entry(h, 0x200000) = 0;
    LOAD(h, HARNESS_CODE, 0x40, 0x40, 0xa1, 0, 0, 0x20, 0, 0x40, 0x40,
         0xf4); /* inc; inc; mov eax,[200000h]; inc; inc */
    harness_run(h);
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->fault_status, MMU_PAGE_FAULT);
    assert_int_equal(h->fault.linear, 0x200000);
    assert_int_equal(h->state.rip, HARNESS_CODE + 2);
    assert_int_equal(h->state.gpr[GPR_RAX], 2);
    assert_int_equal(h->instructions, 2);
}

/* An instruction reaches into a page that is not present: the fault is its own, not the block's. */
static void a_fetch_fault_names_its_instruction(void **state)
{
    struct harness *h = *state;
    harness_paged_32(h);
    *harness_page_entry(h, 0x11000) = 0;
    h->state.rip = 0x10ffb;
    LOAD(h, 0x10ffb, 0x40, 0x40, 0x40, 0xb8,
         1); /* inc x 3; mov eax, imm32 with three bytes in the next page */
    harness_run(h);
    assert_int_equal(h->faults, 1);
    assert_int_equal(h->fault.linear, 0x11000);
    assert_int_equal(h->state.rip, 0x10ffe);
    assert_int_equal(h->state.gpr[GPR_RAX], 3);
    assert_int_equal(h->instructions, 3);
}

/* INS: the trap comes before the destination is touched; OUTS before the source is read. */
static void string_io_traps_before_memory(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x40, 0x6c, 0x6e, 0xf4); /* inc eax; insb; outsb; hlt */
    h->state.gpr[GPR_RDI] = 0x3000;
    h->state.gpr[GPR_RSI] = 0x3ff000; /* a device would not mind; a hole must not be read either */
    h->mem.ram[0x3000] = 0x77;
    harness_run(h);
    assert_int_equal(h->traps, 3);
    assert_int_equal(h->mem.ram[0x3000], 0x77);
}

/* The bytes of a substituted instruction are the guest's own again, and a write to them retires the block. */
static void substitution_leaves_ram_and_notices_writes(void **state)
{
    struct harness *h = *state;
    static const uint8_t code[] = {0x0f, 0xa2, 0xf4}; /* cpuid; hlt */
    harness_load(h, HARNESS_CODE, code, sizeof code);
    harness_run(h);
    assert_memory_equal(h->mem.ram + HARNESS_CODE, code, sizeof code);
    assert_int_equal(h->traps, 2);
    LOAD(h, HARNESS_CODE, 0x0f, 0x31); /* rdtsc */
    harness_flat_32(h);
    h->stop_after_traps = 3;
    harness_run(h);
    assert_int_equal(h->insn.id, INSN_RDTSC);
}

/* Guest code that overwrites the instruction after itself runs the new one. */
static void self_modifying_code_in_a_block(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xc6, 0x05, 0x08, 0, 0x01, 0, 0x48, /* mov byte [10008h], 48h (dec eax) */
         0x40, 0x40, 0xf4);                                   /* inc eax; inc eax, becomes dec; hlt */
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX], 0);
    assert_int_equal(h->instructions, 3);
}

/* Data in the page of the code: a first store to data must not hide a later store to code. */
static void a_store_to_data_does_not_hide_one_to_code(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xff, 0x05, 0, 0x0f, 0x01, 0, /* inc dword [10f00h] */
         0xe8, 0x15, 0, 0, 0,                           /* call 10020h */
         0xc6, 0x05, 0x20, 0, 0x01, 0, 0x48,            /* mov byte [10020h], 48h: dec eax */
         0xe8, 0x09, 0, 0, 0, 0xf4);                    /* call 10020h; hlt */
    LOAD(h, 0x10020, 0x40, 0xc3);                       /* inc eax; ret */
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX], 0);
    assert_int_equal(h->insn.id, INSN_HLT);
}

/* The same through another linear address of the page, in a loop that runs the code between two stores. */
static void a_store_through_an_alias_is_seen(void **state)
{
    struct harness *h = *state;
    harness_paged_32(h);
    *harness_page_entry(h, 0x200000) = HARNESS_CODE | 3;
    LOAD(h, HARNESS_CODE, 0xfe, 0x05, 0, 0x0f, 0x20, 0,           /* inc byte [200f00h], an alias of 10f00h */
         0xe8, 0x15, 0, 0, 0, 0xc6, 0x05, 0x20, 0, 0x20, 0, 0x48, /* call 10020h; mov byte [200020h], 48h */
         0xe8, 0x09, 0, 0, 0, 0xf4);
    LOAD(h, 0x10020, 0x40, 0xc3);
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX], 0);
    assert_int_equal(h->insn.id, INSN_HLT);
}

/* The one byte before a page's end is enough for the substitute. */
static void an_instruction_that_the_model_executes_across_pages(void **state)
{
    struct harness *h = *state;
    h->state.rip = 0x10ffe;
    LOAD(h, 0x10ffe, 0x40, 0x0f, 0xa2, 0xf4);
    harness_run(h);
    assert_int_equal(h->traps, 2);
    assert_int_equal(h->state.gpr[GPR_RAX], 1);
    assert_int_equal(h->state.rip, 0x11001);
}

/* The library's processor has SMAP whatever the profile was told to be without: then CLAC goes to the model.
 */
static void clac_without_smap_goes_to_the_model(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x40, 0x0f, 0x01, 0xca, 0xf4); /* inc eax; clac; hlt */
    harness_run(h);
    assert_int_equal(h->traps, 1);
    assert_int_equal(h->exceptions, 0);
    h->profile.has_smap = false;
    h->state.rip = HARNESS_CODE + 0x100;
    LOAD(h, HARNESS_CODE + 0x100, 0x40, 0x0f, 0x01, 0xca, 0xf4);
    h->stop_after_traps = 2;
    harness_run(h);
    assert_int_equal(h->traps, 2);
    assert_int_equal(h->insn.id, INSN_CLAC);
}

/* Nothing answers there: reads give all ones, the run goes on. */
static void a_hole_reads_all_ones(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xa1, 0, 0, 0, 0x90, 0xa3, 0, 0, 0, 0x90,
         0xf4); /* mov eax,[90000000h]; mov [90000000h],eax */
    harness_run(h);
    assert_int_equal(h->state.gpr[GPR_RAX], 0xffffffff);
    assert_int_equal(h->insn.id, INSN_HLT);
}

/* Code that jumps into a hole finds FF FF there, an undefined instruction. */
static void code_in_a_hole_is_undefined(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0xb8, 0, 0, 0, 0x90, 0xff, 0xe0); /* mov eax, 90000000h; jmp eax */
    harness_run(h);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_UD);
    assert_int_equal(h->state.rip, 0x90000000);
}

static void exceptions_of_translated_code(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x31, 0xc9, 0x40, 0xf7, 0xf1); /* xor ecx,ecx; inc eax; div ecx */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_DE);
    assert_false(h->event.has_error_code);
    assert_int_equal(h->state.rip, HARNESS_CODE + 3);
    assert_int_equal(h->instructions, 2);
}

/* RFLAGS come out whole, and go in whole. */
static void flags_in_and_out(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x0f, 0xa2, 0xf4); /* cpuid; hlt */
    h->state.rflags = RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_OF | RFLAGS_DF | RFLAGS_AC | RFLAGS_ID | RFLAGS_IOPL;
    uint64_t before = h->state.rflags;
    harness_run(h);
    assert_int_equal(h->state.rflags, before);
}

static bool stop_polling(struct harness *h)
{
    return h->polls < 2;
}

/* With an event waiting, the first moment with RFLAGS.IF set is found. */
static void an_interrupt_window_is_found(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x68, 0x02, 0x02, 0, 0, 0x9d, 0x40, 0xeb,
         0xfd); /* push 202h; popf; 1: inc eax; jmp 1b */
    h->window = true;
    h->on_poll = stop_polling;
    harness_run(h);
    assert_int_equal(h->polls, 2); /* one at the start */
    assert_int_equal(h->state.rip, HARNESS_CODE + 6);
    assert_int_equal(h->state.gpr[GPR_RAX], 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(counts_instructions_exactly),
        T(slices_do_not_change_the_count),
        T(a_fault_inside_a_block_gives_back_the_rest),
        T(a_fetch_fault_names_its_instruction),
        T(string_io_traps_before_memory),
        T(substitution_leaves_ram_and_notices_writes),
        T(self_modifying_code_in_a_block),
        T(a_store_to_data_does_not_hide_one_to_code),
        T(a_store_through_an_alias_is_seen),
        T(an_instruction_that_the_model_executes_across_pages),
        T(clac_without_smap_goes_to_the_model),
        T(a_hole_reads_all_ones),
        T(code_in_a_hole_is_undefined),
        T(exceptions_of_translated_code),
        T(flags_in_and_out),
        T(an_interrupt_window_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
