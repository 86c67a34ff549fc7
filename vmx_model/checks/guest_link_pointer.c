/* guest_link_pointer.c: SDM "Checks on Guest Non-Register State", the VMCS link pointer. These look at
 * memory. */
#include "vmx_model/checks/section_api.h"

/* The processor reads memory only at an address that passed the rule before. */
static bool link_address_wrong(const struct check_context *c)
{
    return (c->vmcs->vmcs_link_pointer & (c->beyond_vmx_address | 0xfff)) != 0;
}

/* Where no RAM is, reads give all ones. */
static uint32_t linked_identifier(const struct check_context *c)
{
    uint32_t identifier = UINT32_MAX;
    const uint8_t *ram = phys_ram(c->mem, c->vmcs->vmcs_link_pointer, sizeof identifier);
    if (ram)
        memcpy(&identifier, ram, sizeof identifier);
    return identifier;
}

#define SECTION guest_link_pointer
#define SECTION_RULES "vmx_model/checks/guest_link_pointer.def"
#define SECTION_TITLE "Checks on Guest Non-Register State"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 4
#include "vmx_model/checks/section.h"
