/*
 * conformance: local APIC timer, PIT, RTC, ACPI PM timer and HPET run at their rates against the TSC
 * SDM: 3A, "APIC Timer"
 * SDM: 3B, "Time-Stamp Counter"
 * expect: options --max-cycles 20000000000
 */
#include "apic.h"

/* Data sheets: 8254 behind 14.31818 MHz / 12, ACPI "Power Management Timer", MC146818 at 32768 Hz. The processor's and the
 * bus clock's rates are the platform's (sim/platform/platform.h). */
#define PROCESSOR_HZ 3000000000ull
#define BUS_HZ 1000000000ull
#define PIT_HZ 1193182ull
#define PM_HZ 3579545ull
#define HPET 0xfed00000ul
#define SPAN 30000000ull /* cycles: 10 ms */
enum { SLEEP_VECTOR = 0x50, TSC_DEADLINE_MODE = 1 << 18, IA32_TSC_DEADLINE = 0x6e0, RTC_VECTOR = 0x48 };

/* Halted: simulated time costs no real time then. */
static void wait_cycles(uint64_t cycles)
{
    wrmsr(IA32_TSC_DEADLINE, rdtsc() + cycles);
    LAB_EQUAL(apic_wait(), SLEEP_VECTOR, "TSC deadline");
    apic_write(APIC_EOI, 0);
}

/* What a clock of hz counts in `cycles`, within 20 counts and a thousandth. */
static void agrees(const char *what, uint64_t counted, uint64_t cycles, uint64_t hz)
{
    uint64_t expected = cycles * (hz / 1000) / (PROCESSOR_HZ / 1000), slack = expected / 1000 + 20;
    LAB_CHECK(counted + slack >= expected && counted <= expected + slack, "%s: %lx counts, %lx expected",
              what, counted, expected);
}

static void local_apic_timer(void)
{
    static const uint8_t codes[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa}; /* divide by 1, 2, 4 ... 128 */
    apic_write(APIC_LVT_TIMER, APIC_MASKED | 0x50);
    for (unsigned i = 0; i < 8; i++) {
        apic_write(APIC_TIMER_DIVIDE, codes[i]);
        LAB_EQUAL(apic_read(APIC_TIMER_DIVIDE), codes[i], "divide configuration %u", codes[i]);
        uint64_t begin = rdtsc();
        apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
        while (rdtsc() - begin < SPAN / 10)
            ;
        uint32_t left = apic_read(APIC_TIMER_CURRENT);
        agrees("local APIC timer", UINT32_MAX - left, rdtsc() - begin, BUS_HZ >> i);
    }
    apic_write(APIC_TIMER_INITIAL, 0);
    LAB_EQUAL(apic_read(APIC_TIMER_CURRENT), 0, "an initial count of 0 stops it");
    apic_write(APIC_LVT_TIMER, TSC_DEADLINE_MODE | SLEEP_VECTOR);
}

static uint32_t in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void pm_timer(void)
{
    uint64_t begin = rdtsc();
    uint32_t first = in32(0x608);
    LAB_EQUAL(first >> 24, 0, "PM timer: 24 bits");
    wait_cycles(SPAN);
    agrees("PM timer", (in32(0x608) - first) & 0xffffff, rdtsc() - begin, PM_HZ);
}

/* Channel 2 behind port 61H. */
static void pit(void)
{
    out8(0x61, 0);
    out8(0x43, 0xb0); /* both bytes, mode 0 */
    out8(0x42, 0xff);
    out8(0x42, 0xff);
    uint64_t begin = rdtsc();
    out8(0x61, 1);
    wait_cycles(SPAN);
    out8(0x43, 0x80); /* latch */
    uint64_t cycles = rdtsc() - begin;
    unsigned left = in8(0x42);
    left |= (unsigned)in8(0x42) << 8;
    agrees("PIT", 0xffff - left, cycles, PIT_HZ);
    LAB_EQUAL(in8(0x61) & 0x20, 0, "PIT: OUT is low while it counts");
    wait_cycles(PROCESSOR_HZ / 15); /* 65535 clocks are 55 ms */
    LAB_EQUAL(in8(0x61) & 0x20, 0x20, "PIT: OUT is high afterwards");
}

static void hpet(void)
{
    volatile uint64_t *registers = (volatile uint64_t *)HPET;
    uint64_t hz = 1000000000000000ull / (registers[0] >> 32);
    registers[2] = 1;
    uint64_t begin = rdtsc(), first = registers[0xf0 / 8];
    wait_cycles(SPAN);
    agrees("HPET", registers[0xf0 / 8] - first, rdtsc() - begin, hz);
    registers[2] = 0;
    first = registers[0xf0 / 8];
    wait_cycles(1000);
    LAB_EQUAL(registers[0xf0 / 8], first, "HPET: halted, it does not count");
}

static uint8_t rtc(unsigned reg)
{
    out8(0x70, (uint8_t)reg);
    return in8(0x71);
}
static void rtc_set(unsigned reg, uint8_t value)
{
    out8(0x70, (uint8_t)reg);
    out8(0x71, value);
}

/* Line 8 through the 8259s, which ends a HLT. */
static uint64_t rtc_interrupt(uint8_t flag)
{
    LAB_EQUAL(apic_wait(), RTC_VECTOR, "RTC interrupt");
    uint64_t when = rdtsc();
    LAB_EQUAL(rtc(0xc) & (0x80 | flag), 0x80 | flag,
              "RTC: register C"); /* flags are set without their enables too */
    out8(0xa0, 0x20);
    out8(0x20, 0x20);
    return when;
}

static void open_rtc_line(void)
{
    static const uint16_t ports[] = {0x20, 0xa0};
    for (unsigned i = 0; i < 2; i++) {
        out8(ports[i], 0x11);
        out8((uint16_t)(ports[i] + 1), (uint8_t)(RTC_VECTOR - 8 + 8 * i));
        out8((uint16_t)(ports[i] + 1), i ? 2 : 4);
        out8((uint16_t)(ports[i] + 1), 1);
    }
    out8(0x21, 0xfb);
    out8(0xa1, 0xfe);
    apic_write(APIC_LVT_LINT0, APIC_EXTINT);
    rtc(0xc);
}

/* "Update Cycle": the date changes once a second; UIP is set 244 us before. "Periodic Interrupt": 1024 a second. */
static void real_time_clock(void)
{
    open_rtc_line();
    rtc_set(0xb, 0x12); /* update-ended interrupt, 24 hours */
    uint64_t first = rtc_interrupt(0x10);
    uint8_t second = rtc(0);
    agrees("RTC, one second", 1000000, rtc_interrupt(0x10) - first, 1000000);
    LAB_EQUAL(rtc(0), second + 1, "RTC: the second");
    rtc_set(0xb, 0x02);
    wait_cycles(PROCESSOR_HZ / 1000 * 999);
    while (!(rtc(0xa) & 0x80))
        ;
    uint64_t notice = rdtsc();
    while (rtc(0xa) & 0x80)
        ;
    uint64_t shown = rdtsc() - notice;
    LAB_EQUAL(rtc(0), second + 2, "RTC: the second when UIP falls");
    LAB_CHECK(shown > PROCESSOR_HZ / 1000000 * 240 && shown < PROCESSOR_HZ / 1000000 * 250,
              "RTC: UIP is set for 244 microseconds");
    rtc_set(0xa, 0x26);
    rtc(0xc);
    rtc_set(0xb, 0x42); /* periodic interrupt */
    first = rtc_interrupt(0x40);
    uint64_t last = first;
    for (unsigned i = 0; i < 8; i++)
        last = rtc_interrupt(0x40);
    agrees("RTC, 8 periods of 1024 Hz", 1000000, (last - first) * 128, 1000000);
    rtc_set(0xb, 0x02);
}

int main(void)
{
    lab_init();
    apic_begin();
    local_apic_timer();
    pm_timer();
    pit();
    hpet();
    real_time_clock();
    lab_end();
}
