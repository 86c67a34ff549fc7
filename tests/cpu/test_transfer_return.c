/* test_transfer_return.c: far RET and IRET. SDM "RET--Return From Procedure", "IRET/IRETD/IRETQ", Operation.
 */
#include "events_fixture.h"

static struct cpu_outcome ret(struct machine *m, unsigned release, unsigned bits)
{
    const struct insn insn = {
        .id = INSN_RET_FAR, .length = 3, .operand_bits = (uint8_t)bits, .immediate = release};
    return cpu_far_transfer(&m->cpu, &insn);
}

static struct cpu_outcome iret(struct machine *m, unsigned bits)
{
    const struct insn insn = {.id = INSN_IRET, .length = 1, .operand_bits = (uint8_t)bits};
    return cpu_far_transfer(&m->cpu, &insn);
}

/* Puts items of size bytes on the current stack; the first is popped first. */
static void put(struct machine *m, unsigned size, unsigned count, const uint64_t *items)
{
    m->cpu.state.gpr[GPR_RSP] = STACK0_TOP - (uint64_t)size * count;
    for (unsigned i = 0; i < count; i++)
        poke(m, m->cpu.state.gpr[GPR_RSP] + i * size, items[i], size);
}
#define PUT(m, size, ...) put(m, size, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__})

static void ret_same_ring_releases(void **state)
{
    struct machine *m = *state;
    PUT(m, 4, 0x6000, CODE16, 1, 2, 3);
    check_jumped(ret(m, 8, 32));
    assert_int_equal(m->cpu.state.rip, 0x6000);
    assert_int_equal(m->cpu.state.seg[SEG_CS].selector, CODE16);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - 4);
}

/* Parameters are released on both stacks; data segments above the new privilege become null. */
static void ret_to_outer_ring(void **state)
{
    struct machine *m = *state;
    load_segment(m, SEG_ES, DATA3);
    load_segment(m, SEG_FS, CONFORMING0);
    PUT(m, 4, 0x6000, CODE3, 0x77, STACK3_TOP - 16, DATA3);
    check_jumped(ret(m, 4, 32));
    const struct cpu_state *s = &m->cpu.state;
    assert_int_equal(cpu_cpl(s), 3);
    assert_int_equal(s->gpr[GPR_RSP], STACK3_TOP - 12);
    assert_int_equal(s->seg[SEG_SS].selector, DATA3);
    assert_int_equal(s->seg[SEG_ES].selector, DATA3);
    assert_int_equal(s->seg[SEG_DS].selector, 0);
    assert_true(s->seg[SEG_DS].access_rights & AR_UNUSABLE);
    assert_int_equal(s->seg[SEG_FS].selector, CONFORMING0);
}

static void ret_faults(void **state)
{
    struct machine *m = *state;
    PUT(m, 4, 0x6000, 3);
    check_fault(ret(m, 0, 32), VECTOR_GP, 0);
    PUT(m, 4, 0x6000, 0x100);
    check_fault(ret(m, 0, 32), VECTOR_GP, 0x100);
    PUT(m, 4, 0x6000, DATA0);
    check_fault(ret(m, 0, 32), VECTOR_GP, DATA0);
    PUT(m, 4, 0x6000, CODE0 | 3, STACK3_TOP, DATA3); /* not conforming, DPL != RPL */
    check_fault(ret(m, 0, 32), VECTOR_GP, CODE0);
    PUT(m, 4, 0x10000, CODE16);
    check_fault(ret(m, 0, 32), VECTOR_GP, 0);
    set_descriptor(m, FREE, 0, 0xfffff, RIGHTS_CODE & ~0x80u);
    PUT(m, 4, 0x6000, FREE);
    check_fault(ret(m, 0, 32), VECTOR_NP, FREE);
    PUT(m, 4, 0x6000, CODE3, STACK3_TOP, 0);
    check_fault(ret(m, 0, 32), VECTOR_GP, 0); /* null SS */
    PUT(m, 4, 0x6000, CODE3, STACK3_TOP, DATA0);
    check_fault(ret(m, 0, 32), VECTOR_GP, DATA0);
    set_descriptor(m, FREE, 0, 0xfffff, (RIGHTS_DATA & ~0x80u) | RIGHTS_DPL(3));
    PUT(m, 4, 0x6000, CODE3, STACK3_TOP, FREE | 3);
    check_fault(ret(m, 0, 32), VECTOR_SS, FREE);
    load_ring(m, CODE3, DATA3, STACK0_TOP - 8);
    poke(m, STACK0_TOP - 8, 0x6000, 4);
    poke(m, STACK0_TOP - 4, CODE0, 4);
    check_fault(ret(m, 0, 32), VECTOR_GP, CODE0); /* to an inner ring */
    m->cpu.state.seg[SEG_SS].limit = STACK0_TOP - 5;
    check_fault(ret(m, 0, 32), VECTOR_SS, 0);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP - 8);
}

static void iret_same_ring(void **state)
{
    struct machine *m = *state;
    PUT(m, 4, 0x6000, CODE0, 0x00257fd7);
    check_jumped(iret(m, 32));
    /* CPL 0: all of ID, AC, RF, NT, IOPL, IF and the low flags; VM only with a return to virtual-8086 mode */
    assert_int_equal(m->cpu.state.rflags, 0x00257fd7);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK0_TOP);
}

static void iret16_leaves_upper_flags(void **state)
{
    struct machine *m = *state;
    m->cpu.state.rflags |= RFLAGS_AC | RFLAGS_RF;
    PUT(m, 2, 0x6000, CODE0, 0x0003);
    check_jumped(iret(m, 16));
    assert_int_equal(m->cpu.state.rflags, RFLAGS_AC | RFLAGS_RF | 3);
}

/* At CPL 3 with IOPL 0 neither IF nor IOPL changes; with IOPL 3 IF does. */
static void iret_at_cpl_3_keeps_privileged_flags(void **state)
{
    struct machine *m = *state;
    PUT(m, 4, 0x6000, CODE3, 0x3001);
    load_segment(m, SEG_CS, CODE3);
    load_segment(m, SEG_SS, DATA3);
    check_jumped(iret(m, 32));
    assert_int_equal(m->cpu.state.rflags, RFLAGS_IF | 3);
    PUT(m, 4, 0x6000, CODE3, 0x0001);
    m->cpu.state.rflags |= RFLAGS_IOPL;
    check_jumped(iret(m, 32));
    assert_int_equal(m->cpu.state.rflags, RFLAGS_IOPL | 3);
}

static void iret_to_outer_ring(void **state)
{
    struct machine *m = *state;
    PUT(m, 4, 0x6000, CODE3, 0x202, STACK3_TOP, DATA3);
    check_jumped(iret(m, 32));
    assert_int_equal(cpu_cpl(&m->cpu.state), 3);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK3_TOP);
    assert_int_equal(m->cpu.state.seg[SEG_DS].selector, 0);
}

static void iret_to_v86(void **state)
{
    struct machine *m = *state;
    PUT(m, 4, 0x50, 0x700, 0x23202, 0xff0, 0x800, 0x900, 0xa00, 0xb00, 0xc00);
    check_jumped(iret(m, 32));
    const struct cpu_state *s = &m->cpu.state;
    assert_true(cpu_v86_mode(s));
    assert_int_equal(s->rflags, 0x23202);
    assert_int_equal(s->rip, 0x50);
    assert_int_equal(s->gpr[GPR_RSP], 0xff0);
    const unsigned selectors[] = {0x900, 0x700, 0x800, 0xa00, 0xb00, 0xc00}; /* ES CS SS DS FS GS */
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(s->seg[i].selector, selectors[i]);
        assert_int_equal(s->seg[i].base, selectors[i] << 4);
        assert_int_equal(s->seg[i].access_rights, 0xf3);
    }
}

static void iret_in_v86_needs_iopl_3(void **state)
{
    struct machine *m = *state;
    m->cpu.state.rflags |= RFLAGS_VM;
    m->cpu.state.seg[SEG_SS].base = 0;
    PUT(m, 2, 0x1234, 0x700, 0x0003);
    check_fault(iret(m, 16), VECTOR_GP, 0);
    m->cpu.state.rflags |= RFLAGS_IOPL;
    check_jumped(iret(m, 16));
    assert_int_equal(m->cpu.state.rflags, RFLAGS_VM | RFLAGS_IOPL | 3);
    assert_int_equal(m->cpu.state.seg[SEG_CS].base, 0x7000);
}

/* SDM volume 3 "Class 2--Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual
 * Interrupt Mechanism": IF of the image goes to VIF, IOPL stays. */
static void iret_in_v86_mode_with_vme(void **state)
{
    struct machine *m = *state;
    m->cpu.state.rflags = RFLAGS_FIXED1 | RFLAGS_VM;
    m->cpu.state.cr4 |= CR4_VME;
    m->cpu.state.seg[SEG_SS].base = 0;
    PUT(m, 2, 0x1234, 0x700, 0x3203);
    check_jumped(iret(m, 16));
    assert_int_equal(m->cpu.state.rflags, RFLAGS_VM | RFLAGS_VIF | 3);
    m->cpu.state.rflags |= RFLAGS_VIP;
    PUT(m, 2, 0x1234, 0x700, 0x0203);
    check_fault(iret(m, 16), VECTOR_GP, 0);
    PUT(m, 4, 0x1234, 0x700, 0x3);
    check_fault(iret(m, 32), VECTOR_GP, 0);
}

static void iret_with_nt_is_a_task_return(void **state)
{
    struct machine *m = *state;
    m->cpu.state.rflags |= RFLAGS_NT;
    poke(m, TSS_AT, FREE, 2);
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x0089);
    check_fault(iret(m, 32), VECTOR_TS, FREE); /* not busy */
    set_descriptor(m, FREE, TSS_AT, 0x67, 0x008b);
    m->cpu.vmx.non_root = true;
    const struct cpu_outcome outcome = iret(m, 32);
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.qualification, 1u << 30 | FREE);
    enable_long_mode(m);
    check_fault(iret(m, 64), VECTOR_GP, 0);
}

/* In 64-bit mode SS:RSP is popped even without a change of CPL, and SS may be null below CPL 3. */
static void iretq_pops_the_stack_always(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    PUT(m, 8, 0x7fff00006000, CODE0_64, 0x202, STACK1_TOP, 0);
    check_jumped(iret(m, 64));
    assert_int_equal(m->cpu.state.rip, 0x7fff00006000);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK1_TOP);
    assert_true(m->cpu.state.seg[SEG_SS].access_rights & AR_UNUSABLE);
    PUT(m, 8, 0x6000, CODE3_64, 0x202, STACK3_TOP, 0);
    check_fault(iret(m, 64), VECTOR_GP, 0); /* null SS for CPL 3 */
    PUT(m, 8, 0x6000, CODE0, 0x202, STACK3_TOP, 0);
    check_fault(iret(m, 64), VECTOR_GP, 0); /* null SS for compatibility mode */
    PUT(m, 8, 0x800000000000, CODE0_64, 0x202, STACK3_TOP, DATA0);
    check_fault(iret(m, 64), VECTOR_GP, 0); /* not canonical */
}

static void iretq_to_compatibility_mode(void **state)
{
    struct machine *m = *state;
    enable_long_mode(m);
    PUT(m, 8, 0x6000, CODE3, 0x202, 0x123400000000 | STACK3_TOP, DATA3);
    check_jumped(iret(m, 64));
    assert_int_equal(cpu_code_bits(&m->cpu.state), 32);
    assert_int_equal(m->cpu.state.gpr[GPR_RSP], STACK3_TOP);
    assert_int_equal(cpu_cpl(&m->cpu.state), 3);
}

static void iret_unblocks_nmis_even_when_it_faults(void **state)
{
    struct machine *m = *state;
    m->cpu.state.interruptibility_state = BLOCKING_BY_NMI;
    PUT(m, 4, 0x6000, 0, 2);
    check_fault(iret(m, 32), VECTOR_GP, 0);
    assert_int_equal(m->cpu.state.interruptibility_state, 0);
    /* SDM volume 3C "Changes to Instruction Behavior in VMX Non-Root Operation" */
    m->cpu.vmx.non_root = true;
    m->cpu.vmx.vmcs.pin_based_controls = PIN_NMI_EXITING;
    m->cpu.state.interruptibility_state = BLOCKING_BY_NMI;
    m->cpu.vmx.virtual_nmi_blocking = true;
    check_fault(iret(m, 32), VECTOR_GP, 0);
    assert_int_equal(m->cpu.state.interruptibility_state, BLOCKING_BY_NMI);
    assert_true(m->cpu.vmx.virtual_nmi_blocking);
    m->cpu.vmx.vmcs.pin_based_controls |= PIN_VIRTUAL_NMIS;
    check_fault(iret(m, 32), VECTOR_GP, 0);
    assert_int_equal(m->cpu.state.interruptibility_state, BLOCKING_BY_NMI);
    assert_false(m->cpu.vmx.virtual_nmi_blocking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ret_same_ring_releases),
        TEST(ret_to_outer_ring),
        TEST(ret_faults),
        TEST(iret_same_ring),
        TEST(iret16_leaves_upper_flags),
        TEST(iret_at_cpl_3_keeps_privileged_flags),
        TEST(iret_to_outer_ring),
        TEST(iret_to_v86),
        TEST(iret_in_v86_needs_iopl_3),
        TEST(iret_in_v86_mode_with_vme),
        TEST(iret_with_nt_is_a_task_return),
        TEST(iretq_pops_the_stack_always),
        TEST(iretq_to_compatibility_mode),
        TEST(iret_unblocks_nmis_even_when_it_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
