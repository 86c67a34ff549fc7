/* VM entry loads guest state: SDM "Loading Guest State" and "Special Features of VM Entry". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

/* "Loading Guest Control Registers, Debug Registers, and MSRs", "Loading Guest RIP, RSP, RFLAGS, and SSP". */
static void loads_registers(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    struct vmcs *v = &b.vmx.vmcs;
    v->guest_cr4 |= CR4_PGE;
    v->guest_rsp = 0x111122223333ull;
    v->guest_rflags |= RFLAGS_CF;
    v->guest_ia32_sysenter_cs = 0x33;
    v->guest_ia32_sysenter_esp = 0x4444;
    v->guest_ia32_sysenter_eip = 0x5555;
    v->guest_fs_base = 0xffff800000001000ull;
    v->guest_gdtr_base = 0xabc000;
    v->guest_idtr_base = 0xdef000;
    v->guest_idtr_limit = 0x123;
    bench_enter(&b);
    const struct cpu_state *s = &b.state;
    assert_int_equal(s->cr3, FIXTURE_CR3);
    assert_int_equal(s->cr4, CR4_PAE | CR4_VMXE | CR4_PGE);
    assert_int_equal(s->rip, 0x400000);
    assert_int_equal(s->gpr[GPR_RSP], 0x111122223333ull);
    assert_int_equal(s->rflags, RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_CF);
    assert_int_equal(s->msr.sysenter_cs, 0x33);
    assert_int_equal(s->msr.sysenter_esp, 0x4444);
    assert_int_equal(s->msr.sysenter_eip, 0x5555);
    assert_int_equal(s->seg[SEG_FS].base, 0xffff800000001000ull);
    assert_int_equal(s->seg[SEG_CS].access_rights, 0xa09b);
    assert_int_equal(s->seg[SEG_LDTR].selector, 0x20);
    assert_int_equal(s->seg[SEG_TR].limit, 0x67);
    assert_int_equal(s->gdtr.base, 0xabc000);
    assert_int_equal(s->idtr.base, 0xdef000);
    assert_int_equal(s->idtr.limit, 0x123);
    assert_true(b.vmx.vmcs.launched);
    bench_end(&b);
}

/* CR0: ET, CD, NW and reserved bits are never modified by a VM entry. */
static void keeps_cr0_bits(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.state.cr0 |= CR0_CD;
    b.vmx.vmcs.guest_cr0 = (b.vmx.vmcs.guest_cr0 | CR0_NW | CR0_TS | CR0_AM) & ~CR0_ET;
    bench_enter(&b);
    assert_int_equal(b.state.cr0,
                     CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_CD | CR0_PG);
    bench_end(&b);
}

/* "load debug controls": DR7 with bits 12, 14 and 15 clear and bit 10 set, and IA32_DEBUGCTL. */
static void debug_controls_follow_their_control(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_dr7 = 0xd004;
    b.vmx.vmcs.guest_ia32_debugctl = 2;
    b.vmx.vmcs.vm_entry_controls |= ENTRY_LOAD_DEBUG_CONTROLS;
    bench_enter(&b);
    assert_int_equal(b.state.dr7, 0x404);
    assert_int_equal(b.state.msr.debugctl, 2);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.f.profile.vmx.true_entry_ctls &= ~(uint64_t)ENTRY_LOAD_DEBUG_CONTROLS;
    b.vmx.vmcs.guest_dr7 = 0x404;
    b.vmx.vmcs.vm_entry_controls &= ~ENTRY_LOAD_DEBUG_CONTROLS;
    bench_enter(&b);
    assert_int_equal(b.state.dr7, 0x402);
    assert_int_equal(b.state.msr.debugctl, 1);
    bench_end(&b);
}

static void pat_and_perf_follow_their_controls(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_ia32_pat = 0;
    b.vmx.vmcs.guest_ia32_perf_global_ctrl = 3;
    b.state.msr.perf_global_ctrl = 1;
    bench_enter(&b);
    assert_int_equal(b.state.msr.pat, 0x0606060606060606ull);
    assert_int_equal(b.state.msr.perf_global_ctrl, 1);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_ia32_pat = 0;
    b.vmx.vmcs.guest_ia32_perf_global_ctrl = 3;
    b.vmx.vmcs.vm_entry_controls |= ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL;
    bench_enter(&b);
    assert_int_equal(b.state.msr.pat, 0);
    assert_int_equal(b.state.msr.perf_global_ctrl, 3);
    bench_end(&b);
}

static void keys_and_cet_follow_their_controls(void **state)
{
    (void)state;
    for (unsigned load = 0; load < 2; load++) {
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        b.f.cpuid[0].ecx = 1 << 7;
        v->guest_ia32_pkrs = 0x55;
        v->guest_ia32_s_cet = 2;
        v->guest_ssp = 0x1238;
        v->guest_ia32_interrupt_ssp_table_addr = 0x4567;
        if (load)
            v->vm_entry_controls |= ENTRY_LOAD_PKRS | ENTRY_LOAD_CET_STATE;
        bench_enter(&b);
        assert_int_equal(b.state.msr.pkrs, load ? 0x55 : 0);
        assert_int_equal(b.state.msr.s_cet, load ? 2 : 0);
        assert_int_equal(b.state.ssp, load ? 0x1238 : 0);
        assert_int_equal(b.state.msr.interrupt_ssp_table, load ? 0x4567 : 0);
        bench_end(&b);
    }
}

/* SDM "Loading Guest Control Registers, Debug Registers, and MSRs". */
static void bndcfgs_follows_its_control(void **state)
{
    (void)state;
    for (unsigned load = 0; load < 2; load++) {
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        b.f.profile.vmx.true_entry_ctls |= (uint64_t)ENTRY_LOAD_IA32_BNDCFGS << 32;
        b.state.msr.bndcfgs = 0x5001;
        v->guest_ia32_bndcfgs = 0x7003;
        if (load)
            v->vm_entry_controls |= ENTRY_LOAD_IA32_BNDCFGS;
        bench_enter(&b);
        assert_int_equal(b.state.msr.bndcfgs, load ? 0x7003 : 0x5001);
        bench_end(&b);
    }
}

/* Without "load IA32_EFER": LMA from "IA-32e mode guest", LME too if CR0.PG is loaded with 1, the rest
 * unmodified. */
static void efer_without_its_control(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_ia32_efer = 0;
    bench_enter(&b);
    assert_int_equal(b.state.msr.efer, EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE);
    bench_end(&b);

    bench_setup(&b, fixture_pae);
    bench_enter(&b);
    assert_int_equal(b.state.msr.efer, EFER_NXE | EFER_SCE);
    bench_end(&b);

    bench_setup(&b, fixture_real); /* CR0.PG = 0: LME stays */
    bench_enter(&b);
    assert_int_equal(b.state.msr.efer, EFER_LME | EFER_NXE | EFER_SCE);
    bench_end(&b);
}

static void efer_with_its_control(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_ia32_efer = EFER_LMA | EFER_LME;
    b.vmx.vmcs.vm_entry_controls |= ENTRY_LOAD_IA32_EFER;
    bench_enter(&b);
    assert_int_equal(b.state.msr.efer, EFER_LMA | EFER_LME);
    bench_end(&b);
}

/* "Loading Guest Segment Registers and Descriptor-Table Registers": unusable registers. */
static void unusable_segments(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    struct vmcs *v = &b.vmx.vmcs;
    v->guest_ss_selector = v->guest_ds_selector = v->guest_fs_selector = v->guest_ldtr_selector = 0;
    v->guest_ss_access_rights = v->guest_ds_access_rights = AR_UNUSABLE;
    v->guest_fs_access_rights = v->guest_ldtr_access_rights = AR_UNUSABLE;
    v->guest_ss_base = 0x1234567800000018ull;
    v->guest_ds_base = 0x1234567800000018ull;
    v->guest_fs_base = 0x7fff00000000ull;
    v->guest_ldtr_base = 1ull << 62; /* not canonical */
    bench_enter(&b);
    const struct cpu_segment *seg = b.state.seg;
    assert_int_equal(seg[SEG_SS].base, 0x10);                         /* bits 3:0 and 63:32 cleared */
    assert_int_equal(seg[SEG_SS].access_rights, AR_UNUSABLE | AR_DB); /* B always set */
    assert_int_equal(seg[SEG_DS].base, 0x18);
    assert_int_equal(seg[SEG_DS].access_rights, AR_UNUSABLE);
    assert_int_equal(seg[SEG_FS].base, 0x7fff00000000ull);
    assert_int_equal(seg[SEG_LDTR].base, 0);
    assert_int_equal(cpu_cpl(&b.state), 0);
    bench_end(&b);
}

static void real_mode_guest(void **state)
{
    (void)state;
    bench_setup(&b, fixture_real);
    bench_enter(&b);
    assert_true(cpu_real_mode(&b.state));
    assert_false(cpu_long_mode(&b.state));
    assert_int_equal(b.state.seg[SEG_CS].base, 0x12350);
    assert_int_equal(b.state.seg[SEG_CS].limit, 0xffff);
    assert_int_equal(cpu_code_bits(&b.state), 16);
    bench_end(&b);
}

/* "Loading Page-Directory-Pointer-Table Entries": from the VMCS with EPT, from memory without. */
static void pdptes(void **state)
{
    (void)state;
    bench_setup(&b, fixture_pae);
    b.vmx.vmcs.guest_pdpte3 = 0x9001;
    bench_enter(&b);
    assert_int_equal(b.state.pdpte[0], 0x6001);
    assert_int_equal(b.state.pdpte[3], 0x9001);
    assert_int_equal(b.mmu.regime.pdpte[3], 0x9001);
    bench_end(&b);

    bench_setup(&b, fixture_pae);
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_EPT;
    bench_put(&b, FIXTURE_CR3 + 16, 0xa001);
    bench_enter(&b);
    assert_int_equal(b.state.pdpte[0], 0);
    assert_int_equal(b.state.pdpte[2], 0xa001);
    assert_false(b.mmu.regime.ept);
    bench_end(&b);
}

/* VPID and EPT tag the regime; with "enable VPID" 0 mappings of VPID 0000H go: "Updating Non-Register State".
 */
static void regime_and_invalidation(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    assert_true(b.mmu.regime.non_root);
    assert_true(b.mmu.regime.ept);
    assert_int_equal(b.mmu.regime.eptp, 0x5000 | 3 << 3 | 6);
    assert_int_equal(b.mmu.regime.vpid, 1);
    assert_int_equal(b.mmu.regime.cr3, FIXTURE_CR3);
    assert_null(bench_event(&b, TRACE_TLB_FLUSH));
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_VPID;
    bench_enter(&b);
    assert_int_equal(b.mmu.regime.vpid, 0);
    assert_non_null(bench_event(&b, TRACE_TLB_FLUSH));
    assert_int_equal(bench_event(&b, TRACE_TLB_FLUSH)->code, FLUSH_VM_ENTRY);
    bench_end(&b);

    bench_setup(&b, fixture_long); /* secondary controls that are not activated count as 0 */
    b.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    bench_enter(&b);
    assert_false(b.mmu.regime.ept);
    assert_int_equal(b.mmu.regime.vpid, 0);
    bench_end(&b);
}

/* "Interruptibility State" and "Activity State" of "Special Features of VM Entry". */
static void interruptibility_and_activity(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_interruptibility_state = BLOCKING_BY_STI | BLOCKING_BY_NMI;
    bench_enter(&b);
    assert_int_equal(b.state.interruptibility_state, BLOCKING_BY_STI | BLOCKING_BY_NMI);
    assert_false(b.vmx.virtual_nmi_blocking);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.state.interruptibility_state = BLOCKING_BY_NMI; /* of the host */
    b.vmx.vmcs.pin_based_controls |= PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
    b.vmx.vmcs.guest_interruptibility_state = BLOCKING_BY_NMI;
    bench_enter(&b);
    assert_int_equal(b.state.interruptibility_state, 0); /* NMIs are not blocked, virtual NMIs are */
    assert_true(b.vmx.virtual_nmi_blocking);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_activity_state = ACTIVITY_HLT;
    bench_enter(&b);
    assert_int_equal(b.state.activity_state, ACTIVITY_HLT);
    bench_end(&b);
}

/* MSRs of the list are written after the guest-state area is loaded. "Loading MSRs". */
static void msr_load_list(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.vm_entry_msr_load_address = MSR_LIST_1;
    b.vmx.vmcs.vm_entry_msr_load_count = 2;
    bench_put_msr(&b, MSR_LIST_1, 0, MSR_KERNEL_GS_BASE, 0x31415926);
    bench_put_msr(&b, MSR_LIST_1, 1, MSR_EFER, EFER_LMA | EFER_LME);
    bench_enter(&b);
    assert_int_equal(b.state.msr.kernel_gs_base, 0x31415926);
    assert_int_equal(b.state.msr.efer, EFER_LMA | EFER_LME);
    assert_int_equal(b.mmu.regime.efer, EFER_LMA | EFER_LME);
    assert_int_equal(b.account.now, COST_ENTRY + 2 * COST_MSR);
    bench_end(&b);
}

static void emits_event_and_charges(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.launched = true;
    assert_int_equal(vmx_enter(&b.vmx, false, 3).kind, OUTCOME_VM_ENTRY);
    const struct trace_event *event = bench_event(&b, TRACE_VM_ENTRY);
    assert_non_null(event);
    assert_int_equal(event->code, 1); /* VMRESUME */
    assert_int_equal(event->vpid, 1);
    assert_int_equal(event->cost, COST_ENTRY);
    assert_int_equal(b.account.now, COST_ENTRY);
    assert_int_equal(b.vmx.entry_cycles, COST_ENTRY);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_registers),
        cmocka_unit_test(keeps_cr0_bits),
        cmocka_unit_test(debug_controls_follow_their_control),
        cmocka_unit_test(pat_and_perf_follow_their_controls),
        cmocka_unit_test(keys_and_cet_follow_their_controls),
        cmocka_unit_test(bndcfgs_follows_its_control),
        cmocka_unit_test(efer_without_its_control),
        cmocka_unit_test(efer_with_its_control),
        cmocka_unit_test(unusable_segments),
        cmocka_unit_test(real_mode_guest),
        cmocka_unit_test(pdptes),
        cmocka_unit_test(regime_and_invalidation),
        cmocka_unit_test(interruptibility_and_activity),
        cmocka_unit_test(msr_load_list),
        cmocka_unit_test(emits_event_and_charges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
