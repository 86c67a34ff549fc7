/* guest_rip_rflags.c: SDM "Checks on Guest RIP, RFLAGS, and SSP". */
#include "vmx_model/checks/section_api.h"

/* Bits 63:N, not 63:N-1. */
static bool beyond_linear_identical(const struct check_context *c, uint64_t address)
{
    unsigned width = c->profile->linear_address_bits;
    uint64_t beyond = address >> width;
    return beyond == 0 || beyond == UINT64_MAX >> width;
}

#define SECTION guest_rip_rflags
#define SECTION_RULES "vmx_model/checks/guest_rip_rflags.def"
#define SECTION_TITLE "Checks on Guest RIP, RFLAGS, and SSP"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
