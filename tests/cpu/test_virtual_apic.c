/*
 * test_virtual_apic.c: what comes between two instructions of a guest with a virtual APIC or the monitor trap
 * flag. SDM volume 3C "Monitor Trap Flag", "Virtual-Interrupt Delivery", "Posted-Interrupt Processing",
 * "Saving Non-Register State".
 */
#include "guest_fixture.h"

#include "vmx_model/controls.h"

#define VIRTUAL_APIC 0x21000u
#define DESCRIPTOR 0x22000u
#define NOTIFICATION 0x32u

static const struct insn halt = {.id = INSN_HLT, .length = 1, .mode_bits = 32, .operand_bits = 32};
static const struct insn no_operation = {.id = INSN_WBINVD, .length = 2, .mode_bits = 32, .operand_bits = 32};

static bool read_apic_base(void *o, uint32_t index, uint64_t *value)
{
    (void)o;
    *value = 0xfee00c00; /* enabled, x2APIC mode */
    return index == 0x1b;
}

static bool write_apic(void *o, uint32_t index, uint64_t value)
{
    struct machine *m = o;
    assert_int_equal(index, 0x80b);
    assert_int_equal(value, 0);
    m->nmis_acknowledged += 100; /* an EOI */
    return true;
}

static void with_virtual_apic(struct machine *m)
{
    struct vmcs *v = &m->cpu.vmx.vmcs;
    v->pin_based_controls = PIN_EXTERNAL_INTERRUPT_EXITING | PIN_PROCESS_POSTED_INTERRUPTS;
    v->primary_proc_based_controls = PRIMARY_USE_TPR_SHADOW | PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    v->secondary_proc_based_controls = SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
    v->primary_vm_exit_controls = EXIT_ACKNOWLEDGE_INTERRUPT;
    v->virtual_apic_address = VIRTUAL_APIC;
    v->posted_interrupt_descriptor_address = DESCRIPTOR;
    v->posted_interrupt_notification_vector = NOTIFICATION;
    m->bus.apic_read_msr = read_apic_base;
    m->bus.apic_write_msr = write_apic;
    enter_guest(m);
}

/* From HLT: the notification is dismissed and the posted vector 21H delivered, without a VM exit. */
static void posted_interrupt_wakes_and_is_delivered(void **state)
{
    struct machine *m = *state;
    with_virtual_apic(m);
    poke(m, DESCRIPTOR + 4, 1 << 1, 4);
    poke(m, DESCRIPTOR + 32, 1, 1);
    m->cpu.state.activity_state = ACTIVITY_HLT;
    m->interrupt = true;
    m->interrupt_vector = NOTIFICATION;
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(m->cpu.state.rip, handler_of(0x21));
    assert_int_equal(m->nmis_acknowledged, 100);
    assert_int_equal(peek(m, DESCRIPTOR + 32, 1), 0);
    assert_int_equal(m->cpu.vmx.vmcs.guest_interrupt_status, 0x2100);
    assert_int_equal(m->cpu.state.activity_state, ACTIVITY_ACTIVE);
}

/* Nothing posted: back to HLT. */
static void empty_notification_leaves_halted(void **state)
{
    struct machine *m = *state;
    with_virtual_apic(m);
    m->cpu.state.activity_state = ACTIVITY_HLT;
    m->interrupt = true;
    m->interrupt_vector = NOTIFICATION;
    assert_int_equal(cpu_poll(&m->cpu), CPU_HALTED);
    assert_true(m->cpu.vmx.non_root);
}

static void other_interrupts_exit_acknowledged(void **state)
{
    struct machine *m = *state;
    with_virtual_apic(m);
    m->interrupt = true;
    m->interrupt_vector = 0x33;
    cpu_poll(&m->cpu);
    check_exited(m, EXIT_REASON_EXTERNAL_INTERRUPT);
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_interruption_information, 0x80000033);
}

static void virtual_interrupt_goes_before_external_and_after_nmi(void **state)
{
    struct machine *m = *state;
    with_virtual_apic(m);
    m->cpu.vmx.vmcs.guest_interrupt_status = 0x25;
    m->cpu.vmx.virtual_interrupt_recognized = true;
    assert_true(cpu_wants_interrupt_window(&m->cpu));
    m->cpu.account.now = 9;
    assert_int_equal(cpu_next_deadline(&m->cpu), 9);
    m->nmi = m->interrupt = true;
    m->interrupt_vector = 0x33;
    cpu_poll(&m->cpu);
    assert_int_equal(m->cpu.state.rip, handler_of(2));
    m->cpu.state.rflags |= RFLAGS_IF;
    cpu_poll(&m->cpu);
    assert_int_equal(m->cpu.state.rip, handler_of(0x25));
    assert_int_equal(m->interrupts_acknowledged, 0);
}

static void with_monitor_trap(struct machine *m)
{
    enter_guest(m);
    m->cpu.vmx.vmcs.primary_proc_based_controls = PRIMARY_MONITOR_TRAP_FLAG;
    m->cpu.vmx.monitor_trap = true;
}

static void monitor_trap_after_hlt_is_from_hlt(void **state)
{
    struct machine *m = *state;
    with_monitor_trap(m);
    assert_int_equal(cpu_instruction(&m->cpu, &halt), CPU_HALTED);
    assert_int_equal(cpu_next_deadline(&m->cpu), m->cpu.account.now);
    assert_int_equal(cpu_poll(&m->cpu), CPU_RUN);
    check_exited(m, EXIT_REASON_MONITOR_TRAP_FLAG);
    assert_int_equal(m->cpu.vmx.vmcs.guest_activity_state, ACTIVITY_HLT);
    assert_int_equal(m->cpu.vmx.vmcs.guest_rip, CODE_AT + 1);
}

/* The single-step trap stays pending: it comes after the next VM entry. */
static void monitor_trap_goes_before_the_single_step(void **state)
{
    struct machine *m = *state;
    with_monitor_trap(m);
    m->cpu.state.rflags |= RFLAGS_TF;
    assert_int_equal(cpu_instruction(&m->cpu, &no_operation), CPU_RUN);
    assert_int_equal(m->cpu.state.rip, CODE_AT + 2);
    cpu_poll(&m->cpu);
    check_exited(m, EXIT_REASON_MONITOR_TRAP_FLAG);
    assert_int_equal(m->cpu.vmx.vmcs.guest_pending_debug_exceptions, 1 << 14);
}

static void monitor_trap_after_the_trap_of_translated_code(void **state)
{
    struct machine *m = *state;
    struct cpu_event single_step = exception(VECTOR_DB);
    with_monitor_trap(m);
    single_step.debug_conditions = 1 << 14 | 1;
    assert_int_equal(cpu_exception(&m->cpu, &single_step), CPU_RUN);
    cpu_poll(&m->cpu);
    check_exited(m, EXIT_REASON_MONITOR_TRAP_FLAG);
    assert_int_equal(m->cpu.vmx.vmcs.guest_pending_debug_exceptions, 1 << 14 | 1 << 12 | 1);
}

static void monitor_trap_follows_the_delivery_of_a_fault(void **state)
{
    struct machine *m = *state;
    struct cpu_event fault = exception(VECTOR_UD);
    with_monitor_trap(m);
    cpu_exception(&m->cpu, &fault);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_UD));
    cpu_poll(&m->cpu);
    check_exited(m, EXIT_REASON_MONITOR_TRAP_FLAG);
    assert_int_equal(m->cpu.vmx.vmcs.guest_rip, handler_of(VECTOR_UD));
}

/* An interrupt that is taken before an instruction could run is an operation, too: one poll does both. */
static void monitor_trap_follows_an_interrupt_at_once(void **state)
{
    struct machine *m = *state;
    with_monitor_trap(m);
    m->interrupt = true;
    m->interrupt_vector = 40;
    cpu_poll(&m->cpu);
    check_exited(m, EXIT_REASON_MONITOR_TRAP_FLAG);
    assert_int_equal(m->cpu.vmx.vmcs.guest_rip, handler_of(40));
}

/* A data breakpoint that MOV SS held back comes with the single-step trap of an instruction that the model
 * executes. */
static void held_breakpoint_joins_the_single_step(void **state)
{
    struct machine *m = *state;
    enter_guest(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1 << VECTOR_DB;
    m->cpu.state.rflags |= RFLAGS_TF;
    m->cpu.state.interruptibility_state = BLOCKING_BY_MOV_SS;
    m->cpu.state.pending_debug_exceptions = 1 << 14 | 1 << 12 | 1;
    cpu_instruction(&m->cpu, &no_operation);
    check_exited(m, EXIT_REASON_EXCEPTION_OR_NMI);
    assert_int_equal(m->cpu.vmx.vmcs.exit_qualification, 1 << 14 | 1);
    assert_int_equal(m->cpu.vmx.vmcs.guest_pending_debug_exceptions, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(posted_interrupt_wakes_and_is_delivered),
        TEST(empty_notification_leaves_halted),
        TEST(other_interrupts_exit_acknowledged),
        TEST(virtual_interrupt_goes_before_external_and_after_nmi),
        TEST(monitor_trap_after_hlt_is_from_hlt),
        TEST(monitor_trap_goes_before_the_single_step),
        TEST(monitor_trap_after_the_trap_of_translated_code),
        TEST(monitor_trap_follows_the_delivery_of_a_fault),
        TEST(monitor_trap_follows_an_interrupt_at_once),
        TEST(held_breakpoint_joins_the_single_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
