/* guest_descriptor_tables.c: SDM "Checks on Guest Descriptor-Table Registers". */
#include "vmx_model/checks/section_api.h"

#define SECTION guest_descriptor_tables
#define SECTION_RULES "vmx_model/checks/guest_descriptor_tables.def"
#define SECTION_TITLE "Checks on Guest Descriptor-Table Registers"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
