/*
 * virtual_apic.h: the virtual-APIC page and what acts on it. Private to the folder; the way in is
 * vmx_model/vmx.h.
 *
 * Source: SDM chapter "APIC Virtualization and Virtual Interrupts"; sections are named at each function.
 */
#ifndef VTSIM_VMX_MODEL_APIC_VIRTUAL_APIC_H
#define VTSIM_VMX_MODEL_APIC_VIRTUAL_APIC_H

#include "vmx_model/effective_controls.h"
#include "vmx_model/exit_reasons.h"
#include "vmx_model/vmx.h"

/* Page offsets: SDM "Virtualized APIC Registers". */
enum virtual_apic_register {
    VAPIC_ID = 0x020,
    VAPIC_VERSION = 0x030,
    VAPIC_TPR = 0x080,
    VAPIC_PPR = 0x0a0,
    VAPIC_EOI = 0x0b0,
    VAPIC_LDR = 0x0d0,
    VAPIC_DFR = 0x0e0,
    VAPIC_SVR = 0x0f0,
    VAPIC_ISR = 0x100,
    VAPIC_TMR = 0x180,
    VAPIC_IRR = 0x200,
    VAPIC_ESR = 0x280,
    VAPIC_ICR_LO = 0x300,
    VAPIC_ICR_HI = 0x310,
    VAPIC_LVT_FIRST = 0x320,
    VAPIC_LVT_LAST = 0x370,
    VAPIC_TIMER_INITIAL = 0x380,
    VAPIC_TIMER_DIVIDE = 0x3e0,
    VAPIC_SELF_IPI = 0x3f0,
};

/* Bits of the ICR that must be as given for a virtual IPI: SDM "APIC-Write Emulation". */
#define ICR_RESERVED 0xfff32000u /* bits 31:20, 17:16, 13 */
#define ICR_DELIVERY_STATUS (1u << 12)
#define ICR_SHORTHAND (3u << 18)
#define ICR_SHORTHAND_SELF (1u << 18)
#define ICR_LEVEL_TRIGGERED (1u << 15)
#define ICR_LOGICAL (1u << 11)
#define ICR_DELIVERY_MODE (7u << 8)

static inline uint32_t virtual_apic_read(const struct vmx *vmx, unsigned offset)
{
    return (uint32_t)phys_read(vmx->mem, vmx->vmcs.virtual_apic_address + offset, 4);
}

static inline void virtual_apic_write(const struct vmx *vmx, unsigned offset, uint32_t value)
{
    phys_write(vmx->mem, vmx->vmcs.virtual_apic_address + offset, value, 4);
}

/* The offset of the word of VISR or VIRR (first) with the vector's bit. */
static inline unsigned virtual_apic_word(unsigned first, uint8_t vector)
{
    return first | (vector & 0xe0u) >> 1;
}

/* The highest vector whose bit is 1 in VISR or VIRR; 0 if there is none. */
uint8_t virtual_apic_highest(const struct vmx *vmx, unsigned first);

/* Guest interrupt status: SDM "Guest Non-Register State". */
static inline uint8_t guest_rvi(const struct vmx *vmx)
{
    return (uint8_t)vmx->vmcs.guest_interrupt_status;
}

static inline uint8_t guest_svi(const struct vmx *vmx)
{
    return (uint8_t)(vmx->vmcs.guest_interrupt_status >> 8);
}

static inline void set_guest_rvi(struct vmx *vmx, uint8_t vector)
{
    vmx->vmcs.guest_interrupt_status = (uint16_t)((vmx->vmcs.guest_interrupt_status & 0xff00) | vector);
}

static inline void set_guest_svi(struct vmx *vmx, uint8_t vector)
{
    vmx->vmcs.guest_interrupt_status =
        (uint16_t)((vmx->vmcs.guest_interrupt_status & 0x00ff) | (unsigned)vector << 8);
}

/* Has the guest this secondary control, and "use TPR shadow" with it? */
static inline bool has_secondary(const struct vmx *vmx, uint32_t control)
{
    return (vmcs_secondary_controls(&vmx->vmcs) & control) != 0;
}

/* registers.c: the SDM's sections of these names. */
void virtualize_tpr(struct vmx *vmx);
void virtualize_ppr(struct vmx *vmx);
void virtualize_eoi(struct vmx *vmx);
void virtualize_self_ipi(struct vmx *vmx, uint8_t vector);
void evaluate_virtual_interrupts(struct vmx *vmx);

/* ipi.c: posts the vector for the virtual APIC ID, or makes the VM exit "APIC write". */
void virtualize_ipi(struct vmx *vmx, uint8_t vector, uint32_t id);
/* Is it an ICR value whose IPI can be virtualized? */
bool is_virtual_ipi(uint32_t icr);

/* page_write.c: the VM exit "APIC write" after the present operation; offset in the page. */
void apic_write_exit(struct vmx *vmx, unsigned offset);

#endif
