/* lapic_ipi.c: SDM "Issuing Interprocessor Interrupts" on a machine with one processor. */
#include "sim/platform/lapic.h"

#define ICR_LOGICAL (1u << 11)
#define ICR_LEVEL_ASSERT (1u << 14)
#define ICR_SHORTHAND_SHIFT 18
#define DFR_FLAT 0xfu

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

/* "Logical Destination Mode and Logical x2APIC ID": the low half of the ID is a bit, the rest a cluster. */
static uint32_t x2apic_ldr(const struct lapic *a)
{
    return a->id >> 4 << 16 | 1u << (a->id & 15);
}

static bool logical_match_x2apic(const struct lapic *a, uint32_t destination)
{
    uint32_t ldr = x2apic_ldr(a);
    bool cluster = destination >> 16 == ldr >> 16;
    return destination == 0xffffffffu || (cluster && (destination & ldr & 0xffff));
}

/* "Logical Destination Mode": flat and cluster model, by the DFR. */
static bool logical_match_xapic(const struct lapic *a, uint8_t destination)
{
    uint8_t logical = (uint8_t)(a->ldr >> 24);
    if (destination == 0xff)
        return true;
    if (a->dfr >> 28 == DFR_FLAT)
        return destination & logical;
    return destination >> 4 == logical >> 4 && (destination & logical & 0xf);
}

static bool destination_match(const struct lapic *a, uint64_t icr)
{
    bool logical = icr & ICR_LOGICAL;
    if (lapic_x2apic(a)) {
        uint32_t destination = (uint32_t)(icr >> 32);
        return logical ? logical_match_x2apic(a, destination)
                       : destination == a->id || destination == 0xffffffffu;
    }
    uint8_t destination = (uint8_t)(icr >> 56);
    return logical ? logical_match_xapic(a, destination) : destination == a->id || destination == 0xff;
}

static bool reaches_self(const struct lapic *a, uint64_t icr)
{
    switch (icr >> ICR_SHORTHAND_SHIFT & 3) {
    case SHORTHAND_SELF:
    case SHORTHAND_ALL:
        return true;
    case SHORTHAND_OTHERS:
        return false;
    default:
        return destination_match(a, icr);
    }
}

/* "Error Handling", send illegal vector: found by the sender, whoever is meant. */
static bool vector_illegal(uint64_t icr)
{
    unsigned mode = (unsigned)(icr >> 8 & 7);
    return (mode == DELIVERY_FIXED || mode == DELIVERY_LOWEST_PRIORITY) && (icr & LVT_VECTOR) < 16;
}

void lapic_send(struct lapic *a, uint64_t icr)
{
    if (vector_illegal(icr)) {
        lapic_error(a, ESR_SEND_ILLEGAL_VECTOR);
        return;
    }
    if (!reaches_self(a, icr))
        return; /* nobody else is there */
    switch (icr >> 8 & 7) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST_PRIORITY:            /* the only candidate is this processor */
        lapic_accept(a, (uint8_t)icr, false); /* "Trigger Mode": IPIs other than INIT are edge-triggered */
        break;
    case DELIVERY_NMI:
        a->nmi_pending = true;
        break;
    case DELIVERY_SMI:
        a->unsupported =
            "local APIC: an SMI sent to the only processor; system-management mode is not modelled";
        break;
    case DELIVERY_INIT:
        /* A level de-assert is ignored by this APIC; an INIT by shorthand to self is no valid combination. */
        if ((icr & ICR_LEVEL_ASSERT) && (icr >> ICR_SHORTHAND_SHIFT & 3) == SHORTHAND_NONE)
            a->unsupported = "local APIC: an INIT sent to the only processor is not modelled";
        break;
    default: /* a start-up IPI finds no processor that waits for it; the others are reserved */
        break;
    }
}

/* Messages carry eight destination bits. "Determining IPI Destination": in x2APIC mode they are the low bits
 * of the ID; FFH is the broadcast in both modes. */
bool lapic_message_is_for(const struct lapic *a, struct lapic_message message)
{
    if (!lapic_enabled(a))
        return false;
    if (message.destination == 0xff)
        return true;
    if (!message.logical)
        return message.destination == a->id;
    return lapic_x2apic(a) ? logical_match_x2apic(a, message.destination)
                           : logical_match_xapic(a, message.destination);
}

/* "Interrupt Acceptance for Fixed Interrupts"; an APIC disabled by software takes no fixed interrupt but
 * takes NMIs
 * ("Local APIC State After It Has Been Software Disabled"). */
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
    if (!lapic_message_is_for(a, message))
        return false;
    switch (message.mode) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST_PRIORITY: /* the only candidate is this processor */
        return receive_fixed(a, message);
    case DELIVERY_NMI:
        a->nmi_pending = true;
        return true;
    case DELIVERY_SMI:
        a->unsupported = "I/O APIC: an SMI for the only processor; system-management mode is not modelled";
        return true;
    case DELIVERY_INIT:
        a->unsupported = "I/O APIC: an INIT for the only processor is not modelled";
        return true;
    default: /* reserved */
        return false;
    }
}
