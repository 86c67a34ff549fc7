/* hpet_lines.c: where the comparators' interrupts go: IA-PC HPET Specification, "Interrupt Mapping". */
#include "sim/platform/platform.h"

#define LINES 64u
#define ISA_LINE 32u /* a destination below is a pin of the I/O APIC, from here on an ISA line */

/* "Mapping Option #1 (LegacyReplacement Option)": comparators 0 and 1 take the lines of PIT and RTC. LINES:
 * none. */
static unsigned destination(const struct hpet *h, unsigned n)
{
    static const uint8_t legacy_line[] = {PIT_IRQ, RTC_IRQ};
    if (hpet_legacy_replacement(h) && n < sizeof legacy_line)
        return ISA_LINE + legacy_line[n];
    unsigned route = hpet_timer_route(h, n);
    return route ? route : LINES;
}

static void set_line(struct platform *p, unsigned to, bool level)
{
    if (to >= LINES)
        return;
    if (to >= ISA_LINE)
        platform_irq(p, to - ISA_LINE, level);
    else
        platform_ioapic_pin(p, to, level);
}

/* The destinations that level-triggered comparators hold high, one bit each; several may share one. */
static uint64_t levels(const struct hpet *h)
{
    uint64_t high = 0;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        unsigned to = destination(h, n);
        if (hpet_timer_enabled(h, n) && hpet_timer_level(h, n) && (h->status >> n & 1) && to < LINES)
            high |= 1ull << to;
    }
    return high;
}

static void apply_levels(struct platform *p, uint64_t before)
{
    uint64_t after = levels(&p->hpet);
    for (unsigned to = 0; to < LINES; to++)
        if ((before ^ after) >> to & 1)
            set_line(p, to, after >> to & 1);
}

void platform_sync_hpet(struct platform *p, uint64_t cycles)
{
    struct hpet *h = &p->hpet;
    uint64_t before = levels(h);
    uint32_t matched = hpet_sync(h, platform_tick(p, cycles, HPET_HZ));
    if (!matched)
        return;
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        if ((matched >> n & 1) && hpet_timer_enabled(h, n) && !hpet_timer_level(h, n)) {
            set_line(p, destination(h, n), true);
            set_line(p, destination(h, n), false);
        }
    apply_levels(p, before);
}

void platform_hpet_write(struct platform *p, unsigned offset, uint64_t value, unsigned size)
{
    platform_sync_hpet(p, platform_now(p));
    uint64_t before = levels(&p->hpet);
    hpet_write(&p->hpet, offset, value, size);
    apply_levels(p, before);
}
