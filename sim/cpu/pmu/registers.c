/* registers.c: the counters' MSRs, and RDPMC. Source: SDM volume 3B, "Architectural Performance Monitoring
 * Version 1 Facilities" and "... Version 2 Facilities"; volume 2, "RDPMC". */
#include "sim/cpu/cpu.h"
#include "sim/cpu/msr.h"

#define STATUS_CHANGED (3ull << 62) /* OvfBuffer, CondChgd: never set here; they may be cleared */
/* Bit 21 (AnyThread) came with version 3; bits 63:32 are reserved. */
#define SELECT_RESERVED (0xffffffff00000000ull | 1ull << 21)
#define FIXED_CONTROL 0xbull /* of one counter: OS, user, PMI; bit 2 (AnyThread) came with version 3 */
#define RDPMC_FIXED (1u << 30)

static uint64_t width_mask(const struct cpu *cpu)
{
    return (1ull << pmu_width(cpu->profile)) - 1;
}

/* A bit for each counter, as IA32_PERF_GLOBAL_CTRL has them. */
static uint64_t counter_bits(const struct cpu *cpu)
{
    return ((1ull << pmu_general_counters(cpu->profile)) - 1) |
           ((1ull << pmu_fixed_counters(cpu->profile)) - 1) << 32;
}

static uint64_t fixed_control_bits(const struct cpu *cpu)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < pmu_fixed_counters(cpu->profile); i++)
        bits |= FIXED_CONTROL << (4 * i);
    return bits;
}

/* The counter of a register in a group that begins at first, null if there is none. */
static struct pmu_counter *general(struct cpu *cpu, uint32_t number)
{
    return number < pmu_general_counters(cpu->profile) ? &cpu->pmu.counter[number] : NULL;
}

static struct pmu_counter *fixed(struct cpu *cpu, uint32_t number)
{
    return number < pmu_fixed_counters(cpu->profile) ? &cpu->pmu.counter[PMU_GENERAL + number] : NULL;
}

static struct pmu_counter *counter_of_msr(struct cpu *cpu, uint32_t index)
{
    if (index >= MSR_FIXED_CTR0)
        return fixed(cpu, index - MSR_FIXED_CTR0);
    return general(cpu, index - MSR_PMC0);
}

static bool is_counter(uint32_t index)
{
    return (index >= MSR_PMC0 && index < MSR_PMC0 + PMU_GENERAL) ||
           (index >= MSR_FIXED_CTR0 && index < MSR_FIXED_CTR0 + PMU_FIXED);
}

static bool is_select(uint32_t index)
{
    return index >= MSR_PERFEVTSEL0 && index < MSR_PERFEVTSEL0 + PMU_GENERAL;
}

bool pmu_read_msr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    pmu_bring_up_to_date(cpu);
    if (is_counter(index)) {
        const struct pmu_counter *c = counter_of_msr(cpu, index);
        *value = c ? c->value : 0;
        return c != NULL;
    }
    if (is_select(index)) {
        *value = cpu->pmu.select[index - MSR_PERFEVTSEL0];
        return index - MSR_PERFEVTSEL0 < pmu_general_counters(cpu->profile);
    }
    switch (index) {
    case MSR_FIXED_CTR_CTRL:
        *value = cpu->pmu.fixed_ctrl;
        break;
    case MSR_PERF_GLOBAL_STATUS:
        *value = cpu->pmu.status;
        break;
    case MSR_PERF_GLOBAL_CTRL:
        *value = cpu->state.msr.perf_global_ctrl;
        break;
    default: /* IA32_PERF_GLOBAL_OVF_CTRL keeps nothing */
        *value = 0;
        break;
    }
    return true;
}

/* IA32_PMCi takes 32 bits, the rest is copies of bit 31 ("full-width writes" are not offered); a
 * fixed-function counter takes all that it has. */
static bool write_counter(struct cpu *cpu, uint32_t index, uint64_t value)
{
    struct pmu_counter *c = counter_of_msr(cpu, index);
    if (!c || (index >= MSR_FIXED_CTR0 && value & ~width_mask(cpu)))
        return false;
    c->value = (index >= MSR_FIXED_CTR0 ? value : (uint64_t)(int64_t)(int32_t)value) & width_mask(cpu);
    return true;
}

static bool write_select(struct cpu *cpu, uint32_t number, uint64_t value)
{
    if (number >= pmu_general_counters(cpu->profile) || value & SELECT_RESERVED)
        return false;
    cpu->pmu.select[number] = value;
    return true;
}

static bool write_register(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (is_counter(index))
        return write_counter(cpu, index, value);
    if (is_select(index))
        return write_select(cpu, index - MSR_PERFEVTSEL0, value);
    switch (index) {
    case MSR_FIXED_CTR_CTRL:
        if (value & ~fixed_control_bits(cpu))
            return false;
        cpu->pmu.fixed_ctrl = value;
        return true;
    case MSR_PERF_GLOBAL_CTRL:
        if (value & ~counter_bits(cpu))
            return false;
        cpu->state.msr.perf_global_ctrl = value;
        return true;
    case MSR_PERF_GLOBAL_OVF_CTRL:
        if (value & ~(counter_bits(cpu) | STATUS_CHANGED))
            return false;
        cpu->pmu.status &= ~value;
        return true;
    default: /* IA32_PERF_GLOBAL_STATUS is read-only */
        return false;
    }
}

bool pmu_write_msr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    pmu_bring_up_to_date(cpu);
    if (!write_register(cpu, index, value))
        return false;
    pmu_apply_controls(cpu);
    return true;
}

bool pmu_read_counter(struct cpu *cpu, uint32_t ecx, uint64_t *value)
{
    const struct pmu_counter *c = ecx & RDPMC_FIXED ? fixed(cpu, ecx & ~RDPMC_FIXED) : general(cpu, ecx);
    if (!c)
        return false;
    pmu_bring_up_to_date(cpu);
    *value = c->value;
    return true;
}
