/* test_walk_cache.c: where a walk's reference is found. Lines have 64 bytes. */
#include "tests/tlb/tlb_fixture.h"

#include "tlb/walk_cache.h"

static const struct cpu_profile *small(void)
{
    /* First level: 2 sets of 2 ways; second: 1 set of 8. */
    static const struct cpu_profile profile = {
        .walk_cache = {{4, 2, ""}, {8, 8, ""}},
        .cost = {.walk_l1 = {4, ""}, .walk_l2 = {12, ""}, .walk_memory = {200, ""}}};
    return &profile;
}

/* Lines 0, 2 and 4 share a set of two ways. */
static void least_recently_used_line_leaves(void **state)
{
    (void)state;
    struct walk_cache cache;
    assert_true(walk_cache_init(&cache, small()));
    assert_int_equal(walk_cache_reference(&cache, 0x000), 200);
    assert_int_equal(walk_cache_reference(&cache, 0x03f), 4); /* the same line */
    assert_int_equal(walk_cache_reference(&cache, 0x080), 200);
    assert_int_equal(walk_cache_reference(&cache, 0x000), 4);
    assert_int_equal(walk_cache_reference(&cache, 0x100), 200); /* line 2 leaves the first level */
    assert_int_equal(walk_cache_reference(&cache, 0x000), 4);
    assert_int_equal(walk_cache_reference(&cache, 0x080), 12);
    walk_cache_free(&cache);
}

/* Nine lines in a second level of eight: the first has left both. */
static void what_no_level_holds_comes_from_memory(void **state)
{
    (void)state;
    struct walk_cache cache;
    assert_true(walk_cache_init(&cache, small()));
    for (uint64_t line = 0; line < 9; line++)
        assert_int_equal(walk_cache_reference(&cache, line << 6), 200);
    assert_int_equal(walk_cache_reference(&cache, 0), 200);
    assert_int_equal(walk_cache_reference(&cache, 5 << 6), 4);
    walk_cache_empty(&cache);
    assert_int_equal(walk_cache_reference(&cache, 5 << 6), 200);
    walk_cache_free(&cache);
}

static void without_caches_all_is_memory(void **state)
{
    (void)state;
    const struct cpu_profile profile = {.cost.walk_memory = {12, ""}};
    struct walk_cache cache;
    assert_true(walk_cache_init(&cache, &profile));
    assert_int_equal(walk_cache_reference(&cache, 0), 12);
    assert_int_equal(walk_cache_reference(&cache, 0), 12);
    walk_cache_free(&cache);
}

/* Two walks of neighbours on skylake: 4 references from memory (200 each), then 4 from the first level (4
 * each): the entries of both lie in the same lines. mmu_peek leaves the caches and the time alone. */
static void walks_of_a_real_profile(void **state)
{
    (void)state;
    struct fixture *f = fixture_4level();
    mmu_free(&f->mmu);
    f->profile = *cpu_profile_find("skylake");
    assert_true(mmu_init(&f->mmu, &f->profile, &f->mem, &f->trace, &f->account));
    apply(f);
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    map(f, 0x2000, 0, 0x6000 | ALL | A | D);
    uint64_t physical;
    assert_int_equal(mmu_peek(&f->mmu, 0x1000, &physical), MMU_OK);
    assert_int_equal(f->account.now, 0);
    go(f, 0x1000, MMU_READ, SUPERVISOR);
    assert_int_equal(f->account.now, 800);
    go(f, 0x2000, MMU_READ, SUPERVISOR);
    assert_int_equal(f->account.now, 816);
    mmu_empty_caches(&f->mmu);
    mmu_invlpg(&f->mmu, 0x2000);
    go(f, 0x2000, MMU_READ, SUPERVISOR);
    assert_int_equal(f->account.now, 816 + 800);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_recently_used_line_leaves),
        cmocka_unit_test(what_no_level_holds_comes_from_memory),
        cmocka_unit_test(without_caches_all_is_memory),
        cmocka_unit_test(walks_of_a_real_profile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
