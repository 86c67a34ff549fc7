/* test_memory.c: guest RAM below and above the hole. */
#include "boot_fixture.h"

#include <errno.h>
#include <unistd.h>

static void test_small(void **state)
{
    (void)state;
    struct phys_mem mem;
    const char *text;
    assert_true(boot_memory_init(&mem, 2u << 20, &text));
    assert_int_equal(mem.low_size, 2u << 20);
    assert_int_equal(mem.high_size, 0);
    phys_write(&mem, 0x1ffff8, 0x1122334455667788, 8);
    assert_int_equal(phys_read(&mem, 0x1ffffc, 4), 0x11223344);
    assert_int_equal(phys_read(&mem, 0x200000, 4), 0xffffffff);
    assert_int_equal(phys_read(&mem, 0x200000, 8), UINT64_MAX);
    boot_memory_free(&mem);
}

/* 5 GiB: 3 below 4 GiB, 2 above. */
static void test_hole(void **state)
{
    (void)state;
    struct phys_mem mem;
    const char *text;
    assert_true(boot_memory_init(&mem, 5ull << 30, &text));
    assert_int_equal(mem.low_size, 3ull << 30);
    assert_int_equal(mem.high_size, 2ull << 30);
    phys_write(&mem, (3ull << 30) - 4, 0x11111111, 4);
    phys_write(&mem, 4ull << 30, 0x22222222, 4);
    phys_write(&mem, (6ull << 30) - 4, 0x33333333, 4);
    assert_int_equal(phys_read(&mem, (3ull << 30) - 4, 4), 0x11111111);
    assert_int_equal(phys_read(&mem, 4ull << 30, 4), 0x22222222);
    assert_int_equal(phys_read(&mem, (6ull << 30) - 4, 4), 0x33333333);
    assert_int_equal(phys_read(&mem, 3ull << 30, 4), 0xffffffff);
    assert_int_equal(phys_read(&mem, 6ull << 30, 4), 0xffffffff);
    boot_memory_free(&mem);
}

/* The kernel tells without a signal what may not be touched. */
static bool accessible(uint8_t *at, int pipe_ends[2])
{
    bool readable = write(pipe_ends[1], at, 1) == 1;
    if (!readable) {
        assert_int_equal(errno, EFAULT);
        assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    }
    bool writable = read(pipe_ends[0], at, 1) == 1;
    char left;
    if (!writable) {
        assert_int_equal(errno, EFAULT);
        assert_int_equal(read(pipe_ends[0], &left, 1), 1);
    }
    assert_int_equal(readable, writable);
    return readable;
}

/* On both sides of RAM nothing can be read or written, for a megabyte. */
static void test_guards(void **state)
{
    (void)state;
    struct phys_mem mem;
    const char *text;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    assert_true(boot_memory_init(&mem, 2u << 20, &text));
    assert_true(accessible(mem.ram, pipe_ends));
    assert_true(accessible(mem.ram + (2u << 20) - 1, pipe_ends));
    for (unsigned at = 0; at < 1u << 20; at += 4096) {
        assert_false(accessible(mem.ram - 1 - at, pipe_ends));
        assert_false(accessible(mem.ram + (2u << 20) + at, pipe_ends));
    }
    boot_memory_free(&mem);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void test_bad_sizes(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 4096, (1u << 20) + 1, 1ull << 39, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct phys_mem mem;
        const char *text = NULL;
        assert_false(boot_memory_init(&mem, sizes[i], &text));
        assert_non_null(strstr(text, "--mem"));
        boot_memory_free(&mem); /* harmless */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_hole),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_bad_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
