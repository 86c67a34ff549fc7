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

#define VTPR 0x80u /* SDM "Virtualized APIC Registers" */

/* The page's address may be one that another rule refuses. Where no RAM is, a read gives ones. */
static bool tpr_threshold_within_vtpr(const struct check_context *c)
{
    const uint8_t *vtpr = phys_ram(c->mem, c->vmcs->virtual_apic_address + VTPR, 1);
    const uint32_t priority_class = vtpr ? (uint32_t)*vtpr >> 4 : 15;
    return (c->vmcs->tpr_threshold & 15) <= priority_class;
}

/* The field's own bit does not count while the tertiary controls are not active. */
static uint64_t ipi_virtualization_if_active(const struct check_context *c)
{
    return vmcs_ipi_virtualization(c->vmcs) ? TERTIARY_IPI_VIRTUALIZATION : 0;
}

/* An overflow shows as a sum that is smaller than the address. */
static bool pid_pointer_table_end_valid(const struct check_context *c)
{
    const uint64_t table = c->vmcs->pid_pointer_table_address;
    const uint64_t last = table + (uint64_t)c->vmcs->last_pid_pointer_index * 8;
    return last >= table && !(last & c->beyond_physical);
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
