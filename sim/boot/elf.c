/*
 * elf.c: the loadable segments of an ELF image (System V ABI, "ELF Header", "Program Header").
 *
 * Multiboot knows 32-bit ELF. 64-bit ELF is taken too, by physical addresses: the entry is executed in 32-bit
 * mode all the same, so the image must start with 32-bit code.
 */
#include "sim/boot/multiboot.h"

#include <elf.h>

struct segment {
    uint64_t offset, vaddr, paddr, filesz, memsz;
    uint32_t type;
};

struct elf_layout {
    bool is64;
    uint64_t entry;
    uint64_t table; /* file offset of the program headers */
    uint32_t count, entry_size;
};

bool elf_is(const struct boot_file *image)
{
    return image->size >= EI_NIDENT && !memcmp(image->data, ELFMAG, SELFMAG);
}

static bool header_supported(const uint8_t *ident, uint16_t type, uint16_t machine, uint32_t version)
{
    return ident[EI_DATA] == ELFDATA2LSB && type == ET_EXEC && version == EV_CURRENT &&
           (machine == EM_386 || machine == EM_X86_64);
}

static bool layout32(const struct boot_file *image, struct elf_layout *l)
{
    Elf32_Ehdr h;
    memcpy(&h, image->data, sizeof h);
    *l = (struct elf_layout){false, h.e_entry, h.e_phoff, h.e_phnum, h.e_phentsize};
    return header_supported(h.e_ident, h.e_type, h.e_machine, h.e_version);
}

static bool layout64(const struct boot_file *image, struct elf_layout *l)
{
    Elf64_Ehdr h;
    memcpy(&h, image->data, sizeof h);
    *l = (struct elf_layout){true, h.e_entry, h.e_phoff, h.e_phnum, h.e_phentsize};
    return header_supported(h.e_ident, h.e_type, h.e_machine, h.e_version);
}

static enum boot_status read_layout(const struct boot_file *image, struct elf_layout *l,
                                    struct boot_result *result)
{
    uint8_t class = image->data[EI_CLASS];
    if (class != ELFCLASS32 && class != ELFCLASS64)
        return boot_fail(result, BOOT_BAD_IMAGE, "%s: ELF class %u is neither 32 nor 64 bits", image->name,
                         class);
    if (image->size < (class == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
        return boot_fail(result, BOOT_TRUNCATED, "%s: the file ends within the ELF header", image->name);
    if (!(class == ELFCLASS64 ? layout64(image, l) : layout32(image, l)))
        return boot_fail(
            result, BOOT_UNSUPPORTED,
            "%s: not a little-endian x86 executable; link it statically, not position-independent (ET_EXEC)",
            image->name);
    size_t least = l->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    if (l->count == 0 || l->count == PN_XNUM || l->entry_size < least)
        return boot_fail(result, BOOT_BAD_IMAGE,
                         "%s: %u program headers of %u bytes; at least one of %zu is needed", image->name,
                         l->count, l->entry_size, least);
    uint64_t bytes = (uint64_t)l->count * l->entry_size, end = l->table + bytes;
    if (l->table > image->size || bytes > image->size - l->table)
        return boot_fail(result, BOOT_TRUNCATED,
                         "%s: program headers at %#llx to %#llx, but the file ends at %#zx; copy it again",
                         image->name, (unsigned long long)l->table, (unsigned long long)end, image->size);
    return BOOT_OK;
}

static struct segment read_segment(const struct boot_file *image, const struct elf_layout *l, uint32_t index)
{
    const uint8_t *at = image->data + l->table + (uint64_t)index * l->entry_size;
    if (l->is64) {
        Elf64_Phdr p;
        memcpy(&p, at, sizeof p);
        return (struct segment){p.p_offset, p.p_vaddr, p.p_paddr, p.p_filesz, p.p_memsz, p.p_type};
    }
    Elf32_Phdr p;
    memcpy(&p, at, sizeof p);
    return (struct segment){p.p_offset, p.p_vaddr, p.p_paddr, p.p_filesz, p.p_memsz, p.p_type};
}

static enum boot_status check_segment(const struct boot_file *image, const struct segment *s, uint32_t index,
                                      struct boot_result *result)
{
    if (s->filesz > s->memsz)
        return boot_fail(result, BOOT_BAD_IMAGE,
                         "%s: program header %u has more bytes in the file (%#llx) than in memory (%#llx)",
                         image->name, index, (unsigned long long)s->filesz, (unsigned long long)s->memsz);
    if (s->offset > image->size || s->filesz > image->size - s->offset)
        return boot_fail(result, BOOT_TRUNCATED,
                         "%s: program header %u takes %#llx bytes at offset %#llx, but the file ends at "
                         "%#zx; copy it again",
                         image->name, index, (unsigned long long)s->filesz, (unsigned long long)s->offset,
                         image->size);
    return BOOT_OK;
}

/* An entry given as a virtual address is that of a loaded segment; execution starts at its physical address.
 */
static uint64_t physical_entry(uint64_t entry, const struct segment *s, bool *found)
{
    if (*found || entry < s->vaddr || entry - s->vaddr >= s->memsz)
        return entry;
    *found = true;
    return entry - s->vaddr + s->paddr;
}

enum boot_status elf_parts(const struct boot_file *image, struct boot_parts *parts,
                           struct boot_result *result)
{
    struct elf_layout l = {0};
    if (read_layout(image, &l, result) != BOOT_OK)
        return result->status;
    bool entry_found = false;
    uint64_t entry = l.entry;
    parts->count = 0;
    for (uint32_t i = 0; i < l.count; i++) {
        struct segment s = read_segment(image, &l, i);
        if (s.type != PT_LOAD || s.memsz == 0)
            continue;
        if (check_segment(image, &s, i, result) != BOOT_OK)
            return result->status;
        if (parts->count == MULTIBOOT_MAX_PARTS)
            return boot_fail(result, BOOT_UNSUPPORTED, "%s: more than %u loadable segments", image->name,
                             MULTIBOOT_MAX_PARTS);
        parts->part[parts->count++] = (struct boot_part){s.paddr, s.memsz, s.offset, s.filesz};
        entry = physical_entry(entry, &s, &entry_found);
    }
    if (!parts->count)
        return boot_fail(result, BOOT_BAD_IMAGE, "%s: no loadable segment (PT_LOAD)", image->name);
    if (entry > UINT32_MAX)
        return boot_fail(result, BOOT_BAD_IMAGE,
                         "%s: entry point %#llx is above 4 GiB, where 32-bit code cannot start", image->name,
                         (unsigned long long)entry);
    parts->entry = (uint32_t)entry;
    return BOOT_OK;
}
