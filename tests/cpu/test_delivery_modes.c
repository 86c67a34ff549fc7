/*
 * test_delivery_modes.c: delivery in IA-32e, virtual-8086 and real-address mode. SDM volume 3A "Interrupt and
 * Exception Handling in 64-Bit Mode" ("64-Bit Mode Stack Frame", "Interrupt Stack Table"), "Handling
 * Virtual-8086 Mode Interrupts and Exceptions", "Interrupt and Exception Handling" of real-address mode.
 */
#include "events_fixture.h"
#include "sim/cpu/delivery/delivery.h"

static struct cpu_outcome deliver(struct machine *m, struct cpu_event event)
{
    return cpu_deliver(&m->cpu, &event);
}

static void long_same_ring_aligns_and_pushes_stack(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    m->cpu.state.gpr[GPR_RSP] = STACK0_TOP - 4;
    check_jumped(deliver(m, exception_with_code(VECTOR_GP, 0x10)));
    FRAME(m, STACK0_TOP - 0x40, 8, 0x10, CODE_AT, CODE0_64, 0x10202, STACK0_TOP - 4, DATA0);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - 0x40);
    assert_int_equal(m->cpu.state.seg[SEG_SS].selector, DATA0); /* kept */
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_GP));
}

static void long_inner_ring_makes_ss_null(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    load_ring(m, CODE3_64, DATA3, STACK3_TOP);
    check_jumped(deliver(m, external_interrupt(32)));
    FRAME(m, STACK0_TOP - 40, 8, CODE_AT, CODE3_64, 0x202, STACK3_TOP, DATA3);
    assert_int_equal(m->cpu.state.seg[SEG_SS].selector, 0);
    assert_true(m->cpu.state.seg[SEG_SS].access_rights & AR_UNUSABLE);
    assert_int_equal(cpu_cpl(&m->cpu.state), 0);
    assert_int_equal(cpu_code_bits(&m->cpu.state), 64);
}

static void long_from_compatibility_mode(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    load_ring(m, CODE3, DATA3, STACK3_TOP);
    check_jumped(deliver(m, software_interrupt(33)));
    FRAME(m, STACK0_TOP - 40, 8, CODE_AT + 2, CODE3, 0x202, STACK3_TOP, DATA3);
    assert_int_equal(cpu_code_bits(&m->cpu.state), 64);
}

static void long_ist_switches_in_the_same_ring(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    set_long_gate(m, 32, CODE0_64, GATE_INTERRUPT32, 1);
    check_jumped(deliver(m, external_interrupt(32)));
    FRAME(m, IST1_TOP - 40, 8, CODE_AT, CODE0_64, 0x202, STACK0_TOP, DATA0);
}

static void long_faults(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    m->cpu.state.idtr.limit = 32 * 16 + 14;
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 32 * 8 + 3);
    m->cpu.state.idtr.limit = 0x3ff;
    set_long_gate(m, 32, CODE0_64, GATE_INTERRUPT16, 0);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 32 * 8 + 3);
    set_long_gate(m, 32, CODE0, GATE_INTERRUPT32, 0); /* not a 64-bit code segment */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, CODE0 | 1);
    set_long_gate(m, 32, CODE0_64, GATE_INTERRUPT32, 0);
    poke(m, IDT_AT + 32 * 16 + 8, 0x8000, 4); /* bits 63:32 of the offset: bit 47 alone is set */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, 1);
    set_long_gate(m, 32, CODE0_64, GATE_INTERRUPT32, 7);
    m->cpu.state.seg[SEG_TR].limit = 28 + 7 * 8 + 6; /* IST7 ends one byte behind */
    check_fault(deliver(m, external_interrupt(32)), VECTOR_TS, TSS | 1);
    set_long_gate(m, 32, CODE0_64, GATE_INTERRUPT32, 1);
    poke(m, TSS_AT + 36, 0x0000900000000000, 8);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_SS, 1);
}

/* The push that crosses into an unmapped page faults with the address of that item, from the top down. */
static void long_push_faults_at_its_item(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    unmap_long(m, STACK0_TOP - 0x1000);
    m->cpu.state.gpr[GPR_RSP] = STACK0_TOP + 0x10; /* SS and RSP fit above the page boundary */
    const struct cpu_outcome outcome = deliver(m, external_interrupt(32));
    check_fault(outcome, VECTOR_PF, PF_W);
    assert_int_equal(outcome.event.cr2, STACK0_TOP - 8);
}

static void enter_v86(struct machine *m, uint64_t iopl)
{
    static const enum cpu_segment_index order[] = {SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS};
    m->cpu.state.rflags |= RFLAGS_VM | iopl << RFLAGS_IOPL_SHIFT;
    for (unsigned i = 0; i < 6; i++)
        m->cpu.state.seg[order[i]] = (struct cpu_segment){.base = 0x1000 * (i + 1),
                                                          .limit = 0xffff,
                                                          .access_rights = 0xf3,
                                                          .selector = (uint16_t)(0x100 * (i + 1))};
    m->cpu.state.gpr[GPR_RSP] = 0xff0;
    m->cpu.state.rip = 0x50;
}

static void v86_pushes_the_data_segments(void **state)
{
    struct machine *m = *state;
    enter_v86(m, 0);
    check_jumped(deliver(m, exception_with_code(VECTOR_GP, 0)));
    /* error code, EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS */
    FRAME(m, STACK0_TOP - 40, 4, 0, 0x50, 0x100, 0x30202, 0xff0, 0x200, 0x400, 0x300, 0x500, 0x600);
    assert_false(m->cpu.state.rflags & RFLAGS_VM);
    assert_int_equal(cpu_cpl(&m->cpu.state), 0);
    assert_int_equal(m->cpu.state.seg[SEG_DS].selector, 0);
    assert_true(m->cpu.state.seg[SEG_GS].access_rights & AR_UNUSABLE);
}

static void v86_leaves_for_ring_0_only(void **state)
{
    struct machine *m = *state;
    enter_v86(m, 3);
    set_gate(m, 32, CODE1, GATE_INTERRUPT32);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, (CODE1 & ~3) | 1);
    set_gate(m, 32, CONFORMING0, GATE_INTERRUPT32);
    check_fault(deliver(m, external_interrupt(32)), VECTOR_GP, CONFORMING0 | 1);
}

static void v86_int_n_needs_iopl_3(void **state)
{
    struct machine *m = *state;
    struct cpu_outcome instead;
    struct cpu_event event = software_interrupt(0x21);
    enter_v86(m, 2);
    assert_true(software_interrupt_refused(&m->cpu, &event, &instead));
    check_fault(instead, VECTOR_GP, 0);
    enter_v86(m, 3);
    assert_false(software_interrupt_refused(&m->cpu, &event, &instead));
}

#define MAP_AT (TSS_AT + 0x68u) /* the redirection bit map, below an empty I/O permission bit map */

static void enter_v86_with_redirection(struct machine *m, uint64_t iopl)
{
    enter_v86(m, iopl);
    m->cpu.state.cr4 |= CR4_VME;
    m->cpu.state.seg[SEG_TR].limit = 0x67 + 32;
    poke(m, TSS_AT + 0x66, 0x68 + 32, 2);
    for (unsigned i = 0; i < 32; i += 8)
        poke(m, MAP_AT + i, 0, 8);
    poke(m, 0x21 * 4, 0x01000234, 4); /* the program's handler: 100H:234H */
}

/* SDM table "Software Interrupt Handling Methods While in Virtual-8086 Mode", methods 3 and 4. */
static void vme_bit_set_is_for_protected_mode(void **state)
{
    struct machine *m = *state;
    struct cpu_outcome instead;
    struct cpu_event event = software_interrupt(0x21);
    enter_v86_with_redirection(m, 2);
    poke(m, MAP_AT + 4, 1 << 1, 1);
    assert_true(software_interrupt_refused(&m->cpu, &event, &instead));
    check_fault(instead, VECTOR_GP, 0);
    enter_v86_with_redirection(m, 3);
    poke(m, MAP_AT + 4, 1 << 1, 1);
    assert_false(software_interrupt_refused(&m->cpu, &event, &instead));
    check_jumped(deliver(m, event));
    assert_false(m->cpu.state.rflags & RFLAGS_VM);
}

/* Method 6: FLAGS with IOPL 3 and VIF as IF; VIF is cleared. Stack segment: base 2000H, SP FF0H. */
static void vme_bit_clear_stays_in_virtual_8086_mode(void **state)
{
    struct machine *m = *state;
    struct cpu_outcome instead;
    struct cpu_event event = software_interrupt(0x21);
    enter_v86_with_redirection(m, 0);
    m->cpu.state.rflags = RFLAGS_FIXED1 | RFLAGS_VM | RFLAGS_VIF | RFLAGS_CF;
    assert_false(software_interrupt_refused(&m->cpu, &event, &instead));
    check_jumped(deliver(m, event));
    assert_int_equal(m->cpu.state.rflags, RFLAGS_FIXED1 | RFLAGS_VM | RFLAGS_CF);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, 0x100);
    assert_int_equal(m->cpu.state.seg[SEG_CS].base, 0x1000);
    assert_int_equal(m->cpu.state.rip, 0x234);
    FRAME(m, 0x2000 + 0xff0 - 6, 2, 0x52, 0x100, 0x3203);
}

/* SDM volume 3C "Details of Vectored-Event Injection": no look at IOPL where the bit is set. */
static void vme_injection_is_redirected_and_never_refused(void **state)
{
    struct machine *m = *state;
    struct cpu_event event = software_interrupt(0x21);
    enter_v86_with_redirection(m, 0);
    check_jumped(deliver_event(&m->cpu, &event, DELIVERY_INJECTED));
    assert_true(m->cpu.state.rflags & RFLAGS_VM);
    enter_v86_with_redirection(m, 0);
    poke(m, MAP_AT + 4, 1 << 1, 1);
    check_jumped(deliver_event(&m->cpu, &event, DELIVERY_INJECTED));
    assert_false(m->cpu.state.rflags & RFLAGS_VM);
}

static void vme_map_beyond_the_limit_is_gp(void **state)
{
    struct machine *m = *state;
    enter_v86_with_redirection(m, 0);
    m->cpu.state.seg[SEG_TR].limit = 0x67 + 4;
    check_fault(deliver(m, software_interrupt(0x21)), VECTOR_GP, 0);
}

static void enter_real_mode(struct machine *m)
{
    struct cpu_state *s = &m->cpu.state;
    s->cr0 &= ~CR0_PE;
    s->seg[SEG_CS] =
        (struct cpu_segment){.base = 0x7000, .limit = 0xffff, .access_rights = 0x9b, .selector = 0x700};
    s->seg[SEG_SS] =
        (struct cpu_segment){.base = 0x8000, .limit = 0xffff, .access_rights = 0x93, .selector = 0x800};
    s->gpr[GPR_RSP] = 0xabcd0100;
    s->rip = 0x40;
    s->idtr = (struct cpu_descriptor_table){.base = IDT_AT, .limit = 0x3ff};
    poke(m, IDT_AT + 4 * 0x21, 0x12345678, 4); /* 1234:5678 */
    vmx_update_regime(&m->cpu.vmx);
}

static void real_mode_uses_the_vector_table(void **state)
{
    struct machine *m = *state;
    enter_real_mode(m);
    m->cpu.state.rflags |= RFLAGS_TF | RFLAGS_AC;
    check_jumped(deliver(m, software_interrupt(0x21)));
    FRAME(m, 0x80fa, 2, 0x42, 0x700, 0x302);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], 0xabcd00fa); /* SP alone changes */
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, 0x1234);
    assert_int_equal(m->cpu.state.seg[SEG_CS].base, 0x12340);
    assert_int_equal(m->cpu.state.rip, 0x5678);
    assert_int_equal(m->cpu.state.rflags, RFLAGS_FIXED1);
}

static void real_mode_faults_have_no_error_code(void **state)
{
    struct machine *m = *state;
    enter_real_mode(m);
    m->cpu.state.idtr.limit = 4 * 0x21 + 2;
    struct cpu_outcome outcome = deliver(m, software_interrupt(0x21));
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, VECTOR_GP);
    assert_false(outcome.event.has_error_code);
    m->cpu.state.idtr.limit = 0x3ff;
    m->cpu.state.gpr[GPR_RSP] = 1; /* the first push would wrap across the top */
    outcome = deliver(m, software_interrupt(0x21));
    assert_int_equal(outcome.event.vector, VECTOR_SS);
    assert_false(outcome.event.has_error_code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(long_same_ring_aligns_and_pushes_stack),
        TEST(long_inner_ring_makes_ss_null),
        TEST(long_from_compatibility_mode),
        TEST(long_ist_switches_in_the_same_ring),
        TEST(long_faults),
        TEST(long_push_faults_at_its_item),
        TEST(v86_pushes_the_data_segments),
        TEST(v86_leaves_for_ring_0_only),
        TEST(v86_int_n_needs_iopl_3),
        TEST(vme_bit_set_is_for_protected_mode),
        TEST(vme_bit_clear_stays_in_virtual_8086_mode),
        TEST(vme_injection_is_redirected_and_never_refused),
        TEST(vme_map_beyond_the_limit_is_gp),
        TEST(real_mode_uses_the_vector_table),
        TEST(real_mode_faults_have_no_error_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
