/* guest_pdptes.c: SDM "Checks on Guest Page-Directory-Pointer-Table Entries". */
#include "tlb/mmu.h"
#include "vmx_model/checks/section_api.h"

static bool pdpte_valid(const struct check_context *c, uint64_t pdpte)
{
    const uint64_t pdptes[4] = {pdpte};
    return mmu_pdptes_valid(pdptes, c->profile->physical_address_bits);
}

/* The SDM lets a VM entry check them even where CR3 does not change. The table is 32-byte aligned (SDM volume
 * 3A, "PAE Paging"); the bits that CR3 must not set are another rule's. Where no RAM is, reads give all ones.
 */
static bool pdptes_in_memory_valid(const struct check_context *c)
{
    uint64_t pdptes[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const uint8_t *ram = phys_ram(c->mem, c->vmcs->guest_cr3 & 0xffffffe0u, sizeof pdptes);
    if (ram)
        memcpy(pdptes, ram, sizeof pdptes);
    return mmu_pdptes_valid(pdptes, c->profile->physical_address_bits);
}

#define SECTION guest_pdptes
#define SECTION_RULES "vmx_model/checks/guest_pdptes.def"
#define SECTION_TITLE "Checks on Guest Page-Directory-Pointer-Table Entries"
#define SECTION_PHASE VMX_CHECK_GUEST
#define SECTION_QUALIFICATION 2
#include "vmx_model/checks/section.h"
