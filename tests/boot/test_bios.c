/* test_bios.c: what --firmware pc leaves in memory. What the handlers do is tests/guests/firmware.c's. */
#include "tests/boot/boot_fixture.h"

#include "sim/boot/bios.h"

static uint16_t word(const struct phys_mem *mem, uint64_t address)
{
    return (uint16_t)phys_read(mem, address, 2);
}

/* Every vector leads to an instruction in the BIOS's segment. */
static void test_vectors(void **unused)
{
    struct phys_mem mem;
    const char *text;
    (void)unused;
    assert_true(boot_memory_init(&mem, 1u << 20, &text));
    bios_write(&mem);
    for (unsigned vector = 0; vector < 256; vector++) {
        uint16_t offset = word(&mem, vector * 4), segment = word(&mem, vector * 4 + 2);
        assert_int_equal(segment, 0xf000);
        assert_in_range(offset, 0xe000, 0xffff);
        assert_int_not_equal(phys_read(&mem, 0xf0000u + offset, 1), 0);
    }
    assert_int_equal(phys_read(&mem, 0xf0000u + word(&mem, 0), 1), 0xcf); /* IRET */
    assert_int_not_equal(word(&mem, 8 * 4), word(&mem, 9 * 4));           /* the timer's own */
    assert_int_equal(word(&mem, 9 * 4), word(&mem, 0xf * 4));             /* master */
    assert_int_equal(word(&mem, 0x70 * 4), word(&mem, 0x77 * 4));         /* slave */
    assert_int_not_equal(word(&mem, 0x70 * 4), word(&mem, 9 * 4));
    assert_int_equal(word(&mem, 0x10 * 4), word(&mem, 0x1a * 4)); /* services */
    assert_int_equal(word(&mem, 0x1b * 4), word(&mem, 0x1c * 4)); /* hooks return */
    assert_int_equal(word(&mem, 0x78 * 4), word(&mem, 0));
    boot_memory_free(&mem);
}

static void test_data_area(void **unused)
{
    struct phys_mem mem;
    const char *text;
    (void)unused;
    assert_true(boot_memory_init(&mem, 1u << 20, &text));
    bios_write(&mem);
    assert_int_equal(word(&mem, 0x400), 0x3f8);
    assert_int_equal(word(&mem, 0x402), 0);
    assert_int_equal(word(&mem, 0x410), 0x202);
    assert_int_equal(word(&mem, 0x413), 639);
    assert_int_equal(phys_read(&mem, 0x46c, 4), 0);
    boot_memory_free(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_data_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
