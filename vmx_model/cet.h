/*
 * cet.h: control-flow enforcement as far as it is modelled: its registers, MSRs and VMCS fields, and that it
 * stays off.
 *
 * Translated code keeps no shadow stack and tracks no indirect branch. So whatever would switch either on
 * ends the run. Source: SDM volume 1, "Control-flow Enforcement Technology (CET)"; volume 4, IA32_U_CET and
 * IA32_S_CET.
 */
#ifndef VTSIM_VMX_MODEL_CET_H
#define VTSIM_VMX_MODEL_CET_H

#include <stdbool.h>
#include <stdint.h>

#include "vtsim/cpu_state.h"

#define CET_SH_STK_EN (1ull << 0)
#define CET_WR_SHSTK_EN (1ull << 1)
#define CET_ENDBR_EN (1ull << 2)
#define CET_SUPPRESS (1ull << 10)
#define CET_TRACKER (1ull << 11)
#define CET_SHADOW_STACK_BITS (CET_SH_STK_EN | CET_WR_SHSTK_EN)
#define CET_BRANCH_TRACKING_BITS 0xfffffffffffffc3cull /* bits 5:2, SUPPRESS, TRACKER, the bitmap's base */

#define CET_REFUSED                                                                                          \
    "shadow stacks or indirect-branch tracking are switched on (CR4.CET with SH_STK_EN or ENDBR_EN in "      \
    "IA32_S_CET or IA32_U_CET): translated code cannot enforce them; do without CET in the guest "           \
    "(vmx_model/cet.h)"

static inline bool cet_enforced(uint64_t cr4, uint64_t s_cet, uint64_t u_cet)
{
    return cr4 & CR4_CET && (s_cet | u_cet) & (CET_SH_STK_EN | CET_ENDBR_EN);
}

#endif
