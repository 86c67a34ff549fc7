/*
 * outer_cache.c: the library's own TLB, kept a subset of the modelled one.
 *
 * The library's TLB has no tags. So that a VM exit and the entry after it need not fill it anew, it is there
 * once for each of a few worlds: regimes of translation that differ in VMX mode, VPID or EPT pointer. A
 * change of world exchanges the tables' addresses. Another change of the regime (CR3, paging mode) empties
 * the world's tables, as does being the world that was not active for longest when a further one is needed.
 *
 * The library finds translated code by linear address in a table of jump targets that looks at no
 * translation. The world's number is a part of the flags word that a target must match; a page that was
 * fetched from and loses its translation loses its targets.
 */
#include <stdlib.h>

#include "sim/core/core_private.h"

/* The library resizes its cache by the host's clock when it is flushed. Held in the middle of the band in
 * which it leaves the size alone, and with a window that never ends, it keeps its 256 entries. */
static void pin_cache_size(struct core *core)
{
    for (int i = 0; i < LIB_MMU_MODES; i++) {
        struct lib_tlb_mode *mode = &core->before->mode[i];
        mode->window_begin = INT64_MAX / 2;
        mode->window_max_entries = LIB_TLB_ENTRIES / 2;
        mode->used_entries = LIB_TLB_ENTRIES / 2;
    }
}

static struct lib_tlb_entry *slot_of(const struct core_world *world, unsigned mode, uint64_t page)
{
    return &world->table[mode].entries[page >> 12 & (LIB_TLB_ENTRIES - 1)];
}

/* Where the present world's entry for the page is, if there is one. */
struct lib_tlb_entry *core_cache_slot(const struct core *core, unsigned mode, uint64_t page)
{
    return slot_of(&core->world[core->active_world], mode, page);
}

static bool fetched_from(const struct core_world *world, uint64_t page)
{
    uint64_t bit = page >> 12 & (CORE_PAGE_FILTER - 1);
    return world->fetched_from[bit / 64] >> (bit & 63) & 1;
}

void core_note_fill(struct core *core, uint64_t page, unsigned mode, bool fetch)
{
    struct core_world *w = &core->world[core->active_world];
    if (w->fills < CORE_FILLS_REMEMBERED)
        w->filled[w->fills] = (struct core_filled){page, (uint8_t)mode, fetch};
    w->fills++;
    w->modes |= 1u << mode;
    uint64_t bit = page >> 12 & (CORE_PAGE_FILTER - 1);
    if (fetch)
        w->fetched_from[bit / 64] |= 1ull << (bit & 63);
}

static void empty_victims(struct core *core, unsigned mode)
{
    if (!core->before->mode[mode].victim_index)
        return; /* nothing was put there since */
    memset(core->before->mode[mode].victim, 0xff, sizeof core->before->mode[mode].victim);
    core->before->mode[mode].victim_index = 0;
}

/* A few entries, one by one: much less than whole tables. */
static void drop_remembered(struct core *core, const struct core_world *w)
{
    for (unsigned i = 0; i < w->fills; i++) {
        const struct core_filled *f = &w->filled[i];
        memset(slot_of(w, f->mode, f->page), 0xff, sizeof(struct lib_tlb_entry));
        if (f->fetch)
            tb_flush_jmp_cache_x86_64(core->cpu, f->page);
    }
}

static void drop_world(struct core *core, struct core_world *w)
{
    if (!w->fills)
        return;
    if (w->fills <= CORE_FILLS_REMEMBERED) {
        drop_remembered(core, w);
    } else {
        for (unsigned mode = 0; mode < LIB_MMU_MODES; mode++)
            if (w->modes >> mode & 1)
                memset(w->table[mode].entries, 0xff, LIB_TLB_ENTRIES * sizeof(struct lib_tlb_entry));
        memset(core->cpu->jump_cache, 0, sizeof core->cpu->jump_cache);
    }
    for (unsigned mode = 0; w == &core->world[core->active_world] && mode < LIB_MMU_MODES; mode++)
        empty_victims(core, mode);
    w->fills = 0;
    w->modes = 0;
    memset(w->fetched_from, 0, sizeof w->fetched_from);
}

static void drop_all(void *opaque)
{
    struct core *core = opaque;
    drop_world(core, &core->world[core->active_world]);
}

static void drop_others(void *opaque)
{
    struct core *core = opaque;
    for (unsigned i = 0; i < CORE_WORLDS; i++)
        if (i != core->active_world)
            drop_world(core, &core->world[i]);
}

/* Outside of 64-bit mode the library's linear address of code is CS.base + EIP with a bit 32, and with
 * linear-address masking data is there under each pointer that it was reached by (in the same slot): the low
 * 32 bits decide, which at worst drops a page too many. */
static void drop_entry(struct lib_tlb_entry *entry, uint64_t page)
{
    const uint32_t mask = ~0xfffu, low = (uint32_t)page;
    if (((uint32_t)entry->read & mask) == low || ((uint32_t)entry->write & mask) == low ||
        ((uint32_t)entry->code & mask) == low)
        memset(entry, 0xff, sizeof *entry);
}

static void drop_page_of(struct core *core, struct core_world *w, uint64_t page)
{
    const bool active = w == &core->world[core->active_world];
    for (unsigned mode = 0; mode < LIB_MMU_MODES; mode++) {
        if (!(w->modes >> mode & 1))
            continue;
        drop_entry(slot_of(w, mode, page), page);
        for (int v = 0; active && v < LIB_VICTIMS; v++)
            drop_entry(&core->before->mode[mode].victim[v], page);
    }
    if (fetched_from(w, page))
        tb_flush_jmp_cache_x86_64(core->cpu, page);
}

static void drop_page(void *opaque, uint64_t linear, unsigned page_bits)
{
    struct core *core = opaque;
    for (unsigned i = 0; i < CORE_WORLDS; i++)
        if (core->world[i].fills && page_bits > 12)
            drop_world(core, &core->world[i]);
        else if (core->world[i].fills)
            drop_page_of(core, &core->world[i], linear & ~0xfffull);
}

static void activate(struct core *core, unsigned number)
{
    struct core_world *w = &core->world[number];
    for (unsigned mode = 0; mode < LIB_MMU_MODES; mode++) {
        empty_victims(core, mode);
        core->before->table[mode] = w->table[mode];
        core->before->mode[mode].io = w->io[mode];
    }
    core->active_world = number;
    w->last_active = ++core->world_switches;
}

static bool same_world(const struct mmu_regime *a, const struct mmu_regime *b)
{
    return a->non_root == b->non_root && a->vpid == b->vpid && a->ept == b->ept && a->eptp == b->eptp;
}

/* The world of that regime, or one to be its: a free one, else that which was not active for longest. */
static unsigned find_world(const struct core *core, const struct mmu_regime *regime)
{
    unsigned oldest = 0;
    for (unsigned i = 0; i < CORE_WORLDS; i++)
        if (core->world[i].used && same_world(&core->world[i].regime, regime))
            return i;
    for (unsigned i = 1; i < CORE_WORLDS; i++)
        if (core->world[i].last_active < core->world[oldest].last_active)
            oldest = i;
    return oldest;
}

static void switch_regime(void *opaque, const struct mmu_regime *to)
{
    struct core *core = opaque;
    unsigned number = find_world(core, to);
    struct core_world *w = &core->world[number];
    if (!w->used || !mmu_same_translation(&w->regime, to))
        drop_world(core, w);
    w->used = true;
    w->regime = *to;
    if (number != core->active_world)
        activate(core, number);
}

/* False: out of memory. */
static bool allocate_world(struct core_world *w)
{
    for (unsigned mode = 0; mode < LIB_MMU_MODES; mode++) {
        w->table[mode].mask = (LIB_TLB_ENTRIES - 1) << LIB_TLB_ENTRY_SHIFT;
        w->table[mode].entries = aligned_alloc(64, LIB_TLB_ENTRIES * sizeof(struct lib_tlb_entry));
        w->io[mode] = calloc(LIB_TLB_ENTRIES, 2 * sizeof(uint64_t));
        if (!w->table[mode].entries || !w->io[mode])
            return false;
        memset(w->table[mode].entries, 0xff, LIB_TLB_ENTRIES * sizeof(struct lib_tlb_entry));
    }
    return true;
}

/* The first world has the tables that the library made for itself. */
bool core_attach_cache(struct core *core)
{
    for (unsigned mode = 0; mode < LIB_MMU_MODES; mode++) {
        core->world[0].table[mode] = core->before->table[mode];
        core->world[0].io[mode] = core->before->mode[mode].io;
    }
    core->world[0].used = true;
    core->world[0].last_active = ++core->world_switches; /* those that were never active are older */
    core->world[0].regime = core->config.mmu->regime;
    core->world[0].fills = CORE_FILLS_REMEMBERED + 1; /* what the library may have filled in before */
    core->world[0].modes = (1u << LIB_MMU_MODES) - 1;
    for (unsigned i = 1; i < CORE_WORLDS; i++)
        if (!allocate_world(&core->world[i]))
            return false;
    drop_world(core, &core->world[0]);
    pin_cache_size(core);
    core->config.mmu->outer = (struct mmu_outer_cache){.drop_page = drop_page,
                                                       .drop_all = drop_all,
                                                       .drop_others = drop_others,
                                                       .switch_regime = switch_regime,
                                                       .opaque = core};
    return true;
}

/* The library finds its own tables again and frees them. */
void core_detach_cache(struct core *core)
{
    core->config.mmu->outer = (struct mmu_outer_cache){0};
    if (core->world[0].used)
        activate(core, 0);
    for (unsigned i = 1; i < CORE_WORLDS; i++)
        for (unsigned mode = 0; mode < LIB_MMU_MODES; mode++) {
            free(core->world[i].table[mode].entries);
            free(core->world[i].io[mode]);
        }
}
