/* fw_cfg.c: the items that a guest finds out about its machine with. */
#include "sim/platform/fw_cfg.h"

#include <string.h>

enum {
    KEY_SIGNATURE = 0x00,
    KEY_ID = 0x01,
    KEY_RAM_SIZE = 0x03,
    KEY_PROCESSORS = 0x05,
    KEY_MAX_PROCESSORS = 0x0f,
    KEY_FILE_DIRECTORY = 0x19,
};

#define ID_TRADITIONAL_INTERFACE 1u /* bit 1, the DMA interface, is clear: it is not there */
#define SIGNATURE 0x554d4551u       /* "QEMU" */

void fw_cfg_reset(struct fw_cfg *f, uint64_t ram_size, uint16_t processors)
{
    *f = (struct fw_cfg){.ram_size = ram_size, .processors = processors};
}

void fw_cfg_select(struct fw_cfg *f, uint16_t key)
{
    f->key = key;
    f->offset = 0;
}

/* Every item here is a little-endian number; the file directory is a count of zero. Returns the item's
 * length. */
static unsigned item(const struct fw_cfg *f, uint64_t *value)
{
    const struct {
        uint16_t key;
        uint8_t size;
        uint64_t value;
    } items[] = {
        {KEY_SIGNATURE, 4, SIGNATURE},          {KEY_ID, 4, ID_TRADITIONAL_INTERFACE},
        {KEY_RAM_SIZE, 8, f->ram_size},         {KEY_PROCESSORS, 2, f->processors},
        {KEY_MAX_PROCESSORS, 2, f->processors}, {KEY_FILE_DIRECTORY, 4, 0},
    };
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        if (items[i].key == f->key) {
            *value = items[i].value;
            return items[i].size;
        }
    return 0;
}

uint8_t fw_cfg_next(struct fw_cfg *f)
{
    uint64_t value;
    if (f->offset >= item(f, &value))
        return 0;
    return (uint8_t)(value >> (8 * f->offset++));
}
