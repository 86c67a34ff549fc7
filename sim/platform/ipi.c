/*
 * ipi.c: how interrupt messages find their processors. Source: SDM volume 3A, "Issuing Interprocessor
 * Interrupts", "Determining IPI Destination", "Lowest Priority Delivery Mode".
 */
#include "sim/platform/platform.h"

#define ICR_LOGICAL (1u << 11)
#define ICR_LEVEL_ASSERT (1u << 14)
#define ICR_LEVEL_TRIGGERED (1u << 15)
#define ICR_SHORTHAND_SHIFT 18

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

static bool accept(struct platform *p, unsigned processor, struct lapic_message message)
{
    struct lapic *a = &p->lapics[processor];
    bool taken = lapic_receive(a, message);
    if (a->unsupported)
        platform_request_stop(p, PLATFORM_UNSUPPORTED, 0, a->unsupported);
    if (taken) {
        p->others_signalled |= processor != p->current;
        p->answers[processor].valid = false;
    }
    return taken;
}

/* The arbitration is the processor's own: among equals the lowest APIC ID wins here, so that runs repeat. */
static int lowest_priority(const struct platform *p, uint32_t candidates)
{
    int best = -1;
    for (unsigned i = 0; i < p->config.processors; i++)
        if (candidates >> i & 1 && p->lapics[i].svr & SVR_ENABLED &&
            (best < 0 || lapic_ppr(&p->lapics[i]) < lapic_ppr(&p->lapics[best])))
            best = (int)i;
    return best;
}

static bool deliver_to(struct platform *p, struct lapic_message message, uint32_t candidates)
{
    bool taken = false;
    if (message.mode == DELIVERY_LOWEST_PRIORITY) {
        int best = lowest_priority(p, candidates);
        return best >= 0 && accept(p, (unsigned)best, message);
    }
    for (unsigned i = 0; i < p->config.processors; i++)
        if (candidates >> i & 1)
            taken |= accept(p, i, message);
    return taken;
}

bool platform_deliver(struct platform *p, struct lapic_message message)
{
    uint32_t candidates = 0;
    for (unsigned i = 0; i < p->config.processors; i++)
        candidates |= (uint32_t)lapic_message_is_for(&p->lapics[i], message) << i;
    return deliver_to(p, message, candidates);
}

/* An INIT that de-asserts its level only loads arbitration IDs, which no processor of ours has. INIT and SIPI
 * go to others alone: "Valid Combinations for the Pentium 4 and Intel Xeon Processors' Local xAPIC Interrupt
 * Command Register". */
static bool ignored(uint64_t icr)
{
    unsigned mode = (unsigned)(icr >> 8 & 7), shorthand = (unsigned)(icr >> ICR_SHORTHAND_SHIFT & 3);
    bool to_self = shorthand == SHORTHAND_SELF || shorthand == SHORTHAND_ALL;
    if (mode == DELIVERY_INIT && icr & ICR_LEVEL_TRIGGERED && !(icr & ICR_LEVEL_ASSERT))
        return true;
    return (mode == DELIVERY_INIT || mode == DELIVERY_STARTUP) && to_self;
}

void platform_send_ipi(struct platform *p, uint64_t icr)
{
    const uint32_t all = (uint32_t)((1ull << p->config.processors) - 1), self = 1u << p->current;
    const bool wide = lapic_x2apic(platform_lapic(p));
    /* "Trigger Mode": IPIs other than INIT are edge-triggered. */
    const struct lapic_message message = {.destination = (uint32_t)(icr >> (wide ? 32 : 56)),
                                          .wide = wide,
                                          .logical = icr & ICR_LOGICAL,
                                          .mode = (uint8_t)(icr >> 8 & 7),
                                          .vector = (uint8_t)icr};
    if (ignored(icr))
        return;
    switch (icr >> ICR_SHORTHAND_SHIFT & 3) {
    case SHORTHAND_SELF:
        deliver_to(p, message, self);
        break;
    case SHORTHAND_ALL:
        deliver_to(p, message, all);
        break;
    case SHORTHAND_OTHERS:
        deliver_to(p, message, all & ~self);
        break;
    default:
        platform_deliver(p, message);
        break;
    }
}
