/* stale.c: a translation that the tables no longer give. SDM "Guidelines for Use of the INVVPID Instruction"
 * and "Guidelines for Use of the INVEPT Instruction"; volume 3A, "Invalidation of TLBs and Paging-Structure
 * Caches". */
#include <inttypes.h>

#include "sim/sanitize/private.h"

/* Software that takes something away makes the other processors invalidate by an IPI; until that has come
 * they may use what they have. Cycles. */
#define SHOOT_DOWN_TIME 100000u

static uint64_t page_of(uint64_t address)
{
    return address & ~(uint64_t)0xfff;
}

/* The entry of the path that was written to last, as far as known. */
struct change {
    const struct place *place; /* null: unknown */
    uint64_t entry;
    bool ept;
};

static struct change last_change(const struct sanitizer *s, const struct mmu_path *path)
{
    struct change last = {0};
    for (unsigned i = 0; i < path->count; i++) {
        const struct place *place = pages_last_write(s, path->address[i]);
        if (place && (!last.place || place->cycles >= last.place->cycles))
            last = (struct change){place, path->address[i], path->ept[i]};
    }
    return last;
}

static enum finding_id kind_of(const struct sanitizer_processor *p, const struct mmu_stale *stale,
                               const struct change *change)
{
    const uint64_t root = p->mmu->regime.cr3 & 0x000ffffffffff000ull;
    if (stale->status == MMU_OK && stale->what == MMU_STALE_DIRTY)
        return FINDING_stale_dirty_flag;
    if (stale->mapping == TRACE_MAPPING_GUEST_PHYSICAL)
        return FINDING_stale_ept;
    if (!stale->global && stale->root && stale->root != root)
        return FINDING_stale_address_space;
    if (change->place)
        return change->ept ? FINDING_stale_ept : FINDING_stale_linear;
    return stale->status == MMU_EPT_VIOLATION || stale->status == MMU_EPT_MISCONFIGURATION
               ? FINDING_stale_ept
               : FINDING_stale_linear;
}

/* Which instruction would have dropped it. */
static const char *missing(const struct sanitizer_processor *p, enum finding_id id,
                           const struct mmu_stale *stale, const struct change *change)
{
    const bool by_monitor = p->vmx->non_root && change->place && !change->place->non_root;
    if (id == FINDING_stale_ept || (id == FINDING_stale_dirty_flag && change->ept))
        return "INVEPT";
    if (id == FINDING_stale_address_space)
        return stale->vpid ? "INVVPID" : stale->pcid ? "INVPCID" : "MOV to CR3";
    if (p->vmx->non_root && by_monitor)
        return stale->vpid ? "INVVPID" : "a VM entry without VPID";
    return stale->global ? "INVLPG or INVPCID" : "INVLPG, INVPCID or MOV to CR3";
}

static void describe_now(const struct mmu_stale *stale, char *text, size_t size)
{
    static const char *const failures[] = {[MMU_PAGE_FAULT] = "a page fault",
                                           [MMU_EPT_VIOLATION] = "an EPT violation",
                                           [MMU_EPT_MISCONFIGURATION] = "an EPT misconfiguration",
                                           [MMU_SPP_EVENT] = "an SPP event",
                                           [MMU_PML_FULL] = "a full page-modification log",
                                           [MMU_APIC_ACCESS] = "an APIC access"};
    if (stale->status != MMU_OK)
        snprintf(text, size, "%s", failures[stale->status]);
    else if (stale->what == MMU_STALE_PAGE)
        snprintf(text, size, "0x%" PRIx64, page_of(stale->now));
    else
        snprintf(text, size, "%s",
                 stale->what == MMU_STALE_RIGHT ? "no right to this access" : "a clear dirty flag");
}

static void describe_change(const struct change *change, char *text, size_t size)
{
    if (change->place)
        snprintf(text, size,
                 "%s entry at 0x%" PRIx64 " last written at RIP 0x%" PRIx64
                 " by processor %u in %s operation",
                 change->ept ? "EPT" : "paging-structure", change->entry, change->place->rip,
                 change->place->processor, change->place->non_root ? "VMX non-root" : "root");
    else
        snprintf(text, size, "where the tables were changed is unknown");
}

/* May the change still be on its way to this processor? */
static bool within_shoot_down(const struct sanitizer_processor *p, const struct change *change)
{
    const struct place here = sanitizer_place(p);
    return change->place && change->place->processor != p->number &&
           here.cycles < change->place->cycles + SHOOT_DOWN_TIME;
}

bool stale_used(struct sanitizer_processor *p, const struct mmu_stale *stale)
{
    static const char *const accesses[] = {[MMU_READ] = "read", [MMU_WRITE] = "write", [MMU_FETCH] = "fetch"};
    static const char *const mappings[] = {[TRACE_MAPPING_LINEAR] = "linear",
                                           [TRACE_MAPPING_GUEST_PHYSICAL] = "guest-physical",
                                           [TRACE_MAPPING_COMBINED] = "combined"};
    const struct change change = last_change(p->sanitizer, stale->path);
    if (!(p->sanitizer->options.groups & FINDINGS_TLB))
        return false;
    if (within_shoot_down(p, &change))
        return true;
    const enum finding_id id = kind_of(p, stale, &change);
    char now[64], changed[160];
    describe_now(stale, now, sizeof now);
    describe_change(&change, changed, sizeof changed);
    sanitizer_find(p, id,
                   "%s of page 0x%" PRIx64 ": %s mapping to 0x%" PRIx64 " (VPID %u, PCID %u, EP4TA 0x%" PRIx64
                   "%s), the tables give %s; %s; missing: %s",
                   accesses[stale->access], page_of(stale->linear), mappings[stale->mapping],
                   page_of(stale->cached), stale->vpid, stale->pcid, stale->ep4ta,
                   stale->global ? ", global" : "", now, changed, missing(p, id, stale, &change));
    return false;
}
