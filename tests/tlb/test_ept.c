/* test_ept.c: SDM volume 3C, "EPT Translation Mechanism", "EPT-Induced VM Exits", "Accessed and Dirty Flags
 * for EPT". */
#include "tests/tlb/tlb_fixture.h"

#define LINEAR_VALID (1ull << 7)
#define TRANSLATION (1ull << 8)
#define RWX (ER | EW | EX)

static uint64_t ept_entry(struct fixture *f, uint64_t guest_physical, unsigned level)
{
    return entry_at(f, f->regime.eptp & ~0xfffull, guest_physical, level, RWX);
}

static uint64_t violates(struct fixture *f, uint64_t linear, enum mmu_access access, uint64_t guest_physical)
{
    assert_int_equal(go(f, linear, access, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.guest_physical, guest_physical);
    assert_int_equal(f->fault.linear, linear);
    return f->fault.qualification;
}

static void two_dimensions(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL);
    map_ept(f, 0x5000, 0, 0x9000 | RWX | EWB);
    reaches(f, 0x1abc, MMU_READ, USER, 0x9abc);
    assert_int_equal(f->miss.code, TRACE_MAPPING_COMBINED);
    /* 4 guest entries + 5 EPT walks of 4, nothing cached: the tables of the guest lie in 4 pages */
    assert_int_equal(f->miss.b, 24);
    assert_int_equal(f->miss.vpid, 1);
    map(f, 0x2000, 0, 0x6000 | ALL);
    reaches(f, 0x2000, MMU_READ, USER, 0x6000);
    assert_int_equal(f->miss.b,
                     8); /* guest-physical mappings of the tables are cached: 4, and 4 for the page */
    fixture_free(f);
}

static void without_guest_paging(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    f->regime.cr0 = CR0_PE;
    f->regime.efer = 0;
    f->regime.cr4 |= CR4_SMEP | CR4_SMAP; /* of no effect without paging */
    apply(f);
    map_ept(f, 0x7000, 0, 0x9000 | ER | EX | EWB);
    reaches(f, 0x7123, MMU_READ, SUPERVISOR, 0x9123);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_EXECUTE);
    assert_int_equal(f->miss.b, 4);
    assert_int_equal(violates(f, 0x7123, MMU_WRITE, 0x7123),
                     EW | ER << 3 | EX << 3 | LINEAR_VALID | TRANSLATION);
    fixture_free(f);
}

static void smaller_page_counts(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    map(f, 0x40000000, 1, 0x200000 | PS | ALL);
    reaches(f, 0x40003210, MMU_READ, USER, 0x203210); /* EPT has 4 KiB */
    assert_int_equal(f->at.page_bits, 12);
    put64(f, ept_entry(f, 0x40000000, 2), 0x40000000 | EPS | RWX | EWB);
    map(f, 0x50000000, 1, 0x40200000 | PS | ALL);
    reaches(f, 0x50123456, MMU_READ, USER, 0x40323456); /* guest 2 MiB, EPT 1 GiB */
    assert_int_equal(f->at.page_bits, 21);
    map(f, 0x80000000, 2, 0x40000000 | PS | ALL);
    reaches(f, 0x81234567, MMU_READ, USER, 0x41234567);
    assert_int_equal(f->at.page_bits, 30);
    fixture_free(f);
}

/* Table "Exit Qualification for EPT Violations", bits 0 to 8, for the page itself. */
static void qualification_of_the_page(void **state)
{
    static const struct {
        uint64_t rights;
        enum mmu_access access;
        uint64_t expected;
    } rows[] = {
        {ER, MMU_WRITE, EW | ER << 3},
        {ER, MMU_FETCH, EX | ER << 3},
        {ER | EX, MMU_WRITE, EW | 5 << 3},
        {ER | EW, MMU_FETCH, EX | 3 << 3},
        {0, MMU_READ, ER},
        {0, MMU_WRITE, EW},
        {0, MMU_FETCH, EX},
        {EX, MMU_READ, ER | EX << 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned level = 0; level < 4; level++) {
            struct fixture *f = fixture_ept(0);
            f->profile.vmx.ept_vpid_cap |= 1; /* execute-only */
            /* a page apart from the guest's tables: they must stay reachable when a high level changes */
            map_ept(f, 0x8000000000, 0, 0x5000 | RWX | EWB);
            f->profile.physical_address_bits = 46;
            map(f, 0x1000, 0, 0x8000000000 | ALL | D);
            uint64_t at = ept_entry(f, 0x8000000000, level);
            put64(f, at, (get64(f, at) & ~7ull) | rows[i].rights);
            assert_int_equal(violates(f, 0x1040, rows[i].access, 0x8000000040),
                             rows[i].expected | LINEAR_VALID | TRANSLATION);
            fixture_free(f);
        }
}

static void qualification_of_guest_tables(void **state)
{
    struct fixture *f = fixture_ept(0);
    uint64_t pte = map(f, 0x1000, 0, 0x5000 | ALL | A | D), page = pte & ~0xfffull;
    (void)state;
    put64(f, ept_entry(f, page, 0), page | EWB);
    assert_int_equal(violates(f, 0x1000, MMU_WRITE, pte), ER | LINEAR_VALID);
    put64(f, ept_entry(f, page, 0), page | EWB | ER);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK); /* flags are set: a plain read */
    map(f, 0x2000, 0, 0x6000 | ALL);
    /* the accessed flag is to be written: read and write */
    assert_int_equal(violates(f, 0x2000, MMU_READ, pte + 8), ER | EW | ER << 3 | LINEAR_VALID);
    assert_int_equal(get64(f, pte + 8), 0x6000 | ALL);
    fixture_free(f);
}

/* With accessed and dirty flags for EPT each access to a guest table is a write: even with A set. */
static void guest_tables_are_written_with_flags(void **state)
{
    struct fixture *f = fixture_ept(EPTP_AD);
    uint64_t pte = map(f, 0x1000, 0, 0x5000 | ALL | A | D), page = pte & ~0xfffull;
    (void)state;
    put64(f, ept_entry(f, page, 0), page | EWB | ER);
    assert_int_equal(violates(f, 0x1000, MMU_READ, pte), ER | EW | ER << 3 | LINEAR_VALID);
    fixture_free(f);
}

static void accessed_and_dirty_flags(void **state)
{
    struct fixture *f = fixture_ept(EPTP_AD);
    uint64_t pte = map(f, 0x1000, 0, 0x5000 | ALL), table = pte & ~0xfffull;
    (void)state;
    assert_int_equal(go(f, 0x1000, MMU_READ, USER), MMU_OK);
    assert_int_equal(get64(f, ept_entry(f, 0x5000, 0)) & (EA | ED), EA);
    assert_int_equal(get64(f, ept_entry(f, 0x5000, 1)) & (EA | ED), EA);
    assert_int_equal(get64(f, ept_entry(f, 0x5000, 3)) & (EA | ED), EA);
    assert_int_equal(get64(f, ept_entry(f, table, 0)) & (EA | ED), EA | ED);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_EXECUTE);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, USER), MMU_OK);
    assert_int_equal(get64(f, ept_entry(f, 0x5000, 0)) & (EA | ED), EA | ED);
    assert_int_equal(f->at.rights, 7);
    /* guest D set already, EPT D not: a read does not give the right to write */
    map(f, 0x2000, 0, 0x6000 | ALL | A | D);
    assert_int_equal(go(f, 0x2000, MMU_READ, USER), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_EXECUTE);
    fixture_free(f);
}

static void no_flags_unless_enabled(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | A | D);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, USER), MMU_OK);
    assert_int_equal(f->at.rights, 7);
    assert_int_equal(get64(f, ept_entry(f, 0x5000, 0)), 0x5000 | RWX | EWB);
    fixture_free(f);
}

/* "EPT Misconfigurations", each condition, and neighbours that are none. */
static void misconfigurations(void **state)
{
    static const struct {
        unsigned level;
        uint64_t clear, set;
        uint64_t capabilities;
        bool wrong;
    } rows[] = {
        {0, RWX, EW, 0, true},
        {0, RWX, EW | EX, 1, true},
        {3, RWX, EW | EX, 0, true},
        {0, RWX, EX, 0, true},
        {0, RWX, EX, 1, false},
        {1, RWX, EX, 1, false},
        {0, 0, 1ull << 39, 0, true},
        {3, 0, 1ull << 51, 0, true},
        {0, 0, 1ull << 52, 0, false},
        {0, EWB, 2 << 3, 0, true},
        {0, EWB, 3 << 3, 0, true},
        {0, EWB, 7 << 3, 0, true},
        {0, EWB, 0, 0, false},
        {0, EWB, 1 << 3, 0, false},
        {0, EWB, 4 << 3, 0, false},
        {0, EWB, 5 << 3, 0, false},
        {0, 0, EPS, 0, false},
        {1, 0, 1 << 3, 0, true},
        {1, 0, 1 << 6, 0, true},
        {2, 0, 1 << 5, 0, true},
        {3, 0, 1 << 7, 0, true},
        {3, 0, 1 << 3, 0, true},
        {3, 0, 1ull << 11 | 1 << 10, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = fixture_ept(0);
        f->regime.cr0 = 0;
        f->regime.efer = 0;
        apply(f);
        f->profile.vmx.ept_vpid_cap |= rows[i].capabilities;
        uint64_t at = ept_entry(f, 0x5000, rows[i].level);
        put64(f, at, (get64(f, at) & ~rows[i].clear) | rows[i].set);
        enum mmu_status status = go(f, 0x5678, MMU_FETCH, SUPERVISOR);
        assert_int_equal(status, rows[i].wrong ? MMU_EPT_MISCONFIGURATION : MMU_OK);
        if (rows[i].wrong)
            assert_int_equal(f->fault.guest_physical, 0x5678);
        fixture_free(f);
    }
}

static void large_page_misconfigurations(void **state)
{
    static const struct {
        unsigned level;
        uint64_t entry;
        uint64_t capabilities;
        bool wrong;
    } rows[] = {
        {1, 0x200000, 1ull << 16, false},         {1, 0x200000, 1ull << 17, true}, /* no 2 MiB pages */
        {1, 0x201000, 1ull << 16, true},          {1, 0x300000, 1ull << 16, true},
        {2, 0x40000000, 1ull << 17, false},       {2, 0x40000000, 1ull << 16, true},
        {2, 0x60000000, 1ull << 17, true},        {2, 0x40001000, 1ull << 17, true},
        {1, 0x200000 | 2 << 3, 1ull << 16, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *f = fixture_ept(0);
        f->regime.cr0 = 0;
        f->regime.efer = 0;
        apply(f);
        f->profile.vmx.ept_vpid_cap = rows[i].capabilities;
        put64(f, ept_entry(f, 0x80000000, rows[i].level), rows[i].entry | EPS | RWX);
        assert_int_equal(go(f, 0x80000000, MMU_READ, SUPERVISOR),
                         rows[i].wrong ? MMU_EPT_MISCONFIGURATION : MMU_OK);
        fixture_free(f);
    }
}

/* "EPT Translation Mechanism": bits 51:48 must be zero; note 2 of the qualification: bits 5:3 are clear then.
 */
static void beyond_four_levels(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    f->profile.physical_address_bits = 52;
    map(f, 0x1000, 0, 1ull << 48 | 0x5000 | ALL);
    map(f, 0x2000, 0, 0x5000 | ALL);
    assert_int_equal(go(f, 0x2000, MMU_READ, SUPERVISOR),
                     MMU_OK); /* caches the page that differs in bit 48 */
    assert_int_equal(violates(f, 0x1000, MMU_READ, 1ull << 48 | 0x5000), ER | LINEAR_VALID | TRANSLATION);
    fixture_free(f);
}

/* "Prioritization": the guest's rights come before the EPT's for the page. */
static void page_fault_before_violation(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | P);
    put64(f, ept_entry(f, 0x5000, 0), 0);
    assert_int_equal(faults(f, 0x1000, MMU_WRITE, SUPERVISOR), PF_P | PF_W);
    assert_int_equal(violates(f, 0x1000, MMU_READ, 0x5000), ER | LINEAR_VALID | TRANSLATION);
    fixture_free(f);
}

static void violation_drops(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    map(f, 0x1000, 0, 0x5000 | ALL | D);
    put64(f, ept_entry(f, 0x5000, 0), 0x5000 | ER | EX | EWB);
    assert_int_equal(go(f, 0x1000, MMU_READ, SUPERVISOR), MMU_OK);
    violates(f, 0x1000, MMU_WRITE, 0x5000);
    assert_int_equal(f->flush.code, FLUSH_EPT_VIOLATION);
    assert_int_equal(f->flush.a, 2); /* one guest-physical, one combined */
    assert_int_equal(f->page_drops, 1);
    assert_false(cached(f, 0x1000));
    /* more rights in memory need no INVEPT */
    put64(f, ept_entry(f, 0x5000, 0), 0x5000 | RWX | EWB);
    assert_int_equal(go(f, 0x1000, MMU_WRITE, SUPERVISOR), MMU_OK);
    fixture_free(f);
}

static void pdptes_are_read_plainly(void **state)
{
    struct fixture *f = fixture_ept(EPTP_AD);
    uint64_t pdpte[4] = {0};
    bool invalid = true;
    (void)state;
    put64(f, 0x7020, 0x3001);
    put64(f, 0x7028, 0x1e6); /* not present: no bit is reserved */
    put64(f, ept_entry(f, 0x7000, 0), 0x7000 | ER | EWB);
    assert_int_equal(mmu_load_pdptes(&f->mmu, 0x7020, pdpte, &invalid, &f->fault), MMU_OK);
    assert_false(invalid);
    assert_int_equal(pdpte[0], 0x3001);
    assert_int_equal(pdpte[1], 0x1e6);
    assert_int_equal(get64(f, ept_entry(f, 0x7000, 0)) & (EA | ED), EA);
    assert_int_equal(f->miss.code, TRACE_MAPPING_GUEST_PHYSICAL);
    put64(f, ept_entry(f, 0x6000, 0), 0);
    assert_int_equal(mmu_load_pdptes(&f->mmu, 0x6000, pdpte, &invalid, &f->fault), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.qualification, ER); /* no linear address: bits 7 and 8 are clear */
    fixture_free(f);
}

static void pdpte_reserved_bits(void **state)
{
    static const struct {
        uint64_t value;
        bool valid;
    } rows[] = {
        {P, true},          {P | 0x18, true},       {P | 0xe00, true},
        {P | 2, false},     {P | 4, false},         {P | 0x20, false},
        {P | 0x100, false}, {P | 1ull << 38, true}, {P | 1ull << 39, false},
        {P | XD, false},    {0x1e6 | XD, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint64_t pdpte[4] = {0, 0, 0, rows[i].value};
        assert_int_equal(mmu_pdptes_valid(pdpte, 39), rows[i].valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_dimensions),
        cmocka_unit_test(without_guest_paging),
        cmocka_unit_test(smaller_page_counts),
        cmocka_unit_test(qualification_of_the_page),
        cmocka_unit_test(qualification_of_guest_tables),
        cmocka_unit_test(guest_tables_are_written_with_flags),
        cmocka_unit_test(accessed_and_dirty_flags),
        cmocka_unit_test(no_flags_unless_enabled),
        cmocka_unit_test(misconfigurations),
        cmocka_unit_test(large_page_misconfigurations),
        cmocka_unit_test(beyond_four_levels),
        cmocka_unit_test(page_fault_before_violation),
        cmocka_unit_test(violation_drops),
        cmocka_unit_test(pdptes_are_read_plainly),
        cmocka_unit_test(pdpte_reserved_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
