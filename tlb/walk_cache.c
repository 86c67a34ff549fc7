/* walk_cache.c: a page walk's references through the caches. */
#include "tlb/walk_cache.h"

#include <stdlib.h>
#include <string.h>

#define LINE_BITS 6 /* 64 bytes, in every profile */

bool walk_cache_init(struct walk_cache *cache, const struct cpu_profile *profile)
{
    const struct cpu_costs *cost = &profile->cost;
    const uint32_t cycles[WALK_CACHE_LEVELS] = {cost->walk_l1.cycles, cost->walk_l2.cycles,
                                                cost->walk_l3.cycles};
    *cache = (struct walk_cache){.memory_cycles = cost->walk_memory.cycles};
    for (unsigned i = 0; i < WALK_CACHE_LEVELS; i++) {
        const struct tlb_array_geometry *geometry = &profile->walk_cache[i];
        if (!geometry->entries)
            break;
        struct walk_cache_level *level = &cache->level[cache->levels++];
        *level = (struct walk_cache_level){.line = calloc(geometry->entries, sizeof *level->line),
                                           .sets = geometry->entries / geometry->ways,
                                           .ways = geometry->ways,
                                           .cycles = cycles[i]};
        if (!level->line) {
            walk_cache_free(cache);
            return false;
        }
    }
    return true;
}

void walk_cache_free(struct walk_cache *cache)
{
    for (unsigned i = 0; i < cache->levels; i++)
        free(cache->level[i].line);
    cache->levels = 0;
}

void walk_cache_empty(struct walk_cache *cache)
{
    for (unsigned i = 0; i < cache->levels; i++)
        memset(cache->level[i].line, 0,
               (size_t)cache->level[i].sets * cache->level[i].ways * sizeof(uint64_t));
}

/* Is it there? In either case it is the set's last used line afterwards. */
static inline bool touch(struct walk_cache_level *level, uint64_t line)
{
    uint64_t *set = level->line + (line & (level->sets - 1)) * level->ways;
    uint32_t way = 0;
    if (set[0] == line + 1)
        return true;
    while (way < level->ways - 1 && set[way] != line + 1)
        way++;
    const bool found = set[way] == line + 1;
    memmove(set + 1, set, way * sizeof *set);
    set[0] = line + 1;
    return found;
}

uint32_t walk_cache_reference(struct walk_cache *cache, uint64_t physical)
{
    const uint64_t line = physical >> LINE_BITS;
    for (unsigned i = 0; i < cache->levels; i++)
        if (touch(&cache->level[i], line))
            return cache->level[i].cycles;
    return cache->memory_cycles;
}
