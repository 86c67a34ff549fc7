/* memory.c: guest RAM. */
#include <sys/mman.h>

#include "sim/boot/boot.h"
#include "sim/boot/multiboot.h"

static uint64_t open_bus_read(void *opaque, uint64_t physical, unsigned size)
{
    (void)opaque, (void)physical;
    return size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static void open_bus_write(void *opaque, uint64_t physical, uint64_t value, unsigned size)
{
    (void)opaque, (void)physical, (void)value, (void)size;
}

/* No access at either end: should a fault of ours let a guest reach beyond its RAM, the run ends there and nothing
 * of the simulator is read or written. */
#define GUARD (1ull << 20)

/* Not reserved: a guest of many gigabytes costs what it touches. Null: no address space. */
static uint8_t *map_guarded(uint64_t size)
{
    const size_t whole = GUARD + size + GUARD;
    uint8_t *at = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (!mprotect(at + GUARD, size, PROT_READ | PROT_WRITE))
        return at + GUARD;
    munmap(at, whole);
    return NULL;
}

bool boot_memory_init(struct phys_mem *mem, uint64_t size, const char **text)
{
    *mem = (struct phys_mem){.mmio_read = open_bus_read, .mmio_write = open_bus_write};
    if (size < BOOT_MEMORY_MIN || size > BOOT_MEMORY_MAX || size % 4096) {
        *text = "the memory size must be a multiple of 4 KiB from 1 MiB to 256 GiB; change --mem";
        return false;
    }
    mem->ram = map_guarded(size);
    if (!mem->ram) {
        *text = "the host has no address space for the guest's memory; give less with --mem";
        return false;
    }
    mem->low_size = size < BOOT_LOW_MAX ? size : BOOT_LOW_MAX;
    mem->high_size = size - mem->low_size;
    return true;
}

void boot_memory_free(struct phys_mem *mem)
{
    if (mem->ram)
        munmap(mem->ram - GUARD, GUARD + mem->low_size + mem->high_size + GUARD);
    mem->ram = NULL;
    mem->low_size = mem->high_size = 0;
}

void boot_write(const struct phys_mem *mem, uint64_t address, const void *from, size_t size)
{
    if (!size)
        return;
    memcpy(phys_ram(mem, address, size), from, size);
    phys_note_write(mem, address, (unsigned)size);
}

void boot_zero(const struct phys_mem *mem, uint64_t address, uint64_t size)
{
    if (!size)
        return;
    memset(phys_ram(mem, address, size), 0, size);
    phys_note_write(mem, address, (unsigned)size);
}
