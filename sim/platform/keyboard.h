/*
 * keyboard.h: ports 60H and 64H: a keyboard controller without a keyboard, as far as systems use it for reset
 * and for address line 20 (data sheet of the 8042: "Commands", output port: bit 0 is the reset line, active
 * low, bit 1 line 20).
 */
#ifndef VTSIM_SIM_PLATFORM_KEYBOARD_H
#define VTSIM_SIM_PLATFORM_KEYBOARD_H

#include <stdbool.h>
#include <stdint.h>

struct platform;

struct keyboard {
    bool expects_output_port; /* command D1H came: the next byte at 60H is the output port's */
    bool has_output_port;     /* command D0H came: the next read of 60H gives the output port */
};

uint32_t keyboard_data_in(struct platform *p, uint16_t port, unsigned size);
void keyboard_data_out(struct platform *p, uint16_t port, uint32_t value, unsigned size);
uint32_t keyboard_status_in(struct platform *p, uint16_t port, unsigned size);
void keyboard_command_out(struct platform *p, uint16_t port, uint32_t value, unsigned size);

#endif
