/* guest_segments_v86.c: SDM "Checks on Guest Segment Registers", for a virtual-8086 guest. */
#include "vmx_model/checks/section_api.h"

#define SECTION guest_segments_v86
#define SECTION_RULES "vmx_model/checks/guest_segments_v86.def"
#define SECTION_TITLE "Checks on Guest Segment Registers"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
