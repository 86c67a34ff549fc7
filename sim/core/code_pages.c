/*
 * code_pages.c: which pages of RAM hold translated code, and what a store into one of them retires.
 *
 * Such stores must be seen, under whatever linear address, by whichever processor, and however often. The
 * library marks an entry of its TLB as watched when it is filled, but takes the mark off at the first store.
 * A region of priority 1 keeps its marks (the library means that for snapshots); we take them off where no
 * core translated from a page, and put them on every entry of a page, in every core, when its first block is
 * translated.
 *
 * A core retires its own blocks before its store is done. We are asked then too, and have the other cores
 * retire theirs: they see new code as if the store had drained at once, which the SDM allows (volume 3A,
 * "Handling Self- and Cross-Modifying Code" asks software for more than that).
 */
#include <stdlib.h>

#include "sim/core/core_private.h"

void __wrap_tb_invalidate_phys_page_fast_x86_64(struct uc_struct *uc, void *pages, uint64_t start, int length,
                                                uintptr_t host_pc);
void __real_tb_invalidate_phys_page_fast_x86_64(struct uc_struct *uc, void *pages, uint64_t start, int length,
                                                uintptr_t host_pc);

static size_t bitmap_bytes(const struct phys_mem *mem)
{
    return ((mem->low_size + mem->high_size) >> 15) + 1;
}

static bool bit_of(const uint8_t *bitmap, uint64_t page)
{
    return bitmap[page >> 3] >> (page & 7) & 1;
}

/* Did any core translate from the page? */
bool core_holds_code(const struct core *core, uint64_t physical)
{
    const struct phys_mem *mem = core->config.mem;
    const uint8_t *host = phys_ram(mem, physical, 1);
    return host && bit_of(mem->code_pages, (uint64_t)(host - mem->ram) >> 12);
}

static void watch_entry(struct lib_tlb_entry *entry, uint64_t physical)
{
    if (entry->physical == physical && entry->write != UINT64_MAX)
        entry->write |= LIB_TLB_WATCHED;
}

static void watch_page(struct core *core, uint64_t physical)
{
    for (unsigned mode = 0; mode < LIB_MMU_MODES; mode++) {
        for (unsigned w = 0; w < CORE_WORLDS; w++)
            for (unsigned i = 0; core->world[w].used && i < LIB_TLB_ENTRIES; i++)
                watch_entry(&core->world[w].table[mode].entries[i], physical);
        for (unsigned i = 0; i < LIB_VICTIMS; i++)
            watch_entry(&core->before->mode[mode].victim[i], physical);
    }
}

/* host: address of a byte of the block. */
static void note_page(struct core *core, const uint8_t *host)
{
    const struct phys_mem *mem = core->config.mem;
    uint64_t page = (uint64_t)(host - mem->ram) >> 12, offset = page << 12;
    uint8_t bit = (uint8_t)(1u << (page & 7));
    if (core->code_pages[page >> 3] & bit)
        return;
    core->code_pages[page >> 3] |= bit;
    mem->code_pages[page >> 3] |= bit;
    for (struct core *c = core_opened; c; c = c->next)
        watch_page(c, offset < mem->low_size ? offset : offset - mem->low_size + PHYS_HIGH_BASE);
}

/* A block was translated. */
void core_note_code(struct core *core, const struct lib_block *block)
{
    const uint8_t *first = core_code_bytes(core, block->pc);
    uint64_t last_byte = block->pc + (block->size ? block->size - 1u : 0);
    if (first)
        note_page(core, first);
    if ((last_byte ^ block->pc) >> 12) {
        const uint8_t *second = core_code_bytes(core, last_byte);
        if (second)
            note_page(core, second);
    }
}

/* All blocks of the core are gone. */
void core_forget_code(struct core *core)
{
    const struct phys_mem *mem = core->config.mem;
    size_t bytes = bitmap_bytes(mem);
    memset(core->code_pages, 0, bytes);
    memset(mem->code_pages, 0, bytes);
    for (const struct core *c = core_opened; c; c = c->next)
        for (size_t i = 0; c != core && c->code_pages && i < bytes; i++)
            mem->code_pages[i] |= c->code_pages[i];
}

static void retire(struct core *core, uint64_t offset, unsigned length)
{
    if (core->code_pages &&
        (bit_of(core->code_pages, offset >> 12) || bit_of(core->code_pages, (offset + length - 1) >> 12)))
        tb_invalidate_phys_range_x86_64((struct uc_struct *)core->uc, offset, offset + length);
}

/* Translated code is about to store into a page with code; the library's own call may not return. */
void __wrap_tb_invalidate_phys_page_fast_x86_64(struct uc_struct *uc, void *pages, uint64_t start, int length,
                                                uintptr_t host_pc)
{
    for (struct core *c = core_opened; c; c = c->next)
        if (c != core_current && core_current && (struct uc_struct *)core_current->uc == uc)
            retire(c, start, (unsigned)length);
    __real_tb_invalidate_phys_page_fast_x86_64(uc, pages, start, length, host_pc);
}

/* The model wrote to a page with translated code. */
static void written_by_model(void *opaque, uint64_t physical, unsigned length)
{
    const struct phys_mem *mem = opaque;
    uint64_t offset = physical < PHYS_HIGH_BASE ? physical : physical - PHYS_HIGH_BASE + mem->low_size;
    for (struct core *c = core_opened; c; c = c->next)
        retire(c, offset, length);
}

/* False: out of memory. */
bool core_attach_memory(struct core *core)
{
    struct phys_mem *mem = core->config.mem;
    size_t bytes = bitmap_bytes(mem);
    core->code_pages = calloc(bytes, 1);
    if (!mem->code_pages)
        mem->code_pages = calloc(bytes, 1);
    mem->code_written = written_by_model;
    mem->code_opaque = mem;
    return core->code_pages && mem->code_pages;
}

/* core is no longer among those that are open. */
void core_detach_memory(struct core *core)
{
    struct phys_mem *mem = core->config.mem;
    free(core->code_pages);
    core->code_pages = NULL;
    if (core_opened)
        return;
    free(mem->code_pages);
    mem->code_pages = NULL;
}
