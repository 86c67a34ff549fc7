/*
 * multiboot.h: loading from memory, for boot_load and for the fuzzer. Source: Multiboot Specification version
 * 0.6.96; section titles are named beside the code.
 */
#ifndef VTSIM_SIM_BOOT_MULTIBOOT_H
#define VTSIM_SIM_BOOT_MULTIBOOT_H

#include "sim/boot/boot.h"

#define MULTIBOOT_HEADER_MAGIC 0x1badb002u
#define MULTIBOOT_ENTRY_MAGIC 0x2badb002u
#define MULTIBOOT_SEARCH 8192u /* the header lies within the first 8 KiB, 4-byte aligned */
#define MULTIBOOT_MAX_PARTS 64u
#define MULTIBOOT_MAX_MODULES 64u

/* A file's contents. string is the command line that the guest gets for it. */
struct boot_file {
    const char *name; /* for messages */
    const uint8_t *data;
    size_t size;
    const char *string;
};

struct multiboot_header {
    uint32_t offset; /* in the file */
    uint32_t flags;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

/* One piece of memory that the image wants: file_size bytes from file_offset, then zeros up to memory_size.
 */
struct boot_part {
    uint64_t address, memory_size;
    uint64_t file_offset, file_size;
};

struct boot_parts {
    struct boot_part part[MULTIBOOT_MAX_PARTS];
    size_t count;
    uint32_t entry;
};

/* The whole way. modules: count up to MULTIBOOT_MAX_MODULES. The same value as result->status. */
enum boot_status multiboot_load(const struct phys_mem *mem, const struct boot_file *image,
                                const struct boot_file *modules, size_t module_count,
                                struct boot_result *result);

/* Its steps. Each gives BOOT_OK or fails with result->status and result->text. */
enum boot_status multiboot_find_header(const struct boot_file *image, struct multiboot_header *header,
                                       struct boot_result *result);
enum boot_status multiboot_address_parts(const struct boot_file *image, const struct multiboot_header *header,
                                         struct boot_parts *parts, struct boot_result *result);
enum boot_status elf_parts(const struct boot_file *image, struct boot_parts *parts,
                           struct boot_result *result);
bool elf_is(const struct boot_file *image);
enum boot_status boot_check_parts(const struct phys_mem *mem, const struct boot_file *image,
                                  const struct boot_parts *parts, struct boot_result *result);
/* modules[i] lies at module_address[i]. Writes the information structure and sets result->ebx. */
enum boot_status multiboot_write_info(const struct phys_mem *mem, const struct boot_file *image,
                                      const struct boot_file *modules, const uint32_t *module_address,
                                      size_t module_count, const struct boot_parts *parts,
                                      struct boot_result *result);

/* Fills status and text; returns status. */
__attribute__((format(printf, 3, 4))) enum boot_status
boot_fail(struct boot_result *result, enum boot_status status, const char *format, ...);
/* Copies to RAM; the range must lie in it. */
void boot_write(const struct phys_mem *mem, uint64_t address, const void *from, size_t size);
/* Zeros RAM; the range must lie in it. */
void boot_zero(const struct phys_mem *mem, uint64_t address, uint64_t size);

static inline uint32_t boot_read32(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

#endif
