/* timers.c: simulated time for the PIT and the LAPIC timer. */
#include "sim/platform/platform.h"

uint64_t platform_pit_tick(const struct platform *p, uint64_t cycles)
{
    return (uint64_t)((unsigned __int128)cycles * PIT_HZ / p->config.cycles_per_second);
}

/* The first cycle at which platform_pit_tick gives tick. */
static uint64_t cycle_of_tick(const struct platform *p, uint64_t tick)
{
    unsigned __int128 product = (unsigned __int128)tick * p->config.cycles_per_second;
    return (uint64_t)((product + PIT_HZ - 1) / PIT_HZ);
}

void platform_sync_to(struct platform *p, uint64_t cycles)
{
    lapic_timer_sync(&p->lapic, (struct lapic_clock){&cycles, p->host.tsc_offset});
    if (p->lapic.unsupported)
        platform_request_stop(p, PLATFORM_UNSUPPORTED, 0, p->lapic.unsupported);
    if (!p->pit.channel[0].counting && !p->pit.channel[0].edge_pending)
        return; /* the common case: nobody programmed it */
    if (pit8254_take_edge(&p->pit, platform_pit_tick(p, cycles))) {
        platform_irq(p, PIT_IRQ, false);
        platform_irq(p, PIT_IRQ, true);
    }
}

void platform_sync(struct platform *p)
{
    platform_sync_to(p, *p->host.now);
}

uint64_t platform_next_deadline(const struct platform *p)
{
    uint64_t lapic = lapic_timer_deadline(&p->lapic, platform_lapic_clock(p));
    uint64_t edge = platform_irq_masked(p, PIT_IRQ) ? UINT64_MAX : pit8254_next_edge(&p->pit);
    if (edge == UINT64_MAX)
        return lapic;
    uint64_t pit = cycle_of_tick(p, edge);
    return pit < lapic ? pit : lapic;
}
