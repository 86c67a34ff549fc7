/* host_control_registers.c: SDM "Checks on Host Control Registers, MSRs, and SSP". */
#include "vmx_model/checks/section_api.h"

#define SECTION host_control_registers
#define SECTION_RULES "vmx_model/checks/host_control_registers.def"
#define SECTION_TITLE "Checks on Host Control Registers, MSRs, and SSP"
#define SECTION_PHASE VMX_CHECK_HOST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
