/* test_invalidate.c: what each operation drops and what it must keep. SDM volume 3C, "Operations that
 * Invalidate Cached Mappings"; volume 3A, "Operations that Invalidate TLBs and Paging-Structure Caches". */
#include "tests/tlb/tlb_fixture.h"

#include "tlb/tlb.h"

/* Pages: 0x1000 ordinary, 0x2000 global. Contexts are entered in turn and each caches both. */
enum context {
    ROOT,
    ROOT_PCID_5,
    VPID_1,
    VPID_1_PCID_5,
    VPID_1_EPT,
    VPID_1_EPT_OTHER,
    VPID_2_EPT,
    CONTEXT_COUNT
};

static const struct {
    uint16_t vpid, pcid;
    uint64_t eptp; /* 0: no EPT */
} contexts[CONTEXT_COUNT] = {
    [ROOT] = {0, 0, 0},
    [ROOT_PCID_5] = {0, 5, 0},
    [VPID_1] = {1, 0, 0},
    [VPID_1_PCID_5] = {1, 5, 0},
    [VPID_1_EPT] = {1, 0, 0x800000},
    [VPID_1_EPT_OTHER] = {1, 0, 0x900000},
    [VPID_2_EPT] = {2, 0, 0x800000},
};

static void enter(struct fixture *f, enum context c)
{
    f->regime.non_root = contexts[c].vpid != 0;
    f->regime.vpid = contexts[c].vpid;
    f->regime.cr3 = (f->regime.cr3 & ~0xfffull) | contexts[c].pcid;
    f->regime.ept = contexts[c].eptp != 0;
    f->regime.eptp = contexts[c].eptp ? contexts[c].eptp | EPTP_FORM : 0;
    apply(f);
}

/* Everything cached in every context; the guest-physical array holds the tables' pages and two pages for each
 * EP4TA. */
static struct fixture *filled(void)
{
    struct fixture *f = fixture_4level();
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    map(f, 0x2000, 0, 0x6000 | ALL | A | D | G);
    f->regime.cr4 |= CR4_PGE | CR4_PCIDE;
    for (uint64_t root = 0x800000; root <= 0x900000; root += 0x100000) {
        put64(f, root, (root + 0x1000) | 7);
        put64(f, root + 0x1000, 0 | 7 | EPS | EWB); /* one page of 1 GiB */
    }
    for (unsigned c = 0; c < CONTEXT_COUNT; c++) {
        enter(f, (enum context)c);
        go(f, 0x1000, MMU_WRITE, SUPERVISOR);
        go(f, 0x2000, MMU_WRITE, SUPERVISOR);
    }
    f->flushes = f->page_drops = f->full_drops = 0;
    return f;
}

/* Which of the two pages are cached: bit 0 the ordinary one, bit 1 the global one. Looks into the arrays: a
 * walk would cache, and a fault would drop. */
static unsigned held(struct fixture *f, enum context c)
{
    struct tlb_hit hit;
    enter(f, c);
    return (tlb_find(f->mmu.tlb, 0x1000, &hit) ? 1u : 0) | (tlb_find(f->mmu.tlb, 0x2000, &hit) ? 2u : 0);
}

#define EXPECT(f, ...)                                                                                       \
    do {                                                                                                     \
        const unsigned expected[CONTEXT_COUNT] = {__VA_ARGS__};                                              \
        for (unsigned c_ = 0; c_ < CONTEXT_COUNT; c_++)                                                      \
            assert_int_equal(c_ << 4 | held(f, (enum context)c_), c_ << 4 | expected[c_]);                   \
    } while (0)

/* One event, with the cause, what was dropped and what of it was global. */
static void recorded(struct fixture *f, enum trace_flush_cause cause, uint64_t dropped, uint64_t global)
{
    assert_int_equal(f->flushes, 1);
    assert_int_equal(f->flush.code, cause);
    assert_int_equal(f->flush.a, dropped);
    assert_int_equal(f->flush.b, global);
}

/* Root and VPID 1 without EPT hold the global page once for both PCIDs: 7 contexts, 7 + 5 mappings. */
static void everything_is_tagged(void **state)
{
    struct fixture *f = filled();
    (void)state;
    EXPECT(f, 3, 3, 3, 3, 3, 3, 3);
    assert_int_equal(f->flushes, 0);
    fixture_free(f);
}

static void invlpg(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, VPID_1_EPT);
    f->full_drops = 0;
    mmu_invlpg(&f->mmu, 0x1fff);
    recorded(f, FLUSH_INVLPG, 3, 0); /* the VPID without EPT and under two EP4TAs; PCID 0 */
    assert_int_equal(f->flush.cost, 150);
    assert_int_equal(f->page_drops, 1); /* of the three, one is the current regime's */
    assert_int_equal(f->dropped_linear, 0x1000);
    assert_int_equal(f->full_drops, 0);
    EXPECT(f, 3, 3, 2, 3, 2, 2, 3);
    fixture_free(f);
}

static void invlpg_of_a_global_page(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, ROOT_PCID_5);
    mmu_invlpg(&f->mmu, 0x2000); /* "INVLPG": global ones whatever their PCID */
    recorded(f, FLUSH_INVLPG, 1, 1);
    assert_int_equal(f->flush.vpid, 0);
    EXPECT(f, 1, 1, 3, 3, 3, 3, 3);
    fixture_free(f);
}

static void mov_cr3(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, VPID_1);
    f->full_drops = 0;
    mmu_flush_pcid(&f->mmu, 5, true, FLUSH_MOV_CR3);
    recorded(f, FLUSH_MOV_CR3, 1, 0);
    assert_int_equal(f->page_drops + f->full_drops, 0); /* not of the current PCID */
    EXPECT(f, 3, 3, 3, 2, 3, 3, 3);
    fixture_free(f);
}

static void mov_cr4(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, VPID_1);
    f->full_drops = 0;
    mmu_flush_pcid(&f->mmu, -1, false, FLUSH_MOV_CR4);
    recorded(f, FLUSH_MOV_CR4, 7, 3); /* 4 contexts of VPID 1: 4 ordinary, 3 global */
    assert_int_equal(f->full_drops, 1);
    EXPECT(f, 3, 3, 0, 0, 0, 0, 3);
    fixture_free(f);
}

static void invpcid_address(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, ROOT);
    mmu_flush_pcid_address(&f->mmu, 5, 0x1000);
    recorded(f, FLUSH_INVPCID_ADDRESS, 1, 0);
    mmu_flush_pcid_address(&f->mmu, 0, 0x2000); /* not global ones */
    assert_int_equal(f->flush.a, 0);
    EXPECT(f, 3, 2, 3, 3, 3, 3, 3);
    fixture_free(f);
}

static void invpcid_all(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, ROOT);
    mmu_flush_pcid(&f->mmu, -1, true, FLUSH_INVPCID_ALL_NONGLOBAL);
    recorded(f, FLUSH_INVPCID_ALL_NONGLOBAL, 2, 0);
    EXPECT(f, 2, 2, 3, 3, 3, 3, 3);
    fixture_free(f);
}

static void invvpid_address(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, ROOT);
    f->page_drops = f->full_drops = 0;
    mmu_flush_vpid_address(&f->mmu, 1, 0x1000);
    recorded(f, FLUSH_INVVPID_ADDRESS, 4, 0); /* all PCIDs, all EP4TAs */
    assert_int_equal(f->page_drops + f->full_drops, 0);
    EXPECT(f, 3, 3, 2, 2, 2, 2, 3);
    mmu_flush_vpid_address(&f->mmu, 1, 0x2000);
    assert_int_equal(f->flush.b, 3);
    EXPECT(f, 3, 3, 0, 0, 0, 0, 3);
    fixture_free(f);
}

static void invvpid_single(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, ROOT);
    mmu_flush_vpid(&f->mmu, 1, true, FLUSH_INVVPID_SINGLE_NONGLOBAL);
    recorded(f, FLUSH_INVVPID_SINGLE_NONGLOBAL, 4, 0);
    EXPECT(f, 3, 3, 2, 2, 2, 2, 3);
    mmu_flush_vpid(&f->mmu, 1, false, FLUSH_INVVPID_SINGLE);
    assert_int_equal(f->flush.a, 3);
    assert_int_equal(f->flush.b, 3);
    EXPECT(f, 3, 3, 0, 0, 0, 0, 3);
    mmu_flush_vpid(&f->mmu, 0x101, false, FLUSH_INVVPID_SINGLE); /* same low byte, nobody's */
    mmu_flush_vpid(&f->mmu, 0x102, false, FLUSH_INVVPID_SINGLE);
    assert_int_equal(f->flush.a, 0);
    EXPECT(f, 3, 3, 0, 0, 0, 0, 3);
    fixture_free(f);
}

static void invvpid_all(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, ROOT);
    mmu_flush_all_vpids(&f->mmu);
    recorded(f, FLUSH_INVVPID_ALL, 9, 4);
    EXPECT(f, 3, 3, 0, 0, 0, 0, 0);
    fixture_free(f);
}

/* "Operations that Need Not Invalidate": INVVPID keeps guest-physical mappings, INVEPT keeps linear ones. */
static void invept(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, ROOT);
    mmu_flush_ept(&f->mmu, 0x800000 | EPTP_FORM | EPTP_AD); /* bits 51:12 decide */
    recorded(f, FLUSH_INVEPT_SINGLE, 5, 2); /* 2 for each of two VPIDs, and the one 1-GiB mapping */
    EXPECT(f, 3, 3, 3, 3, 0, 3, 0);
    mmu_flush_all_ept(&f->mmu);
    assert_int_equal(f->flush.code, FLUSH_INVEPT_ALL);
    assert_int_equal(f->flush.b, 1);
    EXPECT(f, 3, 3, 3, 3, 0, 0, 0);
    fixture_free(f);
}

static void guest_physical_mappings_stay(void **state)
{
    struct fixture *f = filled();
    (void)state;
    enter(f, VPID_1_EPT);
    mmu_flush_vpid(&f->mmu, 1, false, FLUSH_INVVPID_SINGLE);
    mmu_flush_vpid(&f->mmu, 2, false, FLUSH_INVVPID_SINGLE);
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(f->miss.b, 4); /* the guest's four entries: no EPT entry was read */
    mmu_flush_ept(&f->mmu, 0x800000);
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    assert_int_equal(f->miss.b, 6); /* and the two of the 1-GiB mapping */
    fixture_free(f);
}

/* A large page that is cached in pieces goes as a whole. */
static void pieces_go_together(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    map(f, 0x40000000, 1, 0x200000 | PS | ALL | A | D);
    map(f, 0x40200000, 1, 0x400000 | PS | ALL | A | D);
    for (uint64_t page = 0; page < 5; page++)
        go(f, 0x40000000 + page * 0x1000, MMU_READ, SUPERVISOR);
    go(f, 0x40200000, MMU_READ, SUPERVISOR);
    f->full_drops = 0;
    mmu_invlpg(&f->mmu, 0x401ff000);
    recorded(f, FLUSH_INVLPG, 5, 0);
    assert_int_equal(f->full_drops, 1);
    assert_true(cached(f, 0x40200fff));
    assert_false(cached(f, 0x40003000));
    fixture_free(f);
}

static void regime_changes_drop_the_outer_cache(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    f->full_drops = 0;
    f->regime.cr0 |= CR0_TS;
    f->regime.cr4 |= CR4_OSFXSR;
    apply(f);
    assert_int_equal(f->full_drops, 0);
    f->regime.cr0 &= ~CR0_WP;
    apply(f);
    assert_int_equal(f->full_drops, 1);
    assert_int_equal(f->flushes, 0);
    fixture_free(f);
}

/* CR4.PGE = 0: G is ignored. */
static void no_global_pages(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x2000, 0, 0x6000 | ALL | G);
    go(f, 0x2000, MMU_READ, SUPERVISOR);
    mmu_flush_pcid(&f->mmu, 0, true, FLUSH_MOV_CR3);
    recorded(f, FLUSH_MOV_CR3, 1, 0);
    fixture_free(f);
}

struct switches {
    unsigned to_others, to_all, to_page, switches;
};

static void count_page(void *opaque, uint64_t linear, unsigned page_bits)
{
    (void)linear, (void)page_bits;
    ((struct switches *)opaque)->to_page++;
}
static void count_all(void *opaque)
{
    ((struct switches *)opaque)->to_all++;
}
static void count_others(void *opaque)
{
    ((struct switches *)opaque)->to_others++;
}
static void count_switch(void *opaque, const struct mmu_regime *to)
{
    (void)to;
    ((struct switches *)opaque)->switches++;
}

/* An outer cache that keeps what it has of other regimes hears of what they lose, too. */
static void tells_a_keeping_outer_cache(void **state)
{
    (void)state;
    struct switches n = {0};
    struct fixture *f = filled();
    f->mmu.outer = (struct mmu_outer_cache){.drop_page = count_page,
                                             .drop_all = count_all,
                                             .drop_others = count_others,
                                             .switch_regime = count_switch,
                                             .opaque = &n};
    enter(f, ROOT);
    assert_int_equal(n.switches, 1);
    mmu_flush_ept(&f->mmu, 0x800000); /* two pages of VPID 1 and two of VPID 2, none of the root's */
    assert_int_equal(n.to_others, 1);
    assert_int_equal(n.to_all + n.to_page, 0);
    mmu_flush_vpid_address(&f->mmu, 1, 0x2000); /* without EPT (global), and under the other EPT */
    assert_int_equal(n.to_others, 2);
    assert_int_equal(n.to_all, 0);
    mmu_flush_vpid(&f->mmu, 0, false, FLUSH_MOV_CR4); /* this one's, and those of the other PCID */
    assert_int_equal(n.to_all, 1);
    assert_int_equal(n.to_others, 3);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_tagged),
        cmocka_unit_test(invlpg),
        cmocka_unit_test(invlpg_of_a_global_page),
        cmocka_unit_test(mov_cr3),
        cmocka_unit_test(mov_cr4),
        cmocka_unit_test(invpcid_address),
        cmocka_unit_test(invpcid_all),
        cmocka_unit_test(invvpid_address),
        cmocka_unit_test(invvpid_single),
        cmocka_unit_test(invvpid_all),
        cmocka_unit_test(invept),
        cmocka_unit_test(guest_physical_mappings_stay),
        cmocka_unit_test(pieces_go_together),
        cmocka_unit_test(regime_changes_drop_the_outer_cache),
        cmocka_unit_test(no_global_pages),
        cmocka_unit_test(tells_a_keeping_outer_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
