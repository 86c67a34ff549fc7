/*
 * lapic.h: the local APIC of a processor, in xAPIC and x2APIC mode.
 * Source: SDM volume 3A, chapter "Advanced Programmable Interrupt Controller (APIC)"; sections are named by
 * title.
 *
 * Functions that a timer can influence take `now` and `tsc_offset` through struct lapic_clock.
 */
#ifndef VTSIM_SIM_PLATFORM_LAPIC_H
#define VTSIM_SIM_PLATFORM_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_DEFAULT_BASE 0xfee00000u
#define LAPIC_PAGE_SIZE 0x1000u

#define APIC_BASE_BSP (1ull << 8)
#define APIC_BASE_EXTD (1ull << 10)
#define APIC_BASE_EN (1ull << 11)
#define APIC_BASE_ADDRESS 0xfffffffffffff000ull

/* "Local APIC Register Address Map", offset / 16; also the low byte of the x2APIC MSR's number. */
enum lapic_register {
    LAPIC_ID = 0x02,
    LAPIC_VERSION = 0x03,
    LAPIC_TPR = 0x08,
    LAPIC_PPR = 0x0a,
    LAPIC_EOI = 0x0b,
    LAPIC_LDR = 0x0d,
    LAPIC_DFR = 0x0e,
    LAPIC_SVR = 0x0f,
    LAPIC_ISR = 0x10,
    LAPIC_TMR = 0x18,
    LAPIC_IRR = 0x20,
    LAPIC_ESR = 0x28,
    LAPIC_ICR = 0x30,
    LAPIC_ICR_HIGH = 0x31,
    LAPIC_LVT_TIMER = 0x32,
    LAPIC_LVT_THERMAL = 0x33,
    LAPIC_LVT_PERFORMANCE = 0x34,
    LAPIC_LVT_LINT0 = 0x35,
    LAPIC_LVT_LINT1 = 0x36,
    LAPIC_LVT_ERROR = 0x37,
    LAPIC_TIMER_INITIAL = 0x38,
    LAPIC_TIMER_CURRENT = 0x39,
    LAPIC_TIMER_DIVIDE = 0x3e,
    LAPIC_SELF_IPI = 0x3f,
};
#define LAPIC_LVT_COUNT 6

#define LVT_VECTOR 0xffu
#define LVT_DELIVERY_MODE 0x700u
#define LVT_REMOTE_IRR (1u << 14)
#define LVT_LEVEL (1u << 15)
#define LVT_MASKED (1u << 16)
#define LVT_TIMER_MODE (3u << 17)
#define LVT_TIMER_PERIODIC (1u << 17)
#define LVT_TIMER_TSC_DEADLINE (2u << 17)
#define SVR_ENABLED (1u << 8)

/* Delivery modes of LVT entries and of the ICR, bits 10:8. */
enum lapic_delivery_mode {
    DELIVERY_FIXED,
    DELIVERY_LOWEST_PRIORITY,
    DELIVERY_SMI,
    DELIVERY_RESERVED,
    DELIVERY_NMI,
    DELIVERY_INIT,
    DELIVERY_STARTUP,
    DELIVERY_EXTINT,
};

/* ESR: "Error Handling". */
#define ESR_SEND_ILLEGAL_VECTOR (1u << 5)
#define ESR_RECEIVED_ILLEGAL_VECTOR (1u << 6)
#define ESR_ILLEGAL_REGISTER (1u << 7)

/* An interrupt message, from the I/O APIC or another local APIC. */
struct lapic_message {
    uint32_t destination; /* physical ID or logical destination */
    bool wide;            /* destination has 32 bits (sent in x2APIC mode), else 8; all ones are everybody */
    bool logical;
    uint8_t mode; /* enum lapic_delivery_mode */
    uint8_t vector;
    bool level;
};

struct lapic_clock {
    const uint64_t *now;        /* cycles */
    const uint64_t *tsc_offset; /* TSC = now + tsc_offset */
};

struct lapic {
    uint64_t base; /* IA32_APIC_BASE */
    uint32_t id;     /* the initial APIC ID, which is the x2APIC ID; it does not change */
    uint8_t xapic_id; /* of the ID register in xAPIC mode, which software may write: SDM "Local APIC ID" */
    uint8_t tpr;
    uint32_t ldr, dfr, svr; /* ldr, dfr: xAPIC mode; x2APIC derives its LDR */
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t esr, esr_pending;
    bool error_signalled; /* no second error interrupt before the ESR is written */
    uint64_t icr;
    uint32_t lvt[LAPIC_LVT_COUNT]; /* from LAPIC_LVT_TIMER on */
    bool lint_level[2];
    bool nmi_pending;
    bool init_pending, sipi_pending; /* until the processor takes them */
    uint8_t sipi_vector;
    bool icr_written; /* an IPI is waiting to be sent: icr */
    bool eoi_broadcast; /* an EOI for I/O APICs is waiting to be passed on: eoi_vector */
    uint8_t eoi_vector;

    /* The timer (lapic_timer.c). */
    uint32_t timer_initial, timer_divide;
    bool timer_running;
    uint64_t timer_expiry; /* cycle at which the count reaches zero */
    uint64_t tsc_deadline; /* IA32_TSC_DEADLINE; 0: disarmed */

    /* What does not change. */
    uint32_t cycles_per_bus_clock;
    uint8_t physical_address_bits;
    bool has_x2apic, has_tsc_deadline;
    const char *unsupported; /* static text once the guest asked for what is not modelled; null before */
};

/* Power-up: "Local APIC State After Power-Up or Reset". The constants must be set before. */
void lapic_power_up(struct lapic *a);
/* As lapic_power_up, without touching IA32_APIC_BASE. */
void lapic_reset_registers(struct lapic *a);

static inline bool lapic_enabled(const struct lapic *a)
{
    return (a->base & APIC_BASE_EN) != 0;
}
static inline bool lapic_x2apic(const struct lapic *a)
{
    return (a->base & APIC_BASE_EXTD) != 0;
}

/* MMIO at an offset in the page; the caller knows that the APIC is in xAPIC mode (lapic_registers.c). */
uint32_t lapic_mmio_read(struct lapic *a, struct lapic_clock clock, unsigned offset, unsigned size);
void lapic_mmio_write(struct lapic *a, struct lapic_clock clock, unsigned offset, uint32_t value,
                      unsigned size);
/* Register access without regard to mode; reg is offset / 16. For both of the faces. */
uint32_t lapic_read_register(struct lapic *a, struct lapic_clock clock, unsigned reg);
void lapic_write_register(struct lapic *a, struct lapic_clock clock, unsigned reg, uint32_t value);

/* IA32_APIC_BASE, IA32_TSC_DEADLINE and MSRs 800H to 8FFH (lapic_msr.c). False: #GP. */
bool lapic_read_msr(struct lapic *a, struct lapic_clock clock, uint32_t index, uint64_t *value);
bool lapic_write_msr(struct lapic *a, struct lapic_clock clock, uint32_t index, uint64_t value);

/* Interrupts (lapic.c). */
bool lapic_interrupt_pending(const struct lapic *a);
uint8_t lapic_acknowledge(struct lapic *a); /* the spurious vector when nothing is deliverable */
void lapic_end_of_interrupt(struct lapic *a);
uint8_t lapic_ppr(const struct lapic *a);
void lapic_accept(struct lapic *a, uint8_t vector, bool level);
void lapic_error(struct lapic *a, uint32_t bit);
/* An LVT entry's source fires. */
void lapic_fire_lvt(struct lapic *a, unsigned reg);
/* The level of LINT0 or LINT1. */
void lapic_set_lint(struct lapic *a, unsigned pin, bool level);
/* Does LINT0 pass the 8259's request on to the processor (ExtINT, not masked)? */
bool lapic_extint_open(const struct lapic *a);

/* IPIs and messages (lapic_ipi.c). */
/* A write to the ICR: remembered in icr_written for whoever connects the local APICs, unless the vector is illegal. */
void lapic_send(struct lapic *a, uint64_t icr);
/* Takes a message that is for this APIC. False: it was not accepted. ExtINT is not a message here but a level. */
bool lapic_receive(struct lapic *a, struct lapic_message message);
bool lapic_message_is_for(const struct lapic *a, struct lapic_message message);
/* LAPIC_SIGNAL_* bits that wait: the same as the processor's CPU_SIGNAL_* (bus.c). */
enum { LAPIC_SIGNAL_INIT = 1, LAPIC_SIGNAL_SIPI = 2 };
uint8_t lapic_signals(const struct lapic *a);
/* The processor takes one of them. Gives the vector of a SIPI. */
uint8_t lapic_take_signal(struct lapic *a, uint8_t signal);

/* Timer (lapic_timer.c). */
void lapic_timer_sync(struct lapic *a, struct lapic_clock clock);
uint64_t lapic_timer_deadline(const struct lapic *a, struct lapic_clock clock);
uint32_t lapic_timer_count(const struct lapic *a, uint64_t now);
void lapic_timer_write_initial(struct lapic *a, uint64_t now, uint32_t value);
void lapic_timer_write_divide(struct lapic *a, uint64_t now, uint32_t value);
void lapic_timer_write_lvt(struct lapic *a, uint32_t value);
void lapic_timer_write_deadline(struct lapic *a, struct lapic_clock clock, uint64_t value);

static inline uint32_t *lapic_lvt(struct lapic *a, unsigned reg)
{
    return &a->lvt[reg - LAPIC_LVT_TIMER];
}

#endif
