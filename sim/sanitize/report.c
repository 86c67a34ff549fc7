/* report.c: findings, once each. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "sim/sanitize/private.h"

static const struct finding_info infos[FINDING_COUNT] = {
#define FINDING(identifier, group, what, section, advice)                                                    \
    [FINDING_##identifier] = {#identifier, FINDINGS_##group, what, section, advice},
#include "vtsim/findings.def"
#undef FINDING
};

const struct finding_info *finding_at(size_t index)
{
    return index < FINDING_COUNT ? &infos[index] : NULL;
}

const char *finding_group_name(unsigned bit)
{
    switch (bit) {
    case FINDINGS_VMX:
        return "vmx";
    case FINDINGS_TLB:
        return "tlb";
    case FINDINGS_LIMITS:
        return "limits";
    }
    return NULL;
}

struct place sanitizer_place(const struct sanitizer_processor *p)
{
    const struct mmu_watch *w = &p->mmu_watch;
    const bool translated = w->in_translated_code;
    return (struct place){.rip = translated ? w->rip : p->vmx->state->rip,
                          .cycles = translated ? w->cycles : p->vmx->account->now,
                          .processor = p->number,
                          .non_root = p->vmx->non_root};
}

bool sanitizer_wants(const struct sanitizer_processor *p, enum finding_id id)
{
    return p->sanitizer->options.groups & infos[id].group;
}

static struct finding *find(struct sanitizer *s, enum finding_id id, const char *detail)
{
    for (size_t i = 0; i < s->finding_count; i++)
        if (s->findings[i].id == id && !strcmp(s->findings[i].detail, detail))
            return &s->findings[i];
    if (s->finding_count == FINDINGS_KEPT)
        return NULL;
    struct finding *f = &s->findings[s->finding_count++];
    *f = (struct finding){.id = id};
    snprintf(f->detail, sizeof f->detail, "%s", detail);
    return f;
}

void sanitizer_find(struct sanitizer_processor *p, enum finding_id id, const char *format, ...)
{
    struct sanitizer *s = p->sanitizer;
    char detail[sizeof s->findings[0].detail];
    va_list arguments;
    if (!sanitizer_wants(p, id))
        return;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    const struct place place = sanitizer_place(p);
    struct finding *f = find(s, id, detail);
    if (f && !f->count++)
        f->first = place;
    else if (!f)
        s->not_kept++;
    trace_emit(p->vmx->trace, &(struct trace_event){.kind = TRACE_FINDING,
                                                    .processor = p->vmx->processor,
                                                    .code = id,
                                                    .a = place.rip,
                                                    .cycles = place.cycles,
                                                    .text = infos[id].id});
}

static void print_groups(const struct sanitizer *s, FILE *to)
{
    const char *before = "";
    for (unsigned bit = 1; finding_group_name(bit); bit <<= 1)
        if (s->options.groups & bit) {
            fprintf(to, "%s%s", before, finding_group_name(bit));
            before = ",";
        }
}

static void print_finding(const struct finding *f, FILE *to)
{
    const struct finding_info *info = &infos[f->id];
    fprintf(to, "vtsim: %s, %" PRIu64 " time%s: %s\n", info->id, f->count, f->count == 1 ? "" : "s",
            info->what);
    fprintf(to, "    %s\n", f->detail);
    fprintf(to, "    first: RIP 0x%" PRIx64 ", cycle %" PRIu64 ", processor %u, %s operation\n", f->first.rip,
            f->first.cycles, f->first.processor, f->first.non_root ? "VMX non-root" : "root");
    fprintf(to, "    SDM: \"%s\"\n    way out: %s\n", info->section, info->advice);
}

void sanitizer_report(const struct sanitizer *s, FILE *to)
{
    fprintf(to, "vtsim: sanitizer (");
    print_groups(s, to);
    if (!s->finding_count)
        fprintf(to, "): no finding\n");
    else
        fprintf(to, "): %zu finding%s\n", s->finding_count, s->finding_count == 1 ? "" : "s");
    for (size_t i = 0; i < s->finding_count; i++)
        print_finding(&s->findings[i], to);
    if (s->not_kept)
        fprintf(to, "vtsim: sanitizer: %" PRIu64 " more occurrences, of findings beyond the first %d\n",
                s->not_kept, FINDINGS_KEPT);
}
