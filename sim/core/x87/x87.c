/* x87.c: see x87.h. */
#include "sim/core/x87/float80_quick.h"
#include "sim/core/x87/x87_parts.h"

enum { CONTROL_INITIAL = 0x37f, PRECISION_SHIFT = 8, ROUNDING_SHIFT = 10 };

struct float80_context x87_context(const struct x87_registers *x)
{
    static const uint8_t precision[4] = {24, 64, 53, 64};
    return (struct float80_context){.rounding = x->control >> ROUNDING_SHIFT & 3,
                                    .precision = precision[x->control >> PRECISION_SHIFT & 3],
                                    .masked = x->control & X87_EXCEPTIONS};
}

void x87_summarize(struct x87_registers *x)
{
    if (x->status & ~x->control & X87_EXCEPTIONS)
        x->status |= X87_ES | X87_B;
    else
        x->status &= (uint16_t) ~(X87_ES | X87_B);
}

/* SDM volume 1, "Floating-Point Exception Priority": of an unmasked exception of the operands there is no
 * result that could have others. */
bool x87_settle(struct x87_registers *x, const struct float80_context *c)
{
    enum { OF_OPERANDS = X87_IE | X87_DE | X87_ZE };
    const bool early = c->raised & ~c->masked & OF_OPERANDS;
    x->status &= (uint16_t)~X87_C1;
    x->status |= early ? c->raised & OF_OPERANDS : c->raised;
    if (c->up && !early)
        x->status |= X87_C1;
    x87_summarize(x);
    return !c->discard;
}

bool x87_stack_fault(struct x87_registers *x, bool overflow)
{
    x->status &= (uint16_t)~X87_C1;
    x->status |= X87_IE | X87_SF;
    if (overflow)
        x->status |= X87_C1;
    x87_summarize(x);
    return x->control & X87_IE;
}

void x87_initialize(struct x87_registers *x)
{
    x->status = x->opcode = x->cs = x->ds = 0;
    x->top = 0;
    x->ip = x->dp = 0;
    x->control = CONTROL_INITIAL;
    for (unsigned i = 0; i < X87_REGISTERS; i++)
        x->empty[i] = 1;
}

void x87_pop(struct x87_registers *x)
{
    x->empty[x->top] = 1;
    x->top = (x->top + 1) % X87_REGISTERS;
}

void x87_put(struct x87_registers *x, unsigned i, struct float80 value)
{
    const unsigned r = (x->top + i) % X87_REGISTERS;
    x->r[r].significand = value.significand;
    x->r[r].sign_exponent = value.sign_exponent;
    x->empty[r] = 0;
}

void x87_push(struct x87_registers *x, struct float80 value)
{
    x->top = (x->top - 1) % X87_REGISTERS;
    x87_put(x, 0, value);
}

bool x87_room(struct x87_registers *x)
{
    return x->empty[(x->top - 1) % X87_REGISTERS];
}

struct x87_operand x87_operand_register(const struct x87_registers *x, unsigned i)
{
    return (struct x87_operand){.value = x87_get(x, i), .empty = x87_empty(x, i)};
}

void x87_take_operand(const struct x87_registers *x, unsigned i, struct x87_operand *to)
{
    const struct float80 value = x87_get(x, i);
    to->value.significand = value.significand;
    to->value.sign_exponent = value.sign_exponent;
    to->empty = x87_empty(x, i);
    to->denormal = false;
}

struct x87_operand x87_operand_real(uint64_t value, unsigned bits)
{
    struct float80_context c = {.masked = X87_EXCEPTIONS};
    (void)float80_load(&c, value, bits);
    return (struct x87_operand){.value = float80_from(value, bits), .denormal = c.raised & X87_DE};
}

struct x87_operand x87_operand_integer(int64_t value)
{
    return (struct x87_operand){.value = float80_from_integer(value)};
}

static bool push_overflowing(struct x87_registers *x)
{
    const bool masked = x87_stack_fault(x, true);
    if (masked)
        x87_push(x, float80_indefinite);
    return masked;
}

bool x87_load_real(struct x87_registers *x, uint64_t value, unsigned bits)
{
    if (!x87_room(x))
        return push_overflowing(x);
    struct float80_context c = x87_context(x);
    const struct float80 a = float80_load(&c, value, bits);
    if (!x87_settle(x, &c))
        return false;
    x87_push(x, a);
    return true;
}

bool x87_load_extended(struct x87_registers *x, struct float80 value)
{
    if (!x87_room(x))
        return push_overflowing(x);
    x->status &= (uint16_t)~X87_C1;
    x87_push(x, value);
    return true;
}

bool x87_load_register(struct x87_registers *x, unsigned i)
{
    if (x87_empty(x, i)) {
        const bool masked = x87_stack_fault(x, false);
        if (masked)
            x87_push(x, float80_indefinite);
        return masked;
    }
    return x87_load_extended(x, x87_get(x, i));
}

/* Rounded as the control word says: SDM volume 2, "FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ". below: cut.
 */
bool x87_load_constant(struct x87_registers *x, enum x87_constant which)
{
    static const struct {
        uint64_t below;
        uint16_t sign_exponent;
        bool exact, nearest_is_below;
    } constants[] = {
        [X87_ONE] = {0x8000000000000000ull, 0x3fff, true, true},
        [X87_LOG2_10] = {0xd49a784bcd1b8afeull, 0x4000, false, true},
        [X87_LOG2_E] = {0xb8aa3b295c17f0bbull, 0x3fff, false, false},
        [X87_PI] = {0xc90fdaa22168c234ull, 0x4000, false, false},
        [X87_LOG10_2] = {0x9a209a84fbcff798ull, 0x3ffd, false, false},
        [X87_LN_2] = {0xb17217f7d1cf79abull, 0x3ffe, false, false},
        [X87_ZERO] = {0, 0, true, true},
    };
    const enum float80_rounding rounding = (enum float80_rounding)x87_context(x).rounding;
    const bool up =
        !constants[which].exact &&
        (rounding == FLOAT80_UP || (rounding == FLOAT80_NEAREST && !constants[which].nearest_is_below));
    return x87_load_extended(x,
                             (struct float80){constants[which].below + up, constants[which].sign_exponent});
}

bool x87_store_real(struct x87_registers *x, unsigned bits, uint64_t *value)
{
    struct float80_context c = x87_context(x);
    if (x87_empty(x, 0)) {
        *value = bits == 32 ? 0xffc00000u : 0xfff8000000000000ull;
        return x87_stack_fault(x, false);
    }
    *value = float80_store(&c, x87_get(x, 0), bits);
    return x87_settle(x, &c);
}

bool x87_store_integer(struct x87_registers *x, unsigned bits, bool cut, int64_t *value)
{
    struct float80_context c = x87_context(x);
    *value = float80_to_integer(&c, x87_empty(x, 0) ? float80_indefinite : x87_get(x, 0), bits, cut);
    return x87_empty(x, 0) ? x87_stack_fault(x, false) : x87_settle(x, &c);
}

bool x87_store_extended(struct x87_registers *x, struct float80 *value)
{
    *value = x87_empty(x, 0) ? float80_indefinite : x87_get(x, 0);
    if (x87_empty(x, 0))
        return x87_stack_fault(x, false);
    x->status &= (uint16_t)~X87_C1;
    return true;
}

bool x87_store_register(struct x87_registers *x, unsigned i)
{
    struct float80 value;
    const bool goes_on = x87_store_extended(x, &value);
    if (goes_on)
        x87_put(x, i, value);
    return goes_on;
}

bool x87_exchange(struct x87_registers *x, unsigned i)
{
    const struct x87_operand a = x87_operand_register(x, 0), b = x87_operand_register(x, i);
    x->status &= (uint16_t)~X87_C1;
    if ((a.empty || b.empty) && !x87_stack_fault(x, false))
        return false;
    x87_put(x, 0, b.empty ? float80_indefinite : b.value);
    x87_put(x, i, a.empty ? float80_indefinite : a.value);
    return true;
}

bool x87_conditional_move(struct x87_registers *x, unsigned i, bool holds)
{
    x->status &= (uint16_t)~X87_C1;
    if (x87_empty(x, 0) || x87_empty(x, i)) {
        const bool masked = x87_stack_fault(x, false);
        if (masked)
            x87_put(x, 0, float80_indefinite);
        return masked;
    }
    if (holds)
        x87_put(x, 0, x87_get(x, i));
    return true;
}

static struct float80 compute(struct float80_context *c, enum x87_operation operation, struct float80 a,
                              struct float80 b, bool denormal)
{
    switch (operation) {
    case X87_ADD:
        return float80_add(c, a, b, false, denormal);
    case X87_MULTIPLY:
        return float80_multiply(c, a, b, denormal);
    case X87_SUBTRACT:
        return float80_add(c, a, b, true, denormal);
    case X87_SUBTRACT_REVERSED:
        return float80_add(c, b, a, true, denormal);
    case X87_DIVIDE:
        return float80_divide(c, a, b, denormal);
    case X87_DIVIDE_REVERSED:
        break;
    }
    return float80_divide(c, b, a, denormal);
}

/* True: done. */
static inline bool quick_arithmetic(struct x87_registers *x, enum x87_operation operation, unsigned i,
                                    const struct x87_operand *operand)
{
    enum { CONTROL_USUAL = 3 << PRECISION_SHIFT, CONTROL_LOOKED_AT = 0xf << PRECISION_SHIFT, SIGN = 0x8000 };
    const unsigned r = (x->top + i) % X87_REGISTERS;
    struct float80 a = x87_get(x, i), b = {operand->value.significand, operand->value.sign_exponent};
    struct float80_quick result = {.inexact = false};
    if (operation > X87_SUBTRACT_REVERSED || (x->control & CONTROL_LOOKED_AT) != CONTROL_USUAL ||
        x->empty[r] || operand->empty || operand->denormal || !float80_normal(a) || !float80_normal(b))
        return false;
    if (operation == X87_SUBTRACT)
        b.sign_exponent ^= SIGN;
    if (operation == X87_SUBTRACT_REVERSED)
        a.sign_exponent ^= SIGN;
    if (!(operation == X87_MULTIPLY ? float80_quick_multiply(a, b, &result)
                                    : float80_quick_add(a, b, &result)))
        return false;
    x->r[r].significand = result.value.significand;
    x->r[r].sign_exponent = result.value.sign_exponent;
    x->status &= (uint16_t)~X87_C1;
    if (result.inexact) {
        x->status |= (uint16_t)(X87_PE | (result.up ? X87_C1 : 0));
        x87_summarize(x);
    }
    return true;
}

bool x87_arithmetic(struct x87_registers *x, enum x87_operation operation, unsigned i,
                    const struct x87_operand *operand)
{
    if (quick_arithmetic(x, operation, i, operand))
        return true;
    if (operand->empty || x87_empty(x, i)) {
        const bool masked = x87_stack_fault(x, false);
        if (masked)
            x87_put(x, i, float80_indefinite);
        return masked;
    }
    struct float80_context c = x87_context(x);
    const struct float80 result = compute(&c, operation, x87_get(x, i), operand->value, operand->denormal);
    if (!x87_settle(x, &c))
        return false;
    x87_put(x, i, result);
    return true;
}

bool x87_compare(struct x87_registers *x, const struct x87_operand *operand, bool quiet,
                 enum float80_order *order)
{
    *order = ORDER_NONE;
    if (operand->empty || x87_empty(x, 0))
        return x87_stack_fault(x, false);
    struct float80_context c = x87_context(x);
    *order = float80_compare(&c, x87_get(x, 0), operand->value, quiet, operand->denormal);
    return x87_settle(x, &c);
}

void x87_set_order(struct x87_registers *x, enum float80_order order)
{
    static const uint16_t codes[] = {X87_C0, X87_C3, 0, X87_C3 | X87_C2 | X87_C0};
    x->status = (uint16_t)((x->status & ~(X87_C3 | X87_C2 | X87_C0)) | codes[order]);
}
