/*
 * x87_helpers.c: the library's functions for x87 instructions, replaced by sim/core/x87. Its translator makes
 * an instruction of several: an operand is fetched, a function works on it, another one pops.
 */
#include "sim/core/simd.h"
#include "sim/core/x87_core.h"

extern uint64_t cpu_ldq_data_ra_x86_64(void *state, uint64_t address, uintptr_t host_pc);
extern uint32_t cpu_lduw_data_ra_x86_64(void *state, uint64_t address, uintptr_t host_pc);
extern uint32_t cpu_ldub_data_ra_x86_64(void *state, uint64_t address, uintptr_t host_pc);
extern void cpu_stq_data_ra_x86_64(void *state, uint64_t address, uint64_t value, uintptr_t host_pc);
extern void cpu_stw_data_ra_x86_64(void *state, uint64_t address, uint32_t value, uintptr_t host_pc);
extern void cpu_stb_data_ra_x86_64(void *state, uint64_t address, uint32_t value, uintptr_t host_pc);

/* The head of a replacement. */
#define HEAD                                                                                                 \
    const uintptr_t host_pc = (uintptr_t)__builtin_return_address(0);                                        \
    struct core *core = simd_core(env);                                                                      \
    struct x87_registers *x = core ? core->x87 : NULL;                                                       \
    (void)x, (void)host_pc;

/* Without parameters beside the state: an expression that is false when the instruction ends. */
#define PLAIN(name, expression)                                                                              \
    void __real_helper_##name##_x86_64(struct lib_state *env);                                               \
    void __wrap_helper_##name##_x86_64(struct lib_state *env);                                               \
    void __wrap_helper_##name##_x86_64(struct lib_state *env)                                                \
    {                                                                                                        \
        HEAD if (!core) __real_helper_##name##_x86_64(env);                                                  \
        else if (!(expression)) x87_end(core, host_pc);                                                      \
    }
/* With one parameter. */
#define WITH(name, type, parameter, expression)                                                              \
    void __real_helper_##name##_x86_64(struct lib_state *env, type parameter);                               \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, type parameter);                               \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, type parameter)                                \
    {                                                                                                        \
        HEAD if (!core) __real_helper_##name##_x86_64(env, parameter);                                       \
        else if (!(expression)) x87_end(core, host_pc);                                                      \
    }
/* Gives what the instruction stores: call fills value. */
#define STORING(name, type, value_type, call)                                                                \
    type __real_helper_##name##_x86_64(struct lib_state *env);                                               \
    type __wrap_helper_##name##_x86_64(struct lib_state *env);                                               \
    type __wrap_helper_##name##_x86_64(struct lib_state *env)                                                \
    {                                                                                                        \
        HEAD value_type value;                                                                               \
        if (!core)                                                                                           \
            return __real_helper_##name##_x86_64(env);                                                       \
        if (!(call))                                                                                         \
            x87_end(core, host_pc);                                                                          \
        return (type)value;                                                                                  \
    }

/* The operand that another function will work on. */
static bool set_operand(struct core *core, struct x87_operand operand)
{
    core->x87_operand = operand;
    return true;
}
WITH(flds_FT0, uint32_t, value, set_operand(core, x87_operand_real(value, 32)))
WITH(fldl_FT0, uint64_t, value, set_operand(core, x87_operand_real(value, 64)))
WITH(fildl_FT0, int32_t, value, set_operand(core, x87_operand_integer(value)))
static bool take_operand(struct core *core, unsigned i)
{
    x87_take_operand(core->x87, i, &core->x87_operand);
    return true;
}
WITH(fmov_FT0_STN, int, i, take_operand(core, (unsigned)i))
PLAIN(fldz_FT0, set_operand(core, x87_operand_integer(0)))

WITH(flds_ST0, uint32_t, value, x87_load_real(x, value, 32))
WITH(fldl_ST0, uint64_t, value, x87_load_real(x, value, 64))
WITH(fildl_ST0, int32_t, value, x87_load_extended(x, float80_from_integer(value)))
WITH(fildll_ST0, int64_t, value, x87_load_extended(x, float80_from_integer(value)))

/* FLD ST(i) and the constants: this comes first, and what follows does all. */
static bool note_push(struct core *core)
{
    core->x87_pushing = true;
    return true;
}
PLAIN(fpush, note_push(core))
PLAIN(fld1_ST0, x87_load_constant(x, X87_ONE))
PLAIN(fldl2t_ST0, x87_load_constant(x, X87_LOG2_10))
PLAIN(fldl2e_ST0, x87_load_constant(x, X87_LOG2_E))
PLAIN(fldpi_ST0, x87_load_constant(x, X87_PI))
PLAIN(fldlg2_ST0, x87_load_constant(x, X87_LOG10_2))
PLAIN(fldln2_ST0, x87_load_constant(x, X87_LN_2))
PLAIN(fldz_ST0, x87_load_constant(x, X87_ZERO))

/* FLD ST(i), with i counted after the push; or FCMOVcc whose condition holds. */
static bool move_to_top(struct core *core, unsigned i)
{
    if (core->x87_pushing)
        return x87_load_register(core->x87, (i - 1) % X87_REGISTERS);
    return core->x87_move_fails || x87_conditional_move(core->x87, i, true);
}
WITH(fmov_ST0_STN, int, i, move_to_top(core, (unsigned)i))
WITH(fmov_STN_ST0, int, i, x87_store_register(x, (unsigned)i))
WITH(fxchg_ST0_STN, int, i, x87_exchange(x, (unsigned)i))

STORING(fsts_ST0, uint32_t, uint64_t, x87_store_real(x, 32, &value))
STORING(fstl_ST0, uint64_t, uint64_t, x87_store_real(x, 64, &value))
STORING(fist_ST0, int32_t, int64_t, x87_store_integer(x, 16, false, &value))
STORING(fistl_ST0, int32_t, int64_t, x87_store_integer(x, 32, false, &value))
STORING(fistll_ST0, int64_t, int64_t, x87_store_integer(x, 64, false, &value))
STORING(fistt_ST0, int32_t, int64_t, x87_store_integer(x, 16, true, &value))
STORING(fisttl_ST0, int32_t, int64_t, x87_store_integer(x, 32, true, &value))
STORING(fisttll_ST0, int64_t, int64_t, x87_store_integer(x, 64, true, &value))

static bool on_register(struct x87_registers *x, enum x87_operation operation, int i)
{
    struct x87_operand top;
    x87_take_operand(x, 0, &top);
    return x87_arithmetic(x, operation, (unsigned)i, &top);
}
#define ARITHMETIC(name, operation)                                                                          \
    PLAIN(name##_ST0_FT0, x87_arithmetic(x, operation, 0, &core->x87_operand))                               \
    WITH(name##_STN_ST0, int, i, on_register(x, operation, i))
ARITHMETIC(fadd, X87_ADD)
ARITHMETIC(fmul, X87_MULTIPLY)
ARITHMETIC(fsub, X87_SUBTRACT)
ARITHMETIC(fsubr, X87_SUBTRACT_REVERSED)
ARITHMETIC(fdiv, X87_DIVIDE)
ARITHMETIC(fdivr, X87_DIVIDE_REVERSED)

static bool compare(struct core *core, bool quiet)
{
    enum float80_order order;
    const bool goes_on = x87_compare(core->x87, &core->x87_operand, quiet, &order);
    if (goes_on)
        x87_set_order(core->x87, order);
    return goes_on;
}
PLAIN(fcom_ST0_FT0, compare(core, false))
PLAIN(fucom_ST0_FT0, compare(core, true))

/* SDM volume 2, "FCOMI/FCOMIP/FUCOMI/FUCOMIP". */
static bool compare_to_flags(struct core *core, bool quiet)
{
    static const uint64_t flags[] = {RFLAGS_CF, RFLAGS_ZF, 0, RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF};
    struct lib_state *env = core->env;
    enum float80_order order;
    const bool goes_on = x87_compare(core->x87, &core->x87_operand, quiet, &order);
    if (goes_on)
        env->cc_source = flags[order]; /* OF, SF and AF are cleared */
    return goes_on;
}
PLAIN(fcomi_ST0_FT0, compare_to_flags(core, false))
PLAIN(fucomi_ST0_FT0, compare_to_flags(core, true))

static bool examine(struct x87_registers *x)
{
    x87_examine(x);
    return true;
}
PLAIN(fxam_ST0, examine(x))
PLAIN(fchs_ST0, x87_change_sign(x, false))
PLAIN(fabs_ST0, x87_change_sign(x, true))
PLAIN(fsqrt, x87_square_root(x))
PLAIN(frndint, x87_round(x))
PLAIN(fscale, x87_scale(x))
PLAIN(fxtract, x87_extract(x))
PLAIN(fprem, x87_remainder(x, false))
PLAIN(fprem1, x87_remainder(x, true))
/* These push and pop by themselves. */
PLAIN(f2xm1, x87_power(x))
PLAIN(fyl2x, x87_of_two(x, X87_LOGARITHM))
PLAIN(fyl2xp1, x87_of_two(x, X87_LOGARITHM_PLUS_ONE))
PLAIN(fpatan, x87_of_two(x, X87_ARCTANGENT))
PLAIN(fsin, x87_sine(x, false))
PLAIN(fcos, x87_sine(x, true))
PLAIN(fsincos, x87_sine_cosine(x))
PLAIN(fptan, x87_tangent(x))

static struct float80 read_extended(struct lib_state *env, uint64_t address, uintptr_t host_pc)
{
    const uint64_t significand = cpu_ldq_data_ra_x86_64(env, address, host_pc);
    return (struct float80){significand, (uint16_t)cpu_lduw_data_ra_x86_64(env, address + 8, host_pc)};
}
WITH(fldt_ST0, uint64_t, address, x87_load_extended(x, read_extended(env, address, host_pc)))

static bool store_extended(struct core *core, uint64_t address, uintptr_t host_pc)
{
    struct float80 value;
    if (!x87_store_extended(core->x87, &value))
        return false;
    cpu_stq_data_ra_x86_64(core->env, address, value.significand, host_pc);
    cpu_stw_data_ra_x86_64(core->env, address + 8, value.sign_exponent, host_pc);
    return true;
}
WITH(fstt_ST0, uint64_t, address, store_extended(core, address, host_pc))

enum { BCD_DIGIT_PAIRS = 9, BCD_SIGN = 0x80 };

/* 18 decimal digits, two a byte, and a sign: SDM volume 1, "BCD and Packed BCD Integers". */
static struct float80 read_decimal(struct lib_state *env, uint64_t address, uintptr_t host_pc)
{
    int64_t value = 0;
    for (unsigned i = BCD_DIGIT_PAIRS; i-- > 0;) {
        const uint32_t pair = cpu_ldub_data_ra_x86_64(env, address + i, host_pc);
        value = value * 100 + (int64_t)((pair >> 4) * 10 + (pair & 0xf));
    }
    struct float80 a = float80_from_integer(value);
    if (cpu_ldub_data_ra_x86_64(env, address + BCD_DIGIT_PAIRS, host_pc) & BCD_SIGN)
        a.sign_exponent |= 0x8000;
    return a;
}
WITH(fbld_ST0, uint64_t, address, x87_load_extended(x, read_decimal(env, address, host_pc)))

static bool store_decimal(struct core *core, uint64_t address, uintptr_t host_pc)
{
    struct lib_state *env = core->env;
    struct x87_registers *x = core->x87;
    const bool sign = float80_sign(x87_operand_register(x, 0).value);
    int64_t value;
    if (!x87_store_integer(x, 60, false, &value))
        return false;
    if (value == INT64_MIN) { /* the indefinite one */
        cpu_stq_data_ra_x86_64(env, address, 0xc000000000000000ull, host_pc);
        cpu_stw_data_ra_x86_64(env, address + 8, 0xffff, host_pc);
        return true;
    }
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (unsigned i = 0; i < BCD_DIGIT_PAIRS; i++, left /= 100)
        cpu_stb_data_ra_x86_64(env, address + i, (uint32_t)(left % 100 / 10 << 4 | left % 10), host_pc);
    cpu_stb_data_ra_x86_64(env, address + BCD_DIGIT_PAIRS, sign ? BCD_SIGN : 0, host_pc);
    return true;
}
WITH(fbst_ST0, uint64_t, address, store_decimal(core, address, host_pc))
