/* world.c: a processor in VMX root operation's reach, with everything in memory that VMCSs point at. */
#include "tests/fuzz/vmx/lab.h"
#include "vmx_model/capabilities.h"

static uint64_t page(struct choices *c)
{
    return LAB_PAGES + 0x1000 * choose(c, LAB_PAGE_COUNT);
}

/* Modes of a guest that the host's page tables serve; LAB_PDPT turns those of 64-bit mode into PAE's. */
static enum guest_mode guest_mode(struct lab *lab, bool unrestricted)
{
    struct choices *c = &lab->choices;
    static const enum guest_mode modes[] = {GUEST_PROTECTED_32, GUEST_PROTECTED_16, GUEST_V86, GUEST_REAL};
    if (one_in(c, 2))
        return lab->host_mode;
    if (lab->host_mode == GUEST_64 && one_in(c, 3))
        return GUEST_COMPATIBILITY;
    return modes[choose(c, unrestricted ? 4 : 3)];
}

/* The guest's paging follows the host's tables: without PAE, PAE or 4-level. */
static void fit_paging(struct lab *lab, enum guest_mode mode, bool unrestricted, struct cpu_state *s)
{
    const bool pae = lab->host.cr4 & CR4_PAE;
    s->cr4 = (s->cr4 & ~(uint64_t)(CR4_PAE | CR4_PSE)) | (pae ? CR4_PAE : CR4_PSE) | CR4_VMXE;
    s->cr0 |= CR0_NE;
    s->cr3 = mode >= GUEST_COMPATIBILITY ? GUEST_PML4
             : pae                       ? (cpu_long_mode(&lab->host) ? LAB_PDPT : GUEST_PDPT)
                                         : GUEST_PD;
    if (unrestricted && mode < GUEST_COMPATIBILITY && (mode == GUEST_REAL || one_in(&lab->choices, 4)))
        s->cr0 &= ~CR0_PG;
    else
        s->cr0 |= CR0_PG;
    for (unsigned i = 0; i < 4; i++)
        s->pdpte[i] = (GUEST_PD + 0x1000 * i) | 1u;
}

static void set_guest(struct lab *lab, struct vmcs *v, bool unrestricted)
{
    struct choices *c = &lab->choices;
    struct cpu_state s = lab->host;
    const enum guest_mode mode = guest_mode(lab, unrestricted);
    memset(s.seg, 0, sizeof s.seg);
    s.cr4 = 0;
    s.interruptibility_state = 0;
    guest_fill_state(c, mode, mode != GUEST_REAL && mode != GUEST_V86, lab->cpu.profile, &s);
    fit_paging(lab, mode, unrestricted, &s);
    s.seg[SEG_TR].access_rights = mode >= GUEST_PROTECTED_32 ? 0x8b : s.seg[SEG_TR].access_rights;
    guest_vmcs_guest(c, v, &s);
    if (!(s.cr4 & CR4_PCIDE))
        v->guest_cr3 = s.cr3;
    v->guest_rflags = s.rflags;
    v->guest_rip = s.rip;
    v->guest_interruptibility_state = s.interruptibility_state & (one_in(c, 2) ? 3 : 0);
    v->guest_ia32_sysenter_eip = GUEST_CODE;
    v->vm_entry_controls &= ~ENTRY_IA32E_MODE_GUEST;
    v->vm_entry_controls |= mode >= GUEST_COMPATIBILITY ? ENTRY_IA32E_MODE_GUEST : 0;
    if (v->vm_entry_interruption_information & INTERRUPTION_VALID || v->guest_interruptibility_state)
        v->guest_activity_state = ACTIVITY_ACTIVE;
    if (one_in(c, 12))
        v->guest_activity_state = choose(c, 4);
    if (one_in(c, 12))
        v->guest_pending_debug_exceptions = choose_bits(c, 16) & 0x500f;
}

/* What guest_vmcs_controls does not know of. */
static void set_more_controls(struct lab *lab, struct vmcs *v)
{
    struct choices *c = &lab->choices;
    const struct vmx_capabilities *caps = &lab->cpu.profile->vmx;
    v->ept_pointer = (one_in(c, 2) ? GUEST_EPT : LAB_EPT) | 0x1e |
                     (one_in(c, 2) && caps->ept_vpid_cap & EPT_CAP_ACCESSED_AND_DIRTY ? 0x40 : 0);
    v->io_bitmap_a_address = page(c);
    v->io_bitmap_b_address = page(c);
    v->msr_bitmap_address = page(c);
    v->virtual_apic_address = page(c);
    v->vmread_bitmap_address = page(c);
    v->vmwrite_bitmap_address = page(c);
    v->pml_address = page(c);
    v->eptp_list_address = LAB_PAGES;
    v->virtualization_exception_information_address = page(c);
    v->sub_page_permission_table_pointer = page(c);
    v->posted_interrupt_descriptor_address = page(c);
    v->posted_interrupt_notification_vector = (uint16_t)choose(c, 256);
    v->apic_access_address = one_in(c, 2) ? GUEST_DATA : GUEST_LAPIC;
    v->tpr_threshold = one_in(c, 2) ? 0 : choose(c, 16);
    v->guest_interrupt_status = (uint16_t)(one_in(c, 2) ? 0 : choose_bits(c, 16));
    v->eoi_exit_bitmap_0 = one_in(c, 2) ? choose_bits(c, 64) : 0;
    v->page_fault_error_code_mask = one_in(c, 3) ? choose(c, 32) : 0;
    v->page_fault_error_code_match = one_in(c, 3) ? choose(c, 32) : 0;
    v->ple_gap = choose(c, 1000);
    v->ple_window = choose(c, 10000);
    v->cr0_read_shadow = choose_bits(c, 32);
    v->cr4_read_shadow = choose_bits(c, 24);
    v->vm_entry_msr_load_address = v->vm_exit_msr_load_address = v->vm_exit_msr_store_address =
        LAB_PAGES + 0x1000;
    if (v->secondary_proc_based_controls & SECONDARY_VMCS_SHADOWING && !one_in(c, 8))
        v->vmcs_link_pointer = LAB_VMCS + 0x1000 * (LAB_VMCSS - 1);
}

/* Half of the VMCSs use much of what is behind the secondary controls. */
static void set_secondary_controls(struct lab *lab, struct vmcs *v)
{
    struct choices *c = &lab->choices;
    const struct vmx_capabilities *caps = &lab->cpu.profile->vmx;
    if (one_in(c, 2))
        return;
    v->primary_proc_based_controls |= PRIMARY_USE_TPR_SHADOW & vmx_controls_may_be_1(caps, VMX_PRIMARY);
    v->secondary_proc_based_controls |= (uint32_t)choose_bits(c, 32) &
                                        vmx_controls_may_be_1(caps, VMX_SECONDARY) &
                                        ~SECONDARY_INSTRUCTION_TIMEOUT;
    if (v->secondary_proc_based_controls & SECONDARY_ENABLE_VM_FUNCTIONS)
        v->vm_function_controls = vmx_vm_functions(caps);
    if (caps->ept_vpid_cap & EPT_CAP_ACCESSED_AND_DIRTY &&
        v->secondary_proc_based_controls & SECONDARY_ENABLE_PML)
        v->ept_pointer |= 0x40;
}

/* Controls that want others: most often what they want is given to them. */
static void settle_controls(struct choices *c, struct vmcs *v)
{
    uint32_t *secondary = &v->secondary_proc_based_controls, *primary = &v->primary_proc_based_controls;
    const uint32_t ept = SECONDARY_UNRESTRICTED_GUEST | SECONDARY_ENABLE_PML | SECONDARY_EPT_VIOLATION_VE |
                         SECONDARY_MODE_BASED_EXECUTE_CONTROL_FOR_EPT |
                         SECONDARY_SUB_PAGE_WRITE_PERMISSIONS_FOR_EPT | SECONDARY_ENABLE_VM_FUNCTIONS;
    const uint32_t apic = SECONDARY_VIRTUALIZE_X2APIC_MODE | SECONDARY_APIC_REGISTER_VIRTUALIZATION |
                          SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
    if (one_in(c, 24))
        return;
    if (!(*secondary & SECONDARY_ENABLE_EPT))
        *secondary &= ~ept;
    if (*secondary & ept && v->ept_pointer & 0x40 && one_in(c, 4))
        v->pml_index = (uint16_t)(choose(c, 3) - 1);
    if (!(*primary & PRIMARY_USE_TPR_SHADOW))
        *secondary &= ~apic;
    if (*secondary & SECONDARY_VIRTUALIZE_X2APIC_MODE)
        *secondary &= ~SECONDARY_VIRTUALIZE_APIC_ACCESSES;
    if (*secondary & SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)
        v->pin_based_controls |= PIN_EXTERNAL_INTERRUPT_EXITING;
    else
        v->pin_based_controls &= ~PIN_PROCESS_POSTED_INTERRUPTS;
    if (v->pin_based_controls & PIN_PROCESS_POSTED_INTERRUPTS)
        v->primary_vm_exit_controls |= EXIT_ACKNOWLEDGE_INTERRUPT;
    if (!(v->pin_based_controls & PIN_NMI_EXITING))
        v->pin_based_controls &= ~PIN_VIRTUAL_NMIS;
    if (!(v->pin_based_controls & PIN_VIRTUAL_NMIS))
        *primary &= ~PRIMARY_NMI_WINDOW_EXITING;
    if (!(v->pin_based_controls & PIN_ACTIVATE_PREEMPTION_TIMER))
        v->primary_vm_exit_controls &= ~EXIT_SAVE_PREEMPTION_TIMER_VALUE;
}

/* A kind of event injection that fits, more often than bits at random do. */
static void set_injection(struct choices *c, struct vmcs *v)
{
    static const uint32_t events[] = {0x80000b0e, 0x80000b0d, 0x80000202, 0x80000030, 0x80000430, 0x80000603,
                                      0x80000b08, 0x80000306, 0x80000700, 0x80000501, 0x80000604};
    if (one_in(c, 3))
        v->vm_entry_interruption_information = events[choose(c, sizeof events / sizeof events[0])];
    v->vm_entry_exception_error_code = choose(c, 32);
}

void lab_fill_vmcs(struct lab *lab, struct vmcs *v)
{
    struct choices *c = &lab->choices;
    const bool launched = v->launched;
    *v = (struct vmcs){.launched = launched};
    guest_vmcs_controls(c, v, &lab->cpu, &lab->host);
    set_more_controls(lab, v);
    set_secondary_controls(lab, v);
    settle_controls(c, v);
    set_injection(c, v);
    set_guest(lab, v,
              v->secondary_proc_based_controls & SECONDARY_UNRESTRICTED_GUEST &&
                  v->primary_proc_based_controls & PRIMARY_ACTIVATE_SECONDARY_CONTROLS);
    guest_vmcs_host(c, v, &lab->host);
    v->host_rip = GUEST_CODE;
    for (unsigned changes = one_in(c, 3) ? choose(c, 4) : 0; changes; changes--) {
        const struct vmcs_field_info *field = vmcs_field_at(choose(c, VMCS_FIELD_COUNT));
        vmcs_write(v, field, one_in(c, 2) ? vmcs_read(v, field) ^ 1ull << choose(c, 64) : choose_value(c));
    }
}

/* Bitmaps: mostly empty, mostly full, or random. */
static void fill_pages(struct lab *lab)
{
    struct choices *c = &lab->choices;
    for (unsigned i = 0; i < LAB_PAGE_COUNT; i++) {
        uint8_t *at = lab->ram + LAB_PAGES + 0x1000 * i;
        memset(at, one_in(c, 4) ? 0xff : 0, 0x1000);
        for (unsigned changes = choose(c, 64); changes; changes--)
            at[choose(c, 0x1000)] = (uint8_t)choose_bits(c, 8);
    }
    const uint64_t eptps[4] = {GUEST_EPT | 0x1e, LAB_EPT | 0x1e, choose_value(c), GUEST_EPT | 0x5e};
    memcpy(lab->ram + LAB_PAGES, eptps, sizeof eptps);
    static const uint32_t msrs[] = {0x174, 0x175, 0xc0000081, 0xc0000102, 0x277, 0x10, 0xc0000080, 0x1d9};
    for (unsigned i = 0; i < 8; i++) {
        const uint64_t entry[2] = {one_in(c, 8) ? choose_value(c) : msrs[choose(c, 8)],
                                   one_in(c, 2) ? choose_address(c) : 0};
        memcpy(lab->ram + LAB_PAGES + 0x1000 + 16 * i, entry, sizeof entry);
    }
}

/* A few pages with bits that only some processors know: sub-page write permissions, verification of paging,
 * user fetches. */
static void change_ept(struct lab *lab)
{
    struct choices *c = &lab->choices;
    for (unsigned changes = choose(c, 6); changes; changes--) {
        uint8_t *entry = lab->ram + LAB_EPT + 0x6000 + 8 * (one_in(c, 3) ? choose(c, 64) : GUEST_DATA >> 12);
        const uint64_t value =
            (phys_read64(&lab->mem, (uint64_t)(entry - lab->ram)) & ~(uint64_t)choose(c, 8)) |
            1ull << (52 + choose(c, 12));
        memcpy(entry, &value, 8);
    }
}

static void fill_vmcss(struct lab *lab)
{
    const uint32_t revision = (uint32_t)(lab->cpu.profile->vmx.basic & VMX_BASIC_REVISION);
    memcpy(lab->ram + GUEST_VMXON, &revision, 4);
    for (unsigned i = 0; i < LAB_VMCSS; i++) {
        struct vmcs v = {0};
        const uint64_t at = LAB_VMCS + 0x1000 * i;
        const bool shadow = i == LAB_VMCSS - 1 && !one_in(&lab->choices, 4);
        const uint32_t identifier = revision | (shadow ? VMCS_REGION_SHADOW : 0);
        memcpy(lab->ram + at, &identifier, 4);
        lab_fill_vmcs(lab, &v);
        vmcs_region_store(&lab->mem, at, &v);
    }
}

void lab_open(struct lab *lab, const uint8_t *data, size_t size)
{
    uint8_t *ram = lab->ram;
    memset(lab, 0, sizeof *lab);
    lab->ram = ram;
    memset(ram, 0, LAB_RAM);
    lab_platform(lab);
    struct choices *c = &lab->choices;
    choices_begin(c, data, size);
    size_t profiles = 0;
    while (cpu_profile_at(profiles))
        profiles++;
    if (!cpu_init(&lab->cpu, cpu_profile_at(choose(c, (unsigned)profiles)), &lab->mem, &lab->trace,
                  &lab->bus))
        abort();
    lab->cpu.fpu_state = (struct fpu_state){0};
    lab->host_mode = one_in(c, 3) ? GUEST_PROTECTED_32 : GUEST_64;
    struct cpu_state *s = &lab->cpu.state;
    guest_fill_state(c, lab->host_mode, true, lab->cpu.profile, s);
    guest_fill_tables(c, ram, lab->host_mode, s);
    s->interruptibility_state = 0;
    s->rflags &= ~(uint64_t)(RFLAGS_TF | RFLAGS_RF);
    for (unsigned i = 0; i < 4; i++) {
        const uint64_t pdpte = (GUEST_PD + 0x1000 * i) | 1u;
        memcpy(ram + LAB_PDPT + 8 * i, &pdpte, 8);
    }
    guest_fill_ept(c, ram, GUEST_EPT);
    guest_fill_ept(c, ram, LAB_EPT);
    change_ept(lab);
    lab->host = *s;
    fill_pages(lab);
    fill_vmcss(lab);
    vmx_update_regime(&lab->cpu.vmx);
}

void lab_close(struct lab *lab)
{
    cpu_free(&lab->cpu);
}
