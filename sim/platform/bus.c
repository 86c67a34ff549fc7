/* bus.c: the platform through the processor's eyes. The only file of the room that knows sim/cpu. */
#include "sim/cpu/cpu.h"
#include "sim/platform/platform.h"

/* Devices change by an access of the processor or by a timer; timers act at the deadline, not before. */
static const struct platform_answers *answers(struct platform *p)
{
    struct platform_answers *a = &p->answers[p->current];
    if (a->valid && *p->host.now < a->deadline && a->tsc_offset == *p->host.tsc_offset)
        return a;
    platform_sync(p);
    a->interrupt_pending = platform_interrupt_pending(p);
    a->nmi_pending = platform_lapic(p)->nmi_pending;
    a->signals = lapic_signals(platform_lapic(p));
    a->deadline = platform_next_deadline(p);
    a->tsc_offset = *p->host.tsc_offset;
    a->valid = true;
    return a;
}

static uint32_t port_in(void *opaque, uint16_t port, unsigned size)
{
    struct platform *p = opaque;
    platform_changed(p);
    return platform_port_in(p, port, size);
}

static void port_out(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
    struct platform *p = opaque;
    platform_changed(p);
    platform_port_out(p, port, value, size);
}

static bool interrupt_pending(void *opaque)
{
    return answers(opaque)->interrupt_pending;
}

static uint8_t interrupt_acknowledge(void *opaque)
{
    struct platform *p = opaque;
    platform_changed(p);
    return platform_interrupt_acknowledge(p);
}

static bool nmi_pending(void *opaque)
{
    return answers(opaque)->nmi_pending;
}

static void nmi_acknowledge(void *opaque)
{
    struct platform *p = opaque;
    platform_changed(p);
    platform_lapic(p)->nmi_pending = false;
}

_Static_assert((int)LAPIC_SIGNAL_INIT == (int)CPU_SIGNAL_INIT &&
                   (int)LAPIC_SIGNAL_SIPI == (int)CPU_SIGNAL_SIPI,
               "they are handed on as they are");

static uint8_t signals(void *opaque)
{
    return answers(opaque)->signals;
}

static uint8_t take_signal(void *opaque, uint8_t signal)
{
    struct platform *p = opaque;
    platform_changed(p);
    return lapic_take_signal(platform_lapic(p), signal);
}

static void reset_apic(void *opaque)
{
    struct platform *p = opaque;
    platform_changed(p);
    lapic_reset_registers(platform_lapic(p));
}

/* SDM "Interaction of Task Priorities between CR8 and APIC". */
static uint64_t read_cr8(void *opaque)
{
    const struct platform *p = opaque;
    return platform_lapic_view(p)->tpr >> 4;
}

static void write_cr8(void *opaque, uint64_t value)
{
    struct platform *p = opaque;
    platform_changed(p);
    platform_lapic(p)->tpr = (uint8_t)(value << 4);
}

static bool apic_read_msr(void *opaque, uint32_t index, uint64_t *value)
{
    struct platform *p = opaque;
    platform_changed(p);
    return platform_apic_read_msr(p, index, value);
}

static bool apic_write_msr(void *opaque, uint32_t index, uint64_t value)
{
    struct platform *p = opaque;
    platform_changed(p);
    return platform_apic_write_msr(p, index, value);
}

/* SDM volume 3A, "Local Vector Table": handling the counters' interrupt sets the entry's mask. */
static void performance_interrupt(void *opaque)
{
    struct platform *p = opaque;
    platform_changed(p);
    lapic_fire_lvt(platform_lapic(p), LAPIC_LVT_PERFORMANCE);
    *lapic_lvt(platform_lapic(p), LAPIC_LVT_PERFORMANCE) |= LVT_MASKED;
    platform_note_lapic(p);
}

static uint64_t next_deadline(void *opaque)
{
    return answers(opaque)->deadline;
}

static void advance(void *opaque, uint64_t cycles)
{
    struct platform *p = opaque;
    platform_changed(p);
    platform_sync_to(p, cycles);
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
        .signals = signals,
        .take_signal = take_signal,
        .reset_apic = reset_apic,
        .read_cr8 = read_cr8,
        .write_cr8 = write_cr8,
        .apic_read_msr = apic_read_msr,
        .apic_write_msr = apic_write_msr,
        .performance_interrupt = performance_interrupt,
        .next_deadline = next_deadline,
        .advance = advance,
        .opaque = p,
    };
}
