/* mmio.c: which device answers where in physical memory. Add a device's range to the table. */
#include "sim/platform/platform.h"

struct mmio_range {
    uint64_t base, size;
    /* offset is below size. */
    uint64_t (*read)(struct platform *p, unsigned offset, unsigned size);
    void (*write)(struct platform *p, unsigned offset, uint64_t value, unsigned size);
};

static uint64_t io_apic_read(struct platform *p, unsigned offset, unsigned size)
{
    (void)size;
    return ioapic_read(&p->ioapic, offset);
}

static void io_apic_write(struct platform *p, unsigned offset, uint64_t value, unsigned size)
{
    ioapic_write(&p->ioapic, offset, (uint32_t)value, size);
    platform_ioapic_service(p);
}

static uint64_t hpet_mmio_read(struct platform *p, unsigned offset, unsigned size)
{
    return hpet_read(&p->hpet, offset, size);
}

static const struct mmio_range ranges[] = {
    {IOAPIC_BASE, IOAPIC_SIZE, io_apic_read, io_apic_write},
    {HPET_BASE, HPET_SIZE, hpet_mmio_read, platform_hpet_write},
};

static const struct mmio_range *find(uint64_t physical)
{
    for (unsigned i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (physical >= ranges[i].base && physical - ranges[i].base < ranges[i].size)
            return &ranges[i];
    return 0;
}

/* SDM "Local APIC Status and Location"; in x2APIC mode and when disabled there is no MMIO interface. */
static bool in_lapic_page(const struct platform *p, uint64_t physical)
{
    return lapic_enabled(platform_lapic_view(p)) && !lapic_x2apic(platform_lapic_view(p)) &&
           (physical & ~(uint64_t)(LAPIC_PAGE_SIZE - 1)) == (platform_lapic_view(p)->base & APIC_BASE_ADDRESS);
}

uint64_t platform_mmio_read(void *platform, uint64_t physical, unsigned size)
{
    struct platform *p = platform;
    uint64_t mask = size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
    platform_changed(p);
    if (in_lapic_page(p, physical)) {
        platform_sync(p);
        return lapic_mmio_read(platform_lapic(p), platform_lapic_clock(p), physical & (LAPIC_PAGE_SIZE - 1), size);
    }
    const struct mmio_range *range = find(physical);
    if (!range)
        return mask;
    platform_sync(p);
    return range->read(p, (unsigned)(physical - range->base), size) & mask;
}

void platform_mmio_write(void *platform, uint64_t physical, uint64_t value, unsigned size)
{
    struct platform *p = platform;
    const struct mmio_range *range = find(physical);
    bool lapic = in_lapic_page(p, physical);
    if (!lapic && !range)
        return;
    platform_changed(p);
    platform_sync(p);
    if (lapic) {
        lapic_mmio_write(platform_lapic(p), platform_lapic_clock(p), physical & (LAPIC_PAGE_SIZE - 1),
                         (uint32_t)value, size);
        platform_note_lapic(p);
    } else {
        range->write(p, (unsigned)(physical - range->base), value, size);
    }
}
