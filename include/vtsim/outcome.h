/*
 * outcome.h: what executing an instruction or delivering an event came to.
 *
 * Architectural failures are values of these types. They are never simulator errors.
 */
#ifndef VTSIM_OUTCOME_H
#define VTSIM_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

/* Interruption types as in the VM-entry interruption-information field. */
enum cpu_event_type {
    EVENT_EXTERNAL_INTERRUPT = 0,
    EVENT_NMI = 2,
    EVENT_HARDWARE_EXCEPTION = 3,
    EVENT_SOFTWARE_INTERRUPT = 4,           /* INT n */
    EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5, /* INT1 */
    EVENT_SOFTWARE_EXCEPTION = 6,           /* INT3, INTO */
    EVENT_OTHER = 7,                        /* pending MTF VM exit */
};

/* An exception, interrupt or trap to be delivered through the IDT (or to cause a VM exit). */
struct cpu_event {
    uint8_t vector;
    uint8_t type; /* enum cpu_event_type */
    bool has_error_code;
    uint32_t error_code;
    uint64_t cr2;                /* page fault: the linear address */
    uint64_t debug_conditions;   /* debug exception: what goes to DR6 (as in the exit qualification of #DB) */
    uint8_t instruction_length;  /* software events: bytes to skip; 0 otherwise */
};

/* What a VM exit records. Fields that do not apply are 0. */
struct vm_exit {
    uint32_t reason; /* basic exit reason, and bit 31 for a failed entry */
    uint64_t qualification;
    uint64_t guest_linear_address;
    uint64_t guest_physical_address;
    uint32_t interruption_information;
    uint32_t interruption_error_code;
    uint32_t instruction_length;
    uint32_t instruction_information;
    /* The event in whose delivery it came, in the form of the IDT-vectoring information field (bit 31 valid). */
    uint32_t idt_vectoring_information;
    uint32_t idt_vectoring_error_code;
    uint32_t idt_vectoring_instruction_length;
    bool convertible; /* EPT violation: the entry that it came of lets it become a #VE */
};

enum cpu_outcome_kind {
    OUTCOME_DONE,        /* executed; the caller advances RIP by the instruction's length */
    OUTCOME_JUMPED,      /* executed; RIP is set */
    OUTCOME_TASK_SWITCHED, /* executed: RIP and all of RFLAGS are the new task's. event.debug_conditions: BT if its TSS asks
                            * for a debug exception */
    OUTCOME_EVENT,       /* raises event (RIP still at the instruction; software events carry their length) */
    OUTCOME_VM_EXIT,     /* causes exit; nothing was changed yet */
    OUTCOME_VM_ENTRY,    /* VMLAUNCH or VMRESUME succeeded: the state is the guest's; vmx.injection may be valid */
    OUTCOME_TRIPLE_FAULT, /* in root operation: shutdown */
    OUTCOME_VMX_ABORT,   /* text says why; the processor is in the shutdown state */
    OUTCOME_UNSUPPORTED, /* the run must stop; text says what is not modelled */
};

struct cpu_outcome {
    enum cpu_outcome_kind kind;
    struct cpu_event event;
    struct vm_exit exit;
    const char *text;
};

static inline struct cpu_outcome outcome_of(enum cpu_outcome_kind kind) { return (struct cpu_outcome){.kind = kind}; }

/* A fault with no error code: #UD, #NM, #DE ... */
static inline struct cpu_outcome outcome_fault(uint8_t vector)
{
    return (struct cpu_outcome){.kind = OUTCOME_EVENT, .event = {.vector = vector, .type = EVENT_HARDWARE_EXCEPTION}};
}

/* A fault with an error code: #GP, #SS, #NP, #TS, #AC ... */
static inline struct cpu_outcome outcome_fault_code(uint8_t vector, uint32_t error_code)
{
    return (struct cpu_outcome){.kind = OUTCOME_EVENT,
                                .event = {.vector = vector,
                                          .type = EVENT_HARDWARE_EXCEPTION,
                                          .has_error_code = true,
                                          .error_code = error_code}};
}

static inline struct cpu_outcome outcome_vm_exit(const struct vm_exit *exit)
{
    return (struct cpu_outcome){.kind = OUTCOME_VM_EXIT, .exit = *exit};
}

#endif
