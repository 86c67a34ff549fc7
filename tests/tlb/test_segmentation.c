/* test_segmentation.c: logical to linear addresses. SDM volume 3A, "Limit Checking", "Type Checking",
 * "Segmentation in IA-32e Mode". */
#include "tests/tlb/tlb_fixture.h"

#define DATA_RO (AR_P | AR_S | 0x1u | AR_DB)
#define DATA_RW (AR_P | AR_S | 0x3u | AR_DB)
#define DATA_DOWN (AR_P | AR_S | 0x7u)
#define CODE_X (AR_P | AR_S | 0x9u | AR_DB)
#define CODE_XR (AR_P | AR_S | 0xbu | AR_DB)

static struct cpu_outcome outcome;
static uint64_t linear;

static bool try(const struct cpu_state *s, enum cpu_segment_index seg, uint64_t offset, size_t size,
                enum mmu_access access)
{
    outcome = (struct cpu_outcome){0};
    linear = ~0ull;
    return seg_linear_address(s, seg, offset, size, access, &linear, &outcome);
}

static void raises(uint8_t vector)
{
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, vector);
    assert_true(outcome.event.has_error_code);
    assert_int_equal(outcome.event.error_code, 0);
}

static struct cpu_state protected_mode(enum cpu_segment_index seg, uint32_t rights, uint32_t limit)
{
    struct cpu_state s = {.cr0 = CR0_PE};
    s.seg[seg] = (struct cpu_segment){.base = 0x10000, .limit = limit, .access_rights = rights};
    return s;
}

static void types(void **state)
{
    static const struct {
        uint32_t rights;
        bool read, write, fetch;
    } rows[] = {
        {DATA_RO, true, false, false},      {DATA_RW, true, true, false},
        {CODE_X, false, false, true},       {CODE_XR, true, false, true},
        {AR_UNUSABLE, false, false, false}, {DATA_RW | AR_UNUSABLE, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cpu_state s = protected_mode(SEG_DS, rows[i].rights, 0xffff);
        assert_int_equal(try(&s, SEG_DS, 4, 4, MMU_READ), rows[i].read);
        assert_int_equal(try(&s, SEG_DS, 4, 4, MMU_WRITE), rows[i].write);
        assert_int_equal(try(&s, SEG_DS, 4, 4, MMU_FETCH), rows[i].fetch);
    }
}

static void limits(void **state)
{
    struct cpu_state s = protected_mode(SEG_DS, DATA_RW, 0xfff);
    (void)state;
    assert_true(try(&s, SEG_DS, 0xffc, 4, MMU_READ));
    assert_int_equal(linear, 0x10ffc);
    assert_false(try(&s, SEG_DS, 0xffd, 4, MMU_READ));
    raises(VECTOR_GP);
    s = protected_mode(SEG_SS, DATA_RW, 0xfff);
    assert_false(try(&s, SEG_SS, 0x1000, 1, MMU_WRITE));
    raises(VECTOR_SS);
    s = protected_mode(SEG_SS, AR_UNUSABLE, 0xfff);
    assert_false(try(&s, SEG_SS, 0, 1, MMU_READ));
    raises(VECTOR_SS);
    s = protected_mode(SEG_DS, DATA_RW, 0xffffffff);
    assert_true(try(&s, SEG_DS, 0xffffffff, 1, MMU_READ));
    assert_int_equal(linear, 0xffff); /* wraps at 32 bits */
    assert_false(try(&s, SEG_DS, 0xffffffff, 2, MMU_READ));
}

/* "Limit Checking": offsets up to the limit are outside; the top is FFFFH or, with B set, FFFFFFFFH. */
static void expand_down(void **state)
{
    struct cpu_state s = protected_mode(SEG_SS, DATA_DOWN, 0xfff);
    (void)state;
    assert_false(try(&s, SEG_SS, 0xfff, 1, MMU_WRITE));
    assert_true(try(&s, SEG_SS, 0x1000, 4, MMU_WRITE));
    assert_true(try(&s, SEG_SS, 0xfffc, 4, MMU_WRITE));
    assert_false(try(&s, SEG_SS, 0xfffd, 4, MMU_WRITE));
    raises(VECTOR_SS);
    s.seg[SEG_SS].access_rights |= AR_DB;
    assert_true(try(&s, SEG_SS, 0x10000, 4, MMU_WRITE));
}

/* Conforming code has type bit 2 set: no expansion downwards. */
static void conforming_code_is_not_expand_down(void **state)
{
    struct cpu_state s = protected_mode(SEG_CS, CODE_XR | 4, 0xfff);
    (void)state;
    assert_true(try(&s, SEG_CS, 0, 4, MMU_FETCH));
    assert_false(try(&s, SEG_CS, 0x1000, 1, MMU_FETCH));
}

static void real_and_virtual_8086(void **state)
{
    struct cpu_state s = protected_mode(SEG_CS, CODE_XR, 0xffff);
    (void)state;
    s.cr0 = 0;
    assert_true(try(&s, SEG_CS, 0xfffe, 2, MMU_WRITE)); /* no types */
    assert_int_equal(linear, 0x1fffe);
    assert_false(try(&s, SEG_CS, 0xffff, 2, MMU_READ));
    raises(VECTOR_GP);
    s = protected_mode(SEG_SS, DATA_RO, 0xffff);
    s.rflags = RFLAGS_VM;
    assert_true(try(&s, SEG_SS, 0, 2, MMU_WRITE));
    assert_false(try(&s, SEG_SS, 0xffff, 2, MMU_WRITE));
    raises(VECTOR_SS);
}

static void bits64(void **state)
{
    struct cpu_state s = {.cr0 = CR0_PE | CR0_PG, .msr.efer = EFER_LMA};
    (void)state;
    s.seg[SEG_CS].access_rights = CODE_XR | AR_L;
    s.seg[SEG_DS] = (struct cpu_segment){.base = 0x5000, .access_rights = AR_UNUSABLE};
    s.seg[SEG_FS].base = 0xffff800000000000;
    s.seg[SEG_TR].base = 0x7000;
    assert_true(try(&s, SEG_DS, 0x1234, 8, MMU_WRITE)); /* no base, no null check, no limit */
    assert_int_equal(linear, 0x1234);
    assert_true(try(&s, SEG_FS, 0x10, 8, MMU_WRITE));
    assert_int_equal(linear, 0xffff800000000010);
    assert_true(try(&s, SEG_TR, 4, 8, MMU_READ));
    assert_int_equal(linear, 0x7004);
    assert_false(try(&s, SEG_DS, 0x800000000000, 1, MMU_READ));
    raises(VECTOR_GP);
    assert_false(try(&s, SEG_SS, 0x7ffffffffffd, 8, MMU_READ));
    raises(VECTOR_SS);
    s.cr4 = CR4_LA57; /* 5-level paging: 57 bits */
    assert_true(try(&s, SEG_DS, 0x800000000000, 1, MMU_READ));
    assert_true(try(&s, SEG_DS, 0xff00000000000000, 1, MMU_READ));
    assert_false(try(&s, SEG_DS, 0x100000000000000, 1, MMU_READ));
    raises(VECTOR_GP);
    assert_false(try(&s, SEG_SS, 0xfffffffffffffd, 8, MMU_READ));
    raises(VECTOR_SS);
}

static void compatibility(void **state)
{
    struct cpu_state s = protected_mode(SEG_DS, DATA_RW, 0xfff);
    (void)state;
    s.cr0 |= CR0_PG;
    s.msr.efer = EFER_LMA;
    s.seg[SEG_CS].access_rights = CODE_XR;
    assert_true(try(&s, SEG_DS, 0xfff, 1, MMU_READ));
    assert_int_equal(linear, 0x10fff);
    assert_false(try(&s, SEG_DS, 0x1000, 1, MMU_READ));
}

static void effective_addresses(void **state)
{
    struct cpu_state s = {.rip = 0x400000};
    struct insn insn = {.length = 7, .address_bits = 64, .rip_relative = true, .displacement = -16};
    (void)state;
    assert_int_equal(seg_effective_address(&s, &insn), 0x3ffff7);
    s.gpr[GPR_RBX] = 0xfff0;
    s.gpr[GPR_RSI] = 0x8;
    insn = (struct insn){.address_bits = 16,
                         .has_base = true,
                         .base = GPR_RBX,
                         .has_index = true,
                         .index = GPR_RSI,
                         .displacement = 0x10};
    assert_int_equal(seg_effective_address(&s, &insn), 0x0008);
    insn.scale = 3;
    insn.address_bits = 32;
    assert_int_equal(seg_effective_address(&s, &insn), 0x10040);
    s.gpr[GPR_RBX] = 0xffffffff;
    assert_int_equal(seg_effective_address(&s, &insn), 0x4f);
    insn.address_bits = 64;
    assert_int_equal(seg_effective_address(&s, &insn), 0x10000004f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(limits),
        cmocka_unit_test(expand_down),
        cmocka_unit_test(conforming_code_is_not_expand_down),
        cmocka_unit_test(real_and_virtual_8086),
        cmocka_unit_test(bits64),
        cmocka_unit_test(compatibility),
        cmocka_unit_test(effective_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
