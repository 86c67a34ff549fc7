/*
 * test_costs.c: what transitions are charged for, and what an exit costs as the guest sees it. The costs are
 * the fixture's (entry 1000, exit 900, an entry of an MSR area 10) and those set here.
 */
#include "tests/vmx_model/transition_fixture.h"
#include "vmx_model/controls.h"
#include "vmx_model/exit_reasons.h"

enum { RECHECK = 300, SWITCHED_MSR = 20, PDPTES = 7, FLUSH = 30 };

static struct bench b;

static void setup(void (*make)(struct fixture *))
{
    bench_setup(&b, make);
    b.f.profile.cost.vm_entry_recheck.cycles = RECHECK;
    b.f.profile.cost.transition_msr.cycles = SWITCHED_MSR;
    b.f.profile.cost.load_pdptes.cycles = PDPTES;
    b.f.profile.cost.tlb_flush.cycles = FLUSH;
    b.vmx.vmcs.vm_entry_controls &=
        ~(ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
    b.vmx.vmcs.primary_vm_exit_controls &= ~(EXIT_SAVE_IA32_PAT | EXIT_LOAD_IA32_PAT | EXIT_SAVE_IA32_EFER |
                                             EXIT_LOAD_IA32_EFER | EXIT_LOAD_IA32_PERF_GLOBAL_CTRL);
}

static uint64_t root(enum cycle_cause cause)
{
    return b.account.by[CYCLES_ROOT][cause];
}

static void leave(uint32_t reason)
{
    bench_exit(&b, &(struct vm_exit){.reason = reason});
}

/* Five controls, five MSRs; the MSR areas have an entry each. All are of root operation. */
static void msrs(void **state)
{
    (void)state;
    setup(fixture_long);
    b.vmx.vmcs.vm_entry_controls |= ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER;
    b.vmx.vmcs.primary_vm_exit_controls |= EXIT_SAVE_IA32_PAT | EXIT_LOAD_IA32_PAT | EXIT_LOAD_IA32_EFER;
    b.vmx.vmcs.guest_ia32_efer = EFER_LMA | EFER_LME;
    b.vmx.vmcs.host_ia32_efer = EFER_LMA | EFER_LME;
    b.vmx.vmcs.guest_ia32_pat = b.vmx.vmcs.host_ia32_pat = 0x0007040600070406ull;
    b.vmx.vmcs.vm_entry_msr_load_address = MSR_LIST_1;
    b.vmx.vmcs.vm_entry_msr_load_count = 1;
    b.vmx.vmcs.vm_exit_msr_store_address = MSR_LIST_2;
    b.vmx.vmcs.vm_exit_msr_store_count = 1;
    bench_put_msr(&b, MSR_LIST_1, 0, MSR_KERNEL_GS_BASE, 1);
    bench_put_msr(&b, MSR_LIST_2, 0, MSR_KERNEL_GS_BASE, 0);
    bench_enter(&b);
    leave(EXIT_REASON_CPUID);
    assert_int_equal(root(CYCLES_VM_ENTRY), COST_ENTRY);
    assert_int_equal(root(CYCLES_VM_ENTRY_MSRS), 2 * SWITCHED_MSR + COST_MSR);
    assert_int_equal(root(CYCLES_VM_EXIT), COST_EXIT);
    assert_int_equal(root(CYCLES_VM_EXIT_MSRS), 3 * SWITCHED_MSR + COST_MSR);
    assert_int_equal(cycles_sum(&b.account), b.account.now);
    assert_int_equal(b.account.now, COST_ENTRY + COST_EXIT + 5 * SWITCHED_MSR + 2 * COST_MSR);
    bench_end(&b);
}

static void pdptes(void **state)
{
    (void)state;
    setup(fixture_pae);
    bench_enter(&b);
    assert_int_equal(root(CYCLES_VM_ENTRY_PDPTES), PDPTES);
    bench_end(&b);
}

/* The first entry of a VMCS checks everything, the next does not; a change is checked once. */
static void controls_are_checked_anew_after_a_change(void **state)
{
    (void)state;
    setup(fixture_long);
    b.vmx.controls_changed = true;
    bench_enter(&b);
    assert_int_equal(root(CYCLES_VM_ENTRY_RECHECK), RECHECK);
    leave(EXIT_REASON_CPUID);
    b.vmx.vmcs.launched = false;
    bench_enter(&b);
    assert_int_equal(root(CYCLES_VM_ENTRY_RECHECK), RECHECK);
    bench_end(&b);
}

static void without_vpid_both_flush(void **state)
{
    (void)state;
    setup(fixture_long);
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_VPID;
    bench_enter(&b);
    leave(EXIT_REASON_CPUID);
    assert_int_equal(root(CYCLES_TLB_FLUSH), 2 * FLUSH);
    assert_int_equal(b.account.flush[FLUSH_VM_ENTRY].count, 1);
    assert_int_equal(b.account.flush[FLUSH_VM_EXIT].cycles, FLUSH);
    assert_int_equal(b.account.exit[EXIT_REASON_CPUID].exit, COST_EXIT + FLUSH);
    bench_end(&b);
}

/* Exit 900, the monitor 123, entry 1000; in the guest 50 cycles of its own, and refills of 48. Told at the
 * next exit. */
static void an_exit_as_the_guest_sees_it(void **state)
{
    (void)state;
    setup(fixture_long);
    bench_enter(&b); /* no exit came before it */
    assert_int_equal(b.account.mode, CYCLES_NON_ROOT);
    leave(EXIT_REASON_CPUID);
    assert_int_equal(b.account.mode, CYCLES_ROOT);
    cycles_charge(&b.account, CYCLES_INSTRUCTIONS, 123);
    b.vmx.vmcs.launched = false;
    bench_enter(&b);
    cycles_charge(&b.account, CYCLES_INSTRUCTIONS, 50);
    b.account.refill_cycles += 48; /* as account.c of the TLB books them */
    assert_null(bench_event(&b, TRACE_EXIT_COST));
    leave(EXIT_REASON_HLT);
    const struct trace_event *event = bench_event(&b, TRACE_EXIT_COST);
    assert_non_null(event);
    assert_int_equal(event->code, EXIT_REASON_CPUID);
    assert_int_equal(event->vpid, 1);
    assert_int_equal(event->a, COST_EXIT);
    assert_int_equal(event->b, 123);
    assert_int_equal(event->c, COST_ENTRY);
    assert_int_equal(event->d, 48);
    assert_int_equal(event->cost, COST_EXIT + 123 + COST_ENTRY + 48);
    const struct exit_account *account = &b.account.exit[EXIT_REASON_CPUID];
    assert_int_equal(account->count, 1);
    assert_int_equal(account->exit, COST_EXIT);
    assert_int_equal(account->monitor, 123);
    assert_int_equal(account->entry, COST_ENTRY);
    assert_int_equal(account->refill, 48);
    /* The last exit: no entry follows, and nothing more is told of it. */
    vmx_exit_cost_end(&b.vmx);
    assert_int_equal(b.account.exit[EXIT_REASON_HLT].count, 1);
    assert_int_equal(b.account.exit[EXIT_REASON_HLT].monitor, 0);
    assert_int_equal(b.account.by[CYCLES_NON_ROOT][CYCLES_INSTRUCTIONS], 50);
    assert_int_equal(root(CYCLES_INSTRUCTIONS), 123);
    bench_end(&b);
}

/* A failed entry is the monitor's time: 1000 and 123. */
static void failed_entries_are_the_monitors(void **state)
{
    (void)state;
    setup(fixture_long);
    bench_enter(&b);
    leave(EXIT_REASON_CPUID);
    b.vmx.vmcs.launched = false;
    const uint64_t cr0 = b.vmx.vmcs.host_cr0;
    b.vmx.vmcs.host_cr0 = 0;
    assert_int_equal(vmx_enter(&b.vmx, true, 3).kind, OUTCOME_DONE);
    b.vmx.vmcs.host_cr0 = cr0;
    cycles_charge(&b.account, CYCLES_INSTRUCTIONS, 123);
    bench_enter(&b);
    assert_int_equal(b.account.exit[EXIT_REASON_CPUID].monitor, COST_ENTRY + 123);
    assert_int_equal(b.account.exit[EXIT_REASON_CPUID].entry, COST_ENTRY);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(msrs),
        cmocka_unit_test(pdptes),
        cmocka_unit_test(controls_are_checked_anew_after_a_change),
        cmocka_unit_test(without_vpid_both_flush),
        cmocka_unit_test(an_exit_as_the_guest_sees_it),
        cmocka_unit_test(failed_entries_are_the_monitors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
