/*
 * simd.c: see simd.h. Sources: SDM volume 1, "MXCSR Control and Status Register", "SSE/SSE2/SSE3 Exceptions"
 * and "Handling SIMD Floating-Point Exceptions in Software"; volume 2, "LDMXCSR".
 */
#include "sim/core/simd.h"

enum {
    MXCSR_INITIAL = 0x1f80,
    MXCSR_FLAGS = 0x3f,
    MXCSR_BEFORE = 7, /* invalid, denormal, divide-by-zero: before the result is computed */
    MXCSR_MASK_SHIFT = 7,
    MXCSR_FTZ = 1 << 15,
    MXCSR_FLUSHED = 16 | 32, /* underflow, precision */
    NO_INEXACT = 1 << 3,     /* of the rounding instructions' immediate */
};
#define MXCSR_RESERVED 0xffff0000u
#define MAGIC_MXCSR 0xa5c31f80u
#define MAGIC_XMM 0x6b8b4567327b23c6ull

void __real_helper_ldmxcsr_x86_64(struct lib_state *env, uint32_t value);
void __wrap_helper_ldmxcsr_x86_64(struct lib_state *env, uint32_t value);

bool simd_prove_layout(struct core *core)
{
    enum { SEARCHED = 4096, ROUND_UP = 2 };
    const uint32_t magic = MAGIC_MXCSR | 2 << 13, initial = MXCSR_INITIAL;
    const uint64_t xmm[2] = {MAGIC_XMM, ~MAGIC_XMM}, zero[2] = {0, 0};
    uc_reg_write(core->uc, UC_X86_REG_MXCSR, &magic);
    core->mxcsr = core_find(core->efer, SEARCHED, &magic, sizeof magic);
    if (!core->mxcsr || simd_status(core)->rounding != ROUND_UP)
        return false;
    uc_reg_write(core->uc, UC_X86_REG_XMM0, xmm);
    char *xmm0 = core_find(core->mxcsr, 64, &(uint32_t){(uint32_t)MAGIC_XMM}, sizeof(uint32_t));
    uc_reg_write(core->uc, UC_X86_REG_XMM0, zero);
    uc_reg_write(core->uc, UC_X86_REG_XMM15, xmm);
    if (!xmm0 || memcmp(xmm0 + (size_t)15 * LIB_XMM_BYTES, xmm, sizeof xmm) != 0)
        return false;
    uc_reg_write(core->uc, UC_X86_REG_XMM15, zero);
    uc_reg_write(core->uc, UC_X86_REG_MXCSR, &initial);
    core->vectors_begin = (char *)(core->efer + 1);
    core->vectors_bytes = (size_t)(xmm0 + (size_t)16 * LIB_XMM_BYTES - core->vectors_begin);
    simd_accept(core);
    return core->vectors_bytes <= sizeof core->vectors_before && simd_status(core)->rounding == 0;
}

/* The library's flags in MXCSR's form. SDM volume 1, "Flush-To-Zero": a result that is flushed underflows and
 * is inexact. */
static uint32_t flags_raised(const struct core *core)
{
    const uint8_t flags = simd_status(core)->flags;
    return (flags & LIB_FLAGS) | (flags & LIB_FLUSHED ? MXCSR_FLUSHED : 0);
}

void simd_collect(struct core *core)
{
    *core->mxcsr |= flags_raised(core);
    core->mxcsr_known = *core->mxcsr;
}

/* The library would flush x87 results where SSE's are meant. */
static void take_mxcsr(const struct core *core)
{
    simd_status(core)->flags = *core->mxcsr & LIB_FLAGS;
    simd_status(core)->flush_to_zero = (*core->mxcsr & MXCSR_FTZ) && (*core->mxcsr & MXCSR_UNDERFLOW_MASKED);
}

void simd_accept(struct core *core)
{
    if (*core->mxcsr == core->mxcsr_known)
        return;
    take_mxcsr(core);
    core->mxcsr_known = *core->mxcsr;
}

bool simd_unmasked(const struct core *core)
{
    return (~*core->mxcsr >> MXCSR_MASK_SHIFT & MXCSR_FLAGS) != 0;
}

bool simd_arithmetic(const cs_insn *insn)
{
    static const uint8_t opcodes[] = {0x2a, 0x2c, 0x2d, 0x2e, 0x2f, 0x51, 0x58, 0x59, 0x5a, 0x5b,
                                      0x5c, 0x5d, 0x5e, 0x5f, 0x7c, 0x7d, 0xc2, 0xd0, 0xe6};
    const uint8_t *opcode = insn->detail->x86.opcode;
    if (opcode[0] != 0x0f)
        return false;
    if (opcode[1] == 0x3a)
        return (opcode[2] >= 0x08 && opcode[2] <= 0x0b) || opcode[2] == 0x40 || opcode[2] == 0x41;
    return memchr(opcodes, opcode[1], sizeof opcodes) != NULL;
}

void simd_begin(struct core *core)
{
    simd_collect(core);
    simd_status(core)->flags = 0;
    memcpy(core->vectors_before, core->vectors_begin, core->vectors_bytes);
}

bool simd_failed(struct core *core)
{
    const uint32_t masks = *core->mxcsr >> MXCSR_MASK_SHIFT & MXCSR_FLAGS;
    uint32_t raised = flags_raised(core);
    const bool failed = raised & ~masks;
    if (raised & ~masks & MXCSR_BEFORE)
        raised &= MXCSR_BEFORE; /* no result was computed */
    if (failed)
        memcpy(core->vectors_begin, core->vectors_before, core->vectors_bytes);
    *core->mxcsr |= raised;
    core->mxcsr_known = *core->mxcsr;
    take_mxcsr(core);
    return failed;
}

/* SDM volume 2, "LDMXCSR": #GP(0) for a reserved bit. */
void __wrap_helper_ldmxcsr_x86_64(struct lib_state *env, uint32_t value)
{
    if (!simd_core(env)) {
        __real_helper_ldmxcsr_x86_64(env, value);
        return;
    }
    if (value & MXCSR_RESERVED)
        raise_exception_ra_x86_64(env, VECTOR_GP, (uintptr_t)__builtin_return_address(0));
    __real_helper_ldmxcsr_x86_64(env, value);
    core_current->mxcsr_known = value;
    take_mxcsr(core_current);
}

/* Two helpers of an extension that the library's processor lacks stand for looks at MXCSR (guard.c). */
void __wrap_helper_clgi_x86_64(struct lib_state *env);
void __wrap_helper_clgi_x86_64(struct lib_state *env)
{
    if (simd_core(env))
        simd_collect(core_current);
}

void __wrap_helper_stgi_x86_64(struct lib_state *env);
void __wrap_helper_stgi_x86_64(struct lib_state *env)
{
    if (simd_core(env))
        simd_accept(core_current);
}

/* These raise nothing: SDM volume 1, table "SSE Instructions", RCPPS and its like. The library computes them
 * by division. */
#define SILENT(name)                                                                                         \
    void __real_helper_##name##_x86_64(struct lib_state *env, void *to, void *from);                         \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from);                         \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from)                          \
    {                                                                                                        \
        struct lib_float_status *status = simd_core(env) ? simd_status(core_current) : NULL;                 \
        const uint8_t flags = status ? status->flags : 0;                                                    \
        __real_helper_##name##_x86_64(env, to, from);                                                        \
        if (status)                                                                                          \
            status->flags = flags;                                                                           \
    }
SILENT(rcpps)
SILENT(rcpss)
SILENT(rsqrtps)
SILENT(rsqrtss)

/* SDM volume 2, "ROUNDPD": bit 3 of the immediate keeps the precision exception away. */
#define ROUNDING(name)                                                                                       \
    void __real_helper_##name##_x86_64(struct lib_state *env, void *to, void *from, uint32_t mode);          \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from, uint32_t mode);          \
    void __wrap_helper_##name##_x86_64(struct lib_state *env, void *to, void *from, uint32_t mode)           \
    {                                                                                                        \
        struct lib_float_status *status = simd_core(env) ? simd_status(core_current) : NULL;                 \
        const uint8_t flags = status ? status->flags : 0;                                                    \
        __real_helper_##name##_x86_64(env, to, from, mode);                                                  \
        if (status && mode & NO_INEXACT)                                                                     \
            status->flags = (uint8_t)((status->flags & ~LIB_INEXACT) | (flags & LIB_INEXACT));               \
    }
ROUNDING(roundps_xmm)
ROUNDING(roundpd_xmm)
ROUNDING(roundss_xmm)
ROUNDING(roundsd_xmm)
