/*
 * tlb.h: the modelled TLB: set-associative arrays of tagged translations.
 *
 * What a flush drops leaves a ghost in its way: the record from which a later walk learns that it is a
 * refill, and of which flush. A ghost ends when it is taken or when its way gets another translation (the
 * ways without one first, then the oldest ghost), so there are never more than entries.
 *
 * Source: SDM volume 3C, "Information That May Be Cached" (the kinds of mappings and their tags); volume 3A,
 * "Caching Translation Information" (sizes, global pages, PCIDs). Replacement is true LRU in each set, so
 * runs repeat.
 *
 * A translation is three words, kept in three parallel arrays so that a lookup reads little memory:
 *   where    page number, page size, valid, global, PCID (0 when global)
 *   context  kind, VPID, EP4TA
 *   frame    physical page, TLB_* rights, size of the guest's page
 */
#ifndef VTSIM_TLB_TLB_H
#define VTSIM_TLB_TLB_H

#include <stdbool.h>
#include <stdint.h>

#include "tlb/mmu.h"

/* In order of size: comparisons rely on it. */
enum tlb_size { TLB_4K, TLB_2M, TLB_4M, TLB_1G, TLB_SIZE_COUNT };

static const uint8_t tlb_size_bits[TLB_SIZE_COUNT] = {12, 21, 22, 30};

#define TLB_ADDRESS_BITS 57 /* of linear addresses; guest-physical ones have at most 52 */
#define TLB_PAGE_NUMBER ((1ull << (TLB_ADDRESS_BITS - 12)) - 1)
#define TLB_SIZE_SHIFT 45
#define TLB_VALID (1ull << 47)
#define TLB_GLOBAL (1ull << 48)
#define TLB_PCID_SHIFT 49
#define TLB_PCID (0xfffull << TLB_PCID_SHIFT)

#define TLB_EP4TA ((1ull << 40) - 1) /* EPTP bits 51:12 */
#define TLB_VPID_SHIFT 40
#define TLB_VPID (0xffffull << TLB_VPID_SHIFT)
#define TLB_KIND_SHIFT 56 /* enum trace_mapping */
#define TLB_KIND (3ull << TLB_KIND_SHIFT)

#define TLB_PHYSICAL 0x000ffffffffff000ull
#define TLB_USER 1ull
#define TLB_WRITE 2ull
#define TLB_NX 4ull
#define TLB_DIRTY 8ull
#define TLB_EPT_SHIFT 4 /* bits 6:4: what the EPT entries allow (EPT_NEED_*); all set without EPT */
#define TLB_EPT_RIGHTS (7ull << TLB_EPT_SHIFT)
/* Bit 7, of guest-physical mappings only: EPT_NEED_USER_FETCH. In combined ones bit 6 is the right to fetch of the page's own
 * mode. */
#define TLB_EPT_ALL_RIGHTS (15ull << TLB_EPT_SHIFT)
#define TLB_EPT_DIRTY (1ull << 10) /* set without EPT */
#define TLB_GUEST_SIZE_SHIFT 8    /* enum tlb_size of the page that the guest's tables map */
/* Of guest-physical mappings only: as in struct ept_page (walk.h). */
#define TLB_PAGING_WRITE (1ull << 8)
#define TLB_VERIFY (1ull << 9)
#define TLB_TABLE_WRITE (1ull << 11)
#define TLB_KEY_SHIFT 59          /* bits 62:59: the protection key, as in the guest's entry */
#define TLB_KEY (0xfull << TLB_KEY_SHIFT)
#define TLB_FLAGS (0xfffull | TLB_KEY)

struct tlb_array {
    uint64_t *where, *context, *frame;
    uint64_t *stamp; /* time of the last use */
    uint64_t *root; /* the paging structures it was read from: CR3's address, 0 for guest-physical mappings */
    uint64_t
        *ghost; /* where of what a flush dropped from here; its other words are kept until the way is used */
    uint8_t *ghost_cause; /* enum trace_flush_cause */
    uint16_t *used;       /* valid entries in each set: what is empty is not scanned */
    uint32_t sets, ways;  /* sets 0: the profile has no such array */
    uint32_t set_mask;    /* sets - 1 if that is a power of two, else 0 */
};

/* Entries have 64 bits, with XD, from PAE on. */
enum tlb_paging { TLB_PAGING_NONE, TLB_PAGING_32BIT, TLB_PAGING_PAE, TLB_PAGING_4LEVEL, TLB_PAGING_5LEVEL };

/* What mmu_set_regime derives from the regime for the lookups. */
struct tlb_current {
    uint64_t where;   /* TLB_VALID and the PCID */
    uint64_t context; /* of linear or combined mappings */
    uint64_t guest_physical_context;
    uint64_t root; /* CR3's address */
    enum tlb_paging paging;
    bool identity; /* neither paging nor EPT */
    bool ept, ept_accessed_dirty, ept_5level;
    bool mode_based_execute;
    bool hlat, hlat_upper_only; /* 4-level and 5-level paging in a guest with HLAT */
    bool paging_write, verify_guest_paging;
    bool write_protect, smep, smap, nx, global_pages;
    uint32_t user_keys, supervisor_keys; /* PKRU and IA32_PKRS where they act, else 0 */
};

struct tlb {
    struct tlb_current current;
    struct tlb_array main, large, huge, guest_physical;
    struct tlb_array *by_size[TLB_SIZE_COUNT]; /* null: such a page is kept in pieces */
    uint32_t live[TLB_SIZE_COUNT];             /* linear and combined mappings of each size */
    uint32_t guest_physical_live[TLB_SIZE_COUNT];
    uint32_t fragments;      /* entries that are smaller than the guest's page */
    uint32_t vpid_live[256]; /* linear and combined mappings by the low byte of the VPID */
    uint8_t hint[64];        /* guest-physical array: way last used, by low page number bits; speed only */
    uint64_t clock, guest_physical_clock;
    uint32_t first_level; /* so many last fills are still in the first level; 0: there is no second */
    uint32_t ghosts[TLB_SIZE_COUNT], guest_physical_ghosts[TLB_SIZE_COUNT];
    uint32_t ghost_count, guest_physical_ghost_count;
};

struct tlb_hit {
    struct tlb_array *array;
    uint32_t index;
};

/* Which linear and combined mappings an operation invalidates. */
struct tlb_scope {
    uint64_t context, context_mask;
    bool other_contexts; /* those that do not match context */
    bool any_pcid;
    uint64_t pcid; /* in place (TLB_PCID) */
    bool keep_global;
};

/* What was dropped. */
struct tlb_dropped {
    uint64_t count, global;
    uint64_t current, others; /* linear and combined ones with the current tags, and with others: the outer
                                 cache may hold them */
    uint64_t linear;          /* the last of the current ones, if there are any, else of the others */
    enum tlb_size size;
    struct flush_account
        *flush;    /* the flush that drops, to be charged; null: no flush, and it leaves no ghost */
    uint8_t cause; /* enum trace_flush_cause, with flush */
};

/* False: out of memory. */
bool tlb_init(struct tlb *tlb, const struct tlb_geometry *geometry);
void tlb_free(struct tlb *tlb);

/* A mapping for the linear address under the current tags. Does not count as a use. */
bool tlb_find(struct tlb *tlb, uint64_t linear, struct tlb_hit *hit);
bool tlb_find_guest_physical(struct tlb *tlb, uint64_t guest_physical, struct tlb_hit *hit);
/* Adds a mapping under the current tags: frame's physical address is that of the byte at the address. *size
 * is the largest that is right; it becomes the size that the arrays hold. What had to leave is added to
 * *evicted. */
void tlb_insert(struct tlb *tlb, uint64_t linear, uint64_t frame, bool global, enum tlb_size *size,
                struct tlb_dropped *evicted);
void tlb_insert_guest_physical(struct tlb *tlb, uint64_t guest_physical, uint64_t frame, enum tlb_size size);
/* Was a mapping for that address and the current tags dropped by a flush, and its way not used since? Then
 * *cause is the flush's, and the ghost is gone. */
bool tlb_take_ghost(struct tlb *tlb, uint64_t linear, enum trace_flush_cause *cause);
bool tlb_take_guest_physical_ghost(struct tlb *tlb, uint64_t guest_physical, enum trace_flush_cause *cause);
/* Removes a linear or combined mapping. */
void tlb_remove(struct tlb *tlb, struct tlb_hit hit, struct tlb_dropped *dropped);

void tlb_drop(struct tlb *tlb, const struct tlb_scope *scope, struct tlb_dropped *dropped);
void tlb_drop_address(struct tlb *tlb, const struct tlb_scope *scope, uint64_t linear,
                      struct tlb_dropped *dropped);
/* Guest-physical mappings of the current EP4TA for one address; of one context, or with mask 0 of all. */
void tlb_drop_guest_physical_address(struct tlb *tlb, uint64_t guest_physical, struct tlb_dropped *dropped);
void tlb_drop_guest_physical(struct tlb *tlb, uint64_t context, uint64_t context_mask,
                             struct tlb_dropped *dropped);

static inline void tlb_touch(struct tlb *tlb, struct tlb_hit hit)
{
    hit.array->stamp[hit.index] =
        hit.array == &tlb->guest_physical ? ++tlb->guest_physical_clock : ++tlb->clock;
}

/* Does a translation that was found come from the second level? Asked before tlb_touch. The first level is
 * taken as fully associative with LRU over the fills, which are all that the model sees of the uses. */
static inline bool tlb_in_second_level(const struct tlb *tlb, struct tlb_hit hit)
{
    return tlb->first_level && hit.array == &tlb->main &&
           tlb->clock - hit.array->stamp[hit.index] >= tlb->first_level;
}

/* MMU_RIGHT_* that the access needs; EPT_NEED_* and bits 2:0 of EPT entries number the accesses alike. */
static inline unsigned tlb_right_for(enum mmu_access access)
{
    return 1u << access;
}

/* MMU_RIGHT_* that the page's protection key takes away. SDM volume 3A, "Protection Keys": bit 2i of the
 * register disables data accesses, bit 2i+1 writes (of supervisor mode only with CR0.WP). */
static inline unsigned tlb_key_denies(const struct tlb_current *now, uint64_t frame, struct mmu_mode mode)
{
    uint32_t keys = frame & TLB_USER ? now->user_keys : now->supervisor_keys;
    unsigned bits = keys >> (frame >> (TLB_KEY_SHIFT - 1) & 0x1e) & 3u;
    if (bits & 1)
        return MMU_RIGHT_READ | MMU_RIGHT_WRITE;
    return bits && (mode.user || now->write_protect) ? MMU_RIGHT_WRITE : 0;
}

/* MMU_RIGHT_* that a mode has on a page. SDM volume 3A, "Determination of Access Rights". */
static inline uint8_t tlb_rights(const struct tlb_current *now, uint64_t frame, struct mmu_mode mode)
{
    unsigned rights = (unsigned)(frame >> TLB_EPT_SHIFT) & 7u;
    bool write = (frame & TLB_WRITE) != 0;
    if (mode.user) {
        if (!(frame & TLB_USER))
            return 0;
    } else {
        write |= !now->write_protect;
        if ((frame & TLB_USER) && now->smep)
            rights &= ~MMU_RIGHT_EXECUTE;
        if ((frame & TLB_USER) && now->smap && !mode.smap_ignored)
            rights &= ~(MMU_RIGHT_READ | MMU_RIGHT_WRITE);
    }
    if (!write || !(frame & TLB_DIRTY) || (now->ept_accessed_dirty && !(frame & TLB_EPT_DIRTY)))
        rights &= ~MMU_RIGHT_WRITE;
    if (frame & TLB_NX)
        rights &= ~MMU_RIGHT_EXECUTE;
    if (now->user_keys | now->supervisor_keys)
        rights &= ~tlb_key_denies(now, frame, mode);
    return (uint8_t)rights;
}

#endif
