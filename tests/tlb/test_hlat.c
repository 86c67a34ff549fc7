/*
 * test_hlat.c: SDM volume 3A, "Ordinary Paging and HLAT Paging", "Restart of HLAT Paging", the HLAT flag of
 * "Page-Fault Exceptions", "Accessed and Dirty Flags"; volume 3C, "EPT Violations" (EPT paging-write control,
 * guest-paging verification), "EPT Misconfigurations", "Prioritization of EPT Misconfigurations and EPT
 * Violations".
 */
#include "tests/tlb/tlb_fixture.h"

#define RESTART (1ull << 11)
#define VERIFY (1ull << 57)
#define PAGING_WRITE (1ull << 58)
#define SUPPRESS_VE (1ull << 63)
#define RWX (ER | EW | EX)
#define LINEAR_VALID (1ull << 7)
#define TRANSLATION (1ull << 8)
#define VERIFICATION (1ull << 15)

#define LOW 0x1000ull
#define HIGH 0xffff800000001000ull
#define BY_HLAT 0x300000u
#define BY_GUEST 0x400000u

/* Maps in the hypervisor's tables. */
static uint64_t map_hlat(struct fixture *f, uint64_t linear, unsigned level, uint64_t value)
{
    uint64_t at = entry_at(f, f->regime.hlat_pointer, linear, level, ALL);
    put64(f, at, value);
    return at;
}

/* Both sets of tables map both pages, to different frames. */
static struct fixture *hlat_with(uint64_t eptp_flags)
{
    struct fixture *f = fixture_ept(eptp_flags);
    f->regime.hlat = true;
    f->regime.hlat_pointer = new_table(f);
    apply(f);
    map(f, LOW, 0, BY_GUEST | ALL | A | D);
    map(f, HIGH, 0, BY_GUEST | ALL | A | D);
    map_hlat(f, LOW, 0, BY_HLAT | ALL | A | D);
    map_hlat(f, HIGH, 0, BY_HLAT | ALL | A | D);
    return f;
}

static struct fixture *hlat(void)
{
    return hlat_with(0);
}

static void prefix_size_0_takes_all(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_HLAT);
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_HLAT);
    fixture_free(f);
}

static void other_prefix_sizes_take_bit_63(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    f->regime.hlat_upper_only = true;
    apply(f);
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_GUEST);
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_HLAT);
    fixture_free(f);
}

static void never_without_the_control_or_in_pae_paging(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    f->regime.hlat = false;
    apply(f);
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_GUEST);
    f->regime.hlat = true;
    f->regime.efer = EFER_NXE;
    f->regime.pdpte[0] = (get64(f, entry_at(f, f->regime.cr3, LOW, 2, ALL)) & ~0xfffull) | P;
    apply(f);
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_GUEST);
    fixture_free(f);
}

/* A change of the pointer alone drops nothing of the modelled TLB, but the outer cache's. */
static void kept_until_software_invalidates(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_HLAT);
    const unsigned drops = f->full_drops;
    f->regime.hlat_pointer = new_table(f);
    apply(f);
    assert_int_equal(f->full_drops, drops + 1);
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_HLAT);
    mmu_flush_vpid(&f->mmu, 1, false, FLUSH_INVVPID_SINGLE);
    assert_int_equal(faults(f, HIGH, MMU_READ, SUPERVISOR), PF_HLAT);
    fixture_free(f);
}

static void invept_drops_them(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_HLAT);
    mmu_flush_ept(&f->mmu, f->regime.eptp);
    assert_false(cached(f, HIGH));
    fixture_free(f);
}

static void error_code_has_the_flag(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    map_hlat(f, HIGH, 0, RESTART); /* not present: bit 11 says nothing */
    assert_int_equal(faults(f, HIGH, MMU_WRITE, SUPERVISOR), PF_HLAT | PF_W);
    map_hlat(f, HIGH, 0, BY_HLAT | ALL | RESTART | 1ull << 45); /* nor in an entry with a reserved bit */
    assert_int_equal(faults(f, HIGH, MMU_READ, USER), PF_HLAT | PF_P | PF_U | PF_RSVD);
    map_hlat(f, HIGH, 0, BY_HLAT | P | A); /* a violation of rights is none of translation */
    assert_int_equal(faults(f, HIGH, MMU_WRITE, SUPERVISOR), PF_P | PF_W);
    map_hlat(f, HIGH, 0, BY_HLAT | P | RESTART); /* nor are faults after a restart HLAT paging's */
    map(f, HIGH, 0, 0);
    assert_int_equal(faults(f, HIGH, MMU_READ, SUPERVISOR), 0);
    fixture_free(f);
}

/* Only the ordinary entries' rights count after a restart; accessed flags are set in the others too. */
static void restart_at_each_level(void **state)
{
    (void)state;
    for (unsigned level = 0; level < 4; level++) {
        struct fixture *f = hlat();
        const uint64_t at = entry_at(f, f->regime.hlat_pointer, HIGH, level, ALL);
        const uint64_t above = entry_at(f, f->regime.hlat_pointer, HIGH, 3, ALL);
        put64(f, at, (get64(f, at) & ~(ALL | A | D)) | P | RESTART | XD);
        reaches(f, HIGH, MMU_WRITE, USER, BY_GUEST);
        assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_WRITE | MMU_RIGHT_EXECUTE);
        assert_int_equal(get64(f, at) & (A | D), A);
        assert_true(get64(f, above) & A);
        assert_true(get64(f, entry_at(f, f->regime.cr3, HIGH, 3, ALL)) & A);
        assert_int_equal(f->at.page_bits, 12);
        fixture_free(f);
    }
}

/* SDM volume 3A, "Page Numbers, Page Frames, and Page Offsets": the level that restarts limits the page. */
static void restart_limits_the_page(void **state)
{
    static const struct {
        unsigned level, bits;
    } cases[] = {{0, 12}, {1, 21}, {2, 30}, {3, 30}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct fixture *f = hlat();
        map_ept(f, 0, 2, RWX | EWB | EPS); /* 1 GByte */
        map(f, HIGH, 2, ALL | A | D | PS);
        const uint64_t at = entry_at(f, f->regime.hlat_pointer, HIGH, cases[i].level, ALL);
        put64(f, at, get64(f, at) | RESTART);
        reaches(f, HIGH + 0x567, MMU_READ, SUPERVISOR, 0x1567);
        assert_int_equal(f->at.page_bits, cases[i].bits);
        fixture_free(f);
    }
}

static void five_levels(void **state)
{
    struct fixture *f = hlat();
    const uint64_t pml5 = new_table(f), guest_pml5 = new_table(f);
    (void)state;
    put64(f, pml5, f->regime.hlat_pointer | ALL);
    put64(f, guest_pml5, f->regime.cr3 | ALL);
    f->regime.hlat_pointer = pml5;
    f->regime.cr3 = guest_pml5;
    f->regime.cr4 |= CR4_LA57;
    apply(f);
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_HLAT);
    put64(f, pml5, get64(f, pml5) | RESTART);
    mmu_flush_vpid(&f->mmu, 1, false, FLUSH_INVVPID_SINGLE);
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_GUEST);
    fixture_free(f);
}

/* The PCID is that of CR3. */
static void tagged_with_the_pcid(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    f->regime.cr4 |= CR4_PCIDE;
    f->regime.cr3 |= 5;
    apply(f);
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_HLAT);
    f->regime.cr3 += 1;
    apply(f);
    assert_false(cached(f, HIGH));
    f->regime.cr3 -= 1;
    apply(f);
    assert_true(cached(f, HIGH));
    fixture_free(f);
}

static void an_ept_violation_of_the_tables(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    map_ept(f, f->regime.hlat_pointer, 0, 0);
    assert_int_equal(go(f, HIGH, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.guest_physical, f->regime.hlat_pointer + 0x800);
    assert_int_equal(f->fault.qualification, LINEAR_VALID | ER);
    fixture_free(f);
}

static void peek_follows(void **state)
{
    struct fixture *f = hlat();
    uint64_t physical;
    (void)state;
    assert_int_equal(mmu_peek(&f->mmu, HIGH, &physical), MMU_OK);
    assert_int_equal(physical, BY_HLAT);
    map_hlat(f, HIGH, 0, P | RESTART);
    assert_int_equal(mmu_peek(&f->mmu, HIGH, &physical), MMU_OK);
    assert_int_equal(physical, BY_GUEST);
    fixture_free(f);
}

/* --- EPT paging-write control --- */

static uint64_t page_of(uint64_t entry)
{
    return entry & ~0xfffull;
}

/* The guest's page table is write-protected by the EPT, and its accessed flag is to be set. */
static struct fixture *protected_table(uint64_t eptp_flags, uint64_t ept_bits, uint64_t *pte)
{
    struct fixture *f = fixture_ept(eptp_flags);
    f->regime.paging_write = true;
    apply(f);
    *pte = map(f, LOW, 0, BY_GUEST | ALL);
    map_ept(f, page_of(*pte), 0, page_of(*pte) | EWB | ept_bits);
    return f;
}

static void paging_writes_by_bit_58(void **state)
{
    static const uint64_t flags[] = {0, EPTP_AD};
    uint64_t pte;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct fixture *f = protected_table(flags[i], ER | EX, &pte);
        assert_int_equal(go(f, LOW, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
        assert_int_equal(f->fault.guest_physical, pte);
        assert_int_equal(f->fault.qualification, LINEAR_VALID | ER | EW | (ER | EX) << 3);
        const uint64_t at = map_ept(f, page_of(pte), 0, page_of(pte) | EWB | ER | EX | PAGING_WRITE);
        mmu_flush_ept(&f->mmu, f->regime.eptp);
        reaches(f, LOW, MMU_WRITE, SUPERVISOR, BY_GUEST);
        assert_int_equal(get64(f, pte) & (A | D), A | D);
        assert_int_equal(get64(f, at) & ED, i ? ED : 0);
        /* A mapping that is kept for paging writes allows no other ones. */
        map(f, 0x5000, 0, page_of(pte) | ALL | A | D);
        assert_int_equal(go(f, 0x5000, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
        assert_int_equal(f->fault.qualification & ~7ull, LINEAR_VALID | TRANSLATION | (ER | EX) << 3);
        fixture_free(f);
    }
}

static void without_the_control_bit_58_is_ignored(void **state)
{
    uint64_t pte;
    struct fixture *f = protected_table(0, ER | EX | PAGING_WRITE, &pte);
    (void)state;
    f->regime.paging_write = false;
    apply(f);
    assert_int_equal(go(f, LOW, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
    fixture_free(f);
}

/* Entries that reference tables do not use bit 58, and must allow writes. */
static void tables_of_the_ept_must_allow_writes(void **state)
{
    uint64_t pte;
    struct fixture *f = protected_table(0, ER | EX | PAGING_WRITE, &pte);
    (void)state;
    const uint64_t pde = entry_at(f, page_of(f->regime.eptp), pte, 1, RWX);
    put64(f, pde, (get64(f, pde) & ~EW) | PAGING_WRITE);
    assert_int_equal(go(f, LOW, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.guest_physical,
                     entry_at(f, f->regime.cr3, LOW, 3, ALL)); /* its accessed flag */
    assert_int_equal(f->fault.qualification >> 3 & 7, ER | EX);
    fixture_free(f);
}

static void misconfigured_without_read_access(void **state)
{
    uint64_t pte;
    struct fixture *f = protected_table(0, EX | PAGING_WRITE, &pte);
    (void)state;
    f->profile.vmx.ept_vpid_cap |= 1; /* execute-only translations */
    assert_int_equal(go(f, LOW, MMU_READ, SUPERVISOR), MMU_EPT_MISCONFIGURATION);
    assert_int_equal(f->fault.guest_physical, pte);
    f->regime.paging_write = false;
    apply(f);
    assert_int_equal(go(f, LOW, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
    fixture_free(f);
}

/* --- Guest-paging verification --- */

/* The page at BY_GUEST is verified; no table of the guest's has bit 58. */
static struct fixture *verified(uint64_t *pte)
{
    struct fixture *f = fixture_ept(0);
    f->regime.paging_write = f->regime.verify_guest_paging = true;
    apply(f);
    *pte = map(f, LOW, 0, BY_GUEST | ALL | A | D);
    map_ept(f, BY_GUEST, 0, BY_GUEST | EWB | RWX | VERIFY);
    return f;
}

static void allow_paging_writes(struct fixture *f, uint64_t root, uint64_t linear, unsigned last_level)
{
    uint64_t table = page_of(root);
    for (unsigned level = 3;; level--) {
        map_ept(f, table, 0, table | EWB | RWX | PAGING_WRITE);
        if (level == last_level)
            return;
        table = page_of(get64(f, entry_at(f, page_of(root), linear, level, ALL)));
    }
}

static void verification_looks_at_each_table(void **state)
{
    uint64_t pte;
    struct fixture *f = verified(&pte);
    (void)state;
    for (unsigned missing = 3; missing < 4; missing--) {
        assert_int_equal(go(f, LOW, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
        assert_int_equal(f->fault.guest_physical, BY_GUEST);
        assert_int_equal(f->fault.qualification, LINEAR_VALID | TRANSLATION | VERIFICATION | EW | RWX << 3);
        assert_true(f->fault.convertible);
        allow_paging_writes(f, f->regime.cr3, LOW, missing);
        mmu_flush_ept(&f->mmu, f->regime.eptp);
    }
    reaches(f, LOW, MMU_WRITE, SUPERVISOR, BY_GUEST);
    fixture_free(f);
}

static void suppression_of_ve_is_that_of_the_page(void **state)
{
    uint64_t pte;
    struct fixture *f = verified(&pte);
    (void)state;
    map_ept(f, BY_GUEST, 0, BY_GUEST | EWB | RWX | VERIFY | SUPPRESS_VE);
    for (unsigned again = 0; again < 2; again++) {
        assert_int_equal(go(f, LOW, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
        assert_false(f->fault.convertible);
    }
    fixture_free(f);
}

static void page_faults_and_rights_come_first(void **state)
{
    uint64_t pte;
    struct fixture *f = verified(&pte);
    (void)state;
    put64(f, pte, BY_GUEST | P | A);
    assert_int_equal(faults(f, LOW, MMU_WRITE, SUPERVISOR), PF_P | PF_W);
    put64(f, pte, BY_GUEST | ALL | A | D);
    map_ept(f, BY_GUEST, 0, BY_GUEST | EWB | ER | EX | VERIFY);
    assert_int_equal(go(f, LOW, MMU_WRITE, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_false(f->fault.qualification & VERIFICATION);
    fixture_free(f);
}

static void verification_needs_both_controls(void **state)
{
    uint64_t pte;
    struct fixture *f = verified(&pte);
    (void)state;
    f->regime.paging_write = false;
    apply(f);
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_GUEST);
    f->regime.paging_write = true;
    f->regime.verify_guest_paging = false;
    apply(f);
    mmu_flush_ept(&f->mmu, f->regime.eptp);
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_GUEST);
    fixture_free(f);
}

/* Through cached guest-physical mappings the same. */
static void verification_by_cached_mappings(void **state)
{
    uint64_t pte;
    struct fixture *f = verified(&pte);
    (void)state;
    map(f, 0x5000, 0, BY_GUEST | ALL | A | D);
    assert_int_equal(go(f, LOW, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_int_equal(go(f, 0x5000, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_true(f->fault.qualification & VERIFICATION);
    mmu_flush_ept(&f->mmu, f->regime.eptp);
    allow_paging_writes(f, f->regime.cr3, LOW, 0);
    reaches(f, LOW, MMU_READ, SUPERVISOR, BY_GUEST);
    reaches(f, 0x5000, MMU_READ, SUPERVISOR, BY_GUEST);
    fixture_free(f);
}

/* The entries of HLAT paging before a restart are not relevant: SDM "EPT Violations", a note. */
static void verification_after_a_restart(void **state)
{
    struct fixture *f = hlat();
    (void)state;
    f->regime.paging_write = f->regime.verify_guest_paging = true;
    apply(f);
    map_hlat(f, HIGH, 0, P | RESTART | A);
    map_ept(f, BY_GUEST, 0, BY_GUEST | EWB | RWX | VERIFY);
    assert_int_equal(go(f, HIGH, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_true(f->fault.qualification & VERIFICATION);
    allow_paging_writes(f, f->regime.cr3, HIGH, 0);
    mmu_flush_ept(&f->mmu, f->regime.eptp);
    reaches(f, HIGH, MMU_READ, SUPERVISOR, BY_GUEST);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_size_0_takes_all),
        cmocka_unit_test(other_prefix_sizes_take_bit_63),
        cmocka_unit_test(never_without_the_control_or_in_pae_paging),
        cmocka_unit_test(kept_until_software_invalidates),
        cmocka_unit_test(invept_drops_them),
        cmocka_unit_test(error_code_has_the_flag),
        cmocka_unit_test(restart_at_each_level),
        cmocka_unit_test(restart_limits_the_page),
        cmocka_unit_test(five_levels),
        cmocka_unit_test(tagged_with_the_pcid),
        cmocka_unit_test(an_ept_violation_of_the_tables),
        cmocka_unit_test(peek_follows),
        cmocka_unit_test(paging_writes_by_bit_58),
        cmocka_unit_test(without_the_control_bit_58_is_ignored),
        cmocka_unit_test(tables_of_the_ept_must_allow_writes),
        cmocka_unit_test(misconfigured_without_read_access),
        cmocka_unit_test(verification_looks_at_each_table),
        cmocka_unit_test(suppression_of_ve_is_that_of_the_page),
        cmocka_unit_test(page_faults_and_rights_come_first),
        cmocka_unit_test(verification_needs_both_controls),
        cmocka_unit_test(verification_by_cached_mappings),
        cmocka_unit_test(verification_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
