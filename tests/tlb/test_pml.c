/* test_pml.c: SDM volume 3C, "Page-Modification Logging". */
#include "tests/tlb/tlb_fixture.h"

#define LOG 0xf00000u
#define RWX (ER | EW | EX)

static uint16_t pml_index;

/* A guest under EPT with accessed and dirty flags, all of them set but those of the pages 5000H to 7FFFH. */
static struct fixture *logging(uint16_t index)
{
    struct fixture *f = fixture_ept(EPTP_AD);
    for (uint64_t page = 0; page < RAM_SIZE / 2; page += 0x1000)
        if (page < 0x5000 || page > 0x7000)
            map_ept(f, page, 0, page | RWX | EWB | EA | ED);
    for (unsigned level = 1; level < 4; level++)
        for (uint64_t region = 0; region < RAM_SIZE / 2; region += 0x200000) {
            uint64_t at = entry_at(f, f->regime.eptp & ~0xfffull, region, level, RWX);
            put64(f, at, get64(f, at) | EA);
        }
    pml_index = index;
    f->regime.pml_index = &pml_index;
    f->regime.pml_address = LOG;
    apply(f);
    return f;
}

static uint64_t flags_of(struct fixture *f, uint64_t guest_physical)
{
    return get64(f, entry_at(f, f->regime.eptp & ~0xfffull, guest_physical, 0, RWX)) & (EA | ED);
}

static void a_write_is_logged_once(void **state)
{
    struct fixture *f = logging(511);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    assert_int_equal(go(f, 0x1abc, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(pml_index, 511); /* an accessed flag makes no entry */
    assert_int_equal(go(f, 0x1abc, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(pml_index, 510);
    assert_int_equal(get64(f, LOG + 511 * 8), 0x5000); /* bits 11:0 are 0 */
    assert_int_equal(go(f, 0x1ff8, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(pml_index, 510);
    assert_int_equal(get64(f, LOG + 510 * 8), 0);
    fixture_free(f);
}

/* Software clears the flag; a new combined mapping finds it so, with no INVEPT. */
static void a_cleared_flag_is_seen_by_the_next_walk(void **state)
{
    struct fixture *f = logging(511);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    map_ept(f, 0x5000, 0, 0x5000 | RWX | EWB | EA);
    mmu_flush_vpid(&f->mmu, 1, false, FLUSH_VM_ENTRY);
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_EXECUTE);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(pml_index, 509);
    fixture_free(f);
}

/* "processor accesses to guest paging-structure entries are treated as writes" with the flags. */
static void guest_tables_are_logged(void **state)
{
    struct fixture *f = logging(3);
    uint64_t pte = map(f, 0x1000, 0, 0x5000 | ALL | A | D), table = pte & ~0xfffull;
    (void)state;
    map_ept(f, table, 0, table | RWX | EWB);
    map(f, 0x2000, 0, 0x8000 | ALL | A | D);
    assert_int_equal(go(f, 0x2000, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(pml_index, 2);
    assert_int_equal(get64(f, LOG + 3 * 8), table);
    fixture_free(f);
}

/* A large page is logged by the 4-KByte address of the access. */
static void large_page(void **state)
{
    struct fixture *f = logging(0);
    (void)state;
    put64(f, entry_at(f, f->regime.eptp & ~0xfffull, 0x40000000, 2, RWX), 0x40000000 | EPS | RWX | EWB);
    map(f, 0x1000, 0, 0x40003000 | ALL | A | D);
    assert_int_equal(go(f, 0x1040, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(get64(f, LOG), 0x40003000);
    assert_int_equal(pml_index, 0xffff);
    fixture_free(f);
}

static void full_log_stops_the_access(void **state)
{
    struct fixture *f = logging(512);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    map(f, 0x2000, 0, 0x8000 | ALL | A | D);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_PML_FULL);
    assert_int_equal(flags_of(f, 0x5000), 0);
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_PML_FULL); /* the accessed flag is enough */
    assert_int_equal(go(f, 0x2000, MMU_WRITE, SUPERVISOR), MMU_OK);      /* needs none */
    pml_index = 511;
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(flags_of(f, 0x5000), EA | ED);
    assert_int_equal(pml_index, 510);
    fixture_free(f);
}

/* An access that the EPT refuses is refused first. */
static void violation_before_full_log(void **state)
{
    struct fixture *f = logging(0xffff);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    map_ept(f, 0x5000, 0, 0x5000 | ER | EWB);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
    fixture_free(f);
}

static void nothing_without_dirty_flags(void **state)
{
    struct fixture *f = logging(0xffff);
    (void)state;
    f->regime.eptp &= ~EPTP_AD;
    apply(f);
    map(f, 0x1000, 0, 0x5000 | ALL);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(pml_index, 0xffff);
    fixture_free(f);
}

/* The VM exit: reason 62, nothing else that is defined. */
static void outcome(void **state)
{
    const struct mmu_fault fault = {.linear = 0x1000, .guest_physical = 0x5000, .qualification = 0x82};
    struct cpu_outcome o = mmu_fault_outcome(MMU_PML_FULL, &fault);
    (void)state;
    assert_int_equal(o.kind, OUTCOME_VM_EXIT);
    assert_int_equal(o.exit.reason, 62);
    assert_int_equal(o.exit.qualification, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_is_logged_once),
        cmocka_unit_test(a_cleared_flag_is_seen_by_the_next_walk),
        cmocka_unit_test(guest_tables_are_logged),
        cmocka_unit_test(large_page),
        cmocka_unit_test(full_log_stops_the_access),
        cmocka_unit_test(violation_before_full_log),
        cmocka_unit_test(nothing_without_dirty_flags),
        cmocka_unit_test(outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
