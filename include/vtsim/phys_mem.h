/*
 * phys_mem.h: guest-visible physical memory, as the model sees it.
 *
 * RAM lies at [0, low_size) and, when the guest has more than fits below the hole, at [4 GiB, 4 GiB +
 * high_size). Both parts are one host allocation. Anything else goes to the mmio callbacks; where no device
 * answers, reads give all ones and writes are dropped, as on a PC bus.
 */
#ifndef VTSIM_PHYS_MEM_H
#define VTSIM_PHYS_MEM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PHYS_HIGH_BASE (1ull << 32)

struct phys_mem {
    uint8_t *ram;
    uint64_t low_size;
    uint64_t high_size;
    /* size is 1, 2, 4 or 8. Never null. */
    uint64_t (*mmio_read)(void *opaque, uint64_t physical, unsigned size);
    void (*mmio_write)(void *opaque, uint64_t physical, uint64_t value, unsigned size);
    void *mmio_opaque;
    /* One bit for each RAM page (by offset in ram) that holds translated code; null when no core is attached. */
    uint8_t *code_pages;
    /* The model wrote to a page that holds translated code. */
    void (*code_written)(void *opaque, uint64_t physical, unsigned length);
    void *code_opaque;
};

/* Host address of [physical, physical + length), or null unless all of it is RAM. */
static inline uint8_t *phys_ram(const struct phys_mem *m, uint64_t physical, uint64_t length)
{
    if (physical < m->low_size && length <= m->low_size - physical)
        return m->ram + physical;
    uint64_t high = physical - PHYS_HIGH_BASE;
    if (physical >= PHYS_HIGH_BASE && high < m->high_size && length <= m->high_size - high)
        return m->ram + m->low_size + high;
    return NULL;
}

/* To be called after a direct write through phys_ram. The range must lie in RAM. */
static inline void phys_note_write(const struct phys_mem *m, uint64_t physical, unsigned length)
{
    if (!m->code_pages || !length)
        return;
    uint64_t first = (uint64_t)(phys_ram(m, physical, 1) - m->ram) >> 12;
    uint64_t last = (uint64_t)(phys_ram(m, physical + length - 1, 1) - m->ram) >> 12;
    for (uint64_t page = first; page <= last; page++)
        if (m->code_pages[page >> 3] & (1u << (page & 7))) {
            m->code_written(m->code_opaque, physical, length);
            return;
        }
}

/* size is 1, 2, 4 or 8; little-endian. */
static inline uint64_t phys_read(const struct phys_mem *m, uint64_t physical, unsigned size)
{
    const uint8_t *p = phys_ram(m, physical, size);
    uint64_t value = 0;
    if (!p)
        return m->mmio_read(m->mmio_opaque, physical, size);
    memcpy(&value, p, size);
    return value;
}

static inline void phys_write(const struct phys_mem *m, uint64_t physical, uint64_t value, unsigned size)
{
    uint8_t *p = phys_ram(m, physical, size);
    if (!p) {
        m->mmio_write(m->mmio_opaque, physical, value, size);
        return;
    }
    memcpy(p, &value, size);
    phys_note_write(m, physical, size);
}

static inline uint64_t phys_read64(const struct phys_mem *m, uint64_t physical) { return phys_read(m, physical, 8); }
static inline void phys_write64(const struct phys_mem *m, uint64_t physical, uint64_t v) { phys_write(m, physical, v, 8); }

#endif
