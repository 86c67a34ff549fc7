/* tlb.c: the arrays: lookup, insertion with LRU replacement, removal. Which operation drops what:
 * invalidate.c. */
#include "tlb/tlb.h"

#include <stdlib.h>

static bool array_init(struct tlb_array *array, const struct tlb_array_geometry *geometry)
{
    if (!geometry->entries || !geometry->ways)
        return true;
    array->ways = geometry->ways;
    array->sets = geometry->entries / geometry->ways;
    array->set_mask = (array->sets & (array->sets - 1)) ? 0 : array->sets - 1;
    size_t entries = (size_t)array->sets * array->ways;
    array->where = calloc(entries, sizeof(*array->where));
    array->context = calloc(entries, sizeof(*array->context));
    array->frame = calloc(entries, sizeof(*array->frame));
    array->stamp = calloc(entries, sizeof(*array->stamp));
    array->used = calloc(array->sets, sizeof(*array->used));
    array->root = calloc(entries, sizeof(*array->root));
    array->ghost = calloc(entries, sizeof(*array->ghost));
    array->ghost_cause = calloc(entries, sizeof(*array->ghost_cause));
    return array->where && array->context && array->frame && array->stamp && array->used && array->root &&
           array->ghost && array->ghost_cause;
}

static void array_free(struct tlb_array *array)
{
    free(array->where);
    free(array->context);
    free(array->frame);
    free(array->stamp);
    free(array->used);
    free(array->root);
    free(array->ghost);
    free(array->ghost_cause);
    *array = (struct tlb_array){0};
}

bool tlb_init(struct tlb *tlb, const struct tlb_geometry *geometry)
{
    *tlb = (struct tlb){0};
    if (!array_init(&tlb->main, &geometry->main_4k_2m) || !array_init(&tlb->huge, &geometry->main_1g) ||
        !array_init(&tlb->guest_physical, &geometry->guest_physical) ||
        (!geometry->main_holds_2m && !array_init(&tlb->large, &geometry->large_2m))) {
        tlb_free(tlb);
        return false;
    }
    struct tlb_array *large = geometry->main_holds_2m ? &tlb->main : &tlb->large;
    tlb->by_size[TLB_4K] = &tlb->main;
    tlb->by_size[TLB_2M] = tlb->by_size[TLB_4M] = large->sets ? large : NULL;
    tlb->by_size[TLB_1G] = tlb->huge.sets ? &tlb->huge : NULL;
    tlb->first_level = geometry->first_level.entries;
    return true;
}

void tlb_free(struct tlb *tlb)
{
    array_free(&tlb->main);
    array_free(&tlb->large);
    array_free(&tlb->huge);
    array_free(&tlb->guest_physical);
}

/* The page number with the bits below the page's size clear, and the size: the tag without valid, global and
 * PCID. */
static inline uint64_t page_tag(uint64_t address, enum tlb_size size)
{
    uint64_t page = address >> tlb_size_bits[size] << (tlb_size_bits[size] - 12);
    return (page & TLB_PAGE_NUMBER) | (uint64_t)size << TLB_SIZE_SHIFT;
}

static inline enum tlb_size size_of(uint64_t where)
{
    return (enum tlb_size)(where >> TLB_SIZE_SHIFT & 3);
}

#define UNUSED_ADDRESS_BITS (64 - TLB_ADDRESS_BITS)

/* Linear addresses are canonical, by 48 bits or by 57: the highest bit kept is repeated above. */
static inline uint64_t linear_of(uint64_t where)
{
    return (uint64_t)((int64_t)(where << (UNUSED_ADDRESS_BITS + 12)) >> UNUSED_ADDRESS_BITS);
}

static inline uint32_t first_of_set(const struct tlb_array *array, uint64_t address, enum tlb_size size)
{
    uint64_t page = (address & ((1ull << TLB_ADDRESS_BITS) - 1)) >> tlb_size_bits[size];
    uint64_t set = array->set_mask || array->sets == 1 ? page & array->set_mask : page % array->sets;
    return (uint32_t)set * array->ways;
}

bool tlb_find(struct tlb *tlb, uint64_t linear, struct tlb_hit *hit)
{
    const struct tlb_current *now = &tlb->current;
    for (unsigned size = 0; size < TLB_SIZE_COUNT; size++) {
        if (!tlb->live[size])
            continue;
        struct tlb_array *array = tlb->by_size[size];
        uint64_t tag = page_tag(linear, (enum tlb_size)size);
        uint64_t own = tag | now->where, global = tag | TLB_VALID | TLB_GLOBAL;
        uint32_t first = first_of_set(array, linear, (enum tlb_size)size);
        for (uint32_t i = first; i < first + array->ways; i++) {
            uint64_t where = array->where[i];
            if ((where == own || where == global) && array->context[i] == now->context) {
                *hit = (struct tlb_hit){array, i};
                return true;
            }
        }
    }
    return false;
}

bool tlb_find_guest_physical(struct tlb *tlb, uint64_t guest_physical, struct tlb_hit *hit)
{
    struct tlb_array *array = &tlb->guest_physical;
    uint64_t context = tlb->current.guest_physical_context;
    uint8_t *hint = &tlb->hint[guest_physical >> 12 & 63];
    for (unsigned size = 0; size < TLB_SIZE_COUNT; size++) {
        if (!tlb->guest_physical_live[size])
            continue;
        uint64_t tag = page_tag(guest_physical, (enum tlb_size)size) | TLB_VALID;
        uint32_t first = first_of_set(array, guest_physical, (enum tlb_size)size);
        uint32_t guess = first + (*hint < array->ways ? *hint : 0);
        if (array->where[guess] == tag && array->context[guess] == context) {
            *hit = (struct tlb_hit){array, guess};
            return true;
        }
        for (uint32_t i = first; i < first + array->ways; i++)
            if (array->where[i] == tag && array->context[i] == context) {
                *hit = (struct tlb_hit){array, i};
                *hint = (uint8_t)(i - first);
                return true;
            }
    }
    return false;
}

static bool is_current(const struct tlb *tlb, uint64_t where, uint64_t context)
{
    return context == tlb->current.context &&
           ((where & TLB_GLOBAL) || ((where ^ tlb->current.where) & TLB_PCID) == 0);
}

static bool is_fragment(uint64_t where, uint64_t frame)
{
    return (frame >> TLB_GUEST_SIZE_SHIFT & 3) > (uint64_t)size_of(where);
}

static void count_dropped(const struct tlb_dropped *dropped, uint64_t where, uint64_t context)
{
    dropped->flush->dropped[context >> TLB_KIND_SHIFT & 3][size_of(where)][(where & TLB_GLOBAL) != 0]++;
}

static void leave_ghost(struct tlb_array *array, uint32_t index, uint64_t where, uint8_t cause)
{
    array->ghost[index] = where;
    array->ghost_cause[index] = cause;
}

/* Removes the entry of that set: without a division, for the scans. */
static inline void remove_from(struct tlb *tlb, struct tlb_array *array, uint32_t set, uint32_t index,
                               struct tlb_dropped *dropped)
{
    uint64_t where = array->where[index], context = array->context[index];
    array->where[index] = 0;
    array->used[set]--;
    tlb->live[size_of(where)]--;
    tlb->vpid_live[context >> TLB_VPID_SHIFT & 0xff]--;
    tlb->fragments -= is_fragment(where, array->frame[index]);
    dropped->count++;
    dropped->global += (where & TLB_GLOBAL) != 0;
    if (dropped->flush) {
        count_dropped(dropped, where, context);
        leave_ghost(array, index, where, dropped->cause);
        tlb->ghosts[size_of(where)]++;
        tlb->ghost_count++;
    }
    const bool current = is_current(tlb, where, context);
    dropped->current += current;
    dropped->others += !current;
    if (current || !dropped->current) {
        dropped->linear = linear_of(where);
        dropped->size = size_of(where);
    }
}

void tlb_remove(struct tlb *tlb, struct tlb_hit hit, struct tlb_dropped *dropped)
{
    remove_from(tlb, hit.array, hit.index / hit.array->ways, hit.index, dropped);
}

static void remove_guest_physical(struct tlb *tlb, uint32_t index, struct tlb_dropped *dropped)
{
    struct tlb_array *array = &tlb->guest_physical;
    const uint64_t where = array->where[index];
    tlb->guest_physical_live[size_of(where)]--;
    array->where[index] = 0;
    array->used[index / array->ways]--;
    dropped->count++;
    if (dropped->flush) {
        count_dropped(dropped, where, array->context[index]);
        leave_ghost(array, index, where, dropped->cause);
        tlb->guest_physical_ghosts[size_of(where)]++;
        tlb->guest_physical_ghost_count++;
    }
}

/* An empty way of the set; of those the first without a ghost, else that of the oldest ghost. */
static uint32_t empty_way(const struct tlb_array *array, uint32_t first)
{
    uint32_t oldest = UINT32_MAX;
    for (uint32_t i = first; i < first + array->ways; i++) {
        if (array->where[i])
            continue;
        if (!array->ghost[i])
            return i;
        if (oldest == UINT32_MAX || array->stamp[i] < array->stamp[oldest])
            oldest = i;
    }
    return oldest;
}

/* An empty way of the set, else the one that was not used for longest. */
static uint32_t way_for(const struct tlb_array *array, uint32_t first)
{
    uint32_t oldest = first;
    if (array->used[first / array->ways] != array->ways)
        return empty_way(array, first);
    for (uint32_t i = first; i < first + array->ways; i++)
        if (array->stamp[i] < array->stamp[oldest])
            oldest = i;
    return oldest;
}

/* In one array, of one size. root is ignored for a global page, which all address spaces share. */
static bool take_ghost(struct tlb_array *array, uint64_t address, enum tlb_size size, uint64_t own,
                       uint64_t context, uint64_t root, enum trace_flush_cause *cause)
{
    const uint64_t tag = page_tag(address, size), global = tag | TLB_VALID | TLB_GLOBAL;
    const uint32_t first = first_of_set(array, address, size);
    for (uint32_t i = first; i < first + array->ways; i++) {
        const uint64_t ghost = array->ghost[i];
        if (array->context[i] != context ||
            !(ghost == global || (ghost == (tag | own) && array->root[i] == root)))
            continue;
        *cause = (enum trace_flush_cause)array->ghost_cause[i];
        array->ghost[i] = 0;
        return true;
    }
    return false;
}

bool tlb_take_ghost(struct tlb *tlb, uint64_t linear, enum trace_flush_cause *cause)
{
    const struct tlb_current *now = &tlb->current;
    for (unsigned size = 0; tlb->ghost_count && size < TLB_SIZE_COUNT; size++) {
        if (!tlb->ghosts[size] || !take_ghost(tlb->by_size[size], linear, (enum tlb_size)size, now->where,
                                              now->context, now->root, cause))
            continue;
        tlb->ghosts[size]--;
        tlb->ghost_count--;
        return true;
    }
    return false;
}

bool tlb_take_guest_physical_ghost(struct tlb *tlb, uint64_t guest_physical, enum trace_flush_cause *cause)
{
    for (unsigned size = 0; tlb->guest_physical_ghost_count && size < TLB_SIZE_COUNT; size++) {
        if (!tlb->guest_physical_ghosts[size] ||
            !take_ghost(&tlb->guest_physical, guest_physical, (enum tlb_size)size, TLB_VALID,
                        tlb->current.guest_physical_context, 0, cause))
            continue;
        tlb->guest_physical_ghosts[size]--;
        tlb->guest_physical_ghost_count--;
        return true;
    }
    return false;
}

static void put(struct tlb_array *array, uint32_t index, uint64_t where, uint64_t context, uint64_t frame,
                uint64_t root, uint64_t stamp)
{
    /* The frame's page is the entry's, whatever byte of it was translated. */
    uint64_t offset = (1ull << tlb_size_bits[size_of(where)]) - 1;
    array->where[index] = where;
    array->context[index] = context;
    array->frame[index] = (frame & TLB_PHYSICAL & ~offset) | (frame & TLB_FLAGS);
    array->stamp[index] = stamp;
    array->root[index] = root;
    array->used[index / array->ways]++;
}

void tlb_insert(struct tlb *tlb, uint64_t linear, uint64_t frame, bool global, enum tlb_size *size,
                struct tlb_dropped *evicted)
{
    /* No array for the size: SDM volume 3A, "Details of TLB Use", lets a large page be cached in pieces. */
    if (*size == TLB_1G && !tlb->by_size[TLB_1G])
        *size = TLB_2M;
    if (!tlb->by_size[*size])
        *size = TLB_4K;
    struct tlb_array *array = tlb->by_size[*size];
    uint64_t where = page_tag(linear, *size) | (global ? TLB_VALID | TLB_GLOBAL : tlb->current.where);
    uint32_t index = way_for(array, first_of_set(array, linear, *size));
    if (array->where[index])
        tlb_remove(tlb, (struct tlb_hit){array, index}, evicted);
    if (array->ghost[index]) { /* another's: its way is used */
        tlb->ghosts[size_of(array->ghost[index])]--;
        tlb->ghost_count--;
        array->ghost[index] = 0;
    }
    put(array, index, where, tlb->current.context, frame, tlb->current.root, ++tlb->clock);
    tlb->live[*size]++;
    tlb->vpid_live[tlb->current.context >> TLB_VPID_SHIFT & 0xff]++;
    tlb->fragments += is_fragment(where, frame);
}

void tlb_insert_guest_physical(struct tlb *tlb, uint64_t guest_physical, uint64_t frame, enum tlb_size size)
{
    struct tlb_array *array = &tlb->guest_physical;
    if (!array->sets)
        return;
    uint32_t first = first_of_set(array, guest_physical, size);
    uint32_t index = way_for(array, first);
    struct tlb_dropped evicted = {0};
    if (array->where[index])
        remove_guest_physical(tlb, index, &evicted);
    if (array->ghost[index]) {
        tlb->guest_physical_ghosts[size_of(array->ghost[index])]--;
        tlb->guest_physical_ghost_count--;
        array->ghost[index] = 0;
    }
    put(array, index, page_tag(guest_physical, size) | TLB_VALID, tlb->current.guest_physical_context, frame,
        0, ++tlb->guest_physical_clock);
    tlb->guest_physical_live[size]++;
    tlb->hint[guest_physical >> 12 & 63] = (uint8_t)(index - first);
}

static inline bool in_scope(const struct tlb_scope *scope, uint64_t where, uint64_t context)
{
    bool matches = ((context ^ scope->context) & scope->context_mask) == 0;
    if (matches == scope->other_contexts)
        return false;
    if (where & TLB_GLOBAL)
        return !scope->keep_global;
    return scope->any_pcid || (where & TLB_PCID) == scope->pcid;
}

/* Nothing is cached for the one VPID of the scope. */
static bool vpid_absent(const struct tlb *tlb, const struct tlb_scope *scope)
{
    return !scope->other_contexts && (scope->context_mask & TLB_VPID) == TLB_VPID &&
           !tlb->vpid_live[scope->context >> TLB_VPID_SHIFT & 0xff];
}

/* In scope, and for the address by the guest's page: with_fragments drops all pieces of it. */
static void drop_scan(struct tlb *tlb, struct tlb_array *array, const struct tlb_scope *scope,
                      const uint64_t *fragment_of, struct tlb_dropped *dropped)
{
    for (uint32_t set = 0; set < array->sets; set++) {
        if (!array->used[set])
            continue;
        for (uint32_t i = set * array->ways; i < (set + 1) * array->ways; i++) {
            uint64_t where = array->where[i];
            if (!where || !in_scope(scope, where, array->context[i]))
                continue;
            if (fragment_of) {
                unsigned bits = tlb_size_bits[array->frame[i] >> TLB_GUEST_SIZE_SHIFT & 3];
                if (!is_fragment(where, array->frame[i]) ||
                    (linear_of(where) ^ *fragment_of) << UNUSED_ADDRESS_BITS >> (UNUSED_ADDRESS_BITS + bits))
                    continue;
            }
            remove_from(tlb, array, set, i, dropped);
        }
    }
}

void tlb_drop(struct tlb *tlb, const struct tlb_scope *scope, struct tlb_dropped *dropped)
{
    if (vpid_absent(tlb, scope))
        return;
    drop_scan(tlb, &tlb->main, scope, NULL, dropped);
    drop_scan(tlb, &tlb->large, scope, NULL, dropped);
    drop_scan(tlb, &tlb->huge, scope, NULL, dropped);
}

void tlb_drop_address(struct tlb *tlb, const struct tlb_scope *scope, uint64_t linear,
                      struct tlb_dropped *dropped)
{
    const uint64_t ignored = TLB_PCID | TLB_GLOBAL;
    if (vpid_absent(tlb, scope))
        return;
    for (unsigned size = 0; size < TLB_SIZE_COUNT; size++) {
        if (!tlb->live[size])
            continue;
        struct tlb_array *array = tlb->by_size[size];
        uint64_t tag = page_tag(linear, (enum tlb_size)size) | TLB_VALID;
        uint32_t first = first_of_set(array, linear, (enum tlb_size)size);
        for (uint32_t i = first; i < first + array->ways; i++)
            if ((array->where[i] & ~ignored) == tag && in_scope(scope, array->where[i], array->context[i]))
                tlb_remove(tlb, (struct tlb_hit){array, i}, dropped);
    }
    /* SDM volume 3A, "Operations that Invalidate TLBs and Paging-Structure Caches": where a page has several
     * entries all of them go. */
    if (!tlb->fragments)
        return;
    drop_scan(tlb, &tlb->main, scope, &linear, dropped);
    drop_scan(tlb, &tlb->large, scope, &linear, dropped);
}

void tlb_drop_guest_physical_address(struct tlb *tlb, uint64_t guest_physical, struct tlb_dropped *dropped)
{
    struct tlb_hit hit;
    while (tlb_find_guest_physical(tlb, guest_physical, &hit))
        remove_guest_physical(tlb, hit.index, dropped);
}

void tlb_drop_guest_physical(struct tlb *tlb, uint64_t context, uint64_t context_mask,
                             struct tlb_dropped *dropped)
{
    struct tlb_array *array = &tlb->guest_physical;
    for (uint32_t i = 0; i < array->sets * array->ways; i++)
        if (array->where[i] && ((array->context[i] ^ context) & context_mask) == 0)
            remove_guest_physical(tlb, i, dropped);
}
