/* bus.c: the platform through the processor's eyes. The only file of the room that knows sim/cpu. */
#include "sim/cpu/cpu.h"
#include "sim/platform/platform.h"

static uint32_t port_in(void *opaque, uint16_t port, unsigned size)
{
    return platform_port_in(opaque, port, size);
}

static void port_out(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
    platform_port_out(opaque, port, value, size);
}

static bool interrupt_pending(void *opaque)
{
    return platform_interrupt_pending(opaque);
}

static uint8_t interrupt_acknowledge(void *opaque)
{
    return platform_interrupt_acknowledge(opaque);
}

static bool nmi_pending(void *opaque)
{
    struct platform *p = opaque;
    platform_sync(p);
    return p->lapic.nmi_pending;
}

static void nmi_acknowledge(void *opaque)
{
    struct platform *p = opaque;
    p->lapic.nmi_pending = false;
}

/* SDM "Interaction of Task Priorities between CR8 and APIC". */
static uint64_t read_cr8(void *opaque)
{
    const struct platform *p = opaque;
    return p->lapic.tpr >> 4;
}

static void write_cr8(void *opaque, uint64_t value)
{
    struct platform *p = opaque;
    p->lapic.tpr = (uint8_t)(value << 4);
}

static bool apic_read_msr(void *opaque, uint32_t index, uint64_t *value)
{
    return platform_apic_read_msr(opaque, index, value);
}

static bool apic_write_msr(void *opaque, uint32_t index, uint64_t value)
{
    return platform_apic_write_msr(opaque, index, value);
}

static uint64_t next_deadline(void *opaque)
{
    return platform_next_deadline(opaque);
}

static void advance(void *opaque, uint64_t cycles)
{
    platform_sync_to(opaque, cycles);
}

void platform_bus(struct platform *p, struct cpu_bus *bus)
{
    *bus = (struct cpu_bus){
        .port_in = port_in,
        .port_out = port_out,
        .interrupt_pending = interrupt_pending,
        .interrupt_acknowledge = interrupt_acknowledge,
        .nmi_pending = nmi_pending,
        .nmi_acknowledge = nmi_acknowledge,
        .read_cr8 = read_cr8,
        .write_cr8 = write_cr8,
        .apic_read_msr = apic_read_msr,
        .apic_write_msr = apic_write_msr,
        .next_deadline = next_deadline,
        .advance = advance,
        .opaque = p,
    };
}
