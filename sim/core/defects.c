/* defects.c: functions of the library that would bring the process down, or that check too little, replaced.
 */
#include "sim/core/simd.h"
#include "sim/core/x87_core.h"

void __real_helper_idivl_EAX_x86_64(struct lib_state *env, uint64_t divisor);
void __wrap_helper_idivl_EAX_x86_64(struct lib_state *env, uint64_t divisor);

/* IDIV of 64 by 32 bits. The library divides with the host's own 64-bit division, which traps for the one
 * quotient that does not fit it: -2^63 / -1. SDM volume 2, "IDIV - Signed Divide": #DE if the quotient is too
 * large. */
void __wrap_helper_idivl_EAX_x86_64(struct lib_state *env, uint64_t divisor)
{
    uint64_t dividend = (uint32_t)env->gpr[GPR_RAX] | env->gpr[GPR_RDX] << 32;
    if (dividend == 1ull << 63 && (uint32_t)divisor == UINT32_MAX)
        raise_exception_ra_x86_64(env, VECTOR_DE, (uintptr_t)__builtin_return_address(0));
    __real_helper_idivl_EAX_x86_64(env, divisor);
}

enum { MXCSR_DEFINED = 0xffff, FX_MXCSR = 24, FX_ALIGNMENT = 16 };

void __real_helper_fxrstor_x86_64(struct lib_state *env, uint64_t address);
void __wrap_helper_fxrstor_x86_64(struct lib_state *env, uint64_t address);

/* SDM volume 2, "FXRSTOR": #GP(0) for a reserved bit of MXCSR; the library takes any. */
void __wrap_helper_fxrstor_x86_64(struct lib_state *env, uint64_t address)
{
    const uintptr_t host_pc = (uintptr_t)__builtin_return_address(0);
    if (address % FX_ALIGNMENT)
        raise_exception_ra_x86_64(env, VECTOR_GP, host_pc);
    if (env->cr[4] & CR4_OSFXSR &&
        cpu_ldl_data_ra_x86_64(env, address + FX_MXCSR, host_pc) & ~(uint32_t)MXCSR_DEFINED)
        raise_exception_ra_x86_64(env, VECTOR_GP, host_pc);
    __real_helper_fxrstor_x86_64(env, address);
    if (simd_core(env))
        x87_after_fxrstor(core_current, address, host_pc);
}
