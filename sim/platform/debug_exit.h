/*
 * debug_exit.h: QEMU's isa-debug-exit: a write of VALUE ends the run with exit status (VALUE << 1) | 1.
 * It has no state of its own: the request is recorded in the platform's stop fields.
 */
#ifndef VTSIM_SIM_PLATFORM_DEBUG_EXIT_H
#define VTSIM_SIM_PLATFORM_DEBUG_EXIT_H

#include <stdint.h>

#define DEBUG_EXIT_DEFAULT_PORT 0xf4
#define DEBUG_EXIT_DEFAULT_SIZE 4

struct platform;

uint32_t debug_exit_in(struct platform *p, uint16_t port, unsigned size);
void debug_exit_out(struct platform *p, uint16_t port, uint32_t value, unsigned size);

/* The exit status that the value stands for: always odd. A process gets the low 8 bits of it. */
static inline uint32_t debug_exit_status(uint32_t value)
{
    return value << 1 | 1u;
}

#endif
