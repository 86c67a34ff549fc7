/* pages.c: pages of RAM that are watched, and who wrote to which entry of a paging structure last. */
#include <stdlib.h>

#include "sim/sanitize/private.h"

/* The number of a page of RAM; false: it is none. */
static bool page_of(const struct sanitizer *s, uint64_t physical, uint64_t *page)
{
    const uint8_t *ram = phys_ram(s->mem, physical, 1);
    if (ram)
        *page = (uint64_t)(ram - s->mem->ram) >> 12;
    return ram != NULL;
}

bool pages_init(struct sanitizer *s)
{
    const size_t bytes = (size_t)((s->mem->low_size + s->mem->high_size) >> 15) + 1;
    s->watched_pages = calloc(bytes, 1);
    s->tables = calloc(bytes, 1);
    s->writes = calloc(WRITES_KEPT, sizeof *s->writes);
    return s->watched_pages && s->tables && s->writes;
}

void pages_free(struct sanitizer *s)
{
    free(s->watched_pages);
    free(s->tables);
    free(s->writes);
}

/* What the cores hold of the page is to be asked for again. */
static void drop_all(const struct sanitizer *s)
{
    for (unsigned i = 0; i < s->options.processors; i++)
        if (s->processors[i].mmu)
            mmu_drop_outer_all(s->processors[i].mmu);
}

void pages_watch(struct sanitizer *s, uint64_t physical, bool watch)
{
    uint64_t page;
    if (!page_of(s, physical, &page))
        return;
    const uint8_t bit = (uint8_t)(1u << (page & 7));
    if (watch) {
        s->watched_pages[page >> 3] |= bit;
        drop_all(s);
    } else if (!(s->tables[page >> 3] & bit)) {
        s->watched_pages[page >> 3] &= (uint8_t)~bit;
    }
}

void pages_note_tables(struct sanitizer *s, const struct mmu_path *path)
{
    uint64_t page;
    for (unsigned i = 0; i < path->count; i++) {
        if (!page_of(s, path->address[i], &page) || s->tables[page >> 3] & (1u << (page & 7)))
            continue;
        s->tables[page >> 3] |= (uint8_t)(1u << (page & 7));
        pages_watch(s, path->address[i], true);
    }
}

static struct entry_write *slot_of(const struct sanitizer *s, uint64_t entry)
{
    return &s->writes[entry >> 3 & (WRITES_KEPT - 1)];
}

/* From here on every processor asks for every translation again, so that no use of what has changed is
 * missed. */
void pages_written(struct sanitizer_processor *p, uint64_t physical, size_t size)
{
    struct sanitizer *s = p->sanitizer;
    uint64_t page;
    if (!page_of(s, physical, &page) || !(s->tables[page >> 3] & (1u << (page & 7))))
        return;
    for (uint64_t entry = physical & ~7ull; entry < physical + size; entry += 8)
        *slot_of(s, entry) = (struct entry_write){.address = entry, .place = sanitizer_place(p)};
    drop_all(s);
}

const struct place *pages_last_write(const struct sanitizer *s, uint64_t entry)
{
    const struct entry_write *write = slot_of(s, entry & ~7ull);
    return write->address == (entry & ~7ull) && write->address ? &write->place : NULL;
}
