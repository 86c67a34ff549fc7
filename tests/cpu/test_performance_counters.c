/*
 * test_performance_counters.c: what the counters count, when they overflow, what their MSRs refuse. SDM
 * volume 3B, "Architectural Performance Monitoring Version 1 Facilities" and "... Version 2 Facilities";
 * volume 2, "RDPMC". Skylake here: eight general-purpose and three fixed-function counters of 48 bits.
 */
#include "events_fixture.h"
#include "sim/cpu/msr.h"

#define EN (1ull << 22)
#define INT (1ull << 20)
#define OS (1ull << 17)
#define USR (1ull << 16)
#define CORE_CYCLES 0x3cull
#define RETIRED 0xc0ull
#define GENERAL_0 1ull
#define FIXED_0 (1ull << 32)
#define FIXED_1 (1ull << 33)

static void write_msr(struct machine *m, uint32_t index, uint64_t value)
{
    assert_true(cpu_write_msr(&m->cpu, index, value));
}

static uint64_t read_msr(struct machine *m, uint32_t index)
{
    uint64_t value = 0;
    assert_true(cpu_read_msr(&m->cpu, index, &value));
    return value;
}

/* An instruction that the model executes, as the machine reports it. */
static enum cpu_status run(struct machine *m, const struct insn *insn)
{
    m->cpu.instructions++;
    return cpu_instruction(&m->cpu, insn);
}

static const struct insn wrmsr = {.id = INSN_WRMSR, .length = 2}, rdpmc = {.id = INSN_RDPMC, .length = 2},
                         cpuid = {.id = INSN_CPUID, .length = 2};

static enum cpu_status run_wrmsr(struct machine *m, uint32_t index, uint64_t value)
{
    m->cpu.state.gpr[GPR_RCX] = index;
    m->cpu.state.gpr[GPR_RAX] = (uint32_t)value;
    m->cpu.state.gpr[GPR_RDX] = value >> 32;
    return run(m, &wrmsr);
}

static uint64_t run_rdpmc(struct machine *m, uint32_t counter)
{
    m->cpu.state.gpr[GPR_RCX] = counter;
    assert_int_equal(run(m, &rdpmc), CPU_RUN);
    return m->cpu.state.gpr[GPR_RDX] << 32 | m->cpu.state.gpr[GPR_RAX];
}

static void leaf_0ah_tells_of_them(void **state)
{
    const struct {
        const char *cpu;
        uint32_t eax, ebx, edx;
    } rows[] = {
        {"prescott", 0, 0, 0},
        {"penryn", 0, 0, 0},
        {"nehalem", 0x07300402, 0x78, 0x603},
        {"sapphirerapids", 0x07300802, 0x78, 0x603},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct cpu_profile *profile = cpu_profile_find(rows[i].cpu);
        uint32_t eax = 0, ebx = 0, edx = 0;
        for (size_t k = 0; k < profile->cpuid_count; k++)
            if (profile->cpuid[k].leaf == 0xa) {
                eax = profile->cpuid[k].eax;
                ebx = profile->cpuid[k].ebx;
                edx = profile->cpuid[k].edx;
            }
        assert_int_equal(eax, rows[i].eax);
        assert_int_equal(ebx, rows[i].ebx);
        assert_int_equal(edx, rows[i].edx);
    }
}

/* SDM volume 3A, table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT". */
static void general_counters_start_enabled(void **state)
{
    struct machine *m = *state;
    assert_int_equal(read_msr(m, MSR_PERF_GLOBAL_CTRL), 0xff);
    write_msr(m, MSR_PERF_GLOBAL_CTRL, FIXED_0);
    cpu_reset_by_init(&m->cpu);
    assert_int_equal(read_msr(m, MSR_PERF_GLOBAL_CTRL), FIXED_0);
}

/* The WRMSR that enables the counter retires with it on; the one that disables it, with it off. */
static void counts_what_retires_while_it_is_on(void **state)
{
    struct machine *m = *state;
    write_msr(m, MSR_FIXED_CTR_CTRL, 0x1);
    run_wrmsr(m, MSR_PERF_GLOBAL_CTRL, FIXED_0);
    m->cpu.instructions += 100; /* translated code */
    assert_int_equal(run_rdpmc(m, 1u << 30), 101);
    assert_int_equal(run_rdpmc(m, 1u << 30), 102); /* the RDPMC before has retired */
    run_wrmsr(m, MSR_PERF_GLOBAL_CTRL, 0);
    m->cpu.instructions += 100;
    assert_int_equal(read_msr(m, MSR_FIXED_CTR0), 103);
}

static void what_faults_does_not_retire(void **state)
{
    struct machine *m = *state;
    write_msr(m, MSR_FIXED_CTR_CTRL, 0x1);
    run_wrmsr(m, MSR_PERF_GLOBAL_CTRL, FIXED_0);
    assert_int_equal(run(m, &cpuid), CPU_RUN);
    assert_int_equal(read_msr(m, MSR_FIXED_CTR0), 2);
    run_wrmsr(m, MSR_PERF_GLOBAL_STATUS, 0); /* #GP: read-only */
    assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_GP));
    assert_int_equal(read_msr(m, MSR_FIXED_CTR0), 2);
}

static void cycles_do_not_pass_while_halted(void **state)
{
    struct machine *m = *state;
    write_msr(m, MSR_FIXED_CTR_CTRL, 0x110);
    write_msr(m, MSR_PERFEVTSEL0, EN | OS | CORE_CYCLES);
    write_msr(m, MSR_PERF_GLOBAL_CTRL, 7ull << 32 | GENERAL_0);
    cycles_charge(&m->cpu.account, CYCLES_INSTRUCTIONS, 1000);
    cycles_charge(&m->cpu.account, CYCLES_HALTED, 5000);
    cycles_charge(&m->cpu.account, CYCLES_IO, 30);
    assert_int_equal(read_msr(m, MSR_FIXED_CTR0 + 1), 1030);
    assert_int_equal(read_msr(m, MSR_FIXED_CTR0 + 2), 1030);
    assert_int_equal(read_msr(m, MSR_PMC0), 1030);
}

/* OS: CPL 0; USR: 1, 2, 3. */
static void privilege_decides(void **state)
{
    struct machine *m = *state;
    write_msr(m, MSR_PERFEVTSEL0, EN | OS | RETIRED);
    write_msr(m, MSR_PERFEVTSEL0 + 1, EN | USR | RETIRED);
    write_msr(m, MSR_PERFEVTSEL0 + 2, EN | USR | OS | RETIRED);
    write_msr(m, MSR_PERFEVTSEL0 + 3, EN | RETIRED);
    m->cpu.instructions += 10;
    load_ring(m, CODE3, DATA3, STACK0_TOP); /* as by IRET */
    pmu_follow(&m->cpu);
    m->cpu.instructions += 7;
    assert_int_equal(read_msr(m, MSR_PMC0), 10);
    assert_int_equal(read_msr(m, MSR_PMC0 + 1), 7);
    assert_int_equal(read_msr(m, MSR_PMC0 + 2), 17);
    assert_int_equal(read_msr(m, MSR_PMC0 + 3), 0);
    /* An exception leads back to CPL 0. */
    const struct cpu_event event = exception(VECTOR_UD);
    assert_int_equal(cpu_exception(&m->cpu, &event), CPU_RUN);
    m->cpu.instructions += 5;
    assert_int_equal(read_msr(m, MSR_PMC0), 15);
    assert_int_equal(read_msr(m, MSR_PMC0 + 1), 7);
}

/* A VM entry or exit loads IA32_PERF_GLOBAL_CTRL without WRMSR. */
static void a_loaded_control_takes_effect(void **state)
{
    struct machine *m = *state;
    write_msr(m, MSR_FIXED_CTR_CTRL, 0x1);
    m->cpu.state.msr.perf_global_ctrl = FIXED_0;
    run(m, &cpuid);
    m->cpu.instructions += 4;
    m->cpu.state.msr.perf_global_ctrl = 0;
    pmu_follow(&m->cpu);
    m->cpu.instructions += 4;
    assert_int_equal(read_msr(m, MSR_FIXED_CTR0), 4);
}

static void overflow_shows_and_interrupts(void **state)
{
    struct machine *m = *state;
    write_msr(m, MSR_FIXED_CTR0 + 1, (1ull << 48) - 50);
    write_msr(m, MSR_PMC0, (uint32_t)-20); /* sign-extended */
    assert_int_equal(read_msr(m, MSR_PMC0), (1ull << 48) - 20);
    write_msr(m, MSR_FIXED_CTR_CTRL, 0x90); /* OS, PMI */
    write_msr(m, MSR_PERFEVTSEL0, EN | OS | CORE_CYCLES);
    write_msr(m, MSR_PERF_GLOBAL_CTRL, FIXED_1 | GENERAL_0);
    assert_int_equal(cpu_next_deadline(&m->cpu), m->cpu.account.now + 50);
    cycles_charge(&m->cpu.account, CYCLES_INSTRUCTIONS, 49);
    cpu_poll(&m->cpu);
    assert_int_equal(read_msr(m, MSR_PERF_GLOBAL_STATUS), GENERAL_0);
    assert_int_equal(m->performance_interrupts, 0); /* INT is 0 */
    assert_int_equal(cpu_next_deadline(&m->cpu), m->cpu.account.now + 1);
    cycles_charge(&m->cpu.account, CYCLES_INSTRUCTIONS, 3);
    assert_int_equal(cpu_next_deadline(&m->cpu), m->cpu.account.now);
    cpu_poll(&m->cpu);
    assert_int_equal(m->performance_interrupts, 1);
    assert_int_equal(read_msr(m, MSR_FIXED_CTR0 + 1), 2);
    assert_int_equal(read_msr(m, MSR_PERF_GLOBAL_STATUS), FIXED_1 | GENERAL_0);
    write_msr(m, MSR_PERF_GLOBAL_OVF_CTRL, FIXED_1 | 3ull << 62);
    assert_int_equal(read_msr(m, MSR_PERF_GLOBAL_STATUS), GENERAL_0);
    assert_int_equal(read_msr(m, MSR_PERF_GLOBAL_OVF_CTRL), 0);
    cpu_poll(&m->cpu);
    assert_int_equal(m->performance_interrupts, 1);
}

static void a_halted_processor_waits_for_no_overflow(void **state)
{
    struct machine *m = *state;
    write_msr(m, MSR_PMC0, (uint32_t)-20);
    write_msr(m, MSR_PERFEVTSEL0, EN | OS | INT | CORE_CYCLES);
    assert_int_equal(cpu_next_deadline(&m->cpu), m->cpu.account.now + 20);
    m->cpu.state.activity_state = ACTIVITY_HLT;
    assert_int_equal(cpu_next_deadline(&m->cpu), UINT64_MAX);
}

static void what_cannot_be_counted_stops_the_run(void **state)
{
    const uint64_t selects[] = {
        EN | OS | 0xc4,                     /* branch instructions: CPUID says that it is not there */
        EN | OS | RETIRED | 1ull << 24,     /* counter mask */
        EN | OS | RETIRED | 1ull << 23,     /* inversion */
        EN | OS | CORE_CYCLES | 1ull << 18, /* edges */
    };
    struct machine *m = *state;
    assert_int_equal(run_wrmsr(m, MSR_PERFEVTSEL0, OS | 0xc4), CPU_RUN);       /* not enabled */
    assert_int_equal(run_wrmsr(m, MSR_PERFEVTSEL0, EN | USR | 0xc4), CPU_RUN); /* not at CPL 0 */
    write_msr(m, MSR_PERF_GLOBAL_CTRL, 0);
    for (unsigned i = 0; i < sizeof selects / sizeof selects[0]; i++)
        assert_int_equal(run_wrmsr(m, MSR_PERFEVTSEL0, selects[i]), CPU_RUN);
    for (unsigned i = 0; i < sizeof selects / sizeof selects[0]; i++) {
        m->cpu.pmu.unmodelled = NULL;
        write_msr(m, MSR_PERF_GLOBAL_CTRL, 0);
        write_msr(m, MSR_PERFEVTSEL0, selects[i]);
        assert_int_equal(run_wrmsr(m, MSR_PERF_GLOBAL_CTRL, GENERAL_0), CPU_UNSUPPORTED);
        assert_non_null(strstr(m->cpu.text, "performance counter"));
    }
}

static void msrs_refuse_what_is_reserved(void **state)
{
    const struct {
        uint32_t index;
        uint64_t value;
        bool legal;
    } rows[] = {
        {MSR_PERF_GLOBAL_CTRL, 0x7000000ffull, true},
        {MSR_PERF_GLOBAL_CTRL, 0x100, false},
        {MSR_PERF_GLOBAL_CTRL, 1ull << 35, false},
        {MSR_PERF_GLOBAL_OVF_CTRL, 0xc0000007000000ffull, true},
        {MSR_PERF_GLOBAL_OVF_CTRL, 1ull << 61, false},
        {MSR_PERF_GLOBAL_STATUS, 0, false},
        {MSR_FIXED_CTR_CTRL, 0xbbb, true},
        {MSR_FIXED_CTR_CTRL, 4, false}, /* AnyThread: version 3 */
        {MSR_FIXED_CTR_CTRL, 0x1000, false},
        {MSR_PERFEVTSEL0, 1ull << 21, false}, /* AnyThread: version 3 */
        {MSR_PERFEVTSEL0, 1ull << 32, false},
        {MSR_PERFEVTSEL0 + 7, 0xffdfffff & ~EN, true},
        {MSR_PERFEVTSEL0 + 8, 0, false},
        {MSR_PMC0, UINT64_MAX, true}, /* bits 63:32 are ignored */
        {MSR_PMC0 + 8, 0, false},
        {MSR_FIXED_CTR0, 1ull << 48, false},
        {MSR_FIXED_CTR0 + 2, (1ull << 48) - 1, true},
        {MSR_FIXED_CTR0 + 3, 0, false},
        {0x345, 0, false}, /* IA32_PERF_CAPABILITIES */
        {0x4c1, 0, false}, /* IA32_A_PMC0 */
    };
    struct machine *m = *state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (cpu_write_msr(&m->cpu, rows[i].index, rows[i].value) != rows[i].legal)
            fail_msg("WRMSR %x, %llx", rows[i].index, (unsigned long long)rows[i].value);
    assert_true(read_msr(m, MSR_MISC_ENABLE) & 1 << 7);
}

static void rdpmc_faults_without_a_counter(void **state)
{
    const uint32_t none[] = {8, 0x40000003, 0x3fffffff, 0x80000000};
    struct machine *m = *state;
    for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
        m->cpu.state.rip = CODE_AT;
        m->cpu.state.gpr[GPR_RCX] = none[i];
        run(m, &rdpmc);
        assert_int_equal(m->cpu.state.rip, handler_of(VECTOR_GP));
    }
    assert_int_equal(run_rdpmc(m, 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(leaf_0ah_tells_of_them),
        TEST(general_counters_start_enabled),
        TEST(counts_what_retires_while_it_is_on),
        TEST(what_faults_does_not_retire),
        TEST(cycles_do_not_pass_while_halted),
        TEST(privilege_decides),
        TEST(a_loaded_control_takes_effect),
        TEST(overflow_shows_and_interrupts),
        TEST(a_halted_processor_waits_for_no_overflow),
        TEST(what_cannot_be_counted_stops_the_run),
        TEST(msrs_refuse_what_is_reserved),
        TEST(rdpmc_faults_without_a_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
