/* test_geometry.c: sets, ways, replacement, and which array holds which page size. */
#include "tests/tlb/tlb_fixture.h"

/* 8 entries in 4 sets of 2 ways; 2 MiB pages apart, 2 entries in 1 set; no 1 GiB array. */
static struct fixture *small(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->profile = (struct cpu_profile){.physical_address_bits = 39,
                                      .has_1g_pages = true,
                                      .tlb = {.main_4k_2m = {8, 2, ""}, .large_2m = {2, 2, ""}}};
    fixture_start(f);
    f->regime = (struct mmu_regime){.cr0 = CR0_PE | CR0_PG, .cr4 = CR4_PAE, .efer = EFER_LMA | EFER_NXE};
    f->regime.cr3 = new_table(f);
    apply(f);
    for (uint64_t page = 0; page < 64; page++)
        map(f, page << 12, 0, 0x300000 | page << 12 | ALL);
    for (uint64_t page = 0; page < 4; page++)
        map(f, 0x40000000 + (page << 21), 1, (0x400000 + (page << 21)) | PS | ALL);
    map(f, 0x80000000, 2, 0x40000000 | PS | ALL);
    return f;
}

static void read_page(struct fixture *f, uint64_t page)
{
    go(f, page << 12, MMU_READ, SUPERVISOR);
}

static void least_recently_used_leaves(void **state)
{
    struct fixture *f = small();
    (void)state;
    read_page(f, 1); /* pages 1, 5, 9, 13 share set 1 */
    read_page(f, 5);
    read_page(f, 1);
    read_page(f, 9); /* 5 leaves */
    assert_int_equal(f->page_drops, 1);
    assert_int_equal(f->dropped_linear, 0x5000);
    assert_int_equal(f->dropped_bits, 12);
    assert_true(cached(f, 0x1000));
    assert_true(cached(f, 0x9000));
    assert_false(cached(f, 0x5000)); /* which makes 1 leave */
    assert_int_equal(f->dropped_linear, 0x1000);
    fixture_free(f);
}

static void sets_do_not_disturb_each_other(void **state)
{
    struct fixture *f = small();
    (void)state;
    for (uint64_t page = 0; page < 8; page++)
        read_page(f, page);
    assert_int_equal(f->page_drops, 0);
    for (uint64_t page = 0; page < 8; page++)
        assert_true(cached(f, page << 12));
    fixture_free(f);
}

static void eviction_of_another_context_is_silent(void **state)
{
    struct fixture *f = small();
    (void)state;
    read_page(f, 1);
    read_page(f, 5);
    f->regime.vpid = 7;
    f->regime.non_root = true;
    apply(f);
    read_page(f, 9);
    assert_int_equal(f->page_drops, 0);
    fixture_free(f);
}

static void large_pages_have_their_array(void **state)
{
    struct fixture *f = small();
    (void)state;
    for (uint64_t page = 0; page < 8; page++)
        read_page(f, page);
    go(f, 0x40000000, MMU_READ, SUPERVISOR);
    go(f, 0x40200000, MMU_READ, SUPERVISOR);
    assert_int_equal(f->page_drops, 0);
    assert_int_equal(f->at.page_bits, 21);
    go(f, 0x40400000, MMU_READ, SUPERVISOR);
    assert_int_equal(f->page_drops, 1);
    assert_int_equal(f->dropped_linear, 0x40000000);
    assert_int_equal(f->dropped_bits, 21);
    fixture_free(f);
}

/* "Details of TLB Use": no array for 1 GiB pages, so the page is cached in pieces of 2 MiB. */
static void gigabyte_page_in_pieces(void **state)
{
    struct fixture *f = small();
    (void)state;
    reaches(f, 0x80612345, MMU_READ, SUPERVISOR, 0x40612345);
    assert_int_equal(f->at.page_bits, 21);
    assert_true(cached(f, 0x807fffff));
    assert_false(cached(f, 0x80800000));
    mmu_invlpg(&f->mmu, 0xbfffffff); /* another byte of the same guest page: all pieces go */
    assert_int_equal(f->flush.a, 2);
    fixture_free(f);
}

/* 12 sets are no power of two. */
static void any_number_of_sets(void **state)
{
    struct fixture *f = small();
    (void)state;
    mmu_free(&f->mmu);
    f->profile.tlb.main_4k_2m = (struct tlb_array_geometry){12, 1, ""};
    assert_true(mmu_init(&f->mmu, &f->profile, &f->mem, &f->trace, &f->account));
    f->mmu.outer = (struct mmu_outer_cache){
        .drop_page = fixture_drop_page, .drop_all = fixture_drop_all, .opaque = f};
    apply(f);
    for (uint64_t page = 0; page < 12; page++)
        read_page(f, page);
    assert_int_equal(f->page_drops, 0);
    read_page(f, 13);
    assert_int_equal(f->dropped_linear, 0x1000);
    fixture_free(f);
}

/* Against a plain list of what ought to be cached: random accesses, one set of two ways at a time. */
static void replacement_against_a_model(void **state)
{
    struct fixture *f = small();
    uint64_t recent[4][2];
    uint32_t seed = 12345;
    (void)state;
    memset(recent, 0xff, sizeof(recent));
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint64_t page = seed >> 26, *set = recent[page & 3];
        bool expected = set[0] == page || set[1] == page;
        assert_int_equal(cached(f, page << 12), expected);
        assert_int_equal(f->at.physical, 0x300000 | page << 12);
        if (set[0] != page)
            set[1] = set[0];
        set[0] = page;
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_recently_used_leaves),
        cmocka_unit_test(sets_do_not_disturb_each_other),
        cmocka_unit_test(eviction_of_another_context_is_silent),
        cmocka_unit_test(large_pages_have_their_array),
        cmocka_unit_test(gigabyte_page_in_pieces),
        cmocka_unit_test(any_number_of_sets),
        cmocka_unit_test(replacement_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
