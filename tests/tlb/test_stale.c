/* test_stale.c: what a watch is told of translations that the tables no longer give. SDM volume 3A,
 * "Invalidation of TLBs and Paging-Structure Caches"; volume 3C, "Guidelines for Use of the INVEPT
 * Instruction". */
#include "tests/tlb/tlb_fixture.h"

#define RWX (ER | EW | EX)

struct told {
    unsigned stale, entries;
    struct mmu_stale last;
};

static void accessed(void *opaque, uint64_t physical, size_t size, enum mmu_access access)
{
    (void)opaque, (void)physical, (void)size, (void)access;
}

static void tables(void *opaque, const struct mmu_path *path)
{
    ((struct told *)opaque)->entries = path->count;
}

static bool stale(void *opaque, const struct mmu_stale *what)
{
    struct told *told = opaque;
    told->stale++;
    told->last = *what;
    return false;
}

static struct fixture *watched(struct told *told, struct mmu_watch *watch)
{
    static const uint8_t no_pages[RAM_SIZE >> 15];
    struct fixture *f = fixture_ept(0);
    *told = (struct told){0};
    *watch = (struct mmu_watch){
        .pages = no_pages, .accessed = accessed, .tables = tables, .stale = stale, .opaque = told};
    f->mmu.watch = watch;
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    return f;
}

static void what_the_tables_give_is_not_stale(void **state)
{
    struct told told;
    struct mmu_watch watch;
    struct fixture *f = watched(&told, &watch);
    (void)state;
    for (unsigned i = 0; i < 2; i++) { /* a walk, then a hit */
        assert_int_equal(go(f, 0x1234, MMU_WRITE, SUPERVISOR), MMU_OK);
        assert_int_equal(told.entries,
                         24); /* four entries of the guest's behind four of EPT each, and four more */
    }
    map(f, 0x1000, 0, 0); /* kept, and not used */
    assert_int_equal(told.stale, 0);
    fixture_free(f);
}

static void another_page_and_no_page(void **state)
{
    struct told told;
    struct mmu_watch watch;
    struct fixture *f = watched(&told, &watch);
    (void)state;
    assert_int_equal(go(f, 0x1234, MMU_READ, SUPERVISOR), MMU_OK);
    map(f, 0x1000, 0, 0x6000 | ALL | A | D);
    assert_int_equal(go(f, 0x1234, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(f->at.physical, 0x5234); /* what is kept is used all the same */
    assert_int_equal(told.stale, 1);
    assert_int_equal(told.last.cached, 0x5234);
    assert_int_equal(told.last.now, 0x6234);
    assert_int_equal(told.last.mapping, TRACE_MAPPING_COMBINED);
    map(f, 0x1000, 0, 0);
    assert_int_equal(go(f, 0x1234, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(told.stale, 2);
    assert_int_equal(told.last.status, MMU_PAGE_FAULT);
    mmu_invlpg(&f->mmu, 0x1000);
    assert_int_equal(go(f, 0x1234, MMU_READ, SUPERVISOR), MMU_PAGE_FAULT);
    assert_int_equal(told.stale, 2);
    fixture_free(f);
}

/* A right that is gone is no finding until it is used; the outer cache does not get it, so that the use is
 * seen. */
static void a_right_that_is_gone(void **state)
{
    struct told told;
    struct mmu_watch watch;
    struct fixture *f = watched(&told, &watch);
    (void)state;
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    map_ept(f, 0x5000, 0, 0x5000 | ER | EX | EWB);
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(told.stale, 0);
    assert_int_equal(f->at.rights & MMU_RIGHT_WRITE, 0);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(told.stale, 1);
    assert_int_equal(told.last.what, MMU_STALE_RIGHT);
    map_ept(f, 0x5000, 0, 0x5000 | RWX | EWB);
    map(f, 0x1000, 0, 0x5000 | ALL | A);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(told.last.what, MMU_STALE_DIRTY);
    fixture_free(f);
}

/* INVLPG drops combined mappings and no guest-physical ones: the walk after it uses what INVEPT should have
 * dropped. */
static void a_stale_guest_physical_mapping(void **state)
{
    struct told told;
    struct mmu_watch watch;
    struct fixture *f = watched(&told, &watch);
    (void)state;
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    map_ept(f, 0x5000, 0, 0x7000 | RWX | EWB);
    mmu_invlpg(&f->mmu, 0x1000);
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(told.stale, 1);
    assert_int_equal(told.last.mapping, TRACE_MAPPING_GUEST_PHYSICAL);
    assert_int_equal(told.last.now, 0x7000);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_tables_give_is_not_stale),
        cmocka_unit_test(another_page_and_no_page),
        cmocka_unit_test(a_right_that_is_gone),
        cmocka_unit_test(a_stale_guest_physical_mapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
