/* vmx.h: the VMX instructions and what every small hypervisor of ours needs. Names as in the SDM. */
#ifndef EXAMPLES_COMMON_VMX_H
#define EXAMPLES_COMMON_VMX_H

#include "machine.h"

enum vmcs_field_encoding {
    VIRTUAL_PROCESSOR_IDENTIFIER = 0x0000,
    GUEST_ES_SELECTOR = 0x0800, GUEST_CS_SELECTOR = 0x0802, GUEST_SS_SELECTOR = 0x0804, GUEST_DS_SELECTOR = 0x0806,
    GUEST_FS_SELECTOR = 0x0808, GUEST_GS_SELECTOR = 0x080a, GUEST_LDTR_SELECTOR = 0x080c, GUEST_TR_SELECTOR = 0x080e,
    HOST_ES_SELECTOR = 0x0c00, HOST_CS_SELECTOR = 0x0c02, HOST_SS_SELECTOR = 0x0c04, HOST_DS_SELECTOR = 0x0c06,
    HOST_FS_SELECTOR = 0x0c08, HOST_GS_SELECTOR = 0x0c0a, HOST_TR_SELECTOR = 0x0c0c,
    MSR_BITMAP_ADDRESS = 0x2004, EPT_POINTER = 0x201a, GUEST_PHYSICAL_ADDRESS = 0x2400,
    VMCS_LINK_POINTER = 0x2800, GUEST_IA32_EFER = 0x2806, HOST_IA32_EFER = 0x2c02,
    PIN_BASED_CONTROLS = 0x4000, PRIMARY_CONTROLS = 0x4002, EXCEPTION_BITMAP = 0x4004, EXIT_CONTROLS = 0x400c,
    ENTRY_CONTROLS = 0x4012, ENTRY_INTERRUPTION_INFORMATION = 0x4016, SECONDARY_CONTROLS = 0x401e,
    VM_INSTRUCTION_ERROR = 0x4400, EXIT_REASON = 0x4402, EXIT_INSTRUCTION_LENGTH = 0x440c,
    GUEST_ES_LIMIT = 0x4800, GUEST_GDTR_LIMIT = 0x4810, GUEST_IDTR_LIMIT = 0x4812, GUEST_ES_ACCESS_RIGHTS = 0x4814,
    GUEST_CS_ACCESS_RIGHTS = 0x4816, GUEST_LDTR_ACCESS_RIGHTS = 0x4820, GUEST_TR_ACCESS_RIGHTS = 0x4822,
    GUEST_INTERRUPTIBILITY_STATE = 0x4824, GUEST_ACTIVITY_STATE = 0x4826, PREEMPTION_TIMER_VALUE = 0x482e,
    CR0_GUEST_HOST_MASK = 0x6000, CR4_GUEST_HOST_MASK = 0x6002, CR0_READ_SHADOW = 0x6004, CR4_READ_SHADOW = 0x6006,
    EXIT_QUALIFICATION = 0x6400,
    GUEST_CR0 = 0x6800, GUEST_CR3 = 0x6802, GUEST_CR4 = 0x6804, GUEST_ES_BASE = 0x6806, GUEST_GDTR_BASE = 0x6816, GUEST_IDTR_BASE = 0x6818,
    GUEST_DR7 = 0x681a, GUEST_RSP = 0x681c, GUEST_RIP = 0x681e, GUEST_RFLAGS = 0x6820,
    HOST_CR0 = 0x6c00, HOST_CR3 = 0x6c02, HOST_CR4 = 0x6c04, HOST_FS_BASE = 0x6c06, HOST_GS_BASE = 0x6c08,
    HOST_TR_BASE = 0x6c0a, HOST_GDTR_BASE = 0x6c0c, HOST_IDTR_BASE = 0x6c0e, HOST_RSP = 0x6c14, HOST_RIP = 0x6c16,
};

enum vmx_msr {
    IA32_FEATURE_CONTROL = 0x3a, IA32_VMX_BASIC = 0x480, IA32_VMX_PINBASED_CTLS = 0x481, IA32_VMX_PROCBASED_CTLS = 0x482,
    IA32_VMX_EXIT_CTLS = 0x483, IA32_VMX_ENTRY_CTLS = 0x484, IA32_VMX_MISC = 0x485, IA32_VMX_PROCBASED_CTLS2 = 0x48b,
    IA32_VMX_EPT_VPID_CAP = 0x48c, IA32_VMX_TRUE_PINBASED = 0x48d, IA32_VMX_TRUE_PROCBASED = 0x48e,
    IA32_VMX_TRUE_EXIT = 0x48f, IA32_VMX_TRUE_ENTRY = 0x490, IA32_EFER = 0xc0000080,
};

enum exit_reason {
    EXIT_CPUID = 10, EXIT_HLT = 12, EXIT_VMCALL = 18, EXIT_IO = 30, EXIT_INVALID_GUEST_STATE = 33,
    EXIT_EPT_VIOLATION = 48, EXIT_PREEMPTION_TIMER = 52,
};

struct guest_registers { /* in the order in which vmx_run keeps them */
    uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

static inline bool vmwrite(uint64_t field, uint64_t value)
{
    bool failed;
    __asm__ volatile("vmwrite %2, %1; setna %0" : "=q"(failed) : "r"(field), "rm"(value) : "cc");
    return !failed;
}
static inline uint64_t vmread(uint64_t field)
{
    uint64_t value = 0;
    __asm__ volatile("vmread %1, %0" : "=rm"(value) : "r"(field) : "cc");
    return value;
}
static inline bool vmclear(uint64_t physical)
{
    bool failed;
    __asm__ volatile("vmclear %1; setna %0" : "=q"(failed) : "m"(physical) : "cc", "memory");
    return !failed;
}
static inline bool vmptrld(uint64_t physical)
{
    bool failed;
    __asm__ volatile("vmptrld %1; setna %0" : "=q"(failed) : "m"(physical) : "cc", "memory");
    return !failed;
}

/* CR4.VMXE, IA32_FEATURE_CONTROL, VMXON with a region of our own. */
bool vmx_enable(void);
/* The capability MSR that counts for a control word, given by its plain MSR (IA32_VMX_PINBASED_CTLS to IA32_VMX_ENTRY_CTLS): the
 * TRUE one where there is one. Bits 31:0 must be 1, bits 63:32 may be 1. */
uint64_t vmx_capability(uint32_t plain_msr);
/* Bits of the secondary controls that may be 1; 0 on a processor without them. */
uint32_t vmx_secondary_allowed(void);

struct vmx_wanted_controls { /* what the processor does not allow is left out, what it demands is added */
    uint32_t pin_based, primary, secondary, exit, entry;
};
/* Makes region (4 KiB, aligned) the current, clear VMCS, with host state and these controls, on any processor with VMX. */
bool vmcs_create_with(void *region, const struct vmx_wanted_controls *wanted);
/* Makes region (4 KiB, aligned) the current, clear VMCS, with host state and controls: unrestricted guest, EPT, VPID, HLT and I/O exiting,
 * EFER switched; pin-based and further primary controls as given. */
bool vmcs_create(void *region, uint32_t pin_based, uint32_t primary);
/* Guest state common to all modes; then one of the three. */
void vmcs_guest_real_mode(uint64_t rip, uint64_t rsp);
void vmcs_guest_protected_mode(uint64_t rip, uint64_t rsp, uint64_t cr3);
void vmcs_guest_long_mode(uint64_t rip, uint64_t rsp, uint64_t cr3);
/* VMLAUNCH or VMRESUME; comes back at the next exit. False: the entry failed before guest state was loaded. */
bool vmx_run(struct guest_registers *registers, bool resume);

#endif
