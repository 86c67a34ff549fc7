/* Tests of dispatch.c: what comes before a VMX instruction's own work, and in which order: SDM "VMX
 * Instructions". */
#include "instructions_fixture.h"

static const uint16_t all[] = {INSN_VMXON,    INSN_VMXOFF, INSN_VMCLEAR, INSN_VMPTRLD,
                               INSN_VMPTRST,  INSN_VMREAD, INSN_VMWRITE, INSN_VMLAUNCH,
                               INSN_VMRESUME, INSN_VMCALL, INSN_INVEPT,  INSN_INVVPID};
#define ALL_COUNT (sizeof(all) / sizeof(all[0]))

static struct cpu_outcome execute(struct fixture *f, unsigned i)
{
    return fixture_execute_at(f, (enum insn_id)all[i], OPERAND);
}

static void outside_vmx_operation(void **unused)
{
    struct fixture *f = fixture_new();

    (void)unused;
    for (unsigned i = 1; i < ALL_COUNT; i++)
        assert_event(execute(f, i), VECTOR_UD);
    f->state.cr4 &= ~CR4_VMXE;
    assert_event(execute(f, 0), VECTOR_UD);
    assert_false(f->vmx.on);
    fixture_free(f);
}

/* "(CR0.PE = 0) or (RFLAGS.VM = 1) or (IA32_EFER.LMA = 1 and CS.L = 0)" */
static void modes_without_vmx_instructions(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    for (unsigned i = 0; i < ALL_COUNT; i++) {
        fixture_64bit_state(&f->state);
        f->state.seg[SEG_CS].access_rights = 0xc09b; /* compatibility mode */
        assert_event(execute(f, i), VECTOR_UD);
        f->state.msr.efer = 0;
        f->state.rflags |= RFLAGS_VM;
        assert_event(execute(f, i), VECTOR_UD);
        f->state.rflags &= ~RFLAGS_VM;
        f->state.cr0 &= ~(CR0_PE | CR0_PG);
        assert_event(execute(f, i), VECTOR_UD);
    }
    fixture_free(f);
}

static void lock_prefix_and_register_forms(void **unused)
{
    static const uint16_t memory_only[] = {INSN_VMXON,   INSN_VMCLEAR, INSN_VMPTRLD,
                                           INSN_VMPTRST, INSN_INVEPT,  INSN_INVVPID};
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    for (unsigned i = 0; i < ALL_COUNT; i++) {
        struct insn insn = fixture_insn((enum insn_id)all[i], OPERAND);

        insn.lock = true;
        assert_event(vmx_execute(&f->vmx, &insn), VECTOR_UD);
    }
    for (unsigned i = 0; i < 6; i++)
        assert_event(fixture_execute_register(f, (enum insn_id)memory_only[i]), VECTOR_UD);
    fixture_free(f);
}

/* Opcode column "NP": prefixes 66H, F2H and F3H are not allowed. */
static void mandatory_prefixes(void **unused)
{
    struct fixture *f = fixture_with_vmcs();
    struct insn insn = fixture_insn(INSN_VMREAD, OPERAND);

    (void)unused;
    f->state.gpr[GPR_RAX] = VMCS_ENCODING_guest_rip;
    assert_succeeds(f, vmx_execute(&f->vmx, &insn));
    insn.operand_prefix = true;
    assert_event(vmx_execute(&f->vmx, &insn), VECTOR_UD);
    insn.operand_prefix = false;
    insn.rep = INSN_REPNE;
    assert_event(vmx_execute(&f->vmx, &insn), VECTOR_UD);
    fixture_free(f);
}

static void privilege_level(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->state.seg[SEG_SS].access_rights |= AR_DPL;
    for (unsigned i = 0; i < ALL_COUNT; i++)
        assert_event(execute(f, i), VECTOR_GP);
    f->vmx.on = false; /* outside VMX operation VMXON gives #GP too */
    assert_event(execute(f, 0), VECTOR_GP);
    fixture_free(f);
}

/* The VM exit comes before the check of CPL and of the operand; #UD comes before it. */
static void non_root_operation(void **unused)
{
    static const uint32_t reasons[ALL_COUNT] = {27, 26, 19, 21, 22, 23, 25, 20, 24, 18, 50, 53};
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->vmx.non_root = true;
    f->state.seg[SEG_SS].access_rights |= AR_DPL;
    for (unsigned i = 0; i < ALL_COUNT; i++) {
        struct cpu_outcome outcome = fixture_execute_at(f, (enum insn_id)all[i], UNMAPPED);

        assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
        assert_int_equal(outcome.exit.reason, reasons[i]);
    }
    assert_int_equal(f->event_count, 0); /* no TRACE_VMX_INSTRUCTION: the exit has an event of its own */
    f->state.seg[SEG_CS].access_rights = 0xc0fb;
    assert_event(execute(f, 5), VECTOR_UD);                /* VMREAD in compatibility mode */
    assert_int_equal(execute(f, 9).kind, OUTCOME_VM_EXIT); /* VMCALL exits in any mode */
    fixture_free(f);
}

static void instructions_that_are_not_advertised(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    assert_event(fixture_execute_register(f, INSN_VMFUNC), VECTOR_UD);
    assert_event(fixture_execute_register(f, INSN_CPUID), VECTOR_UD); /* not a VMX instruction */
    f->profile.vmx.ept_vpid_cap &= ~(EPT_CAP_INVEPT | EPT_CAP_INVVPID);
    assert_event(fixture_execute_at(f, INSN_INVEPT, OPERAND), VECTOR_UD);
    assert_event(fixture_execute_at(f, INSN_INVVPID, OPERAND), VECTOR_UD);
    f->profile = fixture_profile();
    f->profile.vmx.procbased_ctls2 = 0;
    assert_event(fixture_execute_at(f, INSN_INVEPT, OPERAND), VECTOR_UD);
    assert_event(fixture_execute_at(f, INSN_INVVPID, OPERAND), VECTOR_UD);
    fixture_free(f);
}

static void cost_and_trace(void **unused)
{
    struct fixture *f = fixture_in_vmx();
    uint64_t before = f->account.now;

    (void)unused;
    f->state.gpr[GPR_RAX] = 0x7ffe; /* no such field */
    assert_fails_invalid(f, fixture_execute_register(f, INSN_VMREAD));
    assert_int_equal(f->account.now, before + 30);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_fails(f, fixture_execute_register(f, INSN_VMREAD), 12);
    assert_event(fixture_execute_register(f, INSN_VMPTRLD), VECTOR_UD);

    assert_int_equal(f->event_count, 4);
    assert_int_equal(f->events[0].code, TRACE_VMREAD);
    assert_true(f->events[0].a == ~1ull);
    assert_int_equal(f->events[0].cost, 30);
    assert_int_equal(f->events[1].code, TRACE_VMPTRLD);
    assert_int_equal(f->events[1].a, 0);
    assert_int_equal(f->events[2].a, 12);
    assert_true(f->events[3].a == ~0ull);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_vmx_operation),
        cmocka_unit_test(modes_without_vmx_instructions),
        cmocka_unit_test(lock_prefix_and_register_forms),
        cmocka_unit_test(mandatory_prefixes),
        cmocka_unit_test(privilege_level),
        cmocka_unit_test(non_root_operation),
        cmocka_unit_test(instructions_that_are_not_advertised),
        cmocka_unit_test(cost_and_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
