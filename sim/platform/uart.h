/*
 * uart.h: COM1, a 16550A (National Semiconductor PC16550D data sheet). Output only: nothing is connected to
 * its input, and a byte leaves the moment it is written. Loopback mode works, for software that looks for a
 * UART with it.
 */
#ifndef VTSIM_SIM_PLATFORM_UART_H
#define VTSIM_SIM_PLATFORM_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_COM1_PORT 0x3f8
#define UART_PORT_COUNT 8
#define UART_COM1_IRQ 4
#define UART_FIFO_SIZE 16

struct uart {
    uint8_t ier, lcr, mcr, scr;
    uint8_t dll, dlm;
    bool fifo_enabled;
    bool thre_interrupt; /* the transmitter became empty and nobody was told yet */
    bool overrun;
    uint8_t received[UART_FIFO_SIZE]; /* from loopback only */
    uint8_t received_count;
};

void uart_reset(struct uart *u);
/* reg is the offset from the base port, 0 to 7. */
uint8_t uart_read(struct uart *u, unsigned reg);
/* True: *sent leaves on the line. */
bool uart_write(struct uart *u, unsigned reg, uint8_t value, uint8_t *sent);
/* The level of the interrupt line, which OUT2 gates on a PC. */
bool uart_irq(const struct uart *u);

#endif
