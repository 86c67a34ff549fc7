/*
 * lapic_timer.c: SDM "APIC Timer" and "TSC-Deadline Mode".
 *
 * A running count is kept as the cycle at which it reaches zero. One tick is divide * cycles_per_bus_clock
 * cycles; the ratio is the platform's configuration (an assumed one: the manual leaves the bus clock, or core
 * crystal clock, to the processor).
 */
#include "sim/platform/lapic.h"

static uint32_t timer_mode(const struct lapic *a)
{
    return a->lvt[0] & LVT_TIMER_MODE;
}

/* "Divide Configuration Register": bits 3, 1 and 0; 000B divides by 2, ..., 110B by 128, 111B by 1. */
static uint64_t tick_cycles(const struct lapic *a)
{
    unsigned code = (a->timer_divide & 3u) | (a->timer_divide >> 1 & 4u);
    uint64_t divide = 1ull << ((code + 1) & 7);
    return divide * a->cycles_per_bus_clock;
}

uint32_t lapic_timer_count(const struct lapic *a, uint64_t now)
{
    if (!a->timer_running || timer_mode(a) == LVT_TIMER_TSC_DEADLINE || a->timer_expiry <= now)
        return 0;
    uint64_t tick = tick_cycles(a);
    return (uint32_t)((a->timer_expiry - now + tick - 1) / tick);
}

static void sync_counter(struct lapic *a, uint64_t now)
{
    if (!a->timer_running || now < a->timer_expiry)
        return;
    lapic_fire_lvt(a, LAPIC_LVT_TIMER);
    if (timer_mode(a) != LVT_TIMER_PERIODIC) {
        a->timer_running = false;
        return;
    }
    /* Periods that went by unseen raise one interrupt: the IRR holds no more. */
    uint64_t period = a->timer_initial * tick_cycles(a);
    a->timer_expiry += ((now - a->timer_expiry) / period + 1) * period;
}

void lapic_timer_sync(struct lapic *a, struct lapic_clock clock)
{
    if (timer_mode(a) != LVT_TIMER_TSC_DEADLINE) {
        sync_counter(a, *clock.now);
        return;
    }
    if (!a->tsc_deadline || *clock.now + *clock.tsc_offset < a->tsc_deadline)
        return;
    a->tsc_deadline = 0; /* fires once and disarms */
    lapic_fire_lvt(a, LAPIC_LVT_TIMER);
}

uint64_t lapic_timer_deadline(const struct lapic *a, struct lapic_clock clock)
{
    if ((a->lvt[0] & LVT_MASKED) || !lapic_enabled(a))
        return UINT64_MAX; /* nobody notices; the next access catches up */
    if (timer_mode(a) != LVT_TIMER_TSC_DEADLINE)
        return a->timer_running ? a->timer_expiry : UINT64_MAX;
    if (!a->tsc_deadline)
        return UINT64_MAX;
    uint64_t tsc = *clock.now + *clock.tsc_offset;
    if (a->tsc_deadline <= tsc)
        return *clock.now;
    uint64_t wait = a->tsc_deadline - tsc;
    return wait > UINT64_MAX - *clock.now ? UINT64_MAX : *clock.now + wait;
}

/* A write starts the count; zero stops it. Ignored in TSC-deadline mode. */
void lapic_timer_write_initial(struct lapic *a, uint64_t now, uint32_t value)
{
    if (timer_mode(a) == LVT_TIMER_TSC_DEADLINE)
        return;
    a->timer_initial = value;
    a->timer_running = value != 0;
    a->timer_expiry = now + value * tick_cycles(a);
}

/* A running count goes on from where it is, at the new pace. */
void lapic_timer_write_divide(struct lapic *a, uint64_t now, uint32_t value)
{
    uint32_t left = lapic_timer_count(a, now);
    a->timer_divide = value & 0xb;
    if (a->timer_running)
        a->timer_expiry = now + left * tick_cycles(a);
}

/* "TSC-Deadline Mode": a change into or out of the mode disarms the timer. value's reserved bits are clear.
 */
void lapic_timer_write_lvt(struct lapic *a, uint32_t value)
{
    bool was = timer_mode(a) == LVT_TIMER_TSC_DEADLINE;
    bool is = (value & LVT_TIMER_MODE) == LVT_TIMER_TSC_DEADLINE;
    if (was != is) {
        a->timer_running = false;
        a->timer_initial = 0;
        a->tsc_deadline = 0;
    }
    a->lvt[0] = value;
}

/* "In other timer modes ... the IA32_TSC_DEADLINE MSR ... writes are ignored"; zero disarms. */
void lapic_timer_write_deadline(struct lapic *a, struct lapic_clock clock, uint64_t value)
{
    if (timer_mode(a) != LVT_TIMER_TSC_DEADLINE)
        return;
    a->tsc_deadline = value;
    lapic_timer_sync(a, clock);
}
