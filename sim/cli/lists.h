/* lists.h: the tables of the model, as tables to print. For `vtsim list`; `vtsim explain` reads the same
 * sources. */
#ifndef VTSIM_SIM_CLI_LISTS_H
#define VTSIM_SIM_CLI_LISTS_H

#include "sim/cpu/msr.h"
#include "traces/table/table.h"
#include "vtsim/profile.h"

struct list_topic {
    const char *name, *summary;
    void (*fill)(struct table *table);
    /* The rows of one processor, for --cpu; null: the list is the same for all. */
    void (*fill_for)(struct table *table, const struct cpu_profile *profile);
};

/* Up to one without a name. */
extern const struct list_topic list_topics[];

/* Words for what the tables hold as numbers. */
const char *list_field_width(unsigned width); /* enum vmcs_width */
const char *list_field_area(unsigned area);   /* enum vmcs_area */
/* Access of an MSR in words: "read only", "read and write". */
const char *list_msr_access(const struct msr_row *row);
/* The CPUID feature that an MSR comes with, or "always". */
const char *list_msr_feature(const struct msr_row *row);

#endif
