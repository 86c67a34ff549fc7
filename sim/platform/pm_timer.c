/* pm_timer.c: the PM timer and the PM1 status and enable registers. */
#include "sim/platform/pm_timer.h"

#define TIMER_BITS 24
#define TIMER_EVENT 0x0001u /* TMR_STS, TMR_EN */
/* "PM1 Enable Registers": timer, global lock, power button, sleep button, RTC. */
#define ENABLE_WRITABLE 0x0721u

void pm_timer_reset(struct pm_timer *t)
{
    *t = (struct pm_timer){0};
}

uint32_t pm_timer_value(uint64_t tick)
{
    return (uint32_t)(tick & ((1u << TIMER_BITS) - 1));
}

/* "PM1 Status Registers": TMR_STS is set whenever the timer's last bit changes. */
void pm_timer_sync(struct pm_timer *t, uint64_t tick)
{
    uint64_t half_periods = tick >> (TIMER_BITS - 1);
    if (half_periods != t->half_periods)
        t->status |= TIMER_EVENT;
    t->half_periods = half_periods;
}

uint8_t pm_timer_read_event(const struct pm_timer *t, unsigned offset)
{
    uint16_t value = offset < 2 ? t->status : t->enable;
    return (uint8_t)(value >> (offset % 2 * 8));
}

/* Status bits are cleared by writing ones. */
void pm_timer_write_event(struct pm_timer *t, unsigned offset, uint8_t value)
{
    unsigned shift = offset % 2 * 8;
    if (offset < 2)
        t->status &= (uint16_t) ~(value << shift);
    else
        t->enable =
            (uint16_t)(((t->enable & ~(0xffu << shift)) | (uint32_t)value << shift) & ENABLE_WRITABLE);
}

bool pm_timer_sci(const struct pm_timer *t)
{
    return (t->status & t->enable) != 0;
}

uint64_t pm_timer_next_event(const struct pm_timer *t)
{
    if (!(t->enable & TIMER_EVENT) || (t->status & TIMER_EVENT))
        return UINT64_MAX;
    return (t->half_periods + 1) << (TIMER_BITS - 1);
}
