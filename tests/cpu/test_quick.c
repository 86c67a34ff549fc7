/* test_quick.c: cpu_quick executes from inside translated code only what changes registers alone. */
#include "tests/cpu/execute_fixture.h"

static struct insn insn_of(enum insn_id id)
{
    return (struct insn){
        .id = (uint16_t)id, .length = 3, .mode_bits = 64, .operand_bits = 64, .reg = GPR_RAX, .rm = GPR_RCX};
}

static bool try_quick(struct fixture *f, enum insn_id id, bool *sets_flags)
{
    const struct insn insn = insn_of(id);
    const uint64_t rip = f->cpu.state.rip, before = f->cpu.instructions;
    const bool done = cpu_quick(&f->cpu, &insn, sets_flags);
    assert_int_equal(f->cpu.state.rip, rip); /* translated code goes on by itself */
    assert_int_equal(f->cpu.instructions, before + done);
    return done;
}

static void clock_and_identification(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    bool sets_flags = true;
    (void)unused;
    fixture_long(f, 0);
    f->cpu.state.gpr[GPR_RAX] = 0;
    assert_true(try_quick(f, INSN_CPUID, &sets_flags));
    assert_false(sets_flags);
    assert_int_equal(f->cpu.state.gpr[GPR_RBX], 0x756e6547); /* "Genu" */
    const uint64_t now = f->cpu.account.now;
    assert_true(try_quick(f, INSN_RDTSC, &sets_flags));
    assert_int_equal(f->cpu.account.now, now + cpu_profile_find("skylake")->cost.system_instruction.cycles);
    f->cpu.pmu.programmed = true; /* each instruction is followed by a look at the counters */
    assert_false(try_quick(f, INSN_RDTSC, &sets_flags));
    f->cpu.pmu.programmed = false;
    f->cpu.state.pending_debug_exceptions = 1;
    assert_false(try_quick(f, INSN_RDTSC, &sets_flags));
    fixture_free(f);
    f = fixture_new("skylake");
    fixture_long(f, 3); /* CR4.TSD and the like are looked at by the slower way */
    assert_false(try_quick(f, INSN_RDTSC, &sets_flags));
    fixture_free(f);
}

/* SDM volume 3C, "VMREAD": in VMX root operation; #UD outside, and in non-root operation a VM exit. */
static void vmcs_fields(void **unused)
{
    struct fixture *f = fixture_new("skylake");
    bool sets_flags;
    (void)unused;
    fixture_long(f, 0);
    assert_false(try_quick(f, INSN_VMREAD, &sets_flags));
    f->cpu.vmx.on = true;
    f->cpu.vmx.current_vmcs = VMX_NO_VMCS;
    f->cpu.state.rflags |= RFLAGS_ZF;
    assert_true(try_quick(f, INSN_VMREAD, &sets_flags)); /* VMfailInvalid */
    assert_true(sets_flags);
    assert_int_equal(f->cpu.state.rflags & RFLAGS_ARITHMETIC, RFLAGS_CF);
    f->cpu.vmx.non_root = true;
    assert_false(try_quick(f, INSN_VMREAD, &sets_flags));
    assert_false(try_quick(f, INSN_CPUID, &sets_flags));
    f->cpu.vmx.non_root = false;
    struct insn memory = insn_of(INSN_VMWRITE);
    memory.is_memory = true;
    assert_false(cpu_quick(&f->cpu, &memory, &sets_flags));
    memory = insn_of(INSN_VMWRITE);
    memory.operand_prefix = true; /* #UD */
    assert_false(cpu_quick(&f->cpu, &memory, &sets_flags));
    fixture_protected(f, 0);
    assert_false(try_quick(f, INSN_VMREAD, &sets_flags));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(clock_and_identification),
                                       cmocka_unit_test(vmcs_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
