/* platform.c: the devices put together. */
#include "sim/platform/platform.h"

#include <string.h>

#define LINT_EXTINT (DELIVERY_EXTINT << 8)
#define LINT_NMI (DELIVERY_NMI << 8)
#define FIRMWARE_SPURIOUS_VECTOR 0x0fu

struct platform_config platform_default_config(void)
{
    return (struct platform_config){
        .cycles_per_second = 3000000000u,
        .cycles_per_bus_clock = 3,
        .physical_address_bits = 39,
        .x2apic = true,
        .tsc_deadline = true,
        .debug_exit_port = DEBUG_EXIT_DEFAULT_PORT,
        .debug_exit_size = DEBUG_EXIT_DEFAULT_SIZE,
        .irq_lines = true,
        .processors = 1,
    };
}

/* MultiProcessor Specification, "Virtual Wire Mode": what firmware hands over on the bootstrap processor. The others wait
 * for their start-up IPI with local APICs as after power-up. */
static void init_lapic(struct lapic *a, const struct platform_config *config, unsigned id)
{
    a->id = id;
    a->cycles_per_bus_clock = config->cycles_per_bus_clock;
    a->physical_address_bits = config->physical_address_bits;
    a->has_x2apic = config->x2apic;
    a->has_tsc_deadline = config->tsc_deadline;
    lapic_power_up(a);
    if (id != 0)
        return;
    a->svr = SVR_ENABLED | FIRMWARE_SPURIOUS_VECTOR;
    *lapic_lvt(a, LAPIC_LVT_LINT0) = LINT_EXTINT;
    *lapic_lvt(a, LAPIC_LVT_LINT1) = LINT_NMI;
}

void platform_init(struct platform *p, const struct platform_config *config, const struct platform_host *host)
{
    memset(p, 0, sizeof *p);
    p->config = *config;
    p->host = *host;
    uart_reset(&p->uart);
    pic8259_reset(&p->pic);
    pit8254_reset(&p->pit);
    ioapic_reset(&p->ioapic);
    hpet_reset(&p->hpet);
    pm_timer_reset(&p->pm_timer);
    rtc_reset(&p->rtc, config->ram_low, config->ram_high, 1);
    fw_cfg_reset(&p->fw_cfg, config->ram_low + config->ram_high, config->processors);
    for (unsigned i = 0; i < config->processors; i++)
        init_lapic(&p->lapics[i], config, i);
}

void platform_select(struct platform *p, unsigned processor, const uint64_t *now, const uint64_t *tsc_offset)
{
    p->current = processor;
    p->host.now = now;
    p->host.tsc_offset = tsc_offset;
}

#define PIT_CHANNEL_0_MODE_2 0x34u /* both bytes of the count, binary */
#define PIC_MASTER_OPEN (1u << PIT_IRQ | 1u << PIC_CASCADE_LINE)

void platform_start_bios_timer(struct platform *p)
{
    platform_port_out(p, PIT_PORT + 3, PIT_CHANNEL_0_MODE_2, 1);
    platform_port_out(p, PIT_PORT, 0, 1); /* 0 counts as 65536 */
    platform_port_out(p, PIT_PORT, 0, 1);
    platform_port_out(p, PIC_MASTER_PORT + 1, 0xff & ~PIC_MASTER_OPEN, 1);
}

void platform_attach_memory(struct platform *p, struct phys_mem *mem)
{
    mem->mmio_read = platform_mmio_read;
    mem->mmio_write = platform_mmio_write;
    mem->mmio_opaque = p;
}

void platform_request_stop(struct platform *p, enum platform_stop stop, uint32_t value, const char *text)
{
    if (p->stop != PLATFORM_RUNS)
        return;
    p->stop = stop;
    p->stop_value = value;
    p->stop_text = text;
}

bool platform_apic_read_msr(struct platform *p, uint32_t index, uint64_t *value)
{
    platform_sync(p);
    return lapic_read_msr(platform_lapic(p), platform_lapic_clock(p), index, value);
}

/* RAM would hide the registers: struct phys_mem looks at RAM first. */
static bool lapic_over_ram(const struct platform *p)
{
    uint64_t base = platform_lapic_view(p)->base & APIC_BASE_ADDRESS;
    return lapic_enabled(platform_lapic_view(p)) && !lapic_x2apic(platform_lapic_view(p)) &&
           (base < p->config.ram_low ||
            (base >= PHYS_HIGH_BASE && base - PHYS_HIGH_BASE < p->config.ram_high));
}

bool platform_apic_write_msr(struct platform *p, uint32_t index, uint64_t value)
{
    platform_sync(p);
    if (!lapic_write_msr(platform_lapic(p), platform_lapic_clock(p), index, value))
        return false;
    platform_note_lapic(p);
    if (lapic_over_ram(p))
        platform_request_stop(
            p, PLATFORM_UNSUPPORTED, 0,
            "IA32_APIC_BASE: local APIC registers over RAM are not modelled; use an address without RAM");
    return true;
}
