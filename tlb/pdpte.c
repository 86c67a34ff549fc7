/* pdpte.c: SDM volume 3A, "PDPTE Registers", and the guest-physical reads that load them. */
#include "tlb/room.h"
#include "tlb/walk.h"

#define PDPTE_P 1ull
#define PDPTE_RESERVED 0x1e6ull /* bits 2:1 and 8:5 */
#define CR3_PAE_TABLE 0xffffffe0ull

bool mmu_pdptes_valid(const uint64_t pdpte[4], unsigned physical_address_bits)
{
    uint64_t reserved = PDPTE_RESERVED | ~((1ull << physical_address_bits) - 1);
    for (unsigned i = 0; i < 4; i++)
        if ((pdpte[i] & PDPTE_P) && (pdpte[i] & reserved))
            return false;
    return true;
}

/* SDM volume 3C, "EPT Violations" and "Accessed and Dirty Flags for EPT": a plain read, also with the flags
 * enabled. The exit qualification says that there is no linear address. */
enum mmu_status mmu_read_guest_physical(struct mmu *mmu, uint64_t guest_physical, void *to, size_t size,
                                        struct mmu_fault *fault)
{
    uint8_t *bytes = to;
    while (size) {
        struct ept_page page = {.physical = guest_physical};
        if (mmu->tlb->current.ept) {
            struct walk walk = {.mmu = mmu, .fault = fault};
            enum mmu_status status = ept_access(&walk, guest_physical, EPT_NEED_READ, EPT_FOR_PDPTE, &page);
            const unsigned page_bits = status == MMU_OK ? tlb_size_bits[page.size] : 0;
            if (walk.ept_references)
                mmu_account_walk(mmu, TRACE_MAPPING_GUEST_PHYSICAL, &walk, guest_physical, page_bits);
            else if (status == MMU_OK)
                mmu_record_hit(mmu, TRACE_MAPPING_GUEST_PHYSICAL, guest_physical, 1, page_bits, 0);
            if (status == MMU_EPT_VIOLATION)
                mmu_drop_after_ept_violation(mmu, fault);
            if (status != MMU_OK)
                return status;
        }
        size_t room = 4096 - (size_t)(guest_physical & 0xfff);
        size_t piece = size < room ? size : room;
        for (size_t i = 0; i < piece; i++)
            bytes[i] = (uint8_t)phys_read(mmu->mem, page.physical + i, 1);
        guest_physical += piece;
        bytes += piece;
        size -= piece;
    }
    return MMU_OK;
}

enum mmu_status mmu_load_pdptes(struct mmu *mmu, uint64_t cr3, uint64_t pdpte[4], bool *invalid,
                                struct mmu_fault *fault)
{
    uint64_t loaded[4];
    *invalid = false;
    enum mmu_status status = mmu_read_guest_physical(mmu, cr3 & CR3_PAE_TABLE, loaded, sizeof(loaded), fault);
    if (status != MMU_OK)
        return status;
    *invalid = !mmu_pdptes_valid(loaded, mmu->profile->physical_address_bits);
    if (!*invalid)
        memcpy(pdpte, loaded, sizeof(loaded));
    return MMU_OK;
}
