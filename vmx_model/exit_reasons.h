/* exit_reasons.h: basic exit reasons by number: SDM appendix "VMX Basic Exit Reasons". */
#ifndef VTSIM_VMX_MODEL_EXIT_REASONS_H
#define VTSIM_VMX_MODEL_EXIT_REASONS_H

#include <stddef.h>
#include <stdint.h>

enum vmx_exit_reason {
#define VMX_EXIT_REASON(number, identifier, name, kvm_name, qualification) EXIT_REASON_##identifier = number,
#include "vmx_model/exit_reasons.def"
#undef VMX_EXIT_REASON
    EXIT_REASON_LAST = 75
};

/* Bit 31 of the exit reason: SDM "Basic VM-Exit Information" of the VMCS chapter. */
#define EXIT_REASON_VM_ENTRY_FAILURE (1u << 31)

/* Bit 26: it occurred after assertion of a bus lock, with "VMM bus-lock detection". */
#define EXIT_REASON_AFTER_BUS_LOCK (1u << 26)

struct vmx_exit_reason_info {
    uint16_t number;
    const char *identifier;    /* of EXIT_REASON_<identifier> */
    const char *name;          /* the SDM's */
    const char *kvm_name;      /* Linux: EXIT_REASON_<kvm_name>; "" if it has none */
    const char *qualification; /* what the exit qualification says; "" if it is always 0 */
};

/* The row of a basic exit reason (bits 15:0 of the exit reason); null if the SDM defines none. */
const struct vmx_exit_reason_info *vmx_exit_reason(uint32_t reason);
/* The index'th row in order of number, null past the end. */
const struct vmx_exit_reason_info *vmx_exit_reason_at(size_t index);

#endif
