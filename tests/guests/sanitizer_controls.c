/*
 * sanitizer_controls: controls by constants instead of by capability MSRs, and what the minimum processor lacks. The VM entry fails for
 * want of a host state; what was used shows all the same. SDM appendix "VMX Capability Reporting Facility".
 */
/* expect: status 0 */
/* expect: options --sanitize vmx --sanitize-minimum nehalem --quiet */
/* expect: error default1_without_true, 1 time: */
/* expect: error primary processor-based controls 0x84006172: bits 0x18000 are 0; MSR 0x48e was not read */
/* expect: error secondary processor-based controls 0x82: MSR 0x48b was not read */
/* expect: error pin-based controls 0x17: MSR 0x481 was not read */
/* expect: error EPTP with accessed and dirty flags: MSR 0x48c was not read */
/* expect: error "Unrestricted guest": nehalem does not have it */
/* expect: error accessed and dirty flags for EPT: nehalem does not have them */
/* expect: error VMCS field 0x2024, "EPTP-list address": nehalem does not have it */
/* expect: error first: RIP 0x */
/* expect: error sanitizer (vmx): 8 findings */
#include "trap.h"
#include "vmx.h"

enum {
    EPTP_LIST_ADDRESS = 0x2024,
    PIN_DEFAULT = 0x16,
    PIN_EXTERNAL_INTERRUPTS = 1,
    PRIMARY_DEFAULT = 0x0401e172,
    CR3_EXITING = 3 << 15, /* of the default1 controls */
    EXIT_DEFAULT = 0x36dff,
    ENTRY_DEFAULT = 0x11ff,
    EPT_AND_UNRESTRICTED_GUEST = 1 << 1 | 1 << 7,
    EPTP_FOUR_LEVELS_WRITE_BACK = 3 << 3 | 6,
    EPTP_ACCESSED_AND_DIRTY = 1 << 6,
};
#define ACTIVATE_SECONDARY (1u << 31)

static uint8_t vmcs[4096] __attribute__((aligned(4096)));
static struct guest_registers registers;

int main(void)
{
    trap_install();
    if (!vmx_enable())
        leave(1);
    *(uint32_t *)vmcs = (uint32_t)rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
    CHECK_EQUAL(vmclear((uint64_t)vmcs), true);
    CHECK_EQUAL(vmptrld((uint64_t)vmcs), true);
    vmwrite(PIN_BASED_CONTROLS, PIN_DEFAULT | PIN_EXTERNAL_INTERRUPTS);
    vmwrite(PRIMARY_CONTROLS, (PRIMARY_DEFAULT & ~CR3_EXITING) | ACTIVATE_SECONDARY);
    vmwrite(SECONDARY_CONTROLS, EPT_AND_UNRESTRICTED_GUEST);
    vmwrite(EXIT_CONTROLS, EXIT_DEFAULT);
    vmwrite(ENTRY_CONTROLS, ENTRY_DEFAULT);
    vmwrite(EPT_POINTER, EPTP_FOUR_LEVELS_WRITE_BACK | EPTP_ACCESSED_AND_DIRTY);
    vmwrite(EPTP_LIST_ADDRESS, 0);
    CHECK_EQUAL(vmx_run(&registers, false), false);
    CHECK_EQUAL(vmclear((uint64_t)vmcs), true);
    check_end();
}
