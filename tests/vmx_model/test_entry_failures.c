/* VM entries that fail: SDM "Checks on VMX Controls and Host-State Area", "Loading MSRs" and "VM-Entry
 * Failures During or After Loading Guest State". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

static void assert_vmfail_valid(uint32_t error)
{
    assert_int_equal(b.vmx.vmcs.vm_instruction_error, error);
    assert_int_equal(b.state.rflags & RFLAGS_ARITHMETIC, RFLAGS_ZF);
    assert_int_equal(b.state.rip, 0x1234); /* the caller advances it */
    assert_int_equal(b.state.cr3, 0x7000);
    assert_false(b.vmx.non_root);
    assert_false(b.vmx.vmcs.launched);
    assert_true(b.explanations > 0);
    assert_non_null(bench_event(&b, TRACE_VM_ENTRY_FAILED));
    assert_int_equal(bench_event(&b, TRACE_VM_ENTRY_FAILED)->code, error);
    assert_null(bench_event(&b, TRACE_VM_ENTRY));
}

static void bad_control_is_error_7(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.pin_based_controls |= PIN_VIRTUAL_NMIS; /* without NMI exiting */
    b.vmx.vmcs.host_cr0 = 0;                           /* controls go first */
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_DONE);
    assert_vmfail_valid(7);
    bench_end(&b);
}

static void bad_host_state_is_error_8(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.host_cs_selector = 0;
    b.vmx.vmcs.guest_rflags = 0; /* host state goes first */
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_DONE);
    assert_vmfail_valid(8);
    bench_end(&b);
}

/* What a late failure records, and what it leaves alone. */
static void bad_guest_state_is_exit_33(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    struct vmcs *v = &b.vmx.vmcs;
    v->guest_rflags = 0;
    v->vm_entry_interruption_information = INTERRUPTION_VALID | EVENT_HARDWARE_EXCEPTION << 8 | VECTOR_UD;
    v->vm_exit_instruction_length = 5;
    v->vm_exit_msr_store_count = 1;
    v->vm_exit_msr_store_address = MSR_LIST_2;
    v->vm_exit_msr_load_count = 1;
    v->vm_exit_msr_load_address = MSR_LIST_3;
    bench_put_msr(&b, MSR_LIST_2, 0, MSR_KERNEL_GS_BASE, 0x77);
    bench_put_msr(&b, MSR_LIST_3, 0, MSR_KERNEL_GS_BASE, 0x88);
    b.state.interruptibility_state = BLOCKING_BY_NMI;
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_JUMPED);
    assert_int_equal(v->exit_reason, 0x80000021);
    assert_int_equal(v->exit_qualification, 0);
    assert_int_equal(v->vm_exit_instruction_length, 5);
    assert_int_equal(v->vm_entry_interruption_information >> 31, 1);
    assert_int_equal(v->guest_rflags, 0);
    assert_int_equal(bench_get(&b, MSR_LIST_2 + 8), 0x77); /* nothing stored */
    assert_int_equal(b.state.msr.kernel_gs_base, 0x88);    /* but loaded */
    assert_int_equal(b.state.interruptibility_state, BLOCKING_BY_NMI);
    assert_int_equal(b.state.rip, v->host_rip);
    assert_int_equal(b.state.cr3, v->host_cr3);
    assert_int_equal(b.state.rflags, RFLAGS_FIXED1);
    assert_int_equal(b.mmu.regime.cr3, v->host_cr3);
    assert_false(b.vmx.non_root);
    assert_false(v->launched);
    assert_true(b.explanations > 0);
    assert_int_equal(bench_event(&b, TRACE_VM_ENTRY_FAILED)->code, 33);
    assert_null(bench_event(&b, TRACE_VM_EXIT));
    bench_end(&b);
}

/* Exit qualifications 2 (PDPTEs), 3 (NMI with blocking by STI) and 4 (VMCS link pointer). */
static void guest_state_qualifications(void **state)
{
    (void)state;
    bench_setup(&b, fixture_pae);
    b.vmx.vmcs.guest_pdpte1 = 0x7003; /* bit 1 is reserved */
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_JUMPED);
    assert_int_equal(b.vmx.vmcs.exit_qualification, 2);
    bench_end(&b);

    bench_setup(&b, fixture_pae);
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_EPT;
    bench_put(&b, FIXTURE_CR3 + 8, 0x7003);
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_JUMPED);
    assert_int_equal(b.vmx.vmcs.exit_reason, 0x80000021);
    assert_int_equal(b.vmx.vmcs.exit_qualification, 2);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.vmx.vmcs.vm_entry_interruption_information = INTERRUPTION_VALID | EVENT_NMI << 8 | VECTOR_NMI;
    b.vmx.vmcs.guest_interruptibility_state = BLOCKING_BY_STI;
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_JUMPED);
    assert_int_equal(b.vmx.vmcs.exit_qualification, 3);
    bench_end(&b);

    bench_setup(&b, fixture_long);
    b.vmx.vmcs.vmcs_link_pointer = 1;
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_JUMPED);
    assert_int_equal(b.vmx.vmcs.exit_qualification, 4);
    bench_end(&b);
}

static void fail_msr_loading(uint32_t index, uint32_t reserved, const char *why)
{
    bench_setup(&b, fixture_long);
    struct vmcs *v = &b.vmx.vmcs;
    v->vm_entry_msr_load_address = MSR_LIST_1;
    v->vm_entry_msr_load_count = 3;
    bench_put_msr(&b, MSR_LIST_1, 0, MSR_KERNEL_GS_BASE, 1);
    bench_put_msr(&b, MSR_LIST_1, 1, index, 2);
    bench_put(&b, MSR_LIST_1 + 16, (uint64_t)reserved << 32 | index);
    bench_put_msr(&b, MSR_LIST_1, 2, MSR_KERNEL_GS_BASE, 3);
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_JUMPED);
    assert_int_equal(v->exit_reason, 0x80000022);
    assert_int_equal(v->exit_qualification, 2);
    assert_int_equal(b.state.msr.kernel_gs_base, 1); /* what was loaded stays */
    assert_int_equal(b.state.rip, v->host_rip);
    assert_int_equal(b.state.msr.efer & EFER_LMA, EFER_LMA);
    assert_false(v->launched);
    assert_false(b.vmx.injection_valid);
    assert_false(b.mmu.regime.non_root);
    assert_int_equal(bench_event(&b, TRACE_VM_ENTRY_FAILED)->code, 34);
    char msr[64];
    snprintf(msr, sizeof msr, "MSR %08XH, bits 63:32 of the entry %08XH", index, reserved);
    assert_non_null(strstr(b.explained, "entry 2 of the VM-entry MSR-load area, at 0x"));
    assert_non_null(strstr(b.explained, msr));
    assert_non_null(strstr(b.explained, why));
    bench_end(&b);
}

static void msr_loading_is_exit_34(void **state)
{
    (void)state;
    fail_msr_loading(MSR_FS_BASE, 0, "cannot be loaded by such a list");
    fail_msr_loading(0xc0000101, 0, "cannot be loaded by such a list");        /* IA32_GS_BASE */
    fail_msr_loading(0x808, 0, "cannot be loaded by such a list");             /* x2APIC */
    fail_msr_loading(0x9b, 0, "cannot be loaded by such a list");              /* IA32_SMM_MONITOR_CTL */
    fail_msr_loading(MSR_MISSING, 0, "WRMSR of this value to it would fault"); /* WRMSR would fault */
    fail_msr_loading(MSR_KERNEL_GS_BASE, 1, "must be 0");                      /* bits 63:32 of the entry */
}

/* Entries beyond the recommended maximum of 512 fail; blocking by NMI is that of before the entry. */
static void msr_list_longer_than_recommended(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.vm_entry_msr_load_address = MSR_LIST_1;
    b.vmx.vmcs.vm_entry_msr_load_count = 513;
    for (unsigned i = 0; i < 513; i++)
        bench_put_msr(&b, MSR_LIST_1, i, MSR_KERNEL_GS_BASE, i);
    b.vmx.vmcs.guest_interruptibility_state = BLOCKING_BY_NMI;
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_JUMPED);
    assert_int_equal(b.vmx.vmcs.exit_qualification, 513);
    assert_non_null(strstr(b.explained, "entry 513 of the VM-entry MSR-load area"));
    assert_non_null(strstr(b.explained, "the list is longer than IA32_VMX_MISC bits 27:25 recommend"));
    assert_int_equal(b.state.interruptibility_state, 0);
    bench_end(&b);
}

/* A failure in loading the host's MSRs after a failed entry is a VMX abort: "VMX Aborts", indicator 4. */
static void abort_after_failed_entry(void **state)
{
    (void)state;
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.guest_rflags = 0;
    b.vmx.vmcs.vm_exit_msr_load_count = 1;
    b.vmx.vmcs.vm_exit_msr_load_address = MSR_LIST_3;
    bench_put_msr(&b, MSR_LIST_3, 0, MSR_MISSING, 0);
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_VMX_ABORT);
    assert_true(b.vmx.aborted);
    assert_int_equal(bench_get(&b, FIXTURE_VMCS) >> 32, 4);
    assert_non_null(strstr(b.explained, "entry 1 of the VM-exit MSR-load area"));
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_control_is_error_7),     cmocka_unit_test(bad_host_state_is_error_8),
        cmocka_unit_test(bad_guest_state_is_exit_33), cmocka_unit_test(guest_state_qualifications),
        cmocka_unit_test(msr_loading_is_exit_34),     cmocka_unit_test(msr_list_longer_than_recommended),
        cmocka_unit_test(abort_after_failed_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
