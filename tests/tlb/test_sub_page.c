/* test_sub_page.c: SDM volume 3C, "Sub-Page Write Permissions". */
#include "tests/tlb/tlb_fixture.h"

#define SUB_PAGE (1ull << 61)
#define RWX (ER | EW | EX)
#define LINEAR 0x1000u
#define PAGE 0x5000ull
#define MISS (1ull << 11)

static uint64_t spp_entry[4]; /* addresses: 3 the SPPL4E ... 0 the vector */

/* The page is read-only in the EPT; its vector allows sub-pages 2 and 3 (bytes 100H to 1FFH) and 31. */
static struct fixture *sub_pages(void)
{
    struct fixture *f = fixture_ept(EPTP_AD);
    uint64_t table = new_table(f);
    f->regime.sub_page_write = true;
    f->regime.spptp = table;
    for (unsigned level = 3; level; level--) {
        spp_entry[level] = table | (PAGE >> (12 + 9 * level) & 511) << 3;
        table = new_table(f);
        put64(f, spp_entry[level], table | 1);
    }
    spp_entry[0] = table | (PAGE >> 12 & 511) << 3;
    put64(f, spp_entry[0], 1ull << 4 | 1ull << 6 | 1ull << 62);
    apply(f);
    map(f, LINEAR, 0, PAGE | ALL | A | D);
    map_ept(f, PAGE, 0, PAGE | ER | EX | EWB | SUB_PAGE);
    return f;
}

static enum mmu_status write_at(struct fixture *f, uint64_t offset, uint8_t size)
{
    return go(f, LINEAR + offset, MMU_WRITE, (struct mmu_mode){.size = size});
}

static void vector_decides(void **state)
{
    struct fixture *f = sub_pages();
    (void)state;
    assert_int_equal(write_at(f, 0x100, 8), MMU_OK);
    assert_int_equal(f->at.physical, PAGE + 0x100);
    assert_false(f->at.rights & MMU_RIGHT_WRITE); /* for this write alone */
    assert_int_equal(write_at(f, 0x1f8, 8), MMU_OK);
    assert_int_equal(write_at(f, 0x17c, 8), MMU_OK); /* two sub-pages, both allowed */
    assert_int_equal(write_at(f, 0xfff, 1), MMU_OK);
    assert_int_equal(write_at(f, 0x0ff, 1), MMU_EPT_VIOLATION);
    assert_int_equal(write_at(f, 0x0fc, 8), MMU_EPT_VIOLATION);
    assert_int_equal(write_at(f, 0x1fc, 8), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.qualification, EW | (ER | EX) << 3 | 1 << 7 | 1 << 8);
    assert_int_equal(go(f, LINEAR, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(write_at(f, 0x200, 1), MMU_EPT_VIOLATION);
    fixture_free(f);
}

static void write_sets_the_dirty_flag(void **state)
{
    struct fixture *f = sub_pages();
    (void)state;
    const uint64_t at = entry_at(f, f->regime.eptp & ~0xfffull, PAGE, 0, RWX);
    assert_int_equal(write_at(f, 0, 8), MMU_EPT_VIOLATION);
    assert_int_equal(get64(f, at) & (EA | ED), 0);
    assert_int_equal(write_at(f, 0x100, 8), MMU_OK);
    assert_int_equal(get64(f, at) & (EA | ED), EA | ED);
    fixture_free(f);
}

static void not_eligible(void **state)
{
    struct fixture *f = sub_pages();
    (void)state;
    map_ept(f, PAGE, 0, PAGE | ER | EWB); /* bit 61 is 0 */
    assert_int_equal(write_at(f, 0x100, 8), MMU_EPT_VIOLATION);
    map_ept(f, PAGE, 0, EWB | SUB_PAGE); /* not present */
    assert_int_equal(write_at(f, 0x100, 8), MMU_EPT_VIOLATION);
    map_ept(f, PAGE, 0, PAGE | ER | EWB | SUB_PAGE);
    f->regime.sub_page_write = false;
    apply(f);
    assert_int_equal(write_at(f, 0x100, 8), MMU_EPT_VIOLATION);
    fixture_free(f);
}

static void large_pages_are_not_eligible(void **state)
{
    struct fixture *f = sub_pages();
    (void)state;
    put64(f, entry_at(f, f->regime.eptp & ~0xfffull, 0x40000000, 1, RWX),
          0x400000 | EPS | ER | EWB | SUB_PAGE);
    map(f, 0x3000, 0, 0x40000000 | ALL | A | D);
    assert_int_equal(go(f, 0x3100, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
    fixture_free(f);
}

/* Flags of guest tables are no data that the permissions apply to. */
static void guest_tables_are_not_eligible(void **state)
{
    struct fixture *f = sub_pages();
    (void)state;
    const uint64_t table = map(f, LINEAR, 0, PAGE | ALL | A | D) & ~0xfffull;
    map_ept(f, table, 0, table | ER | EWB | SUB_PAGE);
    assert_int_equal(go(f, LINEAR, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
    fixture_free(f);
}

static void misses(void **state)
{
    (void)state;
    for (unsigned level = 3; level; level--) {
        struct fixture *f = sub_pages();
        put64(f, spp_entry[level], get64(f, spp_entry[level]) & ~1ull);
        assert_int_equal(write_at(f, 0x108, 8), MMU_SPP_EVENT);
        assert_int_equal(f->fault.qualification, MISS);
        assert_int_equal(f->fault.linear, LINEAR + 0x108);
        assert_int_equal(f->fault.guest_physical, PAGE + 0x108);
        fixture_free(f);
    }
}

static void misconfigurations(void **state)
{
    static const uint64_t bits[] = {1 << 1, 1 << 11, 1ull << 39, 1ull << 63};
    (void)state;
    for (unsigned level = 3; level; level--)
        for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
            struct fixture *f = sub_pages();
            put64(f, spp_entry[level], get64(f, spp_entry[level]) | bits[i]);
            assert_int_equal(write_at(f, 0x108, 8), MMU_SPP_EVENT);
            assert_int_equal(f->fault.qualification, 0);
            fixture_free(f);
        }
    struct fixture *f = sub_pages();
    put64(f, spp_entry[0], get64(f, spp_entry[0]) | 1ull << 63); /* an odd bit of the vector */
    assert_int_equal(write_at(f, 0x108, 8), MMU_SPP_EVENT);
    assert_int_equal(f->fault.qualification, 0);
    fixture_free(f);
}

/* The model's own writes: each piece by itself, nothing written unless both may be. */
static void own_writes(void **state)
{
    struct fixture *f = sub_pages();
    const uint64_t value = 0x1122334455667788;
    (void)state;
    map(f, LINEAR + 0x1000, 0, 0x6000 | ALL | A | D);
    assert_int_equal(mmu_write(&f->mmu, LINEAR + 0x1f8, &value, 8, SUPERVISOR, &f->fault), MMU_OK);
    assert_int_equal(get64(f, PAGE + 0x1f8), value);
    assert_int_equal(mmu_write(&f->mmu, LINEAR + 0x1fc, &value, 8, SUPERVISOR, &f->fault), MMU_EPT_VIOLATION);
    assert_int_equal(mmu_write(&f->mmu, LINEAR + 0xffc, &value, 8, SUPERVISOR, &f->fault), MMU_OK);
    assert_int_equal(get32(f, PAGE + 0xffc), 0x55667788);
    assert_int_equal(get32(f, 0x6000), 0x11223344);
    fixture_free(f);
}

static void outcome(void **state)
{
    const struct mmu_fault fault = {.linear = 0x1108, .guest_physical = 0x5108, .qualification = MISS};
    const struct cpu_outcome o = mmu_fault_outcome(MMU_SPP_EVENT, &fault);
    (void)state;
    assert_int_equal(o.kind, OUTCOME_VM_EXIT);
    assert_int_equal(o.exit.reason, 66);
    assert_int_equal(o.exit.qualification, MISS);
    assert_int_equal(o.exit.guest_linear_address, 0x1108);
    assert_int_equal(o.exit.guest_physical_address, 0x5108);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_decides),
        cmocka_unit_test(write_sets_the_dirty_flag),
        cmocka_unit_test(not_eligible),
        cmocka_unit_test(large_pages_are_not_eligible),
        cmocka_unit_test(guest_tables_are_not_eligible),
        cmocka_unit_test(misses),
        cmocka_unit_test(misconfigurations),
        cmocka_unit_test(own_writes),
        cmocka_unit_test(outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
