/* multiboot_load.c: the steps put together: header, parts, checks, copying, modules, information structure.
 */
#include "sim/boot/acpi.h"
#include "sim/boot/multiboot.h"

#include <stdarg.h>
#include <stdio.h>

#define FLAG_ADDRESSES (1u << 16)
#define PAGE 4096ull

enum boot_status boot_fail(struct boot_result *result, enum boot_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(result->text, sizeof result->text, format, arguments);
    va_end(arguments);
    result->status = status;
    return status;
}

static enum boot_status check_part(const struct phys_mem *mem, const struct boot_file *image,
                                   const struct boot_part *part, size_t index, struct boot_result *result)
{
    if (part->address <= mem->low_size && part->memory_size <= mem->low_size - part->address)
        return BOOT_OK;
    return boot_fail(result, BOOT_OUTSIDE_RAM,
                     "%s: segment %zu wants %#llx bytes at physical %#llx, but RAM below 4 GiB ends at "
                     "%#llx; give more with "
                     "--mem (at most 3G lie below 4 GiB)",
                     image->name, index, (unsigned long long)part->memory_size,
                     (unsigned long long)part->address, (unsigned long long)mem->low_size);
}

static bool overlap(const struct boot_part *a, const struct boot_part *b)
{
    return a->address < b->address + b->memory_size && b->address < a->address + a->memory_size;
}

/* The memory map calls it reserved: the ACPI tables are there. */
static enum boot_status check_firmware_area(const struct boot_file *image, const struct boot_part *part,
                                            size_t index, struct boot_result *result)
{
    static const struct boot_part area = {.address = ACPI_AREA, .memory_size = ACPI_AREA_SIZE};
    if (!overlap(part, &area))
        return BOOT_OK;
    return boot_fail(result, BOOT_OVERLAP,
                     "%s: segment %zu wants %#llx bytes at physical %#llx, but %#x to %#x is the firmware's "
                     "(ACPI tables); link it at 1 MiB or above",
                     image->name, index, (unsigned long long)part->memory_size,
                     (unsigned long long)part->address, ACPI_AREA, ACPI_AREA + ACPI_AREA_SIZE - 1);
}

static bool holds(const struct boot_parts *parts, uint64_t address)
{
    for (size_t i = 0; i < parts->count; i++)
        if (address >= parts->part[i].address &&
            address - parts->part[i].address < parts->part[i].memory_size)
            return true;
    return false;
}

enum boot_status boot_check_parts(const struct phys_mem *mem, const struct boot_file *image,
                                  const struct boot_parts *parts, struct boot_result *result)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (check_part(mem, image, &parts->part[i], i, result) != BOOT_OK ||
            check_firmware_area(image, &parts->part[i], i, result) != BOOT_OK)
            return result->status;
        for (size_t j = 0; j < i; j++)
            if (overlap(&parts->part[i], &parts->part[j]))
                return boot_fail(
                    result, BOOT_OVERLAP,
                    "%s: segments %zu (at physical %#llx) and %zu (at %#llx) overlap; fix the linker script",
                    image->name, j, (unsigned long long)parts->part[j].address, i,
                    (unsigned long long)parts->part[i].address);
    }
    if (!holds(parts, parts->entry))
        return boot_fail(result, BOOT_BAD_IMAGE, "%s: entry point %#x is in none of the loaded segments",
                         image->name, parts->entry);
    return BOOT_OK;
}

static enum boot_status find_parts(const struct boot_file *image, struct boot_parts *parts,
                                   struct boot_result *result)
{
    struct multiboot_header header;
    if (multiboot_find_header(image, &header, result) != BOOT_OK)
        return result->status;
    if (header.flags & FLAG_ADDRESSES) /* they go before what the ELF header says */
        return multiboot_address_parts(image, &header, parts, result);
    if (elf_is(image))
        return elf_parts(image, parts, result);
    return boot_fail(
        result, BOOT_BAD_IMAGE,
        "%s: neither an ELF image nor addresses in the Multiboot header; link as ELF or set flag 16",
        image->name);
}

static void copy_parts(const struct phys_mem *mem, const struct boot_file *image,
                       const struct boot_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        const struct boot_part *part = &parts->part[i];
        boot_write(mem, part->address, image->data + part->file_offset, part->file_size);
        boot_zero(mem, part->address + part->file_size, part->memory_size - part->file_size);
    }
}

static uint64_t end_of(const struct boot_parts *parts)
{
    uint64_t end = 1ull << 20; /* modules never go below 1 MiB */
    for (size_t i = 0; i < parts->count; i++)
        if (parts->part[i].address + parts->part[i].memory_size > end)
            end = parts->part[i].address + parts->part[i].memory_size;
    return end;
}

/* Behind the image, each on a page of its own ("Header magic fields", flag 0). */
static enum boot_status place_modules(const struct phys_mem *mem, const struct boot_file *modules,
                                      size_t count, uint64_t end, uint32_t *address,
                                      struct boot_result *result)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t at = (end + PAGE - 1) & ~(PAGE - 1);
        if (at > mem->low_size || modules[i].size > mem->low_size - at)
            return boot_fail(result, BOOT_OUTSIDE_RAM,
                             "module %s: %#zx bytes at physical %#llx do not fit, RAM below 4 GiB ends at "
                             "%#llx; give more with --mem",
                             modules[i].name, modules[i].size, (unsigned long long)at,
                             (unsigned long long)mem->low_size);
        address[i] = (uint32_t)at;
        end = at + modules[i].size;
    }
    return BOOT_OK;
}

/* FNV-1a: offset basis and prime of the 64-bit variant. */
static uint64_t digest(const uint8_t *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3ull;
    return hash;
}

enum boot_status multiboot_load(const struct phys_mem *mem, const struct boot_file *image,
                                const struct boot_file *modules, size_t module_count,
                                struct boot_result *result)
{
    struct boot_parts parts = {.count = 0};
    uint32_t address[MULTIBOOT_MAX_MODULES];
    *result = (struct boot_result){.image_digest = digest(image->data, image->size)};
    if (module_count > MULTIBOOT_MAX_MODULES)
        return boot_fail(result, BOOT_UNSUPPORTED, "%zu modules; at most %u are possible", module_count,
                         MULTIBOOT_MAX_MODULES);
    if (find_parts(image, &parts, result) != BOOT_OK ||
        boot_check_parts(mem, image, &parts, result) != BOOT_OK ||
        place_modules(mem, modules, module_count, end_of(&parts), address, result) != BOOT_OK ||
        multiboot_write_info(mem, image, modules, address, module_count, &parts, result) != BOOT_OK)
        return result->status;
    copy_parts(mem, image, &parts);
    for (size_t i = 0; i < module_count; i++)
        boot_write(mem, address[i], modules[i].data, modules[i].size);
    result->eax = MULTIBOOT_ENTRY_MAGIC;
    result->entry = parts.entry;
    return BOOT_OK;
}
