/* breakpoints.h: which breakpoints of DR0 to DR3 an access hits. */
#ifndef VTSIM_BREAKPOINTS_H
#define VTSIM_BREAKPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "vtsim/cpu_state.h"

enum { BREAKPOINT_COUNT = 4, BREAKPOINT_ENABLES = 0xff };
/* The R/W field of DR7, as bits of a set. */
enum breakpoint_kinds {
    BREAKPOINT_ON_WRITE = 1 << 1,
    BREAKPOINT_ON_IO = 1 << 2,
    BREAKPOINT_ON_ACCESS = 1 << 3
};

/* SDM volume 3B, "Debug Control Register (DR7)" and "Breakpoint Field Recognition": an enabled one of these
 * kinds, whose bytes (aligned to its length) have one of the size bytes from first on among them. Gives DR6
 * bits 3:0. */
static inline uint64_t breakpoints_hit(const struct cpu_state *s, uint64_t first, uint64_t size,
                                       unsigned kinds)
{
    static const uint8_t lengths[4] = {1, 2, 8, 4};
    uint64_t hits = 0;
    for (unsigned n = 0; n < BREAKPOINT_COUNT; n++) {
        const uint64_t length = lengths[s->dr7 >> (18 + 4 * n) & 3], begin = s->dr[n] & ~(length - 1);
        const unsigned kind = 1u << (s->dr7 >> (16 + 4 * n) & 3);
        if ((s->dr7 >> (2 * n) & 3) && (kind & kinds) && first < begin + length && begin < first + size)
            hits |= 1ull << n;
    }
    return hits;
}

/* In the pending debug exceptions: a breakpoint among bits 3:0 that was enabled. SDM volume 3C, "Guest
 * Non-Register State". */
#define PENDING_ENABLED_BREAKPOINT (1ull << 12)

/* The same, of an access that the model made: what it hits waits in the pending debug exceptions and comes as
 * a trap before the next instruction, if the present one completes. */
static inline void breakpoints_note(struct cpu_state *s, uint64_t first, uint64_t size, unsigned kinds)
{
    if (!(s->dr7 & BREAKPOINT_ENABLES))
        return;
    const uint64_t hits = breakpoints_hit(s, first, size, kinds);
    if (hits)
        s->pending_debug_exceptions |= hits | PENDING_ENABLED_BREAKPOINT;
}

#endif
