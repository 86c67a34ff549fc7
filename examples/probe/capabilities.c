/* capabilities.c: the VMX capability MSRs in words. SDM appendix "VMX Capability Reporting Facility". */
#include "probe.h"

static const struct named_bit basic[] = {{49, "dual-monitor treatment"}, {54, "INS and OUTS information"}, {55, "TRUE MSRs"}, {0, 0}};
static const struct named_bit pin_based[] = {
    {0, "external-interrupt exiting"}, {3, "NMI exiting"}, {5, "virtual NMIs"}, {6, "VMX-preemption timer"},
    {7, "posted interrupts"}, {0, 0}};
static const struct named_bit primary[] = {
    {2, "interrupt-window exiting"}, {3, "TSC offsetting"}, {7, "HLT exiting"}, {9, "INVLPG exiting"}, {10, "MWAIT exiting"},
    {11, "RDPMC exiting"}, {12, "RDTSC exiting"}, {15, "CR3-load exiting"}, {16, "CR3-store exiting"},
    {17, "tertiary controls"}, {19, "CR8-load exiting"}, {20, "CR8-store exiting"}, {21, "TPR shadow"},
    {22, "NMI-window exiting"}, {23, "MOV-DR exiting"}, {24, "unconditional I/O exiting"}, {25, "I/O bitmaps"},
    {27, "monitor trap flag"}, {28, "MSR bitmaps"}, {29, "MONITOR exiting"}, {30, "PAUSE exiting"}, {31, "secondary controls"},
    {0, 0}};
static const struct named_bit secondary[] = {
    {0, "virtualize APIC accesses"}, {1, "EPT"}, {2, "descriptor-table exiting"}, {3, "RDTSCP"}, {4, "virtualize x2APIC mode"},
    {5, "VPID"}, {6, "WBINVD exiting"}, {7, "unrestricted guest"}, {8, "APIC-register virtualization"},
    {9, "virtual-interrupt delivery"}, {10, "PAUSE-loop exiting"}, {11, "RDRAND exiting"}, {12, "INVPCID"},
    {13, "VM functions"}, {14, "VMCS shadowing"}, {16, "RDSEED exiting"}, {17, "PML"}, {18, "EPT-violation #VE"},
    {20, "XSAVES/XRSTORS"}, {22, "mode-based execute control"}, {23, "sub-page write permissions"}, {25, "TSC scaling"}, {0, 0}};
static const struct named_bit exit_controls[] = {
    {2, "save debug controls"}, {9, "host address-space size"}, {12, "load IA32_PERF_GLOBAL_CTRL"},
    {15, "acknowledge interrupt on exit"}, {18, "save IA32_PAT"}, {19, "load IA32_PAT"}, {20, "save IA32_EFER"},
    {21, "load IA32_EFER"}, {22, "save VMX-preemption timer value"}, {0, 0}};
static const struct named_bit entry_controls[] = {
    {2, "load debug controls"}, {9, "IA-32e mode guest"}, {13, "load IA32_PERF_GLOBAL_CTRL"}, {14, "load IA32_PAT"},
    {15, "load IA32_EFER"}, {0, 0}};
static const struct named_bit ept_vpid[] = {
    {0, "execute-only"}, {6, "4-level EPT"}, {7, "5-level EPT"}, {8, "UC"}, {14, "WB"}, {16, "2-MByte pages"}, {17, "1-GByte pages"},
    {20, "INVEPT"}, {21, "accessed and dirty flags"}, {22, "advanced information"}, {25, "INVEPT single-context"}, {26, "INVEPT all-context"}, {32, "INVVPID"},
    {40, "INVVPID individual-address"}, {41, "INVVPID single-context"}, {42, "INVVPID all-context"},
    {43, "INVVPID single-context-retaining-globals"}, {0, 0}};
static const struct named_bit misc[] = {
    {5, "exits store LMA"}, {6, "activity state HLT"}, {7, "activity state shutdown"}, {8, "activity state wait-for-SIPI"},
    {29, "VMWRITE to all fields"}, {30, "injection with instruction length 0"}, {0, 0}};

/* What may be 1, then what of it must. */
static void print_controls(const char *title, const char *fixed_title, uint32_t plain_msr, const struct named_bit *names)
{
    uint64_t allowed = vmx_capability(plain_msr);
    print_bits(title, allowed >> 32, names);
    if (plain_msr == IA32_VMX_PROCBASED_CTLS)
        print_bits(fixed_title, allowed & 0xffffffff, names);
}

void print_capabilities(void)
{
    uint64_t value = rdmsr(IA32_VMX_BASIC);
    put_text("VMX revision ");
    put_decimal(value & 0x7fffffff);
    put_text(", regions of ");
    put_decimal(value >> 32 & 0x1fff);
    put_text(" bytes\n");
    print_bits("VMX", value, basic);
    print_controls("pin-based controls", "", IA32_VMX_PINBASED_CTLS, pin_based);
    print_controls("primary controls", "  of them always 1", IA32_VMX_PROCBASED_CTLS, primary);
    uint32_t allowed = vmx_secondary_allowed();
    print_bits("secondary controls", allowed, secondary);
    print_controls("VM-exit controls", "", IA32_VMX_EXIT_CTLS, exit_controls);
    print_controls("VM-entry controls", "", IA32_VMX_ENTRY_CTLS, entry_controls);
    print_bits("EPT and VPID", allowed & 0x22 ? rdmsr(IA32_VMX_EPT_VPID_CAP) : 0, ept_vpid);
    value = rdmsr(IA32_VMX_MISC);
    print_bits("miscellaneous", value, misc);
    put_text("CR3 targets: ");
    put_decimal(value >> 16 & 0x1ff);
    put_text("\n");
}
