/*
 * witness.h: what a test program makes happen in the model, seen from between the two.
 *
 * Linked into the programs of tests/vmx_model and tests/cpu with the linker's --wrap for each function below:
 * the program calls
 * __wrap_NAME (witness_calls.c), which calls the model's NAME and looks at what it gave. Nothing in the model
 * knows of it. The environment says what is done; without it nothing is: VTSIM_WITNESS=FILE          appends
 * lines "rule|exit|error|control ID PROGRAM TEST" to FILE, each once for a test VTSIM_WITHOUT=WORD.CONTROL
 * the control bit acts as 0 in every call: a test that fails then shows what the control does. Checks of VM
 * entry still see it as it is.
 */
#ifndef VTSIM_TESTS_COVERAGE_WITNESS_H
#define VTSIM_TESTS_COVERAGE_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cpu/cpu.h"
#include "vmx_model/checks/checks.h"
#include "vmx_model/vmx.h"

/* A call from a test into the model, or from one of its rooms into the other. */
struct witness_call {
    struct vmx *vmx;               /* null: the call is not covered */
    uint64_t current_vmcs, before; /* the VMCS and its control field at the beginning */
};

/* The call begins: if it is the outermost one and acts in a guest, the control is taken away. */
struct witness_call witness_begin(const struct vmx *vmx, bool acts_in_guest);
/* And ends: the control is as it was, unless the call changed the field. */
void witness_end(struct witness_call *call);
/* In a call that witness_begin began? Then what it does is the model's doing, not a value that a test made
 * up. */
bool witness_inside(void);

/* Shows the field as it is (hide == false) to checks of this VMCS, and hides the control again. */
void witness_show(const struct vmcs *vmcs, bool hide);

void witness_rule(const struct vmx_rule *rule);
void witness_exit(uint32_t reason);
void witness_error(uint32_t error);

#endif
