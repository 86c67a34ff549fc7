/* x87_parts.h: what the files of x87.h share. */
#ifndef VTSIM_CORE_X87_X87_PARTS_H
#define VTSIM_CORE_X87_X87_PARTS_H

#include "sim/core/x87/x87.h"

struct float80_context x87_context(const struct x87_registers *x);
/* The status word after an operation; false: an unmasked exception took its result away. */
bool x87_settle(struct x87_registers *x, const struct float80_context *c);
/* Stack overflow or underflow; true: masked. */
bool x87_stack_fault(struct x87_registers *x, bool overflow);
bool x87_room(struct x87_registers *x); /* for one more */
void x87_put(struct x87_registers *x, unsigned i, struct float80 value);
void x87_push(struct x87_registers *x, struct float80 value);

/* Field by field: a copy in one piece would have to wait for the two stores that made it. */
static inline struct float80 x87_get(const struct x87_registers *x, unsigned i)
{
    const struct float80 *r = &x->r[(x->top + i) % X87_REGISTERS];
    return (struct float80){r->significand, r->sign_exponent};
}
static inline bool x87_empty(const struct x87_registers *x, unsigned i)
{
    return x->empty[(x->top + i) % X87_REGISTERS];
}

#endif
