/* controls_extensions.c: SDM "Checks on VMX Controls", part "VM-Execution Control Fields": what came after
 * EPT. */
#include "vmx_model/checks/section_api.h"

/* Those of the secondary controls that count: none while "activate secondary controls" is 0. */
static uint64_t active(const struct check_context *c, uint32_t controls)
{
    return c->secondary_controls & controls;
}

#define SECTION controls_extensions
#define SECTION_RULES "vmx_model/checks/controls_extensions.def"
#define SECTION_TITLE "Checks on VMX Controls: VM-Execution Control Fields"
#define SECTION_PHASE VMX_CHECK_CONTROLS
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
