/* pit8254.c: the 8254. Data sheet sections are named beside what follows them. */
#include "sim/platform/pit8254.h"

#include <string.h>

#define FULL_COUNT 0x10000u
#define CONTROL_OFFSET 3

void pit8254_reset(struct pit8254 *pit)
{
    memset(pit, 0, sizeof *pit);
    for (unsigned i = 0; i < 3; i++) {
        pit->channel[i].access = PIT_ACCESS_BOTH;
        pit->channel[i].reload = FULL_COUNT;
        pit->channel[i].gate = i != 2; /* channel 2's gate is bit 0 of port 61H */
        pit->channel[i].null_count = true;
    }
}

static bool periodic(const struct pit8254_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}
static bool triggered_by_gate(const struct pit8254_channel *c)
{
    return c->mode == 1 || c->mode == 5;
}

static uint64_t elapsed(const struct pit8254_channel *c, uint64_t tick)
{
    return c->paused ? c->start : tick - c->start;
}

/* "Mode Definitions": the counting element's value. */
static uint16_t count_at(const struct pit8254_channel *c, uint64_t tick)
{
    if (!c->counting)
        return (uint16_t)c->reload;
    uint64_t done = elapsed(c, tick);
    switch (c->mode) {
    case 2:
        return (uint16_t)(c->reload - done % c->reload);
    case 3: { /* counts down by two, twice for each period; an odd count starts one lower, and the high half
               * is the longer one */
        uint64_t at = done % c->reload, high = (c->reload + 1) / 2;
        return (uint16_t)((c->reload & ~1u) - 2 * (at < high ? at : at - high));
    }
    default:
        return (uint16_t)(c->reload - done);
    }
}

/* "Mode Definitions": the level of OUT. */
static bool output_at(const struct pit8254_channel *c, uint64_t tick)
{
    if (!c->counting)
        return c->mode != 0;
    uint64_t done = elapsed(c, tick);
    switch (c->mode) {
    case 0:
    case 1:
        return done >= c->reload;
    case 2:
        return c->paused || done % c->reload != c->reload - 1;
    case 3:
        return c->paused || done % c->reload < (c->reload + 1) / 2;
    default: /* 4 and 5: low for the one clock after the count ran out */
        return done != c->reload;
    }
}

/* Rising edges of OUT within the first `done` ticks after the count was loaded. */
static uint64_t edges_after(const struct pit8254_channel *c, uint64_t done)
{
    if (periodic(c))
        return done / c->reload;
    return done >= c->reload + (c->mode >= 4);
}

/* "Mode 2", "Mode 3": a count written while counting takes effect at the end of the current period. */
static void settle(struct pit8254_channel *c, uint64_t tick)
{
    if (!c->next_reload || tick < c->switch_tick)
        return;
    c->edge_pending = c->edge_pending || edges_after(c, c->switch_tick - c->start) > c->edges;
    c->start = c->switch_tick;
    c->edges = 0;
    c->reload = c->next_reload;
    c->next_reload = 0;
    c->null_count = false;
}

static void settle_all(struct pit8254 *pit, uint64_t tick)
{
    for (unsigned i = 0; i < 3; i++)
        settle(&pit->channel[i], tick);
}

static void load_count(struct pit8254_channel *c, uint32_t count, uint64_t tick)
{
    uint32_t reload = count ? count : FULL_COUNT;
    if (c->counting && periodic(c) && !c->paused) {
        if (!c->next_reload)
            c->switch_tick = c->start + ((tick - c->start) / c->reload + 1) * c->reload;
        c->next_reload = reload;
        c->null_count = true;
        return;
    }
    c->reload = reload;
    c->null_count = false;
    if (triggered_by_gate(c))
        return; /* waits for a rising gate */
    c->counting = true;
    c->paused = !c->gate;
    c->start = c->paused ? 0 : tick;
    c->edges = 0;
}

static void write_count(struct pit8254_channel *c, uint8_t value, uint64_t tick)
{
    switch (c->access) {
    case PIT_ACCESS_LOW:
        load_count(c, value, tick);
        break;
    case PIT_ACCESS_HIGH:
        load_count(c, (uint32_t)value << 8, tick);
        break;
    default:
        if (!c->write_high) {
            c->low_byte = value;
            if (c->mode == 0)
                c->counting = false; /* "Mode 0": writing the first byte stops the count */
        } else {
            load_count(c, (uint32_t)value << 8 | c->low_byte, tick);
        }
        c->write_high = !c->write_high;
    }
}

/* "Counter Latch Command": a second latch before the first is read is ignored. */
static void latch_count(struct pit8254_channel *c, uint64_t tick)
{
    if (c->count_latched)
        return;
    c->latched = count_at(c, tick);
    c->count_latched = true;
}

/* "Read-Back Command", status byte. */
static void latch_status(struct pit8254_channel *c, uint64_t tick)
{
    if (c->status_latched)
        return;
    c->latched_status = (uint8_t)((output_at(c, tick) ? 0x80 : 0) | (c->null_count ? 0x40 : 0) |
                                  c->access << 4 | c->mode << 1);
    c->status_latched = true;
}

static void read_back(struct pit8254 *pit, uint8_t value, uint64_t tick)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!(value >> (i + 1) & 1))
            continue;
        if (!(value & 0x20))
            latch_count(&pit->channel[i], tick);
        if (!(value & 0x10))
            latch_status(&pit->channel[i], tick);
    }
}

/* "Control Word Format". */
static bool write_control(struct pit8254 *pit, uint8_t value, uint64_t tick, const char **text)
{
    unsigned index = value >> 6, access = value >> 4 & 3u, mode = value >> 1 & 7u;
    if (index == 3) {
        read_back(pit, value, tick);
        return true;
    }
    struct pit8254_channel *c = &pit->channel[index];
    if (access == PIT_ACCESS_LATCH) {
        latch_count(c, tick);
        return true;
    }
    if (value & 1) {
        *text = "8254: BCD counting is not modelled; clear bit 0 of the control word";
        return false;
    }
    *c = (struct pit8254_channel){.mode = (uint8_t)(mode > 5 ? mode - 4 : mode), /* 6 and 7 are 2 and 3 */
                                  .access = (uint8_t)access,
                                  .gate = c->gate,
                                  .reload = FULL_COUNT,
                                  .null_count = true};
    return true;
}

bool pit8254_write(struct pit8254 *pit, unsigned offset, uint8_t value, uint64_t tick, const char **text)
{
    settle_all(pit, tick);
    if (offset == CONTROL_OFFSET)
        return write_control(pit, value, tick, text);
    write_count(&pit->channel[offset], value, tick);
    return true;
}

uint8_t pit8254_read(struct pit8254 *pit, unsigned offset, uint64_t tick)
{
    settle_all(pit, tick);
    if (offset == CONTROL_OFFSET)
        return 0xff; /* write-only */
    struct pit8254_channel *c = &pit->channel[offset];
    if (c->status_latched) {
        c->status_latched = false;
        return c->latched_status;
    }
    uint16_t count = c->count_latched ? c->latched : count_at(c, tick);
    bool high = c->access == PIT_ACCESS_HIGH || (c->access == PIT_ACCESS_BOTH && c->read_high);
    if (c->access == PIT_ACCESS_BOTH)
        c->read_high = !c->read_high;
    if (c->access != PIT_ACCESS_BOTH || !c->read_high)
        c->count_latched = false; /* the last byte was read */
    return (uint8_t)(high ? count >> 8 : count);
}

/* "Gate Input Operations Summary". */
static void set_gate(struct pit8254_channel *c, bool gate, uint64_t tick)
{
    bool rises = gate && !c->gate, falls = !gate && c->gate;
    c->gate = gate;
    if (rises && triggered_by_gate(c) && !c->null_count) {
        c->counting = true;
        c->start = tick;
        c->edges = 0;
    } else if (c->counting && !triggered_by_gate(c) && falls) {
        if (c->next_reload) /* the count that waited is the one that the next trigger loads */
            c->reload = c->next_reload;
        c->next_reload = 0;
        c->start = elapsed(c, tick);
        c->paused = true;
    } else if (c->counting && !triggered_by_gate(c) && rises) {
        c->paused = false;
        c->start = periodic(c) ? tick : tick - c->start; /* modes 2 and 3 start over, 0 and 4 go on */
    }
}

uint8_t pit8254_read_system_control(struct pit8254 *pit, uint64_t tick)
{
    settle_all(pit, tick);
    /* Bit 5 is OUT of channel 2; bit 4 toggles with each refresh request, every 15 microseconds (18 PIT
     * clocks). */
    return (uint8_t)(pit->speaker | (tick / 18 & 1) << 4 | (output_at(&pit->channel[2], tick) ? 0x20 : 0));
}

void pit8254_write_system_control(struct pit8254 *pit, uint8_t value, uint64_t tick)
{
    settle_all(pit, tick);
    pit->speaker = value & 3;
    set_gate(&pit->channel[2], value & 1, tick);
}

bool pit8254_take_edge(struct pit8254 *pit, uint64_t tick)
{
    struct pit8254_channel *c = &pit->channel[0];
    settle(c, tick);
    bool rose = c->edge_pending;
    c->edge_pending = false;
    if (!c->counting || c->paused || tick < c->start)
        return rose;
    uint64_t edges = edges_after(c, tick - c->start);
    rose = rose || edges > c->edges;
    c->edges = edges;
    return rose;
}

uint64_t pit8254_next_edge(const struct pit8254 *pit)
{
    const struct pit8254_channel *c = &pit->channel[0];
    if (!c->counting || c->paused)
        return UINT64_MAX;
    if (periodic(c))
        return c->start + (c->edges + 1) * c->reload;
    return c->edges ? UINT64_MAX : c->start + c->reload + (c->mode >= 4);
}
