/*
 * vmcs_region.c: a VMCS in memory: SDM "Format of the VMCS Region".
 *
 * The data are struct vmcs as it is, behind the two words that the SDM defines.
 */
#include <string.h>

#include "vmx_model/vmcs.h"

_Static_assert(VMCS_REGION_DATA + sizeof(struct vmcs) <= 4096, "a VMCS region has at most 4 KBytes");
_Static_assert(sizeof(struct vmcs) % 8 == 0, "regions outside of RAM are accessed in words of 8 bytes");
_Static_assert(sizeof(bool) == 1, "the launch state is one byte of the region");

#define LAUNCH_STATE (VMCS_REGION_DATA + offsetof(struct vmcs, launched))

uint32_t vmcs_region_identifier(const struct phys_mem *mem, uint64_t physical)
{
    return (uint32_t)phys_read(mem, physical, 4);
}

void vmcs_region_load(const struct phys_mem *mem, uint64_t physical, struct vmcs *vmcs)
{
    const uint8_t *ram = phys_ram(mem, physical + VMCS_REGION_DATA, sizeof(*vmcs));
    uint8_t data[sizeof(*vmcs)];

    if (ram) {
        memcpy(data, ram, sizeof(data));
    } else {
        for (size_t i = 0; i < sizeof(data); i += 8) {
            uint64_t word = phys_read64(mem, physical + VMCS_REGION_DATA + i);
            memcpy(data + i, &word, 8);
        }
    }
    /* Software may have left any byte there; a bool must be 0 or 1. */
    data[offsetof(struct vmcs, launched)] = data[offsetof(struct vmcs, launched)] != 0;
    memcpy(vmcs, data, sizeof(data));
}

void vmcs_region_store(const struct phys_mem *mem, uint64_t physical, const struct vmcs *vmcs)
{
    uint8_t *ram = phys_ram(mem, physical + VMCS_REGION_DATA, sizeof(*vmcs));

    if (ram) {
        memcpy(ram, vmcs, sizeof(*vmcs));
        phys_note_write(mem, physical + VMCS_REGION_DATA, sizeof(*vmcs));
        return;
    }
    for (size_t i = 0; i < sizeof(*vmcs); i += 8) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)vmcs + i, 8);
        phys_write64(mem, physical + VMCS_REGION_DATA + i, word);
    }
}

uint64_t vmcs_region_read(const struct phys_mem *mem, uint64_t physical, const struct vmcs_field_info *field,
                          uint32_t encoding)
{
    uint64_t value = phys_read(mem, physical + VMCS_REGION_DATA + field->offset, field->size);

    return encoding & 1 ? value >> 32 : value;
}

void vmcs_region_write(const struct phys_mem *mem, uint64_t physical, const struct vmcs_field_info *field,
                       uint32_t encoding, uint64_t value)
{
    uint64_t address = physical + VMCS_REGION_DATA + field->offset;

    if (encoding & 1)
        value = value << 32 | (uint32_t)phys_read(mem, address, field->size);
    phys_write(mem, address, value, field->size);
}

void vmcs_region_clear_launch_state(const struct phys_mem *mem, uint64_t physical)
{
    phys_write(mem, physical + LAUNCH_STATE, 0, 1);
}

void vmcs_region_set_abort(const struct phys_mem *mem, uint64_t physical, uint32_t indicator)
{
    phys_write(mem, physical + VMCS_REGION_ABORT_INDICATOR, indicator, 4);
}
