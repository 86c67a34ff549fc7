/* interrupts.c: INTR and NMI as the processor sees them. */
#include "sim/platform/platform.h"

void platform_update_lint0(struct platform *p)
{
    lapic_set_lint(&p->lapic, 0, pic8259_output(&p->pic));
}

void platform_irq(struct platform *p, unsigned line, bool level)
{
    pic8259_set_line(&p->pic, line, level);
    platform_update_lint0(p);
}

/* SDM "Local APIC Status and Location": with the APIC disabled in IA32_APIC_BASE the LINT0 pin is INTR.
 * Otherwise an ExtINT entry passes the 8259's request on, whatever the task priority. */
static bool pic_requests(const struct platform *p)
{
    return (!lapic_enabled(&p->lapic) || lapic_extint_open(&p->lapic)) && pic8259_output(&p->pic);
}

bool platform_interrupt_pending(struct platform *p)
{
    platform_sync(p);
    return pic_requests(p) || lapic_interrupt_pending(&p->lapic);
}

uint8_t platform_interrupt_acknowledge(struct platform *p)
{
    platform_sync(p);
    if (!pic_requests(p))
        return lapic_acknowledge(&p->lapic);
    uint8_t vector = pic8259_acknowledge(&p->pic);
    platform_update_lint0(p);
    return vector;
}
