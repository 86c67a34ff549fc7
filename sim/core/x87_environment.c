/*
 * x87_environment.c: control, status, tag words and pointers of the x87 unit, to memory and back; the library
 * leaves out the opcode, in real-address mode the form, and with FXSAVE and FXRSTOR the pointers.
 *
 * Sources: SDM volume 1, "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE" with its four
 * layouts; volume 2, "FSTENV/FNSTENV", "FLDENV", "FSAVE/FNSAVE", "FRSTOR", "FLDCW", "FXSAVE", "FXRSTOR".
 */
#include "sim/core/simd.h"
#include "sim/core/x87_core.h"

extern uint64_t cpu_ldq_data_ra_x86_64(void *state, uint64_t address, uintptr_t host_pc);
extern uint32_t cpu_lduw_data_ra_x86_64(void *state, uint64_t address, uintptr_t host_pc);
extern void cpu_stq_data_ra_x86_64(void *state, uint64_t address, uint64_t value, uintptr_t host_pc);
extern void cpu_stl_data_ra_x86_64(void *state, uint64_t address, uint32_t value, uintptr_t host_pc);
extern void cpu_stw_data_ra_x86_64(void *state, uint64_t address, uint32_t value, uintptr_t host_pc);

enum {
    CONTROL_WRITABLE = 0x1f7f, /* SDM volume 1, figure "x87 FPU Control Word" */
    CONTROL_FIXED = 0x40,      /* reads as 1, as on processors */
    STATUS_TOP = 7 << X87_TOP_SHIFT,
    TAG_ZERO = 1,
    TAG_SPECIAL = 2,
    TAG_EMPTY = 3,
    WORDS = 7,
    REGISTER_BYTES = 10,
    FX_OPCODE = 6,
    FX_IP = 8,
    FX_DP = 16,
};

static void set_control(struct x87_registers *x, uint32_t value)
{
    x->control = (uint16_t)((value & CONTROL_WRITABLE) | CONTROL_FIXED);
    x87_summarize(x);
}

static void set_status(struct x87_registers *x, uint32_t value)
{
    x->top = value >> X87_TOP_SHIFT & 7;
    x->status = (uint16_t)(value & ~(uint32_t)STATUS_TOP);
    x87_summarize(x);
}

static uint16_t status_word(const struct x87_registers *x)
{
    return (uint16_t)((x->status & ~(unsigned)STATUS_TOP) | x->top << X87_TOP_SHIFT);
}

static unsigned tag_of(const struct x87_registers *x, unsigned r)
{
    if (x->empty[r])
        return TAG_EMPTY;
    switch (float80_class(x->r[r])) {
    case CLASS_ZERO:
        return TAG_ZERO;
    case CLASS_NORMAL:
        return 0;
    default:
        return TAG_SPECIAL;
    }
}

static uint16_t tag_word(const struct x87_registers *x)
{
    unsigned tags = 0;
    for (unsigned r = 0; r < X87_REGISTERS; r++)
        tags |= tag_of(x, r) << 2 * r;
    return (uint16_t)tags;
}

/* Real-address and virtual-8086 mode: linear pointers and no selectors. */
static bool real_form(const struct lib_state *env)
{
    return !(env->cr[0] & CR0_PE) || env->rflags & RFLAGS_VM;
}

/* The environment as seven words, the last four as the mode and the width have them. */
static void environment(const struct core *core, bool wide, uint32_t word[WORDS])
{
    const struct x87_registers *x = core->x87;
    const uint32_t high = wide ? 0xffff0000u : 0; /* reserved; processors write ones */
    word[0] = high | x->control;
    word[1] = high | status_word(x);
    word[2] = high | tag_word(x);
    if (real_form(core->env)) {
        const uint32_t ip = (uint32_t)(x->ip + ((uint32_t)x->cs << 4)),
                       dp = (uint32_t)(x->dp + ((uint32_t)x->ds << 4)), low = 0xffff;
        word[3] = high | (ip & low);
        word[4] = (wide ? ip >> 16 << 12 & 0x0fffffff : ip >> 4 & 0xf000) | (x->opcode & 0x7ffu);
        word[5] = high | (dp & low);
        word[6] = wide ? dp >> 16 << 12 & 0x0fffffff : dp >> 4 & 0xf000;
    } else {
        word[3] = (uint32_t)x->ip;
        word[4] = x->cs | (wide ? (uint32_t)x->opcode << 16 : 0);
        word[5] = (uint32_t)x->dp;
        word[6] = high | x->ds;
    }
}

static void store_environment(struct core *core, uint64_t address, bool wide, uintptr_t host_pc)
{
    uint32_t word[WORDS];
    x87_settle_pointers(core);
    environment(core, wide, word);
    for (uint64_t i = 0; i < WORDS; i++) {
        if (wide)
            cpu_stl_data_ra_x86_64(core->env, address + 4 * i, word[i], host_pc);
        else
            cpu_stw_data_ra_x86_64(core->env, address + 2 * i, word[i], host_pc);
    }
}

static void take_pointers(struct core *core, bool wide, const uint32_t word[WORDS])
{
    struct x87_registers *x = core->x87;
    if (!real_form(core->env)) {
        x->ip = word[3];
        x->cs = (uint16_t)word[4];
        x->dp = word[5];
        x->ds = (uint16_t)word[6];
        if (wide)
            x->opcode = word[4] >> 16 & 0x7ff;
        return;
    }
    const unsigned shift = wide ? 4 : 0; /* the upper part of a linear address lies from bit 12 on */
    const uint32_t mask = wide ? 0xffff0000u : 0xf0000u;
    x->ip = (word[3] & 0xffff) | (wide ? word[4] << shift & mask : (word[4] & 0xf000) << 4);
    x->dp = (word[5] & 0xffff) | (wide ? word[6] << shift & mask : (word[6] & 0xf000) << 4);
    x->cs = x->ds = 0;
    x->opcode = word[4] & 0x7ff;
}

static void load_environment(struct core *core, uint64_t address, bool wide, uintptr_t host_pc)
{
    struct x87_registers *x = core->x87;
    uint32_t word[WORDS];
    for (uint64_t i = 0; i < WORDS; i++)
        word[i] = wide ? cpu_ldl_data_ra_x86_64(core->env, address + 4 * i, host_pc)
                       : cpu_lduw_data_ra_x86_64(core->env, address + 2 * i, host_pc);
    for (unsigned r = 0; r < X87_REGISTERS; r++)
        x->empty[r] = (word[2] >> 2 * r & 3) == TAG_EMPTY;
    take_pointers(core, wide, word);
    set_control(x, word[0]);
    set_status(x, word[1]);
}

static void initialize(struct core *core)
{
    x87_initialize(core->x87);
    core->x87_kept = false;
}

static unsigned environment_bytes(bool wide)
{
    return wide ? 4 * WORDS : 2 * WORDS;
}

void __real_helper_fninit_x86_64(struct lib_state *env);
void __wrap_helper_fninit_x86_64(struct lib_state *env);
void __wrap_helper_fninit_x86_64(struct lib_state *env)
{
    struct core *core = simd_core(env);
    if (core)
        initialize(core);
    else
        __real_helper_fninit_x86_64(env);
}

void __real_helper_fldcw_x86_64(struct lib_state *env, uint32_t value);
void __wrap_helper_fldcw_x86_64(struct lib_state *env, uint32_t value);
void __wrap_helper_fldcw_x86_64(struct lib_state *env, uint32_t value)
{
    struct core *core = simd_core(env);
    if (core)
        set_control(core->x87, value);
    else
        __real_helper_fldcw_x86_64(env, value);
}

/* Those with an address and a width. */
#define ENVIRONMENT(name)                                                                                    \
    static void do_##name(struct core *core, uint64_t address, bool wide, uintptr_t host_pc);                \
    void __real_helper_##name##_x86_64(struct lib_state *env, uint64_t address, int wide);                   \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, uint64_t address, int wide);                   \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, uint64_t address, int wide)                    \
    {                                                                                                        \
        const uintptr_t host_pc = (uintptr_t)__builtin_return_address(0);                                    \
        struct core *core = simd_core(env);                                                                  \
        if (core)                                                                                            \
            do_##name(core, address, wide != 0, host_pc);                                                    \
        else                                                                                                 \
            __real_helper_##name##_x86_64(env, address, wide);                                               \
    }
ENVIRONMENT(fstenv)
ENVIRONMENT(fldenv)
ENVIRONMENT(fsave)
ENVIRONMENT(frstor)

/* Then all exceptions are masked. */
static void do_fstenv(struct core *core, uint64_t address, bool wide, uintptr_t host_pc)
{
    store_environment(core, address, wide, host_pc);
    core->x87->control |= X87_EXCEPTIONS;
    x87_summarize(core->x87);
}

static void do_fldenv(struct core *core, uint64_t address, bool wide, uintptr_t host_pc)
{
    load_environment(core, address, wide, host_pc);
}

static void do_fsave(struct core *core, uint64_t address, bool wide, uintptr_t host_pc)
{
    store_environment(core, address, wide, host_pc);
    address += environment_bytes(wide);
    for (unsigned i = 0; i < X87_REGISTERS; i++, address += REGISTER_BYTES) {
        const struct float80 value = x87_operand_register(core->x87, i).value;
        cpu_stq_data_ra_x86_64(core->env, address, value.significand, host_pc);
        cpu_stw_data_ra_x86_64(core->env, address + 8, value.sign_exponent, host_pc);
    }
    initialize(core);
}

static void do_frstor(struct core *core, uint64_t address, bool wide, uintptr_t host_pc)
{
    struct float80 value[X87_REGISTERS];
    uint64_t at = address + environment_bytes(wide);
    for (unsigned i = 0; i < X87_REGISTERS; i++, at += REGISTER_BYTES) {
        value[i].significand = cpu_ldq_data_ra_x86_64(core->env, at, host_pc);
        value[i].sign_exponent = (uint16_t)cpu_lduw_data_ra_x86_64(core->env, at + 8, host_pc);
    }
    load_environment(core, address, wide, host_pc);
    for (unsigned i = 0; i < X87_REGISTERS; i++)
        core->x87->r[(core->x87->top + i) % X87_REGISTERS] = value[i];
}

void __real_helper_fxsave_x86_64(struct lib_state *env, uint64_t address);
void __wrap_helper_fxsave_x86_64(struct lib_state *env, uint64_t address);
/* SDM volume 2, tables "Non-64-Bit-Mode Layout of FXSAVE and FXRSTOR Memory Region" and its two sisters. */
void __wrap_helper_fxsave_x86_64(struct lib_state *env, uint64_t address)
{
    const uintptr_t host_pc = (uintptr_t)__builtin_return_address(0);
    struct core *core = simd_core(env);
    if (core && address % 16)
        raise_exception_ra_x86_64(env, VECTOR_GP, host_pc);
    if (core) /* faults must come from here: the library would not find the instruction behind our call */
        cpu_stw_data_ra_x86_64(env, address, core->x87->control, host_pc);
    __real_helper_fxsave_x86_64(env, address);
    if (!core)
        return;
    const struct x87_registers *x = core->x87;
    const uint64_t low = 0xffffffff;
    x87_settle_pointers(core);
    const uint64_t ip = core->x87_wide ? x->ip : (x->ip & low) | (uint64_t)x->cs << 32,
                   dp = core->x87_wide ? x->dp : (x->dp & low) | (uint64_t)x->ds << 32;
    cpu_stw_data_ra_x86_64(env, address + FX_OPCODE, x->opcode, host_pc);
    cpu_stq_data_ra_x86_64(env, address + FX_IP, ip, host_pc);
    cpu_stq_data_ra_x86_64(env, address + FX_DP, dp, host_pc);
}

void x87_after_fxrstor(struct core *core, uint64_t address, uintptr_t host_pc)
{
    struct x87_registers *x = core->x87;
    const uint64_t ip = cpu_ldq_data_ra_x86_64(core->env, address + FX_IP, host_pc),
                   dp = cpu_ldq_data_ra_x86_64(core->env, address + FX_DP, host_pc);
    x->opcode = cpu_lduw_data_ra_x86_64(core->env, address + FX_OPCODE, host_pc) & 0x7ff;
    x->ip = core->x87_wide ? ip : (uint32_t)ip;
    x->dp = core->x87_wide ? dp : (uint32_t)dp;
    x->cs = core->x87_wide ? 0 : (uint16_t)(ip >> 32);
    x->ds = core->x87_wide ? 0 : (uint16_t)(dp >> 32);
    core->x87_kept = false;
    set_control(x, x->control);
}
