/* VM exits load host state, or abort: SDM "Loading Host State", "Loading MSRs" and "VMX Aborts". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

static const struct vm_exit cpuid_exit = {.reason = EXIT_REASON_CPUID, .instruction_length = 2};

static void registers(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    struct vmcs *v = &b.vmx.vmcs;
    v->host_ia32_sysenter_cs = 0x10;
    v->host_ia32_sysenter_esp = 0x2000;
    v->host_ia32_sysenter_eip = 0x3000;
    v->host_rsp = 0x7777;
    bench_enter(&b);
    b.state.cr0 |= CR0_CD;
    b.state.cr2 = 0x55;
    b.state.dr6 = 0xffff0ff1;
    v->host_cr3 |= 1ull << 63; /* beyond the physical-address width: cleared */
    v->host_cr4 &= ~CR4_PAE;   /* set by "host address-space size" all the same */
    bench_exit(&b, &cpuid_exit);
    const struct cpu_state *s = &b.state;
    assert_int_equal(s->cr0, v->host_cr0 | CR0_CD);
    assert_int_equal(s->cr2, 0x55);
    assert_int_equal(s->cr3, 0x1000);
    assert_int_equal(s->cr4, CR4_PAE | CR4_VMXE | CR4_PGE);
    assert_int_equal(s->dr6, 0xffff0ff1);
    assert_int_equal(s->dr7, 0x400);
    assert_int_equal(s->msr.debugctl, 0);
    assert_int_equal(s->msr.sysenter_cs, 0x10);
    assert_int_equal(s->msr.sysenter_esp, 0x2000);
    assert_int_equal(s->msr.sysenter_eip, 0x3000);
    assert_int_equal(s->msr.efer, EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE);
    assert_int_equal(s->rip, 0x400000);
    assert_int_equal(s->gpr[GPR_RSP], 0x7777);
    assert_int_equal(s->rflags, 2);
    assert_false(b.mmu.regime.non_root);
    assert_false(b.mmu.regime.ept);
    assert_int_equal(b.mmu.regime.vpid, 0);
    assert_int_equal(b.mmu.regime.cr3, 0x1000);
    bench_end(&b);
}

/* Where linear-address masking is offered, its bits of CR3 are loaded, and that of CR4. */
static void masking_of_the_host(void **state)
{
    for (unsigned offered = 0; offered < 2; offered++) {
        (void)state;
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        b.f.profile.has_lam = offered;
        bench_enter(&b);
        v->host_cr3 |= CR3_LAM_U48 | CR3_LAM_U57;
        v->host_cr4 |= CR4_LAM_SUP;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(b.state.cr3, offered ? 0x1000 | CR3_LAM_U48 | CR3_LAM_U57 : 0x1000);
        assert_int_equal(b.mmu.regime.cr3, b.state.cr3);
        assert_true(b.state.cr4 & CR4_LAM_SUP);
        assert_true(b.mmu.regime.cr4 & CR4_LAM_SUP);
        bench_end(&b);
    }
}

/* "Loading Host Segment and Descriptor-Table Registers". */
static void segments(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    struct vmcs *v = &b.vmx.vmcs;
    v->host_ds_selector = 0;
    v->host_fs_selector = 0;
    v->host_fs_base = 0x1000;
    v->host_tr_base = 0xffff800000002000ull;
    v->host_gdtr_base = 0x3000;
    v->host_idtr_base = 0x4000;
    bench_enter(&b);
    bench_exit(&b, &cpuid_exit);
    const struct cpu_segment *seg = b.state.seg;
    assert_int_equal(seg[SEG_CS].selector, 8);
    assert_int_equal(seg[SEG_CS].base, 0);
    assert_int_equal(seg[SEG_CS].limit, 0xffffffff);
    assert_int_equal(seg[SEG_CS].access_rights, 0xa09b); /* G, L, P, S, type 11 */
    assert_int_equal(seg[SEG_SS].access_rights, 0xc093); /* G, B, P, S, type 3 */
    assert_int_equal(seg[SEG_SS].limit, 0xffffffff);
    assert_true(seg[SEG_DS].access_rights & AR_UNUSABLE);
    assert_true(seg[SEG_FS].access_rights & AR_UNUSABLE);
    assert_int_equal(seg[SEG_FS].base, 0x1000); /* 64-bit mode: loaded even so */
    assert_int_equal(seg[SEG_GS].base, 0xffff800000000000ull);
    assert_int_equal(seg[SEG_TR].selector, 0x18);
    assert_int_equal(seg[SEG_TR].base, 0xffff800000002000ull);
    assert_int_equal(seg[SEG_TR].limit, 0x67);
    assert_int_equal(seg[SEG_TR].access_rights, 0x8b);
    assert_int_equal(seg[SEG_LDTR].selector, 0);
    assert_int_equal(seg[SEG_LDTR].access_rights, AR_UNUSABLE);
    assert_int_equal(b.state.gdtr.base, 0x3000);
    assert_int_equal(b.state.gdtr.limit, 0xffff);
    assert_int_equal(b.state.idtr.base, 0x4000);
    assert_int_equal(b.state.idtr.limit, 0xffff);
    bench_end(&b);
}

/* Saved whenever the processor can load them at VM entry; loaded by the exit's own controls. */
static void keys_and_cet(void **state)
{
    (void)state;
    for (unsigned load = 0; load < 2; load++) {
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        b.f.cpuid[0].ecx = 1 << 7;
        v->host_ia32_pkrs = 0x77;
        v->host_ia32_s_cet = 2;
        v->host_ssp = 0x8880;
        v->host_ia32_interrupt_ssp_table_addr = 0x9999;
        if (load)
            v->primary_vm_exit_controls |= EXIT_LOAD_PKRS | EXIT_LOAD_CET_STATE;
        bench_enter(&b);
        b.state.msr.pkrs = 0x11;
        b.state.msr.s_cet = 1;
        b.state.ssp = 0x4440;
        b.state.msr.interrupt_ssp_table = 0x2222;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(v->guest_ia32_pkrs, 0x11);
        assert_int_equal(v->guest_ia32_s_cet, 1);
        assert_int_equal(v->guest_ssp, 0x4440);
        assert_int_equal(v->guest_ia32_interrupt_ssp_table_addr, 0x2222);
        assert_int_equal(b.state.msr.pkrs, load ? 0x77 : 0x11);
        assert_int_equal(b.state.msr.s_cet, load ? 2 : 1);
        assert_int_equal(b.state.ssp, load ? 0x8880 : 0x4440);
        assert_int_equal(b.state.msr.interrupt_ssp_table, load ? 0x9999 : 0x2222);
        bench_end(&b);
    }
}

/* SDM "Loading Host Control Registers, Debug Registers, MSRs": cleared by its control, else not modified. */
static void bndcfgs_is_cleared(void **state)
{
    (void)state;
    for (unsigned clear = 0; clear < 2; clear++) {
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        b.f.profile.vmx.true_exit_ctls |= (uint64_t)EXIT_CLEAR_IA32_BNDCFGS << 32;
        if (clear)
            v->primary_vm_exit_controls |= EXIT_CLEAR_IA32_BNDCFGS;
        bench_enter(&b);
        b.state.msr.bndcfgs = 0x7003;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(b.state.msr.bndcfgs, clear ? 0 : 0x7003);
        bench_end(&b);
    }
}

static void msrs_by_control(void **state)
{
    (void)state;
    for (unsigned load = 0; load < 2; load++) {
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        v->host_ia32_perf_global_ctrl = 2;
        if (load)
            v->primary_vm_exit_controls |=
                EXIT_LOAD_IA32_PAT | EXIT_LOAD_IA32_EFER | EXIT_LOAD_IA32_PERF_GLOBAL_CTRL;
        bench_enter(&b);
        b.state.msr.pat = 6;
        b.state.msr.efer = EFER_LMA | EFER_LME | EFER_SCE;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(b.state.msr.pat, load ? 0x0007040600070406ull : 6);
        assert_int_equal(b.state.msr.efer, EFER_LMA | EFER_LME | (load ? EFER_NXE : EFER_SCE));
        assert_int_equal(b.state.msr.perf_global_ctrl, load ? 2 : 0);
        bench_end(&b);
    }
}

/* A 32-bit host with PAE paging: "Checking and Loading Host Page-Directory-Pointer-Table Entries". */
static void setup_pae_host(void (*make)(struct fixture *))
{
    bench_setup(&b, make);
    b.state.msr.efer = 0;
    struct vmcs *v = &b.vmx.vmcs;
    v->primary_vm_exit_controls &= ~EXIT_HOST_ADDRESS_SPACE_SIZE;
    v->host_gs_base = 0;
    v->host_cr3 = 0x4020;
    bench_put(&b, 0x4020 + 8, 0x6001);
}

static void pae_host(void **state)
{
    (void)state;
    setup_pae_host(fixture_pae);
    b.vmx.vmcs.guest_pdpte1 = 0x5001;
    bench_enter(&b);
    b.vmx.vmcs.host_cr4 |= CR4_PCIDE; /* cleared with "host address-space size" 0 */
    bench_exit(&b, &cpuid_exit);
    assert_int_equal(b.state.pdpte[1], 0x6001);
    assert_int_equal(b.mmu.regime.pdpte[1], 0x6001);
    assert_int_equal(b.state.cr4, CR4_PAE | CR4_VMXE | CR4_PGE);
    assert_int_equal(b.state.msr.efer, 0);
    assert_int_equal(b.state.seg[SEG_CS].access_rights, 0xc09b); /* D instead of L */
    bench_end(&b);
}

static void assert_abort(const struct vm_exit *exit, uint32_t indicator)
{
    const uint64_t before = bench_get(&b, FIXTURE_VMCS);
    const struct cpu_outcome outcome = vmx_exit(&b.vmx, exit);
    assert_int_equal(outcome.kind, OUTCOME_VMX_ABORT);
    assert_non_null(outcome.text);
    assert_true(b.vmx.aborted);
    assert_int_equal(b.state.activity_state, ACTIVITY_SHUTDOWN);
    assert_int_equal(bench_get(&b, FIXTURE_VMCS), (uint64_t)indicator << 32 | (uint32_t)before);
    bench_end(&b);
}

static void aborts(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long); /* 1: saving guest MSRs */
    b.vmx.vmcs.vm_exit_msr_store_address = MSR_LIST_2;
    b.vmx.vmcs.vm_exit_msr_store_count = 1;
    bench_put_msr(&b, MSR_LIST_2, 0, MSR_MISSING, 0);
    bench_enter(&b);
    assert_abort(&cpuid_exit, 1);

    setup_pae_host(fixture_pae); /* 2: host PDPTEs */
    bench_put(&b, 0x4020, 0x6003);
    bench_enter(&b);
    assert_abort(&cpuid_exit, 2);

    bench_setup(&b, fixture_long); /* 4: loading host MSRs */
    b.vmx.vmcs.vm_exit_msr_load_address = MSR_LIST_3;
    b.vmx.vmcs.vm_exit_msr_load_count = 1;
    bench_put_msr(&b, MSR_LIST_3, 0, MSR_FS_BASE, 0);
    bench_enter(&b);
    assert_abort(&cpuid_exit, 4);

    setup_pae_host(fixture_pae); /* 6: the guest went to IA-32e mode */
    bench_enter(&b);
    b.state.msr.efer |= EFER_LMA | EFER_LME;
    assert_abort(&cpuid_exit, 6);
}

static void store_list_refuses(void **state)
{
    (void)state;
    static const uint32_t refused[] = {0x802, 0x9e};
    for (unsigned i = 0; i < 2; i++) {
        bench_setup(&b, fixture_long);
        b.vmx.vmcs.vm_exit_msr_store_address = MSR_LIST_2;
        b.vmx.vmcs.vm_exit_msr_store_count = 1;
        bench_put_msr(&b, MSR_LIST_2, 0, refused[i], 0);
        bench_enter(&b);
        assert_abort(&cpuid_exit, 1);
    }
}

static void msr_load_list(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.vm_exit_msr_load_address = MSR_LIST_3;
    b.vmx.vmcs.vm_exit_msr_load_count = 1;
    bench_put_msr(&b, MSR_LIST_3, 0, MSR_KERNEL_GS_BASE, 0x31415928);
    bench_enter(&b);
    bench_exit(&b, &cpuid_exit);
    assert_int_equal(b.state.msr.kernel_gs_base, 0x31415928);
    assert_int_equal(bench_event(&b, TRACE_VM_EXIT)->cost, COST_EXIT + COST_MSR);
    bench_end(&b);
}

/* "Updating Non-Register State" of VM exits: an NMI that exits directly blocks NMIs. */
static void nmi_exit_blocks_nmis(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.pin_based_controls |= PIN_NMI_EXITING;
    bench_enter(&b);
    struct vm_exit exit;
    assert_true(vmx_event_exits(&b.vmx, &(struct cpu_event){.vector = VECTOR_NMI, .type = EVENT_NMI}, &exit));
    bench_exit(&b, &exit);
    assert_int_equal(b.vmx.vmcs.vm_exit_interruption_information, 0x80000202);
    assert_int_equal(b.vmx.vmcs.guest_interruptibility_state, 0);
    assert_int_equal(b.state.interruptibility_state, BLOCKING_BY_NMI);
    bench_end(&b);
}

static void invalidates_without_vpid(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_VPID;
    bench_enter(&b);
    bench_exit(&b, &cpuid_exit);
    assert_int_equal(bench_event(&b, TRACE_TLB_FLUSH)->code, FLUSH_VM_EXIT);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    bench_enter(&b);
    bench_exit(&b, &cpuid_exit);
    assert_null(bench_event(&b, TRACE_TLB_FLUSH));
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers),
        cmocka_unit_test(masking_of_the_host),
        cmocka_unit_test(segments),
        cmocka_unit_test(msrs_by_control),
        cmocka_unit_test(keys_and_cet),
        cmocka_unit_test(bndcfgs_is_cleared),
        cmocka_unit_test(pae_host),
        cmocka_unit_test(aborts),
        cmocka_unit_test(store_list_refuses),
        cmocka_unit_test(msr_load_list),
        cmocka_unit_test(nmi_exit_blocks_nmis),
        cmocka_unit_test(invalidates_without_vpid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
