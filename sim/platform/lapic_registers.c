/* lapic_registers.c: the register file, and its xAPIC face: SDM "Local APIC Register Address Map". */
#include "sim/platform/lapic.h"

/* "Local APIC Version Register": version 14H, six LVT entries (no CMCI), no EOI-broadcast suppression. */
#define VERSION 0x00050014u
#define ICR_LOW_WRITABLE 0x000ccfffu
#define LVT_READ_ONLY (1u << 12 | LVT_REMOTE_IRR)

/* Bits of each LVT entry that software writes: "Local Vector Table". */
static uint32_t lvt_writable(const struct lapic *a, unsigned reg)
{
    switch (reg) {
    case LAPIC_LVT_TIMER:
        return LVT_VECTOR | LVT_MASKED | LVT_TIMER_PERIODIC |
               (a->has_tsc_deadline ? LVT_TIMER_TSC_DEADLINE : 0);
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
        return LVT_VECTOR | LVT_DELIVERY_MODE | 1u << 13 | LVT_LEVEL | LVT_MASKED;
    case LAPIC_LVT_ERROR:
        return LVT_VECTOR | LVT_MASKED;
    default:
        return LVT_VECTOR | LVT_DELIVERY_MODE | LVT_MASKED;
    }
}

static void write_lvt(struct lapic *a, unsigned reg, uint32_t value)
{
    uint32_t old = *lapic_lvt(a, reg);
    value &= lvt_writable(a, reg);
    if (!(a->svr & SVR_ENABLED))
        value |= LVT_MASKED; /* "Local APIC State After It Has Been Software Disabled" */
    if (reg == LAPIC_LVT_TIMER) {
        lapic_timer_write_lvt(a, value);
        return;
    }
    if (reg == LAPIC_LVT_LINT0 && (value & LVT_LEVEL))
        value |= old & LVT_REMOTE_IRR;
    *lapic_lvt(a, reg) = value;
    if (reg == LAPIC_LVT_LINT0)
        lapic_set_lint(
            a, 0, a->lint_level[0]); /* a level-triggered pin that is high asks as soon as it is unmasked */
}

static void write_svr(struct lapic *a, uint32_t value)
{
    a->svr = value & 0x3ff; /* vector, enable, focus processor checking; no EOI-broadcast suppression */
    if (!(value & SVR_ENABLED))
        for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
            a->lvt[i] |= LVT_MASKED;
}

/* "Error Handling": a write shows what was found since the last one and arms the error interrupt again. */
static void write_esr(struct lapic *a)
{
    a->esr = a->esr_pending;
    a->esr_pending = 0;
    a->error_signalled = false;
}

static uint32_t read_ldr(const struct lapic *a)
{
    return lapic_x2apic(a) ? a->id >> 4 << 16 | 1u << (a->id & 15) : a->ldr;
}

uint32_t lapic_read_register(struct lapic *a, struct lapic_clock clock, unsigned reg)
{
    lapic_timer_sync(a, clock);
    if (reg >= LAPIC_ISR && reg < LAPIC_ESR) {
        const uint32_t *bits[] = {a->isr, a->tmr, a->irr};
        return bits[(reg - LAPIC_ISR) >> 3][reg & 7];
    }
    if (reg >= LAPIC_LVT_TIMER && reg <= LAPIC_LVT_ERROR)
        return *lapic_lvt(a, reg);
    switch (reg) {
    case LAPIC_ID:
        return lapic_x2apic(a) ? a->id : (uint32_t)a->xapic_id << 24;
    case LAPIC_VERSION:
        return VERSION;
    case LAPIC_TPR:
        return a->tpr;
    case LAPIC_PPR:
        return lapic_ppr(a);
    case LAPIC_EOI: /* write-only: the map gives no value */
        return 0;
    case LAPIC_LDR:
        return read_ldr(a);
    case LAPIC_DFR:
        return a->dfr;
    case LAPIC_SVR:
        return a->svr;
    case LAPIC_ESR:
        return a->esr;
    case LAPIC_ICR:
        return (uint32_t)a->icr;
    case LAPIC_ICR_HIGH:
        return (uint32_t)(a->icr >> 32);
    case LAPIC_TIMER_INITIAL:
        return a->timer_initial;
    case LAPIC_TIMER_CURRENT:
        return lapic_timer_count(a, *clock.now);
    case LAPIC_TIMER_DIVIDE:
        return a->timer_divide;
    default:
        lapic_error(a, ESR_ILLEGAL_REGISTER);
        return 0;
    }
}

static bool read_only(unsigned reg)
{
    return reg == LAPIC_VERSION || reg == LAPIC_PPR || reg == LAPIC_TIMER_CURRENT ||
           (reg >= LAPIC_ISR && reg < LAPIC_ESR);
}

void lapic_write_register(struct lapic *a, struct lapic_clock clock, unsigned reg, uint32_t value)
{
    lapic_timer_sync(a, clock);
    if (read_only(reg))
        return;
    if (reg >= LAPIC_LVT_TIMER && reg <= LAPIC_LVT_ERROR) {
        write_lvt(a, reg, value);
        return;
    }
    switch (reg) {
    case LAPIC_ID: /* the x2APIC's is no MSR that can be written */
        a->xapic_id = (uint8_t)(value >> 24);
        break;
    case LAPIC_TPR:
        a->tpr = (uint8_t)value;
        break;
    case LAPIC_EOI:
        lapic_end_of_interrupt(a);
        break;
    case LAPIC_LDR:
        a->ldr = value & 0xff000000u;
        break;
    case LAPIC_DFR:
        a->dfr = value | 0x0fffffffu;
        break;
    case LAPIC_SVR:
        write_svr(a, value);
        break;
    case LAPIC_ESR:
        write_esr(a);
        break;
    case LAPIC_ICR:
        a->icr = (a->icr & ~0xffffffffull) | (value & ICR_LOW_WRITABLE);
        lapic_send(a, a->icr);
        break;
    case LAPIC_ICR_HIGH:
        a->icr = (uint32_t)a->icr | (uint64_t)(value & 0xff000000u) << 32;
        break;
    case LAPIC_TIMER_INITIAL:
        lapic_timer_write_initial(a, *clock.now, value);
        break;
    case LAPIC_TIMER_DIVIDE:
        lapic_timer_write_divide(a, *clock.now, value);
        break;
    default:
        lapic_error(a, ESR_ILLEGAL_REGISTER);
        break;
    }
}

/* Registers lie on 16-byte boundaries and are 4 bytes wide. The manual leaves other accesses undefined: here
 * a read gives the bytes that it touches of the register and zeros, a write does nothing. */
uint32_t lapic_mmio_read(struct lapic *a, struct lapic_clock clock, unsigned offset, unsigned size)
{
    unsigned byte = offset & 15;
    if (byte > 3)
        return 0;
    uint32_t value = lapic_read_register(a, clock, offset >> 4) >> (8 * byte);
    return size >= 4 ? value : value & ((1u << (8 * size)) - 1);
}

void lapic_mmio_write(struct lapic *a, struct lapic_clock clock, unsigned offset, uint32_t value,
                      unsigned size)
{
    if (size == 4 && !(offset & 15))
        lapic_write_register(a, clock, offset >> 4, value);
}
