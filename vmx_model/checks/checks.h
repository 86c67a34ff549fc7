/*
 * checks.h: is this VMCS fit for a VM entry? The rules of the SDM's chapter "VM Entries". Enter the room
 * here.
 *
 * Every rule is one line of a section table (*.def): id, what it demands, when it applies, a pure predicate,
 * the fields to show. The processor stops at the first violated rule (vmx_check_first); a person wants them
 * all, with reasons (vmx_explain_violations). Order: controls, host state, guest state (SDM "Checks on VMX
 * Controls and Host-State Area" and "Checking and Loading Guest State"; within one group the SDM leaves the
 * order open).
 */
#ifndef VTSIM_VMX_MODEL_CHECKS_H
#define VTSIM_VMX_MODEL_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmx_model/vmcs.h"
#include "vtsim/phys_mem.h"
#include "vtsim/profile.h"

/* What a violation comes to: VMfailValid(7), VMfailValid(8), or a failed entry with exit reason 33. */
enum vmx_check_phase { VMX_CHECK_CONTROLS, VMX_CHECK_HOST, VMX_CHECK_GUEST, VMX_CHECK_PHASES };

/* Facts about a VMCS, one bit each: bit n is the n'th line of facts.def. */
typedef unsigned __int128 vmx_facts;

/* All that the rules look at. The caller fills the first part, then calls vmx_check_prepare. */
struct check_context {
    const struct vmcs *vmcs;
    const struct cpu_profile *profile;
    const struct phys_mem *mem;
    uint64_t current_vmcs; /* physical address of the current VMCS */
    bool ia32e_mode;       /* IA32_EFER.LMA at the time of VM entry */

    /* Filled by vmx_check_prepare. */
    vmx_facts facts;             /* those that are true of this VMCS */
    uint32_t secondary_controls; /* 0 unless "activate secondary controls" is 1 */
    uint64_t beyond_physical;    /* address bits at and above the physical-address width */
    uint64_t beyond_vmx_address; /* the same, and bits 63:32 if IA32_VMX_BASIC[48] is 1 */
};

enum vmx_expectation_kind {
    VMX_EXPECT_DEMAND, /* the rule's demand says it all */
    VMX_EXPECT_BITS,   /* bits of ones must be 1, bits of zeros must be 0 in the field */
    VMX_EXPECT_VALUE,  /* the field must equal value */
};

struct vmx_expectation {
    enum vmx_expectation_kind kind;
    uint64_t ones, zeros, value;
};

struct vmx_rule {
    const char *id;      /* stable name, in snake_case */
    const char *section; /* title of the SDM's section */
    const char *demand;  /* what the rule demands, in plain words */
    enum vmx_check_phase phase;
    uint64_t qualification; /* exit qualification that the guest phase gives (SDM "VM-Entry Failures During or
                               After Loading Guest State"); else 0 */
    vmx_facts applies;      /* facts that must all be true; else the rule is not checked */
    bool (*holds)(const struct check_context *context);
    struct vmx_expectation (*expected)(const struct check_context *context); /* null: VMX_EXPECT_DEMAND */
    uint16_t field, other; /* for vmcs_field_at: the field that is judged, and one that it is judged by (or
                              none: VMCS_FIELD_COUNT) */
};

/* Once for each VM entry, after the context's first part is filled; nothing else may change in between. */
void vmx_check_prepare(struct check_context *context);

/* The first violated rule of the phase, null when all hold. qualification (may be null) gets the exit
 * qualification. */
const struct vmx_rule *vmx_check_first(const struct check_context *context, enum vmx_check_phase phase,
                                       uint64_t *qualification);

/* Calls violated (may be null) for every violated rule of the phase, in order. Returns how many there are. */
size_t vmx_check_all(const struct check_context *context, enum vmx_check_phase phase,
                     void (*violated)(void *opaque, const struct vmx_rule *rule), void *opaque);

/* Describes every violated rule of the phase in lines for a person (no newlines in them): rule, demand,
 * fields with encoding and value, what was expected, section. Returns how many rules are violated. */
size_t vmx_explain_violations(const struct check_context *context, enum vmx_check_phase phase,
                              void (*line)(void *opaque, const char *text), void *opaque);

/* The i'th rule of all phases in order, null past the end: for lists. */
const struct vmx_rule *vmx_rule_at(size_t i);
/* Null if there is none of that id. */
const struct vmx_rule *vmx_rule_find(const char *id);
/* "always" or the conditions under which the rule is checked, joined by "; ". Cut to size; returns the
 * length. */
size_t vmx_rule_conditions(const struct vmx_rule *rule, char *text, size_t size);
/* "controls", "host" or "guest". */
const char *vmx_check_phase_name(enum vmx_check_phase phase);

#endif
