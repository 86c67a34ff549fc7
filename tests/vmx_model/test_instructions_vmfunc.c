/* test_instructions_vmfunc.c: SDM "General Operation of the VMFUNC Instruction" and "EPTP Switching". */
#include "tests/vmx_model/transition_fixture.h"

#define EPTP_LIST 0x9000u
#define OTHER_EPTP (0x6000ull | 3 << 3 | 6)

static struct bench b;

/* A guest that may switch, with OTHER_EPTP as entry 5 of its list. */
static void setup(void)
{
    bench_setup(&b, fixture_long);
    struct vmx_capabilities *caps = &b.f.profile.vmx;
    caps->procbased_ctls2 |= (uint64_t)SECONDARY_ENABLE_VM_FUNCTIONS << 32;
    caps->procbased_ctls |= 1ull << 63;
    caps->vmfunc = VM_FUNCTION_EPTP_SWITCHING;
    b.vmx.vmcs.secondary_proc_based_controls |= SECONDARY_ENABLE_VM_FUNCTIONS;
    b.vmx.vmcs.vm_function_controls = VM_FUNCTION_EPTP_SWITCHING;
    b.vmx.vmcs.eptp_list_address = EPTP_LIST;
    bench_non_root(&b);
    bench_put(&b, EPTP_LIST + 5 * 8, OTHER_EPTP);
    b.state.gpr[GPR_RAX] = 0xabcdef0100000000; /* EAX alone counts */
    b.state.gpr[GPR_RCX] = 0xabcdef0100000005;
}

static struct cpu_outcome execute(void)
{
    const struct insn insn = {.id = INSN_VMFUNC, .length = 3};
    return vmx_execute(&b.vmx, &insn);
}

static void assert_undefined(void)
{
    const struct cpu_outcome outcome = execute();
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, VECTOR_UD);
}

static void assert_exits(void)
{
    const struct cpu_outcome outcome = execute();
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.reason, 59);
    assert_int_equal(outcome.exit.instruction_length, 3);
    assert_int_equal(outcome.exit.qualification, 0);
    assert_int_equal(b.vmx.vmcs.ept_pointer, 0x5000 | 3 << 3 | 6);
    bench_end(&b);
}

static void switches(void **state)
{
    (void)state;
    setup();
    const uint64_t flags = b.state.rflags |= RFLAGS_CF | RFLAGS_ZF;
    assert_int_equal(execute().kind, OUTCOME_DONE);
    assert_int_equal(b.vmx.vmcs.ept_pointer, OTHER_EPTP);
    assert_int_equal(b.mmu.regime.eptp, OTHER_EPTP);
    assert_int_equal(b.state.rflags, flags);
    assert_int_equal(b.vmx.vmcs.eptp_index, 0);    /* no such field without "EPT-violation #VE" */
    assert_null(bench_event(&b, TRACE_TLB_FLUSH)); /* a VPID tags what was cached */
    const struct trace_event *event = bench_event(&b, TRACE_VMX_INSTRUCTION);
    assert_non_null(event);
    assert_int_equal(event->code, TRACE_VMFUNC);
    assert_int_equal(event->a, 0);
    bench_end(&b);
}

static void index_is_kept_for_virtualization_exceptions(void **state)
{
    (void)state;
    setup();
    b.f.profile.vmx.procbased_ctls2 |= (uint64_t)SECONDARY_EPT_VIOLATION_VE << 32; /* support is enough */
    assert_int_equal(execute().kind, OUTCOME_DONE);
    assert_int_equal(b.vmx.vmcs.eptp_index, 5);
    bench_end(&b);
}

/* "If the enable VPID control is 0, ... invalidates combined mappings associated with VPID 0000H". */
static void without_vpid(void **state)
{
    (void)state;
    setup();
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_VPID;
    vmx_update_regime(&b.vmx);
    assert_int_equal(execute().kind, OUTCOME_DONE);
    const struct trace_event *event = bench_event(&b, TRACE_TLB_FLUSH);
    assert_non_null(event);
    assert_int_equal(event->code, FLUSH_VMFUNC);
    bench_end(&b);
}

/* It needs no privilege and no mode. */
static void any_mode_and_privilege(void **state)
{
    (void)state;
    setup();
    b.state.seg[SEG_SS].access_rights |= AR_DPL;
    assert_int_equal(execute().kind, OUTCOME_DONE);
    b.state.rflags |= RFLAGS_VM;
    b.state.msr.efer = 0;
    assert_int_equal(execute().kind, OUTCOME_DONE);
    b.state.rflags &= ~RFLAGS_VM;
    b.state.cr0 &= ~(CR0_PE | CR0_PG);
    assert_int_equal(execute().kind, OUTCOME_DONE);
    bench_end(&b);
}

static void undefined_opcode(void **state)
{
    (void)state;
    setup();
    b.state.gpr[GPR_RAX] = 64;
    assert_undefined();
    b.state.gpr[GPR_RAX] = 0;
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_ENABLE_VM_FUNCTIONS;
    assert_undefined();
    b.vmx.vmcs.secondary_proc_based_controls |= SECONDARY_ENABLE_VM_FUNCTIONS;
    b.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    assert_undefined();
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    b.vmx.non_root = false;
    assert_undefined();
    b.vmx.non_root = true;
    const struct insn prefixed = {.id = INSN_VMFUNC, .length = 4, .operand_prefix = true};
    assert_int_equal(vmx_execute(&b.vmx, &prefixed).event.vector, VECTOR_UD);
    bench_end(&b);
}

static void disabled_functions_exit(void **state)
{
    (void)state;
    setup();
    b.state.gpr[GPR_RAX] = 63;
    assert_exits();
    setup();
    b.vmx.vmcs.vm_function_controls = 0;
    assert_exits();
}

static void index_beyond_the_list(void **state)
{
    (void)state;
    setup();
    bench_put(&b, EPTP_LIST + 512 * 8, OTHER_EPTP);
    b.state.gpr[GPR_RCX] = 512;
    assert_exits();
}

/* Values that VM entry refuses, or of another walk length. */
static void invalid_entries(void **state)
{
    static const uint64_t entries[] = {
        0,
        0x6000 | 3 << 3,     /* UC, which is not reported */
        0x6000 | 4 << 3 | 6, /* 5 levels: reported below, but another length than the current one's */
        OTHER_EPTP | 1 << 6, /* accessed and dirty flags, not reported */
        OTHER_EPTP | 1 << 7,
        OTHER_EPTP | 1ull << 39,
    };
    (void)state;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        setup();
        b.f.profile.vmx.ept_vpid_cap |= 1 << 7;
        bench_put(&b, EPTP_LIST + 5 * 8, entries[i]);
        assert_exits();
    }
}

/* The field and the MSR exist by the capability: SDM appendix "VM Functions". */
static void capability(void **state)
{
    uint64_t value = 0;
    (void)state;
    setup();
    const struct vmcs_field_info *list = vmcs_field(0x2024);
    assert_true(vmcs_field_exists(list, &b.f.profile.vmx));
    assert_true(vmx_capability_msr(&b.f.profile.vmx, 0x491, &value));
    assert_int_equal(value, 1);
    b.f.profile.vmx.vmfunc = 0;
    assert_false(vmcs_field_exists(list, &b.f.profile.vmx));
    b.f.profile.vmx.vmfunc = 1;
    b.f.profile.vmx.procbased_ctls2 &= ~((uint64_t)SECONDARY_ENABLE_VM_FUNCTIONS << 32);
    assert_false(vmcs_field_exists(list, &b.f.profile.vmx));
    assert_false(vmx_capability_msr(&b.f.profile.vmx, 0x491, &value));
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switches),
        cmocka_unit_test(index_is_kept_for_virtualization_exceptions),
        cmocka_unit_test(without_vpid),
        cmocka_unit_test(any_mode_and_privilege),
        cmocka_unit_test(undefined_opcode),
        cmocka_unit_test(disabled_functions_exit),
        cmocka_unit_test(index_beyond_the_list),
        cmocka_unit_test(invalid_entries),
        cmocka_unit_test(capability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
