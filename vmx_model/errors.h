/* errors.h: VM-instruction errors by number: SDM "VM Instruction Error Numbers". */
#ifndef VTSIM_VMX_MODEL_ERRORS_H
#define VTSIM_VMX_MODEL_ERRORS_H

#include <stdint.h>

enum vmx_error {
#define VMX_ERROR(number, identifier, text) VMX_ERROR_##identifier = number,
#include "vmx_model/errors.def"
#undef VMX_ERROR
    VMX_ERROR_LAST = 28
};

/* The SDM's description; null for a number that it does not define. */
const char *vmx_instruction_error_text(uint32_t number);

#endif
