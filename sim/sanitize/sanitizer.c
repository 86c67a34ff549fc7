/* sanitizer.c: who is watched, and who of the room is to know what happens. */
#include "sim/sanitize/sanitizer.h"

#include <stdlib.h>

#include "sim/sanitize/private.h"

static void on_vmx_event(void *opaque, const struct vmx *vmx, enum vmx_watch_event event, uint64_t value)
{
    struct sanitizer_processor *p = opaque;
    (void)vmx;
    switch (event) {
    case VMX_WATCH_VMXON:
        regions_vmxon(p, value);
        break;
    case VMX_WATCH_VMPTRLD:
        regions_vmptrld(p, value);
        break;
    case VMX_WATCH_VMCLEAR:
        regions_vmclear(p, value);
        break;
    case VMX_WATCH_VMXOFF:
        host_state_check_limits(p);
        regions_vmxoff(p);
        break;
    case VMX_WATCH_FIELD:
        controls_field(p, (uint32_t)value);
        break;
    case VMX_WATCH_INVEPT:
    case VMX_WATCH_INVVPID:
        controls_invalidation(p, event == VMX_WATCH_INVVPID, value);
        break;
    case VMX_WATCH_ENTRY:
        host_state_entry(p);
        controls_entry(p);
        break;
    case VMX_WATCH_ENTERED:
        regions_entered(p);
        break;
    case VMX_WATCH_HOST_LOADED:
        host_state_loaded(p);
        break;
    case VMX_WATCH_CAPABILITY:
        controls_capability_read(p->sanitizer, value);
        break;
    }
}

static void on_access(void *opaque, uint64_t physical, size_t size, enum mmu_access access)
{
    struct sanitizer_processor *p = opaque;
    regions_accessed(p, physical, size, access);
    if (access == MMU_WRITE)
        pages_written(p, physical, size);
}

static void on_tables(void *opaque, const struct mmu_path *path)
{
    struct sanitizer_processor *p = opaque;
    if (p->sanitizer->options.groups & FINDINGS_TLB)
        pages_note_tables(p->sanitizer, path);
}

static bool on_stale(void *opaque, const struct mmu_stale *stale)
{
    return stale_used(opaque, stale);
}

struct sanitizer *sanitizer_new(const struct sanitizer_options *options, const struct phys_mem *mem)
{
    struct sanitizer *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->options = *options;
    s->mem = mem;
    s->processors = calloc(options->processors, sizeof *s->processors);
    if (s->processors && pages_init(s))
        return s;
    sanitizer_free(s);
    return NULL;
}

void sanitizer_free(struct sanitizer *s)
{
    if (!s)
        return;
    pages_free(s);
    free(s->processors);
    free(s);
}

void sanitizer_attach(struct sanitizer *s, unsigned number, struct vmx *vmx)
{
    struct sanitizer_processor *p = &s->processors[number];
    *p = (struct sanitizer_processor){.sanitizer = s, .number = number, .vmx = vmx, .mmu = vmx->mmu};
    p->vmx_watch = (struct vmx_watch){.event = on_vmx_event, .opaque = p};
    p->mmu_watch = (struct mmu_watch){.pages = s->watched_pages,
                                      .accessed = on_access,
                                      .tables = on_tables,
                                      .stale = on_stale,
                                      .opaque = p};
    vmx->watch = &p->vmx_watch;
    vmx->mmu->watch = &p->mmu_watch;
}
