/*
 * fw_cfg.h: QEMU's firmware configuration device at ports 510H (selector) and 511H (data), without DMA.
 * Source: QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device".
 */
#ifndef VTSIM_SIM_PLATFORM_FW_CFG_H
#define VTSIM_SIM_PLATFORM_FW_CFG_H

#include <stdint.h>

#define FW_CFG_PORT 0x510
#define FW_CFG_PORT_COUNT 2

struct fw_cfg {
    uint64_t ram_size;
    uint16_t processors;
    uint16_t key;
    uint32_t offset; /* of the next byte of the selected item */
};

void fw_cfg_reset(struct fw_cfg *f, uint64_t ram_size, uint16_t processors);
void fw_cfg_select(struct fw_cfg *f, uint16_t key);
/* The next byte; zero past the item's end and for an item that does not exist. */
uint8_t fw_cfg_next(struct fw_cfg *f);

#endif
