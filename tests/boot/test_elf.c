/* test_elf.c: System V ABI, "ELF Header" and "Program Header": good images and each way of a bad one. */
#include "boot_fixture.h"

#include <stdlib.h>

#define MEMORY (4u << 20)

static void test_elf32(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    memset(phys_ram(&f.mem, 0x100000, 0x50), 0x77, 0x50);
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(f.result.entry, 0x100000);
    assert_int_equal(f.result.eax, 0x2badb002);
    assert_int_equal(ram32(&f, 0x10000c), 0xabababab);
    assert_int_equal(ram32(&f, 0x100010), 0); /* bss */
    assert_int_equal(ram32(&f, 0x10003c), 0);
    assert_int_equal(ram32(&f, 0x100040), 0x77777777);
    fixture_free(&f);
}

/* A kernel in the upper half: loaded by physical addresses, its virtual entry is translated. */
static void test_elf64_by_physical_address(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)f.data;
    memcpy(h->e_ident, ELFMAG, SELFMAG);
    h->e_ident[EI_CLASS] = ELFCLASS64;
    h->e_ident[EI_DATA] = ELFDATA2LSB;
    h->e_type = ET_EXEC;
    h->e_machine = EM_X86_64;
    h->e_version = EV_CURRENT;
    h->e_entry = 0xffffffff80100008;
    h->e_phoff = 0x40;
    h->e_phentsize = sizeof(Elf64_Phdr);
    h->e_phnum = 1;
    Elf64_Phdr *p = (Elf64_Phdr *)(void *)(f.data + 0x40);
    *p = (Elf64_Phdr){.p_type = PT_LOAD,
                      .p_offset = 0x1000,
                      .p_vaddr = 0xffffffff80100000,
                      .p_paddr = 0x200000,
                      .p_filesz = 0x10,
                      .p_memsz = 0x10};
    f.data[0x1008] = 0x5c;
    put_header(&f, 0x200, 0);
    assert_int_equal(load(&f), BOOT_OK);
    assert_int_equal(f.result.entry, 0x200008);
    assert_int_equal(phys_read(&f.mem, 0x200008, 1), 0x5c);
    h->e_entry = 0xffffffff80100010; /* in no segment */
    assert_fails(&f, BOOT_BAD_IMAGE, "above 4 GiB");
    h->e_entry = 0xffffffff80100008;
    p->p_paddr = 0x100000000;
    assert_fails(&f, BOOT_BAD_IMAGE, "above 4 GiB");
    h->e_entry = 0x1000;
    assert_fails(&f, BOOT_OUTSIDE_RAM, "0x100000000");
    p->p_paddr = UINT64_MAX - 4;
    assert_fails(&f, BOOT_OUTSIDE_RAM, "segment 0");
    fixture_free(&f);
}

static void test_bad_headers(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    Elf32_Ehdr *h = put_elf32(&f), good = *h;
    h->e_ident[EI_CLASS] = 7;
    assert_fails(&f, BOOT_BAD_IMAGE, "class 7");
    *h = good, h->e_ident[EI_DATA] = ELFDATA2MSB;
    assert_fails(&f, BOOT_UNSUPPORTED, "little-endian x86");
    *h = good, h->e_machine = EM_ARM;
    assert_fails(&f, BOOT_UNSUPPORTED, "x86");
    *h = good, h->e_type = ET_DYN;
    assert_fails(&f, BOOT_UNSUPPORTED, "ET_EXEC");
    *h = good, h->e_phnum = 0;
    assert_fails(&f, BOOT_BAD_IMAGE, "0 program headers");
    *h = good, h->e_phentsize = 31;
    assert_fails(&f, BOOT_BAD_IMAGE, "of 31 bytes");
    *h = good, h->e_phoff = IMAGE_SIZE - 31;
    assert_fails(&f, BOOT_TRUNCATED, "program headers at");
    *h = good, h->e_phoff = 0xffffffff;
    assert_fails(&f, BOOT_TRUNCATED, "program headers at");
    *h = good, h->e_phnum = 0xfffe;
    assert_fails(&f, BOOT_TRUNCATED, "program headers at");
    *h = good, h->e_entry = 0x100040;
    assert_fails(&f, BOOT_BAD_IMAGE, "entry point 0x100040");
    *h = good;
    assert_int_equal(load(&f), BOOT_OK);
    fixture_free(&f);
}

static void test_bad_segments(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    Elf32_Phdr *p = phdr32(&f, 0), good = *p;
    p->p_filesz = 0x41;
    assert_fails(&f, BOOT_BAD_IMAGE, "more bytes in the file");
    *p = good, p->p_offset = IMAGE_SIZE - 15;
    assert_fails(&f, BOOT_TRUNCATED, "program header 0");
    *p = good, p->p_offset = 0xffffffff;
    assert_fails(&f, BOOT_TRUNCATED, "program header 0");
    *p = good, p->p_memsz = MEMORY - 0x100000 + 1;
    assert_fails(&f, BOOT_OUTSIDE_RAM, "--mem");
    *p = good, p->p_paddr = 0xfffffff0;
    assert_fails(&f, BOOT_OUTSIDE_RAM, "0xfffffff0");
    *p = good, p->p_type = PT_NOTE;
    assert_fails(&f, BOOT_BAD_IMAGE, "PT_LOAD");
    *p = good, p->p_memsz = p->p_filesz = 0;
    assert_fails(&f, BOOT_BAD_IMAGE, "PT_LOAD");
    *p = good, p->p_memsz = MEMORY - 0x100000; /* to the last byte */
    assert_int_equal(load(&f), BOOT_OK);
    fixture_free(&f);
}

static void test_overlap(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f)->e_phnum = 2;
    *phdr32(&f, 1) = *phdr32(&f, 0);
    phdr32(&f, 1)->p_paddr = phdr32(&f, 1)->p_vaddr = 0x10003f;
    assert_fails(&f, BOOT_OVERLAP, "overlap");
    phdr32(&f, 1)->p_paddr = phdr32(&f, 1)->p_vaddr = 0x100040;
    assert_int_equal(load(&f), BOOT_OK);
    fixture_free(&f);
}

static void test_too_many_segments(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    Elf32_Phdr good;
    put_elf32(&f);
    good = *phdr32(&f, 0);
    memset(f.data + 0x200, 0, 12);
    put_header(&f, 0x1800, 0);
    ((Elf32_Ehdr *)(void *)f.data)->e_phnum = 65;
    for (unsigned i = 0; i < 65; i++) {
        *phdr32(&f, i) = good;
        phdr32(&f, i)->p_paddr = phdr32(&f, i)->p_vaddr = 0x100000 + i * 0x40;
    }
    assert_fails(&f, BOOT_UNSUPPORTED, "more than 64");
    ((Elf32_Ehdr *)(void *)f.data)->e_phnum = 64;
    assert_int_equal(load(&f), BOOT_OK);
    fixture_free(&f);
}

/* Every length of a good image that is too short fails, and reads nothing beyond it (AddressSanitizer looks
 * on). */
static void test_every_truncation(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, MEMORY);
    put_elf32(&f);
    for (size_t size = 0; size < 0x1010; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, f.data, size);
        f.image.data = copy;
        f.image.size = size;
        assert_int_not_equal(load(&f), BOOT_OK);
        assert_true(strlen(f.result.text) > 20);
        free(copy);
    }
    f.image.data = f.data;
    f.image.size = 0x1010;
    assert_int_equal(load(&f), BOOT_OK);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elf32),
        cmocka_unit_test(test_elf64_by_physical_address),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_segments),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_too_many_segments),
        cmocka_unit_test(test_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
