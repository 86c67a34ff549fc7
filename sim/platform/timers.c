/* timers.c: simulated time for everything that counts: PIT, LAPIC timer, HPET, PM timer, RTC. */
#include "sim/platform/platform.h"

uint64_t platform_tick(const struct platform *p, uint64_t cycles, uint32_t hz)
{
    return (uint64_t)((unsigned __int128)cycles * hz / p->config.cycles_per_second);
}

uint64_t platform_pit_tick(const struct platform *p, uint64_t cycles)
{
    return platform_tick(p, cycles, PIT_HZ);
}

/* The first cycle at which platform_tick gives tick; UINT64_MAX stays never. */
static uint64_t cycle_of_tick(const struct platform *p, uint64_t tick, uint32_t hz)
{
    unsigned __int128 cycle = ((unsigned __int128)tick * p->config.cycles_per_second + hz - 1) / hz;
    return tick == UINT64_MAX || cycle > UINT64_MAX ? UINT64_MAX : (uint64_t)cycle;
}

static void sync_pit(struct platform *p, uint64_t cycles)
{
    if (!p->pit.channel[0].counting && !p->pit.channel[0].edge_pending)
        return; /* the common case: nobody programmed it */
    if (!pit8254_take_edge(&p->pit, platform_pit_tick(p, cycles)) || hpet_legacy_replacement(&p->hpet))
        return;
    platform_irq(p, PIT_IRQ, false);
    platform_irq(p, PIT_IRQ, true);
}

void platform_sync_rtc(struct platform *p, uint64_t cycles)
{
    rtc_sync(&p->rtc, platform_tick(p, cycles, RTC_HZ));
    if (!hpet_legacy_replacement(&p->hpet))
        platform_irq(p, RTC_IRQ, rtc_irq(&p->rtc));
}

void platform_sync_pm_timer(struct platform *p, uint64_t cycles)
{
    pm_timer_sync(&p->pm_timer, platform_tick(p, cycles, PM_TIMER_HZ));
    platform_irq(p, PM_SCI_IRQ, pm_timer_sci(&p->pm_timer));
}

/* The clocks that nobody programmed are looked at when their registers are accessed (ports.c, mmio.c), not
 * here. */
void platform_sync_to(struct platform *p, uint64_t cycles)
{
    lapic_timer_sync(platform_lapic(p), (struct lapic_clock){&cycles, p->host.tsc_offset});
    if (platform_lapic(p)->unsupported)
        platform_request_stop(p, PLATFORM_UNSUPPORTED, 0, platform_lapic(p)->unsupported);
    if (cycles < p->latest)
        cycles = p->latest; /* another processor is ahead */
    p->latest = cycles;
    sync_pit(p, cycles);
    if (hpet_enabled(&p->hpet))
        platform_sync_hpet(p, cycles);
    if (rtc_next_event(&p->rtc) != UINT64_MAX)
        platform_sync_rtc(p, cycles);
    if (pm_timer_next_event(&p->pm_timer) != UINT64_MAX)
        platform_sync_pm_timer(p, cycles);
}

void platform_sync(struct platform *p)
{
    platform_sync_to(p, *p->host.now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t pit_deadline(const struct platform *p)
{
    if (platform_irq_masked(p, PIT_IRQ) || hpet_legacy_replacement(&p->hpet))
        return UINT64_MAX;
    return cycle_of_tick(p, pit8254_next_edge(&p->pit), PIT_HZ);
}

/* What a masked line would do is not waited for; the next access catches up. */
static uint64_t line_deadline(const struct platform *p, unsigned line, uint64_t tick, uint32_t hz)
{
    return tick == UINT64_MAX || platform_irq_masked(p, line) ? UINT64_MAX : cycle_of_tick(p, tick, hz);
}

uint64_t platform_next_deadline(const struct platform *p)
{
    uint64_t next = lapic_timer_deadline(platform_lapic_view(p), platform_lapic_clock(p));
    next = earlier(next, pit_deadline(p));
    next = earlier(next, cycle_of_tick(p, hpet_next_match(&p->hpet), HPET_HZ));
    next = earlier(next, line_deadline(p, PM_SCI_IRQ, pm_timer_next_event(&p->pm_timer), PM_TIMER_HZ));
    if (!hpet_legacy_replacement(&p->hpet))
        next = earlier(next, line_deadline(p, RTC_IRQ, rtc_next_event(&p->rtc), RTC_HZ));
    return next;
}
