/* test_ept_privileges.c: SDM volume 3C, "EPT Violations" and "Exit Qualification for EPT Violations":
 * mode-based execute control, advanced VM-exit information; "EPT Translation Mechanism": 5-level EPT. */
#include "tests/tlb/tlb_fixture.h"

#define EXU (1ull << 10) /* execute access for user-mode linear addresses */
#define RWX (ER | EW | EX)
#define LINEAR_VALID (1ull << 7)
#define TRANSLATION (1ull << 8)
#define QUALIFICATION_USER_EXECUTE (1ull << 6)
#define CAP_EXECUTE_ONLY 1ull
#define CAP_ADVANCED (1ull << 22)

#define USER_PAGE 0x1000u
#define SUPERVISOR_PAGE 0x2000u
#define GUEST_PHYSICAL 0x5000u

static uint64_t ept_entry(struct fixture *f, unsigned level)
{
    return entry_at(f, f->regime.eptp & ~0xfffull, GUEST_PHYSICAL, level, RWX);
}

/* A user-mode and a supervisor-mode page over the same guest-physical one, whose EPT PTE is entry. */
static struct fixture *mode_based(uint64_t entry)
{
    struct fixture *f = fixture_ept(0);
    f->regime.mode_based_execute = true;
    apply(f);
    for (unsigned level = 1; level < 4; level++)
        put64(f, ept_entry(f, level), get64(f, ept_entry(f, level)) | EXU);
    map(f, USER_PAGE, 0, GUEST_PHYSICAL | ALL | A | D);
    map(f, SUPERVISOR_PAGE, 0, GUEST_PHYSICAL | P | RW | A | D);
    put64(f, ept_entry(f, 0), GUEST_PHYSICAL | EWB | entry);
    return f;
}

static uint64_t violates(struct fixture *f, uint64_t linear, enum mmu_access access)
{
    assert_int_equal(go(f, linear, access, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.guest_physical, GUEST_PHYSICAL);
    return f->fault.qualification & ~(LINEAR_VALID | TRANSLATION);
}

static void supervisor_execute_only(void **state)
{
    struct fixture *f = mode_based(ER | EX);
    (void)state;
    assert_int_equal(go(f, SUPERVISOR_PAGE, MMU_FETCH, SUPERVISOR), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ | MMU_RIGHT_EXECUTE);
    assert_int_equal(violates(f, USER_PAGE, MMU_FETCH), EX | (ER | EX) << 3);
    assert_int_equal(go(f, USER_PAGE, MMU_READ, USER), MMU_OK);
    assert_int_equal(f->at.rights, MMU_RIGHT_READ); /* of this mapping */
    fixture_free(f);
}

static void user_execute(void **state)
{
    struct fixture *f = mode_based(ER | EXU);
    (void)state;
    assert_int_equal(go(f, USER_PAGE, MMU_FETCH, USER), MMU_OK);
    assert_int_equal(go(f, USER_PAGE, MMU_FETCH, SUPERVISOR), MMU_OK); /* the page counts, not the CPL */
    assert_int_equal(violates(f, SUPERVISOR_PAGE, MMU_FETCH), EX | ER << 3 | QUALIFICATION_USER_EXECUTE);
    assert_int_equal(violates(f, USER_PAGE, MMU_WRITE), EW | ER << 3 | QUALIFICATION_USER_EXECUTE);
    fixture_free(f);
}

/* Every entry on the way must allow it. */
static void entries_are_anded(void **state)
{
    (void)state;
    for (unsigned level = 1; level < 4; level++) {
        struct fixture *f = mode_based(RWX | EXU);
        put64(f, ept_entry(f, level), get64(f, ept_entry(f, level)) & ~EXU);
        assert_int_equal(violates(f, USER_PAGE, MMU_FETCH), EX | RWX << 3);
        assert_int_equal(go(f, SUPERVISOR_PAGE, MMU_FETCH, SUPERVISOR), MMU_OK);
        fixture_free(f);
    }
}

/* Without paging each linear address is a user-mode one. */
static void without_guest_paging(void **state)
{
    struct fixture *f = mode_based(ER | EX);
    (void)state;
    f->regime.cr0 = CR0_PE;
    f->regime.efer = 0;
    apply(f);
    assert_int_equal(violates(f, GUEST_PHYSICAL, MMU_FETCH), EX | (ER | EX) << 3);
    put64(f, ept_entry(f, 0), GUEST_PHYSICAL | EWB | ER | EXU);
    assert_int_equal(go(f, GUEST_PHYSICAL, MMU_FETCH, SUPERVISOR), MMU_OK);
    fixture_free(f);
}

/* Bit 10 alone makes an entry present, which "execute-only" must allow. */
static void present_by_bit_10(void **state)
{
    struct fixture *f = mode_based(EXU);
    (void)state;
    assert_int_equal(go(f, USER_PAGE, MMU_READ, USER), MMU_EPT_MISCONFIGURATION);
    f->profile.vmx.ept_vpid_cap |= CAP_EXECUTE_ONLY;
    assert_int_equal(violates(f, USER_PAGE, MMU_READ), ER | QUALIFICATION_USER_EXECUTE);
    assert_int_equal(go(f, USER_PAGE, MMU_FETCH, USER), MMU_OK);
    f->regime.mode_based_execute = false;
    apply(f);
    mmu_flush_all_ept(&f->mmu);
    assert_int_equal(violates(f, USER_PAGE, MMU_FETCH), EX); /* ignored: not present */
    fixture_free(f);
}

static void ignored_without_the_control(void **state)
{
    struct fixture *f = mode_based(ER | EXU);
    (void)state;
    f->regime.mode_based_execute = false;
    apply(f);
    assert_int_equal(violates(f, USER_PAGE, MMU_FETCH), EX | ER << 3);
    fixture_free(f);
}

/* A guest-physical mapping that a supervisor-mode address brought serves a user-mode one by its own bit. */
static void cached_mappings_keep_both_rights(void **state)
{
    struct fixture *f = mode_based(RWX | EXU);
    (void)state;
    assert_int_equal(go(f, SUPERVISOR_PAGE, MMU_FETCH, SUPERVISOR), MMU_OK);
    unsigned references = (unsigned)f->miss.b;
    assert_int_equal(go(f, USER_PAGE, MMU_FETCH, USER), MMU_OK);
    assert_true(f->miss.b < references);
    assert_int_equal(f->at.rights, 7);
    fixture_free(f);
}

/* Bits 11:9: user-mode address, writable, execute-disable, of a page and of the translation of its address
 * alone. */
static void advanced_information(void **state)
{
    static const struct {
        uint64_t page;
        uint64_t expected;
    } rows[] = {
        {P, 0},
        {P | RW, 1 << 10},
        {P | US, 1 << 9},
        {P | RW | US, 3 << 9},
        {P | XD, 1 << 11},
        {ALL | XD, 7 << 9},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int supported = 0; supported < 2; supported++) {
            struct fixture *f = fixture_ept(0);
            f->profile.vmx.ept_vpid_cap |= supported ? CAP_ADVANCED : 0;
            map(f, USER_PAGE, 0, GUEST_PHYSICAL | A | D | rows[i].page);
            put64(f, ept_entry(f, 0), 0);
            assert_int_equal(violates(f, USER_PAGE, MMU_READ), ER | (supported ? rows[i].expected : 0));
            fixture_free(f);
        }
}

static void no_advanced_information_on_tables(void **state)
{
    struct fixture *f = fixture_ept(0);
    uint64_t pte = map(f, USER_PAGE, 0, GUEST_PHYSICAL | ALL), table = pte & ~0xfffull;
    (void)state;
    f->profile.vmx.ept_vpid_cap |= CAP_ADVANCED;
    put64(f, entry_at(f, f->regime.eptp & ~0xfffull, table, 0, RWX), table | EWB | ER);
    assert_int_equal(go(f, USER_PAGE, MMU_READ, SUPERVISOR), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.qualification, ER | EW | ER << 3 | LINEAR_VALID);
    fixture_free(f);
}

/* "If CR0.PG = 0": user-mode, read/write, executable. */
static void advanced_information_without_paging(void **state)
{
    struct fixture *f = fixture_ept(0);
    (void)state;
    f->profile.vmx.ept_vpid_cap |= CAP_ADVANCED;
    f->regime.cr0 = CR0_PE;
    f->regime.efer = 0;
    apply(f);
    put64(f, ept_entry(f, 0), 0);
    assert_int_equal(violates(f, GUEST_PHYSICAL, MMU_READ), ER | 3 << 9);
    fixture_free(f);
}

/* Bits 51:48 of the guest-physical address select the PML5E. */
static void five_levels(void **state)
{
    struct fixture *f = fixture_ept(0);
    const uint64_t high = 1ull << 48;
    (void)state;
    f->profile.physical_address_bits = 52;
    uint64_t root = new_table(f), other = new_table(f);
    put64(f, root, (f->regime.eptp & ~0xfffull) | RWX);
    put64(f, root + 8, other | RWX);
    put64(f, entry_at(f, other, GUEST_PHYSICAL, 0, RWX), 0x9000 | RWX | EWB);
    f->regime.eptp = root | 4 << 3 | 6;
    apply(f);
    map(f, USER_PAGE, 0, high | GUEST_PHYSICAL | ALL);
    reaches(f, USER_PAGE, MMU_WRITE, USER, 0x9000);
    map(f, SUPERVISOR_PAGE, 0, GUEST_PHYSICAL | ALL);
    reaches(f, SUPERVISOR_PAGE, MMU_WRITE, USER, GUEST_PHYSICAL);
    /* bits 7:3 of a PML5E are reserved */
    put64(f, root + 8, other | RWX | 1 << 7);
    mmu_flush_all_ept(&f->mmu);
    assert_int_equal(go(f, USER_PAGE, MMU_READ, USER), MMU_EPT_MISCONFIGURATION);
    put64(f, root + 8, 0);
    assert_int_equal(go(f, USER_PAGE, MMU_READ, USER), MMU_EPT_VIOLATION);
    assert_int_equal(f->fault.guest_physical, high | GUEST_PHYSICAL);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(supervisor_execute_only),
        cmocka_unit_test(user_execute),
        cmocka_unit_test(entries_are_anded),
        cmocka_unit_test(without_guest_paging),
        cmocka_unit_test(present_by_bit_10),
        cmocka_unit_test(ignored_without_the_control),
        cmocka_unit_test(cached_mappings_keep_both_rights),
        cmocka_unit_test(advanced_information),
        cmocka_unit_test(no_advanced_information_on_tables),
        cmocka_unit_test(advanced_information_without_paging),
        cmocka_unit_test(five_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
