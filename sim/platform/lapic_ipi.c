/* lapic_ipi.c: what a local APIC sends and which messages it takes: SDM "Issuing Interprocessor Interrupts".
 */
#include "sim/platform/lapic.h"

#define DFR_FLAT 0xfu

/* "Logical Destination Mode and Logical x2APIC ID": the low half of the ID is a bit, the rest a cluster. */
static uint32_t x2apic_ldr(const struct lapic *a)
{
    return a->id >> 4 << 16 | 1u << (a->id & 15);
}

static bool logical_match_x2apic(const struct lapic *a, uint32_t destination)
{
    uint32_t ldr = x2apic_ldr(a);
    bool cluster = destination >> 16 == ldr >> 16;
    return cluster && (destination & ldr & 0xffff);
}

/* "Logical Destination Mode": flat and cluster model, by the DFR. */
static bool logical_match_xapic(const struct lapic *a, uint8_t destination)
{
    uint8_t logical = (uint8_t)(a->ldr >> 24);
    if (a->dfr >> 28 == DFR_FLAT)
        return destination & logical;
    return destination >> 4 == logical >> 4 && (destination & logical & 0xf);
}

/* "Error Handling", send illegal vector: found by the sender, whoever is meant. */
static bool vector_illegal(uint64_t icr)
{
    unsigned mode = (unsigned)(icr >> 8 & 7);
    return (mode == DELIVERY_FIXED || mode == DELIVERY_LOWEST_PRIORITY) && (icr & LVT_VECTOR) < 16;
}

void lapic_send(struct lapic *a, uint64_t icr)
{
    if (vector_illegal(icr))
        lapic_error(a, ESR_SEND_ILLEGAL_VECTOR);
    else
        a->icr_written = true;
}

/* The I/O APIC's messages carry eight destination bits. "Determining IPI Destination": for an APIC in x2APIC
 * mode they are the low bits of the ID; FFH is the broadcast in both modes. */
bool lapic_message_is_for(const struct lapic *a, struct lapic_message message)
{
    if (!lapic_enabled(a))
        return false;
    if (message.destination == (message.wide ? 0xffffffffu : 0xffu))
        return true;
    if (!message.logical)
        return message.destination == (lapic_x2apic(a) ? a->id : a->xapic_id);
    return lapic_x2apic(a) ? logical_match_x2apic(a, message.destination)
                           : logical_match_xapic(a, (uint8_t)message.destination);
}

/* "Interrupt Acceptance for Fixed Interrupts"; an APIC disabled by software takes no fixed interrupt but
 * takes NMIs, INIT and SIPI ("Local APIC State After It Has Been Software Disabled"). */
static bool receive_fixed(struct lapic *a, struct lapic_message message)
{
    if (!(a->svr & SVR_ENABLED))
        return false;
    if (message.vector < 16) {
        lapic_error(a, ESR_RECEIVED_ILLEGAL_VECTOR);
        return false;
    }
    lapic_accept(a, message.vector, message.level);
    return true;
}

bool lapic_receive(struct lapic *a, struct lapic_message message)
{
    switch (message.mode) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST_PRIORITY: /* the sender chose this one */
        return receive_fixed(a, message);
    case DELIVERY_NMI:
        a->nmi_pending = true;
        return true;
    case DELIVERY_SMI:
        a->unsupported = "local APIC: an SMI was sent to a processor; system-management mode is not modelled";
        return true;
    case DELIVERY_INIT:
        a->init_pending = true;
        a->sipi_pending = false; /* sent before it */
        return true;
    case DELIVERY_STARTUP:
        a->sipi_pending = true;
        a->sipi_vector = message.vector;
        return true;
    default: /* reserved */
        return false;
    }
}

uint8_t lapic_signals(const struct lapic *a)
{
    return (uint8_t)((a->init_pending ? LAPIC_SIGNAL_INIT : 0) | (a->sipi_pending ? LAPIC_SIGNAL_SIPI : 0));
}

uint8_t lapic_take_signal(struct lapic *a, uint8_t signal)
{
    if (signal == LAPIC_SIGNAL_SIPI) {
        a->sipi_pending = false;
        return a->sipi_vector;
    }
    a->init_pending = false;
    return 0;
}
