/* translations.c: the modelled TLB's bookkeeping, counted anew from its entries. */
#include "tests/fuzz/vmx/lab.h"
#include "tlb/tlb.h"

struct counts {
    uint64_t live[TLB_SIZE_COUNT], ghosts[TLB_SIZE_COUNT], guest_physical[TLB_SIZE_COUNT],
        guest_physical_ghosts[TLB_SIZE_COUNT];
    uint64_t vpid[256];
};

static unsigned size_of(uint64_t where)
{
    return (unsigned)(where >> TLB_SIZE_SHIFT & 3);
}

static void count_array(const struct lab *lab, const struct tlb_array *array, bool guest_physical,
                        struct counts *n)
{
    for (uint32_t set = 0; set < array->sets; set++) {
        uint32_t used = 0;
        for (uint32_t i = set * array->ways; i < (set + 1) * array->ways; i++) {
            if (array->where[i] & TLB_VALID) {
                used++;
                (guest_physical ? n->guest_physical : n->live)[size_of(array->where[i])]++;
                if (!guest_physical)
                    n->vpid[array->context[i] >> TLB_VPID_SHIFT & 0xff]++;
            } else if (array->ghost[i]) {
                (guest_physical ? n->guest_physical_ghosts : n->ghosts)[size_of(array->ghost[i])]++;
            }
        }
        REQUIRE(lab, array->used[set] == used);
    }
}

void lab_require_tlb(const struct lab *lab)
{
    const struct tlb *tlb = lab->cpu.mmu.tlb;
    struct counts n = {0};
    count_array(lab, &tlb->main, false, &n);
    count_array(lab, &tlb->large, false, &n);
    count_array(lab, &tlb->huge, false, &n);
    count_array(lab, &tlb->guest_physical, true, &n);
    for (unsigned size = 0; size < TLB_SIZE_COUNT; size++) {
        REQUIRE(lab, tlb->live[size] == n.live[size]);
        REQUIRE(lab, tlb->guest_physical_live[size] == n.guest_physical[size]);
    }
    for (unsigned vpid = 0; vpid < 256; vpid++)
        REQUIRE(lab, tlb->vpid_live[vpid] == n.vpid[vpid]);
}

void lab_require_no_vpid(const struct lab *lab, uint16_t vpid)
{
    const struct tlb *tlb = lab->cpu.mmu.tlb;
    const struct tlb_array *arrays[] = {&tlb->main, &tlb->large, &tlb->huge};
    if (!tlb->vpid_live[vpid & 0xff])
        return;
    for (unsigned a = 0; a < 3; a++)
        for (uint32_t i = 0; i < arrays[a]->sets * arrays[a]->ways; i++)
            REQUIRE(lab, !(arrays[a]->where[i] & TLB_VALID) ||
                             (arrays[a]->context[i] & TLB_VPID) >> TLB_VPID_SHIFT != vpid);
}
