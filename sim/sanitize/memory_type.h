/* memory_type.h: what the MTRRs make of an address. */
#ifndef VTSIM_SIM_SANITIZE_MEMORY_TYPE_H
#define VTSIM_SIM_SANITIZE_MEMORY_TYPE_H

#include "vmx_model/vmx.h"

enum { MEMORY_TYPE_UC = 0, MEMORY_TYPE_WC = 1, MEMORY_TYPE_WT = 4, MEMORY_TYPE_WP = 5, MEMORY_TYPE_WB = 6 };

/* The type by the processor's MTRRs. While nobody has enabled them it is taken as write-back, as firmware
 * would have made it. */
unsigned memory_type_of(const struct vmx *vmx, uint64_t physical);
const char *memory_type_name(unsigned type);

#endif
