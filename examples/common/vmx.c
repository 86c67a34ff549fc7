/* vmx.c: what every small hypervisor of ours needs. */
#include "vmx.h"

extern const uint16_t boot_gdtr[];
extern char boot_gdt[], boot_tss[];

enum {
    CODE_SELECTOR = 8, DATA_SELECTOR = 16, TSS_SELECTOR = 24,
    HLT_EXITING = 1 << 7, UNCONDITIONAL_IO_EXITING = 1 << 24,
    ENABLE_EPT = 1 << 1, ENABLE_VPID = 1 << 5, UNRESTRICTED_GUEST = 1 << 7,
    HOST_ADDRESS_SPACE_SIZE = 1 << 9, SAVE_EFER = 1 << 20, LOAD_HOST_EFER = 1 << 21,
    IA32E_MODE_GUEST = 1 << 9, LOAD_GUEST_EFER = 1 << 15,
    EFER_LONG_MODE = 0x500,
};
#define SECONDARY_CONTROLS_ACTIVE (1u << 31)

static uint8_t vmxon_region[4096] __attribute__((aligned(4096)));

bool vmx_enable(void)
{
    if (!(rdmsr(IA32_FEATURE_CONTROL) & 1))
        wrmsr(IA32_FEATURE_CONTROL, 5);
    write_cr4(read_cr4() | 1u << 13);
    *(uint32_t *)vmxon_region = (uint32_t)rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
    uint64_t physical = (uint64_t)vmxon_region;
    bool failed;
    __asm__ volatile("vmxon %1; setna %0" : "=q"(failed) : "m"(physical) : "cc", "memory");
    return !failed;
}

enum { TRUE_MSRS = 12 }; /* from a plain capability MSR to its TRUE one */

uint64_t vmx_capability(uint32_t plain_msr)
{
    bool has_true = rdmsr(IA32_VMX_BASIC) >> 55 & 1;
    return rdmsr(plain_msr + (has_true ? TRUE_MSRS : 0));
}

uint32_t vmx_secondary_allowed(void)
{
    bool has_secondary = vmx_capability(IA32_VMX_PROCBASED_CTLS) >> 63;
    return has_secondary ? (uint32_t)(rdmsr(IA32_VMX_PROCBASED_CTLS2) >> 32) : 0;
}

static uint32_t controls(uint32_t plain_msr, uint32_t wanted)
{
    uint64_t allowed = vmx_capability(plain_msr);
    return (wanted | (uint32_t)allowed) & (uint32_t)(allowed >> 32);
}

static void write_host_state(void)
{
    extern void vmx_exit_point(void);
    vmwrite(HOST_CR0, read_cr0());
    vmwrite(HOST_CR3, read_cr3());
    vmwrite(HOST_CR4, read_cr4());
    vmwrite(HOST_CS_SELECTOR, CODE_SELECTOR);
    for (uint64_t field = HOST_SS_SELECTOR; field <= HOST_GS_SELECTOR; field += 2)
        vmwrite(field, DATA_SELECTOR);
    vmwrite(HOST_ES_SELECTOR, DATA_SELECTOR);
    vmwrite(HOST_TR_SELECTOR, TSS_SELECTOR);
    vmwrite(HOST_TR_BASE, (uint64_t)boot_tss);
    vmwrite(HOST_GDTR_BASE, (uint64_t)boot_gdt);
    vmwrite(HOST_IDTR_BASE, 0);
    vmwrite(HOST_FS_BASE, 0);
    vmwrite(HOST_GS_BASE, 0);
    vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
    vmwrite(HOST_RIP, (uint64_t)vmx_exit_point);
}

bool vmcs_create_with(void *region, const struct vmx_wanted_controls *wanted)
{
    uint32_t secondary = wanted->secondary & vmx_secondary_allowed();
    *(uint32_t *)region = (uint32_t)rdmsr(IA32_VMX_BASIC) & 0x7fffffff;
    if (!vmclear((uint64_t)region) || !vmptrld((uint64_t)region))
        return false;
    vmwrite(PIN_BASED_CONTROLS, controls(IA32_VMX_PINBASED_CTLS, wanted->pin_based));
    vmwrite(PRIMARY_CONTROLS,
            controls(IA32_VMX_PROCBASED_CTLS, wanted->primary | (secondary ? SECONDARY_CONTROLS_ACTIVE : 0)));
    if (secondary)
        vmwrite(SECONDARY_CONTROLS, secondary);
    vmwrite(EXIT_CONTROLS, controls(IA32_VMX_EXIT_CTLS, wanted->exit));
    vmwrite(ENTRY_CONTROLS, controls(IA32_VMX_ENTRY_CTLS, wanted->entry));
    vmwrite(EXCEPTION_BITMAP, 0);
    vmwrite(CR0_GUEST_HOST_MASK, 0);
    vmwrite(CR4_GUEST_HOST_MASK, 0);
    vmwrite(VMCS_LINK_POINTER, ~0ull);
    write_host_state();
    return true;
}

bool vmcs_create(void *region, uint32_t pin_based, uint32_t primary)
{
    return vmcs_create_with(region, &(struct vmx_wanted_controls){
                                        .pin_based = pin_based,
                                        .primary = primary | HLT_EXITING | UNCONDITIONAL_IO_EXITING,
                                        .secondary = ENABLE_EPT | ENABLE_VPID | UNRESTRICTED_GUEST,
                                        .exit = HOST_ADDRESS_SPACE_SIZE | SAVE_EFER | LOAD_HOST_EFER,
                                        .entry = LOAD_GUEST_EFER});
}

/* Segments ES to TR are eight fields apart by 2 in each block of the encoding. */
static void write_segment(unsigned index, uint64_t selector, uint64_t base, uint64_t limit, uint64_t rights)
{
    vmwrite(GUEST_ES_SELECTOR + 2 * index, selector);
    vmwrite(GUEST_ES_BASE + 2 * index, base);
    vmwrite(GUEST_ES_LIMIT + 2 * index, limit);
    vmwrite(GUEST_ES_ACCESS_RIGHTS + 2 * index, rights);
}

static void write_common(uint64_t rip, uint64_t rsp, uint64_t data_limit, uint64_t data_rights, uint64_t code_rights)
{
    enum { CS = 1, LDTR = 6, TR = 7 };
    for (unsigned i = 0; i < LDTR; i++)
        write_segment(i, 0, 0, data_limit, i == CS ? code_rights : data_rights);
    write_segment(LDTR, 0, 0, 0, 0x10000);
    write_segment(TR, 0, 0, 0xffff, 0x8b);
    vmwrite(GUEST_GDTR_BASE, 0);
    vmwrite(GUEST_GDTR_BASE + 2, 0); /* IDTR */
    vmwrite(GUEST_GDTR_LIMIT, 0xffff);
    vmwrite(GUEST_IDTR_LIMIT, 0xffff);
    vmwrite(GUEST_RIP, rip);
    vmwrite(GUEST_RSP, rsp);
    vmwrite(GUEST_RFLAGS, 2);
    vmwrite(GUEST_DR7, 0x400);
    vmwrite(GUEST_ACTIVITY_STATE, 0);
    vmwrite(GUEST_INTERRUPTIBILITY_STATE, 0);
    vmwrite(GUEST_IA32_EFER, 0);
    vmwrite(GUEST_CR3, 0);
    vmwrite(GUEST_CR4, 0x2000); /* VMXE is fixed to 1 in VMX operation */
}

void vmcs_guest_real_mode(uint64_t rip, uint64_t rsp)
{
    write_common(rip, rsp, 0xffff, 0x93, 0x9b);
    vmwrite(GUEST_CR0, 0x20);
}

void vmcs_guest_protected_mode(uint64_t rip, uint64_t rsp, uint64_t cr3)
{
    write_common(rip, rsp, 0xffffffff, 0xc093, 0xc09b);
    vmwrite(GUEST_CR0, 0x80000021);
    vmwrite(GUEST_CR3, cr3);
    vmwrite(GUEST_CR4, 0x2010); /* PSE */
}

void vmcs_guest_long_mode(uint64_t rip, uint64_t rsp, uint64_t cr3)
{
    write_common(rip, rsp, 0xffffffff, 0xc093, 0xa09b);
    vmwrite(GUEST_CR0, 0x80000021);
    vmwrite(GUEST_CR3, cr3);
    vmwrite(GUEST_CR4, 0x2020); /* PAE */
    vmwrite(GUEST_IA32_EFER, EFER_LONG_MODE);
    vmwrite(ENTRY_CONTROLS, vmread(ENTRY_CONTROLS) | IA32E_MODE_GUEST);
}
