/* controls_execution.c: SDM "Checks on VMX Controls", part "VM-Execution Control Fields". */
#include "vmx_model/checks/section_api.h"

#define EPTP_ACCESSED_DIRTY (1ull << 6)
/* IA32_VMX_EPT_VPID_CAP: SDM appendix A, "VPID and EPT Capabilities". */
#define EPT_CAP_WALK_4 (1ull << 6)
#define EPT_CAP_WALK_5 (1ull << 7)
#define EPT_CAP_UC (1ull << 8)
#define EPT_CAP_WB (1ull << 14)
#define EPT_CAP_ACCESSED_DIRTY (1ull << 21)

/* SDM appendix A, "Miscellaneous Data": bits 24:16. */
static uint32_t cr3_targets_supported(const struct check_context *c)
{
    return (uint32_t)(c->profile->vmx.misc >> 16) & 0x1ff;
}

static bool ept_memory_type_supported(const struct check_context *c)
{
    uint64_t type = c->vmcs->ept_pointer & 7;
    return (type == 0 && (c->profile->vmx.ept_vpid_cap & EPT_CAP_UC)) ||
           (type == 6 && (c->profile->vmx.ept_vpid_cap & EPT_CAP_WB));
}

static bool ept_walk_length_supported(const struct check_context *c)
{
    uint64_t length_less_1 = (c->vmcs->ept_pointer >> 3) & 7;
    return (length_less_1 == 3 && (c->profile->vmx.ept_vpid_cap & EPT_CAP_WALK_4)) ||
           (length_less_1 == 4 && (c->profile->vmx.ept_vpid_cap & EPT_CAP_WALK_5));
}

/* The field's own bit does not count while the secondary controls are not active. */
static uint64_t unrestricted_if_active(const struct check_context *c)
{
    return c->secondary_controls & SECONDARY_UNRESTRICTED_GUEST;
}

#define SECTION controls_execution
#define SECTION_RULES "vmx_model/checks/controls_execution.def"
#define SECTION_TITLE "Checks on VMX Controls: VM-Execution Control Fields"
#define SECTION_PHASE VMX_CHECK_CONTROLS
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
