/* test_tsc_scaling.c: SDM "Time-Stamp Counter Offset and Multiplier"; RDTSC in "Changes to Instruction
 * Behavior in VMX Non-Root Operation"; "VMX-Preemption Timer". */
#include "tests/vmx_model/transition_fixture.h"

static struct bench b;

static void setup(uint64_t multiplier)
{
    bench_setup(&b, fixture_long);
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_USE_TSC_OFFSETTING;
    b.vmx.vmcs.secondary_proc_based_controls |= SECONDARY_USE_TSC_SCALING;
    b.vmx.vmcs.tsc_multiplier = multiplier;
    bench_non_root(&b);
}

/* The TSC of the processor; the account stands at 0. */
static void set_tsc(uint64_t tsc)
{
    b.state.tsc_offset_root = tsc - b.account.now;
}

static void product_is_shifted_by_48(void **state)
{
    (void)state;
    setup(3ull << 47); /* 1.5 */
    set_tsc(1001);
    assert_int_equal(vmx_tsc(&b.vmx), 1501);
    b.vmx.vmcs.tsc_multiplier = 1ull << 47;
    assert_int_equal(vmx_tsc(&b.vmx), 500);
    b.vmx.vmcs.tsc_multiplier = 1;
    set_tsc(1ull << 50 | 1);
    assert_int_equal(vmx_tsc(&b.vmx), 4);
    bench_end(&b);
}

/* Bits 127:48 of the product count, though the product of the low halves overflows 64 bits. */
static void product_has_128_bits(void **state)
{
    (void)state;
    setup(1ull << 63);
    set_tsc(0x0123456789abcdef);
    assert_int_equal(vmx_tsc(&b.vmx), 0x0123456789abcdefull << 15);
    b.vmx.vmcs.tsc_multiplier = UINT64_MAX;
    set_tsc(UINT64_MAX);
    assert_int_equal(vmx_tsc(&b.vmx), 0xfffffffffffe0000);
    bench_end(&b);
}

static void offset_is_added_afterwards(void **state)
{
    (void)state;
    setup(2ull << 48);
    set_tsc(1000);
    b.vmx.vmcs.tsc_offset = (uint64_t)-5;
    assert_int_equal(vmx_tsc(&b.vmx), 1995);
    bench_end(&b);
}

static void needs_offsetting_and_secondary_controls(void **state)
{
    (void)state;
    setup(2ull << 48);
    set_tsc(1000);
    b.vmx.vmcs.tsc_offset = 7;
    b.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_USE_TSC_OFFSETTING;
    assert_int_equal(vmx_tsc(&b.vmx), 1000);
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_USE_TSC_OFFSETTING;
    b.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    assert_int_equal(vmx_tsc(&b.vmx), 1007);
    b.vmx.vmcs.primary_proc_based_controls |= PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    b.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_USE_TSC_SCALING;
    assert_int_equal(vmx_tsc(&b.vmx), 1007);
    b.vmx.vmcs.secondary_proc_based_controls |= SECONDARY_USE_TSC_SCALING;
    b.vmx.non_root = false;
    assert_int_equal(vmx_tsc(&b.vmx), 1000);
    bench_end(&b);
}

/* The timer counts with the processor's TSC: neither multiplier nor offset moves its deadline. */
static void preemption_timer_is_independent(void **state)
{
    (void)state;
    setup(16ull << 48);
    b.vmx.vmcs.tsc_offset = 12345;
    b.vmx.vmcs.pin_based_controls |= PIN_ACTIVATE_PREEMPTION_TIMER;
    b.vmx.vmcs.vmx_preemption_timer_value = 10;
    set_tsc(0);
    const uint64_t now = b.account.now;
    vmx_start_preemption_timer(&b.vmx);
    assert_int_equal(b.vmx.preemption_deadline - now, 10ull << TIMER_SHIFT);
    bench_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(product_is_shifted_by_48),
        cmocka_unit_test(product_has_128_bits),
        cmocka_unit_test(offset_is_added_afterwards),
        cmocka_unit_test(needs_offsetting_and_secondary_controls),
        cmocka_unit_test(preemption_timer_is_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
