/* msr_list.c: VM-entry MSR-load, VM-exit MSR-store and VM-exit MSR-load areas. */
#include "vmx_model/transition.h"

#define ENTRY_SIZE 16 /* SDM "Format of an MSR Entry" */

#define MSR_IA32_BIOS_UPDT_TRIG 0x79u
#define MSR_IA32_SMM_MONITOR_CTL 0x9bu
#define MSR_IA32_SMBASE 0x9eu
#define MSR_IA32_FS_BASE 0xc0000100u
#define MSR_IA32_GS_BASE 0xc0000101u

/* An MSR through which x2APIC mode gives access to the local APIC. */
static bool is_x2apic(uint32_t index)
{
    return index >> 8 == 0x8;
}

/* SDM "Loading MSRs" (of VM entries and of VM exits). A microcode update cannot be loaded by a VMX
 * transition: SDM "Microcode Update Facility" of the VMX support chapter. */
static bool may_load(uint32_t index)
{
    return index != MSR_IA32_FS_BASE && index != MSR_IA32_GS_BASE && !is_x2apic(index) &&
           index != MSR_IA32_SMM_MONITOR_CTL && index != MSR_IA32_BIOS_UPDT_TRIG;
}

/* SDM "Saving MSRs". IA32_SMBASE can be read in SMM only. */
static bool may_store(uint32_t index)
{
    return !is_x2apic(index) && index != MSR_IA32_SMBASE;
}

/* SDM "Miscellaneous Data" (IA32_VMX_MISC bits 27:25): the recommended maximum is 512 * (N + 1) entries; more
 * is undefined behaviour. Here the first entry beyond it fails, which also bounds what a hostile count can
 * cost. */
static uint32_t recommended_maximum(const struct vmx *vmx)
{
    return 512u * (uint32_t)((vmx->profile->vmx.misc >> 25 & 7) + 1);
}

static bool load_entry(struct vmx *vmx, uint64_t address)
{
    const uint32_t index = (uint32_t)phys_read(vmx->mem, address, 4);
    const uint32_t reserved = (uint32_t)phys_read(vmx->mem, address + 4, 4);
    return !reserved && may_load(index) &&
           vmx->ops->write_msr(vmx->opaque, index, phys_read64(vmx->mem, address + 8));
}

static bool store_entry(struct vmx *vmx, uint64_t address)
{
    const uint32_t index = (uint32_t)phys_read(vmx->mem, address, 4);
    const uint32_t reserved = (uint32_t)phys_read(vmx->mem, address + 4, 4);
    uint64_t value;
    if (reserved || !may_store(index) || !vmx->ops->read_msr(vmx->opaque, index, &value))
        return false;
    phys_write64(vmx->mem, address + 8, value);
    return true;
}

static uint32_t process(struct vmx *vmx, uint64_t address, uint32_t count, enum cycle_cause cause,
                        bool (*entry)(struct vmx *, uint64_t))
{
    const uint32_t maximum = recommended_maximum(vmx);
    for (uint32_t i = 0; i < count; i++) {
        cycles_charge(vmx->account, cause, vmx->profile->cost.msr_list_entry.cycles);
        if (i >= maximum || !entry(vmx, address + (uint64_t)i * ENTRY_SIZE))
            return i + 1;
    }
    return 0;
}

uint32_t vmx_load_msr_list(struct vmx *vmx, uint64_t address, uint32_t count, enum cycle_cause cause)
{
    return count ? process(vmx, address, count, cause, load_entry) : 0;
}

uint32_t vmx_store_msr_list(struct vmx *vmx, uint64_t address, uint32_t count)
{
    return count ? process(vmx, address, count, CYCLES_VM_EXIT_MSRS, store_entry) : 0;
}
