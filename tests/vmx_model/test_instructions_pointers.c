/* Tests of VMXON, VMXOFF, VMCLEAR, VMPTRLD, VMPTRST, VMLAUNCH, VMRESUME and VMCALL: SDM "VMX Instructions".
 */
#include "instructions_fixture.h"

static void vmxon_wants_its_processor_state(void **unused)
{
    struct fixture *f = fixture_new();

    (void)unused;
    f->state.cr0 &= ~CR0_NE;
    assert_event(fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION), VECTOR_GP);
    f->state.cr0 |= CR0_NE;
    f->state.cr4 |= CR4_SMXE; /* not in IA32_VMX_CR4_FIXED1 */
    assert_event(fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION), VECTOR_GP);
    f->state.cr4 &= ~CR4_SMXE;
    f->state.msr.feature_control = 4; /* not locked */
    assert_event(fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION), VECTOR_GP);
    f->state.msr.feature_control = 1; /* not enabled outside SMX operation */
    assert_event(fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION), VECTOR_GP);
    /* These checks come before the operand is read. */
    assert_event(fixture_execute_at(f, INSN_VMXON, UNMAPPED), VECTOR_GP);
    f->state.msr.feature_control = 5;
    assert_int_equal(fixture_execute_at(f, INSN_VMXON, UNMAPPED).event.vector, VECTOR_PF);
    assert_false(f->vmx.on);
    fixture_free(f);
}

static void vmxon_wants_a_region(void **unused)
{
    struct fixture *f = fixture_new();

    (void)unused;
    assert_fails_invalid(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION + 1));
    assert_fails_invalid(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION | 1ull << 39));
    phys_write(&f->mem, VMXON_REGION, REVISION + 1, 4);
    assert_fails_invalid(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION));
    phys_write(&f->mem, VMXON_REGION, REVISION | 1u << 31, 4);
    assert_fails_invalid(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION));
    assert_false(f->vmx.on);
    phys_write(&f->mem, VMXON_REGION, REVISION, 4);
    f->state.rflags |= RFLAGS_ARITHMETIC | RFLAGS_IF;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION));
    assert_int_equal(f->state.rflags, RFLAGS_FIXED1 | RFLAGS_IF);
    assert_true(f->vmx.on && !f->vmx.non_root);
    assert_true(f->vmx.current_vmcs == VMX_NO_VMCS);
    fixture_free(f);
}

static void vmxon_in_root_operation(void **unused)
{
    struct fixture *f = fixture_in_vmx();

    (void)unused;
    assert_fails_invalid(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_fails(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION), 15);
    fixture_free(f);
}

static void vmxoff_leaves_and_keeps_data(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->vmx.vmcs.guest_rip = 0x1234;
    assert_succeeds(f, fixture_execute_register(f, INSN_VMXOFF));
    assert_false(f->vmx.on);
    assert_event(fixture_execute_register(f, INSN_VMXOFF), VECTOR_UD);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION));
    assert_fails_invalid(f, fixture_execute_register(f, INSN_VMRESUME)); /* no current VMCS */
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_int_equal(f->vmx.vmcs.guest_rip, 0x1234);
    fixture_free(f);
}

static void vmptrld_errors(void **unused)
{
    struct fixture *f = fixture_in_vmx();

    (void)unused;
    assert_fails_invalid(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A + 1)); /* no current VMCS */
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_fails(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B + 1), 9);
    assert_fails(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B | 1ull << 40), 9);
    assert_fails(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMXON_REGION), 10);
    phys_write(&f->mem, VMCS_B, REVISION ^ 2, 4);
    assert_fails(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B), 11);
    phys_write(&f->mem, VMCS_B, REVISION | 1u << 31, 4); /* shadow VMCS */
    assert_fails(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B), 11);
    assert_int_equal(f->vmx.current_vmcs, VMCS_A);
    f->profile.vmx.procbased_ctls2 |= (uint64_t)SECONDARY_VMCS_SHADOWING << 32;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B));
    /* Physical memory that nobody answers for reads as ones. */
    assert_fails(f, fixture_execute_pointer(f, INSN_VMPTRLD, 0x7ffffff000), 11);
    fixture_free(f);
}

static void vmclear_errors(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    assert_fails(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_B + 0x800), 2);
    assert_fails(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_B | 1ull << 39), 2);
    assert_fails(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMXON_REGION), 3);
    assert_int_equal(fixture_execute_at(f, INSN_VMCLEAR, UNMAPPED).event.vector, VECTOR_PF);
    assert_int_equal(f->vmx.current_vmcs, VMCS_A);
    /* The revision identifier does not matter here. */
    phys_write(&f->mem, VMCS_B, 0, 4);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_B));
    fixture_free(f);
}

/* SDM figure "States of VMCS X": data and launch state follow their VMCS. */
static void states_of_two_vmcss(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->vmx.vmcs.guest_rip = 0xa;
    f->vmx.vmcs.launched = true;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_B));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B));
    assert_false(f->vmx.vmcs.launched);
    f->vmx.vmcs.guest_rip = 0xb;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_int_equal(f->vmx.vmcs.guest_rip, 0xa);
    assert_true(f->vmx.vmcs.launched);
    f->vmx.vmcs.guest_rip = 0xaa;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A)); /* keeps what was written */
    assert_int_equal(f->vmx.vmcs.guest_rip, 0xaa);

    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_A)); /* not current */
    assert_int_equal(f->vmx.current_vmcs, VMCS_B);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_B)); /* current */
    assert_true(f->vmx.current_vmcs == VMX_NO_VMCS);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_false(f->vmx.vmcs.launched);
    assert_int_equal(f->vmx.vmcs.guest_rip, 0xaa);
    fixture_free(f);
}

/* "ensures that VMCS data ... are copied to the VMCS region in memory": a copy of the region is the same
 * VMCS. */
static void vmclear_flushes(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->vmx.vmcs.tsc_offset = 0x8686;
    f->vmx.vmcs.launched = true;
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_A));
    memcpy(f->mem.ram + VMCS_B, f->mem.ram + VMCS_A, 0x1000);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_B));
    assert_int_equal(f->vmx.vmcs.tsc_offset, 0x8686);
    assert_false(f->vmx.vmcs.launched);
    fixture_free(f);
}

static void vmptrst_stores(void **unused)
{
    struct fixture *f = fixture_in_vmx();

    (void)unused;
    assert_succeeds(f, fixture_execute_at(f, INSN_VMPTRST, OPERAND + 8));
    assert_true(phys_read64(&f->mem, OPERAND + 8) == UINT64_MAX);
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_succeeds(f, fixture_execute_at(f, INSN_VMPTRST, OPERAND + 8));
    assert_int_equal(phys_read64(&f->mem, OPERAND + 8), VMCS_A);
    f->state.rflags |= RFLAGS_CF;
    assert_int_equal(fixture_execute_at(f, INSN_VMPTRST, UNMAPPED).event.vector, VECTOR_PF);
    assert_int_equal(f->state.rflags, RFLAGS_FIXED1 | RFLAGS_CF); /* a fault leaves the flags */
    fixture_free(f);
}

static void vmlaunch_and_vmresume_errors(void **unused)
{
    struct fixture *f = fixture_in_vmx();

    (void)unused;
    assert_fails_invalid(f, fixture_execute_register(f, INSN_VMLAUNCH));
    assert_non_null(strstr(f->explained, "VMLAUNCH failed (VMfailInvalid): there is no current VMCS"));
    assert_fails_invalid(f, fixture_execute_register(f, INSN_VMRESUME));
    assert_non_null(strstr(f->explained, "VMRESUME failed (VMfailInvalid): there is no current VMCS"));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_A));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_fails(f, fixture_execute_register(f, INSN_VMRESUME), 5);
    assert_non_null(strstr(f->explained, "VMRESUME failed (VM-instruction error 5)"));
    assert_non_null(strstr(f->explained, "is clear; the first entry after VMCLEAR is a VMLAUNCH"));
    f->vmx.vmcs.launched = true;
    assert_fails(f, fixture_execute_register(f, INSN_VMLAUNCH), 4);
    assert_non_null(strstr(f->explained, "is launched; VMRESUME enters it again"));
    /* Blocking by MOV SS is checked before the launch state; blocking by STI is not checked. */
    f->state.interruptibility_state = BLOCKING_BY_MOV_SS;
    assert_fails(f, fixture_execute_register(f, INSN_VMLAUNCH), 26);
    assert_non_null(strstr(f->explained, "events are blocked by MOV SS or POP SS"));
    f->state.interruptibility_state = BLOCKING_BY_STI;
    assert_fails(f, fixture_execute_register(f, INSN_VMLAUNCH), 4);
    /* An all-zero VMCS has invalid controls: the entry's own checks are reached. */
    f->vmx.vmcs.launched = false;
    assert_fails(f, fixture_execute_register(f, INSN_VMLAUNCH), 7);
    fixture_free(f);
}

static void vmcall_in_root_operation(void **unused)
{
    struct fixture *f = fixture_in_vmx();

    (void)unused;
    assert_fails_invalid(f, fixture_execute_register(f, INSN_VMCALL));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    assert_fails(f, fixture_execute_register(f, INSN_VMCALL), 1);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vmxon_wants_its_processor_state),
        cmocka_unit_test(vmxon_wants_a_region),
        cmocka_unit_test(vmxon_in_root_operation),
        cmocka_unit_test(vmxoff_leaves_and_keeps_data),
        cmocka_unit_test(vmptrld_errors),
        cmocka_unit_test(vmclear_errors),
        cmocka_unit_test(states_of_two_vmcss),
        cmocka_unit_test(vmclear_flushes),
        cmocka_unit_test(vmptrst_stores),
        cmocka_unit_test(vmlaunch_and_vmresume_errors),
        cmocka_unit_test(vmcall_in_root_operation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
