/* Tests of capabilities.c and names.c: SDM appendix "VMX Capability Reporting Facility". */
#include "instructions_fixture.h"

static void true_controls_count_where_they_exist(void **unused)
{
    struct vmx_capabilities caps = fixture_profile().vmx;

    (void)unused;
    assert_int_equal(vmx_controls_must_be_1(&caps, VMX_PRIMARY), 0x04006172);
    assert_int_equal(vmx_controls_must_be_1(&caps, VMX_ENTRY), 0x11fb);
    caps.basic &= ~VMX_BASIC_TRUE_CONTROLS;
    assert_int_equal(vmx_controls_must_be_1(&caps, VMX_PRIMARY), 0x0401e172);
    assert_int_equal(vmx_controls_must_be_1(&caps, VMX_ENTRY), 0x11ff);
    assert_int_equal(vmx_controls_may_be_1(&caps, VMX_PIN_BASED), 0x7f);
}

static void controls_are_allowed_by_both_halves(void **unused)
{
    struct vmx_capabilities caps = fixture_profile().vmx;

    (void)unused;
    assert_true(vmx_controls_allowed(&caps, VMX_PIN_BASED, 0x16));
    assert_true(vmx_controls_allowed(&caps, VMX_PIN_BASED, 0x7f));
    assert_false(vmx_controls_allowed(&caps, VMX_PIN_BASED, 0x14)); /* bit 1 must be 1 */
    assert_false(vmx_controls_allowed(&caps, VMX_PIN_BASED, 0x96)); /* bit 7 must be 0 */
    caps.procbased_ctls &= ~(1ull << 63);
    assert_false(vmx_controls_allowed(&caps, VMX_SECONDARY, SECONDARY_ENABLE_EPT));
    assert_true(vmx_controls_allowed(&caps, VMX_SECONDARY, 0));
}

static void fixed_bits_of_control_registers(void **unused)
{
    struct vmx_capabilities caps = fixture_profile().vmx;

    (void)unused;
    assert_true(vmx_cr_fixed_bits_ok(&caps, 0, CR0_PE | CR0_NE | CR0_PG));
    assert_false(vmx_cr_fixed_bits_ok(&caps, 0, CR0_PE | CR0_PG));
    assert_false(vmx_cr_fixed_bits_ok(&caps, 0, CR0_PE | CR0_NE | CR0_PG | 1ull << 32));
    assert_true(vmx_cr_fixed_bits_ok(&caps, 4, CR4_VMXE | CR4_PAE));
    assert_false(vmx_cr_fixed_bits_ok(&caps, 4, CR4_PAE));
    assert_false(vmx_cr_fixed_bits_ok(&caps, 4, CR4_VMXE | CR4_SMXE));
}

static void vmcs_pointers(void **unused)
{
    struct cpu_profile profile = fixture_profile(); /* 39 bits */

    (void)unused;
    assert_true(vmx_vmcs_pointer_valid(&profile, 0x7ffffff000));
    assert_false(vmx_vmcs_pointer_valid(&profile, 0x8000000000));
    assert_false(vmx_vmcs_pointer_valid(&profile, 0x1800));
    profile.vmx.basic |= VMX_BASIC_ADDRESSES_32_BITS;
    assert_true(vmx_vmcs_pointer_valid(&profile, 0xfffff000));
    assert_false(vmx_vmcs_pointer_valid(&profile, 0x100000000));
}

/* SDM "VM-Execution Control Fields": memory type, walk length, accessed and dirty flags, reserved bits. */
static void ept_pointers(void **unused)
{
    struct cpu_profile profile = fixture_profile(); /* WB, 4 levels, no accessed and dirty flags */

    (void)unused;
    assert_true(vmx_ept_pointer_valid(&profile, 0x5000 | 3 << 3 | 6));
    assert_false(vmx_ept_pointer_valid(&profile, 0x5000 | 3 << 3 | 0)); /* UC: not supported */
    assert_false(vmx_ept_pointer_valid(&profile, 0x5000 | 3 << 3 | 1));
    assert_false(vmx_ept_pointer_valid(&profile, 0x5000 | 4 << 3 | 6)); /* 5 levels */
    assert_false(vmx_ept_pointer_valid(&profile, 0x5000 | 2 << 3 | 6));
    assert_false(vmx_ept_pointer_valid(&profile, 0x5000 | 1 << 6 | 3 << 3 | 6));
    assert_false(vmx_ept_pointer_valid(&profile, 0x5000 | 1 << 7 | 3 << 3 | 6));
    assert_false(vmx_ept_pointer_valid(&profile, 0x5000 | 1 << 11 | 3 << 3 | 6));
    assert_false(vmx_ept_pointer_valid(&profile, 1ull << 39 | 3 << 3 | 6));
    profile.vmx.ept_vpid_cap |= EPT_CAP_ACCESSED_AND_DIRTY | EPT_CAP_MEMORY_TYPE_UC;
    assert_true(vmx_ept_pointer_valid(&profile, 0x5000 | 1 << 6 | 3 << 3 | 0));
}

static void msrs_exist_by_what_others_report(void **unused)
{
    struct vmx_capabilities caps = fixture_profile().vmx;
    uint64_t value = 0;

    (void)unused;
    assert_true(vmx_capability_msr(&caps, 0x480, &value));
    assert_int_equal(value, caps.basic);
    assert_true(vmx_capability_msr(&caps, 0x48a, &value));
    assert_int_equal(value, 23 << 1); /* computed: the highest index is the preemption timer's */
    assert_true(vmx_capability_msr(&caps, 0x48c, &value));
    assert_int_equal(value, caps.ept_vpid_cap);
    assert_true(vmx_capability_msr(&caps, 0x490, &value));
    assert_int_equal(value, caps.true_entry_ctls);
    assert_false(vmx_capability_msr(&caps, 0x491, &value)); /* no VM functions */
    assert_false(vmx_capability_msr(&caps, 0x47f, &value));
    assert_false(vmx_capability_msr(&caps, 0x492, &value));

    caps.basic &= ~VMX_BASIC_TRUE_CONTROLS;
    assert_false(vmx_capability_msr(&caps, 0x48d, &value));
    caps.procbased_ctls2 = 0;
    assert_true(vmx_capability_msr(&caps, 0x48b, &value));
    assert_false(vmx_capability_msr(&caps, 0x48c, &value));
    caps = (struct vmx_capabilities){0};
    assert_false(vmx_capability_msr(&caps, 0x480, &value)); /* a processor without VMX */
}

static void exit_reasons_by_number(void **unused)
{
    const struct vmx_exit_reason_info *last = NULL, *info;

    (void)unused;
    for (size_t i = 0; (info = vmx_exit_reason_at(i)); i++) {
        assert_true(!last || last->number < info->number);
        assert_ptr_equal(vmx_exit_reason(info->number), info);
        last = info;
    }
    assert_int_equal(last->number, EXIT_REASON_LAST);
    assert_string_equal(vmx_exit_reason(48)->kvm_name, "EPT_VIOLATION");
    assert_string_equal(vmx_exit_reason(28)->name, "Control-register accesses");
    assert_null(vmx_exit_reason(35));
    assert_null(vmx_exit_reason(71));
    assert_null(vmx_exit_reason(0x80000021));
}

/* SDM "VM Instruction Error Numbers": 14, 21 and 27 are not defined. */
static void errors_by_number(void **unused)
{
    (void)unused;
    assert_string_equal(vmx_instruction_error_text(10), "VMPTRLD with VMXON pointer");
    assert_string_equal(vmx_instruction_error_text(28), "Invalid operand to INVEPT/INVVPID");
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(vmx_instruction_error_text(i) != NULL,
                         i >= 1 && i <= 28 && i != 14 && i != 21 && i != 27);
}

/* IA32_VMX_PROCBASED_CTLS3 and IA32_VMX_EXIT_CTLS2 exist by the controls that activate theirs; so do the fields. */
static void words_that_other_controls_activate(void **state)
{
    struct vmx_capabilities caps = {.basic = VMX_BASIC_TRUE_CONTROLS,
                                    .procbased_ctls3 = TERTIARY_IPI_VIRTUALIZATION,
                                    .exit_ctls2 = SECONDARY_EXIT_PREMATURELY_BUSY_SHADOW_STACK};
    const struct vmcs_field_info *controls = vmcs_field(0x2034), *exit_controls = vmcs_field(0x2044);
    const struct vmcs_field_info *last_index = vmcs_field(0x0008), *hlat_prefix = vmcs_field(0x0006);
    uint64_t value = 0;
    (void)state;
    assert_false(vmx_capability_msr(&caps, 0x492, &value));
    assert_false(vmx_capability_msr(&caps, 0x493, &value));
    assert_false(vmcs_field_exists(controls, &caps));
    assert_false(vmcs_field_exists(last_index, &caps));
    caps.true_procbased_ctls = (uint64_t)PRIMARY_ACTIVATE_TERTIARY_CONTROLS << 32;
    assert_true(vmx_capability_msr(&caps, 0x492, &value));
    assert_int_equal(value, TERTIARY_IPI_VIRTUALIZATION);
    assert_true(vmcs_field_exists(controls, &caps));
    assert_true(vmcs_field_exists(last_index, &caps));
    assert_false(vmcs_field_exists(hlat_prefix, &caps));
    assert_false(vmcs_field_exists(exit_controls, &caps));
    caps.true_exit_ctls = (uint64_t)EXIT_ACTIVATE_SECONDARY_CONTROLS << 32;
    assert_true(vmx_capability_msr(&caps, 0x493, &value));
    assert_int_equal(value, SECONDARY_EXIT_PREMATURELY_BUSY_SHADOW_STACK);
    assert_true(vmcs_field_exists(exit_controls, &caps));
    assert_false(vmx_capability_msr(&caps, 0x494, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_other_controls_activate),
        cmocka_unit_test(true_controls_count_where_they_exist),
        cmocka_unit_test(controls_are_allowed_by_both_halves),
        cmocka_unit_test(fixed_bits_of_control_registers),
        cmocka_unit_test(vmcs_pointers),
        cmocka_unit_test(ept_pointers),
        cmocka_unit_test(msrs_exist_by_what_others_report),
        cmocka_unit_test(exit_reasons_by_number),
        cmocka_unit_test(errors_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
