/* test_memory_controls.c: what the current VMCS makes of address translation by its later controls: SDM
 * "Page-Modification Logging", "EPT Violations", "Sub-Page Write Permissions". */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_modification_log),
        cmocka_unit_test(privileges_of_the_ept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
