/* VM exits record and save: SDM "Recording VM-Exit Information and Updating VM-Entry Control Fields", "Saving
 * Guest State" and "Saving MSRs". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

static const struct vm_exit cpuid_exit = {.reason = EXIT_REASON_CPUID, .instruction_length = 2};

static void records_information(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    const struct vm_exit exit = {.reason = EXIT_REASON_EPT_VIOLATION,
                                 .qualification = 0x181,
                                 .guest_linear_address = 0x1000,
                                 .guest_physical_address = 0x2000,
                                 .idt_vectoring_information = 0x80000b0e,
                                 .idt_vectoring_error_code = 2,
                                 .instruction_information = 0x44};
    b.state.rip = 0x400123;
    bench_exit(&b, &exit);
    const struct vmcs *v = &b.vmx.vmcs;
    assert_int_equal(v->exit_reason, 48);
    assert_int_equal(v->exit_qualification, 0x181);
    assert_int_equal(v->guest_linear_address, 0x1000);
    assert_int_equal(v->guest_physical_address, 0x2000);
    assert_int_equal(v->vm_exit_interruption_information, 0);
    assert_int_equal(v->idt_vectoring_information, 0x80000b0e);
    assert_int_equal(v->idt_vectoring_error_code, 2);
    assert_int_equal(v->vm_exit_instruction_length, 0);
    assert_int_equal(v->vm_exit_instruction_information, 0x44);
    assert_int_equal(v->guest_rip, 0x400123);
    const struct trace_event *event = bench_event(&b, TRACE_VM_EXIT);
    assert_int_equal(event->code, 48);
    assert_int_equal(event->a, 0x181);
    assert_int_equal(event->b, 0x400123);
    assert_int_equal(event->vpid, 1);
    assert_int_equal(event->cost, COST_EXIT);
    assert_int_equal(b.account.now, COST_ENTRY + COST_EXIT);
    bench_end(&b);
}

/* A fault met in delivering INT n reports the length of INT n. */
static void instruction_length_of_vectoring(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    struct vm_exit exit = {.reason = EXIT_REASON_EXCEPTION_OR_NMI, .interruption_information = 0x80000b0d};
    vmx_note_vectoring(&exit, &(struct cpu_event){
                                  .vector = 0x80, .type = EVENT_SOFTWARE_INTERRUPT, .instruction_length = 2});
    bench_exit(&b, &exit);
    assert_int_equal(b.vmx.vmcs.idt_vectoring_information, 0x80000480);
    assert_int_equal(b.vmx.vmcs.vm_exit_instruction_length, 2);
    bench_end(&b);
}

/* Everything that entry loads is saved as it then is: enter, exit, compare the guest-state area. */
static void round_trip(void (*make)(struct fixture *))
{
    bench_setup(&b, make);
    b.vmx.vmcs.primary_vm_exit_controls |=
        EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_PAT | EXIT_SAVE_IA32_EFER;
    b.vmx.vmcs.vm_entry_controls |= ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER;
    b.vmx.vmcs.guest_rsp = 0x8000;
    b.vmx.vmcs.guest_gs_base = 0x3000;
    b.vmx.vmcs.guest_ia32_sysenter_cs = 0x9;
    b.vmx.vmcs.guest_ia32_sysenter_eip = 0x9000;
    b.vmx.vmcs.guest_ia32_debugctl = 1;
    if (b.vmx.vmcs.guest_rflags & RFLAGS_VM || !(b.vmx.vmcs.guest_cr0 & CR0_PE))
        b.vmx.vmcs.guest_gs_base = b.f.vmcs.guest_gs_base;
    const struct vmcs before = b.vmx.vmcs;
    bench_enter(&b);
    bench_exit(&b, &cpuid_exit);
    struct vmcs expected = before;
    expected.launched = true;
    expected.exit_reason = EXIT_REASON_CPUID;
    expected.vm_exit_instruction_length = 2;
    const struct vmcs_field_info *field;
    for (size_t i = 0; (field = vmcs_field_at(i)); i++)
        if (vmcs_read(&b.vmx.vmcs, field) != vmcs_read(&expected, field))
            fail_msg("%s: %#llx instead of %#llx", field->name,
                     (unsigned long long)vmcs_read(&b.vmx.vmcs, field),
                     (unsigned long long)vmcs_read(&expected, field));
    /* And the host runs. */
    assert_true(cpu_64bit_mode(&b.state));
    assert_int_equal(b.state.rip, before.host_rip);
    bench_end(&b);
}

static void round_trips(void **state)
{
    (void)state;
    round_trip(fixture_long);
    round_trip(fixture_pae);
    round_trip(fixture_v86);
    round_trip(fixture_real);
}

static void controlled_saves(void **state)
{
    (void)state;
    for (unsigned save = 0; save < 2; save++) {
        bench_setup(&b, fixture_long);
        b.f.profile.vmx.true_exit_ctls &= ~(uint64_t)EXIT_SAVE_DEBUG_CONTROLS; /* need not be 1 here */
        struct vmcs *v = &b.vmx.vmcs;
        v->primary_vm_exit_controls &= ~EXIT_SAVE_DEBUG_CONTROLS;
        if (save)
            v->primary_vm_exit_controls |=
                EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_PAT | EXIT_SAVE_IA32_EFER;
        bench_enter(&b);
        b.state.dr7 = 0x408;
        b.state.msr.debugctl = 3;
        b.state.msr.pat = 6;
        b.state.msr.efer = EFER_LMA | EFER_LME;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(v->guest_dr7, save ? 0x408 : 0x400);
        assert_int_equal(v->guest_ia32_debugctl, save ? 3 : 0);
        assert_int_equal(v->guest_ia32_pat, save ? 6 : 0x0007040600070406ull);
        assert_int_equal(v->guest_ia32_efer, save ? EFER_LMA | EFER_LME : EFER_LMA | EFER_LME | EFER_NXE);
        bench_end(&b);
    }
}

/* SDM "Saving Control Registers, Debug Registers, and MSRs": with its control, what the guest left in the
 * MSR. */
static void perf_global_ctrl(void **state)
{
    (void)state;
    for (unsigned save = 0; save < 2; save++) {
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        b.f.profile.vmx.true_exit_ctls |= (uint64_t)EXIT_SAVE_IA32_PERF_GLOBAL_CTL << 32;
        v->guest_ia32_perf_global_ctrl = 1;
        if (save)
            v->primary_vm_exit_controls |= EXIT_SAVE_IA32_PERF_GLOBAL_CTL;
        bench_enter(&b);
        b.state.msr.perf_global_ctrl = 2;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(v->guest_ia32_perf_global_ctrl, save ? 2 : 1);
        bench_end(&b);
    }
}

/* Same section: on a processor that supports either control, whatever they are; else not. */
static void bndcfgs_by_capability(void **state)
{
    (void)state;
    for (unsigned supported = 0; supported < 3; supported++) {
        bench_setup(&b, fixture_long);
        struct vmcs *v = &b.vmx.vmcs;
        if (supported == 1)
            b.f.profile.vmx.true_entry_ctls |= (uint64_t)ENTRY_LOAD_IA32_BNDCFGS << 32;
        if (supported == 2)
            b.f.profile.vmx.true_exit_ctls |= (uint64_t)EXIT_CLEAR_IA32_BNDCFGS << 32;
        v->guest_ia32_bndcfgs = 1;
        bench_enter(&b);
        b.state.msr.bndcfgs = 0x7003;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(v->guest_ia32_bndcfgs, supported ? 0x7003 : 1);
        bench_end(&b);
    }
}

/* IA32_VMX_MISC bit 5: IA32_EFER.LMA is stored into "IA-32e mode guest". */
static void stores_lma(void **state)
{
    (void)state;
    bench_setup(&b, fixture_real);
    bench_enter(&b);
    b.state.msr.efer |= EFER_LMA | EFER_LME; /* the guest has switched to long mode */
    bench_exit(&b, &cpuid_exit);
    assert_true(b.vmx.vmcs.vm_entry_controls & ENTRY_IA32E_MODE_GUEST);
    bench_end(&b);

    bench_setup(&b, fixture_real);
    b.f.profile.vmx.misc &= ~(1ull << 5);
    bench_enter(&b);
    b.state.msr.efer |= EFER_LMA | EFER_LME;
    bench_exit(&b, &cpuid_exit);
    assert_false(b.vmx.vmcs.vm_entry_controls & ENTRY_IA32E_MODE_GUEST);
    bench_end(&b);
}

/* "Saving Segment Registers and Descriptor-Table Registers": bits 63:32 of unusable SS, DS, ES; undefined
 * access-rights bits clear. */
static void unusable_segments(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    for (unsigned i = SEG_ES; i <= SEG_LDTR; i++)
        if (i != SEG_CS)
            b.state.seg[i] = (struct cpu_segment){.base = 0xffff800000001000ull,
                                                  .access_rights = 0xfff00f60 | AR_UNUSABLE};
    bench_exit(&b, &cpuid_exit);
    const struct vmcs *v = &b.vmx.vmcs;
    assert_int_equal(v->guest_ss_base, 0x1000);
    assert_int_equal(v->guest_ds_base, 0x1000);
    assert_int_equal(v->guest_es_base, 0x1000);
    assert_int_equal(v->guest_fs_base, 0xffff800000001000ull);
    assert_int_equal(v->guest_ldtr_base, 0xffff800000001000ull);
    assert_int_equal(v->guest_ss_access_rights, 0x10060); /* DPL is saved */
    bench_end(&b);
}

static uint32_t saved_rf(const struct vm_exit *exit, bool rf)
{
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    b.state.rflags |= rf ? RFLAGS_RF : 0;
    bench_exit(&b, exit);
    bench_end(&b);
    return (b.vmx.vmcs.guest_rflags & RFLAGS_RF) != 0;
}

/* "Saving RIP, RSP, RFLAGS, and SSP". */
static void resume_flag(void **state)
{
    (void)state;
    const uint32_t pf_info = 0x80000b0e, db_info = 0x80000301, bp_info = 0x80000603;
    assert_int_equal(saved_rf(&cpuid_exit, true), 0);
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EXCEPTION_OR_NMI,
                                                .interruption_information = pf_info},
                              false),
                     1);
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EXCEPTION_OR_NMI,
                                                .interruption_information = db_info},
                              false),
                     0);
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EXCEPTION_OR_NMI,
                                                .interruption_information = db_info,
                                                .qualification = 1 << 13},
                              false),
                     1);
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EXCEPTION_OR_NMI,
                                                .interruption_information = bp_info},
                              false),
                     0);
    /* task switches: what the old TSS would get; CALL, JMP and IRET clear RF as they begin */
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_TASK_SWITCH}, true), 0);
    assert_int_equal(
        saved_rf(&(struct vm_exit){.reason = EXIT_REASON_TASK_SWITCH, .idt_vectoring_information = pf_info},
                 false),
        1);
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EXTERNAL_INTERRUPT}, true), 1);
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_PREEMPTION_TIMER_EXPIRED}, false), 0);
    assert_int_equal(saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EPT_VIOLATION}, false), 1);
    assert_int_equal(
        saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EPT_VIOLATION, .idt_vectoring_information = bp_info},
                 false),
        0);
    assert_int_equal(
        saved_rf(&(struct vm_exit){.reason = EXIT_REASON_EPT_VIOLATION, .idt_vectoring_information = pf_info},
                 false),
        1);
}

/* "Saving Non-Register State". */
static void interruptibility_and_activity(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    b.state.interruptibility_state = BLOCKING_BY_STI | BLOCKING_BY_NMI;
    b.state.activity_state = ACTIVITY_HLT;
    bench_exit(&b, &(struct vm_exit){.reason = EXIT_REASON_EXTERNAL_INTERRUPT});
    assert_int_equal(b.vmx.vmcs.guest_interruptibility_state, BLOCKING_BY_STI | BLOCKING_BY_NMI);
    assert_int_equal(b.vmx.vmcs.guest_activity_state, ACTIVITY_HLT);
    assert_int_equal(b.state.interruptibility_state, BLOCKING_BY_NMI); /* a VM exit does not affect it */
    assert_int_equal(b.state.activity_state, ACTIVITY_ACTIVE);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.vmx.vmcs.pin_based_controls |= PIN_NMI_EXITING | PIN_VIRTUAL_NMIS;
    bench_enter(&b);
    b.vmx.virtual_nmi_blocking = true;
    bench_exit(&b, &cpuid_exit);
    assert_int_equal(b.vmx.vmcs.guest_interruptibility_state, BLOCKING_BY_NMI);
    assert_int_equal(b.state.interruptibility_state, 0);
    bench_end(&b);
}

static uint64_t saved_pending(uint32_t reason, uint32_t information, uint32_t blocking)
{
    bench_setup(&b, fixture_long);
    bench_enter(&b);
    b.state.interruptibility_state = blocking;
    b.state.pending_debug_exceptions = 0x4000;
    bench_exit(&b, &(struct vm_exit){.reason = reason, .interruption_information = information});
    assert_int_equal(b.state.pending_debug_exceptions, 0);
    bench_end(&b);
    return b.vmx.vmcs.guest_pending_debug_exceptions;
}

static void pending_debug_exceptions(void **state)
{
    (void)state;
    assert_int_equal(saved_pending(EXIT_REASON_CPUID, 0, 0), 0);
    assert_int_equal(saved_pending(EXIT_REASON_CPUID, 0, BLOCKING_BY_MOV_SS), 0x4000);
    assert_int_equal(saved_pending(EXIT_REASON_INIT_SIGNAL, 0, 0), 0x4000);
    assert_int_equal(saved_pending(EXIT_REASON_EXCEPTION_OR_NMI, 0x80000312, 0), 0x4000); /* #MC */
    assert_int_equal(saved_pending(EXIT_REASON_EXCEPTION_OR_NMI, 0x80000301, BLOCKING_BY_MOV_SS),
                     0);                                                             /* #DB */
    assert_int_equal(saved_pending(EXIT_REASON_EXCEPTION_OR_NMI, 0x80000306, 0), 0); /* #UD */
}

/* In MOV SS's shadow a single-step trap is pending by RFLAGS.TF, unless IA32_DEBUGCTL.BTF has only branches
 * stepped; without it the entry check of BS would refuse what an exit saved. */
static void single_step_held_by_mov_ss(void **state)
{
    (void)state;
    static const struct {
        uint64_t rflags, debugctl;
        uint32_t blocking;
        uint64_t expected;
    } rows[] = {{RFLAGS_TF, 0, BLOCKING_BY_MOV_SS, 0x4000},
                {0, 0, BLOCKING_BY_MOV_SS, 0},
                {RFLAGS_TF, 2, BLOCKING_BY_MOV_SS, 0},
                {RFLAGS_TF, 0, 0, 0}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_setup(&b, fixture_long);
        bench_enter(&b);
        b.state.rflags |= rows[i].rflags;
        b.state.msr.debugctl = rows[i].debugctl;
        b.state.interruptibility_state = rows[i].blocking;
        bench_exit(&b, &cpuid_exit);
        assert_int_equal(b.vmx.vmcs.guest_pending_debug_exceptions, rows[i].expected);
        bench_end(&b);
    }
}

/* PDPTE fields: with EPT, for a guest that uses PAE paging. */
static void pdptes(void **state)
{
    (void)state;
    bench_setup(&b, fixture_pae);
    bench_enter(&b);
    b.state.pdpte[1] = 0xb001;
    bench_exit(&b, &cpuid_exit);
    assert_int_equal(b.vmx.vmcs.guest_pdpte0, 0x6001);
    assert_int_equal(b.vmx.vmcs.guest_pdpte1, 0xb001);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    bench_enter(&b);
    b.state.pdpte[1] = 0xb001;
    bench_exit(&b, &cpuid_exit);
    assert_int_equal(b.vmx.vmcs.guest_pdpte1, 0);
    bench_end(&b);
}

/* In real-address mode no error code is reported. */
static void no_error_code_in_real_mode(void **state)
{
    (void)state;
    bench_setup(&b, fixture_real);
    bench_enter(&b);
    bench_exit(&b, &(struct vm_exit){.reason = EXIT_REASON_EXCEPTION_OR_NMI,
                                     .interruption_information = 0x80000b0d,
                                     .idt_vectoring_information = 0x80000b0d});
    assert_int_equal(b.vmx.vmcs.vm_exit_interruption_information, 0x8000030d);
    assert_int_equal(b.vmx.vmcs.idt_vectoring_information, 0x8000030d);
    bench_end(&b);
}

/* MSR-store area: values of the guest; the TSC without the guest's offset. */
static void msr_store_list(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    struct vmcs *v = &b.vmx.vmcs;
    v->primary_proc_based_controls |= PRIMARY_USE_TSC_OFFSETTING;
    v->tsc_offset = 0x100000;
    v->vm_exit_msr_store_address = MSR_LIST_2;
    v->vm_exit_msr_store_count = 2;
    bench_put_msr(&b, MSR_LIST_2, 0, MSR_KERNEL_GS_BASE, 0);
    bench_put_msr(&b, MSR_LIST_2, 1, MSR_TSC, 0);
    bench_enter(&b);
    assert_int_equal(vmx_tsc(&b.vmx), 0x100000 + COST_ENTRY);
    b.state.msr.kernel_gs_base = 0x31415927;
    bench_exit(&b, &cpuid_exit);
    assert_int_equal(bench_get(&b, MSR_LIST_2 + 8), 0x31415927);
    assert_int_equal(bench_get(&b, MSR_LIST_2 + 24), COST_ENTRY + COST_EXIT + 2 * COST_MSR);
    assert_int_equal(vmx_tsc(&b.vmx), b.account.now);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_information),
        cmocka_unit_test(instruction_length_of_vectoring),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(controlled_saves),
        cmocka_unit_test(perf_global_ctrl),
        cmocka_unit_test(bndcfgs_by_capability),
        cmocka_unit_test(stores_lma),
        cmocka_unit_test(unusable_segments),
        cmocka_unit_test(resume_flag),
        cmocka_unit_test(interruptibility_and_activity),
        cmocka_unit_test(pending_debug_exceptions),
        cmocka_unit_test(single_step_held_by_mov_ss),
        cmocka_unit_test(pdptes),
        cmocka_unit_test(no_error_code_in_real_mode),
        cmocka_unit_test(msr_store_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
