/*
 * hpet.h: the high-precision event timers (IA-PC HPET Specification 1.0a; names are its own). A 64-bit main
 * counter of 100 MHz and three comparators, each one-shot or periodic, with legacy replacement; no FSB
 * delivery.
 */
#ifndef VTSIM_SIM_PLATFORM_HPET_H
#define VTSIM_SIM_PLATFORM_HPET_H

#include <stdbool.h>
#include <stdint.h>

#define HPET_BASE 0xfed00000u
#define HPET_SIZE 0x400u
#define HPET_TIMERS 3u
#define HPET_HZ 100000000u
#define HPET_ROUTES 0x00ff0000u /* I/O APIC pins that a comparator can drive: 16 to 23 */

/* "General Capabilities and ID Register", low half: revision 1, number of the last timer, COUNT_SIZE_CAP,
 * LEG_RT_CAP, vendor 8086H. */
#define HPET_ID (1u | (HPET_TIMERS - 1) << 8 | 1u << 13 | 1u << 15 | 0x8086u << 16)

struct hpet_timer {
    uint64_t config; /* the bits that software writes */
    uint64_t comparator;
    uint64_t period; /* last value written to the comparator */
};

struct hpet {
    uint64_t config, status;
    uint64_t counter; /* the main counter when it was last looked at */
    uint64_t tick;    /* and when that was */
    struct hpet_timer timer[HPET_TIMERS];
};

void hpet_reset(struct hpet *h);
/* tick: HPET clocks since power-on. Lets the counter run up to it. Bit n of the result: comparator n matched.
 */
uint32_t hpet_sync(struct hpet *h, uint64_t tick);
/* MMIO at an offset below HPET_SIZE, after hpet_sync; size is 1, 2, 4 or 8, of which writes take 4 and 8. */
uint64_t hpet_read(const struct hpet *h, unsigned offset, unsigned size);
void hpet_write(struct hpet *h, unsigned offset, uint64_t value, unsigned size);
/* The tick at which an enabled comparator matches next; UINT64_MAX: never. */
uint64_t hpet_next_match(const struct hpet *h);
bool hpet_enabled(const struct hpet *h);
/* Do comparators 0 and 1 stand in for the PIT's and the RTC's lines? */
bool hpet_legacy_replacement(const struct hpet *h);
/* Comparator n: is its interrupt enabled, level-triggered, and at which I/O APIC pin (0: none)? */
bool hpet_timer_enabled(const struct hpet *h, unsigned n);
bool hpet_timer_level(const struct hpet *h, unsigned n);
unsigned hpet_timer_route(const struct hpet *h, unsigned n);

#endif
