/* multiboot_info.c: "Boot information format". One block in low memory: structure, memory map, module list,
 * strings. */
#include "sim/boot/acpi.h"
#include "sim/boot/multiboot.h"

#include <stdlib.h>

#define LOADER_NAME "vtsim"
#define PREFERRED 0x9500u /* where other loaders put it */
#define LOWEST 0x1000u    /* page 0 is left alone: vectors and BIOS data live there */
#define LOW_END 0x9fc00u  /* an extended BIOS data area would start here */
#define INFO_SIZE 88u
#define MAP_ENTRY 24u
#define MODULE_ENTRY 16u
#define ALIGN 16u

enum {
    INFO_MEMORY = 1 << 0,
    INFO_COMMAND_LINE = 1 << 2,
    INFO_MODULES = 1 << 3,
    INFO_MAP = 1 << 6,
    INFO_LOADER = 1 << 9
};
enum {
    OFFSET_FLAGS = 0,
    OFFSET_MEM_LOWER = 4,
    OFFSET_MEM_UPPER = 8,
    OFFSET_COMMAND_LINE = 16,
    OFFSET_MODS_COUNT = 20,
    OFFSET_MODS_ADDR = 24,
    OFFSET_MMAP_LENGTH = 44,
    OFFSET_MMAP_ADDR = 48,
    OFFSET_LOADER = 64
};

#define MAP_RAM 1u
#define MAP_RESERVED 2u

/* The block under construction. */
struct block {
    uint8_t *data;
    uint32_t base; /* its guest address */
    uint32_t used;
};

static void put32(uint8_t *to, uint32_t value)
{
    memcpy(to, &value, 4);
}
static void put64(uint8_t *to, uint64_t value)
{
    memcpy(to, &value, 8);
}

static uint32_t put_string(struct block *b, const char *text)
{
    uint32_t at = b->base + b->used;
    size_t size = strlen(text) + 1;
    memcpy(b->data + b->used, text, size);
    b->used += (uint32_t)size;
    return at;
}

struct map_entry {
    uint64_t base, length;
    uint32_t type;
};

#define MAP_MAX 8u

/* The memory map of a small PC: what a BIOS would keep is reserved, though RAM is behind it. */
static unsigned memory_map(const struct phys_mem *mem, struct map_entry map[MAP_MAX])
{
    unsigned count = 0;
    map[count++] = (struct map_entry){0, LOW_END, MAP_RAM};
    map[count++] = (struct map_entry){LOW_END, 0xa0000 - LOW_END, MAP_RESERVED};
    map[count++] = (struct map_entry){ACPI_AREA, ACPI_AREA_SIZE, MAP_RESERVED};
    if (mem->low_size > 0x100000)
        map[count++] = (struct map_entry){0x100000, mem->low_size - 0x100000, MAP_RAM};
    map[count++] = (struct map_entry){0xfec00000, 0x1000, MAP_RESERVED}; /* I/O APIC */
    map[count++] = (struct map_entry){0xfed00000, 0x1000, MAP_RESERVED}; /* HPET */
    map[count++] = (struct map_entry){0xfee00000, 0x1000, MAP_RESERVED}; /* local APIC */
    if (mem->high_size)
        map[count++] = (struct map_entry){PHYS_HIGH_BASE, mem->high_size, MAP_RAM};
    return count;
}

static void put_map(struct block *b, const struct phys_mem *mem)
{
    struct map_entry map[MAP_MAX];
    unsigned count = memory_map(mem, map);
    put32(b->data + OFFSET_MMAP_ADDR, b->base + b->used);
    put32(b->data + OFFSET_MMAP_LENGTH, count * MAP_ENTRY);
    for (unsigned i = 0; i < count; i++) {
        uint8_t *entry = b->data + b->used + (size_t)i * MAP_ENTRY;
        put32(entry, MAP_ENTRY - 4); /* the size does not count itself */
        put64(entry + 4, map[i].base);
        put64(entry + 12, map[i].length);
        put32(entry + 20, map[i].type);
    }
    b->used += count * MAP_ENTRY;
}

static void put_modules(struct block *b, const struct boot_file *modules, const uint32_t *address,
                        size_t count)
{
    uint8_t *list = b->data + b->used;
    put32(b->data + OFFSET_MODS_COUNT, (uint32_t)count);
    put32(b->data + OFFSET_MODS_ADDR, b->base + b->used);
    b->used += (uint32_t)count * MODULE_ENTRY;
    for (size_t i = 0; i < count; i++) {
        put32(list + i * MODULE_ENTRY, address[i]);
        put32(list + i * MODULE_ENTRY + 4, address[i] + (uint32_t)modules[i].size);
        put32(list + i * MODULE_ENTRY + 8, put_string(b, modules[i].string));
    }
}

static size_t block_size(const struct boot_file *image, const struct boot_file *modules, size_t count)
{
    size_t size = INFO_SIZE + MAP_MAX * MAP_ENTRY + sizeof LOADER_NAME + strlen(image->string) + 1;
    for (size_t i = 0; i < count; i++)
        size += MODULE_ENTRY + strlen(modules[i].string) + 1;
    return size;
}

/* Where [at, at + size) meets a part, the end of that part; else 0. */
static uint64_t blocked_until(const struct boot_parts *parts, uint64_t at, size_t size)
{
    for (size_t i = 0; i < parts->count; i++) {
        const struct boot_part *p = &parts->part[i];
        if (at < p->address + p->memory_size && p->address < at + size)
            return p->address + p->memory_size;
    }
    return 0;
}

/* A free place from `from` on; 0: none. Moves past one part after the other, so it ends. */
static uint32_t find_place(const struct boot_parts *parts, uint64_t from, size_t size)
{
    while (from + size <= LOW_END) {
        uint64_t next = blocked_until(parts, from, size);
        if (!next)
            return (uint32_t)from;
        from = (next + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
    }
    return 0;
}

static void fill(struct block *b, const struct phys_mem *mem, const struct boot_file *image,
                 const struct boot_file *modules, const uint32_t *module_address, size_t count)
{
    b->used = INFO_SIZE;
    put32(b->data + OFFSET_FLAGS, INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES | INFO_MAP | INFO_LOADER);
    put32(b->data + OFFSET_MEM_LOWER, LOW_END / 1024);
    put32(b->data + OFFSET_MEM_UPPER, (uint32_t)((mem->low_size - 0x100000) / 1024));
    put_map(b, mem);
    put_modules(b, modules, module_address, count);
    put32(b->data + OFFSET_COMMAND_LINE, put_string(b, image->string));
    put32(b->data + OFFSET_LOADER, put_string(b, LOADER_NAME));
}

enum boot_status multiboot_write_info(const struct phys_mem *mem, const struct boot_file *image,
                                      const struct boot_file *modules, const uint32_t *module_address,
                                      size_t module_count, const struct boot_parts *parts,
                                      struct boot_result *result)
{
    size_t size = block_size(image, modules, module_count);
    uint32_t base = find_place(parts, PREFERRED, size);
    if (!base)
        base = find_place(parts, LOWEST, size);
    if (!base)
        return boot_fail(result, BOOT_OVERLAP,
                         "%s: no %zu free bytes below %#x for the Multiboot information; load the image at 1 "
                         "MiB or shorten the "
                         "command lines",
                         image->name, size, LOW_END);
    struct block block = {calloc(1, size), base, 0};
    if (!block.data)
        return boot_fail(result, BOOT_OUT_OF_MEMORY, "out of memory for the Multiboot information");
    fill(&block, mem, image, modules, module_address, module_count);
    boot_write(mem, base, block.data, block.used);
    free(block.data);
    result->ebx = base;
    return BOOT_OK;
}
