/*
 * fill_entry.c: an entry of the library's cache for a page of plain RAM, made without the library.
 *
 * The library would look for the region of memory each time. All that its answer adds is one sum, whose
 * distance from the physical address is the same all over a piece of RAM: it is learned from the first entry
 * that the library itself makes there, which is compared with what would have been made here.
 */
#include "sim/core/core_private.h"

static uint64_t right_to(int rights, int right, uint64_t page)
{
    return rights & right ? page : UINT64_MAX;
}

static struct lib_tlb_entry entry_of(const uint8_t *ram, uint64_t page, uint64_t physical, int rights)
{
    struct lib_tlb_entry entry = {.read = right_to(rights, LIB_PAGE_READ, page),
                                  .write = right_to(rights, LIB_PAGE_WRITE, page | LIB_TLB_WATCHED),
                                  .code = right_to(rights, LIB_PAGE_EXECUTE, page),
                                  .physical = physical,
                                  .addend = (uint64_t)(uintptr_t)ram - page};
    return entry;
}

static bool same_entry(const struct lib_tlb_entry *a, const struct lib_tlb_entry *b)
{
    return a->read == b->read && a->write == b->write && a->code == b->code && a->physical == b->physical &&
           a->addend == b->addend;
}

static bool holds(const struct lib_tlb_entry *entry, uint64_t page)
{
    return (entry->read & ~0xfffull) == page || (entry->write & ~0xfffull) == page ||
           (entry->code & ~0xfffull) == page;
}

static bool empty(const struct lib_tlb_entry *entry)
{
    return (entry->read & entry->write & entry->code) == UINT64_MAX;
}

static uint64_t *io_of(struct lib_tlb_mode *mode, uint64_t page)
{
    return (uint64_t *)mode->io + 2 * (page >> 12 & (LIB_TLB_ENTRIES - 1));
}

/* As the library keeps it: the page that had the place becomes a victim, and no victim has the page. */
static void put(struct core *core, unsigned number, const struct lib_tlb_entry *entry, uint64_t page,
                const uint64_t io[2])
{
    struct lib_tlb_mode *mode = &core->before->mode[number];
    struct lib_tlb_entry *slot = core_cache_slot(core, number, page);
    uint64_t *slot_io = io_of(mode, page);
    core->before->dirty |= (uint16_t)(1u << number);
    for (unsigned i = 0; mode->victim_index && i < LIB_VICTIMS; i++)
        if (holds(&mode->victim[i], page))
            memset(&mode->victim[i], 0xff, sizeof mode->victim[i]);
    if (!empty(slot) && !holds(slot, page)) {
        unsigned victim = (unsigned)(mode->victim_index++ % LIB_VICTIMS);
        mode->victim[victim] = *slot;
        memcpy(mode->victim_io[victim], slot_io, sizeof mode->victim_io[victim]);
    }
    *slot = *entry;
    memcpy(slot_io, io, 2 * sizeof *io);
}

void core_fill_entry(struct core *core, uint64_t page, uint64_t physical, int rights, unsigned mode,
                     bool whole_page)
{
    const uint8_t *ram = phys_ram(core->config.mem, physical, 4096);
    struct core_ram_piece *piece = &core->ram_piece[physical >= PHYS_HIGH_BASE];
    const bool plain = ram && whole_page && !(rights & LIB_PAGE_WRITE_INVALID);
    if (plain && piece->known) {
        const struct lib_tlb_entry entry = entry_of(ram, page, physical, rights);
        put(core, mode, &entry, page,
            (const uint64_t[2]){physical + piece->distance - page, piece->attributes});
        return;
    }
    tlb_set_page_x86_64(core->cpu, page, physical, rights, (int)mode, whole_page ? 4096 : 1);
    if (plain) {
        const struct lib_tlb_entry expected = entry_of(ram, page, physical, rights);
        const uint64_t *io = io_of(&core->before->mode[mode], page);
        piece->known = same_entry(core_cache_slot(core, mode, page), &expected);
        piece->distance = io[0] + page - physical;
        piece->attributes = io[1];
    }
}
