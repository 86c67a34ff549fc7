/* controls_exit.c: SDM "Checks on VMX Controls", part "VM-Exit Control Fields". */
#include "vmx_model/checks/section_api.h"

#define SECTION controls_exit
#define SECTION_RULES "vmx_model/checks/controls_exit.def"
#define SECTION_TITLE "Checks on VMX Controls: VM-Exit Control Fields"
#define SECTION_PHASE VMX_CHECK_CONTROLS
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
