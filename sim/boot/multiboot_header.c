/* multiboot_header.c: "OS image format" and "The address fields of Multiboot header". */
#include "sim/boot/multiboot.h"

#include <stdio.h>

#define FLAG_VIDEO (1u << 2)
#define FLAG_ADDRESSES (1u << 16)
#define REQUIRED_FLAGS 0xffffu
#define KNOWN_REQUIRED 0x7u /* page-aligned modules, memory information, video (with a note) */
#define HEADER_BASIC 12u
#define HEADER_ADDRESSES 32u

static bool header_at(const struct boot_file *image, size_t offset)
{
    const uint8_t *p = image->data + offset;
    uint32_t sum = boot_read32(p) + boot_read32(p + 4) + boot_read32(p + 8);
    return boot_read32(p) == MULTIBOOT_HEADER_MAGIC && sum == 0;
}

static bool magic_without_checksum(const struct boot_file *image, size_t end)
{
    for (size_t offset = 0; offset + 4 <= end; offset += 4)
        if (boot_read32(image->data + offset) == MULTIBOOT_HEADER_MAGIC)
            return true;
    return false;
}

static enum boot_status search(const struct boot_file *image, uint32_t *offset, struct boot_result *result)
{
    size_t end = image->size < MULTIBOOT_SEARCH ? image->size : MULTIBOOT_SEARCH;
    for (size_t at = 0; at + HEADER_BASIC <= end; at += 4)
        if (header_at(image, at)) {
            *offset = (uint32_t)at;
            return BOOT_OK;
        }
    if (magic_without_checksum(image, end))
        return boot_fail(result, BOOT_NO_HEADER,
                         "%s: a Multiboot magic number in the first 8 KiB, but its header is cut off or its "
                         "checksum is wrong; "
                         "magic + flags + checksum must be 0 modulo 2^32",
                         image->name);
    return boot_fail(
        result, BOOT_NO_HEADER,
        "%s: no Multiboot 1 header in the first 8 KiB; give an image that has one, 4-byte aligned",
        image->name);
}

enum boot_status multiboot_find_header(const struct boot_file *image, struct multiboot_header *header,
                                       struct boot_result *result)
{
    *header = (struct multiboot_header){0};
    if (search(image, &header->offset, result) != BOOT_OK)
        return result->status;
    const uint8_t *p = image->data + header->offset;
    header->flags = boot_read32(p + 4);
    uint32_t unknown = header->flags & REQUIRED_FLAGS & ~KNOWN_REQUIRED;
    if (unknown)
        return boot_fail(result, BOOT_UNSUPPORTED,
                         "%s: Multiboot header at offset %#x requires unknown features, flags %#x; bits 0 to "
                         "2 and 16 are known",
                         image->name, header->offset, unknown);
    if (header->flags & FLAG_VIDEO)
        snprintf(result->note, sizeof result->note,
                 "the image asks for a video mode; there is no display, its information is not given");
    if (!(header->flags & FLAG_ADDRESSES))
        return BOOT_OK;
    if (image->size - header->offset < HEADER_ADDRESSES)
        return boot_fail(result, BOOT_TRUNCATED,
                         "%s: the file ends within the Multiboot header's address fields at offset %#x",
                         image->name, header->offset);
    header->header_addr = boot_read32(p + 12);
    header->load_addr = boot_read32(p + 16);
    header->load_end_addr = boot_read32(p + 20);
    header->bss_end_addr = boot_read32(p + 24);
    header->entry_addr = boot_read32(p + 28);
    return BOOT_OK;
}

static enum boot_status check_order(const struct boot_file *image, const struct multiboot_header *h,
                                    struct boot_result *result)
{
    if (h->header_addr < h->load_addr || h->header_addr - h->load_addr > h->offset)
        return boot_fail(
            result, BOOT_BAD_IMAGE,
            "%s: Multiboot header: load_addr %#x is above header_addr %#x or before the file's beginning",
            image->name, h->load_addr, h->header_addr);
    if (h->load_end_addr && h->load_end_addr < h->load_addr)
        return boot_fail(result, BOOT_BAD_IMAGE,
                         "%s: Multiboot header: load_end_addr %#x is below load_addr %#x", image->name,
                         h->load_end_addr, h->load_addr);
    return BOOT_OK;
}

enum boot_status multiboot_address_parts(const struct boot_file *image, const struct multiboot_header *h,
                                         struct boot_parts *parts, struct boot_result *result)
{
    if (check_order(image, h, result) != BOOT_OK)
        return result->status;
    uint64_t from = h->offset - (h->header_addr - h->load_addr);
    uint64_t size = h->load_end_addr ? h->load_end_addr - h->load_addr : image->size - from;
    if (size > image->size - from)
        return boot_fail(
            result, BOOT_TRUNCATED,
            "%s: Multiboot header: %#llx bytes are to be loaded from offset %#llx, the file has %#zx in all",
            image->name, (unsigned long long)size, (unsigned long long)from, image->size);
    uint64_t memory = size, end = h->load_addr + size;
    if (h->bss_end_addr) {
        if (h->bss_end_addr < end)
            return boot_fail(result, BOOT_BAD_IMAGE,
                             "%s: Multiboot header: bss_end_addr %#x lies within what is loaded, up to %#llx",
                             image->name, h->bss_end_addr, (unsigned long long)end);
        memory = h->bss_end_addr - h->load_addr;
    }
    parts->part[0] = (struct boot_part){h->load_addr, memory, from, size};
    parts->count = 1;
    parts->entry = h->entry_addr;
    return BOOT_OK;
}
