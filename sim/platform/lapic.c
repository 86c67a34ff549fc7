/* lapic.c: acceptance, priority and servicing of interrupts in the local APIC. */
#include "sim/platform/lapic.h"

#include <string.h>

/* "Local APIC State After Power-Up or Reset". */
void lapic_reset_registers(struct lapic *a)
{
    a->tpr = 0;
    a->ldr = 0;
    a->dfr = 0xffffffffu;
    a->svr = 0xff;
    memset(a->isr, 0, sizeof a->isr);
    memset(a->tmr, 0, sizeof a->tmr);
    memset(a->irr, 0, sizeof a->irr);
    a->esr = a->esr_pending = 0;
    a->error_signalled = false;
    a->icr = 0;
    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
        a->lvt[i] = LVT_MASKED;
    a->timer_initial = a->timer_divide = 0;
    a->timer_running = false;
    a->timer_expiry = 0;
    a->tsc_deadline = 0;
}

void lapic_power_up(struct lapic *a)
{
    a->base = LAPIC_DEFAULT_BASE | APIC_BASE_EN | (a->id == 0 ? APIC_BASE_BSP : 0);
    a->xapic_id = (uint8_t)a->id;
    a->nmi_pending = a->init_pending = a->sipi_pending = a->icr_written = false;
    a->lint_level[0] = a->lint_level[1] = false;
    a->eoi_broadcast = false;
    a->unsupported = NULL;
    lapic_reset_registers(a);
}

static bool get_bit(const uint32_t *bits, unsigned vector)
{
    return bits[vector >> 5] >> (vector & 31) & 1;
}
static void set_bit(uint32_t *bits, unsigned vector)
{
    bits[vector >> 5] |= 1u << (vector & 31);
}
static void clear_bit(uint32_t *bits, unsigned vector)
{
    bits[vector >> 5] &= ~(1u << (vector & 31));
}

/* The highest vector set, or -1. */
static int highest(const uint32_t *bits)
{
    for (int i = 7; i >= 0; i--)
        if (bits[i])
            return i * 32 + 31 - __builtin_clz(bits[i]);
    return -1;
}

/* "Task and Processor Priorities": PPR from TPR and ISRV. */
uint8_t lapic_ppr(const struct lapic *a)
{
    int in_service = highest(a->isr);
    unsigned isrv = in_service < 0 ? 0 : (unsigned)in_service;
    return (uint8_t)((a->tpr >> 4) >= (isrv >> 4) ? a->tpr : isrv & 0xf0);
}

/* "Interrupt Acceptance for Fixed Interrupts": the class must exceed the processor-priority class. What was
 * accepted before the APIC was disabled by software stays pending ("Local APIC State After It Has Been
 * Software Disabled"). */
bool lapic_interrupt_pending(const struct lapic *a)
{
    if (!lapic_enabled(a))
        return false;
    int vector = highest(a->irr);
    return vector >= 0 && ((unsigned)vector >> 4) > (lapic_ppr(a) >> 4u);
}

uint8_t lapic_acknowledge(struct lapic *a)
{
    if (!lapic_interrupt_pending(a))
        return (uint8_t)a->svr; /* "Spurious Interrupt": no ISR bit */
    unsigned vector = (unsigned)highest(a->irr);
    clear_bit(a->irr, vector);
    set_bit(a->isr, vector);
    return (uint8_t)vector;
}

/* "Error Handling": the LVT error entry fires once until the ESR is written. */
void lapic_error(struct lapic *a, uint32_t bit)
{
    a->esr_pending |= bit;
    if (a->error_signalled)
        return;
    a->error_signalled = true;
    lapic_fire_lvt(a, LAPIC_LVT_ERROR);
}

void lapic_accept(struct lapic *a, uint8_t vector, bool level)
{
    if (!(a->svr & SVR_ENABLED))
        return; /* disabled by software: fixed interrupts are not accepted */
    set_bit(a->irr, vector);
    if (level)
        set_bit(a->tmr, vector);
    else
        clear_bit(a->tmr, vector);
}

static void fire_fixed(struct lapic *a, unsigned reg)
{
    uint32_t *lvt = lapic_lvt(a, reg);
    uint8_t vector = (uint8_t)*lvt;
    /* "Local Vector Table": the trigger mode counts for LINT0 only; LINT1 and the others are edge-triggered.
     */
    bool level = reg == LAPIC_LVT_LINT0 && (*lvt & LVT_LEVEL);
    if (vector < 16) {
        if (reg == LAPIC_LVT_ERROR)
            a->esr_pending |= ESR_RECEIVED_ILLEGAL_VECTOR; /* it cannot report itself */
        else
            lapic_error(a, ESR_RECEIVED_ILLEGAL_VECTOR);
        return;
    }
    lapic_accept(a, vector, level);
    if (level)
        *lvt |= LVT_REMOTE_IRR;
}

void lapic_fire_lvt(struct lapic *a, unsigned reg)
{
    uint32_t lvt = *lapic_lvt(a, reg);
    if (!lapic_enabled(a) || (lvt & LVT_MASKED))
        return;
    switch ((lvt & LVT_DELIVERY_MODE) >> 8) {
    case DELIVERY_FIXED:
        fire_fixed(a, reg);
        break;
    case DELIVERY_NMI:
        a->nmi_pending = true;
        break;
    case DELIVERY_SMI:
        a->unsupported =
            "local APIC: an SMI from the local vector table; system-management mode is not modelled";
        break;
    case DELIVERY_INIT:
        a->unsupported = "local APIC: an INIT from the local vector table is not modelled";
        break;
    default: /* ExtINT follows the 8259's output; the others are reserved */
        break;
    }
}

static unsigned lint_register(unsigned pin)
{
    return pin ? LAPIC_LVT_LINT1 : LAPIC_LVT_LINT0;
}

/* A level-triggered LINT0 asks again while the pin is high and remote IRR is clear. */
static void poll_lint0_level(struct lapic *a)
{
    uint32_t lvt = a->lvt[LAPIC_LVT_LINT0 - LAPIC_LVT_TIMER];
    if (a->lint_level[0] && (lvt & LVT_LEVEL) && !(lvt & (LVT_REMOTE_IRR | LVT_DELIVERY_MODE)))
        lapic_fire_lvt(a, LAPIC_LVT_LINT0);
}

void lapic_set_lint(struct lapic *a, unsigned pin, bool level)
{
    unsigned reg = lint_register(pin);
    bool rises = level && !a->lint_level[pin];
    bool level_fixed = pin == 0 && (*lapic_lvt(a, reg) & (LVT_LEVEL | LVT_DELIVERY_MODE)) == LVT_LEVEL;
    a->lint_level[pin] = level;
    if (level_fixed)
        poll_lint0_level(a);
    else if (rises)
        lapic_fire_lvt(a, reg);
}

bool lapic_extint_open(const struct lapic *a)
{
    uint32_t lvt = a->lvt[LAPIC_LVT_LINT0 - LAPIC_LVT_TIMER];
    return lapic_enabled(a) && !(lvt & LVT_MASKED) && (lvt & LVT_DELIVERY_MODE) == DELIVERY_EXTINT << 8;
}

/* "Signaling Interrupt Servicing Completion": the end of a level-triggered interrupt is broadcast to I/O
 * APICs; the platform passes it on. */
void lapic_end_of_interrupt(struct lapic *a)
{
    int vector = highest(a->isr);
    if (vector < 0)
        return;
    clear_bit(a->isr, (unsigned)vector);
    if (!get_bit(a->tmr, (unsigned)vector))
        return;
    a->eoi_broadcast = true;
    a->eoi_vector = (uint8_t)vector;
    uint32_t *lint0 = lapic_lvt(a, LAPIC_LVT_LINT0);
    if ((*lint0 & LVT_LEVEL) && (*lint0 & LVT_VECTOR) == (uint32_t)vector) {
        *lint0 &= ~LVT_REMOTE_IRR;
        poll_lint0_level(a);
    }
}
