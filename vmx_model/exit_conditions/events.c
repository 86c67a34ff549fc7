/*
 * events.c: VM exits due to exceptions, NMIs and external interrupts, and the information that they report.
 *
 * Source: SDM "Other Causes of VM Exits", "Information for VM Exits Due to Vectored Events", "Information
 * About NMI Unblocking Due to IRET" and "Information for VM Exits During Event Delivery".
 */
#include "vmx_model/exit_conditions/exit_conditions.h"

/* SDM table "Exit Qualification for Debug Exceptions": B3 to B0, BLD, BD, BS. */
#define DEBUG_QUALIFICATION 0x680fu
#define QUALIFICATION_NMI_UNBLOCKING (1u << 12)
#define APIC_ACCESS_TYPE_SHIFT 12
enum {
    APIC_ACCESS_DELIVERY = 3,
    APIC_ACCESS_MONITORING = 4,
    APIC_ACCESS_GUEST_PHYSICAL_DELIVERY = 10,
    APIC_ACCESS_GUEST_PHYSICAL_MONITORING = 11,
    APIC_ACCESS_GUEST_PHYSICAL = 15
};

static uint32_t information_of(const struct cpu_event *event)
{
    return event->vector | (uint32_t)event->type << INTERRUPTION_TYPE_SHIFT |
           (event->has_error_code ? INTERRUPTION_ERROR_CODE : 0) | INTERRUPTION_VALID;
}

/* SDM "Exception Bitmap": page faults look at mask and match as well; unequal reverses the bit's meaning. */
static bool exception_exits(const struct vmcs *v, const struct cpu_event *event)
{
    const bool bit = v->exception_bitmap >> (event->vector & 31) & 1;
    if (event->vector != VECTOR_PF || event->type != EVENT_HARDWARE_EXCEPTION)
        return bit;
    const bool equal = (event->error_code & v->page_fault_error_code_mask) == v->page_fault_error_code_match;
    return equal ? bit : !bit;
}

static uint64_t exception_qualification(const struct cpu_state *s, const struct cpu_event *event)
{
    if (event->vector == VECTOR_DB)
        return event->debug_conditions & DEBUG_QUALIFICATION;
    if (event->vector == VECTOR_PF)
        return cpu_64bit_mode(s) ? event->cr2 : (uint32_t)event->cr2;
    return 0;
}

static bool exception_exit(struct vmx *vmx, const struct cpu_event *event, struct vm_exit *exit)
{
    if (!exception_exits(&vmx->vmcs, event))
        return false;
    *exit = (struct vm_exit){
        .reason = EXIT_REASON_EXCEPTION_OR_NMI,
        .qualification = exception_qualification(vmx->state, event),
        .interruption_information = information_of(event),
        .interruption_error_code = event->has_error_code ? event->error_code : 0,
        .instruction_length = event->instruction_length, /* of INT3, INTO, INT1; 0 for hardware exceptions */
    };
    if (cpu_real_mode(vmx->state))
        exit->interruption_information &= ~INTERRUPTION_ERROR_CODE;
    return true;
}

bool vmx_event_exits(struct vmx *vmx, const struct cpu_event *event, struct vm_exit *exit)
{
    if (!vmx->non_root)
        return false;
    switch (event->type) {
    case EVENT_NMI:
        if (!(vmx->vmcs.pin_based_controls & PIN_NMI_EXITING))
            return false;
        *exit = (struct vm_exit){.reason = EXIT_REASON_EXCEPTION_OR_NMI,
                                 .interruption_information = information_of(event)};
        return true;
    case EVENT_EXTERNAL_INTERRUPT:
        return vmx_external_interrupt_exits(vmx, exit);
    case EVENT_HARDWARE_EXCEPTION:
    case EVENT_PRIVILEGED_SOFTWARE_EXCEPTION:
    case EVENT_SOFTWARE_EXCEPTION:
        return exception_exit(vmx, event, exit);
    default:
        return false; /* INT n does not exit directly */
    }
}

static struct vm_exit acknowledged(uint8_t vector)
{
    return (struct vm_exit){.reason = EXIT_REASON_EXTERNAL_INTERRUPT,
                            .interruption_information =
                                vector | (uint32_t)EVENT_EXTERNAL_INTERRUPT << INTERRUPTION_TYPE_SHIFT |
                                INTERRUPTION_VALID};
}

/* SDM "Posted-Interrupt Processing", steps 1 and 2. */
enum vmx_external_interrupt vmx_external_interrupt(struct vmx *vmx, struct vm_exit *exit)
{
    if (!vmx_posts_interrupts(vmx))
        return vmx_external_interrupt_exits(vmx, exit) ? VMX_INTERRUPT_EXITS : VMX_INTERRUPT_NORMAL;
    const uint8_t vector = vmx->ops->acknowledge_interrupt(vmx->opaque);
    if (vmx_process_posted_interrupts(vmx, vector))
        return VMX_INTERRUPT_POSTED;
    *exit = acknowledged(vector);
    return VMX_INTERRUPT_EXITS;
}

/* "Event Blocking": with the control, RFLAGS.IF does not block, and whether STI and MOV SS do is
 * implementation-specific. Here they do: the caller (cpu_take_due_events) looks at both shadows before it
 * asks. The shutdown and wait-for-SIPI states block too ("Activity State"). */
bool vmx_external_interrupt_exits(struct vmx *vmx, struct vm_exit *exit)
{
    const uint32_t activity = vmx->state->activity_state;
    if (!vmx->non_root || !(vmx->vmcs.pin_based_controls & PIN_EXTERNAL_INTERRUPT_EXITING) ||
        activity == ACTIVITY_SHUTDOWN || activity == ACTIVITY_WAIT_FOR_SIPI)
        return false;
    *exit = (struct vm_exit){.reason = EXIT_REASON_EXTERNAL_INTERRUPT};
    if (vmx->vmcs.primary_vm_exit_controls & EXIT_ACKNOWLEDGE_INTERRUPT)
        *exit = acknowledged(vmx->ops->acknowledge_interrupt(vmx->opaque));
    return true;
}

static bool is_double_fault(uint32_t information)
{
    return (information & INTERRUPTION_VALID) && (information & INTERRUPTION_VECTOR) == VECTOR_DF &&
           (information & INTERRUPTION_TYPE) >> INTERRUPTION_TYPE_SHIFT == EVENT_HARDWARE_EXCEPTION;
}

/* SDM table "Exit Qualification for APIC-Access VM Exits": what the access was for, in place of what the MMU
 * knows of it. */
static void set_access_type(struct vm_exit *exit, uint64_t linear, uint64_t guest_physical)
{
    if (exit->reason != EXIT_REASON_APIC_ACCESS)
        return;
    const bool is_linear = (exit->qualification >> APIC_ACCESS_TYPE_SHIFT & 15) != APIC_ACCESS_GUEST_PHYSICAL;
    exit->qualification = (exit->qualification & 0xfff) | (is_linear ? linear : guest_physical)
                                                              << APIC_ACCESS_TYPE_SHIFT;
}

void vmx_note_monitoring(struct vm_exit *exit)
{
    set_access_type(exit, APIC_ACCESS_MONITORING, APIC_ACCESS_GUEST_PHYSICAL_MONITORING);
}

/* A double fault that exits, and a triple fault, do not count as coming during event delivery. */
void vmx_note_vectoring(struct vm_exit *exit, const struct cpu_event *event)
{
    if (exit->reason == EXIT_REASON_TRIPLE_FAULT ||
        (exit->reason == EXIT_REASON_EXCEPTION_OR_NMI && is_double_fault(exit->interruption_information)))
        return;
    exit->idt_vectoring_information = information_of(event);
    exit->idt_vectoring_error_code = event->has_error_code ? event->error_code : 0;
    exit->idt_vectoring_instruction_length = event->instruction_length;
    set_access_type(exit, APIC_ACCESS_DELIVERY, APIC_ACCESS_GUEST_PHYSICAL_DELIVERY);
}

void vmx_note_nmi_unblocking(const struct vmx *vmx, struct vm_exit *exit, bool nmis_were_blocked)
{
    const uint32_t pin = vmx->vmcs.pin_based_controls;
    const bool defined = !(pin & PIN_NMI_EXITING) || (pin & PIN_VIRTUAL_NMIS);
    if (!defined || !nmis_were_blocked || (exit->idt_vectoring_information & INTERRUPTION_VALID))
        return;
    if (exit->reason == EXIT_REASON_EPT_VIOLATION || exit->reason == EXIT_REASON_PML_FULL ||
        exit->reason == EXIT_REASON_SPP_RELATED_EVENT)
        exit->qualification |= QUALIFICATION_NMI_UNBLOCKING;
    else if (exit->reason == EXIT_REASON_EXCEPTION_OR_NMI && !is_double_fault(exit->interruption_information))
        exit->interruption_information |= INTERRUPTION_NMI_UNBLOCKING;
}
