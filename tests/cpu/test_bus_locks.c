/*
 * test_bus_locks.c: OS bus-lock detection, and how it meets the VMM's. SDM volume 3B "OS Bus-Lock Detection",
 * "Debug Status Register (DR6)"; volume 3C tables "Exit Qualification for Debug Exceptions" and "Format of
 * Pending-Debug-Exceptions".
 */
#include "guest_fixture.h"
#include "sim/cpu/msr.h"

static void select_processor(struct machine *m)
{
    m->cpu.profile = m->cpu.vmx.profile = cpu_profile_find("sapphirerapids");
}

static void detect(struct machine *m)
{
    select_processor(m);
    assert_true(cpu_write_msr(&m->cpu, MSR_DEBUGCTL, DEBUGCTL_BUS_LOCK_DETECT));
}

static enum cpu_status raise_bus_lock(struct machine *m)
{
    struct cpu_event trap = exception(VECTOR_DB);
    trap.debug_conditions = DR6_BUS_LOCK;
    return cpu_exception(&m->cpu, &trap);
}

static void outside_cpl_0(void **state)
{
    struct machine *m = *state;
    detect(m);
    assert_int_equal(cpu_bus_lock(&m->cpu), 0);
    load_ring(m, CODE1, DATA1, STACK1_TOP);
    assert_int_equal(cpu_bus_lock(&m->cpu), 1 << 11);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    assert_int_equal(cpu_bus_lock(&m->cpu), 1 << 11);
    assert_true(cpu_write_msr(&m->cpu, MSR_DEBUGCTL, 0));
    assert_int_equal(cpu_bus_lock(&m->cpu), 0);
}

/* BLD is cleared by the exception that it tells of, and left alone by others. */
static void dr6_has_it_inverted(void **state)
{
    struct machine *m = *state;
    struct cpu_event step = exception(VECTOR_DB);
    detect(m);
    assert_int_equal(m->cpu.state.dr6, 0xffff0ff0);
    m->cpu.state.dr6 |= 3;
    assert_int_equal(raise_bus_lock(m), CPU_RUN);
    assert_int_equal(m->cpu.state.dr6, 0xffff07f0);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    step.debug_conditions = 1 << 14;
    assert_int_equal(cpu_exception(&m->cpu, &step), CPU_RUN);
    assert_int_equal(m->cpu.state.dr6, 0xffff47f0);
}

static uint64_t dr6_after_mov(struct machine *m, uint64_t value)
{
    const struct insn mov = {
        .id = INSN_MOV_TO_DR, .length = 3, .mode_bits = 32, .operand_bits = 32, .reg = 6};
    m->cpu.state.gpr[GPR_RAX] = value;
    assert_int_equal(cpu_instruction(&m->cpu, &mov), CPU_RUN);
    return m->cpu.state.dr6;
}

static void dr6_is_written(void **state)
{
    struct machine *m = *state;
    assert_int_equal(dr6_after_mov(m, 0), 0xffff0ff0); /* skylake: always 1 */
    select_processor(m);
    assert_int_equal(dr6_after_mov(m, 0), 0xffff07f0);
    assert_int_equal(dr6_after_mov(m, 1 << 11), 0xffff0ff0);
}

static void msrs(void **state)
{
    struct machine *m = *state;
    uint64_t value;
    assert_false(cpu_write_msr(&m->cpu, MSR_DEBUGCTL, 4)); /* skylake has neither */
    assert_false(cpu_read_msr(&m->cpu, 0x33, &value) || cpu_read_msr(&m->cpu, 0xcf, &value));
    detect(m);
    assert_false(cpu_write_msr(&m->cpu, MSR_DEBUGCTL, 8));
    assert_true(cpu_read_msr(&m->cpu, MSR_DEBUGCTL, &value));
    assert_int_equal(value, 4);
    assert_true(cpu_read_msr(&m->cpu, 0xcf, &value));
    assert_int_equal(value, 1 << 5);
    assert_false(cpu_write_msr(&m->cpu, 0xcf, 0));
    assert_true(cpu_write_msr(&m->cpu, 0x33, 1 << 29));
    assert_false(cpu_write_msr(&m->cpu, 0x33, 1ull << 31));
    assert_int_equal(m->cpu.state.msr.test_ctrl, 1 << 29);
}

static void exit_qualification(void **state)
{
    struct machine *m = *state;
    detect(m);
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_DB;
    assert_int_equal(raise_bus_lock(m), CPU_RUN);
    check_exited(m, EXIT_REASON_EXCEPTION_OR_NMI);
    assert_int_equal(m->cpu.vmx.vmcs.exit_qualification, 1 << 11);
    assert_int_equal(m->cpu.state.dr6, 0xffff0ff0);
}

/* The VM exit goes before the debug trap, which the guest finds pending. */
static void exit_before_the_trap(void **state)
{
    struct machine *m = *state;
    detect(m);
    enter_guest(m);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    m->cpu.vmx.bus_lock_detection = true;
    m->signals = CPU_SIGNAL_INIT;
    assert_int_equal(cpu_bus_lock(&m->cpu), 1 << 11);
    assert_int_equal(cpu_next_deadline(&m->cpu), m->cpu.account.now);
    assert_int_equal(raise_bus_lock(m), CPU_RUN);
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    check_exited(m, EXIT_REASON_BUS_LOCK | 1u << 26); /* and before INIT */
    assert_int_equal(m->cpu.vmx.vmcs.guest_pending_debug_exceptions, 1 << 12 | 1 << 11);
}

static void pending_after_an_entry(void **state)
{
    struct machine *m = *state;
    const struct cpu_outcome entered = outcome_of(OUTCOME_VM_ENTRY);
    detect(m);
    enter_guest(m);
    m->cpu.state.pending_debug_exceptions = 1 << 12 | 1 << 11;
    assert_int_equal(cpu_settle(&m->cpu, &entered, NULL), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DB));
    assert_int_equal(m->cpu.state.dr6, 0xffff07f0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(outside_cpl_0),      TEST(dr6_has_it_inverted),  TEST(dr6_is_written),         TEST(msrs),
        TEST(exit_qualification), TEST(exit_before_the_trap), TEST(pending_after_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
