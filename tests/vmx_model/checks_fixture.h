/*
 * checks_fixture.h: VMCSs that pass every VM-entry rule, for the tests and the fuzz target of
 * vmx_model/checks.
 *
 * The processor is a made-up one of the Skylake class whose capability MSRs allow a little more than any real
 * profile of vtsim, so that rules behind optional controls can be reached.
 */
#ifndef VTSIM_TESTS_CHECKS_FIXTURE_H
#define VTSIM_TESTS_CHECKS_FIXTURE_H

#include <string.h>

#include "vmx_model/checks/checks.h"
#include "vmx_model/controls.h"
#include "vtsim/cpu_state.h"
#include "vtsim/outcome.h"

#define FIXTURE_REVISION 0x11u
#define FIXTURE_RAM 0x10000u
#define FIXTURE_LINKED 0x3000u /* a VMCS region, for the link pointer */
#define FIXTURE_CR3 0x4000u
#define FIXTURE_VMCS 0x8000u
#define FIXTURE_VIRTUAL_APIC 0x1000u
#define FIXTURE_DESCRIPTOR 0x2040u
#define FIXTURE_PID_TABLE 0x2800u

struct fixture {
    struct vmcs vmcs;
    struct cpu_profile profile;
    struct cpuid_leaf cpuid[2];
    struct phys_mem mem;
    struct check_context context;
    uint8_t ram[FIXTURE_RAM];
};

/* Controls that must be 1 in the fixture's processor (SDM appendix A, default1 class with TRUE capability
 * MSRs). */
enum { PIN_FIXED = 0x16, EXIT_FIXED = 0x36dfb, ENTRY_FIXED = 0x11fb };
#define PRIMARY_FIXED 0x4006172u

static inline uint64_t fixture_allowed(uint64_t must_be_1, uint64_t may_be_1)
{
    return may_be_1 << 32 | must_be_1;
}

static inline void fixture_profile(struct fixture *f)
{
    struct vmx_capabilities *vmx = &f->profile.vmx;
    f->profile.name = "fixture";
    f->profile.physical_address_bits = 39;
    f->profile.linear_address_bits = 48;
    f->profile.has_nx = true;
    vmx->basic = FIXTURE_REVISION | 4096ull << 32 | 6ull << 50 | 1ull << 55;
    vmx->true_pinbased_ctls = fixture_allowed(PIN_FIXED, 0xff);
    vmx->true_procbased_ctls = fixture_allowed(PRIMARY_FIXED, 0xf7fbfffeu); /* no monitor trap flag */
    vmx->procbased_ctls2 =
        fixture_allowed(0, SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID | SECONDARY_UNRESTRICTED_GUEST |
                               SECONDARY_ENABLE_RDTSCP | SECONDARY_VIRTUALIZE_APIC_ACCESSES |
                               SECONDARY_VIRTUALIZE_X2APIC_MODE | SECONDARY_APIC_REGISTER_VIRTUALIZATION |
                               SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
    vmx->procbased_ctls3 = TERTIARY_IPI_VIRTUALIZATION;
    vmx->true_exit_ctls = fixture_allowed(EXIT_FIXED, 0x307fffff); /* CET state and PKRS */
    vmx->true_entry_ctls =
        fixture_allowed(ENTRY_FIXED, 0x50ffff); /* with bits 11:10, which no rule but one refuses */
    /* The ones without TRUE refuse everything: whoever looks at them fails. */
    vmx->pinbased_ctls = vmx->procbased_ctls = vmx->exit_ctls = vmx->entry_ctls = 0xffffffffull;
    vmx->misc = 4ull << 16 | 7ull << 6;
    vmx->cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG;
    vmx->cr0_fixed1 = 0xffffffff;
    vmx->cr4_fixed0 = CR4_VMXE;
    vmx->cr4_fixed1 = 0xf727ff; /* CET (bit 23) included, for its rule */
    vmx->ept_vpid_cap = 1ull << 6 | 1ull << 14;
    f->cpuid[0] = (struct cpuid_leaf){7, 0, 0, 0, 0, 0};
    f->cpuid[1] = (struct cpuid_leaf){0xa, CPUID_ANY_SUBLEAF, 4 | 4u << 8, 0, 0, 3};
    f->profile.cpuid = f->cpuid;
    f->profile.cpuid_count = 2;
}

static inline void fixture_host(struct vmcs *v)
{
    v->host_cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    v->host_cr3 = 0x1000;
    v->host_cr4 = CR4_PAE | CR4_VMXE | CR4_PGE;
    v->host_cs_selector = 0x8;
    v->host_ss_selector = v->host_ds_selector = v->host_es_selector = 0x10;
    v->host_tr_selector = 0x18;
    v->host_gs_base = 0xffff800000000000ull;
    v->host_rip = 0x400000;
    v->host_ia32_pat = 0x0007040600070406ull;
    v->host_ia32_efer = EFER_LMA | EFER_LME | EFER_NXE;
}

static inline void fixture_guest(struct vmcs *v)
{
    v->guest_cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    v->guest_cr3 = FIXTURE_CR3;
    v->guest_cr4 = CR4_PAE | CR4_VMXE;
    v->guest_dr7 = 0x400;
    v->guest_rip = 0x400000;
    v->guest_rflags = RFLAGS_FIXED1 | RFLAGS_IF;
    v->guest_cs_selector = 0x8;
    v->guest_cs_access_rights = 0xa09b;
    v->guest_ss_selector = v->guest_ds_selector = v->guest_es_selector = 0x10;
    v->guest_fs_selector = v->guest_gs_selector = 0x10;
    v->guest_ss_access_rights = v->guest_ds_access_rights = v->guest_es_access_rights = 0xc093;
    v->guest_fs_access_rights = v->guest_gs_access_rights = 0xc093;
    v->guest_cs_limit = v->guest_ss_limit = v->guest_ds_limit = 0xffffffff;
    v->guest_es_limit = v->guest_fs_limit = v->guest_gs_limit = 0xffffffff;
    v->guest_tr_selector = 0x18;
    v->guest_tr_access_rights = 0x8b;
    v->guest_tr_limit = 0x67;
    v->guest_ldtr_selector = 0x20;
    v->guest_ldtr_access_rights = 0x82;
    v->guest_ldtr_limit = 0x1f;
    v->guest_gdtr_limit = v->guest_idtr_limit = 0xfff;
    v->guest_ia32_pat = 0x0007040600070406ull;
    v->guest_ia32_efer = EFER_LMA | EFER_LME | EFER_NXE;
    v->vmcs_link_pointer = UINT64_MAX;
}

/* A 64-bit guest under a 64-bit host, with EPT and VPID; EPTP of write-back type and 4 levels. */
static inline void fixture_long(struct fixture *f)
{
    struct vmcs *v = &f->vmcs;
    memset(f, 0, sizeof *f);
    fixture_profile(f);
    fixture_host(v);
    fixture_guest(v);
    v->pin_based_controls = PIN_FIXED;
    v->primary_proc_based_controls = PRIMARY_FIXED | PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    v->secondary_proc_based_controls = SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID;
    v->primary_vm_exit_controls = EXIT_FIXED | EXIT_HOST_ADDRESS_SPACE_SIZE;
    v->vm_entry_controls = ENTRY_FIXED | ENTRY_IA32E_MODE_GUEST;
    v->virtual_processor_identifier = 1;
    v->ept_pointer = 0x5000 | 3 << 3 | 6;
    const uint32_t identifier = FIXTURE_REVISION;
    memcpy(f->ram + FIXTURE_LINKED, &identifier, sizeof identifier);
    f->mem.low_size = FIXTURE_RAM;
    f->context.current_vmcs = FIXTURE_VMCS;
    f->context.ia32e_mode = true;
}

/* Virtual-interrupt delivery on top of fixture_long; then posted interrupts on top of that; or IPI
 * virtualization. */
static inline void virtual_interrupts(struct fixture *f)
{
    struct vmcs *v = &f->vmcs;
    v->pin_based_controls |= PIN_EXTERNAL_INTERRUPT_EXITING;
    v->primary_proc_based_controls |= PRIMARY_USE_TPR_SHADOW;
    v->secondary_proc_based_controls |= SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
    v->virtual_apic_address = FIXTURE_VIRTUAL_APIC;
}

static inline void posted_interrupts(struct fixture *f)
{
    struct vmcs *v = &f->vmcs;
    virtual_interrupts(f);
    v->pin_based_controls |= PIN_PROCESS_POSTED_INTERRUPTS;
    v->primary_vm_exit_controls |= EXIT_ACKNOWLEDGE_INTERRUPT;
    v->posted_interrupt_notification_vector = 0xf2;
    v->posted_interrupt_descriptor_address = FIXTURE_DESCRIPTOR;
}

static inline void virtual_ipis(struct fixture *f)
{
    struct vmcs *v = &f->vmcs;
    v->primary_proc_based_controls |= PRIMARY_USE_TPR_SHADOW | PRIMARY_ACTIVATE_TERTIARY_CONTROLS;
    v->tertiary_proc_based_controls = TERTIARY_IPI_VIRTUALIZATION;
    v->virtual_apic_address = FIXTURE_VIRTUAL_APIC;
    v->pid_pointer_table_address = FIXTURE_PID_TABLE;
}

/* A 32-bit guest with PAE paging, its PDPTEs in the VMCS. */
static inline void fixture_pae(struct fixture *f)
{
    fixture_long(f);
    struct vmcs *v = &f->vmcs;
    v->vm_entry_controls &= ~ENTRY_IA32E_MODE_GUEST;
    v->guest_ia32_efer = 0;
    v->guest_cs_access_rights = 0xc09b;
    v->guest_pdpte0 = 0x6001;
}

/* A virtual-8086 guest with 32-bit paging. */
static inline void fixture_v86(struct fixture *f)
{
    fixture_pae(f);
    struct vmcs *v = &f->vmcs;
    v->guest_cr4 = CR4_VMXE;
    v->guest_rflags |= RFLAGS_VM;
#define FIXTURE_V86_SEGMENT(reg)                                                                             \
    v->guest_##reg##_selector = 0x1234;                                                                      \
    v->guest_##reg##_base = 0x12340;                                                                         \
    v->guest_##reg##_limit = 0xffff;                                                                         \
    v->guest_##reg##_access_rights = 0xf3;
    FIXTURE_V86_SEGMENT(cs)
    FIXTURE_V86_SEGMENT(ss)
    FIXTURE_V86_SEGMENT(ds)
    FIXTURE_V86_SEGMENT(es)
    FIXTURE_V86_SEGMENT(fs)
    FIXTURE_V86_SEGMENT(gs)
#undef FIXTURE_V86_SEGMENT
}

/* A real-mode guest: "unrestricted guest", CR0.PE and CR0.PG clear, CS of type 3. */
static inline void fixture_real(struct fixture *f)
{
    fixture_pae(f);
    struct vmcs *v = &f->vmcs;
    v->secondary_proc_based_controls |= SECONDARY_UNRESTRICTED_GUEST;
    v->guest_cr0 = CR0_ET | CR0_NE;
    v->guest_cr4 = CR4_VMXE;
#define FIXTURE_REAL_SEGMENT(reg)                                                                            \
    v->guest_##reg##_selector = 0x1235;                                                                      \
    v->guest_##reg##_base = 0x12350;                                                                         \
    v->guest_##reg##_limit = 0xffff;                                                                         \
    v->guest_##reg##_access_rights = 0x93;
    FIXTURE_REAL_SEGMENT(cs)
    FIXTURE_REAL_SEGMENT(ss)
    FIXTURE_REAL_SEGMENT(ds)
    FIXTURE_REAL_SEGMENT(es)
    FIXTURE_REAL_SEGMENT(fs)
    FIXTURE_REAL_SEGMENT(gs)
#undef FIXTURE_REAL_SEGMENT
}

/* A 32-bit host for a guest outside IA-32e mode: VM entry from outside IA-32e mode. */
static inline void fixture_host_32(struct fixture *f)
{
    f->context.ia32e_mode = false;
    f->vmcs.primary_vm_exit_controls &= ~EXIT_HOST_ADDRESS_SPACE_SIZE;
    f->vmcs.host_ia32_efer = 0;
}

/* To be called after every change, since a fixture may have moved. */
static inline const struct check_context *fixture_context(struct fixture *f)
{
    f->profile.cpuid = f->cpuid;
    f->mem.ram = f->ram;
    f->context.vmcs = &f->vmcs;
    f->context.profile = &f->profile;
    f->context.mem = &f->mem;
    vmx_check_prepare(&f->context);
    return &f->context;
}

#endif
