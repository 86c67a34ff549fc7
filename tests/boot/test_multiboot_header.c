/* test_multiboot_header.c: Multiboot Specification, "OS image format" and the address fields. */
#include "boot_fixture.h"

#define MEMORY (4u << 20)

/* Header at 0x100, loaded so that the file's byte 0x80 goes to 0x200000. */
static void put_addresses(struct fixture *f, uint32_t load_end, uint32_t bss_end, uint32_t entry)
{
    f->image.size = 0x2000;
    for (unsigned i = 0; i < 0x2000; i++)
        f->data[i] = (uint8_t)(i >> 4);
    put_header(f, 0x100, 0x10000);
    put32(f->data + 0x10c, 0x200080);
    put32(f->data + 0x110, 0x200000);
    put32(f->data + 0x114, load_end);
    put32(f->data + 0x118, bss_end);
    put32(f->data + 0x11c, entry);
}

static void test_last_place_for_a_header(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    memset(f.data + 0x200, 0, 12);
    put_header(&f, 8180, 0); /* ends with the 8 KiB */
    assert_int_equal(load(&f), BOOT_OK);
    memset(f.data + 8180, 0, 12);
    put_header(&f, 8184, 0);
    assert_fails(&f, BOOT_NO_HEADER, "first 8 KiB");
    fixture_free(&f);
}

static void test_unaligned_header_is_none(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    memset(f.data + 0x200, 0, 12);
    put_header(&f, 0x202, 0);
    assert_fails(&f, BOOT_NO_HEADER, "no Multiboot 1 header");
    fixture_free(&f);
}

static void test_wrong_checksum(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    f.data[0x208] ^= 1;
    assert_fails(&f, BOOT_NO_HEADER, "checksum");
    fixture_free(&f);
}

static void test_empty_and_tiny_files(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    for (size_t size = 0; size < 12; size++) {
        put_header(&f, 0, 0);
        f.image.size = size;
        assert_int_equal(load(&f), BOOT_NO_HEADER);
    }
    f.image.size = 12;
    assert_fails(&f, BOOT_BAD_IMAGE, "neither an ELF image nor addresses");
    fixture_free(&f);
}

static void test_flags(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    put_header(&f, 0x200, 0x00020003); /* an optional flag that nobody knows is no matter */
    assert_int_equal(load(&f), BOOT_OK);
    assert_string_equal(f.result.note, "");
    put_header(&f, 0x200, 4);
    assert_int_equal(load(&f), BOOT_OK);
    assert_non_null(strstr(f.result.note, "video"));
    put_header(&f, 0x200, 8);
    assert_fails(&f, BOOT_UNSUPPORTED, "unknown features, flags 0x8");
    fixture_free(&f);
}

static void test_addresses(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_addresses(&f, 0x200400, 0x200800, 0x200010);
    memset(phys_ram(&f.mem, 0x200000, 0x2000), 0x77, 0x2000);
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(f.result.entry, 0x200010);
    assert_int_equal(phys_read(&f.mem, 0x200000, 1), 0x08);
    assert_int_equal(phys_read(&f.mem, 0x200080, 4), MULTIBOOT_HEADER_MAGIC);
    assert_int_equal(phys_read(&f.mem, 0x2003ff, 1), 0x47); /* file byte 0x47f */
    assert_int_equal(phys_read(&f.mem, 0x200400, 1), 0);    /* bss */
    assert_int_equal(phys_read(&f.mem, 0x2007ff, 1), 0);
    assert_int_equal(phys_read(&f.mem, 0x200800, 1), 0x77);
    fixture_free(&f);
}

/* load_end_addr 0: to the end of the file; bss_end_addr 0: no bss. */
static void test_addresses_without_ends(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_addresses(&f, 0, 0, 0x200000);
    memset(phys_ram(&f.mem, 0x200000, 0x3000), 0x77, 0x3000);
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(phys_read(&f.mem, 0x201f7f, 1), 0xff); /* file byte 0x1fff */
    assert_int_equal(phys_read(&f.mem, 0x201f80, 1), 0x77);
    fixture_free(&f);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    static const struct {
        uint32_t field, value;
        enum boot_status status;
        const char *words;
    } cases[] = {
        {0x110, 0x200081, BOOT_BAD_IMAGE, "load_addr"}, /* above the header */
        {0x110, 0x1fff00, BOOT_BAD_IMAGE, "load_addr"}, /* before the file */
        {0x114, 0x1fffff, BOOT_BAD_IMAGE, "load_end_addr"},
        {0x114, 0x202000, BOOT_TRUNCATED, "to be loaded"},
        {0x114, 0xffffffff, BOOT_TRUNCATED, "to be loaded"},
        {0x118, 0x2003ff, BOOT_BAD_IMAGE, "bss_end_addr"},
        {0x118, 0x400001, BOOT_OUTSIDE_RAM, "--mem"},
        {0x118, 0xffffffff, BOOT_OUTSIDE_RAM, "--mem"},
        {0x11c, 0x200800, BOOT_BAD_IMAGE, "entry point 0x200800"},
        {0x11c, 0x1fffff, BOOT_BAD_IMAGE, "entry point"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        fixture_init(&f, MEMORY);
        put_addresses(&f, 0x200400, 0x200800, 0x200000);
        put32(f.data + cases[i].field, cases[i].value);
        assert_fails(&f, cases[i].status, cases[i].words);
        fixture_free(&f);
    }
}

static void test_header_cut_off(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_addresses(&f, 0, 0, 0x200000);
    f.image.size = 0x11f;
    assert_fails(&f, BOOT_TRUNCATED, "address fields");
    fixture_free(&f);
}

/* "The address fields": with flag 16 they count, whatever an ELF header says. */
static void test_addresses_go_before_elf(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_addresses(&f, 0, 0, 0x200000);
    memset(f.data, 0, 0x100);
    memcpy(f.data, ELFMAG, SELFMAG);
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(f.result.entry, 0x200000);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_place_for_a_header),
        cmocka_unit_test(test_unaligned_header_is_none),
        cmocka_unit_test(test_wrong_checksum),
        cmocka_unit_test(test_empty_and_tiny_files),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_addresses_without_ends),
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_header_cut_off),
        cmocka_unit_test(test_addresses_go_before_elf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
