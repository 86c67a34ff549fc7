/*
 * Checked stepping: what translated code does not look at. SDM volume 3A "Segment Limit Checking", "Alignment
 * Check Exception"; volume 3B "Debug Registers".
 */
#include "tests/core/harness.h"

#define LOAD(h, at, ...)                                                                                     \
    do {                                                                                                     \
        static const uint8_t bytes[] = {__VA_ARGS__};                                                        \
        harness_load(h, at, bytes, sizeof bytes);                                                            \
    } while (0)

enum { DR7_G0 = 2, DR7_WRITE_0 = 1 << 16, DR7_ACCESS_0 = 3 << 16, DR7_LENGTH_4_0 = 3 << 18 };

/* A flat 64 KiB of data: the last word is in, the one after is out. */
static void a_segment_limit_is_kept(void **state)
{
    struct harness *h = *state;
    h->state.seg[SEG_DS].limit = 0xffff;
    LOAD(h, HARNESS_CODE, 0x40, 0x66, 0xa1, 0xfe, 0xff, 0, 0, /* inc eax; mov ax, [0fffeh] */
         0x66, 0xa1, 0xff, 0xff, 0, 0, 0xf4);                 /* mov ax, [0ffffh] */
    harness_run(h);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_GP);
    assert_true(h->event.has_error_code);
    assert_int_equal(h->event.error_code, 0);
    assert_int_equal(h->state.rip, HARNESS_CODE + 7);
    assert_int_equal(h->instructions, 2);
    assert_true(core_checked_steps(h->core) >= 2);
}

static void the_stack_has_a_fault_of_its_own(void **state)
{
    struct harness *h = *state;
    h->state.seg[SEG_SS].limit = 0x7fff;
    h->state.gpr[GPR_RSP] = 0x8004;
    LOAD(h, HARNESS_CODE, 0x50, 0xf4); /* push eax at 8000h */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_SS);
    assert_int_equal(h->state.gpr[GPR_RSP], 0x8004);
}

static void a_null_segment_faults(void **state)
{
    struct harness *h = *state;
    h->state.seg[SEG_ES] = (struct cpu_segment){.access_rights = AR_UNUSABLE};
    LOAD(h, HARNESS_CODE, 0x26, 0xa1, 0, 0x10, 0, 0, 0xf4); /* mov eax, es:[1000h] */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_GP);
    assert_int_equal(h->state.rip, HARNESS_CODE);
}

static void expand_down_and_read_only(void **state)
{
    struct harness *h = *state;
    h->state.seg[SEG_DS] = (struct cpu_segment){.limit = 0xfff, .access_rights = 0xc097}; /* 1000h and up */
    h->state.seg[SEG_ES] = (struct cpu_segment){.limit = UINT32_MAX, .access_rights = 0xc091};
    LOAD(h, HARNESS_CODE, 0xa1, 0, 0x10, 0, 0, 0x26, 0xa1, 0, 0, 0, 0, /* mov eax,[1000h]; mov eax, es:[0] */
         0x26, 0xa3, 0, 0, 0, 0, 0xf4);                                /* mov es:[0], eax */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_GP);
    assert_int_equal(h->state.rip, HARNESS_CODE + 11);
}

/* Flat segments and no breakpoints: not one step. */
static void flat_code_is_not_stepped(void **state)
{
    struct harness *h = *state;
    LOAD(h, HARNESS_CODE, 0x40, 0xa1, 0, 0x10, 0, 0, 0xf4);
    harness_run(h);
    assert_int_equal(core_checked_steps(h->core), 0);
}

/* FS is null, the others flat: what uses FS faults, the rest is not looked at. */
static void a_null_fs_beside_flat_segments(void **state)
{
    struct harness *h = *state;
    h->state.seg[SEG_FS] = (struct cpu_segment){.access_rights = AR_UNUSABLE};
    LOAD(h, HARNESS_CODE, 0x40, 0xa1, 0, 0x10, 0, 0, 0x40, 0x64, 0xa1, 0, 0x10, 0, 0,
         0xf4); /* ... mov eax, fs:[1000h] */
    harness_run(h);
    assert_int_equal(h->exceptions, 1);
    assert_int_equal(h->event.vector, VECTOR_GP);
    assert_int_equal(h->state.rip, HARNESS_CODE + 7);
    assert_int_equal(h->instructions, 3);
    assert_int_equal(core_checked_steps(h->core), 0);
}

/* A GS of 20 bytes, loaded by translated code, is in force for the next instruction; DS is not. */
static void a_limit_of_gs_loaded_on_the_way(void **state)
{
    struct harness *h = *state;
    h->state.gdtr.base = 0x5000;
    h->state.gdtr.limit = 0x1f;
    LOAD(h, 0x5010, 0x13, 0, 0, 0x30, 0, 0x93, 0x40, 0); /* limit 13h, base 3000h, selector 10h */
    h->state.gpr[GPR_RAX] = 0x10;
    h->mem.ram[0x3010] = 0x77;
    LOAD(h, HARNESS_CODE, 0x8e, 0xe8, 0x65, 0xa1, 0x10, 0, 0, 0,   /* mov gs,ax; mov eax,gs:[10h] */
         0xa3, 0x14, 0x30, 0, 0, 0x65, 0xa3, 0x11, 0, 0, 0, 0xf4); /* mov [3014h],eax; mov gs:[11h],eax */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_GP);
    assert_int_equal(h->state.rip, HARNESS_CODE + 13);
    assert_int_equal(h->state.gpr[GPR_RAX], 0x77);
    assert_int_equal(h->mem.ram[0x3014], 0x77);
    assert_int_equal(core_checked_steps(h->core), 1);
}

static void a_data_breakpoint_is_a_trap(void **state)
{
    struct harness *h = *state;
    h->state.dr[0] = 0x3000;
    h->state.dr7 = 0x400 | DR7_G0 | DR7_WRITE_0 | DR7_LENGTH_4_0;
    LOAD(h, HARNESS_CODE, 0xa1, 0, 0x30, 0, 0, /* mov eax,[3000h]: a read does not hit */
         0xa2, 0x03, 0x30, 0, 0, 0x40, 0xf4);  /* mov [3003h], al; inc eax */
    h->state.gpr[GPR_RAX] = 5;
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_DB);
    assert_int_equal(h->event.debug_conditions, 1);
    assert_int_equal(h->state.rip, HARNESS_CODE + 10);
    assert_int_equal(h->instructions, 2);
}

static void an_instruction_breakpoint_is_a_fault(void **state)
{
    struct harness *h = *state;
    h->state.dr[0] = HARNESS_CODE + 1;
    h->state.dr7 = 0x400 | DR7_G0;
    LOAD(h, HARNESS_CODE, 0x40, 0x40, 0x40, 0xf4);
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_DB);
    assert_int_equal(h->event.debug_conditions, 1);
    assert_int_equal(h->state.rip, HARNESS_CODE + 1);
    assert_int_equal(h->state.gpr[GPR_RAX], 1);
}

/* With RFLAGS.RF the instruction at RIP is not looked at, the next one is. */
static void rf_lets_one_instruction_pass(void **state)
{
    struct harness *h = *state;
    h->state.dr[0] = HARNESS_CODE;
    h->state.dr7 = 0x400 | DR7_G0;
    h->state.rflags |= RFLAGS_RF;
    LOAD(h, HARNESS_CODE, 0x40, 0xeb, 0xfd); /* 1: inc eax; jmp 1b */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_DB);
    assert_int_equal(h->state.rip, HARNESS_CODE);
    assert_int_equal(h->state.gpr[GPR_RAX], 1);
}

/* rep stosb of four bytes, the third or the last of them watched. SDM volume 3A, "System Flags and Fields in
 * the EFLAGS Register": RF is set between iterations; behind the last one RIP is that of the next
 * instruction. */
static void stops_in_a_repetition(struct harness *h, uint64_t watched, uint64_t left, uint64_t rip)
{
    h->state.dr[0] = watched;
    h->state.dr7 = 0x400 | DR7_G0 | DR7_WRITE_0;
    LOAD(h, HARNESS_CODE, 0xf3, 0xaa, 0xf4);
    h->state.gpr[GPR_RCX] = 4;
    h->state.gpr[GPR_RDI] = 0x3000;
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_DB);
    assert_int_equal(h->event.debug_conditions, 1);
    assert_int_equal(h->state.gpr[GPR_RCX], left);
    assert_int_equal(h->state.rip, rip);
    assert_int_equal(h->state.rflags & RFLAGS_RF, left ? RFLAGS_RF : 0);
}

static void a_data_breakpoint_between_iterations(void **state)
{
    stops_in_a_repetition(*state, 0x3002, 1, HARNESS_CODE);
}

static void a_data_breakpoint_of_the_last_iteration(void **state)
{
    stops_in_a_repetition(*state, 0x3003, 0, HARNESS_CODE + 2);
}

static void single_step_and_data_breakpoint_come_together(void **state)
{
    struct harness *h = *state;
    h->state.dr[0] = 0x3000;
    h->state.dr7 = 0x400 | DR7_G0 | DR7_ACCESS_0;
    h->state.rflags |= RFLAGS_TF;
    LOAD(h, HARNESS_CODE, 0xa0, 0, 0x30, 0, 0, 0xf4); /* mov al,[3000h] */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_DB);
    assert_int_equal(h->event.debug_conditions, 0x4001);
    assert_int_equal(h->state.rip, HARNESS_CODE + 5);
}

/* MOV SS holds its own data breakpoint back; the next instruction's single step brings both. */
static void mov_ss_holds_a_data_breakpoint(void **state)
{
    struct harness *h = *state;
    h->state.dr[0] = 0x3000;
    h->state.dr7 = 0x400 | DR7_G0 | DR7_ACCESS_0;
    h->state.rflags |= RFLAGS_TF;
    h->state.gdtr.base = 0x5000;
    h->state.gdtr.limit = 0x1f;
    LOAD(h, 0x5010, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0); /* flat data, selector 10h */
    LOAD(h, 0x3000, 0x10, 0);
    LOAD(h, HARNESS_CODE, 0x8e, 0x15, 0, 0x30, 0, 0, 0x40, 0x40, 0xf4); /* mov ss,[3000h]; inc eax; inc eax */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_DB);
    assert_int_equal(h->event.debug_conditions, 0x4001);
    assert_int_equal(h->state.rip, HARNESS_CODE + 7);
    assert_int_equal(h->state.gpr[GPR_RAX], 1);
}

static void alignment_at_cpl_3(void **state)
{
    struct harness *h = *state;
    h->state.cr0 |= CR0_AM;
    h->state.rflags |= RFLAGS_AC;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        h->state.seg[i].access_rights |= AR_DPL;
    LOAD(h, HARNESS_CODE, 0xa1, 0x04, 0x30, 0, 0, 0xa1, 0x02, 0x30, 0, 0,
         0xf4); /* mov eax,[3004h]; mov eax,[3002h] */
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_AC);
    assert_true(h->event.has_error_code);
    assert_int_equal(h->event.error_code, 0);
    assert_int_equal(h->state.rip, HARNESS_CODE + 5);
}

/* POPF sets AC in translated code: the check begins with the next instruction. */
static void the_mode_changes_without_a_trap(void **state)
{
    struct harness *h = *state;
    alignment_at_cpl_3(state);
    h->state.rflags &= ~RFLAGS_AC;
    h->state.rip = HARNESS_CODE + 0x100;
    h->exceptions = 0;
    LOAD(h, HARNESS_CODE + 0x100, 0xa1, 0x02, 0x30, 0, 0, 0x68, 0x02, 0, 0x04, 0,
         0x9d, /* push 40002h; popf */
         0x40, 0xa1, 0x02, 0x30, 0, 0, 0xf4);
    harness_run(h);
    assert_int_equal(h->event.vector, VECTOR_AC);
    assert_int_equal(h->state.rip, HARNESS_CODE + 0x10c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, harness_open, harness_close)
    const struct CMUnitTest tests[] = {
        T(a_segment_limit_is_kept),
        T(the_stack_has_a_fault_of_its_own),
        T(a_null_segment_faults),
        T(expand_down_and_read_only),
        T(flat_code_is_not_stepped),
        T(a_null_fs_beside_flat_segments),
        T(a_limit_of_gs_loaded_on_the_way),
        T(a_data_breakpoint_is_a_trap),
        T(an_instruction_breakpoint_is_a_fault),
        T(rf_lets_one_instruction_pass),
        T(a_data_breakpoint_between_iterations),
        T(a_data_breakpoint_of_the_last_iteration),
        T(single_step_and_data_breakpoint_come_together),
        T(mov_ss_holds_a_data_breakpoint),
        T(alignment_at_cpl_3),
        T(the_mode_changes_without_a_trap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
