/* guest_segments.c: SDM "Checks on Guest Segment Registers", but for what is special to virtual-8086 guests.
 */
#include "vmx_model/checks/section_api.h"

static bool limit_needs_bytes(uint32_t limit)
{
    return (limit & 0xfff) != 0xfff;
}

static bool limit_needs_pages(uint32_t limit)
{
    return (limit & 0xfff00000u) != 0;
}

static bool cs_type_valid(const struct check_context *c)
{
    unsigned type = segment_type(c->vmcs->guest_cs_access_rights);
    bool accessed_code = (type & 9) == 9;
    return accessed_code || (type == 3 && (c->secondary_controls & SECONDARY_UNRESTRICTED_GUEST));
}

/* Types 12 to 15 are conforming code segments, whose DPL does not restrict. */
static bool data_segment_dpl_valid(uint32_t access_rights, unsigned selector)
{
    return segment_type(access_rights) > 11 || segment_dpl(access_rights) >= selector_rpl(selector);
}

static bool tr_type_valid(const struct vmcs *v)
{
    unsigned type = segment_type(v->guest_tr_access_rights);
    return type == 11 || (type == 3 && !(v->vm_entry_controls & ENTRY_IA32E_MODE_GUEST));
}

#define SECTION guest_segments
#define SECTION_RULES "vmx_model/checks/guest_segments.def"
#define SECTION_TITLE "Checks on Guest Segment Registers"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
