/* registers.c: what happens when a virtualized register changes, and what it leads to. SDM "Virtual APIC
 * State" and "Evaluation and Delivery of Virtual Interrupts". */
#include "vmx_model/apic/virtual_apic.h"

#define PRIORITY_CLASS 0xf0u
#define TPR_THRESHOLD 0xfu

static void note_trap_exit(struct vmx *vmx, uint32_t reason, uint64_t qualification)
{
    vmx->trap_exit = (struct vm_exit){.reason = reason, .qualification = qualification};
    vmx->trap_exit_pending = true;
}

uint8_t virtual_apic_highest(const struct vmx *vmx, unsigned first)
{
    for (unsigned word = 8; word-- > 0;) {
        const uint32_t bits = virtual_apic_read(vmx, first + word * 0x10);
        if (bits)
            return (uint8_t)(word * 32 + 31 - (unsigned)__builtin_clz(bits));
    }
    return 0;
}

static void set_bit(struct vmx *vmx, unsigned first, uint8_t vector, bool value)
{
    const unsigned offset = virtual_apic_word(first, vector);
    const uint32_t bit = 1u << (vector & 31), word = virtual_apic_read(vmx, offset);
    virtual_apic_write(vmx, offset, value ? word | bit : word & ~bit);
}

/* SDM "VM Exits Induced by the TPR Threshold" and "TPR Virtualization". */
static bool tpr_below_threshold(const struct vmx *vmx)
{
    return (virtual_apic_read(vmx, VAPIC_TPR) >> 4 & 0xf) < (vmx->vmcs.tpr_threshold & TPR_THRESHOLD);
}

void virtualize_tpr(struct vmx *vmx)
{
    if (has_secondary(vmx, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)) {
        virtualize_ppr(vmx);
        evaluate_virtual_interrupts(vmx);
    } else if (tpr_below_threshold(vmx)) {
        note_trap_exit(vmx, EXIT_REASON_TPR_BELOW_THRESHOLD, 0);
    }
}

void virtualize_ppr(struct vmx *vmx)
{
    const uint32_t tpr = virtual_apic_read(vmx, VAPIC_TPR) & 0xff;
    const uint32_t svi = guest_svi(vmx);
    const bool by_task = (tpr & PRIORITY_CLASS) >= (svi & PRIORITY_CLASS);
    virtual_apic_write(vmx, VAPIC_PPR, by_task ? tpr : svi & PRIORITY_CLASS);
}

static bool eoi_exits(const struct vmcs *v, uint8_t vector)
{
    const uint64_t bitmap[4] = {v->eoi_exit_bitmap_0, v->eoi_exit_bitmap_1, v->eoi_exit_bitmap_2,
                                v->eoi_exit_bitmap_3};
    return bitmap[vector >> 6] >> (vector & 63) & 1;
}

void virtualize_eoi(struct vmx *vmx)
{
    const uint8_t vector = guest_svi(vmx);
    set_bit(vmx, VAPIC_ISR, vector, false);
    set_guest_svi(vmx, virtual_apic_highest(vmx, VAPIC_ISR));
    virtualize_ppr(vmx);
    if (eoi_exits(&vmx->vmcs, vector))
        note_trap_exit(vmx, EXIT_REASON_VIRTUALIZED_EOI, vector);
    else
        evaluate_virtual_interrupts(vmx);
}

void virtualize_self_ipi(struct vmx *vmx, uint8_t vector)
{
    set_bit(vmx, VAPIC_IRR, vector, true);
    if (vector > guest_rvi(vmx))
        set_guest_rvi(vmx, vector);
    evaluate_virtual_interrupts(vmx);
}

void evaluate_virtual_interrupts(struct vmx *vmx)
{
    const uint32_t ppr = virtual_apic_read(vmx, VAPIC_PPR);
    vmx->virtual_interrupt_recognized =
        !(vmx->vmcs.primary_proc_based_controls & PRIMARY_INTERRUPT_WINDOW_EXITING) &&
        (guest_rvi(vmx) & PRIORITY_CLASS) > (ppr & PRIORITY_CLASS);
}

/* SDM "Updating Non-Register State" and "VM Exits Induced by the TPR Threshold", both of VM entry. */
void vmx_enter_virtual_apic(struct vmx *vmx)
{
    vmx->virtual_interrupt_recognized = false;
    vmx->trap_exit_pending = false;
    vmx->apic_write = (struct vmx_apic_write){0};
    if (!(vmx->vmcs.primary_proc_based_controls & PRIMARY_USE_TPR_SHADOW))
        return;
    if (has_secondary(vmx, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)) {
        virtualize_ppr(vmx);
        evaluate_virtual_interrupts(vmx);
    } else if (has_secondary(vmx, SECONDARY_VIRTUALIZE_APIC_ACCESSES) && tpr_below_threshold(vmx)) {
        note_trap_exit(vmx, EXIT_REASON_TPR_BELOW_THRESHOLD, 0);
    }
}

/* SDM "Virtual-Interrupt Delivery": the conditions. In the shutdown and wait-for-SIPI states it does not
 * come. */
bool vmx_virtual_interrupt_due(const struct vmx *vmx)
{
    const struct cpu_state *s = vmx->state;
    return vmx->virtual_interrupt_recognized && (s->rflags & RFLAGS_IF) &&
           !(s->interruptibility_state & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)) &&
           s->activity_state <= ACTIVITY_HLT;
}

uint8_t vmx_take_virtual_interrupt(struct vmx *vmx)
{
    const uint8_t vector = guest_rvi(vmx);
    set_bit(vmx, VAPIC_ISR, vector, true);
    set_guest_svi(vmx, vector);
    virtual_apic_write(vmx, VAPIC_PPR, vector & PRIORITY_CLASS);
    set_bit(vmx, VAPIC_IRR, vector, false);
    set_guest_rvi(vmx, virtual_apic_highest(vmx, VAPIC_IRR));
    vmx->virtual_interrupt_recognized = false;
    return vector;
}
