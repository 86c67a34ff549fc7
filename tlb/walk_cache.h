/*
 * walk_cache.h: how long a page walk's reference takes: the part of the data caches that holds paging
 * structures.
 *
 * Timing only: what a walk reads is always what memory holds. The model sees no data accesses of translated
 * code, so each level has only the share of the real cache that its profile grants to paging structures. Each
 * level is set-associative with true LRU; a line that misses is brought into every level that it missed.
 */
#ifndef VTSIM_TLB_WALK_CACHE_H
#define VTSIM_TLB_WALK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "vtsim/profile.h"

struct walk_cache_level {
    uint64_t *line; /* sets of ways, last used first; line number plus 1, 0: none */
    uint32_t sets, ways, cycles;
};

struct walk_cache {
    struct walk_cache_level level[WALK_CACHE_LEVELS];
    uint32_t levels, memory_cycles;
};

/* False: out of memory. */
bool walk_cache_init(struct walk_cache *cache, const struct cpu_profile *profile);
void walk_cache_free(struct walk_cache *cache);
/* WBINVD and INVD: SDM volume 2, the pages of that name. */
void walk_cache_empty(struct walk_cache *cache);
/* Cycles of a reference to a physical address. */
uint32_t walk_cache_reference(struct walk_cache *cache, uint64_t physical);

#endif
