/* test_walk_5level.c: 57-bit linear addresses. SDM volume 3A, "4-Level Paging and 5-Level Paging". */
#include "tests/tlb/tlb_fixture.h"

static struct fixture *fixture_5level(void)
{
    struct fixture *f = fixture_4level();
    f->regime.cr4 |= CR4_LA57;
    f->regime.cr3 = new_table(f);
    apply(f);
    return f;
}

/* Bits 56:48 choose the PML5E. */
static uint64_t pml5e_at(struct fixture *f, uint64_t linear)
{
    return (f->regime.cr3 & ~0xfffull) + (linear >> 48 & 511) * 8;
}

static uint64_t map5(struct fixture *f, uint64_t linear, unsigned level, uint64_t value)
{
    uint64_t pml5e = pml5e_at(f, linear);
    if (!get64(f, pml5e))
        put64(f, pml5e, new_table(f) | ALL);
    uint64_t at = entry_at(f, get64(f, pml5e) & 0x000ffffffffff000ull, linear, level, ALL);
    put64(f, at, value);
    return at;
}

static void five_references_and_flags(void **state)
{
    struct fixture *f = fixture_5level();
    const uint64_t linear = 0x00ab7f0012345000; /* PML5E 0xab */
    (void)state;
    uint64_t pte = map5(f, linear, 0, 0x5000 | P | RW);
    reaches(f, linear | 0x678, MMU_WRITE, SUPERVISOR, 0x5678);
    assert_int_equal(f->miss.b, 5);
    assert_int_equal(f->miss.cost, 60);
    assert_int_equal(get64(f, pte), 0x5000 | P | RW | A | D);
    assert_int_equal(get64(f, f->regime.cr3 + 0xab * 8) & (A | D), A);
    reaches(f, linear | 1, MMU_WRITE, SUPERVISOR, 0x5001);
    assert_int_equal(f->hits, 1);
    fixture_free(f);
}

static void upper_half(void **state)
{
    struct fixture *f = fixture_5level();
    (void)state;
    map5(f, 0xff00000000001000, 0, 0x9000 | P); /* PML5E 256: the lowest of the upper half */
    reaches(f, 0xff00000000001abc, MMU_READ, SUPERVISOR, 0x9abc);
    assert_int_equal(f->regime.cr3 + 256 * 8, pml5e_at(f, 0xff00000000001000));
    map5(f, 0xffffffffffe00000, 1, 0x600000 | PS | P);
    reaches(f, 0xfffffffffff12345, MMU_READ, SUPERVISOR, 0x712345);
    assert_int_equal(f->miss.b, 4);
    fixture_free(f);
}

static void faults_at_the_pml5(void **state)
{
    struct fixture *f = fixture_5level();
    const uint64_t linear = 0x0001000000002000;
    (void)state;
    assert_int_equal(faults(f, linear, MMU_WRITE, USER), PF_W | PF_U);
    assert_int_equal(f->miss.b, 1);
    map5(f, linear, 0, 0x5000 | ALL);
    uint64_t pml5e = pml5e_at(f, linear), good = get64(f, pml5e);
    put64(f, pml5e, good | PS); /* maps no page: reserved */
    assert_int_equal(faults(f, linear, MMU_READ, USER), PF_P | PF_U | PF_RSVD);
    put64(f, pml5e, good | 1ull << 39); /* beyond MAXPHYADDR */
    assert_int_equal(faults(f, linear, MMU_READ, USER), PF_P | PF_U | PF_RSVD);
    put64(f, pml5e, good & ~US);
    assert_int_equal(faults(f, linear, MMU_READ, USER), PF_P | PF_U);
    put64(f, pml5e, good & ~RW);
    assert_int_equal(faults(f, linear, MMU_WRITE, SUPERVISOR), PF_P | PF_W);
    put64(f, pml5e, good | XD);
    assert_int_equal(faults(f, linear, MMU_FETCH, SUPERVISOR), PF_P | PF_I);
    f->regime.efer &= ~EFER_NXE; /* now XD is reserved */
    apply(f);
    assert_int_equal(faults(f, linear, MMU_READ, SUPERVISOR), PF_P | PF_RSVD);
    fixture_free(f);
}

/* Addresses that differ in one of the bits above 47 only are other pages, in lookups and in invalidations. */
static void no_aliases(void **state)
{
    struct fixture *f = fixture_5level();
    const uint64_t low = 0x00007fff00003000;
    (void)state;
    map5(f, low, 0, 0x100000 | P);
    for (unsigned bit = 48; bit < 56; bit++)
        map5(f, low | 1ull << bit, 0, (0x200000 + bit * 0x1000ull) | P);
    map5(f, low | 0xff00000000000000, 0, 0x300000 | P);
    for (int cached_now = 0; cached_now < 2; cached_now++) {
        reaches(f, low, MMU_READ, SUPERVISOR, 0x100000);
        for (unsigned bit = 48; bit < 56; bit++)
            reaches(f, low | 1ull << bit, MMU_READ, SUPERVISOR, 0x200000 + bit * 0x1000ull);
        reaches(f, low | 0xff00000000000000, MMU_READ, SUPERVISOR, 0x300000);
        assert_int_equal(f->misses, 10);
    }
    assert_int_equal(f->hits, 10);
    mmu_invlpg(&f->mmu, low | 1ull << 50);
    assert_int_equal(f->flush.a, 1);
    assert_int_equal(f->dropped_linear, low | 1ull << 50);
    mmu_invlpg(&f->mmu, low | 0xff00000000000000);
    assert_int_equal(f->dropped_linear, low | 0xff00000000000000);
    assert_true(cached(f, low));
    assert_true(cached(f, low | 1ull << 49));
    assert_false(cached(f, low | 1ull << 50));
    assert_false(cached(f, low | 0xff00000000000000));
    fixture_free(f);
}

/* The tags beside the wider page number: PCID and G still tell. */
static void pcid_and_global(void **state)
{
    struct fixture *f = fixture_5level();
    (void)state;
    f->regime.cr4 |= CR4_PCIDE | CR4_PGE;
    f->regime.cr3 |= 0xfff;
    apply(f);
    map5(f, 0x00ff000000001000, 0, 0x5000 | P);
    map5(f, 0x00ff000000002000, 0, 0x6000 | P | G);
    assert_false(cached(f, 0x00ff000000001000));
    assert_false(cached(f, 0x00ff000000002000));
    f->regime.cr3 = (f->regime.cr3 & ~0xfffull) | 0x7ff;
    apply(f);
    assert_false(cached(f, 0x00ff000000001000));
    assert_true(cached(f, 0x00ff000000002000));
    mmu_flush_pcid(&f->mmu, 0xfff, true, FLUSH_MOV_CR3);
    assert_int_equal(f->flush.a, 1);
    assert_true(cached(f, 0x00ff000000001000));
    fixture_free(f);
}

/* A large page that the profile's arrays keep in pieces: INVLPG drops the pieces of this page, not of one
 * that differs in bits above 47. */
static void fragments(void **state)
{
    struct fixture *f = fixture_5level();
    const uint64_t high = 0x0055000040000000;
    (void)state;
    mmu_free(&f->mmu);
    free(f->mem.ram);
    f->profile.tlb.main_1g = (struct tlb_array_geometry){0};
    fixture_start(f);
    f->regime.cr3 = new_table(f);
    apply(f);
    map5(f, high, 2, 0x40000000 | PS | P);
    map5(f, 0x40000000, 2, 0x40000000 | PS | P);
    for (uint64_t offset = 0; offset < 0x600000; offset += 0x200000) {
        cached(f, high + offset);
        cached(f, 0x40000000 + offset);
    }
    mmu_invlpg(&f->mmu, high + 0x3fffffff);
    assert_int_equal(f->flush.a, 3);
    assert_true(cached(f, 0x40000000));
    assert_false(cached(f, high));
    fixture_free(f);
}

/* CR4.LA57 outside of IA-32e mode changes nothing; inside it is another regime, so the outer cache is
 * emptied. */
static void the_mode_follows_cr4_and_lma(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x1000, 0, 0x5000 | P);
    reaches(f, 0x1000, MMU_READ, SUPERVISOR, 0x5000);
    assert_int_equal(f->miss.b, 4);
    unsigned before = f->full_drops;
    uint64_t pml4 = f->regime.cr3;
    f->regime.cr4 |= CR4_LA57;
    f->regime.cr3 = new_table(f);
    put64(f, f->regime.cr3, pml4 | ALL);
    apply(f);
    assert_int_equal(f->full_drops, before + 1);
    mmu_flush_vpid(&f->mmu, 0, false, FLUSH_VM_EXIT);
    reaches(f, 0x1000, MMU_READ, SUPERVISOR, 0x5000);
    assert_int_equal(f->miss.b, 5);
    f->regime.efer &= ~EFER_LMA; /* PAE paging: the PDPTE registers */
    f->regime.pdpte[0] = new_table(f) | P;
    apply(f);
    mmu_flush_vpid(&f->mmu, 0, false, FLUSH_VM_EXIT);
    assert_int_equal(faults(f, 0x1000, MMU_READ, SUPERVISOR), 0);
    assert_int_equal(f->miss.b, 1);
    fixture_free(f);
}

/* A guest with 5-level paging under 4-level EPT: 5 entries, each with a walk of the EPT, and the page's. */
static void under_ept(void **state)
{
    struct fixture *f = fixture_ept(0);
    uint64_t physical;
    (void)state;
    f->regime.cr4 |= CR4_LA57;
    f->regime.cr3 = new_table(f);
    apply(f);
    map5(f, 0x0002000000007000, 0, 0x5000 | P);
    assert_int_equal(mmu_peek(&f->mmu, 0x0002000000007123, &physical), MMU_OK);
    assert_int_equal(physical, 0x5123);
    reaches(f, 0x0002000000007123, MMU_READ, SUPERVISOR, 0x5123);
    assert_int_equal(f->miss.b, 5 * 5 + 4);
    assert_int_equal(f->miss.code, TRACE_MAPPING_COMBINED);
    mmu_flush_vpid_address(&f->mmu, 1, 0x0003000000007000);
    assert_true(cached(f, 0x0002000000007000));
    mmu_flush_vpid_address(&f->mmu, 1, 0x0002000000007000);
    assert_false(cached(f, 0x0002000000007000));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_references_and_flags),
        cmocka_unit_test(upper_half),
        cmocka_unit_test(faults_at_the_pml5),
        cmocka_unit_test(no_aliases),
        cmocka_unit_test(pcid_and_global),
        cmocka_unit_test(fragments),
        cmocka_unit_test(the_mode_follows_cr4_and_lma),
        cmocka_unit_test(under_ept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
