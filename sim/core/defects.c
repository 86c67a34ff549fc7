/* defects.c: functions of the library that would bring the process down, replaced. */
#include "sim/core/core_private.h"

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
