/* ioapic.c: registers and pins of the 82093AA. */
#include "sim/platform/ioapic.h"

#include <string.h>

#define OFFSET_SELECT 0x00u
#define OFFSET_WINDOW 0x10u

enum { REGISTER_ID = 0, REGISTER_VERSION = 1, REGISTER_ARBITRATION = 2, REGISTER_REDIRECTION = 0x10 };

/* "IOAPICVER": version 11H, the highest entry in bits 23:16. */
#define VERSION (0x11u | (IOAPIC_PINS - 1) << 16)

/* "I/O Redirection Table Registers". Delivery status (bit 12) and remote IRR are read-only; a message leaves
 * at once, so delivery status is never seen pending. */
#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_MASKED (1ull << 16)
#define ENTRY_WRITABLE 0xff0000000001afffull

void ioapic_reset(struct ioapic *io)
{
    memset(io, 0, sizeof *io);
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        io->redirection[pin] = ENTRY_MASKED;
}

static bool in_table(unsigned reg)
{
    return reg >= REGISTER_REDIRECTION && reg < REGISTER_REDIRECTION + 2 * IOAPIC_PINS;
}

static uint32_t read_window(const struct ioapic *io)
{
    if (in_table(io->select)) {
        unsigned index = io->select - REGISTER_REDIRECTION;
        return (uint32_t)(io->redirection[index / 2] >> (index % 2 * 32));
    }
    switch (io->select) {
    case REGISTER_ID:
    case REGISTER_ARBITRATION: /* loaded whenever the ID is written */
        return (uint32_t)io->id << 24;
    case REGISTER_VERSION:
        return VERSION;
    default:
        return 0;
    }
}

static void write_window(struct ioapic *io, uint32_t value)
{
    if (io->select == REGISTER_ID)
        io->id = value >> 24 & 0xf;
    if (!in_table(io->select))
        return;
    unsigned index = io->select - REGISTER_REDIRECTION, shift = index % 2 * 32;
    uint64_t *entry = &io->redirection[index / 2];
    uint64_t writable = ENTRY_WRITABLE & 0xffffffffull << shift;
    *entry = (*entry & ~writable) | ((uint64_t)value << shift & writable);
    if (!(*entry & ENTRY_LEVEL))
        *entry &=
            ~ENTRY_REMOTE_IRR; /* "Remote IRR ... its meaning is undefined for edge-triggered": kept clear */
}

uint32_t ioapic_read(const struct ioapic *io, unsigned offset)
{
    if (offset == OFFSET_SELECT)
        return io->select;
    return offset == OFFSET_WINDOW ? read_window(io) : 0;
}

/* The select register holds a byte, whatever the access's width; the window takes 32 bits at once. */
void ioapic_write(struct ioapic *io, unsigned offset, uint32_t value, unsigned size)
{
    if (offset == OFFSET_SELECT)
        io->select = (uint8_t)value;
    else if (offset == OFFSET_WINDOW && size >= 4)
        write_window(io, value);
}

/* "Interrupt Mask": an edge at a masked pin is neither delivered nor held. */
bool ioapic_set_pin(struct ioapic *io, unsigned pin, bool level)
{
    uint32_t bit = 1u << pin;
    bool rises = level && !(io->levels & bit);
    io->levels = level ? io->levels | bit : io->levels & ~bit;
    return rises && !(io->redirection[pin] & (ENTRY_MASKED | ENTRY_LEVEL));
}

uint32_t ioapic_level_requests(const struct ioapic *io)
{
    uint32_t requests = 0;
    for (uint32_t left = io->levels; left; left &= left - 1) {
        unsigned pin = (unsigned)__builtin_ctz(left);
        if ((io->redirection[pin] & (ENTRY_MASKED | ENTRY_LEVEL | ENTRY_REMOTE_IRR)) == ENTRY_LEVEL)
            requests |= 1u << pin;
    }
    return requests;
}

struct lapic_message ioapic_message(const struct ioapic *io, unsigned pin)
{
    uint64_t entry = io->redirection[pin];
    return (struct lapic_message){.destination = (uint8_t)(entry >> 56),
                                  .logical = entry & ENTRY_LOGICAL,
                                  .mode = entry >> 8 & 7,
                                  .vector = (uint8_t)entry,
                                  .level = entry & ENTRY_LEVEL};
}

void ioapic_accepted(struct ioapic *io, unsigned pin)
{
    if (io->redirection[pin] & ENTRY_LEVEL)
        io->redirection[pin] |= ENTRY_REMOTE_IRR;
}

void ioapic_end_of_interrupt(struct ioapic *io, uint8_t vector)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        if ((uint8_t)io->redirection[pin] == vector && (io->redirection[pin] & ENTRY_LEVEL))
            io->redirection[pin] &= ~ENTRY_REMOTE_IRR;
}

bool ioapic_masked(const struct ioapic *io, unsigned pin)
{
    return (io->redirection[pin] & ENTRY_MASKED) != 0;
}
