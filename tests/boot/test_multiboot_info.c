/* test_multiboot_info.c: Multiboot Specification, "Boot information format". */
#include "boot_fixture.h"

#define MEMORY (8u << 20)

static const char *ram_string(struct fixture *f, uint32_t physical)
{
    return (const char *)phys_ram(&f->mem, physical, 1);
}

static void test_plain(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    assert_int_equal(load(&f), BOOT_OK);
    uint32_t info = f.result.ebx;
    assert_int_equal(info, 0x9500);
    assert_int_equal(ram32(&f, info), 0x24d); /* memory, command line, modules, map, loader */
    assert_int_equal(ram32(&f, info + 4), 639);
    assert_int_equal(ram32(&f, info + 8), 7168); /* KiB above 1 MiB */
    assert_string_equal(ram_string(&f, ram32(&f, info + 16)), "test.elf one two");
    assert_int_equal(ram32(&f, info + 20), 0);
    assert_string_equal(ram_string(&f, ram32(&f, info + 64)), "vtsim");
    fixture_free(&f);
}

struct region {
    uint64_t base, length;
    uint32_t type;
};

static void check_map(struct fixture *f, const struct region *expected, unsigned count)
{
    uint32_t length = ram32(f, f->result.ebx + 44), at = ram32(f, f->result.ebx + 48);
    assert_int_equal(length, count * 24);
    for (unsigned i = 0; i < count; i++, at += 24) {
        assert_int_equal(ram32(f, at), 20);
        assert_int_equal(phys_read(&f->mem, at + 4, 8), expected[i].base);
        assert_int_equal(phys_read(&f->mem, at + 12, 8), expected[i].length);
        assert_int_equal(ram32(f, at + 20), expected[i].type);
    }
}

static void test_memory_map(void **state)
{
    (void)state;
    static const struct region small[] = {
        {0, 0x9fc00, 1},         {0x9fc00, 0x400, 2},     {0xf0000, 0x10000, 2},  {0x100000, 0x700000, 1},
        {0xfec00000, 0x1000, 2}, {0xfed00000, 0x1000, 2}, {0xfee00000, 0x1000, 2}};
    static const struct region large[] = {{0, 0x9fc00, 1},         {0x9fc00, 0x400, 2},
                                          {0xf0000, 0x10000, 2},   {0x100000, 0xbff00000, 1},
                                          {0xfec00000, 0x1000, 2}, {0xfed00000, 0x1000, 2},
                                          {0xfee00000, 0x1000, 2}, {0x100000000, 0x40000000, 1}};
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    assert_int_equal(load(&f), BOOT_OK);
    check_map(&f, small, 7);
    fixture_free(&f);
    fixture_init(&f, 4ull << 30);
    put_elf32(&f);
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(ram32(&f, f.result.ebx + 8), 0xbff00000 / 1024);
    check_map(&f, large, 8);
    fixture_free(&f);
}

/* Each module on a page of its own, behind the image. */
static void test_modules(void **state)
{
    (void)state;
    static uint8_t first[5000], second[10];
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    memset(first, 0x11, sizeof first);
    memset(second, 0x22, sizeof second);
    struct boot_file modules[] = {
        {"a", first, sizeof first, "a x=1"}, {"b", second, sizeof second, "b"}, {"c", second, 0, "c"}};
    assert_int_equal(multiboot_load(&f.mem, &f.image, modules, 3, &f.result), BOOT_OK);
    uint32_t info = f.result.ebx, list = ram32(&f, info + 24);
    assert_int_equal(ram32(&f, info + 20), 3);
    assert_int_equal(ram32(&f, list), 0x101000);
    assert_int_equal(ram32(&f, list + 4), 0x101000 + 5000);
    assert_string_equal(ram_string(&f, ram32(&f, list + 8)), "a x=1");
    assert_int_equal(ram32(&f, list + 16), 0x103000);
    assert_int_equal(ram32(&f, list + 20), 0x10300a);
    assert_int_equal(ram32(&f, list + 32), 0x104000);
    assert_int_equal(ram32(&f, list + 36), 0x104000);
    assert_int_equal(phys_read(&f.mem, 0x101000 + 4999, 1), 0x11);
    assert_int_equal(phys_read(&f.mem, 0x103009, 1), 0x22);
    fixture_free(&f);
}

static void test_module_outside_ram(void **state)
{
    (void)state;
    static uint8_t big[7u << 20];
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    struct boot_file module = {"big.img", big, sizeof big, "big.img"};
    assert_int_equal(multiboot_load(&f.mem, &f.image, &module, 1, &f.result), BOOT_OUTSIDE_RAM);
    assert_non_null(strstr(f.result.text, "big.img"));
    assert_non_null(strstr(f.result.text, "--mem"));
    module.size = (7u << 20) - 0x1000; /* the image takes the first page */
    assert_int_equal(multiboot_load(&f.mem, &f.image, &module, 1, &f.result), BOOT_OK);
    assert_int_equal(multiboot_load(&f.mem, &f.image, &module, 65, &f.result), BOOT_UNSUPPORTED);
    fixture_free(&f);
}

static void move_image(struct fixture *f, uint32_t address, uint32_t size)
{
    put_elf32(f)->e_entry = address;
    phdr32(f, 0)->p_paddr = phdr32(f, 0)->p_vaddr = address;
    phdr32(f, 0)->p_memsz = size;
}

/* An image in low memory: the information goes around it, or there is no room. */
static void test_information_avoids_the_image(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    move_image(&f, 0x9000, 0x1003);
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(f.result.ebx, 0xa010);
    assert_int_equal(ram32(&f, 0x9000), 0xabababab);
    move_image(&f, 0x9000, 0x96c00); /* up to the end of low memory */
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(f.result.ebx, 0x1000);
    move_image(&f, 0x1000, 0x9ec00);
    assert_fails(&f, BOOT_OVERLAP, "Multiboot information");
    fixture_free(&f);
}

/* The firmware's area is not for images: its last byte, its first, and a segment around it. */
static void test_image_in_the_firmware_area(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    move_image(&f, 0xfffff, 0x40);
    assert_fails(&f, BOOT_OVERLAP, "firmware");
    move_image(&f, 0xefff0, 0x11);
    assert_fails(&f, BOOT_OVERLAP, "firmware");
    move_image(&f, 0xe0000, 0x30000);
    assert_fails(&f, BOOT_OVERLAP, "firmware");
    move_image(&f, 0xefff0, 0x10);
    assert_int_equal(load(&f), BOOT_OK);
    fixture_free(&f);
}

static void test_huge_command_line(void **state)
{
    (void)state;
    static char line[700000];
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    memset(line, 'x', sizeof line - 1);
    f.image.string = line;
    assert_fails(&f, BOOT_OVERLAP, "command lines");
    fixture_free(&f);
}

/* FNV-1a of "a", from its authors' test vectors; and one bit more is another digest. */
static void test_digest(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    f.data[0] = 'a';
    f.image.size = 1;
    assert_int_equal(load(&f), BOOT_NO_HEADER);
    assert_true(f.result.image_digest == 0xaf63dc4c8601ec8cull);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_memory_map),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_module_outside_ram),
        cmocka_unit_test(test_information_avoids_the_image),
        cmocka_unit_test(test_image_in_the_firmware_area),
        cmocka_unit_test(test_huge_command_line),
        cmocka_unit_test(test_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
