/* test_files.c: boot_load: files, command lines, and what is wrong with them. */
#include "boot_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct files {
    char folder[64], image[96], module[96];
};

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static void start(struct fixture *f, struct files *files)
{
    fixture_init(f, 4u << 20);
    put_elf32(f);
    strcpy(files->folder, "/tmp/vtsim-boot-XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    snprintf(files->image, sizeof files->image, "%s/image", files->folder);
    snprintf(files->module, sizeof files->module, "%s/module", files->folder);
    write_file(files->image, f->data, IMAGE_SIZE);
    write_file(files->module, "A=1\n", 4);
}

static void finish(struct fixture *f, struct files *files)
{
    unlink(files->image);
    unlink(files->module);
    rmdir(files->folder);
    fixture_free(f);
}

static void test_good(void **state)
{
    (void)state;
    struct fixture f;
    struct files files;
    char expected[128];
    start(&f, &files);
    struct boot_module modules[] = {{files.module, "env"}, {files.module, NULL}};
    struct boot_options options = {files.image, "one two", modules, 2};
    assert_int_equal(boot_load(&f.mem, &options, &f.result), BOOT_OK);
    uint32_t info = f.result.ebx, list = ram32(&f, info + 24);
    snprintf(expected, sizeof expected, "%s one two", files.image);
    assert_string_equal((const char *)f.mem.ram + ram32(&f, info + 16), expected);
    snprintf(expected, sizeof expected, "%s env", files.module);
    assert_string_equal((const char *)f.mem.ram + ram32(&f, list + 8), expected);
    assert_string_equal((const char *)f.mem.ram + ram32(&f, list + 24), files.module);
    assert_int_equal(ram32(&f, ram32(&f, list)), 0x0a313d41); /* "A=1\n" */
    finish(&f, &files);
}

static void expect(struct fixture *f, const struct boot_options *options, enum boot_status status,
                   const char *words)
{
    assert_int_equal(boot_load(&f->mem, options, &f->result), status);
    assert_int_equal(f->result.status, status);
    if (!strstr(f->result.text, words))
        fail_msg("\"%s\" does not say \"%s\"", f->result.text, words);
}

static void test_missing_and_unreadable(void **state)
{
    (void)state;
    struct fixture f;
    struct files files;
    start(&f, &files);
    struct boot_options options = {"/nonexistent/kernel", NULL, NULL, 0};
    expect(&f, &options, BOOT_UNREADABLE, "image /nonexistent/kernel: No such file");
    options.image_path = files.folder;
    expect(&f, &options, BOOT_UNREADABLE, "not a regular file");
    struct boot_module module = {"/nonexistent/module", NULL};
    options = (struct boot_options){files.image, NULL, &module, 1};
    expect(&f, &options, BOOT_UNREADABLE, "module /nonexistent/module: No such file");
    finish(&f, &files);
}

static void test_pipe_does_not_block(void **state)
{
    (void)state;
    struct fixture f;
    struct files files;
    start(&f, &files);
    unlink(files.image);
    assert_int_equal(mkfifo(files.image, 0600), 0);
    struct boot_options options = {files.image, NULL, NULL, 0};
    expect(&f, &options, BOOT_UNREADABLE, "not a regular file");
    finish(&f, &files);
}

static void test_empty_and_too_big(void **state)
{
    (void)state;
    struct fixture f;
    struct files files;
    start(&f, &files);
    write_file(files.image, "", 0);
    struct boot_options options = {files.image, NULL, NULL, 0};
    expect(&f, &options, BOOT_NO_HEADER, "Multiboot");
    assert_int_equal(truncate(files.image, 1ll << 40), 0); /* sparse: never read */
    expect(&f, &options, BOOT_OUTSIDE_RAM, "--mem");
    finish(&f, &files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_missing_and_unreadable),
        cmocka_unit_test(test_pipe_does_not_block),
        cmocka_unit_test(test_empty_and_too_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
