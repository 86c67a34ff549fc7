/* control_table.h: the control bits as a table, for lists and for tests that go through all of them. */
#ifndef VTSIM_VMX_MODEL_CONTROL_TABLE_H
#define VTSIM_VMX_MODEL_CONTROL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmx_model/vmcs.h"
#include "vtsim/profile.h"

struct vmx_control {
    enum vmcs_field_index field; /* the field that it is a bit of */
    const char *word;            /* and that field's identifier */
    const char *identifier;      /* unique in its word */
    const char *name;            /* the SDM's */
    uint64_t mask;               /* the one bit */
};

/* In the order of the words in the SDM and of the bits; null past the end. */
const struct vmx_control *vmx_control_at(size_t index);
/* 0 to 63. */
unsigned vmx_control_bit(const struct vmx_control *control);
/* The title of the SDM's section that defines the bit. */
const char *vmx_control_section(const struct vmx_control *control);

/* Do the capability MSRs say that the control may be 1, and must be 1? Both false without VT-x. */
bool vmx_control_may_be_1(const struct vmx_capabilities *caps, const struct vmx_control *control);
bool vmx_control_must_be_1(const struct vmx_capabilities *caps, const struct vmx_control *control);

#endif
