/*
 * test_linear_address_masking.c: LAM: which bits of a pointer are replaced, what turns it on, whose accesses
 * it is for.
 *
 * SDM volume 3A, "Linear-Address Masking (LAM)" and "Canonicality Checking"; Instruction Set Extensions
 * Programming Reference, the chapter "Linear Address Masking (LAM)".
 */
#include "sim/cpu/descriptors.h"
#include "sim/cpu/features.h"
#include "sim/cpu/stack.h"
#include "tests/cpu/execute_fixture.h"

#define TAGGED_HIGH 0x8123ff8000000000ull /* a supervisor pointer with metadata in bits 62:48 */
#define HIGH 0xffffff8000000000ull        /* what it points to: fixture_masking maps it as the first 2 MiB */

static void which_bits(void **unused)
{
    static const struct {
        uint64_t cr3, cr4, pointer, linear;
    } rows[] = {
        {0, 0, 0x7abc000012345678, 0x7abc000012345678}, /* off */
        {0, 0, 0x8123800012345678, 0x8123800012345678},
        {CR3_LAM_U48 | CR3_LAM_U57, 0, 0x8123800012345678, 0x8123800012345678}, /* on for the other half */
        {0, CR4_LAM_SUP, 0x7abc000012345678, 0x7abc000012345678},
        {CR3_LAM_U48, 0, 0x7abc000012345678, 0x0000000012345678}, /* LAM48: bit 47 */
        {CR3_LAM_U48, 0, 0x0001800012345678, 0x7fff800012345678},
        {CR3_LAM_U48, 0, 0x00007fffffffffff, 0x00007fffffffffff},
        {CR3_LAM_U57, 0, 0x7e00000012345678, 0x0000000012345678}, /* LAM57: bit 56 */
        {CR3_LAM_U57, 0, 0x0123000012345678, 0x7f23000012345678},
        {CR3_LAM_U57, 0, 0x5e80000012345678, 0x0080000012345678},               /* bits 55:0 stay */
        {CR3_LAM_U57 | CR3_LAM_U48, 0, 0x5e80000012345678, 0x0080000012345678}, /* U48 is ignored */
        {0, CR4_LAM_SUP, 0x8123800012345678, 0xffff800012345678},               /* 4-level paging: LAM48 */
        {0, CR4_LAM_SUP, 0xffff000012345678, 0x8000000012345678},
        {0, CR4_LAM_SUP | CR4_LA57, 0x8123800012345678, 0xff23800012345678}, /* 5-level paging: LAM57 */
        {0, CR4_LAM_SUP | CR4_LA57, 0xfe23800012345678, 0x8023800012345678},
        {CR3_LAM_U48, CR4_LA57, 0x7abc000012345678, 0x0000000012345678}, /* LAM48 whatever the paging mode */
        {CR3_LAM_U48, CR4_LAM_SUP, 0xffffffff, 0xffffffff},              /* 32 bits: nothing changes */
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cpu_state s = {.cr3 = rows[i].cr3, .cr4 = rows[i].cr4, .msr.efer = EFER_LMA};
        if (cpu_data_address(&s, rows[i].pointer) != rows[i].linear)
            fail_msg("row %zu: %llx", i, (unsigned long long)cpu_data_address(&s, rows[i].pointer));
    }
}

/* 64-bit mode; the first 2 MiB are at HIGH too. */
static struct fixture *fixture_masking(const char *profile, unsigned cpl)
{
    struct fixture *f = fixture_new(profile);
    fixture_long(f, cpl);
    phys_write64(&f->mem, 0x10000 + 511 * 8, 0x11007);
    return f;
}

static void what_turns_it_on(void **unused)
{
    struct fixture *f = fixture_masking("sapphirerapids", 0);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    expect_done(cpu_write_cr3(&f->cpu, CR3_LAM_U48 | 0x10000));
    assert_int_equal(s->cr3, CR3_LAM_U48 | 0x10000);
    expect_done(cpu_write_cr3(&f->cpu, CR3_LAM_U57 | CR3_LAM_U48 | 0x10000));
    assert_int_equal(f->cpu.mmu.regime.cr3, CR3_LAM_U57 | CR3_LAM_U48 | 0x10000);
    expect_fault(cpu_write_cr3(&f->cpu, 1ull << 63 | 0x10000), VECTOR_GP);
    expect_fault(cpu_write_cr3(&f->cpu, 1ull << 60 | 0x10000), VECTOR_GP);
    expect_done(cpu_write_cr4(&f->cpu, s->cr4 | CR4_LAM_SUP | CR4_PCIDE));
    assert_true(f->cpu.mmu.regime.cr4 & CR4_LAM_SUP);
    expect_done(cpu_write_cr3(&f->cpu, 1ull << 63 | CR3_LAM_U48 | 0x10005)); /* bit 63: do not invalidate */
    assert_int_equal(s->cr3, CR3_LAM_U48 | 0x10005);
    fixture_free(f);
}

/* CR4.LAM_SUP invalidates nothing: it says nothing of how linear addresses are translated. */
static void nothing_is_invalidated(void **unused)
{
    struct fixture *f = fixture_masking("sapphirerapids", 0);
    uint64_t flushes = 0;

    (void)unused;
    expect_done(cpu_write_cr4(&f->cpu, f->cpu.state.cr4 | CR4_LAM_SUP));
    for (size_t i = 0; i < sizeof f->cpu.account.flush / sizeof f->cpu.account.flush[0]; i++)
        flushes += f->cpu.account.flush[i].count;
    assert_int_equal(flushes, 0);
    fixture_free(f);
}

static void without(void **unused)
{
    static const char *const profiles[] = {"sapphirerapids,-lam", "icelake-server"};

    (void)unused;
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        struct fixture *f = fixture_masking(profiles[i], 0);
        uint32_t out[4];
        cpu_cpuid(&f->cpu, 7, 1, out);
        assert_int_equal(out[CPUID_EAX], 0);
        assert_false(f->profile.vmx.cr4_fixed1 & CR4_LAM_SUP);
        expect_fault(cpu_write_cr3(&f->cpu, CR3_LAM_U48 | 0x10000), VECTOR_GP);
        expect_fault(cpu_write_cr3(&f->cpu, CR3_LAM_U57 | 0x10000), VECTOR_GP);
        expect_fault(cpu_write_cr4(&f->cpu, f->cpu.state.cr4 | CR4_LAM_SUP), VECTOR_GP);
        fixture_free(f);
    }
}

static void enumerated(void **unused)
{
    struct fixture *f = fixture_masking("sapphirerapids", 0);
    uint32_t out[4];

    (void)unused;
    cpu_cpuid(&f->cpu, 7, 0, out);
    assert_int_equal(out[CPUID_EAX], 1); /* the highest subleaf */
    cpu_cpuid(&f->cpu, 7, 1, out);
    assert_int_equal(out[CPUID_EAX], 1u << 26);
    assert_true(f->profile.vmx.cr4_fixed1 & CR4_LAM_SUP);
    fixture_free(f);
}

/* The descriptor of INVPCID is read through a pointer, which is masked; the address in it is not. */
static void operands_of_instructions(void **unused)
{
    struct fixture *f = fixture_masking("sapphirerapids", 0);
    struct cpu_state *s = &f->cpu.state;

    (void)unused;
    s->gpr[GPR_RAX] = TAGGED_HIGH | 0x20000;
    expect_fault(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08), VECTOR_GP); /* invpcid rcx, [rax] */
    s->cr4 |= CR4_LAM_SUP;
    expect_done(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08));
    phys_write64(&f->mem, 0x20008, TAGGED_HIGH);
    expect_fault(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08), VECTOR_GP);
    phys_write64(&f->mem, 0x20008, HIGH);
    expect_done(EXECUTE(f, 0x66, 0x0f, 0x38, 0x82, 0x08));
    /* lgdt [rax]: the base is canonical by the processor's 57 bits, or it is #GP; LAM has no say. */
    phys_write(&f->mem, 0x20000, 0x7f, 2);
    phys_write64(&f->mem, 0x20002, 0x8123800000000000);
    expect_fault(EXECUTE(f, 0x0f, 0x01, 0x10), VECTOR_GP);
    phys_write64(&f->mem, 0x20002, HIGH | 0x30000);
    expect_done(EXECUTE(f, 0x0f, 0x01, 0x10));
    assert_int_equal(s->gdtr.base, HIGH | 0x30000);
    fixture_free(f);
}

/* A non-canonical address is none to invalidate: the entry stays. The untagged one is. */
static void invlpg(void **unused)
{
    struct fixture *f = fixture_masking("sapphirerapids", 0);
    struct cpu_state *s = &f->cpu.state;
    struct mmu_fault fault;
    uint64_t value = 0;

    (void)unused;
    s->cr4 |= CR4_LAM_SUP;
    vmx_update_regime(&f->cpu.vmx);
    assert_int_equal(mmu_read(&f->cpu.mmu, HIGH | 0x20000, &value, 8, (struct mmu_mode){0}, &fault), MMU_OK);
    phys_write64(&f->mem, 0x12000, 0); /* the page goes from the tables */
    s->gpr[GPR_RAX] = TAGGED_HIGH | 0x20000;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0x38)); /* invlpg [rax] */
    assert_int_equal(mmu_read(&f->cpu.mmu, HIGH | 0x20000, &value, 8, (struct mmu_mode){0}, &fault), MMU_OK);
    s->gpr[GPR_RAX] = HIGH | 0x20000;
    expect_done(EXECUTE(f, 0x0f, 0x01, 0x38));
    assert_int_equal(mmu_read(&f->cpu.mmu, HIGH | 0x20000, &value, 8, (struct mmu_mode){0}, &fault),
                     MMU_PAGE_FAULT);
    fixture_free(f);
}

/* Pushes through a pointer with metadata, which RSP keeps. */
static void stacks(void **unused)
{
    struct fixture *f = fixture_masking("sapphirerapids", 0);
    struct cpu_state *s = &f->cpu.state;
    struct cpu_outcome outcome;
    uint64_t popped;

    (void)unused;
    s->gpr[GPR_RSP] = TAGGED_HIGH | 0x20008;
    struct stack stack = stack_current(&f->cpu, 0, 0);
    assert_false(stack_push(&stack, 0x1122334455667788, 8, &outcome));
    expect_fault(outcome, VECTOR_SS);
    s->cr4 |= CR4_LAM_SUP;
    assert_true(stack_push(&stack, 0x1122334455667788, 8, &outcome));
    assert_int_equal(phys_read64(&f->mem, 0x20000), 0x1122334455667788);
    assert_int_equal(stack.sp, TAGGED_HIGH | 0x20000);
    assert_true(stack_pop(&stack, &popped, 8, &outcome));
    assert_int_equal(popped, 0x1122334455667788);
    assert_int_equal(stack.sp, TAGGED_HIGH | 0x20008);
    stack.sp = 0x8123000000020008; /* bit 47 is not bit 63 */
    assert_false(stack_push(&stack, 0, 8, &outcome));
    expect_fault(outcome, VECTOR_SS);
    fixture_free(f);
}

/* A base that only the processor's width makes canonical is masked when a descriptor is read through it. */
static void tables(void **unused)
{
    struct fixture *f = fixture_masking("sapphirerapids", 0);
    struct cpu_state *s = &f->cpu.state;
    struct cpu_outcome outcome;
    uint64_t value;

    (void)unused;
    const uint64_t base = 0xff12ff8000020000; /* 57-bit canonical */
    phys_write64(&f->mem, 0x20000, 0x55);
    assert_false(system_read(&f->cpu, base, &value, 8, &outcome));
    expect_fault(outcome, VECTOR_GP);
    s->cr4 |= CR4_LAM_SUP;
    assert_true(system_read(&f->cpu, base, &value, 8, &outcome));
    assert_int_equal(value, 0x55);
    value = 0x66;
    assert_true(system_write(&f->cpu, base, &value, 8, &outcome));
    assert_int_equal(phys_read64(&f->mem, 0x20000), 0x66);
    /* CR2 of a page fault: without the metadata */
    assert_false(system_read(&f->cpu, base | 0x40000000, &value, 8, &outcome));
    assert_int_equal(outcome.event.vector, VECTOR_PF);
    assert_int_equal(outcome.event.cr2, 0xffffff8040020000);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_bits),
        cmocka_unit_test(what_turns_it_on),
        cmocka_unit_test(nothing_is_invalidated),
        cmocka_unit_test(without),
        cmocka_unit_test(enumerated),
        cmocka_unit_test(operands_of_instructions),
        cmocka_unit_test(invlpg),
        cmocka_unit_test(stacks),
        cmocka_unit_test(tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
