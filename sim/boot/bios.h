/*
 * bios.h: what the BIOS of a PC leaves in memory for software that runs in real mode. There is no BIOS that
 * runs before the image; this is the state behind one: vectors, its data area, handlers that acknowledge
 * interrupts.
 */
#ifndef VTSIM_SIM_BOOT_BIOS_H
#define VTSIM_SIM_BOOT_BIOS_H

#include "vtsim/phys_mem.h"

#define BIOS_SEGMENT 0xf000u
#define BIOS_CODE 0xe000u /* offset in the segment; the ACPI tables are below */
#define BIOS_DATA_AREA 0x400u
#define BIOS_DATA_COM1 0x00u /* offsets in the data area: port of COM1 */
#define BIOS_DATA_EQUIPMENT 0x10u
#define BIOS_DATA_MEMORY 0x13u   /* KiB from address 0 on */
#define BIOS_DATA_TICKS 0x6cu    /* timer interrupts since midnight */
#define BIOS_DATA_MIDNIGHT 0x70u /* set when the ticks of a day are over */

/* Writes interrupt vectors 0 to FFH, the handlers that they point to and the data area. Vector 8 counts ticks
 * and calls vector 1CH; vectors 9 to FH and 70H to 77H acknowledge what is in service at the 8259s; services
 * (10H to 1AH) answer that they are not there (carry set, AH 86H), and all others return. To be called before
 * the image is loaded, which may lie over the vectors. RAM must reach up to 1 MiB. */
void bios_write(const struct phys_mem *mem);

#endif
