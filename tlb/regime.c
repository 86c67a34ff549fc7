/* regime.c: what the lookups and walks need of the regime, worked out once for each change of it. */
#include "tlb/tlb.h"

#define EPTP_ACCESSED_DIRTY (1ull << 6)
#define EPTP_5_LEVELS(eptp) (((eptp) >> 3 & 7) == 4)
#define EPTP_ADDRESS 0x000ffffffffff000ull

#define CR3_TABLE 0x000fffffffffffe0ull /* of PAE paging, the finest */

/* The bits that translation depends on, that of pointers with masked bits (LAM) included: a change of CR0.TS
 * or CR4.OSFXSR need not empty the outer cache. */
#define REGIME_CR0 (CR0_PG | CR0_WP)
#define REGIME_CR4 (CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LAM_SUP)
#define REGIME_EFER (EFER_LMA | EFER_NXE)

/* SDM volume 3A, "Protection Keys": with 4-level and 5-level paging; PKRU for user-mode addresses with
 * CR4.PKE, IA32_PKRS for supervisor-mode addresses with CR4.PKS. */
static uint32_t keys_in_use(const struct mmu_regime *regime, uint64_t cr4_bit, uint32_t keys)
{
    return regime->efer & EFER_LMA && regime->cr4 & cr4_bit ? keys : 0;
}

static bool same_keys(const struct mmu_regime *a, const struct mmu_regime *b)
{
    return keys_in_use(a, CR4_PKE, a->pkru) == keys_in_use(b, CR4_PKE, b->pkru) &&
           keys_in_use(a, CR4_PKS, a->pkrs) == keys_in_use(b, CR4_PKS, b->pkrs);
}

static bool same_apic_page(const struct mmu_regime *a, const struct mmu_regime *b)
{
    return a->apic_access == b->apic_access &&
           (!a->apic_access ||
            (a->apic_access_page == b->apic_access_page && a->virtual_apic_page == b->virtual_apic_page));
}

/* SDM volume 3A, "Ordinary Paging and HLAT Paging"; volume 3C, "EPT Violations". */
static bool same_hlat(const struct mmu_regime *a, const struct mmu_regime *b)
{
    return a->hlat == b->hlat && a->paging_write == b->paging_write &&
           a->verify_guest_paging == b->verify_guest_paging &&
           (!a->hlat || (a->hlat_pointer == b->hlat_pointer && a->hlat_upper_only == b->hlat_upper_only));
}

bool mmu_same_translation(const struct mmu_regime *a, const struct mmu_regime *b)
{
    bool same = !((a->cr0 ^ b->cr0) & REGIME_CR0) && a->cr3 == b->cr3 && !((a->cr4 ^ b->cr4) & REGIME_CR4) &&
                !((a->efer ^ b->efer) & REGIME_EFER) && a->non_root == b->non_root && a->vpid == b->vpid &&
                a->ept == b->ept && a->eptp == b->eptp &&
                a->mode_based_execute == b->mode_based_execute && same_keys(a, b) && same_apic_page(a, b) && same_hlat(a, b);
    for (unsigned i = 0; i < 4; i++)
        same = same && a->pdpte[i] == b->pdpte[i];
    return same;
}

/* SDM volume 3A, "Paging Modes and Control Bits". */
static enum tlb_paging paging_of(const struct mmu_regime *regime)
{
    if (!(regime->cr0 & CR0_PG))
        return TLB_PAGING_NONE;
    if (!(regime->cr4 & CR4_PAE))
        return TLB_PAGING_32BIT;
    if (!(regime->efer & EFER_LMA))
        return TLB_PAGING_PAE;
    return regime->cr4 & CR4_LA57 ? TLB_PAGING_5LEVEL : TLB_PAGING_4LEVEL;
}

static struct tlb_current derive(const struct mmu_regime *regime)
{
    enum tlb_paging paging = paging_of(regime);
    bool on = paging != TLB_PAGING_NONE;
    uint64_t ep4ta = regime->ept ? (regime->eptp & EPTP_ADDRESS) >> 12 : 0;
    uint64_t kind = regime->ept ? TRACE_MAPPING_COMBINED : TRACE_MAPPING_LINEAR;
    /* SDM volume 3A, "Process-Context Identifiers (PCIDs)": 000H while CR4.PCIDE = 0. */
    uint64_t pcid = regime->cr4 & CR4_PCIDE ? regime->cr3 & 0xfff : 0;

    return (struct tlb_current){
        .where = TLB_VALID | pcid << TLB_PCID_SHIFT,
        .context = ep4ta | (uint64_t)regime->vpid << TLB_VPID_SHIFT | kind << TLB_KIND_SHIFT,
        .root = on ? regime->cr3 & CR3_TABLE : 0,
        .guest_physical_context = ep4ta | (uint64_t)TRACE_MAPPING_GUEST_PHYSICAL << TLB_KIND_SHIFT,
        .paging = paging,
        .identity = !on && !regime->ept,
        .ept = regime->ept,
        .ept_accessed_dirty = regime->ept && (regime->eptp & EPTP_ACCESSED_DIRTY),
        .ept_5level = regime->ept && EPTP_5_LEVELS(regime->eptp),
        .mode_based_execute = regime->ept && regime->mode_based_execute,
        .hlat = regime->ept && regime->hlat && paging >= TLB_PAGING_4LEVEL,
        .hlat_upper_only = regime->hlat_upper_only,
        .paging_write = regime->ept && regime->paging_write,
        .verify_guest_paging = regime->ept && regime->paging_write && regime->verify_guest_paging,
        .write_protect = (regime->cr0 & CR0_WP) != 0,
        .smep = on && (regime->cr4 & CR4_SMEP),
        .smap = on && (regime->cr4 & CR4_SMAP),
        .nx = paging >= TLB_PAGING_PAE && (regime->efer & EFER_NXE),
        .global_pages = on && (regime->cr4 & CR4_PGE),
        .user_keys = keys_in_use(regime, CR4_PKE, regime->pkru),
        .supervisor_keys = keys_in_use(regime, CR4_PKS, regime->pkrs),
    };
}

void mmu_set_regime(struct mmu *mmu, const struct mmu_regime *regime)
{
    bool same = mmu_same_translation(&mmu->regime, regime);
    mmu->regime = *regime;
    if (same)
        return;
    mmu->tlb->current = derive(regime);
    if (mmu->outer.switch_regime)
        mmu->outer.switch_regime(mmu->outer.opaque, regime);
    else if (mmu->outer.drop_all)
        mmu->outer.drop_all(mmu->outer.opaque);
}
