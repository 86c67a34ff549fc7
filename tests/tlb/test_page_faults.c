/* test_page_faults.c: rights, reserved bits, error codes, accessed and dirty flags. SDM volume 3A, "Access
 * Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags". */
#include "tests/tlb/tlb_fixture.h"

static void not_present_at_each_level(void **state)
{
    (void)state;
    for (unsigned level = 0; level < 4; level++) {
        struct fixture *f = fixture_4level();
        map(f, 0x1000, 0, 0x5000 | ALL);
        map(f, 0x1000, level, 0x6000 | (RW | US | XD)); /* all but P; reserved bits do not count */
        assert_int_equal(faults(f, 0x1000, MMU_READ, SUPERVISOR), 0);
        assert_int_equal(faults(f, 0x1000, MMU_WRITE, USER), PF_W | PF_U);
        assert_int_equal(faults(f, 0x1000, MMU_FETCH, USER), PF_U | PF_I);
        fixture_free(f);
    }
}

static void reserved_bits(void **state)
{
    static const struct {
        unsigned level;
        uint64_t bits;
        bool reserved;
    } rows[] = {
        {0, 1ull << 39, true},    {1, 1ull << 51, true},    {2, 1ull << 45, true},   {3, 1ull << 39, true},
        {0, 1ull << 52, false},   {3, 1ull << 62, false},   {3, PS, true},           {1, PS | 1 << 13, true},
        {1, PS | 1 << 20, true},  {1, PS | 1 << 12, false}, {2, PS | 1 << 29, true}, {2, PS | 1 << 13, true},
        {2, PS | 1 << 12, false}, {0, PS, false},           {0, 1ull << 38, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = fixture_4level();
        map(f, 0x1000, 0, 0x5000 | ALL);
        uint64_t at = entry_at(f, f->regime.cr3, 0x1000, rows[i].level, ALL);
        uint64_t old = rows[i].bits & PS && rows[i].level ? ALL : get64(f, at);
        put64(f, at, old | rows[i].bits);
        if (rows[i].reserved)
            assert_int_equal(faults(f, 0x1000, MMU_WRITE, SUPERVISOR), PF_P | PF_W | PF_RSVD);
        else
            assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
        fixture_free(f);
    }
}

static void execute_disable(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | XD);
    assert_int_equal(faults(f, 0x1000, MMU_FETCH, USER), PF_P | PF_U | PF_I);
    assert_int_equal(go(f, 0x1000, MMU_READ, USER), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ);
    f->regime.efer &= ~EFER_NXE; /* XD is reserved then; the I bit needs NXE or SMEP */
    apply(f);
    mmu_flush_pcid(&f->mmu, -1, false, FLUSH_EFER);
    assert_int_equal(faults(f, 0x1000, MMU_FETCH, USER), PF_P | PF_U | PF_RSVD);
    f->regime.cr4 |= CR4_SMEP;
    apply(f);
    assert_int_equal(faults(f, 0x1000, MMU_FETCH, USER), PF_P | PF_U | PF_RSVD | PF_I);
    fixture_free(f);
}

/* One bit that is wrong at any level decides. */
static void rights_are_anded(void **state)
{
    (void)state;
    for (unsigned level = 0; level < 4; level++) {
        struct fixture *f = fixture_4level();
        map(f, 0x1000, 0, 0x5000 | ALL);
        uint64_t at = entry_at(f, f->regime.cr3, 0x1000, level, ALL), old = get64(f, at);
        put64(f, at, old & ~US);
        assert_int_equal(faults(f, 0x1000, MMU_READ, USER), PF_P | PF_U);
        put64(f, at, old & ~RW);
        assert_int_equal(faults(f, 0x1000, MMU_WRITE, USER), PF_P | PF_U | PF_W);
        put64(f, at, old | XD);
        assert_int_equal(faults(f, 0x1000, MMU_FETCH, SUPERVISOR), PF_P | PF_I);
        put64(f, at, old);
        assert_int_equal(go(f, 0x1000, MMU_WRITE, USER), MMU_OK);
        fixture_free(f);
    }
}

static void write_protect(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x1000, 0, 0x5000 | P | US);
    assert_int_equal(faults(f, 0x1000, MMU_WRITE, SUPERVISOR), PF_P | PF_W);
    f->regime.cr0 &= ~CR0_WP;
    apply(f);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(f->at.rights, 7);
    assert_int_equal(faults(f, 0x1000, MMU_WRITE, USER), PF_P | PF_W | PF_U);
    fixture_free(f);
}

static void smep_and_smap(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | D);
    map(f, 0x2000, 0, 0x6000 | P | RW | D);
    f->regime.cr4 |= CR4_SMEP | CR4_SMAP;
    apply(f);
    assert_int_equal(faults(f, 0x1000, MMU_FETCH, SUPERVISOR), PF_P | PF_I);
    assert_int_equal(faults(f, 0x1000, MMU_READ, SUPERVISOR), PF_P);
    assert_int_equal(faults(f, 0x1000, MMU_WRITE, SUPERVISOR), PF_P | PF_W);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SMAP_OFF), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_WRITE); /* SMEP stays */
    assert_int_equal(go(f, 0x1000, MMU_READ, USER), MMU_OK);
    assert_int_equal(f->at.rights, 7);
    assert_int_equal(go(f, 0x2000, MMU_FETCH, SUPERVISOR), MMU_OK);
    assert_int_equal(f->at.rights, 7);
    assert_int_equal(faults(f, 0x2000, MMU_READ, USER), PF_P | PF_U);
    f->regime.cr4 &= ~CR4_SMEP; /* SMAP says nothing of fetches */
    apply(f);
    assert_int_equal(go(f, 0x1000, MMU_FETCH, SUPERVISOR), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_EXECUTE);
    fixture_free(f);
}

/* SDM volume 3A, "Protection Keys": bit 2i of the register disables data accesses, bit 2i+1 writes. Keys in bits 62:59. */
static void protection_keys(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | D | 5ull << 59);
    map(f, 0x2000, 0, 0x6000 | P | RW | D | 5ull << 59);
    map(f, 0x3000, 0, 0x7000 | ALL | D | 4ull << 59);
    map(f, 0x4000, 0, 0x8000 | P | US | D | 5ull << 59);
    f->regime.pkru = 2u << 10; /* key 5: no writes */
    f->regime.pkrs = 1u << 10; /* key 5: no access */
    apply(f);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, USER), MMU_OK); /* CR4.PKE and CR4.PKS are 0 */
    f->regime.cr4 |= CR4_PKE;
    apply(f);
    assert_int_equal(faults(f, 0x1000, MMU_WRITE, USER), PF_P | PF_U | PF_W | PF_PK);
    assert_int_equal(faults(f, 0x1000, MMU_WRITE, SUPERVISOR), PF_P | PF_W | PF_PK); /* CR0.WP is 1 */
    assert_int_equal(go(f, 0x1000, MMU_READ, USER), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_EXECUTE);
    assert_int_equal(go(f, 0x3000, MMU_WRITE, USER), MMU_OK);
    assert_int_equal(go(f, 0x2000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(faults(f, 0x4000, MMU_WRITE, USER), PF_P | PF_U | PF_W | PF_PK); /* read-only too */
    f->regime.pkru = 1u << 10;
    apply(f);
    assert_int_equal(faults(f, 0x1000, MMU_READ, USER), PF_P | PF_U | PF_PK);
    assert_int_equal(faults(f, 0x1000, MMU_READ, SUPERVISOR), PF_P | PF_PK);
    assert_int_equal(go(f, 0x1000, MMU_FETCH, USER), MMU_OK); /* keys say nothing of fetches */
    assert_int_equal(f->at.rights, MMU_RIGHT_EXECUTE);
    f->regime.pkru = 2u << 10;
    f->regime.cr0 &= ~CR0_WP; /* then supervisor mode writes */
    apply(f);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(faults(f, 0x1000, MMU_WRITE, USER), PF_P | PF_U | PF_W | PF_PK);
    f->regime.cr4 |= CR4_PKS;
    apply(f);
    assert_int_equal(faults(f, 0x2000, MMU_READ, SUPERVISOR), PF_P | PF_PK);
    assert_int_equal(go(f, 0x2000, MMU_FETCH, SUPERVISOR), MMU_OK);
    fixture_free(f);
}

/* A change of a register acts on what the outer cache holds, and leaves the modelled TLB as it is. */
static void protection_keys_and_cached_translations(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | D | 5ull << 59);
    f->regime.cr4 |= CR4_PKE;
    apply(f);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, USER), MMU_OK);
    const unsigned drops = f->full_drops, misses = f->misses, flushes = f->flushes;
    f->regime.pkru = 2u << 10;
    apply(f);
    assert_int_equal(f->full_drops, drops + 1);
    assert_int_equal(go(f, 0x1000, MMU_READ, USER), MMU_OK);
    assert_int_equal(f->misses, misses);
    assert_int_equal(f->flushes, flushes);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_EXECUTE);
    f->regime.pkrs = 1; /* without CR4.PKS it does not matter */
    apply(f);
    assert_int_equal(f->full_drops, drops + 1);
    fixture_free(f);
}

static void accessed_and_dirty(void **state)
{
    struct fixture *f = fixture_4level();
    uint64_t pte = map(f, 0x1000, 0, 0x5000 | ALL);
    uint64_t pde = entry_at(f, f->regime.cr3, 0x1000, 1, 0), table = get64(f, pde);
    (void)state;
    assert_int_equal(go(f, 0x1000, MMU_READ, USER), MMU_OK);
    assert_int_equal(f->at.rights,
                     MMU_RIGHT_READ | MMU_RIGHT_EXECUTE); /* a write has its dirty flag to set */
    assert_int_equal(get64(f, pte), 0x5000 | ALL | A);
    assert_int_equal(get64(f, pde), table | A);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, USER), MMU_OK);
    assert_int_equal(f->misses, 2); /* walked again, since D was clear */
    assert_int_equal(f->at.rights, 7);
    assert_int_equal(get64(f, pte), 0x5000 | ALL | A | D);
    assert_int_equal(get64(f, pde), table | A);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, USER), MMU_OK);
    assert_int_equal(f->misses, 2);
    assert_int_equal(f->page_drops, 0); /* what the outer cache has of it is still true */
    fixture_free(f);
}

static void fault_sets_no_flags(void **state)
{
    struct fixture *f = fixture_4level();
    uint64_t pte = map(f, 0x1000, 0, 0x5000 | P);
    (void)state;
    faults(f, 0x1000, MMU_WRITE, SUPERVISOR);
    assert_int_equal(get64(f, pte), 0x5000 | P);
    fixture_free(f);
}

/* A cached mapping that allows too little is no fault if the tables allow it by now. */
static void rights_added_in_memory(void **state)
{
    struct fixture *f = fixture_4level();
    uint64_t pte = map(f, 0x1000, 0, 0x5000 | P);
    (void)state;
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    put64(f, pte, 0x5000 | P | RW);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(f->flushes, 0);
    put64(f, pte, 0x7000 | ALL); /* another page, and rights: the outer cache must forget the old one */
    reaches(f, 0x1000, MMU_READ, USER, 0x7000);
    assert_int_equal(f->page_drops, 1);
    assert_int_equal(f->dropped_linear, 0x1000);
    fixture_free(f);
}

/* "Operations that Invalidate TLBs": a page fault drops what is cached for its address. */
static void page_fault_drops(void **state)
{
    struct fixture *f = fixture_4level();
    map(f, 0x1000, 0, 0x5000 | P);
    (void)state;
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    faults(f, 0x1000, MMU_WRITE, SUPERVISOR);
    assert_int_equal(f->flushes, 1);
    assert_int_equal(f->flush.code, FLUSH_PAGE_FAULT);
    assert_int_equal(f->flush.a, 1);
    assert_int_equal(f->page_drops, 1);
    faults(f, 0x1000, MMU_WRITE, SUPERVISOR);
    assert_int_equal(f->flushes, 1); /* nothing left: no event */
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_present_at_each_level),
        cmocka_unit_test(reserved_bits),
        cmocka_unit_test(execute_disable),
        cmocka_unit_test(rights_are_anded),
        cmocka_unit_test(write_protect),
        cmocka_unit_test(smep_and_smap),
        cmocka_unit_test(protection_keys),
        cmocka_unit_test(protection_keys_and_cached_translations),
        cmocka_unit_test(accessed_and_dirty),
        cmocka_unit_test(fault_sets_no_flags),
        cmocka_unit_test(rights_added_in_memory),
        cmocka_unit_test(page_fault_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
