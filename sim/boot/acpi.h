/*
 * acpi.h: the ACPI tables that a PC's firmware leaves for its guest. Source: ACPI Specification 6.4, "ACPI
 * Software Programming Model", and IA-PC HPET Specification, "HPET Description Table".
 */
#ifndef VTSIM_SIM_BOOT_ACPI_H
#define VTSIM_SIM_BOOT_ACPI_H

#include "vtsim/phys_mem.h"

/* The firmware's area: the memory map reports it as reserved, and no image may be loaded there. */
#define ACPI_AREA 0xf0000u
#define ACPI_AREA_SIZE 0x10000u

/* Where the platform has its devices. */
struct acpi_hardware {
    uint32_t local_apic, io_apic, hpet; /* physical addresses */
    uint32_t hpet_id;                   /* low half of the HPET's capabilities */
    uint8_t io_apic_pin_of_isa_0;
    uint8_t sci_irq; /* an ISA line, level-triggered, active high */
    uint16_t pm1_event, pm1_control, pm_timer, reset_port;
    uint8_t reset_value;
    uint8_t rtc_century; /* index in the CMOS memory */
};

/* Writes RSDP, RSDT, XSDT, FADT, FACS, DSDT (\_S5 alone), MADT and HPET table into the area, for one
 * or more processors (up to 16) with APIC IDs from 0 on. RAM must reach up to 1 MiB. */
void acpi_write(const struct phys_mem *mem, const struct acpi_hardware *hardware, unsigned processors);

#endif
