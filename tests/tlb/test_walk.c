/* test_walk.c: every paging mode and page size. SDM volume 3A, "Paging". */
#include "tests/tlb/tlb_fixture.h"

static void unpaged_is_identity(void **state)
{
    struct fixture *f = fixture_new();
    (void)state;
    reaches(f, 0xfee00030, MMU_WRITE, USER, 0xfee00030);
    assert_int_equal(f->at.rights, 7);
    assert_int_equal(f->at.page_bits, 12);
    assert_int_equal(f->hits + f->misses, 0);
    fixture_free(f);
}

static void four_level_4k(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x7f0012345000, 0, 0x5000 | P | RW);
    reaches(f, 0x7f0012345678, MMU_READ, SUPERVISOR, 0x5678);
    assert_int_equal(f->at.page_bits, 12);
    assert_int_equal(f->miss.b, 4); /* PML4E, PDPTE, PDE, PTE */
    assert_int_equal(f->miss.cost, 48);
    assert_int_equal(f->account.now, 48);
    assert_int_equal(f->miss.code, TRACE_MAPPING_LINEAR);
    reaches(f, 0x7f0012345001, MMU_READ, SUPERVISOR, 0x5001);
    assert_int_equal(f->hits, 1);
    assert_int_equal(f->misses, 1);
    fixture_free(f);
}

static void four_level_high_half(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0xffff800000001000, 0, 0x9000 | P);
    reaches(f, 0xffff800000001abc, MMU_READ, SUPERVISOR, 0x9abc);
    fixture_free(f);
}

static void four_level_large(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    map(f, 0x40200000, 1, 0x600000 | PS | P | 1 << 12); /* PAT is no part of the address */
    reaches(f, 0x4021f123, MMU_READ, SUPERVISOR, 0x61f123);
    assert_int_equal(f->at.page_bits, 21);
    assert_int_equal(f->miss.b, 3);
    map(f, 0x80000000, 2, 0x40000000 | PS | P);
    reaches(f, 0x81234567, MMU_READ, SUPERVISOR, 0x41234567);
    assert_int_equal(f->at.page_bits, 30);
    assert_int_equal(f->miss.b, 2);
    fixture_free(f);
}

static void no_1g_pages(void **state)
{
    struct fixture *f = fixture_4level();
    (void)state;
    f->profile.has_1g_pages = false;
    map(f, 0x80000000, 2, 0x40000000 | PS | P);
    assert_int_equal(faults(f, 0x80000000, MMU_READ, SUPERVISOR), PF_P | PF_RSVD);
    fixture_free(f);
}

static void pae_registers(void **state)
{
    struct fixture *f = fixture_new();
    (void)state;
    f->regime.cr0 = CR0_PE | CR0_PG;
    f->regime.cr4 = CR4_PAE;
    f->regime.pdpte[2] = 0x3000 | P;
    put64(f, 0x3000 + 8 * 3, 0x4000 | ALL);
    put64(f, 0x4000 + 8 * 5, 0x7000 | ALL);
    put64(f, 0x3000 + 8 * 4, 0x600000 | PS | ALL);
    apply(f);
    reaches(f, 0x80605321, MMU_WRITE, USER, 0x7321); /* directory 3, table 5 of the third GiB */
    assert_int_equal(f->miss.b, 2);
    assert_int_equal(get64(f, 0x4000 + 8 * 5), 0x7000 | ALL | A | D);
    reaches(f, 0x80800042, MMU_READ, USER, 0x600042);
    assert_int_equal(f->at.page_bits, 21);
    assert_int_equal(faults(f, 0x10, MMU_WRITE, USER), PF_W | PF_U); /* PDPTE 0 is not present */
    put64(f, 0x4000 + 8 * 6, 0x7000 | ALL | 1ull << 52);             /* ignored with 4-level paging only */
    assert_int_equal(faults(f, 0x80606000, MMU_READ, SUPERVISOR), PF_P | PF_RSVD);
    put64(f, 0x4000 + 8 * 6, 0x7000 | ALL | XD); /* NXE = 0 */
    assert_int_equal(faults(f, 0x80606000, MMU_READ, SUPERVISOR), PF_P | PF_RSVD);
    fixture_free(f);
}

static struct fixture *fixture_32bit(uint64_t cr4)
{
    struct fixture *f = fixture_new();
    f->regime.cr0 = CR0_PE | CR0_PG | CR0_WP;
    f->regime.cr4 = cr4;
    f->regime.cr3 = 0x2000 | 0x18; /* PWT and PCD are no part of the address */
    put32(f, 0x2000 + 4 * 1, 0x3000 | 7);
    put32(f, 0x3000 + 4 * 2, 0x8000 | 7);
    put32(f, 0x2000 + 4 * 2, 0x00c00087);
    apply(f);
    return f;
}

static void bits32_4k_and_4m(void **state)
{
    struct fixture *f = fixture_32bit(CR4_PSE);
    (void)state;
    reaches(f, 0x00402345, MMU_WRITE, USER, 0x8345);
    assert_int_equal(f->miss.b, 2);
    assert_int_equal(get32(f, 0x2004), 0x3027);
    assert_int_equal(get32(f, 0x3008), 0x8067);
    reaches(f, 0x00812345, MMU_READ, USER, 0x00c12345);
    assert_int_equal(f->at.page_bits, 22);
    assert_int_equal(get32(f, 0x2008), 0x00c000a7);
    fixture_free(f);
}

/* "32-Bit Paging": CR4.PSE = 0 means that PS is ignored: the entry names a page table. */
static void bits32_without_pse(void **state)
{
    struct fixture *f = fixture_32bit(0);
    (void)state;
    put32(f, 0x00c00000 + 4 * 0x12, 0x9007);
    reaches(f, 0x00812345, MMU_READ, USER, 0x9345);
    assert_int_equal(f->at.page_bits, 12);
    fixture_free(f);
}

/* PSE-36: bits 20:13 give address bits 39:32; with 39 physical address bits, bits 21 and 20 are reserved. */
static void bits32_pse36(void **state)
{
    struct fixture *f = fixture_32bit(CR4_PSE);
    (void)state;
    put32(f, 0x2000 + 4 * 3, 0x00400087 | 5u << 13);
    reaches(f, 0x00c01234, MMU_READ, USER, 0x500401234);
    put32(f, 0x2000 + 4 * 4, 0x00400087 | 1u << 20);
    assert_int_equal(faults(f, 0x01000000, MMU_READ, USER), PF_P | PF_U | PF_RSVD);
    put32(f, 0x2000 + 4 * 4, 0x00400087 | 1u << 12); /* PAT */
    reaches(f, 0x01000000, MMU_READ, USER, 0x00400000);
    fixture_free(f);
}

static void peek_changes_nothing(void **state)
{
    struct fixture *f = fixture_ept(EPTP_AD);
    uint64_t physical = 0, pte = map(f, 0x1000, 0, 0x5000 | P);
    (void)state;
    assert_int_equal(mmu_peek(&f->mmu, 0x1234, &physical), MMU_OK);
    assert_int_equal(physical, 0x5234);
    assert_int_equal(mmu_peek(&f->mmu, 0x2000, &physical), MMU_PAGE_FAULT);
    assert_int_equal(get64(f, pte), 0x5000 | P);
    assert_int_equal(get64(f, entry_at(f, 0x800000, 0x5000, 0, 0)), 0x5000 | ER | EW | EX | EWB);
    assert_int_equal(f->account.now, 0);
    assert_int_equal(f->misses + f->flushes, 0);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpaged_is_identity),  cmocka_unit_test(four_level_4k),
        cmocka_unit_test(four_level_high_half), cmocka_unit_test(four_level_large),
        cmocka_unit_test(no_1g_pages),          cmocka_unit_test(pae_registers),
        cmocka_unit_test(bits32_4k_and_4m),     cmocka_unit_test(bits32_without_pse),
        cmocka_unit_test(bits32_pse36),         cmocka_unit_test(peek_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
