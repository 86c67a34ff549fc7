/*
 * interrupts.c: how lines reach the processor: device -> 8259 and I/O APIC -> local APIC -> INTR and NMI.
 *
 * Wiring of the ISA lines: MultiProcessor Specification, "I/O Interrupt Modes"; the MADT that the guest gets
 * says the same (sim/boot/acpi.c).
 */
#include "sim/platform/platform.h"

static void send(struct platform *p, unsigned pin)
{
    struct lapic_message message = ioapic_message(&p->ioapic, pin);
    if (message.mode == DELIVERY_EXTINT) {
        if (pin != IOAPIC_PIN_8259) /* pin 0 is followed as a level: extint_through_ioapic */
            platform_request_stop(
                p, PLATFORM_UNSUPPORTED, pin,
                "I/O APIC: ExtINT at a pin that is not the 8259's; only pin 0 is modelled so");
        return;
    }
    if (platform_deliver(p, message))
        ioapic_accepted(&p->ioapic, pin);
}

void platform_ioapic_service(struct platform *p)
{
    for (uint32_t left = ioapic_level_requests(&p->ioapic); left; left &= left - 1)
        send(p, (unsigned)__builtin_ctz(left));
}

void platform_ioapic_pin(struct platform *p, unsigned pin, bool level)
{
    if (ioapic_set_pin(&p->ioapic, pin, level))
        send(p, pin);
    platform_ioapic_service(p);
}

void platform_note_lapic(struct platform *p)
{
    struct lapic *a = platform_lapic(p);
    if (a->icr_written) {
        a->icr_written = false;
        platform_send_ipi(p, a->icr);
    }
    if (a->unsupported)
        platform_request_stop(p, PLATFORM_UNSUPPORTED, 0, a->unsupported);
    if (!a->eoi_broadcast)
        return;
    a->eoi_broadcast = false;
    ioapic_end_of_interrupt(&p->ioapic, a->eoi_vector);
    platform_ioapic_service(p); /* a pin that is still high asks again */
}

void platform_update_lint0(struct platform *p)
{
    bool output = pic8259_output(&p->pic);
    lapic_set_lint(&p->lapics[0], 0, output); /* wired to the bootstrap processor alone */
    platform_ioapic_pin(p, IOAPIC_PIN_8259, output);
}

void platform_irq(struct platform *p, unsigned line, bool level)
{
    pic8259_set_line(&p->pic, line, level);
    platform_update_lint0(p);
    if (line != PIC_CASCADE_LINE)
        platform_ioapic_pin(p, line ? line : IOAPIC_PIN_ISA_0, level);
}

bool platform_irq_masked(const struct platform *p, unsigned line)
{
    bool pic = p->pic.chip[line >> 3].imr >> (line & 7) & 1;
    return pic && ioapic_masked(&p->ioapic, line ? line : IOAPIC_PIN_ISA_0);
}

/* Virtual wire through the I/O APIC: pin 0 in ExtINT mode passes the 8259's request on. */
static bool extint_through_ioapic(const struct platform *p)
{
    struct lapic_message message = ioapic_message(&p->ioapic, IOAPIC_PIN_8259);
    return message.mode == DELIVERY_EXTINT && !ioapic_masked(&p->ioapic, IOAPIC_PIN_8259) &&
           lapic_message_is_for(platform_lapic_view(p), message);
}

/* SDM "Local APIC Status and Location": with the APIC disabled in IA32_APIC_BASE the LINT0 pin is INTR.
 * Otherwise an ExtINT entry passes the 8259's request on, whatever the task priority. */
static bool pic_requests(const struct platform *p)
{
    const struct lapic *a = platform_lapic_view(p);
    const bool wired = p->current == 0 && (!lapic_enabled(a) || lapic_extint_open(a));
    return pic8259_output(&p->pic) && (wired || extint_through_ioapic(p));
}

bool platform_interrupt_pending(struct platform *p)
{
    platform_sync(p);
    return pic_requests(p) || lapic_interrupt_pending(platform_lapic(p));
}

uint8_t platform_interrupt_acknowledge(struct platform *p)
{
    platform_sync(p);
    if (!pic_requests(p))
        return lapic_acknowledge(platform_lapic(p));
    uint8_t vector = pic8259_acknowledge(&p->pic);
    platform_update_lint0(p);
    return vector;
}
