/*
 * ioapic.h: the I/O APIC of a PC (Intel 82093AA data sheet; names are its own). 24 pins; pin 0 is the 8259's
 * output, pin 2 is ISA line 0, other pins below 16 are the ISA line of that number, those above take HPET
 * timers.
 */
#ifndef VTSIM_SIM_PLATFORM_IOAPIC_H
#define VTSIM_SIM_PLATFORM_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/platform/lapic.h"

#define IOAPIC_BASE 0xfec00000u
#define IOAPIC_SIZE 0x20u
#define IOAPIC_PINS 24u
#define IOAPIC_PIN_8259 0u
#define IOAPIC_PIN_ISA_0 2u

struct ioapic {
    uint8_t id;     /* 4 bits */
    uint8_t select; /* I/O register select */
    uint64_t redirection[IOAPIC_PINS];
    uint32_t levels; /* of the pins */
};

/* Power-on: ID 0, every pin masked. */
void ioapic_reset(struct ioapic *io);
/* MMIO at an offset below IOAPIC_SIZE. After a write the caller asks for ioapic_level_requests. */
uint32_t ioapic_read(const struct ioapic *io, unsigned offset);
void ioapic_write(struct ioapic *io, unsigned offset, uint32_t value, unsigned size);
/* Sets a pin. True: an edge that is to be sent now. */
bool ioapic_set_pin(struct ioapic *io, unsigned pin, bool level);
/* Level-triggered pins, one bit each, that are high, not masked and not being served (remote IRR clear). */
uint32_t ioapic_level_requests(const struct ioapic *io);
/* What a pin sends. */
struct lapic_message ioapic_message(const struct ioapic *io, unsigned pin);
/* A local APIC took the message: sets remote IRR of a level-triggered pin. */
void ioapic_accepted(struct ioapic *io, unsigned pin);
/* A local APIC's EOI message: clears remote IRR of every level-triggered pin with that vector. */
void ioapic_end_of_interrupt(struct ioapic *io, uint8_t vector);
bool ioapic_masked(const struct ioapic *io, unsigned pin);

#endif
