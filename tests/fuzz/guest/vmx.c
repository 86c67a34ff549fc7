/* vmx.c: a guest of the guest: a VMCS whose host and guest are the present state, with a few changes. */
#include <string.h>

#include "tests/fuzz/guest/guest.h"
#include "vmx_model/capabilities.h"
#include "vmx_model/vmcs.h"

static uint32_t controls(struct choices *c, const struct vmx_capabilities *caps, enum vmx_control_word word,
                         uint32_t wanted)
{
    uint32_t random = (uint32_t)choose_bits(c, 32) & (uint32_t)choose_bits(c, 32);
    return (vmx_controls_may_be_1(caps, word) & (wanted | (one_in(c, 4) ? random : 0))) |
           vmx_controls_must_be_1(caps, word);
}

void guest_vmcs_controls(struct choices *c, struct vmcs *v, const struct cpu *cpu,
                         const struct cpu_state *host)
{
    const struct vmx_capabilities *caps = &cpu->profile->vmx;
    bool host64 = cpu_long_mode(host), ept = one_in(c, 2);
    v->pin_based_controls = controls(c, caps, VMX_PIN_BASED, 0);
    v->primary_proc_based_controls = controls(c, caps, VMX_PRIMARY, 1u << 31);
    v->secondary_proc_based_controls = controls(c, caps, VMX_SECONDARY, ept ? 2 : 0);
    v->primary_vm_exit_controls = controls(c, caps, VMX_EXIT, 0) & ~(1u << 9);
    v->primary_vm_exit_controls |= host64 ? 1u << 9 : 0;
    v->vm_entry_controls = controls(c, caps, VMX_ENTRY, 0) & ~(1u << 9);
    v->vm_entry_controls |= host64 ? 1u << 9 : 0;
    v->exception_bitmap = one_in(c, 2) ? (uint32_t)choose_bits(c, 32) : 0;
    v->ept_pointer = GUEST_EPT | 0x1e;
    v->virtual_processor_identifier = (uint16_t)(1 + choose(c, 3));
    v->msr_bitmap_address = v->io_bitmap_a_address = v->virtual_apic_address = GUEST_VMX_PAGES;
    v->io_bitmap_b_address = v->virtualization_exception_information_address = GUEST_VMX_PAGES + 0x1000;
    v->vmread_bitmap_address = v->vmwrite_bitmap_address = v->pml_address = GUEST_VMX_PAGES + 0x1000;
    v->eptp_list_address = GUEST_VMX_PAGES;
    v->apic_access_address = one_in(c, 2) ? GUEST_LAPIC : GUEST_DATA;
    v->vm_entry_msr_load_address = v->vm_exit_msr_load_address = v->vm_exit_msr_store_address = GUEST_DATA;
    v->vm_entry_msr_load_count = one_in(c, 16) ? choose(c, 4) : 0;
    v->vm_exit_msr_store_count = one_in(c, 8) ? choose(c, 8) : 0;
    v->vm_exit_msr_load_count = one_in(c, 16) ? choose(c, 4) : 0;
    v->vm_function_controls = one_in(c, 2);
    v->vmcs_link_pointer = UINT64_MAX;
    v->vmx_preemption_timer_value = choose(c, 1000);
    v->cr0_guest_host_mask = one_in(c, 2) ? choose_bits(c, 32) : 0;
    v->cr4_guest_host_mask = one_in(c, 2) ? choose_bits(c, 24) : 0;
    v->tsc_multiplier = choose_value(c) | 1;
    v->pml_index = (uint16_t)choose(c, 512);
    if (one_in(c, 6))
        v->vm_entry_interruption_information = 0x80000000 | (uint32_t)(choose_bits(c, 12) & 0x7ff);
    v->vm_entry_instruction_length = 1 + choose(c, 4);
}

void guest_vmcs_guest(struct choices *c, struct vmcs *v, const struct cpu_state *s)
{
#define SEGMENT(name, index)                                                                                 \
    v->guest_##name##_selector = s->seg[index].selector;                                                     \
    v->guest_##name##_base = s->seg[index].base;                                                             \
    v->guest_##name##_limit = s->seg[index].limit;                                                           \
    v->guest_##name##_access_rights = s->seg[index].access_rights;
    SEGMENT(es, SEG_ES)
    SEGMENT(cs, SEG_CS)
    SEGMENT(ss, SEG_SS)
    SEGMENT(ds, SEG_DS)
    SEGMENT(fs, SEG_FS)
    SEGMENT(gs, SEG_GS)
    SEGMENT(ldtr, SEG_LDTR)
    SEGMENT(tr, SEG_TR)
#undef SEGMENT
    v->guest_gdtr_base = s->gdtr.base;
    v->guest_gdtr_limit = s->gdtr.limit;
    v->guest_idtr_base = s->idtr.base;
    v->guest_idtr_limit = s->idtr.limit;
    v->guest_cr0 = s->cr0;
    v->guest_cr3 = s->cr3;
    v->guest_cr4 = s->cr4;
    v->guest_dr7 = 0x400;
    v->guest_ia32_efer = s->msr.efer;
    v->guest_ia32_pat = s->msr.pat;
    v->guest_rsp = GUEST_STACK_TOP - 0x800;
    v->guest_rip = s->rip + choose(c, 16) * 0x100;
    v->guest_rflags = s->rflags & ~RFLAGS_VM;
    v->guest_activity_state = one_in(c, 8) ? 1 : 0;
    v->guest_pdpte0 = s->pdpte[0];
    v->guest_pdpte1 = s->pdpte[1];
    v->guest_pdpte2 = s->pdpte[2];
    v->guest_pdpte3 = s->pdpte[3];
}

void guest_vmcs_host(struct choices *c, struct vmcs *v, const struct cpu_state *s)
{
    v->host_cs_selector = (uint16_t)(s->seg[SEG_CS].selector & ~7);
    v->host_ss_selector = v->host_ds_selector = v->host_es_selector = 4 << 3;
    v->host_tr_selector = (uint16_t)(s->seg[SEG_TR].selector & ~7);
    v->host_tr_base = s->seg[SEG_TR].base;
    v->host_gdtr_base = s->gdtr.base;
    v->host_idtr_base = s->idtr.base;
    v->host_cr0 = s->cr0;
    v->host_cr3 = s->cr3;
    v->host_cr4 = s->cr4;
    v->host_ia32_efer = s->msr.efer;
    v->host_ia32_pat = s->msr.pat;
    v->host_rsp = GUEST_STACK_TOP;
    v->host_rip = s->rip + choose(c, 16) * 0x100;
}

void guest_fill_ept(struct choices *c, uint8_t *ram, uint32_t at)
{
    uint64_t *table = (uint64_t *)(void *)(ram + at);
    table[0] = (at + 0x1000) | 7u;
    for (unsigned i = 0; i < 4; i++)
        table[512 + i] = (at + 0x2000 + 0x1000u * i) | 7u;
    for (uint64_t i = 0; i < 2048; i++)
        table[1024 + i] = i << 21 | 0xb7;
    table[1024] = one_in(c, 2) ? 0xb7 : (at + 0x6000) | 7u;
    for (uint64_t i = 0; i < 512; i++)
        table[3072 + i] =
            i << 12 | (one_in(c, 24) ? choose_bits(c, 12) : 0x37) | (one_in(c, 64) ? 1ull << 63 : 0);
}

static const uint8_t enter[] = {0xf3, 0x0f, 0xc7, 0x36, 0x0f, 0xc7, 0x36, 0x0f, 0x01, 0xc2};

/* VMXON [pointer]; VMPTRLD [pointer + 8]; VMLAUNCH */
static void put_code(uint8_t *at, bool wide, bool bits64)
{
    const uint32_t pointers[2] = {GUEST_DATA + 0xff0, GUEST_DATA + 0xff8};
    for (unsigned i = 0; i < 2; i++) {
        memcpy(at, enter + (i ? 4 : 0), i ? 2 : 3);
        at += i ? 2 : 3;
        *at++ = bits64 ? 0x34 : wide ? 0x35 : 0x36;
        if (bits64)
            *at++ = 0x25;
        memcpy(at, &pointers[i], wide ? 4 : 2);
        at += wide ? 4 : 2;
    }
    memcpy(at, enter + 7, 3);
}

void guest_fill_vmx(struct choices *c, struct cpu *cpu, enum guest_mode mode)
{
    struct cpu_state *s = &cpu->state;
    uint8_t *ram = cpu->mem->ram;
    struct vmcs v = {0};
    guest_vmcs_controls(c, &v, cpu, s);
    guest_vmcs_guest(c, &v, s);
    guest_vmcs_host(c, &v, s);
    for (unsigned changes = one_in(c, 2) ? choose(c, 4) : 0; changes; changes--) {
        const struct vmcs_field_info *field = vmcs_field_at(choose(c, VMCS_FIELD_COUNT));
        vmcs_write(&v, field, one_in(c, 2) ? vmcs_read(&v, field) ^ 1ull << choose(c, 64) : choose_value(c));
    }
    guest_fill_ept(c, ram, GUEST_EPT);
    for (unsigned i = 0; i < 0x2000; i++)
        ram[GUEST_VMX_PAGES + i] = (uint8_t)(one_in(c, 16) ? choose_bits(c, 8) : 0);
    uint32_t revision = (uint32_t)(cpu->profile->vmx.basic & VMX_BASIC_REVISION);
    memcpy(ram + GUEST_VMXON, &revision, 4);
    memcpy(ram + GUEST_VMCS, &revision, 4);
    vmcs_region_store(cpu->mem, GUEST_VMCS, &v);
    const uint64_t pointers[2] = {GUEST_VMXON, GUEST_VMCS};
    memcpy(ram + GUEST_DATA + 0xff0, pointers, sizeof pointers);
    put_code(ram + GUEST_CODE, mode >= GUEST_PROTECTED_32, mode == GUEST_64);
}
