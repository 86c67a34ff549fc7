/*
 * test_refill.c: what each flush drops, and which later walks are charged to it. SDM volume 3C, "Operations
 * that Invalidate Cached Mappings"; the rules of the charge: docs/cycles.md.
 *
 * The numbers by hand. There are no caches: a reference costs 12. A walk of a 4-KByte page makes 4 references
 * (48 cycles), of a 2-MByte page 3 (36). An EPT walk of a 4-KByte page makes 4 (48). INVLPG costs 150, a
 * flush that comes with something else 30.
 */
#include "tests/tlb/tlb_fixture.h"

#include "tlb/tlb.h"

#define ONE 0x1000ull     /* 4 KBytes */
#define TWO 0x3000ull     /* 4 KBytes */
#define GLOBAL 0x2000ull  /* 4 KBytes, global */
#define LARGE 0x200000ull /* 2 MBytes */

static void touch_all(struct fixture *f)
{
    static const uint64_t pages[] = {ONE, TWO, GLOBAL, LARGE};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(go(f, pages[i], MMU_READ, SUPERVISOR), MMU_OK);
}

/* All four pages cached, in root operation (vpid 0) or in a guest. 3 * 48 + 36 = 180 cycles have passed. */
static struct fixture *all_cached(uint16_t vpid)
{
    struct fixture *f = fixture_4level();
    f->profile.cost.tlb_flush.cycles = 30;
    f->regime.cr4 |= CR4_PGE | CR4_PCIDE;
    f->regime.vpid = vpid;
    f->regime.non_root = vpid != 0;
    apply(f);
    map(f, ONE, 0, 0x5000 | ALL | A | D);
    map(f, TWO, 0, 0x6000 | ALL | A | D);
    map(f, GLOBAL, 0, 0x7000 | ALL | A | D | G);
    map(f, LARGE, 1, 0x200000 | ALL | A | D | PS);
    touch_all(f);
    assert_int_equal(f->account.now, 180);
    return f;
}

/* direct: cycles; ordinary, global, large: translations dropped; refills and their cycles. */
static void booked(struct fixture *f, enum trace_flush_cause cause, uint64_t count, uint64_t direct,
                   uint64_t ordinary, uint64_t global, uint64_t large, uint64_t refills, uint64_t cycles)
{
    const struct flush_account *flush = &f->account.flush[cause];
    assert_int_equal(flush->count, count);
    assert_int_equal(flush->cycles, direct);
    assert_int_equal(flush->dropped[TRACE_MAPPING_LINEAR][TLB_PAGE_4K][0], ordinary);
    assert_int_equal(flush->dropped[TRACE_MAPPING_LINEAR][TLB_PAGE_4K][1], global);
    assert_int_equal(flush->dropped[TRACE_MAPPING_LINEAR][TLB_PAGE_2M][0], large);
    assert_int_equal(flush->refills[TRACE_MAPPING_LINEAR], refills);
    assert_int_equal(flush->refill_cycles[TRACE_MAPPING_LINEAR], cycles);
    assert_int_equal(f->account.refill_cycles, cycles);
    assert_int_equal(cycles_sum(&f->account), f->account.now);
}

static void end(struct fixture *f)
{
    fixture_free(f);
}

/* "VM entries": VPID off: the entry drops VPID 0. Two pages are used again, one of them twice: 48 + 36 = 84.
 */
static void vpid_off(void **state)
{
    (void)state;
    struct fixture *f = all_cached(0);
    mmu_flush_vpid(&f->mmu, 0, false, FLUSH_VM_ENTRY);
    assert_int_equal(f->account.now, 180 + 30);
    assert_int_equal(f->account.by[CYCLES_ROOT][CYCLES_TLB_FLUSH], 30);
    go(f, ONE, MMU_READ, SUPERVISOR);
    go(f, LARGE, MMU_READ, SUPERVISOR);
    go(f, ONE, MMU_READ, SUPERVISOR);
    booked(f, FLUSH_VM_ENTRY, 1, 30, 2, 1, 1, 2, 84);
    assert_int_equal(f->account.by[CYCLES_ROOT][CYCLES_WALK_LINEAR], 180 + 84);
    /* The other two are still to come; each only once. 84 + 48 + 48 = 180 */
    touch_all(f);
    touch_all(f);
    booked(f, FLUSH_VM_ENTRY, 1, 30, 2, 1, 1, 4, 180);
    end(f);
}

/* VPID on: out into root operation, where other mappings are cached, and in again: nothing is dropped. */
static void vpid_on(void **state)
{
    (void)state;
    struct fixture *f = all_cached(1);
    f->regime.vpid = 0;
    f->regime.non_root = false;
    apply(f);
    touch_all(f); /* walks of its own, which are no refills: 180 */
    f->regime.vpid = 1;
    f->regime.non_root = true;
    apply(f);
    touch_all(f);
    assert_int_equal(f->account.now, 360);
    booked(f, FLUSH_VM_ENTRY, 0, 0, 0, 0, 0, 0, 0);
    booked(f, FLUSH_VM_EXIT, 0, 0, 0, 0, 0, 0, 0);
    end(f);
}

/* INVVPID of each type for a guest with VPID 1; its direct cycles (400) are charged where it is executed. */
static void invvpid(void **state)
{
    (void)state;
    struct fixture *f = all_cached(1);
    f->profile.cost.invvpid.cycles = 400;
    mmu_flush_vpid_address(&f->mmu, 1, ONE);
    touch_all(f);
    booked(f, FLUSH_INVVPID_ADDRESS, 1, 400, 1, 0, 0, 1, 48);
    end(f);

    f = all_cached(1);
    f->profile.cost.invvpid.cycles = 400;
    mmu_flush_vpid(&f->mmu, 1, false, FLUSH_INVVPID_SINGLE);
    touch_all(f);
    booked(f, FLUSH_INVVPID_SINGLE, 1, 400, 2, 1, 1, 4, 180);
    end(f);

    f = all_cached(1);
    f->profile.cost.invvpid.cycles = 400;
    mmu_flush_all_vpids(&f->mmu);
    touch_all(f);
    booked(f, FLUSH_INVVPID_ALL, 1, 400, 2, 1, 1, 4, 180);
    end(f);

    f = all_cached(1);
    f->profile.cost.invvpid.cycles = 400;
    mmu_flush_vpid(&f->mmu, 1, true, FLUSH_INVVPID_SINGLE_NONGLOBAL);
    touch_all(f); /* the global page is still there: 48 + 48 + 36 */
    booked(f, FLUSH_INVVPID_SINGLE_NONGLOBAL, 1, 400, 2, 0, 1, 3, 132);
    assert_int_equal(f->account.now, 180 + 132);
    end(f);
}

static void invlpg_of_a_global_page(void **state)
{
    (void)state;
    struct fixture *f = all_cached(0);
    mmu_invlpg(&f->mmu, GLOBAL);
    touch_all(f);
    booked(f, FLUSH_INVLPG, 1, 150, 0, 1, 0, 1, 48);
    end(f);
}

/* MOV to CR3 drops the current PCID but global pages: 48 + 48 + 36. With bit 63 set nothing is called at all.
 */
static void mov_to_cr3(void **state)
{
    (void)state;
    struct fixture *f = all_cached(0);
    mmu_flush_pcid(&f->mmu, 0, true, FLUSH_MOV_CR3);
    touch_all(f);
    booked(f, FLUSH_MOV_CR3, 1, 30, 2, 0, 1, 3, 132);
    end(f);
}

static void page_fault(void **state)
{
    (void)state;
    struct fixture *f = all_cached(0);
    map(f, ONE, 0,
        0x5000 | P | A); /* read-only from now on, and cached as writable for a supervisor's read */
    mmu_invlpg(&f->mmu, ONE);
    go(f, ONE, MMU_READ, SUPERVISOR); /* 48, charged to INVLPG */
    assert_int_equal(go(f, ONE, MMU_WRITE, SUPERVISOR),
                     MMU_PAGE_FAULT); /* 48 and no refill: it found no page */
    go(f, ONE, MMU_READ, SUPERVISOR); /* 48 */
    assert_int_equal(f->account.flush[FLUSH_PAGE_FAULT].count, 1);
    assert_int_equal(f->account.flush[FLUSH_PAGE_FAULT].cycles, 0);
    assert_int_equal(f->account.flush[FLUSH_PAGE_FAULT].refills[TRACE_MAPPING_LINEAR], 1);
    assert_int_equal(f->account.flush[FLUSH_PAGE_FAULT].refill_cycles[TRACE_MAPPING_LINEAR], 48);
    assert_int_equal(f->account.now, 180 + 3 * 48);
    end(f);
}

/* A guest under EPT, all in 4-KByte pages: one page of its own, four pages with its paging structures. First
 * walk: 4 times an EPT walk and a guest reference, and the EPT walk of the page: 4 * (48 + 12) + 48 = 288. */
static struct fixture *cached_under_ept(void)
{
    struct fixture *f = fixture_ept(0);
    map(f, ONE, 0, 0x5000 | ALL | A | D);
    assert_int_equal(go(f, ONE, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(f->account.now, 288);
    assert_int_equal(f->account.by[CYCLES_ROOT][CYCLES_WALK_EPT], 5 * 48);
    assert_int_equal(f->account.by[CYCLES_ROOT][CYCLES_WALK_LINEAR], 48);
    return f;
}

/* Both types drop all: 5 guest-physical mappings, 1 combined. The walk that follows takes 288, of which 5 *
 * 48 = 240 are for the guest-physical mappings and 48 for the combined one. */
static void invept(void **state)
{
    (void)state;
    for (int all = 0; all <= 1; all++) {
        struct fixture *f = cached_under_ept();
        const struct flush_account *flush = &f->account.flush[all ? FLUSH_INVEPT_ALL : FLUSH_INVEPT_SINGLE];
        f->profile.cost.invept.cycles = 300;
        if (all)
            mmu_flush_all_ept(&f->mmu);
        else
            mmu_flush_ept(&f->mmu, f->regime.eptp);
        go(f, ONE, MMU_READ, SUPERVISOR);
        assert_int_equal(flush->count, 1);
        assert_int_equal(flush->cycles, 300);
        assert_int_equal(flush->dropped[TRACE_MAPPING_COMBINED][TLB_PAGE_4K][0], 1);
        assert_int_equal(flush->dropped[TRACE_MAPPING_GUEST_PHYSICAL][TLB_PAGE_4K][0], 5);
        assert_int_equal(flush->refills[TRACE_MAPPING_COMBINED], 1);
        assert_int_equal(flush->refill_cycles[TRACE_MAPPING_COMBINED], 48);
        assert_int_equal(flush->refills[TRACE_MAPPING_GUEST_PHYSICAL], 5);
        assert_int_equal(flush->refill_cycles[TRACE_MAPPING_GUEST_PHYSICAL], 240);
        assert_int_equal(f->account.refill_cycles, 288);
        assert_int_equal(f->account.now, 2 * 288);
        end(f);
    }
}

/* SDM "Operations that Invalidate Cached Mappings": an EPT violation drops the guest-physical mappings of the
 * address and the combined ones of the linear address. The write finds a mapping that allows reading, walks
 * (48 for the guest's tables, whose mappings are cached, and 48 for the EPT's) and violates. Once the EPT
 * allows it, the same walk is two refills of 48. */
static void ept_violation(void **state)
{
    (void)state;
    struct fixture *f = cached_under_ept();
    const struct flush_account *flush = &f->account.flush[FLUSH_EPT_VIOLATION];
    map_ept(f, 0x5000, 0, 0x5000 | ER | EWB);
    mmu_flush_ept(&f->mmu, f->regime.eptp);
    assert_int_equal(go(f, ONE, MMU_READ, SUPERVISOR), MMU_OK); /* 288, refills of the INVEPT */
    assert_int_equal(go(f, ONE, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_int_equal(f->account.now, 288 + 288 + 96);
    assert_int_equal(flush->count, 1);
    assert_int_equal(flush->cycles, 0);
    assert_int_equal(flush->dropped[TRACE_MAPPING_COMBINED][TLB_PAGE_4K][0], 1);
    assert_int_equal(flush->dropped[TRACE_MAPPING_GUEST_PHYSICAL][TLB_PAGE_4K][0], 1);
    map_ept(f, 0x5000, 0, 0x5000 | ER | EW | EX | EWB);
    assert_int_equal(go(f, ONE, MMU_WRITE, SUPERVISOR), MMU_OK);
    assert_int_equal(flush->refills[TRACE_MAPPING_COMBINED], 1);
    assert_int_equal(flush->refill_cycles[TRACE_MAPPING_COMBINED], 48);
    assert_int_equal(flush->refills[TRACE_MAPPING_GUEST_PHYSICAL], 1);
    assert_int_equal(flush->refill_cycles[TRACE_MAPPING_GUEST_PHYSICAL], 48);
    end(f);
}

/* The translation may be another by then: it was dropped, and is walked again. The first flush that dropped
 * it pays. */
static void a_changed_translation_is_a_refill_of_the_first_flush(void **state)
{
    (void)state;
    struct fixture *f = all_cached(0);
    mmu_invlpg(&f->mmu, ONE);
    map(f, ONE, 0, 0x8000 | ALL | A | D);
    mmu_flush_pcid(&f->mmu, 0, true, FLUSH_MOV_CR3); /* finds TWO and LARGE */
    go(f, ONE, MMU_READ, SUPERVISOR);
    assert_int_equal(f->at.physical, 0x8000);
    assert_int_equal(f->account.flush[FLUSH_INVLPG].refills[TRACE_MAPPING_LINEAR], 1);
    assert_int_equal(f->account.flush[FLUSH_MOV_CR3].dropped[TRACE_MAPPING_LINEAR][TLB_PAGE_4K][0], 1);
    assert_int_equal(f->account.flush[FLUSH_MOV_CR3].refills[TRACE_MAPPING_LINEAR], 0);
    end(f);
}

/* Without PCIDs all address spaces have the same tags. What the next one caches is no refill, but for global
 * pages. */
static void another_address_space_refills_nothing(void **state)
{
    (void)state;
    struct fixture *f = all_cached(0);
    const uint64_t first = f->regime.cr3, second = new_table(f);
    mmu_flush_pcid(&f->mmu, 0, true, FLUSH_MOV_CR3);
    f->regime.cr3 = second;
    apply(f);
    map(f, ONE, 0, 0x9000 | ALL | A | D);
    go(f, ONE, MMU_READ, SUPERVISOR);
    assert_int_equal(f->at.physical, 0x9000);
    assert_int_equal(f->account.refill_cycles, 0);
    /* Back again: its own page is one of the second flush; that of the first space is still one of the first.
     */
    mmu_flush_pcid(&f->mmu, 0, true, FLUSH_MOV_CR4);
    f->regime.cr3 = first;
    apply(f);
    go(f, ONE, MMU_READ, SUPERVISOR);
    assert_int_equal(f->at.physical, 0x5000);
    assert_int_equal(f->account.flush[FLUSH_MOV_CR3].refills[TRACE_MAPPING_LINEAR], 1);
    assert_int_equal(f->account.flush[FLUSH_MOV_CR4].refills[TRACE_MAPPING_LINEAR], 0);
    end(f);
}

/* A TLB of one set of two ways: the record of what was dropped is as large as the TLB. */
static void records_end_with_their_way(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    mmu_free(&f->mmu);
    f->profile.tlb = (struct tlb_geometry){
        .main_4k_2m = {2, 2, ""}, .guest_physical = {64, 64, ""}, .main_holds_2m = true};
    assert_true(mmu_init(&f->mmu, &f->profile, &f->mem, &f->trace, &f->account));
    f->regime = (struct mmu_regime){
        .cr0 = CR0_PE | CR0_PG, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA, .cr3 = new_table(f)};
    apply(f);
    for (uint64_t page = 1; page <= 4; page++)
        map(f, page << 12, 0, page << 12 | ALL | A | D);
    go(f, 0x1000, MMU_READ, SUPERVISOR);
    go(f, 0x2000, MMU_READ, SUPERVISOR);
    go(f, 0x3000, MMU_READ, SUPERVISOR);             /* page 1 has to leave: no flush */
    mmu_flush_pcid(&f->mmu, 0, true, FLUSH_MOV_CR3); /* pages 2 and 3 */
    go(f, 0x4000, MMU_READ, SUPERVISOR); /* takes the way of page 2, the one that was not used for longest */
    go(f, 0x1000, MMU_READ, SUPERVISOR); /* takes the way of page 3 */
    go(f, 0x2000, MMU_READ, SUPERVISOR);
    go(f, 0x3000, MMU_READ, SUPERVISOR);
    assert_int_equal(f->account.flush[FLUSH_MOV_CR3].dropped[TRACE_MAPPING_LINEAR][TLB_PAGE_4K][0], 2);
    assert_int_equal(f->account.refill_cycles, 0);
    assert_int_equal(f->mmu.tlb->ghost_count, 0);
    end(f);
}

/* The first level of two holds what was filled last. Page 1 comes from the second level after two others. */
static void second_level(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    mmu_free(&f->mmu);
    f->profile.tlb.first_level = (struct tlb_array_geometry){2, 2, ""};
    f->profile.cost.tlb_second_level.cycles = 9;
    assert_true(mmu_init(&f->mmu, &f->profile, &f->mem, &f->trace, &f->account));
    f->regime = (struct mmu_regime){
        .cr0 = CR0_PE | CR0_PG, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA, .cr3 = new_table(f)};
    apply(f);
    for (uint64_t page = 1; page <= 3; page++) {
        map(f, page << 12, 0, page << 12 | ALL | A | D);
        go(f, page << 12, MMU_READ, SUPERVISOR);
    }
    go(f, 0x3000, MMU_READ, SUPERVISOR); /* first level */
    go(f, 0x2000, MMU_READ, SUPERVISOR); /* two fills ago: 9 */
    go(f, 0x3000, MMU_READ, SUPERVISOR); /* first level */
    go(f, 0x1000, MMU_READ, SUPERVISOR); /* 9 */
    assert_int_equal(f->account.by[CYCLES_ROOT][CYCLES_TLB_SECOND_LEVEL], 18);
    assert_int_equal(f->account.now, 3 * 48 + 18);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vpid_off),
        cmocka_unit_test(vpid_on),
        cmocka_unit_test(invvpid),
        cmocka_unit_test(invlpg_of_a_global_page),
        cmocka_unit_test(mov_to_cr3),
        cmocka_unit_test(page_fault),
        cmocka_unit_test(invept),
        cmocka_unit_test(ept_violation),
        cmocka_unit_test(a_changed_translation_is_a_refill_of_the_first_flush),
        cmocka_unit_test(another_address_space_refills_nothing),
        cmocka_unit_test(records_end_with_their_way),
        cmocka_unit_test(second_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
