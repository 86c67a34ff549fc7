/* host_segments.c: SDM "Checks on Host Segment and Descriptor-Table Registers". */
#include "vmx_model/checks/section_api.h"

#define SECTION host_segments
#define SECTION_RULES "vmx_model/checks/host_segments.def"
#define SECTION_TITLE "Checks on Host Segment and Descriptor-Table Registers"
#define SECTION_PHASE VMX_CHECK_HOST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
