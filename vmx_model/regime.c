/* regime.c: what address translation depends on, from the processor's state and the current VMCS. */
#include "vmx_model/effective_controls.h"
#include "vmx_model/vmx.h"

void vmx_update_regime(struct vmx *vmx)
{
    const struct cpu_state *s = vmx->state;
    struct mmu_regime regime = {
        .cr0 = s->cr0,
        .cr3 = s->cr3,
        .cr4 = s->cr4,
        .efer = s->msr.efer,
        .pdpte = {s->pdpte[0], s->pdpte[1], s->pdpte[2], s->pdpte[3]},
        .pkru = s->pkru,
        .pkrs = (uint32_t)s->msr.pkrs,
        .non_root = vmx->non_root,
    };
    /* SDM "VPIDs": 0000H outside of VMX non-root operation and with "enable VPID" 0. "EPT Overview": EPT
     * translates in VMX non-root operation only. */
    if (vmx->non_root) {
        regime.vpid = vmcs_current_vpid(&vmx->vmcs);
        regime.ept = vmcs_ept_enabled(&vmx->vmcs);
        regime.eptp = regime.ept ? vmx->vmcs.ept_pointer : 0;
        regime.mode_based_execute =
            (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_MODE_BASED_EXECUTE_CONTROL_FOR_EPT) != 0;
        const uint64_t tertiary = vmcs_tertiary_controls(&vmx->vmcs);
        regime.hlat = (tertiary & TERTIARY_ENABLE_HLAT) != 0;
        regime.hlat_pointer = vmx->vmcs.hlat_pointer;
        regime.hlat_upper_only = vmx->vmcs.hlat_prefix_size != 0;
        regime.paging_write = (tertiary & TERTIARY_EPT_PAGING_WRITE_CONTROL) != 0;
        regime.verify_guest_paging = (tertiary & TERTIARY_GUEST_PAGING_VERIFICATION) != 0;
        regime.sub_page_write =
            (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_SUB_PAGE_WRITE_PERMISSIONS_FOR_EPT) != 0;
        regime.spptp = vmx->vmcs.sub_page_permission_table_pointer;
        if (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_ENABLE_PML) {
            regime.pml_address = vmx->vmcs.pml_address;
            regime.pml_index = &vmx->vmcs.pml_index;
        }
        regime.apic_access = (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_VIRTUALIZE_APIC_ACCESSES) != 0;
        regime.apic_access_page = vmx->vmcs.apic_access_address;
        regime.virtual_apic_page = vmx->vmcs.virtual_apic_address;
    }
    mmu_set_regime(vmx->mmu, &regime);
}
