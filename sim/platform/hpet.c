/* hpet.c: registers, counter and comparators. */
#include "sim/platform/hpet.h"

#define CAPABILITIES_OFFSET 0x000u
#define CONFIG_OFFSET 0x010u
#define STATUS_OFFSET 0x020u
#define COUNTER_OFFSET 0x0f0u
#define TIMER_OFFSET 0x100u
#define TIMER_STRIDE 0x20u

#define CONFIG_ENABLE 1u
#define CONFIG_LEGACY 2u

#define FEMTOSECONDS_PER_SECOND 1000000000000000ull
/* "General Capabilities and ID Register": the period in femtoseconds in the high half. */
#define CAPABILITIES (HPET_ID | (FEMTOSECONDS_PER_SECOND / HPET_HZ) << 32)

/* "Timer N Configuration and Capabilities Register". */
#define TIMER_LEVEL (1u << 1)
#define TIMER_INT_ENABLE (1u << 2)
#define TIMER_PERIODIC (1u << 3)
#define TIMER_VALUE_SET (1u << 6)
#define TIMER_32BIT (1u << 8)
#define TIMER_ROUTE 0x3e00u
#define TIMER_ROUTE_SHIFT 9
#define TIMER_WRITABLE                                                                                       \
    (TIMER_LEVEL | TIMER_INT_ENABLE | TIMER_PERIODIC | TIMER_VALUE_SET | TIMER_32BIT | TIMER_ROUTE)
#define TIMER_CAPABILITIES (1u << 4 | 1u << 5 | (uint64_t)HPET_ROUTES << 32) /* periodic, 64 bits, routes */

void hpet_reset(struct hpet *h)
{
    *h = (struct hpet){0};
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        h->timer[n].comparator = UINT64_MAX;
}

bool hpet_enabled(const struct hpet *h)
{
    return h->config & CONFIG_ENABLE;
}
bool hpet_legacy_replacement(const struct hpet *h)
{
    return h->config & CONFIG_LEGACY;
}
bool hpet_timer_enabled(const struct hpet *h, unsigned n)
{
    return h->timer[n].config & TIMER_INT_ENABLE;
}
bool hpet_timer_level(const struct hpet *h, unsigned n)
{
    return h->timer[n].config & TIMER_LEVEL;
}
unsigned hpet_timer_route(const struct hpet *h, unsigned n)
{
    return (unsigned)(h->timer[n].config & TIMER_ROUTE) >> TIMER_ROUTE_SHIFT;
}

static uint64_t width(const struct hpet_timer *t)
{
    return t->config & TIMER_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* Clocks from the counter's value to the next match: a whole round when they are equal now. The round of 64
 * bits is given as UINT64_MAX, which no run reaches. */
static uint64_t distance(const struct hpet *h, const struct hpet_timer *t)
{
    uint64_t left = (t->comparator - h->counter) & width(t);
    if (left)
        return left;
    return t->config & TIMER_32BIT ? 1ull << 32 : UINT64_MAX;
}

/* "Periodic mode": the comparator moves on by the last value written. Matches that went by unseen are one. */
static void move_on(struct hpet_timer *t, uint64_t passed)
{
    if ((t->config & TIMER_PERIODIC) && t->period)
        t->comparator = (t->comparator + (passed / t->period + 1) * t->period) & width(t);
}

uint32_t hpet_sync(struct hpet *h, uint64_t tick)
{
    uint64_t passed = tick - h->tick;
    uint32_t matched = 0;
    h->tick = tick;
    if (!hpet_enabled(h) || !passed)
        return 0;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        struct hpet_timer *t = &h->timer[n];
        uint64_t left = distance(h, t);
        if (left > passed)
            continue;
        matched |= 1u << n;
        move_on(t, passed - left);
        if (t->config & TIMER_LEVEL)
            h->status |= 1u << n;
    }
    h->counter += passed;
    return matched;
}

uint64_t hpet_next_match(const struct hpet *h)
{
    uint64_t next = UINT64_MAX;
    if (!hpet_enabled(h))
        return next;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        uint64_t left = distance(h, &h->timer[n]);
        if (hpet_timer_enabled(h, n) && left < next - h->tick)
            next = h->tick + left;
    }
    return next;
}

/* The timer that a register belongs to; HPET_TIMERS: none. reg is what is left of the offset. */
static unsigned timer_of(unsigned offset, unsigned *reg)
{
    if (offset < TIMER_OFFSET || offset >= TIMER_OFFSET + HPET_TIMERS * TIMER_STRIDE)
        return HPET_TIMERS;
    *reg = (offset - TIMER_OFFSET) % TIMER_STRIDE;
    return (offset - TIMER_OFFSET) / TIMER_STRIDE;
}

static uint64_t read_timer(const struct hpet_timer *t, unsigned reg)
{
    if (reg == 0)
        return t->config | TIMER_CAPABILITIES;
    return reg == 8 ? t->comparator & width(t) : 0;
}

static uint64_t read_register(const struct hpet *h, unsigned offset)
{
    unsigned reg, n = timer_of(offset, &reg);
    if (n < HPET_TIMERS)
        return read_timer(&h->timer[n], reg);
    switch (offset) {
    case CAPABILITIES_OFFSET:
        return CAPABILITIES;
    case CONFIG_OFFSET:
        return h->config;
    case STATUS_OFFSET:
        return h->status;
    case COUNTER_OFFSET:
        return h->counter;
    default:
        return 0;
    }
}

/* A route that the capabilities do not name is not taken: software sees that by reading back. */
static void write_timer_config(struct hpet_timer *t, uint64_t value)
{
    uint64_t route = value & TIMER_ROUTE;
    if (!(HPET_ROUTES >> (route >> TIMER_ROUTE_SHIFT) & 1))
        route = t->config & TIMER_ROUTE;
    t->config = (value & TIMER_WRITABLE & ~(uint64_t)TIMER_ROUTE) | route;
    if (!(t->config & TIMER_PERIODIC))
        t->config &= ~(uint64_t)TIMER_VALUE_SET;
    t->comparator &= width(t);
}

static uint64_t merge(uint64_t old, uint64_t value, uint64_t mask)
{
    return (old & ~mask) | (value & mask);
}

/* "Tn_VAL_SET_CNF": in periodic mode a write is the period; with this bit set it is the next match as well.
 */
static void write_comparator(struct hpet_timer *t, uint64_t value, uint64_t mask)
{
    if (!(t->config & TIMER_PERIODIC) || (t->config & TIMER_VALUE_SET))
        t->comparator = merge(t->comparator, value, mask) & width(t);
    t->period = merge(t->period, value, mask) & width(t);
    t->config &= ~(uint64_t)TIMER_VALUE_SET;
}

/* mask: the bytes written of the eight at offset. */
static void write_register(struct hpet *h, unsigned offset, uint64_t value, uint64_t mask)
{
    unsigned reg, n = timer_of(offset, &reg);
    if (n < HPET_TIMERS && reg == 0)
        write_timer_config(&h->timer[n], merge(h->timer[n].config, value, mask));
    else if (n < HPET_TIMERS && reg == 8)
        write_comparator(&h->timer[n], value, mask);
    else if (offset == CONFIG_OFFSET)
        h->config = merge(h->config, value, mask) & (CONFIG_ENABLE | CONFIG_LEGACY);
    else if (offset == STATUS_OFFSET)
        h->status &= ~(value & mask);
    else if (offset == COUNTER_OFFSET && !hpet_enabled(h)) /* "should only be written when halted" */
        h->counter = merge(h->counter, value, mask);
}

uint64_t hpet_read(const struct hpet *h, unsigned offset, unsigned size)
{
    uint64_t value = read_register(h, offset & ~7u) >> (offset % 8 * 8);
    return size >= 8 ? value : value & ((1ull << (8 * size)) - 1);
}

/* "Register accesses are 32 or 64 bits wide and aligned"; others are dropped. */
void hpet_write(struct hpet *h, unsigned offset, uint64_t value, unsigned size)
{
    unsigned shift = offset % 8 * 8;
    if (size < 4 || offset % size)
        return;
    uint64_t mask = size == 8 ? UINT64_MAX : 0xffffffffull << shift;
    write_register(h, offset & ~7u, value << shift, mask);
}
