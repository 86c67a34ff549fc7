/*
 * test_start_up.c: INIT and start-up IPIs at a processor. SDM volume 3A "Multiple-Processor (MP)
 * Initialization", table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT"; volume 3C
 * "Other Causes of VM Exits".
 */
#include "guest_fixture.h"

static void waits_for_a_start_up_ipi(void **state)
{
    struct machine *m = *state;
    m->cpu.state.activity_state = ACTIVITY_WAIT_FOR_SIPI;
    m->nmi = m->interrupt = true;
    assert_int_equal(cpu_next_deadline(&m->cpu), UINT64_MAX);
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    assert_int_equal(m->nmis_acknowledged, 0);
    m->nmi = m->interrupt = false;
    m->signals = CPU_SIGNAL_SIPI;
    m->sipi_vector = 0x9a;
    m->cpu.account.now = 3;
    assert_int_equal(cpu_next_deadline(&m->cpu), 3);
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, 0x9a00);
    assert_int_equal(m->cpu.state.seg[SEG_CS].base, 0x9a000);
    assert_int_equal(m->cpu.state.rip, 0);
    assert_int_equal(m->cpu.state.activity_state, ACTIVITY_ACTIVE);
    assert_int_equal(m->signals, 0);
}

static void a_running_processor_drops_it(void **state)
{
    struct machine *m = *state;
    m->signals = CPU_SIGNAL_SIPI;
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    assert_int_equal(m->signals, 0);
}

static void init_resets(void **state)
{
    struct machine *m = *state;
    m->cpu.processor = 1;
    m->cpu.state.gpr[GPR_RBX] = 7;
    m->cpu.state.cr0 |= CR0_CD;
    m->cpu.state.cr0 &= ~CR0_NW;
    m->cpu.state.cr2 = 5;
    m->cpu.state.dr[1] = 9;
    m->cpu.state.msr.pat = 0x0606060606060606;
    m->signals = CPU_SIGNAL_INIT;
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    assert_int_equal(m->cpu.state.activity_state, ACTIVITY_WAIT_FOR_SIPI);
    assert_int_equal(m->cpu.state.gpr[GPR_RBX], 0);
    assert_int_equal(m->cpu.state.cr0, CR0_ET | CR0_CD); /* CD and NW stay */
    assert_int_equal(m->cpu.state.cr2 | m->cpu.state.cr3 | m->cpu.state.cr4 | m->cpu.state.msr.efer, 0);
    assert_int_equal(m->cpu.state.dr[1], 0);
    assert_int_equal(m->cpu.state.rflags, 2);
    assert_int_equal(m->cpu.state.seg[SEG_CS].base, 0xffff0000);
    assert_int_equal(m->cpu.state.msr.pat, 0x0606060606060606); /* MSRs stay */
}

static void init_of_the_first_is_refused(void **state)
{
    struct machine *m = *state;
    m->signals = CPU_SIGNAL_INIT;
    assert_int_equal(cpu_poll(&m->cpu), CPU_UNSUPPORTED);
    assert_non_null(strstr(m->cpu.text, "reset vector"));
}

static void root_operation_blocks_init(void **state)
{
    struct machine *m = *state;
    m->cpu.processor = 1;
    m->cpu.vmx.on = true;
    m->signals = CPU_SIGNAL_INIT;
    assert_false(cpu_wants_interrupt_window(&m->cpu));
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    assert_int_equal(m->signals, CPU_SIGNAL_INIT);
    assert_int_equal(m->cpu.state.rip, CODE_AT);
    m->cpu.vmx.on = false; /* VMXOFF: it is taken now */
    assert_true(cpu_wants_interrupt_window(&m->cpu));
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    assert_int_equal(m->signals, 0);
    assert_int_equal(m->apic_resets, 1);
}

/* In non-root operation both are VM exits: qualification of a SIPI is its vector. */
static void guests_exit(void **state)
{
    struct machine *m = *state;
    m->cpu.processor = 1;
    enter_guest(m);
    m->signals = CPU_SIGNAL_INIT;
    cpu_poll(&m->cpu);
    check_exited(m, EXIT_REASON_INIT_SIGNAL);
    assert_int_equal(m->signals, 0);
    assert_int_equal(m->apic_resets, 0); /* nothing of what INIT does otherwise */
    enter_guest(m);
    m->cpu.state.activity_state = ACTIVITY_WAIT_FOR_SIPI;
    m->signals = CPU_SIGNAL_INIT | CPU_SIGNAL_SIPI; /* the INIT is blocked in this state */
    m->sipi_vector = 0x12;
    cpu_poll(&m->cpu);
    check_exited(m, EXIT_REASON_START_UP_IPI);
    assert_int_equal(m->cpu.vmx.vmcs.exit_qualification, 0x12);
    assert_int_equal(m->signals, CPU_SIGNAL_INIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(waits_for_a_start_up_ipi),     TEST(a_running_processor_drops_it), TEST(init_resets),
        TEST(init_of_the_first_is_refused), TEST(root_operation_blocks_init),   TEST(guests_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
