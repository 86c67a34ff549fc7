/* boot_fixture.h: images built by hand, and RAM to load them into. */
#ifndef VTSIM_TESTS_BOOT_FIXTURE_H
#define VTSIM_TESTS_BOOT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <string.h>

#include "sim/boot/multiboot.h"

#define IMAGE_SIZE 16384u

struct fixture {
    struct phys_mem mem;
    uint8_t data[IMAGE_SIZE];
    struct boot_file image;
    struct boot_result result;
};

static inline void put32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, 4);
}

static inline uint32_t ram32(const struct fixture *f, uint64_t physical)
{
    return (uint32_t)phys_read(&f->mem, physical, 4);
}

static inline void fixture_init(struct fixture *f, uint64_t memory)
{
    const char *text;
    memset(f, 0, sizeof *f);
    assert_true(boot_memory_init(&f->mem, memory, &text));
    f->image = (struct boot_file){"test.elf", f->data, IMAGE_SIZE, "test.elf one two"};
}

static inline void fixture_free(struct fixture *f)
{
    boot_memory_free(&f->mem);
}

static inline void put_header(struct fixture *f, uint32_t offset, uint32_t flags)
{
    put32(f->data + offset, MULTIBOOT_HEADER_MAGIC);
    put32(f->data + offset + 4, flags);
    put32(f->data + offset + 8, 0u - MULTIBOOT_HEADER_MAGIC - flags);
}

/* A 32-bit ELF with one segment: file bytes 0x1000 to 0x1010, 0x40 bytes at 1 MiB, entry at its start, header
 * at 0x200. */
static inline Elf32_Ehdr *put_elf32(struct fixture *f)
{
    Elf32_Ehdr *h = (Elf32_Ehdr *)(void *)f->data;
    memcpy(h->e_ident, ELFMAG, SELFMAG);
    h->e_ident[EI_CLASS] = ELFCLASS32;
    h->e_ident[EI_DATA] = ELFDATA2LSB;
    h->e_type = ET_EXEC;
    h->e_machine = EM_386;
    h->e_version = EV_CURRENT;
    h->e_entry = 0x100000;
    h->e_phoff = 0x40;
    h->e_phentsize = sizeof(Elf32_Phdr);
    h->e_phnum = 1;
    *(Elf32_Phdr *)(void *)(f->data + 0x40) = (Elf32_Phdr){.p_type = PT_LOAD,
                                                           .p_offset = 0x1000,
                                                           .p_vaddr = 0x100000,
                                                           .p_paddr = 0x100000,
                                                           .p_filesz = 0x10,
                                                           .p_memsz = 0x40};
    memset(f->data + 0x1000, 0xab, 0x10);
    put_header(f, 0x200, 0);
    return h;
}

static inline Elf32_Phdr *phdr32(struct fixture *f, unsigned index)
{
    return (Elf32_Phdr *)(void *)(f->data + 0x40 + index * sizeof(Elf32_Phdr));
}

static inline enum boot_status load(struct fixture *f)
{
    return multiboot_load(&f->mem, &f->image, NULL, 0, &f->result);
}

#define assert_fails(f, expected, words)                                                                     \
    do {                                                                                                     \
        assert_int_equal(load(f), expected);                                                                 \
        assert_int_equal((f)->result.status, expected);                                                      \
        if (!strstr((f)->result.text, words))                                                                \
            fail_msg("\"%s\" does not say \"%s\"", (f)->result.text, words);                                 \
    } while (0)

#endif
