/* test_memory_controls.c: what the current VMCS makes of address translation by its later controls: SDM
 * "Page-Modification Logging", "EPT Violations", "Sub-Page Write Permissions", "Fields Related to
 * Hypervisor-Managed Linear-Address Translation". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

static void setup(uint32_t secondary_controls)
{
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.secondary_proc_based_controls |= secondary_controls;
}

/* The log's index is the field of the current VMCS, so that a VM exit finds it counted down. */
static void page_modification_log(void **state)
{
    (void)state;
    setup(SECONDARY_ENABLE_PML);
    b.vmx.vmcs.pml_address = 0x9000;
    bench_non_root(&b);
    assert_ptr_equal(b.mmu.regime.pml_index, &b.vmx.vmcs.pml_index);
    assert_int_equal(b.mmu.regime.pml_address, 0x9000);
    b.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    vmx_update_regime(&b.vmx);
    assert_null(b.mmu.regime.pml_index);
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    b.vmx.non_root = false;
    vmx_update_regime(&b.vmx);
    assert_null(b.mmu.regime.pml_index);
    bench_end(&b);
}

static void privileges_of_the_ept(void **state)
{
    (void)state;
    setup(SECONDARY_MODE_BASED_EXECUTE_CONTROL_FOR_EPT);
    bench_non_root(&b);
    assert_true(b.mmu.regime.mode_based_execute);
    assert_false(b.mmu.regime.sub_page_write);
    bench_end(&b);
    setup(SECONDARY_SUB_PAGE_WRITE_PERMISSIONS_FOR_EPT);
    b.vmx.vmcs.sub_page_permission_table_pointer = 0xa000;
    bench_non_root(&b);
    assert_false(b.mmu.regime.mode_based_execute);
    assert_true(b.mmu.regime.sub_page_write);
    assert_int_equal(b.mmu.regime.spptp, 0xa000);
    b.vmx.non_root = false;
    vmx_update_regime(&b.vmx);
    assert_false(b.mmu.regime.sub_page_write);
    bench_end(&b);
}

static void setup_tertiary(uint64_t controls)
{
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_TERTIARY_CONTROLS;
    b.vmx.vmcs.tertiary_proc_based_controls = controls;
    b.vmx.vmcs.hlat_pointer = 0xb018;
    bench_non_root(&b);
}

static void hypervisor_managed_translation(void **state)
{
    (void)state;
    setup_tertiary(TERTIARY_ENABLE_HLAT);
    assert_true(b.mmu.regime.hlat);
    assert_int_equal(b.mmu.regime.hlat_pointer, 0xb018);
    assert_false(b.mmu.regime.hlat_upper_only);
    assert_false(b.mmu.regime.paging_write || b.mmu.regime.verify_guest_paging);
    b.vmx.vmcs.hlat_prefix_size = 1;
    vmx_update_regime(&b.vmx);
    assert_true(b.mmu.regime.hlat_upper_only);
    b.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_ACTIVATE_TERTIARY_CONTROLS;
    vmx_update_regime(&b.vmx);
    assert_false(b.mmu.regime.hlat);
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_TERTIARY_CONTROLS;
    b.vmx.non_root = false;
    vmx_update_regime(&b.vmx);
    assert_false(b.mmu.regime.hlat);
    bench_end(&b);
}

static void paging_writes_and_verification(void **state)
{
    (void)state;
    setup_tertiary(TERTIARY_EPT_PAGING_WRITE_CONTROL);
    assert_true(b.mmu.regime.paging_write);
    assert_false(b.mmu.regime.hlat || b.mmu.regime.verify_guest_paging);
    bench_end(&b);
    setup_tertiary(TERTIARY_GUEST_PAGING_VERIFICATION);
    assert_true(b.mmu.regime.verify_guest_paging);
    assert_false(b.mmu.regime.hlat || b.mmu.regime.paging_write);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_modification_log),
        cmocka_unit_test(privileges_of_the_ept),
        cmocka_unit_test(hypervisor_managed_translation),
        cmocka_unit_test(paging_writes_and_verification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
