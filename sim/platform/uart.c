/* uart.c: COM1. Register names are the PC16550D data sheet's ("Summary of Registers"). */
#include "sim/platform/uart.h"

#include <string.h>

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RECEIVED 0x01
#define IER_THRE 0x02
#define IER_LINE_STATUS 0x04
#define IIR_NONE 0x01
#define IIR_THRE 0x02
#define IIR_RECEIVED 0x04
#define IIR_LINE_STATUS 0x06
#define IIR_FIFOS 0xc0
#define FCR_ENABLE 0x01
#define FCR_CLEAR_RECEIVER 0x02
#define LCR_DLAB 0x80
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define LSR_DATA_READY 0x01
#define LSR_OVERRUN 0x02
#define LSR_THRE_TEMT 0x60
#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_DCD 0x80

void uart_reset(struct uart *u)
{
    memset(u, 0, sizeof *u);
    u->lcr = 0x03; /* 8 data bits, 115200 baud: as firmware leaves a console */
    u->dll = 1;
}

/* Highest-priority interrupt: data sheet, "Interrupt Identification Register". */
static uint8_t interrupt_id(const struct uart *u)
{
    if (u->overrun && (u->ier & IER_LINE_STATUS))
        return IIR_LINE_STATUS;
    if (u->received_count && (u->ier & IER_RECEIVED))
        return IIR_RECEIVED;
    if (u->thre_interrupt && (u->ier & IER_THRE))
        return IIR_THRE;
    return IIR_NONE;
}

bool uart_irq(const struct uart *u)
{
    /* OUT2 drives the buffer between the UART and the interrupt line of a PC; in loopback the pin is
     * inactive. */
    return (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP) && interrupt_id(u) != IIR_NONE;
}

static uint8_t receive(struct uart *u)
{
    uint8_t byte = u->received[0];
    if (u->received_count) {
        u->received_count--;
        memmove(u->received, u->received + 1, u->received_count);
    }
    return byte;
}

static uint8_t read_iir(struct uart *u)
{
    uint8_t id = interrupt_id(u);
    if (id == IIR_THRE)
        u->thre_interrupt = false; /* reading the IIR clears it if it is the source */
    return (uint8_t)(id | (u->fifo_enabled ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct uart *u)
{
    uint8_t lsr =
        (uint8_t)(LSR_THRE_TEMT | (u->received_count ? LSR_DATA_READY : 0) | (u->overrun ? LSR_OVERRUN : 0));
    u->overrun = false;
    return lsr;
}

/* "Modem Control Register", bit 4: in loopback the modem inputs are the modem outputs. */
static uint8_t read_msr(const struct uart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return MSR_DCD | MSR_DSR | MSR_CTS;
    unsigned dtr = u->mcr & 1u, rts = u->mcr >> 1 & 1u, out = u->mcr >> 2 & 3u;
    return (uint8_t)(rts << 4 | dtr << 5 | out << 6);
}

uint8_t uart_read(struct uart *u, unsigned reg)
{
    bool divisor = u->lcr & LCR_DLAB;
    switch (reg) {
    case REG_DATA:
        return divisor ? u->dll : receive(u);
    case REG_IER:
        return divisor ? u->dlm : u->ier;
    case REG_IIR_FCR:
        return read_iir(u);
    case REG_LCR:
        return u->lcr;
    case REG_MCR:
        return u->mcr;
    case REG_LSR:
        return read_lsr(u);
    case REG_MSR:
        return read_msr(u);
    default:
        return u->scr;
    }
}

static void loop_back(struct uart *u, uint8_t byte)
{
    unsigned capacity = u->fifo_enabled ? UART_FIFO_SIZE : 1;
    if (u->received_count < capacity) {
        u->received[u->received_count++] = byte;
        return;
    }
    u->overrun = true;
    if (!u->fifo_enabled)
        u->received[0] = byte; /* without FIFOs the new character replaces the old one */
}

/* True: the byte leaves on the line. */
static bool transmit(struct uart *u, uint8_t byte, uint8_t *sent)
{
    u->thre_interrupt = true; /* sent at once, so the holding register is empty again */
    if (u->mcr & MCR_LOOP) {
        loop_back(u, byte);
        return false;
    }
    *sent = byte;
    return true;
}

static void write_ier(struct uart *u, uint8_t value)
{
    if ((value & IER_THRE) && !(u->ier & IER_THRE))
        u->thre_interrupt = true; /* the transmitter is empty when the interrupt is enabled */
    u->ier = value & 0x0f;
}

static void write_fcr(struct uart *u, uint8_t value)
{
    bool enable = value & FCR_ENABLE;
    if (enable != u->fifo_enabled || (value & FCR_CLEAR_RECEIVER))
        u->received_count = 0; /* changing bit 0 clears the FIFOs */
    u->fifo_enabled = enable;
}

bool uart_write(struct uart *u, unsigned reg, uint8_t value, uint8_t *sent)
{
    bool divisor = u->lcr & LCR_DLAB;
    switch (reg) {
    case REG_DATA:
        if (!divisor)
            return transmit(u, value, sent);
        u->dll = value;
        break;
    case REG_IER:
        if (divisor)
            u->dlm = value;
        else
            write_ier(u, value);
        break;
    case REG_IIR_FCR:
        write_fcr(u, value);
        break;
    case REG_LCR:
        u->lcr = value;
        break;
    case REG_MCR:
        u->mcr = value & 0x1f;
        break;
    case REG_SCR:
        u->scr = value;
        break;
    default: /* LSR and MSR: writes are for factory tests */
        break;
    }
    return false;
}
