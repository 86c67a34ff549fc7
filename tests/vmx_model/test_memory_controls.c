/* test_memory_controls.c: what the current VMCS makes of address translation by its later controls: SDM
 * "Page-Modification Logging". */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_modification_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
