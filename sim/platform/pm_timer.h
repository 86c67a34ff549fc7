/*
 * pm_timer.h: ACPI's PM1 event block and power-management timer (ACPI specification, "PM1 Event Grouping",
 * "Power Management Timer"), at the ports where QEMU's machines have them. The timer counts 24 bits.
 *
 * The only fixed event is the timer's: the tables say that there are no buttons and no wake alarm.
 */
#ifndef VTSIM_SIM_PLATFORM_PM_TIMER_H
#define VTSIM_SIM_PLATFORM_PM_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define PM1_EVENT_PORT 0x600
#define PM1_EVENT_PORT_COUNT 4
#define PM_TIMER_PORT 0x608
#define PM_TIMER_PORT_COUNT 4
#define PM_TIMER_HZ 3579545u
#define PM_SCI_IRQ 9

struct pm_timer {
    uint16_t status, enable; /* PM1 */
    uint64_t half_periods;   /* carries of bit 23 already seen */
};

void pm_timer_reset(struct pm_timer *t);
/* tick: timer clocks since power-on. Bytes at an offset from PM1_EVENT_PORT. */
uint8_t pm_timer_read_event(const struct pm_timer *t, unsigned offset);
void pm_timer_write_event(struct pm_timer *t, unsigned offset, uint8_t value);
uint32_t pm_timer_value(uint64_t tick);
void pm_timer_sync(struct pm_timer *t, uint64_t tick);
/* The level of the system-control interrupt. */
bool pm_timer_sci(const struct pm_timer *t);
/* The tick at which the interrupt rises next; UINT64_MAX: never, or it is up already. */
uint64_t pm_timer_next_event(const struct pm_timer *t);

#endif
