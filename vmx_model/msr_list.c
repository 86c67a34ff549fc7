/* msr_list.c: VM-entry MSR-load, VM-exit MSR-store and VM-exit MSR-load areas. */
#include "vmx_model/transition.h"

#include <stdio.h>

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

enum area { ENTRY_LOAD, EXIT_STORE, EXIT_LOAD };

static const char *why_not(const struct vmx *vmx, enum area area, uint32_t number, uint32_t index,
                           uint32_t reserved)
{
    if (number > recommended_maximum(vmx))
        return "the list is longer than IA32_VMX_MISC bits 27:25 recommend";
    if (reserved)
        return "bits 63:32 of the entry must be 0";
    if (area == EXIT_STORE)
        return may_store(index) ? "RDMSR of it would fault" : "this MSR cannot be stored by such a list";
    return may_load(index) ? "WRMSR of this value to it would fault"
                           : "this MSR cannot be loaded by such a list";
}

/* For a person. number counts from 1, as the exit qualification of a failed entry does. */
static void explain(struct vmx *vmx, enum area area, uint32_t number, uint64_t address)
{
    static const struct {
        const char *name, *section;
    } areas[] = {[ENTRY_LOAD] = {"VM-entry MSR-load", "Loading MSRs"},
                 [EXIT_STORE] = {"VM-exit MSR-store", "Saving MSRs"},
                 [EXIT_LOAD] = {"VM-exit MSR-load", "Loading MSRs"}};
    const uint32_t index = (uint32_t)phys_read(vmx->mem, address, 4);
    const uint32_t reserved = (uint32_t)phys_read(vmx->mem, address + 4, 4);
    char line[256];
    snprintf(line, sizeof line, "entry %u of the %s area, at %#llx, cannot be %s: %s", number,
             areas[area].name, (unsigned long long)address, area == EXIT_STORE ? "stored" : "loaded",
             why_not(vmx, area, number, index, reserved));
    vmx->ops->explain(vmx->opaque, line);
    snprintf(line, sizeof line, "    MSR %08XH, bits 63:32 of the entry %08XH, value %016llXH", index,
             reserved, (unsigned long long)phys_read64(vmx->mem, address + 8));
    vmx->ops->explain(vmx->opaque, line);
    snprintf(line, sizeof line, "    SDM \"%s\"", areas[area].section);
    vmx->ops->explain(vmx->opaque, line);
}

static uint32_t process(struct vmx *vmx, uint64_t address, uint32_t count, enum cycle_cause cause,
                        enum area area)
{
    const uint32_t maximum = recommended_maximum(vmx);
    for (uint32_t i = 0; i < count; i++, address += ENTRY_SIZE) {
        cycles_charge(vmx->account, cause, vmx->profile->cost.msr_list_entry.cycles);
        if (i >= maximum || !(area == EXIT_STORE ? store_entry : load_entry)(vmx, address)) {
            explain(vmx, area, i + 1, address);
            return i + 1;
        }
    }
    return 0;
}

uint32_t vmx_load_msr_list(struct vmx *vmx, uint64_t address, uint32_t count, enum cycle_cause cause)
{
    return count ? process(vmx, address, count, cause, cause == CYCLES_VM_ENTRY_MSRS ? ENTRY_LOAD : EXIT_LOAD)
                 : 0;
}

uint32_t vmx_store_msr_list(struct vmx *vmx, uint64_t address, uint32_t count)
{
    return count ? process(vmx, address, count, CYCLES_VM_EXIT_MSRS, EXIT_STORE) : 0;
}
