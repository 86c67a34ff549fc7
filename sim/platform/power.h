/*
 * power.h: the ports through which a guest resets its machine or turns it off.
 *
 * Reset: the keyboard controller (keyboard.h), port 92H bit 0, port CF9H bit 2 (chipset data sheets, "Reset
 * Control Register"). Power off: ACPI PM1a control register at 604H, where QEMU's machines have it (ACPI
 * specification, "PM1 Control Registers"): SLP_EN with SLP_TYP 0, which stands for S5 there.
 */
#ifndef VTSIM_SIM_PLATFORM_POWER_H
#define VTSIM_SIM_PLATFORM_POWER_H

#include <stdint.h>

#define PM1_CONTROL_PORT 0x604
#define RESET_CONTROL_PORT 0xcf9
#define RESET_CONTROL_RESET 0x06 /* the value that resets the system */

struct platform;

struct power {
    uint8_t reset_control; /* CF9H */
    uint16_t pm1_control;  /* 604H */
};

uint32_t system_control_a_in(struct platform *p, uint16_t port, unsigned size);
void system_control_a_out(struct platform *p, uint16_t port, uint32_t value, unsigned size);
uint32_t reset_control_in(struct platform *p, uint16_t port, unsigned size);
void reset_control_out(struct platform *p, uint16_t port, uint32_t value, unsigned size);
uint32_t pm1_control_in(struct platform *p, uint16_t port, unsigned size);
void pm1_control_out(struct platform *p, uint16_t port, uint32_t value, unsigned size);

#endif
