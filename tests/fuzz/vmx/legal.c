/* legal.c: is the processor's state one that it can be in? */
#include "sim/cpu/msr.h"
#include "tests/fuzz/vmx/lab.h"
#include "vmx_model/capabilities.h"
#include "vmx_model/checks/checks.h"
#include "vmx_model/transition.h"

static void tell(void *opaque, const char *line)
{
    (void)opaque;
    fprintf(stderr, "%s\n", line);
}

struct violations {
    const struct vmcs *saved; /* by a VM exit that happened; null: by one that might */
    bool other_btf;           /* BTF of the field that the entry was judged by is not the processor's */
    const struct vmx_rule *first;
};

/* What a VM exit may save though no VM entry takes it. PDPTEs in memory: it may be other than when the guest
 * loaded them. A debug exception that exits leaves no pending debug exceptions, though the guest's blocking
 * by STI is saved with its RFLAGS.TF: SDM "Saving Non-Register State", and KVM for one puts BS in before it
 * enters again. */
static bool excused(const struct vmcs *saved, const struct vmx_rule *rule)
{
    if (!strcmp(rule->id, "guest_pdptes_in_memory_valid"))
        return true;
    return !strcmp(rule->id, "guest_pending_debug_bs_set") &&
           (saved->exit_reason & 0xffff) == EXIT_REASON_EXCEPTION_OR_NMI &&
           (saved->vm_exit_interruption_information & (INTERRUPTION_TYPE | INTERRUPTION_VECTOR)) ==
               (EVENT_HARDWARE_EXCEPTION << INTERRUPTION_TYPE_SHIFT | VECTOR_DB);
}

static void see(void *opaque, const struct vmx_rule *rule)
{
    static const char single_step[] = "guest_pending_debug_bs_";
    struct violations *seen = opaque;
    if (seen->other_btf && !strncmp(rule->id, single_step, strlen(single_step)))
        return;
    if (!seen->first && !(seen->saved && excused(seen->saved, rule)))
        seen->first = rule;
}

/* What is saved must do for an entry. save: what an INIT signal, whose VM exit saves all as it is, would save
 * now; else what the VM exit that just happened saved in *v. */
void lab_require_enterable(struct lab *lab, const struct vmcs *saved, bool save)
{
    struct vmx vmx = lab->cpu.vmx;
    struct vmcs *v = &vmx.vmcs;
    *v = *saved;
    if (save)
        vmx_save_guest_state(&vmx, &(struct vm_exit){.reason = EXIT_REASON_INIT_SIGNAL});
    v->vm_entry_interruption_information &= ~INTERRUPTION_VALID;
    if (save) {
        v->vm_entry_controls = (v->vm_entry_controls & ~ENTRY_IA32E_MODE_GUEST) |
                               (cpu_long_mode(vmx.state) ? ENTRY_IA32E_MODE_GUEST : 0);
        if (!cpu_long_mode(vmx.state))
            v->guest_cr3 &= ~CPU_CR3_LAM; /* left over from IA-32e mode */
    }
    struct check_context context = {.vmcs = v,
                                    .profile = vmx.profile,
                                    .mem = vmx.mem,
                                    .current_vmcs = vmx.current_vmcs,
                                    .ia32e_mode =
                                        (v->primary_vm_exit_controls & EXIT_HOST_ADDRESS_SPACE_SIZE) != 0};
    vmx_check_prepare(&context);
    /* Without "load debug controls" and "save debug controls" the field is not the processor's. */
    struct violations seen = {
        .saved = save ? NULL : v,
        .other_btf = save ? ((saved->guest_ia32_debugctl ^ vmx.state->msr.debugctl) & DEBUGCTL_BTF) != 0
                          : !(v->primary_vm_exit_controls & EXIT_SAVE_DEBUG_CONTROLS)};
    if (vmx_check_first(&context, VMX_CHECK_GUEST, NULL))
        vmx_check_all(&context, VMX_CHECK_GUEST, see, &seen);
    if (seen.first)
        vmx_explain_violations(&context, VMX_CHECK_GUEST, tell, NULL);
    REQUIRE(lab, !seen.first);
}

static void require_host_segment(const struct lab *lab, const struct cpu_segment *seg, uint16_t selector,
                                 uint64_t base)
{
    REQUIRE(lab, seg->selector == selector && seg->base == base);
    REQUIRE(lab, selector
                     ? (seg->access_rights & ~(uint32_t)AR_UNUSABLE) == 0xc093 && seg->limit == UINT32_MAX
                     : (seg->access_rights & AR_UNUSABLE) != 0);
}

/* SDM "Loading Host State". With an MSR-load list, what that can change is not looked at. */
void lab_require_host_state(struct lab *lab, const struct cpu_state *s)
{
    const struct vmcs *v = &lab->cpu.vmx.vmcs;
    const bool host64 = v->primary_vm_exit_controls & EXIT_HOST_ADDRESS_SPACE_SIZE;
    const bool list = v->vm_exit_msr_load_count != 0;
    const uint64_t loaded = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    REQUIRE(lab, !((s->cr0 ^ v->host_cr0) & loaded));
    REQUIRE(lab, s->cr3 == v->host_cr3);
    REQUIRE(lab, s->cr4 == (host64 ? v->host_cr4 | CR4_PAE : v->host_cr4 & ~CR4_PCIDE));
    REQUIRE(lab, cpu_long_mode(s) == host64 && ((s->msr.efer & EFER_LME) != 0) == host64);
    REQUIRE(lab, s->rip == v->host_rip && s->gpr[GPR_RSP] == v->host_rsp && s->rflags == RFLAGS_FIXED1);
    REQUIRE(lab, s->dr7 == 0x400 && (list || s->msr.debugctl == 0));
    REQUIRE(lab, s->activity_state == ACTIVITY_ACTIVE && !s->pending_debug_exceptions);
    REQUIRE(lab, !(s->interruptibility_state & ~BLOCKING_BY_NMI));
    REQUIRE(lab, s->gdtr.base == v->host_gdtr_base && s->gdtr.limit == 0xffff);
    REQUIRE(lab, s->idtr.base == v->host_idtr_base && s->idtr.limit == 0xffff);
    REQUIRE(lab, s->seg[SEG_CS].selector == v->host_cs_selector && s->seg[SEG_CS].base == 0 &&
                     s->seg[SEG_CS].access_rights == (host64 ? 0xa09bu : 0xc09bu));
    require_host_segment(lab, &s->seg[SEG_SS], v->host_ss_selector, 0);
    require_host_segment(lab, &s->seg[SEG_DS], v->host_ds_selector, 0);
    require_host_segment(lab, &s->seg[SEG_ES], v->host_es_selector, 0);
    if (!list) {
        require_host_segment(lab, &s->seg[SEG_FS], v->host_fs_selector, v->host_fs_base);
        require_host_segment(lab, &s->seg[SEG_GS], v->host_gs_selector, v->host_gs_base);
        REQUIRE(lab, s->msr.sysenter_cs == v->host_ia32_sysenter_cs &&
                         s->msr.sysenter_esp == v->host_ia32_sysenter_esp &&
                         s->msr.sysenter_eip == v->host_ia32_sysenter_eip);
        REQUIRE(lab, !(v->primary_vm_exit_controls & EXIT_LOAD_IA32_PAT) || s->msr.pat == v->host_ia32_pat);
        REQUIRE(lab,
                !(v->primary_vm_exit_controls & EXIT_LOAD_IA32_EFER) || s->msr.efer == v->host_ia32_efer);
    }
    REQUIRE(lab, s->seg[SEG_TR].selector == v->host_tr_selector && s->seg[SEG_TR].base == v->host_tr_base &&
                     s->seg[SEG_TR].limit == 0x67 && s->seg[SEG_TR].access_rights == 0x8b);
    REQUIRE(lab, s->seg[SEG_LDTR].access_rights & AR_UNUSABLE && !s->seg[SEG_LDTR].selector);
}

/* SDM "VMX Aborts". */
static void require_abort(const struct lab *lab)
{
    const struct vmx *vmx = &lab->cpu.vmx;
    const uint64_t indicator = phys_read(&lab->mem, vmx->current_vmcs + VMCS_REGION_ABORT_INDICATOR, 4);
    REQUIRE(lab, vmx->aborted && lab->cpu.state.activity_state == ACTIVITY_SHUTDOWN);
    REQUIRE(lab, indicator >= 1 && indicator <= 6);
    REQUIRE(lab, lab->cpu.text && lab->cpu.text[0]);
}

static void require_state(const struct lab *lab)
{
    const struct cpu *cpu = &lab->cpu;
    const struct cpu_state *s = &cpu->state;
    const unsigned bits = cpu->profile->linear_address_bits;
    REQUIRE(lab, (s->rflags & RFLAGS_FIXED1) && !(s->rflags & ~0x3f7fd7ull));
    REQUIRE(lab, !(s->cr0 & CR0_PG) || (s->cr0 & CR0_PE));
    REQUIRE(lab, cpu_long_mode(s) == ((s->msr.efer & EFER_LME) && (s->cr0 & CR0_PG)));
    REQUIRE(lab, !cpu_long_mode(s) || ((s->cr4 & CR4_PAE) && !(s->rflags & RFLAGS_VM)));
    REQUIRE(lab, cpu_64bit_mode(s) || !(s->rip >> 32));
    REQUIRE(lab, vmx_cr_allowed(&cpu->vmx, 0, s->cr0) && vmx_cr_allowed(&cpu->vmx, 4, s->cr4));
    REQUIRE(lab, !(s->cr3 & cpu_cr3_reserved(cpu->profile)));
    REQUIRE(lab, !(s->dr6 >> 32) && !(s->dr7 >> 32));
    REQUIRE(lab, s->activity_state <= ACTIVITY_WAIT_FOR_SIPI && !(s->interruptibility_state & ~15u));
    REQUIRE(lab, cpu_canonical(s->seg[SEG_FS].base, bits) && cpu_canonical(s->seg[SEG_GS].base, bits) &&
                     cpu_canonical(s->seg[SEG_TR].base, bits) && cpu_canonical(s->gdtr.base, bits) &&
                     cpu_canonical(s->idtr.base, bits) && cpu_canonical(s->msr.kernel_gs_base, bits));
    REQUIRE(lab, !(s->msr.bndcfgs & BNDCFG_RESERVED) && cpu_canonical(s->msr.bndcfgs & BNDCFG_BASE, bits));
    REQUIRE(lab,
            (s->seg[SEG_LDTR].access_rights & AR_UNUSABLE) || cpu_canonical(s->seg[SEG_LDTR].base, bits));
}

void lab_require_sane(struct lab *lab)
{
    const struct cpu *cpu = &lab->cpu;
    const struct vmx *vmx = &cpu->vmx;
    REQUIRE(lab, cpu->account.now >= lab->now_before && cycles_sum(&cpu->account) == cpu->account.now);
    if (lab->status == CPU_VMX_ABORT) {
        require_abort(lab);
        return;
    }
    REQUIRE(lab, lab->status != CPU_UNSUPPORTED || (cpu->text && cpu->text[0]));
    REQUIRE(lab, lab->status != CPU_TRIPLE_FAULT || (!vmx->non_root && cpu->text && cpu->text[0]));
    if (lab->status != CPU_RUN && lab->status != CPU_HALTED)
        return;
    REQUIRE(lab, !vmx->aborted && !vmx->injection_valid);
    REQUIRE(lab, (lab->status == CPU_RUN) == (cpu->state.activity_state == ACTIVITY_ACTIVE));
    REQUIRE(lab, !vmx->non_root || (vmx->on && vmx->current_vmcs != VMX_NO_VMCS));
    REQUIRE(lab, vmx->on || vmx->current_vmcs == VMX_NO_VMCS);
    REQUIRE(lab, cpu->account.mode == (vmx->non_root ? CYCLES_NON_ROOT : CYCLES_ROOT));
    REQUIRE(lab, cpu->mmu.regime.non_root == vmx->non_root && cpu->mmu.regime.cr3 == cpu->state.cr3);
    require_state(lab);
    if (lab->exited)
        lab_require_host_state(lab, &lab->at_exit);
    if (lab->entry_failed_late && !vmx->non_root)
        REQUIRE(lab,
                vmx->vmcs.exit_reason & EXIT_REASON_VM_ENTRY_FAILURE && cpu->state.rip == vmx->vmcs.host_rip);
}
