/* host_address_space.c: SDM "Checks Related to Address-Space Size". Some of these look at controls; the SDM
 * leaves the error number open there, and they are counted with the host state (error 8), where most of them
 * belong. */
#include "vmx_model/checks/section_api.h"

#define SECTION host_address_space
#define SECTION_RULES "vmx_model/checks/host_address_space.def"
#define SECTION_TITLE "Checks Related to Address-Space Size"
#define SECTION_PHASE VMX_CHECK_HOST
#define SECTION_QUALIFICATION 0
#include "vmx_model/checks/section.h"
