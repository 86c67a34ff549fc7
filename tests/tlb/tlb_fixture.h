/*
 * tlb_fixture.h: an MMU over 16 MiB of RAM, builders of guest and EPT tables, and a recorder of events.
 *
 * Guest tables and EPT tables are taken from the RAM page by page. Entry values in tests are written by hand.
 */
#ifndef VTSIM_TESTS_TLB_FIXTURE_H
#define VTSIM_TESTS_TLB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tlb/mmu.h"

#define RAM_SIZE (16u << 20)

/* Entries of guest tables: SDM volume 3A, "4-Level Paging and 5-Level Paging". */
#define P 1ull
#define RW 2ull
#define US 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define G 0x100ull
#define XD (1ull << 63)
#define ALL (P | RW | US)

/* Entries of the EPT. */
#define ER 1ull
#define EW 2ull
#define EX 4ull
#define EWB (6ull << 3)
#define EPS 0x80ull
#define EA 0x100ull
#define ED 0x200ull

#define EPTP_FORM (3ull << 3 | 6)
#define EPTP_AD (1ull << 6)

static const struct mmu_mode SUPERVISOR = {.user = false};
static const struct mmu_mode USER = {.user = true};
static const struct mmu_mode SMAP_OFF = {.smap_ignored = true};

struct fixture {
    struct cpu_profile profile;
    struct phys_mem mem;
    struct trace trace;
    struct mmu mmu;
    struct mmu_regime regime;
    struct cycle_account account;
    uint64_t next_table;
    unsigned hits, misses, flushes, page_drops, full_drops;
    struct trace_event miss, flush; /* the last ones */
    uint64_t dropped_linear;
    unsigned dropped_bits;
    struct mmu_fault fault;
    struct mmu_translation at;
};

static uint64_t fixture_mmio_read(void *opaque, uint64_t physical, unsigned size)
{
    (void)opaque;
    (void)physical;
    return size == 8 ? ~0ull : (1ull << 8 * size) - 1;
}

static void fixture_mmio_write(void *opaque, uint64_t physical, uint64_t value, unsigned size)
{
    (void)opaque;
    (void)physical;
    (void)value;
    (void)size;
}

static void fixture_emit(void *observer, const struct trace_event *event)
{
    struct fixture *f = observer;
    if (event->kind == TRACE_TLB_HIT)
        f->hits++;
    if (event->kind == TRACE_TLB_MISS) {
        f->misses++;
        f->miss = *event;
    }
    if (event->kind == TRACE_TLB_FLUSH) {
        f->flushes++;
        f->flush = *event;
    }
}

static void fixture_drop_page(void *opaque, uint64_t linear, unsigned page_bits)
{
    struct fixture *f = opaque;
    f->page_drops++;
    f->dropped_linear = linear;
    f->dropped_bits = page_bits;
}

static void fixture_drop_all(void *opaque)
{
    ((struct fixture *)opaque)->full_drops++;
}

static inline void fixture_start(struct fixture *f)
{
    f->mem = (struct phys_mem){.ram = calloc(1, RAM_SIZE),
                               .low_size = RAM_SIZE,
                               .mmio_read = fixture_mmio_read,
                               .mmio_write = fixture_mmio_write};
    assert_non_null(f->mem.ram);
    f->trace = (struct trace){.wanted = ~0u, .emit = fixture_emit, .observer = f};
    assert_true(mmu_init(&f->mmu, &f->profile, &f->mem, &f->trace, &f->account));
    f->mmu.outer = (struct mmu_outer_cache){
        .drop_page = fixture_drop_page, .drop_all = fixture_drop_all, .opaque = f};
    f->next_table = 0x100000;
}

/* The geometry of Skylake's second level; costs of 12 cycles a reference; 39 physical address bits. */
static inline struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->profile = (struct cpu_profile){
        .name = "test",
        .physical_address_bits = 39,
        .linear_address_bits = 48,
        .has_1g_pages = true,
        .has_pcid = true,
        .has_nx = true,
        .vmx.ept_vpid_cap = 1ull << 16 | 1ull << 17,
        .tlb = {.main_4k_2m = {1536, 12, ""},
                .main_1g = {16, 4, ""},
                .guest_physical = {64, 64, ""},
                .main_holds_2m = true},
        .cost.walk_memory = {12, ""}, /* there are no caches */
        .cost.invlpg = {150, ""},
    };
    fixture_start(f);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    mmu_free(&f->mmu);
    free(f->mem.ram);
    free(f);
}

static inline void apply(struct fixture *f)
{
    mmu_set_regime(&f->mmu, &f->regime);
}

static inline uint64_t new_table(struct fixture *f)
{
    f->next_table += 0x1000;
    assert_true(f->next_table < RAM_SIZE);
    return f->next_table - 0x1000;
}

static inline uint64_t get64(struct fixture *f, uint64_t physical)
{
    return phys_read64(&f->mem, physical);
}
static inline void put64(struct fixture *f, uint64_t physical, uint64_t v)
{
    phys_write64(&f->mem, physical, v);
}
static inline uint32_t get32(struct fixture *f, uint64_t physical)
{
    return (uint32_t)phys_read(&f->mem, physical, 4);
}
static inline void put32(struct fixture *f, uint64_t physical, uint32_t v)
{
    phys_write(&f->mem, physical, v, 4);
}

/* Address of the entry of that level (3: PML4E ... 0: PTE) for an address; missing tables get link as their
 * flags. */
static inline uint64_t entry_at(struct fixture *f, uint64_t root, uint64_t address, unsigned level,
                                uint64_t link)
{
    for (unsigned l = 3;; l--) {
        uint64_t at = root + (address >> (12 + 9 * l) & 511) * 8;
        if (l == level)
            return at;
        if (!get64(f, at))
            put64(f, at, new_table(f) | link);
        root = get64(f, at) & 0x000ffffffffff000ull;
    }
}

/* Maps 4 KiB (or more with PS at a higher level) in the guest's 4-level tables; gives the entry's address. */
static inline uint64_t map(struct fixture *f, uint64_t linear, unsigned level, uint64_t value)
{
    uint64_t at = entry_at(f, f->regime.cr3 & ~0xfffull, linear, level, ALL);
    put64(f, at, value);
    return at;
}

static inline uint64_t map_ept(struct fixture *f, uint64_t guest_physical, unsigned level, uint64_t value)
{
    uint64_t at = entry_at(f, f->regime.eptp & ~0xfffull, guest_physical, level, ER | EW | EX);
    put64(f, at, value);
    return at;
}

/* Long mode with 4-level paging, NX, WP, root operation. */
static inline struct fixture *fixture_4level(void)
{
    struct fixture *f = fixture_new();
    f->regime.cr0 = CR0_PE | CR0_PG | CR0_WP;
    f->regime.cr4 = CR4_PAE;
    f->regime.efer = EFER_LME | EFER_LMA | EFER_NXE;
    f->regime.cr3 = new_table(f);
    apply(f);
    return f;
}

/* The same in a guest under EPT that maps all of RAM but the page at hole (if not 0) one to one with 4 KiB
 * pages. */
static inline struct fixture *fixture_ept(uint64_t eptp_flags)
{
    struct fixture *f = fixture_4level();
    f->regime.non_root = true;
    f->regime.vpid = 1;
    f->regime.ept = true;
    f->regime.eptp = 0x800000 | EPTP_FORM | eptp_flags;
    uint64_t next = f->next_table;
    f->next_table = 0x801000;
    for (uint64_t page = 0; page < RAM_SIZE / 2; page += 0x1000)
        map_ept(f, page, 0, page | ER | EW | EX | EWB);
    f->next_table = next;
    apply(f);
    return f;
}

static inline enum mmu_status go(struct fixture *f, uint64_t linear, enum mmu_access access,
                                 struct mmu_mode mode)
{
    f->fault = (struct mmu_fault){0};
    f->at = (struct mmu_translation){0};
    return mmu_translate(&f->mmu, linear, access, mode, &f->at, &f->fault);
}

/* The error code of the page fault that must come. */
static inline uint32_t faults(struct fixture *f, uint64_t linear, enum mmu_access access,
                              struct mmu_mode mode)
{
    assert_int_equal(go(f, linear, access, mode), MMU_PAGE_FAULT);
    assert_int_equal(f->fault.linear, linear);
    return f->fault.error_code;
}

static inline void reaches(struct fixture *f, uint64_t linear, enum mmu_access access, struct mmu_mode mode,
                           uint64_t physical)
{
    assert_int_equal(go(f, linear, access, mode), MMU_OK);
    assert_int_equal(f->at.physical, physical);
}

/* Is a translation for the address cached now? Says so by the event of a read; leaves it cached. */
static inline bool cached(struct fixture *f, uint64_t linear)
{
    unsigned before = f->misses;
    go(f, linear, MMU_READ, SUPERVISOR);
    return f->misses == before;
}

#endif
