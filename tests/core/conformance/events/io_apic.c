/*
 * conformance: I/O APIC and 8259: edge and level, remote IRR and EOI, masks, ExtINT by LINT0, spurious vectors
 * SDM: 3A, "Signaling Interrupt Servicing Completion"
 * SDM: 3A, "Local Vector Table"
 */
#include "apic.h"

enum { PIN = 21, VECTOR = 0x52, REMOTE_IRR = 1 << 14, PIC_VECTOR = 0x40 };

static unsigned low(unsigned pin)
{
    return 0x10 + 2 * pin;
}

static void edge(void)
{
    io_apic_write(low(PIN), VECTOR);
    irq_line(PIN, true);
    LAB_EQUAL(apic_poll(), VECTOR, "an edge");
    apic_write(APIC_EOI, 0);
    LAB_EQUAL(apic_poll(), 0, "the line stays high: no second interrupt");
    irq_line(PIN, false);
    io_apic_write(low(PIN), VECTOR | APIC_MASKED);
    irq_line(PIN, true);
    io_apic_write(low(PIN), VECTOR);
    LAB_EQUAL(apic_poll(), 0, "an edge while masked is lost");
    irq_line(PIN, false);
}

static void level(void)
{
    io_apic_write(low(PIN), VECTOR | APIC_LEVEL);
    irq_line(PIN, true);
    LAB_EQUAL(io_apic_read(low(PIN)) & REMOTE_IRR, REMOTE_IRR, "level: remote IRR once accepted");
    LAB_EQUAL(apic_read(APIC_TMR + VECTOR / 32 * 16) >> VECTOR % 32 & 1, 1, "TMR says level");
    LAB_EQUAL(apic_poll(), VECTOR, "level: delivered");
    LAB_EQUAL(apic_poll(), 0, "and not again before the EOI");
    apic_write(APIC_EOI, 0);
    LAB_EQUAL(apic_poll(), VECTOR, "EOI with the line high: again");
    irq_line(PIN, false);
    apic_write(APIC_EOI, 0);
    LAB_EQUAL(io_apic_read(low(PIN)) & REMOTE_IRR, 0, "EOI with the line low: remote IRR is clear");
    LAB_EQUAL(apic_poll(), 0, "and nothing comes");
    io_apic_write(low(PIN), VECTOR | APIC_LEVEL | APIC_MASKED);
    irq_line(PIN, true);
    LAB_EQUAL(apic_poll(), 0, "level, masked");
    io_apic_write(low(PIN), VECTOR | APIC_LEVEL);
    LAB_EQUAL(apic_poll(), VECTOR, "unmasked while high: delivered");
    irq_line(PIN, false);
    apic_write(APIC_EOI, 0);
    io_apic_write(low(PIN), APIC_MASKED);
}

static void program_8259(uint8_t mask_master, uint8_t mask_slave)
{
    static const uint16_t ports[] = {0x20, 0xa0};
    for (unsigned i = 0; i < 2; i++) {
        out8(ports[i], 0x11);
        out8((uint16_t)(ports[i] + 1), (uint8_t)(PIC_VECTOR + 8 * i));
        out8((uint16_t)(ports[i] + 1), i ? 2 : 4);
        out8((uint16_t)(ports[i] + 1), 1);
        out8((uint16_t)(ports[i] + 1), i ? mask_slave : mask_master);
    }
}

static void pulse(unsigned line)
{
    irq_line(line, true);
    irq_line(line, false);
}

/* ExtINT takes no notice of the task priority, and leaves nothing in service in the local APIC. */
static void virtual_wire(void)
{
    program_8259(0xdb, 0xf7); /* lines 2, 5 and 11 */
    apic_write(APIC_LVT_LINT0, APIC_EXTINT);
    apic_write(APIC_TPR, 0xff);
    pulse(5);
    LAB_EQUAL(apic_poll(), PIC_VECTOR + 5, "line 5 through LINT0");
    pulse(11);
    LAB_EQUAL(apic_poll(), PIC_VECTOR + 11, "line 11 by the cascade, above 5");
    out8(0xa0, 0x20);
    out8(0x20, 0x20);
    out8(0x20, 0x20);
    for (unsigned i = 0; i < 8; i++)
        LAB_EQUAL(apic_read(APIC_ISR + i * 16), 0, "local ISR %u", i);
    pulse(5);
    apic_write(APIC_LVT_LINT0, APIC_EXTINT | APIC_MASKED);
    LAB_EQUAL(apic_poll(), 0, "LINT0 masked");
    apic_write(APIC_LVT_LINT0, APIC_EXTINT);
    LAB_EQUAL(apic_poll(), PIC_VECTOR + 5, "LINT0 open again: the 8259 has kept it");
    out8(0x20, 0x20);
    apic_write(APIC_TPR, 0);
}

/* Level by the ELCR: the request goes with the line. */
static void edge_level_control(void)
{
    out8(0x4d0, 0x20);
    irq_line(5, true);
    irq_line(5, false);
    LAB_EQUAL(apic_poll(), 0, "ELCR: a level that is gone is no request");
    irq_line(5, true);
    LAB_EQUAL(apic_poll(), PIC_VECTOR + 5, "ELCR: a level");
    out8(0x20, 0x20);
    LAB_EQUAL(apic_poll(), PIC_VECTOR + 5, "and again after the EOI");
    irq_line(5, false);
    out8(0x20, 0x20);
    out8(0x4d0, 0);
}

int main(void)
{
    lab_init();
    apic_begin();
    edge();
    level();
    virtual_wire();
    edge_level_control();
    lab_end();
}
