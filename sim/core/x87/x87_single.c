/* x87_single.c: see x87.h. Instructions whose operands are ST(0), or ST(0) and ST(1). */
#include "sim/core/x87/x87_parts.h"

enum { CONDITION_CODES = X87_C0 | X87_C1 | X87_C2 | X87_C3 };

bool x87_change_sign(struct x87_registers *x, bool absolute)
{
    enum { SIGN = 0x8000 };
    x->status &= (uint16_t)~X87_C1;
    if (x87_empty(x, 0)) {
        const bool masked = x87_stack_fault(x, false);
        if (masked)
            x87_put(x, 0, float80_indefinite);
        return masked;
    }
    struct float80 a = x87_get(x, 0);
    a.sign_exponent = (uint16_t)(absolute ? a.sign_exponent & ~SIGN : a.sign_exponent ^ SIGN);
    x87_put(x, 0, a);
    return true;
}

/* SDM volume 2, "FXAM--Examine Floating-Point". */
void x87_examine(struct x87_registers *x)
{
    static const uint16_t codes[] = {
        [CLASS_ZERO] = X87_C3,      [CLASS_DENORMAL] = X87_C3 | X87_C2,
        [CLASS_NORMAL] = X87_C2,    [CLASS_INFINITY] = X87_C2 | X87_C0,
        [CLASS_QUIET_NAN] = X87_C0, [CLASS_SIGNALING_NAN] = X87_C0,
        [CLASS_UNSUPPORTED] = 0,
    };
    const struct float80 a = x87_get(x, 0);
    const uint16_t code = x87_empty(x, 0) ? X87_C3 | X87_C0 : codes[float80_class(a)];
    x->status = (uint16_t)((x->status & ~CONDITION_CODES) | code | (float80_sign(a) ? X87_C1 : 0));
}

typedef struct float80 (*function_of_one)(struct float80_context *c, struct float80 a);

static bool replace(struct x87_registers *x, function_of_one function)
{
    if (x87_empty(x, 0)) {
        const bool masked = x87_stack_fault(x, false);
        if (masked)
            x87_put(x, 0, float80_indefinite);
        return masked;
    }
    struct float80_context c = x87_context(x);
    const struct float80 result = function(&c, x87_get(x, 0));
    if (!x87_settle(x, &c))
        return false;
    x87_put(x, 0, result);
    return true;
}

bool x87_square_root(struct x87_registers *x)
{
    return replace(x, float80_square_root);
}

bool x87_round(struct x87_registers *x)
{
    return replace(x, float80_round);
}

/* Of ST(0) and ST(1), into ST(0). True: both are there; else *goes_on is the answer. */
static bool both_there(struct x87_registers *x, bool *goes_on)
{
    if (!x87_empty(x, 0) && !x87_empty(x, 1))
        return true;
    *goes_on = x87_stack_fault(x, false);
    if (*goes_on)
        x87_put(x, 0, float80_indefinite);
    return false;
}

bool x87_scale(struct x87_registers *x)
{
    bool goes_on;
    if (!both_there(x, &goes_on))
        return goes_on;
    struct float80_context c = x87_context(x);
    const struct float80 result = float80_scale(&c, x87_get(x, 0), x87_get(x, 1));
    if (!x87_settle(x, &c))
        return false;
    x87_put(x, 0, result);
    return true;
}

bool x87_extract(struct x87_registers *x)
{
    if (x87_empty(x, 0) || !x87_room(x)) {
        const bool masked = x87_stack_fault(x, !x87_empty(x, 0));
        if (masked) {
            x87_put(x, 0, float80_indefinite);
            x87_push(x, float80_indefinite);
        }
        return masked;
    }
    struct float80_context c = x87_context(x);
    struct float80 significand;
    const struct float80 exponent = float80_extract(&c, x87_get(x, 0), &significand);
    if (!x87_settle(x, &c))
        return false;
    x87_put(x, 0, exponent);
    x87_push(x, significand);
    return true;
}

/* SDM volume 2, "FPREM--Partial Remainder": C0, C3, C1 are bits 2, 1, 0 of the quotient. */
static uint16_t quotient_codes(unsigned quotient)
{
    return (uint16_t)((quotient & 4 ? X87_C0 : 0) | (quotient & 2 ? X87_C3 : 0) |
                      (quotient & 1 ? X87_C1 : 0));
}

bool x87_remainder(struct x87_registers *x, bool nearest)
{
    bool goes_on, partial;
    unsigned quotient;
    if (!both_there(x, &goes_on))
        return goes_on;
    struct float80_context c = x87_context(x);
    const struct float80 result =
        float80_remainder(&c, x87_get(x, 0), x87_get(x, 1), nearest, &partial, &quotient);
    if (!x87_settle(x, &c))
        return false;
    x87_put(x, 0, result);
    if (!(c.raised & X87_IE))
        x->status =
            (uint16_t)((x->status & ~CONDITION_CODES) | (partial ? X87_C2 : quotient_codes(quotient)));
    return true;
}
