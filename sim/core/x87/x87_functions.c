/* x87_functions.c: see x87.h. The transcendental instructions: what they take from the stack and put there.
 */
#include <stddef.h>

#include "sim/core/x87/functions.h"
#include "sim/core/x87/x87_parts.h"

/* ST(0) is missing, or a place to push to (overflow): the answer to that. */
static bool missing(struct x87_registers *x, bool overflow, bool pushes)
{
    const bool masked = x87_stack_fault(x, overflow);
    if (masked) {
        x87_put(x, 0, float80_indefinite);
        if (pushes)
            x87_push(x, float80_indefinite);
    }
    return masked;
}

bool x87_power(struct x87_registers *x)
{
    if (x87_empty(x, 0))
        return missing(x, false, false);
    struct float80_context c = x87_context(x);
    const struct float80 result = float80_2_to_x_minus_1(&c, x87_get(x, 0));
    if (!x87_settle(x, &c))
        return false;
    x87_put(x, 0, result);
    return true;
}

bool x87_of_two(struct x87_registers *x, enum x87_function function)
{
    struct float80_context c = x87_context(x);
    struct float80 result = float80_indefinite;
    if (x87_empty(x, 0) || x87_empty(x, 1)) {
        if (!x87_stack_fault(x, false))
            return false;
    } else {
        const struct float80 a = x87_get(x, 0), b = x87_get(x, 1);
        result = function == X87_ARCTANGENT ? float80_arctangent(&c, a, b)
                                            : float80_logarithm(&c, a, b, function == X87_LOGARITHM_PLUS_ONE);
        if (!x87_settle(x, &c))
            return false;
    }
    x87_put(x, 1, result);
    x87_pop(x);
    return true;
}

/* SDM volume 2, "FSIN": C2 tells of an operand out of range, which stays. */
static bool out_of_range(struct x87_registers *x)
{
    x->status = (uint16_t)((x->status & ~X87_C1) | X87_C2);
    return true;
}

bool x87_sine(struct x87_registers *x, bool cosine)
{
    if (x87_empty(x, 0))
        return missing(x, false, false);
    struct float80_context c = x87_context(x);
    struct float80 result;
    if (!float80_sine_cosine(&c, x87_get(x, 0), cosine ? NULL : &result, cosine ? &result : NULL))
        return out_of_range(x);
    if (!x87_settle(x, &c))
        return false;
    x->status &= (uint16_t)~X87_C2;
    x87_put(x, 0, result);
    return true;
}

bool x87_sine_cosine(struct x87_registers *x)
{
    struct float80_context c = x87_context(x);
    struct float80 sine, cosine;
    if (x87_empty(x, 0) || !x87_room(x))
        return missing(x, !x87_empty(x, 0), true);
    if (!float80_sine_cosine(&c, x87_get(x, 0), &sine, &cosine))
        return out_of_range(x);
    if (!x87_settle(x, &c))
        return false;
    x->status &= (uint16_t)~X87_C2;
    x87_put(x, 0, sine);
    x87_push(x, cosine);
    return true;
}

/* 1.0 is pushed behind the tangent; where that is a NaN, the NaN: as processors do. */
bool x87_tangent(struct x87_registers *x)
{
    struct float80_context c = x87_context(x);
    struct float80 tangent;
    if (x87_empty(x, 0) || !x87_room(x))
        return missing(x, !x87_empty(x, 0), true);
    if (!float80_tangent(&c, x87_get(x, 0), &tangent))
        return out_of_range(x);
    if (!x87_settle(x, &c))
        return false;
    x->status &= (uint16_t)~X87_C2;
    x87_put(x, 0, tangent);
    x87_push(x, float80_class(tangent) >= CLASS_QUIET_NAN ? tangent : float80_from_integer(1));
    return true;
}
