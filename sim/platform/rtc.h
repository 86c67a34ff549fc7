/*
 * rtc.h: the real-time clock and its CMOS memory (Motorola MC146818A data sheet), at ports 70H and 71H.
 *
 * The date at power-on is always the same (1 January 2020, 00:00:00, a Wednesday) and runs in simulated time.
 * Daylight saving and the square-wave output are not there: nothing hears the second, and the first is off.
 */
#ifndef VTSIM_SIM_PLATFORM_RTC_H
#define VTSIM_SIM_PLATFORM_RTC_H

#include <stdbool.h>
#include <stdint.h>

#define RTC_PORT 0x70
#define RTC_PORT_COUNT 2
#define RTC_IRQ 8
#define RTC_HZ 32768u
#define RTC_CMOS_SIZE 128u

enum rtc_register {
    RTC_SECONDS,
    RTC_SECONDS_ALARM,
    RTC_MINUTES,
    RTC_MINUTES_ALARM,
    RTC_HOURS,
    RTC_HOURS_ALARM,
    RTC_DAY_OF_WEEK,
    RTC_DAY,
    RTC_MONTH,
    RTC_YEAR,
    RTC_A,
    RTC_B,
    RTC_C,
    RTC_D,
    RTC_CENTURY = 0x32,
};

struct rtc {
    uint8_t index;
    uint8_t cmos[RTC_CMOS_SIZE];
    uint64_t second_start;  /* RTC tick at which the present second began */
    uint64_t periodic_tick; /* RTC tick up to which periodic interrupts were seen */
};

/* ram_low, ram_high: bytes below and above 4 GiB. */
void rtc_reset(struct rtc *r, uint64_t ram_low, uint64_t ram_high, uint8_t processors);
/* tick: clocks of 32768 Hz since power-on. */
void rtc_sync(struct rtc *r, uint64_t tick);
/* Registers, after rtc_sync. */
uint8_t rtc_read(struct rtc *r, unsigned reg, uint64_t tick);
void rtc_write(struct rtc *r, unsigned reg, uint8_t value, uint64_t tick);
/* The level of the interrupt line. */
bool rtc_irq(const struct rtc *r);
/* The tick at which the line can rise next; UINT64_MAX: never, or it is up already. */
uint64_t rtc_next_event(const struct rtc *r);

/* The calendar (rtc_calendar.c): lets the time of day and the date in the CMOS go on by seconds. */
void rtc_add_seconds(struct rtc *r, uint64_t seconds);
/* Did the alarm match one of the last `seconds` seconds, up to the present one? */
bool rtc_alarm_matched(const struct rtc *r, uint64_t seconds);

#define RTC_B_SET 0x80u
#define RTC_B_BINARY 0x04u
#define RTC_B_24_HOURS 0x02u

#endif
