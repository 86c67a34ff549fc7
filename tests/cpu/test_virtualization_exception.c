/* test_virtualization_exception.c: SDM volume 3C "Virtualization Exceptions": convertible EPT violations, the
 * information area, delivery. */
#include "guest_fixture.h"

#define AREA 0x28000u
#define HOLE 0x40000u

/* A guest in 32-bit paging-less protected mode whose page at HOLE is not present in the EPT. */
static void start(struct machine *m)
{
    enter_guest(m);
    enable_ept_without(m, HOLE);
    struct vmcs *v = &m->cpu.vmx.vmcs;
    v->secondary_proc_based_controls |= SECONDARY_EPT_VIOLATION_VE;
    v->virtualization_exception_information_address = AREA;
    v->eptp_index = 0x1234;
}

static uint64_t hole_entry(void)
{
    return EPT_AT + 0x3000 + 8 * (HOLE >> 12);
}

static void touch(struct machine *m)
{
    struct mmu_translation translation;
    struct mmu_fault fault;
    const enum mmu_status status =
        mmu_translate(&m->cpu.mmu, HOLE + 0x123, MMU_WRITE, (struct mmu_mode){0}, &translation, &fault);
    assert_int_equal(status, MMU_EPT_VIOLATION);
    assert_int_equal(cpu_memory_fault(&m->cpu, status, &fault), CPU_RUN);
}

static void becomes_an_exception(void **state)
{
    struct machine *m = *state;
    start(m);
    touch(m);
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_VE));
    /* EIP, CS, EFLAGS with RF; no error code */
    FRAME(m, STACK0_TOP - 12, 4, CODE_AT, CODE0, RFLAGS_FIXED1 | RFLAGS_IF | RFLAGS_RF);
    assert_int_equal(peek(m, AREA, 4), 48);
    assert_int_equal(peek(m, AREA + 4, 4), 0xffffffff);
    assert_int_equal(peek(m, AREA + 8, 8), 2 | 1 << 7 | 1 << 8 | 3 << 9); /* no paging: user-mode, writable */
    assert_int_equal(peek(m, AREA + 16, 8), HOLE + 0x123);
    assert_int_equal(peek(m, AREA + 24, 8), HOLE + 0x123);
    assert_int_equal(peek(m, AREA + 32, 8), 0x1234);
}

static void assert_exits(struct machine *m)
{
    touch(m);
    check_exited(m, EXIT_REASON_EPT_VIOLATION);
    assert_int_equal(m->cpu.vmx.vmcs.exit_qualification & 0x187, 2 | 1 << 7 | 1 << 8);
    assert_int_equal(m->cpu.vmx.vmcs.guest_physical_address, HOLE + 0x123);
}

static void suppressed_where_the_page_is_absent(void **state)
{
    struct machine *m = *state;
    start(m);
    poke(m, hole_entry(), 1ull << 63, 8);
    assert_exits(m);
    assert_int_equal(peek(m, AREA + 4, 4), 0);
}

static void suppressed_by_the_entry_that_maps(void **state)
{
    struct machine *m = *state;
    start(m);
    poke(m, hole_entry(), 1ull << 63 | HOLE | 0x31, 8);
    assert_exits(m);
}

/* Bit 63 of an entry that references a table says nothing. */
static void table_entries_do_not_suppress(void **state)
{
    struct machine *m = *state;
    start(m);
    poke(m, EPT_AT, peek(m, EPT_AT, 8) | 1ull << 63, 8);
    poke(m, hole_entry(), HOLE | 0x31, 8);
    touch(m);
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(peek(m, AREA + 8, 8) >> 3 & 7, 1);
}

static void exits_while_the_area_is_in_use(void **state)
{
    struct machine *m = *state;
    start(m);
    poke(m, AREA + 4, 0x80000000, 4);
    assert_exits(m);
    assert_int_equal(peek(m, AREA, 4), 0);
}

static void exits_in_real_mode(void **state)
{
    struct machine *m = *state;
    start(m);
    m->cpu.state.cr0 &= ~CR0_PE;
    assert_exits(m);
}

static void exits_without_the_control(void **state)
{
    struct machine *m = *state;
    start(m);
    m->cpu.vmx.vmcs.secondary_proc_based_controls &= ~SECONDARY_EPT_VIOLATION_VE;
    assert_exits(m);
}

/* "not in the process of delivering an event through the IDT": the stack is missing in the EPT. */
static void exits_during_event_delivery(void **state)
{
    struct machine *m = *state;
    start(m);
    m->cpu.state.gpr[GPR_RSP] = HOLE + 0x100;
    const struct cpu_event fault = exception(VECTOR_UD);
    assert_int_equal(cpu_exception(&m->cpu, &fault), CPU_RUN);
    check_exited(m, EXIT_REASON_EPT_VIOLATION);
    assert_int_equal(m->cpu.vmx.vmcs.idt_vectoring_information, INFORMATION(VECTOR_UD, 3));
}

static void exits_by_the_exception_bitmap(void **state)
{
    struct machine *m = *state;
    start(m);
    m->cpu.vmx.vmcs.exception_bitmap = 1u << VECTOR_VE;
    touch(m);
    check_exited(m, EXIT_REASON_EXCEPTION_OR_NMI);
    assert_int_equal(m->cpu.vmx.vmcs.vm_exit_interruption_information, INFORMATION(VECTOR_VE, 3));
    assert_int_equal(m->cpu.vmx.vmcs.exit_qualification, 0);
    assert_int_equal(peek(m, AREA, 4), 48);
}

/* "the same severity as page faults": a contributory fault in its delivery makes a double fault. */
static void nested_fault_makes_a_double_fault(void **state)
{
    struct machine *m = *state;
    start(m);
    set_gate(m, VECTOR_VE, CODE0, GATE_INTERRUPT32 & ~0x80u); /* #NP */
    touch(m);
    assert_true(m->cpu.vmx.non_root);
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_DF));
}

/* An IRET that found NMIs blocked: bit 12 of the qualification in the area. */
static void nmi_unblocking_is_in_the_qualification(void **state)
{
    struct machine *m = *state;
    start(m);
    m->cpu.vmx.vmcs.pin_based_controls = 0;
    m->cpu.state.interruptibility_state |= BLOCKING_BY_NMI;
    m->cpu.state.gpr[GPR_RSP] = HOLE + 0x100;
    load_segment(m, SEG_SS, DATA0);
    const struct insn iret = {.id = INSN_IRET, .length = 1, .operand_bits = 32, .mode_bits = 32};
    cpu_instruction(&m->cpu, &iret);
    assert_int_equal(peek(m, AREA + 8, 8) >> 12 & 1, 1);
    assert_int_equal(peek(m, AREA + 24, 8), HOLE + 0x100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(becomes_an_exception),
        TEST(suppressed_where_the_page_is_absent),
        TEST(suppressed_by_the_entry_that_maps),
        TEST(table_entries_do_not_suppress),
        TEST(exits_while_the_area_is_in_use),
        TEST(exits_in_real_mode),
        TEST(exits_without_the_control),
        TEST(exits_during_event_delivery),
        TEST(exits_by_the_exception_bitmap),
        TEST(nested_fault_makes_a_double_fault),
        TEST(nmi_unblocking_is_in_the_qualification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
