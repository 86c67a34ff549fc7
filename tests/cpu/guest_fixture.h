/* guest_fixture.h: puts the processor of events_fixture.h into VMX non-root operation, as if a VM entry had
 * done it. */
#ifndef VTSIM_TESTS_CPU_GUEST_FIXTURE_H
#define VTSIM_TESTS_CPU_GUEST_FIXTURE_H

#include "events_fixture.h"

#define HOST_RIP 0x6800u

static inline void enter_guest(struct machine *m)
{
    struct vmx *vmx = &m->cpu.vmx;
    struct vmcs *v = &vmx->vmcs;
    poke(m, VMCS_AT, m->cpu.profile->vmx.basic & 0x7fffffff, 4);
    vmx->on = vmx->non_root = true;
    vmx->vmxon_pointer = VMCS_AT + 0x1000;
    vmx->current_vmcs = VMCS_AT;
    v->launched = true;
    v->host_cr0 = CR0_PE | CR0_NE | CR0_ET;
    v->host_cr4 = CR4_VMXE;
    v->host_cs_selector = CODE0;
    v->host_ss_selector = v->host_ds_selector = v->host_es_selector = DATA0;
    v->host_tr_selector = TSS;
    v->host_tr_base = TSS_AT;
    v->host_gdtr_base = GDT_AT;
    v->host_idtr_base = IDT_AT;
    v->host_rip = HOST_RIP;
    v->host_rsp = STACK0_TOP;
    v->vmcs_link_pointer = UINT64_MAX;
    m->cpu.state.cr0 |= CR0_NE;
    m->cpu.state.cr4 |= CR4_VMXE;
    vmx_update_regime(vmx);
}

static inline void check_exited(const struct machine *m, uint32_t reason)
{
    assert_false(m->cpu.vmx.non_root);
    assert_int_equal(m->cpu.vmx.vmcs.exit_reason, reason);
    assert_int_equal(m->cpu.state.rip, HOST_RIP);
}

#define EPT_AT 0x30000u

/* Identity EPT of 4 KiB pages for the RAM, with the page of one guest-physical address not present. */
static inline void enable_ept_without(struct machine *m, uint64_t hole)
{
    struct vmcs *v = &m->cpu.vmx.vmcs;
    for (unsigned level = 0; level < 3; level++)
        poke(m, EPT_AT + 0x1000 * level, (EPT_AT + 0x1000 * (level + 1)) | 7, 8);
    for (unsigned page = 0; page < RAM_SIZE >> 12; page++) /* write-back */
        poke(m, EPT_AT + 0x3000 + 8 * page, page == hole >> 12 ? 0 : page << 12 | 0x37, 8);
    v->primary_proc_based_controls |= PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    v->secondary_proc_based_controls |= SECONDARY_ENABLE_EPT;
    v->ept_pointer = EPT_AT | 3 << 3 | 6; /* four levels, write-back */
    vmx_update_regime(&m->cpu.vmx);
}

#define INFORMATION(vector, type) (INTERRUPTION_VALID | (unsigned)(type) << 8 | (vector))

#endif
