/* platform.c: a platform that does what the lab's fields say. */
#include "tests/fuzz/vmx/lab.h"

static uint32_t port_in(void *o, uint16_t port, unsigned size)
{
    (void)o;
    return (uint32_t)(port * 0x01010101u) >> (32 - 8 * size);
}
static void port_out(void *o, uint16_t port, uint32_t value, unsigned size)
{
    (void)o, (void)port, (void)value, (void)size;
}
static bool interrupt_pending(void *o)
{
    return ((struct lab *)o)->interrupt;
}
static uint8_t interrupt_acknowledge(void *o)
{
    struct lab *lab = o;
    REQUIRE(lab, lab->interrupt);
    lab->interrupt = false;
    return lab->interrupt_vector;
}
static void performance_interrupt(void *o)
{
    ((struct lab *)o)->interrupt = true;
}
static bool nmi_pending(void *o)
{
    return ((struct lab *)o)->nmi;
}
static void nmi_acknowledge(void *o)
{
    struct lab *lab = o;
    REQUIRE(lab, lab->nmi);
    lab->nmi = false;
}
static uint8_t signals(void *o)
{
    return ((struct lab *)o)->signals;
}
static uint8_t take_signal(void *o, uint8_t signal)
{
    struct lab *lab = o;
    REQUIRE(lab, lab->signals & signal);
    lab->signals &= (uint8_t)~signal;
    return lab->sipi_vector;
}
static void reset_apic(void *o)
{
    (void)o;
}
static uint64_t read_cr8(void *o)
{
    return ((struct lab *)o)->cr8;
}
static void write_cr8(void *o, uint64_t value)
{
    struct lab *lab = o;
    REQUIRE(lab, value < 16);
    lab->cr8 = value;
}

/* IA32_APIC_BASE and x2APIC registers that keep nothing; writes of reserved registers fail. */
static bool read_msr(void *o, uint32_t index, uint64_t *value)
{
    const struct lab *lab = o;
    *value = index == 0x1b ? lab->apic_base : index & 0xff;
    return index == 0x1b || (lab->apic_base & 0x400 && index != 0x80b);
}
static bool write_msr(void *o, uint32_t index, uint64_t value)
{
    struct lab *lab = o;
    if (index != 0x1b)
        return lab->apic_base & 0x400 && !(value >> 32);
    if (value & ~0xfffffffffff00ull || (value & 0xc00) == 0x400)
        return false;
    lab->apic_base = value;
    return true;
}
static uint64_t next_deadline(void *o)
{
    return ((struct lab *)o)->deadline;
}
static void advance(void *o, uint64_t cycles)
{
    struct lab *lab = o;
    REQUIRE(lab, cycles == lab->cpu.account.now);
    if (cycles < lab->deadline)
        return;
    lab->interrupt = true;
    lab->deadline = UINT64_MAX;
}
static uint64_t mmio_read(void *o, uint64_t physical, unsigned size)
{
    (void)o, (void)physical;
    return UINT64_MAX >> (64 - 8 * size);
}
static void mmio_write(void *o, uint64_t physical, uint64_t value, unsigned size)
{
    (void)o, (void)physical, (void)value, (void)size;
}

void lab_platform(struct lab *lab)
{
    lab->mem = (struct phys_mem){.ram = lab->ram,
                                 .low_size = LAB_RAM,
                                 .mmio_read = mmio_read,
                                 .mmio_write = mmio_write,
                                 .mmio_opaque = lab};
    lab->bus = (struct cpu_bus){.port_in = port_in,
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
                                .next_deadline = next_deadline,
                                .advance = advance,
                                .performance_interrupt = performance_interrupt,
                                .apic_read_msr = read_msr,
                                .apic_write_msr = write_msr,
                                .opaque = lab};
    lab->apic_base = GUEST_LAPIC | 0x900;
    lab->deadline = UINT64_MAX;
    lab->trace = (struct trace){UINT32_MAX, lab_watch, lab};
}
