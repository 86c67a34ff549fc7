/* host_state.c: what VM exits do to the host. SDM "Loading Host State": the limits of GDTR and IDTR become
 * FFFFH and that of TR 67H; the bases are what the host-state area has. */
#include <inttypes.h>
#include <stddef.h>

#include "sim/sanitize/private.h"

enum { GATES = 256 };

static uint32_t whole_idt(const struct cpu_state *s)
{
    return GATES * (cpu_long_mode(s) ? 16u : 8u) - 1;
}

static void check_limit(struct sanitizer_processor *p, enum finding_id id, bool lost, const char *name,
                        uint32_t own, uint32_t now, uint32_t forced)
{
    if (lost && now == forced)
        sanitizer_find(p, id, "%s: limit 0x%x before the VM entry, 0x%x since the VM exit", name, own, now);
}

/* Software has had its chance to load the registers anew. */
void host_state_check_limits(struct sanitizer_processor *p)
{
    const struct cpu_state *s = p->vmx->state;
    struct host_limits *l = &p->limits;
    check_limit(p, FINDING_host_gdtr_limit, l->lost_gdtr, "GDTR", l->gdtr, s->gdtr.limit, 0xffff);
    check_limit(p, FINDING_host_idtr_limit, l->lost_idtr, "IDTR", l->idtr, s->idtr.limit, 0xffff);
    check_limit(p, FINDING_host_tr_limit, l->lost_tr, "TR", l->tr, s->seg[SEG_TR].limit, 0x67);
}

void host_state_entry(struct sanitizer_processor *p)
{
    const struct cpu_state *s = p->vmx->state;
    struct host_limits *l = &p->limits;
    host_state_check_limits(p);
    /* A limit that a VM exit has set is not software's own. */
    if (!l->lost_gdtr || s->gdtr.limit != 0xffff)
        l->gdtr = s->gdtr.limit;
    if (!l->lost_idtr || s->idtr.limit != 0xffff)
        l->idtr = s->idtr.limit;
    if (!l->lost_tr || s->seg[SEG_TR].limit != 0x67)
        l->tr = s->seg[SEG_TR].limit;
    p->host = *s;
    l->known = true;
}

static void check_half(struct sanitizer_processor *p, const char *name, uint64_t before, uint64_t after)
{
    if (before >> 32 && after == (uint32_t)before)
        sanitizer_find(p, FINDING_host_upper_half,
                       "%s: 0x%" PRIx64 " before the VM entry, 0x%" PRIx64 " after the VM exit", name, before,
                       after);
}

static void check_halves(struct sanitizer_processor *p)
{
    const struct cpu_state *b = &p->host, *a = p->vmx->state;
    check_half(p, "CR3", b->cr3, a->cr3);
    check_half(p, "FS base", b->seg[SEG_FS].base, a->seg[SEG_FS].base);
    check_half(p, "GS base", b->seg[SEG_GS].base, a->seg[SEG_GS].base);
    check_half(p, "TR base", b->seg[SEG_TR].base, a->seg[SEG_TR].base);
    check_half(p, "GDTR base", b->gdtr.base, a->gdtr.base);
    check_half(p, "IDTR base", b->idtr.base, a->idtr.base);
    check_half(p, "IA32_SYSENTER_ESP", b->msr.sysenter_esp, a->msr.sysenter_esp);
    check_half(p, "IA32_SYSENTER_EIP", b->msr.sysenter_eip, a->msr.sysenter_eip);
}

void host_state_loaded(struct sanitizer_processor *p)
{
    struct host_limits *l = &p->limits;
    if (!l->known)
        return;
    check_halves(p);
    l->lost_gdtr = l->gdtr != 0xffff;
    l->lost_idtr = l->idtr && l->idtr < whole_idt(&p->host); /* 0: software has loaded none */
    l->lost_tr = l->tr > 0x67;
}
