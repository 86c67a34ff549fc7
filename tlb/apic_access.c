/* apic_access.c: SDM volume 3C, "Virtualizing Memory-Mapped APIC Accesses" and the table "Exit Qualification
 * for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses". What is virtualized is
 * vmx_model's to say. */
#include "tlb/room.h"

#define ACCESS_TYPE_SHIFT 12
#define OFFSET_IN_PAGE 0xfffull
#define GUEST_PHYSICAL_DURING_INSTRUCTION 15ull

enum mmu_status mmu_check_apic_access(struct mmu *mmu, uint64_t linear, size_t size, enum mmu_access access,
                                      uint64_t *physical, bool *virtualized, struct mmu_fault *fault)
{
    *virtualized = false;
    if (!mmu_on_apic_access_page(mmu, *physical))
        return MMU_OK;
    const uint64_t offset = *physical & OFFSET_IN_PAGE;
    if (mmu->apic.virtualizes(mmu->apic.opaque, (unsigned)offset, size < 4096 ? (unsigned)size : 4096,
                              access)) {
        *physical = mmu->regime.virtual_apic_page | offset;
        *virtualized = true;
        return MMU_OK;
    }
    /* Types 0, 1 and 2: data read, data write and instruction fetch. */
    *fault =
        (struct mmu_fault){.linear = linear, .qualification = offset | (uint64_t)access << ACCESS_TYPE_SHIFT};
    return MMU_APIC_ACCESS;
}

/* Bits 11:0 are undefined for a guest-physical access: here 0. */
enum mmu_status mmu_guest_physical_apic_access(struct mmu_fault *fault)
{
    *fault = (struct mmu_fault){.qualification = GUEST_PHYSICAL_DURING_INSTRUCTION << ACCESS_TYPE_SHIFT};
    return MMU_APIC_ACCESS;
}
