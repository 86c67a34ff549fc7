/*
 * walk.h: one translation by the tables in memory: the guest's paging structures and the EPT.
 *
 * Inside the room only. A walk collects what it read, so that accessed and dirty flags are set once it is
 * known that the access is allowed.
 */
#ifndef VTSIM_TLB_WALK_H
#define VTSIM_TLB_WALK_H

#include "tlb/tlb.h"
#include "tlb/walk_cache.h"

/* One guest paging-structure entry that the walk used. */
struct walk_entry {
    uint64_t guest_physical;
    uint64_t physical;
    uint64_t value;
};

struct walk {
    const struct mmu *mmu;
    struct mmu_fault *fault;
    uint64_t linear;
    enum mmu_access access;
    struct mmu_mode mode;
    bool quiet;                          /* mmu_peek: no rights, no flags, nothing cached */
    struct mmu_path *path;               /* with quiet: the entries read are noted here; may be null */
    unsigned references, ept_references; /* to guest (or host) paging structures, and to EPT ones */
    uint64_t cycles, ept_cycles;         /* of them */
    uint64_t refill_cycles;              /* of those, booked under flushes of guest-physical mappings */
    unsigned entry_size;                 /* bytes of a guest entry: 4 or 8 */
    unsigned depth;
    struct walk_entry entry[10]; /* those of HLAT paging before a restart come first */
    bool hlat;              /* HLAT paging is used now */
    bool restart;           /* it has met an entry that restarts the translation */
    bool unverified;        /* an entry lies where the EPT does not allow paging writes */
    enum tlb_size most;     /* what a restart lets the page's size be at most */
    /* The result of the guest's tables. */
    uint64_t flags;          /* TLB_USER, TLB_WRITE, TLB_NX, TLB_DIRTY */
    uint64_t guest_physical; /* of the byte */
    enum tlb_size size;      /* of the guest's page; TLB_1G with paging off */
    bool global;
};

/* Why the EPT is used: bits 7 and 8 of the exit qualification. SDM "Exit Qualification for EPT Violations".
 */
enum ept_purpose {
    EPT_FOR_PDPTE = 0,
    EPT_FOR_PAGING_STRUCTURE = 1 << 7,
    EPT_FOR_LINEAR_ADDRESS = 1 << 7 | 1 << 8,
};

#define EPT_NEED_READ 1u
#define EPT_NEED_WRITE 2u
#define EPT_NEED_FETCH 4u      /* with mode-based execute control: from a supervisor-mode linear address */
#define EPT_NEED_USER_FETCH 8u /* with it: from a user-mode one */

struct ept_page {
    uint64_t physical; /* of the byte */
    enum tlb_size size;
    unsigned rights; /* AND of bits 2:0 of the entries used; with mode-based execute control bit 3: of their bits 10 */
    bool dirty;
    /* With "EPT paging-write control": bit 58 of the entry that maps the page, and may the page's tables be written
     * through the other entries? Bit 57: guest-paging verification. */
    bool paging_write, table_write, verify;
};

/* walk.c: the whole of it. *physical, *frame: as in tlb.h; *size: of the mapping. */
enum mmu_status walk_linear(struct walk *walk, uint64_t *frame, enum tlb_size *size);
enum mmu_status walk_page_fault(struct walk *walk, uint32_t error_code);
/* Reads the guest entry at a guest-physical address and notes it. */
enum mmu_status walk_read_entry(struct walk *walk, uint64_t guest_physical, uint64_t *value);

enum mmu_status walk_32bit(struct walk *walk);
enum mmu_status walk_pae(struct walk *walk);
enum mmu_status walk_4level(struct walk *walk);
enum mmu_status walk_5level(struct walk *walk);
/* Entries of 64 bits from the table at guest_physical, of level (0: page table) down; always_reserved: bits
 * that are reserved in every entry. */
enum mmu_status walk_levels(struct walk *walk, uint64_t table, unsigned level, uint64_t always_reserved);

/* ept_walk.c: SDM "EPT Violations", guest-paging verification, at the page that the linear address leads to. */
enum mmu_status ept_verify_guest_paging(struct walk *walk, const struct ept_page *page);
/* guest-physical to physical, through the cached guest-physical mappings. need: EPT_NEED_*. */
enum mmu_status ept_access(struct walk *walk, uint64_t guest_physical, unsigned need,
                           enum ept_purpose purpose, struct ept_page *page);
/* sub_page.c: may the walk's access write to the guest-physical address, whose page the EPT maps read-only with sub-page
 * write permissions? MMU_SPP_EVENT: *walk->fault says why that cannot be told. */
enum mmu_status sub_page_write_allowed(struct walk *walk, uint64_t guest_physical, bool *allowed);
/* ept_misconfiguration.c: is a present entry of that level (4: PML5E ... 0: PTE) misconfigured? */
bool ept_misconfigured(const struct mmu *mmu, uint64_t entry, unsigned level);
bool ept_maps_page(uint64_t entry, unsigned level);

static inline void walk_note_reference(struct walk *walk, uint64_t physical, bool ept)
{
    struct mmu_path *path = walk->path;
    if (!path || path->count == sizeof path->address / sizeof path->address[0])
        return;
    path->ept[path->count] = ept;
    path->address[path->count++] = physical;
}

static inline void walk_count_reference(struct walk *walk, uint64_t physical)
{
    if (walk->quiet) {
        walk_note_reference(walk, physical, false);
        return;
    }
    walk->references++;
    walk->cycles += walk_cache_reference(walk->mmu->walk_cache, physical);
}

static inline void walk_count_ept_reference(struct walk *walk, uint64_t physical)
{
    if (walk->quiet) {
        walk_note_reference(walk, physical, true);
        return;
    }
    walk->ept_references++;
    walk->ept_cycles += walk_cache_reference(walk->mmu->walk_cache, physical);
}

/* Bits above the physical-address width, up to bit 51. */
static inline uint64_t beyond_physical_width(const struct cpu_profile *profile)
{
    return 0x000fffffffffffffull & ~((1ull << profile->physical_address_bits) - 1);
}

#endif
