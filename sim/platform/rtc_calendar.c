/* rtc_calendar.c: the ten bytes of time and date, and the century: "Time, Calendar and Alarm Locations". */
#include "sim/platform/rtc.h"

#define SECONDS_PER_DAY 86400u
#define HOURS_PM 0x80u
#define ALARM_ANY 0xc0u /* an alarm byte from C0H on matches always */

static unsigned decode(const struct rtc *r, uint8_t value)
{
    return r->cmos[RTC_B] & RTC_B_BINARY ? value : (value >> 4) * 10u + (value & 15u);
}

static uint8_t encode(const struct rtc *r, unsigned value)
{
    return (uint8_t)(r->cmos[RTC_B] & RTC_B_BINARY ? value : value / 10 << 4 | value % 10);
}

/* 12-hour format: 12 to 11, bit 7 in the afternoon. */
static unsigned decode_hours(const struct rtc *r, uint8_t value)
{
    if (r->cmos[RTC_B] & RTC_B_24_HOURS)
        return decode(r, value);
    return decode(r, value & (uint8_t)~HOURS_PM) % 12 + (value & HOURS_PM ? 12 : 0);
}

static uint8_t encode_hours(const struct rtc *r, unsigned hours)
{
    if (r->cmos[RTC_B] & RTC_B_24_HOURS)
        return encode(r, hours);
    return (uint8_t)(encode(r, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? HOURS_PM : 0));
}

static unsigned days_in_month(unsigned month, unsigned year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12)
        return 31; /* the guest wrote nonsense: it goes on somehow, as the chip does */
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Four hundred years are 146097 days, a multiple of seven: more than that changes the century alone. */
static void add_days(struct rtc *r, uint64_t days)
{
    unsigned day = decode(r, r->cmos[RTC_DAY]), month = decode(r, r->cmos[RTC_MONTH]);
    unsigned year = decode(r, r->cmos[RTC_CENTURY]) * 100 + decode(r, r->cmos[RTC_YEAR]);
    r->cmos[RTC_DAY_OF_WEEK] = (uint8_t)((r->cmos[RTC_DAY_OF_WEEK] + 6 + days % 7) % 7 + 1);
    for (uint64_t left = days % 146097; left; left--) {
        if (++day <= days_in_month(month, year))
            continue;
        day = 1;
        if (++month > 12) {
            month = 1;
            year++;
        }
    }
    year = (unsigned)((year + days / 146097 * 400) % 10000);
    r->cmos[RTC_DAY] = encode(r, day);
    r->cmos[RTC_MONTH] = encode(r, month);
    r->cmos[RTC_YEAR] = encode(r, year % 100);
    r->cmos[RTC_CENTURY] = encode(r, year / 100);
}

static uint64_t second_of_day(const struct rtc *r)
{
    return decode_hours(r, r->cmos[RTC_HOURS]) * 3600ull + decode(r, r->cmos[RTC_MINUTES]) * 60ull +
           decode(r, r->cmos[RTC_SECONDS]);
}

void rtc_add_seconds(struct rtc *r, uint64_t seconds)
{
    uint64_t time = second_of_day(r) + seconds;
    unsigned second = (unsigned)(time % SECONDS_PER_DAY);
    r->cmos[RTC_HOURS] = encode_hours(r, second / 3600);
    r->cmos[RTC_MINUTES] = encode(r, second / 60 % 60);
    r->cmos[RTC_SECONDS] = encode(r, second % 60);
    if (time >= SECONDS_PER_DAY)
        add_days(r, time / SECONDS_PER_DAY);
}

static bool alarm_byte(uint8_t alarm, uint8_t now)
{
    return alarm >= ALARM_ANY || alarm == now;
}

static bool alarm_at(const struct rtc *r, unsigned second)
{
    return alarm_byte(r->cmos[RTC_HOURS_ALARM], encode_hours(r, second / 3600)) &&
           alarm_byte(r->cmos[RTC_MINUTES_ALARM], encode(r, second / 60 % 60)) &&
           alarm_byte(r->cmos[RTC_SECONDS_ALARM], encode(r, second % 60));
}

bool rtc_alarm_matched(const struct rtc *r, uint64_t seconds)
{
    uint64_t now = second_of_day(r), look = seconds < SECONDS_PER_DAY ? seconds : SECONDS_PER_DAY;
    for (uint64_t back = 0; back < look; back++)
        if (alarm_at(r, (unsigned)((now + SECONDS_PER_DAY - back) % SECONDS_PER_DAY)))
            return true;
    return false;
}
