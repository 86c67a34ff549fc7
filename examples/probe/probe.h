/* probe.h: the parts of the probe. */
#ifndef EXAMPLES_PROBE_PROBE_H
#define EXAMPLES_PROBE_PROBE_H

#include "vmx.h"

/* One bit and its name; tables of them end with a null name. */
struct named_bit {
    unsigned bit;
    const char *name;
};

/* "title: " and the names of the bits that are set, "none" if none of the table is; lines are broken. */
void print_bits(const char *title, uint64_t value, const struct named_bit *names);

/* processor.c: CPUID. False: no VMX. */
bool print_processor(void);
/* capabilities.c: the VMX capability MSRs. */
void print_capabilities(void);
/* timing.c: times round trips, VMREAD and VMWRITE. False: something went wrong, and it has said what. */
bool print_times(void);

#endif
