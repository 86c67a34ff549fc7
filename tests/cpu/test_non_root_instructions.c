/*
 * test_non_root_instructions.c: the order of faults and VM exits of instructions in VMX non-root operation.
 *
 * SDM volume 3C, "Relative Priority of Faults and VM Exits", "Changes to Instruction Behavior in VMX Non-Root
 * Operation".
 */
#include "tests/cpu/execute_fixture.h"

static struct fixture *guest_on(const char *cpu, unsigned cpl, uint32_t primary, uint32_t secondary)
{
    struct fixture *f = fixture_new(cpu);

    fixture_long(f, cpl);
    f->cpu.vmx.on = true;
    f->cpu.vmx.non_root = true;
    f->cpu.vmx.vmcs.primary_proc_based_controls = primary | PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
    f->cpu.vmx.vmcs.secondary_proc_based_controls = secondary;
    return f;
}

static struct fixture *guest(unsigned cpl, uint32_t primary, uint32_t secondary)
{
    return guest_on("skylake", cpl, primary, secondary);
}

static void expect_exit(struct cpu_outcome outcome, uint32_t reason)
{
    assert_int_equal(outcome.kind, OUTCOME_VM_EXIT);
    assert_int_equal(outcome.exit.reason, reason);
}

static void test_privilege_before_exit(void **unused)
{
    struct fixture *f = guest(3, PRIMARY_HLT_EXITING | PRIMARY_RDTSC_EXITING, 0);

    (void)unused;
    expect_fault(EXECUTE(f, 0xf4), VECTOR_GP);       /* HLT */
    expect_fault(EXECUTE(f, 0x0f, 0x32), VECTOR_GP); /* RDMSR */
    expect_exit(EXECUTE(f, 0x0f, 0x31), 16);         /* RDTSC */
    f->cpu.state.cr4 |= CR4_TSD;
    expect_fault(EXECUTE(f, 0x0f, 0x31), VECTOR_GP);
    expect_exit(EXECUTE(f, 0x0f, 0xa2), 10); /* CPUID, at any privilege */
    fixture_free(f);
}

static void test_exit_before_other_faults(void **unused)
{
    struct fixture *f = guest(0, PRIMARY_HLT_EXITING, SECONDARY_DESCRIPTOR_TABLE_EXITING);

    (void)unused;
    f->cpu.state.gpr[GPR_RCX] = 0x12345678; /* no such MSR; no bitmaps: exits */
    expect_exit(EXECUTE(f, 0x0f, 0x32), 31);
    f->cpu.state.gpr[GPR_RAX] = 0xffff000000000000; /* not canonical */
    expect_exit(EXECUTE(f, 0x0f, 0x01, 0x10), 46);  /* LGDT */
    uint64_t cycles = f->cpu.account.now;
    expect_exit(EXECUTE(f, 0xf4), 12);
    assert_int_equal(f->cpu.state.activity_state, ACTIVITY_ACTIVE);
    assert_int_equal(f->cpu.account.now, cycles); /* what exits is not executed */
    fixture_free(f);
}

/* MOV DR: the VM exit goes before the privilege check and before #UD by CR4.DE. */
static void test_mov_dr_exits_first(void **unused)
{
    struct fixture *f = guest(3, PRIMARY_MOV_DR_EXITING, 0);

    (void)unused;
    f->cpu.state.cr4 |= CR4_DE;
    expect_exit(EXECUTE(f, 0x0f, 0x21, 0xe8), 29);               /* DR5 */
    expect_fault(EXECUTE(f, 0x44, 0x0f, 0x21, 0xc0), VECTOR_UD); /* DR8 */
    f->cpu.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_MOV_DR_EXITING;
    expect_fault(EXECUTE(f, 0x0f, 0x21, 0xe8), VECTOR_UD);
    expect_fault(EXECUTE(f, 0x0f, 0x21, 0xf8), VECTOR_GP);
    fixture_free(f);
}

static void test_controls_that_make_undefined(void **unused)
{
    struct fixture *f = guest(0, PRIMARY_INVLPG_EXITING | PRIMARY_RDTSC_EXITING, 0);

    (void)unused;
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0xf9), VECTOR_UD);             /* RDTSCP */
    expect_fault(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08), VECTOR_UD); /* INVPCID */
    f->cpu.vmx.vmcs.secondary_proc_based_controls = SECONDARY_ENABLE_RDTSCP | SECONDARY_ENABLE_INVPCID;
    expect_exit(EXECUTE(f, 0x0f, 0x01, 0xf9), 51);
    expect_exit(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08), 58);
    fixture_free(f);
}

/* WRMSR of IA32_BIOS_UPDT_TRIG: no update is loaded, and the next instruction follows. The MSR cannot be
 * read. */
static void test_microcode_update(void **unused)
{
    struct fixture *f = guest(0, PRIMARY_USE_MSR_BITMAPS, 0);

    (void)unused;
    f->cpu.vmx.vmcs.msr_bitmap_address = 0x60000; /* zeros */
    f->cpu.state.gpr[GPR_RCX] = 0x79;
    f->cpu.state.gpr[GPR_RAX] = 0x1000;
    f->cpu.state.gpr[GPR_RDX] = 0;
    expect_done(EXECUTE(f, 0x0f, 0x30));
    expect_fault(EXECUTE(f, 0x0f, 0x32), VECTOR_GP);
    fixture_free(f);
}

/* SDM "Basic VM-Exit Information": WBINVD and WBNOINVD share the exit reason; the qualification tells them
 * apart. A processor without WBNOINVD ignores the prefix. */
static void test_wbnoinvd(void **unused)
{
    static const char *const cpus[] = {"sapphirerapids", "icelake-server", "skylake"};

    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        struct fixture *f = guest_on(cpus[i], 0, 0, SECONDARY_WBINVD_EXITING);
        struct cpu_outcome outcome = EXECUTE(f, 0x0f, 0x09);
        expect_exit(outcome, 54);
        assert_int_equal(outcome.exit.qualification, 0);
        outcome = EXECUTE(f, 0xf3, 0x0f, 0x09);
        expect_exit(outcome, 54);
        assert_int_equal(outcome.exit.qualification, i < 2);
        assert_int_equal(outcome.exit.instruction_length, 3);
        fixture_free(f);
    }
}

/* SDM "Basic VM-Exit Information", MWAIT: 1 if address-range monitoring is armed. VM entries and VM exits
 * clear it, and so does what MWAIT would not wait after. */
static void test_mwait_tells_of_monitoring(void **unused)
{
    struct fixture *f = guest(0, PRIMARY_MWAIT_EXITING, 0);
    struct cpu_outcome outcome = EXECUTE(f, 0x0f, 0x01, 0xc9);

    (void)unused;
    expect_exit(outcome, 36);
    assert_int_equal(outcome.exit.qualification, 0);
    f->cpu.state.gpr[GPR_RCX] = 0;
    f->cpu.state.gpr[GPR_RAX] = 0x2000;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xc8)); /* MONITOR */
    outcome = EXECUTE(f, 0x0f, 0x01, 0xc9);
    expect_exit(outcome, 36);
    assert_int_equal(outcome.exit.qualification, 1);
    f->cpu.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_MWAIT_EXITING;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xc9));
    f->cpu.vmx.vmcs.primary_proc_based_controls |= PRIMARY_MWAIT_EXITING;
    outcome = EXECUTE(f, 0x0f, 0x01, 0xc9);
    assert_int_equal(outcome.exit.qualification, 0);
    expect_done(EXECUTE(f, 0x0f, 0x01, 0xc8));
    f->cpu.state.gpr[GPR_RCX] = 1; /* an extension that is not there: #GP, nothing is armed anew */
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0xc8), VECTOR_GP);
    fixture_free(f);
}

/* UMWAIT and TPAUSE: #UD without their control; with it they exit by "RDTSC exiting" alone. */
static void test_user_wait(void **unused)
{
    struct fixture *f = guest_on("sapphirerapids", 0, PRIMARY_RDTSC_EXITING, 0);

    (void)unused;
    expect_fault(EXECUTE(f, 0xf2, 0x0f, 0xae, 0xf1), VECTOR_UD); /* UMWAIT ecx */
    expect_fault(EXECUTE(f, 0x66, 0x0f, 0xae, 0xf1), VECTOR_UD); /* TPAUSE ecx */
    f->cpu.vmx.vmcs.secondary_proc_based_controls = SECONDARY_ENABLE_USER_WAIT_AND_PAUSE;
    expect_exit(EXECUTE(f, 0xf2, 0x0f, 0xae, 0xf1), 67);
    expect_exit(EXECUTE(f, 0x66, 0x0f, 0xae, 0xf1), 68);
    f->cpu.vmx.vmcs.primary_proc_based_controls &= ~PRIMARY_RDTSC_EXITING;
    expect_done(EXECUTE(f, 0xf2, 0x0f, 0xae, 0xf1));
    expect_done(EXECUTE(f, 0x66, 0x0f, 0xae, 0xf1));
    fixture_free(f);
}

/* SDM "Guest/Host Masks and Read Shadows for CR0 and CR4". */
static void test_masks_and_shadows(void **unused)
{
    struct fixture *f = guest(0, 0, 0);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    f->cpu.vmx.vmcs.cr0_guest_host_mask = CR0_TS;
    s->cr0 |= CR0_TS | CR0_NE;
    expect_done(EXECUTE(f, 0x0f, 0x06)); /* CLTS with the shadow's TS clear: completes, changes nothing */
    assert_true(s->cr0 & CR0_TS);
    expect_done(EXECUTE(f, 0x0f, 0x20, 0xc0)); /* mov rax, cr0 */
    assert_false(s->gpr[GPR_RAX] & CR0_TS);
    s->gpr[GPR_RAX] |= CR0_MP;
    expect_done(EXECUTE(f, 0x0f, 0x22, 0xc0)); /* mov cr0, rax: TS is the host's */
    assert_int_equal(s->cr0 & (CR0_TS | CR0_MP), CR0_TS | CR0_MP);
    f->cpu.vmx.vmcs.cr0_read_shadow = CR0_TS;
    expect_exit(EXECUTE(f, 0x0f, 0x06), 28);
    fixture_free(f);
}

/* SDM "Restrictions on VMX Operation": bits that are fixed cannot be changed. */
static void test_fixed_bits_in_root_operation(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    fixture_long(f, 0);
    s->cr4 |= CR4_VMXE;
    f->cpu.vmx.on = true;
    expect_fault(cpu_write_cr4(&f->cpu, s->cr4 & ~CR4_VMXE), VECTOR_GP);
    expect_fault(cpu_write_cr0(&f->cpu, s->cr0 & ~CR0_NE), VECTOR_GP);
    expect_done(cpu_write_cr0(&f->cpu, s->cr0 | CR0_WP));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_privilege_before_exit),     cmocka_unit_test(test_exit_before_other_faults),
        cmocka_unit_test(test_mov_dr_exits_first),        cmocka_unit_test(test_controls_that_make_undefined),
        cmocka_unit_test(test_masks_and_shadows),         cmocka_unit_test(test_fixed_bits_in_root_operation),
        cmocka_unit_test(test_microcode_update),          cmocka_unit_test(test_wbnoinvd),
        cmocka_unit_test(test_mwait_tells_of_monitoring), cmocka_unit_test(test_user_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
