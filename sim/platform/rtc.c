/* rtc.c: registers A to D, interrupts, CMOS memory. */
#include "sim/platform/rtc.h"

#include <string.h>

#define A_UPDATE_IN_PROGRESS 0x80u
#define A_DIVIDER 0x70u
#define A_DIVIDER_32KHZ 0x20u
#define A_RATE 0x0fu
#define A_RATE_1024HZ 0x06u
#define C_REQUEST 0x80u
#define C_PERIODIC 0x40u
#define C_ALARM 0x20u
#define C_UPDATE 0x10u
#define C_FLAGS (C_PERIODIC | C_ALARM | C_UPDATE) /* enabled by the same bits of register B */
#define D_VALID 0x80u

/* "Update Cycle": UIP is set 244 microseconds before the update. */
#define UPDATE_NOTICE 8u

enum {
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_MEMORY = 0x15,     /* KiB */
    CMOS_EXTENDED_MEMORY = 0x17, /* KiB above 1 MiB, again at 30H */
    CMOS_EXTENDED_AGAIN = 0x30,
    CMOS_CHECKSUM = 0x2e,     /* of 10H to 2DH, high byte first */
    CMOS_ABOVE_16_MIB = 0x34, /* 64 KiB units */
    CMOS_ABOVE_4_GIB = 0x5b,  /* 64 KiB units, three bytes */
    CMOS_PROCESSORS = 0x5f,   /* less one */
};
#define EQUIPMENT_FPU 0x02

static void put(struct rtc *r, unsigned at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++)
        r->cmos[at + i] = (uint8_t)(value >> (8 * i));
}

static uint64_t units_above(uint64_t size, uint64_t start, uint64_t unit, uint64_t most)
{
    uint64_t units = size > start ? (size - start) / unit : 0;
    return units < most ? units : most;
}

/* What a PC's firmware leaves there; the bytes beyond the AT's are where QEMU's firmware looks. */
static void put_configuration(struct rtc *r, uint64_t ram_low, uint64_t ram_high, uint8_t processors)
{
    r->cmos[CMOS_EQUIPMENT] = EQUIPMENT_FPU;
    put(r, CMOS_BASE_MEMORY, 2, 640);
    put(r, CMOS_EXTENDED_MEMORY, 2, units_above(ram_low, 1u << 20, 1024, 0xffff));
    put(r, CMOS_EXTENDED_AGAIN, 2, units_above(ram_low, 1u << 20, 1024, 0xffff));
    put(r, CMOS_ABOVE_16_MIB, 2, units_above(ram_low, 16u << 20, 65536, 0xffff));
    put(r, CMOS_ABOVE_4_GIB, 3, units_above(ram_high, 0, 65536, 0xffffff));
    r->cmos[CMOS_PROCESSORS] = (uint8_t)(processors - 1);
    unsigned sum = 0;
    for (unsigned i = 0x10; i < CMOS_CHECKSUM; i++)
        sum += r->cmos[i];
    r->cmos[CMOS_CHECKSUM] = (uint8_t)(sum >> 8);
    r->cmos[CMOS_CHECKSUM + 1] = (uint8_t)sum;
}

void rtc_reset(struct rtc *r, uint64_t ram_low, uint64_t ram_high, uint8_t processors)
{
    memset(r, 0, sizeof *r);
    r->cmos[RTC_A] = A_DIVIDER_32KHZ | A_RATE_1024HZ;
    r->cmos[RTC_B] = RTC_B_24_HOURS;
    r->cmos[RTC_D] = D_VALID;
    r->cmos[RTC_CENTURY] = 0x20;
    r->cmos[RTC_YEAR] = 0x20;
    r->cmos[RTC_MONTH] = r->cmos[RTC_DAY] = 1;
    r->cmos[RTC_DAY_OF_WEEK] = 4; /* Sunday is 1 */
    put_configuration(r, ram_low, ram_high, processors);
}

static bool clock_runs(const struct rtc *r)
{
    return (r->cmos[RTC_A] & A_DIVIDER) == A_DIVIDER_32KHZ;
}

/* "Periodic Interrupt Selection": rates 1 and 2 are those of 8 and 9. In RTC ticks; 0: none. */
static uint64_t period(const struct rtc *r)
{
    unsigned rate = r->cmos[RTC_A] & A_RATE;
    if (!rate || !clock_runs(r))
        return 0;
    return 1ull << ((rate < 3 ? rate + 7 : rate) - 1);
}

/* "Update Cycle": register B's SET bit holds the calendar, not the divider chain. */
static void sync_calendar(struct rtc *r, uint64_t tick)
{
    if (!clock_runs(r) || tick < r->second_start + RTC_HZ)
        return;
    uint64_t seconds = (tick - r->second_start) / RTC_HZ;
    r->second_start += seconds * RTC_HZ;
    if (r->cmos[RTC_B] & RTC_B_SET)
        return;
    rtc_add_seconds(r, seconds);
    r->cmos[RTC_C] |= C_UPDATE;
    if (rtc_alarm_matched(r, seconds))
        r->cmos[RTC_C] |= C_ALARM;
}

void rtc_sync(struct rtc *r, uint64_t tick)
{
    uint64_t every = period(r);
    sync_calendar(r, tick);
    if (every && tick / every != r->periodic_tick / every)
        r->cmos[RTC_C] |= C_PERIODIC;
    r->periodic_tick = tick;
}

bool rtc_irq(const struct rtc *r)
{
    return r->cmos[RTC_B] & r->cmos[RTC_C] & C_FLAGS;
}

static bool update_in_progress(const struct rtc *r, uint64_t tick)
{
    return clock_runs(r) && !(r->cmos[RTC_B] & RTC_B_SET) && tick + UPDATE_NOTICE >= r->second_start + RTC_HZ;
}

uint8_t rtc_read(struct rtc *r, unsigned reg, uint64_t tick)
{
    uint8_t value = r->cmos[reg];
    if (reg == RTC_A && update_in_progress(r, tick))
        value |= A_UPDATE_IN_PROGRESS;
    if (reg == RTC_C) { /* "Register C": reading clears the flags */
        value |= rtc_irq(r) ? C_REQUEST : 0;
        r->cmos[RTC_C] = 0;
    }
    return value;
}

void rtc_write(struct rtc *r, unsigned reg, uint8_t value, uint64_t tick)
{
    bool ran = clock_runs(r);
    if (reg == RTC_C || reg == RTC_D)
        return; /* read-only */
    if (reg == RTC_A)
        value &= (uint8_t)~A_UPDATE_IN_PROGRESS;
    if (reg == RTC_B && (value & RTC_B_SET))
        value &= (uint8_t)~C_UPDATE; /* "SET": clears the update-ended interrupt's enable bit */
    r->cmos[reg] = value;
    if (!ran && clock_runs(r)) /* "Divider Control": the first update comes half a second later */
        r->second_start = tick < RTC_HZ / 2 ? 0 : tick - RTC_HZ / 2;
}

/* While the alarm waits, each second is looked at. */
uint64_t rtc_next_event(const struct rtc *r)
{
    uint8_t enabled = r->cmos[RTC_B] & C_FLAGS;
    uint64_t next = UINT64_MAX, every = period(r);
    if (rtc_irq(r))
        return next;
    if ((enabled & (C_ALARM | C_UPDATE)) && clock_runs(r))
        next = r->second_start + RTC_HZ;
    if ((enabled & C_PERIODIC) && every && (r->periodic_tick / every + 1) * every < next)
        next = (r->periodic_tick / every + 1) * every;
    return next;
}
