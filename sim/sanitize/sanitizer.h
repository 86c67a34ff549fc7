/* sanitizer.h: watches a machine for mistakes that happen to work. Enter the room here. */
#ifndef VTSIM_SIM_SANITIZE_SANITIZER_H
#define VTSIM_SIM_SANITIZE_SANITIZER_H

#include <stdbool.h>
#include <stdio.h>

#include "vmx_model/vmx.h"
#include "vtsim/findings.h"

struct sanitizer;

struct sanitizer_options {
    unsigned groups;                   /* enum finding_group */
    const struct cpu_profile *minimum; /* what is used must be there too; null: no minimum */
    unsigned processors;
};

/* Null: out of memory. mem and what the options point to must outlive it. */
struct sanitizer *sanitizer_new(const struct sanitizer_options *options, const struct phys_mem *mem);
void sanitizer_free(struct sanitizer *sanitizer);
/* Watches a processor (number below options.processors) from now on; to be called for each after cpu_init.
 * Findings are emitted as TRACE_FINDING to the processor's trace too. */
void sanitizer_attach(struct sanitizer *sanitizer, unsigned number, struct vmx *vmx);
/* Each finding once: count, first place, what is wrong, section, way out. */
void sanitizer_report(const struct sanitizer *sanitizer, FILE *to);

/* The table of findings, for lists; null past the end. */
struct finding_info {
    const char *id;
    enum finding_group group;
    const char *what, *section, *advice;
};
const struct finding_info *finding_at(size_t index);
/* "vmx"; null: no group has that bit. */
const char *finding_group_name(unsigned bit);

#endif
