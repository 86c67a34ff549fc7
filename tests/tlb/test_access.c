/* test_access.c: the model's own reads, writes and fetches, memory operands, and what failures become. */
#include "tests/tlb/tlb_fixture.h"

static void across_pages(void **state)
{
    struct fixture *f = fixture_4level();
    const uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    uint8_t back[16];
    (void)state;
    map(f, 0x1000, 0, 0x9000 | ALL);
    map(f, 0x2000, 0, 0x5000 | ALL);
    assert_int_equal(mmu_write(&f->mmu, 0x1ffa, bytes, 16, USER, &f->fault), MMU_OK);
    assert_memory_equal(f->mem.ram + 0x9ffa, bytes, 6);
    assert_memory_equal(f->mem.ram + 0x5000, bytes + 6, 10);
    assert_int_equal(mmu_read(&f->mmu, 0x1ffa, back, 16, USER, &f->fault), MMU_OK);
    assert_memory_equal(back, bytes, 16);
    fixture_free(f);
}

/* A write translates both pages before it changes either. */
static void faulting_write_changes_nothing(void **state)
{
    struct fixture *f = fixture_4level();
    const uint64_t value = ~0ull;
    (void)state;
    map(f, 0x1000, 0, 0x9000 | ALL);
    assert_int_equal(mmu_write(&f->mmu, 0x1ffc, &value, 8, USER, &f->fault), MMU_PAGE_FAULT);
    assert_int_equal(f->fault.linear, 0x2000);
    assert_int_equal(f->fault.error_code, PF_W | PF_U);
    assert_int_equal(get32(f, 0x9ffc), 0);
    assert_int_equal(mmu_probe_write(&f->mmu, 0x1ff8, 8, USER, &f->fault), MMU_OK);
    assert_int_equal(mmu_probe_write(&f->mmu, 0x1ff9, 8, USER, &f->fault), MMU_PAGE_FAULT);
    fixture_free(f);
}

static void wraps_at_32_bits(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t value = 0;
    (void)state;
    put32(f, 0, 0x1234);
    assert_int_equal(mmu_read(&f->mmu, 0xfffffffe, &value, 4, SUPERVISOR, &f->fault), MMU_OK);
    assert_int_equal(value, 0x1234ffff); /* two bytes that nobody answers, then address 0 */
    fixture_free(f);
}

static void fetch_stops_at_a_fault(void **state)
{
    struct fixture *f = fixture_4level();
    uint8_t bytes[15];
    size_t got = 99;
    (void)state;
    map(f, 0x1000, 0, 0x9000 | ALL);
    map(f, 0x3000, 0, 0x9000 | ALL | XD);
    f->mem.ram[0x9ffd] = 0x0f;
    assert_int_equal(mmu_fetch(&f->mmu, 0x1ffd, bytes, 15, USER, &got, &f->fault), MMU_OK);
    assert_int_equal(got, 3);
    assert_int_equal(bytes[0], 0x0f);
    assert_int_equal(mmu_fetch(&f->mmu, 0x3000, bytes, 15, USER, &got, &f->fault), MMU_PAGE_FAULT);
    assert_int_equal(got, 0);
    assert_int_equal(f->fault.error_code, PF_P | PF_U | PF_I);
    fixture_free(f);
}

static struct cpu_state long_mode(uint64_t cpl)
{
    struct cpu_state s = {.cr0 = CR0_PE | CR0_PG, .rflags = RFLAGS_FIXED1, .msr.efer = EFER_LMA | EFER_LME};
    s.seg[SEG_CS].access_rights = AR_L | AR_P | AR_S | 0xb;
    s.seg[SEG_SS].access_rights = (uint32_t)(AR_P | AR_S | 3u | cpl << AR_DPL_SHIFT);
    return s;
}

static void operands(void **state)
{
    struct fixture *f = fixture_4level();
    struct cpu_state s = long_mode(0);
    const struct insn insn = {.length = 7,
                              .mode_bits = 64,
                              .address_bits = 64,
                              .is_memory = true,
                              .segment = SEG_DS,
                              .has_base = true,
                              .base = GPR_RBX,
                              .displacement = 0x10};
    struct cpu_outcome outcome;
    uint64_t value = 0x1122334455667788;
    (void)state;
    map(f, 0x1000, 0, 0x9000 | ALL);
    f->regime.cr4 |= CR4_SMAP;
    apply(f);
    s.gpr[GPR_RBX] = 0x1000;
    assert_false(mmu_write_operand(&f->mmu, &s, &insn, &value, 8, &outcome));
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, VECTOR_PF);
    assert_int_equal(outcome.event.error_code, PF_P | PF_W);
    assert_int_equal(outcome.event.cr2, 0x1010);
    s.rflags |= RFLAGS_AC;
    assert_true(mmu_write_operand(&f->mmu, &s, &insn, &value, 8, &outcome));
    assert_int_equal(get64(f, 0x9010), value);
    s = long_mode(3);
    s.gpr[GPR_RBX] = 0x1000;
    value = 0;
    assert_true(mmu_read_operand(&f->mmu, &s, &insn, &value, 8, &outcome));
    assert_int_equal(value, 0x1122334455667788);
    s.gpr[GPR_RBX] = 0x7fffffffffe9; /* the last byte is not canonical */
    assert_false(mmu_read_operand(&f->mmu, &s, &insn, &value, 8, &outcome));
    assert_int_equal(outcome.event.vector, VECTOR_GP);
    fixture_free(f);
}

/* What an operand hits waits in the pending debug exceptions: DR0 is on writes of 8 bytes, DR1 on any access.
 */
static void breakpoints_on_operands(void **state)
{
    struct fixture *f = fixture_4level();
    struct cpu_state s = long_mode(0);
    const struct insn insn = {
        .length = 7, .mode_bits = 64, .address_bits = 64, .is_memory = true, .displacement = 0x1010};
    struct cpu_outcome outcome;
    uint64_t value = 0;
    (void)state;
    map(f, 0x1000, 0, 0x9000 | ALL);
    s.dr[0] = 0x1010;
    s.dr[1] = 0x1017;
    s.dr7 = 1 | 1 << 2 | 1 << 16 | 2 << 18 | 3 << 20;
    assert_true(mmu_read_operand(&f->mmu, &s, &insn, &value, 8, &outcome));
    assert_int_equal(s.pending_debug_exceptions, 1 << 12 | 2);
    s.pending_debug_exceptions = 0;
    assert_true(mmu_write_operand(&f->mmu, &s, &insn, &value, 4, &outcome));
    assert_int_equal(s.pending_debug_exceptions, 1 << 12 | 1);
    s.pending_debug_exceptions = 0;
    assert_true(mmu_write_operand(&f->mmu, &s, &insn, &value, 8, &outcome));
    assert_int_equal(s.pending_debug_exceptions, 1 << 12 | 3);
    s.pending_debug_exceptions = 0;
    map(f, 0x1000, 0, 0);
    mmu_invlpg(&f->mmu, 0x1000);
    assert_false(mmu_read_operand(&f->mmu, &s, &insn, &value, 8, &outcome)); /* not made */
    s.dr7 = 0;
    map(f, 0x1000, 0, 0x9000 | ALL);
    assert_true(mmu_read_operand(&f->mmu, &s, &insn, &value, 8, &outcome));
    assert_int_equal(s.pending_debug_exceptions, 0);
    fixture_free(f);
}

static void failures_become_outcomes(void **state)
{
    const struct mmu_fault with = {.linear = 0x1234, .guest_physical = 0x5234, .qualification = 0x181};
    const struct mmu_fault without = {.linear = 0x1234, .guest_physical = 0x5234, .qualification = 1};
    (void)state;
    struct cpu_outcome outcome = mmu_fault_outcome(MMU_EPT_VIOLATION, &with);
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.reason, 48);
    assert_int_equal(outcome.exit.qualification, 0x181);
    assert_int_equal(outcome.exit.guest_linear_address, 0x1234);
    assert_int_equal(outcome.exit.guest_physical_address, 0x5234);
    outcome = mmu_fault_outcome(MMU_EPT_VIOLATION, &without);
    assert_int_equal(outcome.exit.guest_linear_address, 0);
    outcome = mmu_fault_outcome(MMU_EPT_MISCONFIGURATION, &with);
    assert_int_equal(outcome.exit.reason, 49);
    assert_int_equal(outcome.exit.qualification, 0);
    assert_int_equal(outcome.exit.guest_physical_address, 0x5234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(across_pages),
        cmocka_unit_test(faulting_write_changes_nothing),
        cmocka_unit_test(wraps_at_32_bits),
        cmocka_unit_test(fetch_stops_at_a_fault),
        cmocka_unit_test(operands),
        cmocka_unit_test(breakpoints_on_operands),
        cmocka_unit_test(failures_become_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
