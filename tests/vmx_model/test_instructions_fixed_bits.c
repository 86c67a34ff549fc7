/* Tests of fixed_bits.c: SDM "Restrictions on VMX Operation". */
#include "instructions_fixture.h"

#define CR0_GUEST (CR0_NE | CR0_ET)

static void outside_vmx_operation_nothing_is_fixed(void **unused)
{
    struct fixture *f = fixture_new();

    (void)unused;
    assert_true(vmx_cr_allowed(&f->vmx, 0, 0));
    assert_true(vmx_cr_allowed(&f->vmx, 4, 0));
    fixture_free(f);
}

static void root_operation(void **unused)
{
    struct fixture *f = fixture_in_vmx();

    (void)unused;
    assert_true(vmx_cr_allowed(&f->vmx, 0, CR0_GUEST | CR0_PE | CR0_PG));
    assert_false(vmx_cr_allowed(&f->vmx, 0, CR0_ET | CR0_PE | CR0_PG)); /* NE */
    assert_false(vmx_cr_allowed(&f->vmx, 0, CR0_GUEST | CR0_PE));       /* PG */
    assert_true(vmx_cr_allowed(&f->vmx, 4, CR4_VMXE));
    assert_false(vmx_cr_allowed(&f->vmx, 4, CR4_PAE));
    fixture_free(f);
}

static void unrestricted_guest_frees_pe_and_pg(void **unused)
{
    struct fixture *f = fixture_with_vmcs();

    (void)unused;
    f->vmx.vmcs.secondary_proc_based_controls = SECONDARY_UNRESTRICTED_GUEST;
    f->vmx.non_root = true;
    assert_false(vmx_cr_allowed(&f->vmx, 0, CR0_GUEST)); /* secondary controls are not activated */
    f->vmx.vmcs.primary_proc_based_controls = PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    assert_true(vmx_cr_allowed(&f->vmx, 0, CR0_GUEST));
    assert_false(vmx_cr_allowed(&f->vmx, 0, CR0_ET)); /* NE stays fixed */
    f->vmx.non_root = false;
    assert_false(vmx_cr_allowed(&f->vmx, 0, CR0_GUEST));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_vmx_operation_nothing_is_fixed),
        cmocka_unit_test(root_operation),
        cmocka_unit_test(unrestricted_guest_frees_pe_and_pg),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
