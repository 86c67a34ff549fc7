/* regions.c: VMCS and VMXON regions. SDM "Software Use of Virtual-Machine Control Structures", "Initializing
 * a VMCS", "VMXON Region". */
#include <inttypes.h>

#include "sim/sanitize/memory_type.h"
#include "sim/sanitize/private.h"

#define CR0_CD_BIT (1ull << 30)
#define PAGE_MASK 0xfffull

static struct region *find_region(struct sanitizer *s, uint64_t address)
{
    for (size_t i = 0; i < s->region_count; i++)
        if (s->regions[i].address == address)
            return &s->regions[i];
    return NULL;
}

/* An entry for the region, new or not. Null: there is no room for more. */
static struct region *region_of(struct sanitizer *s, uint64_t address)
{
    struct region *r = find_region(s, address);
    if (r || s->region_count == REGIONS_KEPT)
        return r;
    r = &s->regions[s->region_count++];
    *r = (struct region){.address = address, .active_on = NOT_ACTIVE};
    return r;
}

static void check_memory_type(struct sanitizer_processor *p, const char *what, uint64_t address)
{
    const unsigned type = memory_type_of(p->vmx, address);
    if (p->vmx->state->cr0 & CR0_CD_BIT)
        sanitizer_find(p, FINDING_region_memory_type,
                       "the %s at 0x%" PRIx64 ": CR0.CD is 1, so no memory is cached", what, address);
    else if (type != MEMORY_TYPE_WB)
        sanitizer_find(p, FINDING_region_memory_type, "the %s at 0x%" PRIx64 ": the MTRRs make it %s", what,
                       address, memory_type_name(type));
}

static void set_active(struct sanitizer_processor *p, struct region *r, int on)
{
    const bool changes = (r->active_on == NOT_ACTIVE) != (on == NOT_ACTIVE);
    r->active_on = on;
    if (changes && p->sanitizer->options.groups & FINDINGS_VMX)
        pages_watch(p->sanitizer, r->address, on != NOT_ACTIVE);
}

void regions_vmxon(struct sanitizer_processor *p, uint64_t address)
{
    struct region *r = region_of(p->sanitizer, address);
    check_memory_type(p, "VMXON region", address);
    if (!r)
        return;
    if (r->vmxon && r->active_on != NOT_ACTIVE)
        sanitizer_find(p, FINDING_vmxon_region_shared,
                       "the VMXON region at 0x%" PRIx64 " is that of processor %d", address, r->active_on);
    r->vmxon = true;
    set_active(p, r, (int)p->number);
}

void regions_vmxoff(struct sanitizer_processor *p)
{
    struct sanitizer *s = p->sanitizer;
    for (size_t i = 0; i < s->region_count; i++) {
        struct region *r = &s->regions[i];
        if (r->active_on != (int)p->number)
            continue;
        if (!r->vmxon)
            sanitizer_find(p, FINDING_vmxoff_with_active_vmcs, "the VMCS at 0x%" PRIx64, r->address);
        r->vmxon = false;
        set_active(p, r, NOT_ACTIVE);
    }
}

static void activate(struct sanitizer_processor *p, struct region *r, const char *how)
{
    if (r->active_on != NOT_ACTIVE && r->active_on != (int)p->number)
        sanitizer_find(p, FINDING_vmcs_active_elsewhere,
                       "the VMCS at 0x%" PRIx64 " is active on processor %d%s", r->address, r->active_on,
                       how);
    set_active(p, r, (int)p->number);
}

void regions_vmptrld(struct sanitizer_processor *p, uint64_t address)
{
    struct region *r = region_of(p->sanitizer, address);
    check_memory_type(p, "VMCS", address);
    if (!r)
        return;
    if (!r->cleared && r->active_on == NOT_ACTIVE)
        sanitizer_find(p, FINDING_vmcs_not_initialized, "the VMCS at 0x%" PRIx64, address);
    activate(p, r, "");
}

void regions_vmclear(struct sanitizer_processor *p, uint64_t address)
{
    struct region *r = region_of(p->sanitizer, address);
    if (!r)
        return;
    if (r->active_on != NOT_ACTIVE && r->active_on != (int)p->number)
        sanitizer_find(p, FINDING_vmcs_cleared_elsewhere,
                       "the VMCS at 0x%" PRIx64 " is active on processor %d", address, r->active_on);
    r->cleared = true;
    set_active(p, r, NOT_ACTIVE);
}

/* A footnote of "Software Use of Virtual-Machine Control Structures": VM entry makes the shadow VMCS active
 * that the VMCS link pointer names. */
void regions_entered(struct sanitizer_processor *p)
{
    const uint64_t address = p->vmx->vmcs.vmcs_link_pointer;
    struct region *r = address == UINT64_MAX ? NULL : region_of(p->sanitizer, address);
    if (r)
        activate(p, r, ", and the VMCS link pointer names it");
}

/* Reading the first two words, which the SDM defines, harms nothing. */
void regions_accessed(struct sanitizer_processor *p, uint64_t physical, size_t size, enum mmu_access access)
{
    const struct region *r = find_region(p->sanitizer, physical & ~PAGE_MASK);
    const unsigned offset = (unsigned)(physical & PAGE_MASK);
    if (!r || r->active_on == NOT_ACTIVE)
        return;
    const char *how = access == MMU_WRITE ? "write" : access == MMU_READ ? "read" : "fetch";
    if (r->vmxon)
        sanitizer_find(p, FINDING_vmxon_region_accessed,
                       "the VMXON region at 0x%" PRIx64 " of processor %d: %s at offset 0x%x", r->address,
                       r->active_on, how, offset);
    else if (access == MMU_WRITE)
        sanitizer_find(p, FINDING_vmcs_written,
                       "the VMCS at 0x%" PRIx64 ", active on processor %d: %zu byte%s at offset 0x%x",
                       r->address, r->active_on, size, size == 1 ? "" : "s", offset);
    else if (offset + size > VMCS_REGION_DATA)
        sanitizer_find(p, FINDING_vmcs_read,
                       "the VMCS at 0x%" PRIx64 ", active on processor %d: %zu byte%s at offset 0x%x",
                       r->address, r->active_on, size, size == 1 ? "" : "s", offset);
}
