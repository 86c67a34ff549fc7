/* counting.c: which counters count what, since when, and when they overflow. */
#include "sim/cpu/cpu.h"
#include "sim/cpu/features.h"

enum pmu_quantity { QUANTITY_NONE, QUANTITY_INSTRUCTIONS, QUANTITY_CYCLES };

#define SELECT_EVENT 0xffffull /* event select and unit mask */
#define SELECT_USR (1ull << 16)
#define SELECT_OS (1ull << 17)
#define SELECT_INT (1ull << 20)
#define SELECT_EN (1ull << 22)
/* Edge detect, invert, counter mask: they count changes, or cycles with so many instructions in them. */
#define SELECT_UNMODELLED (1ull << 18 | 1ull << 23 | 0xffull << 24)
#define FIXED_OS 1u
#define FIXED_USR 2u
#define FIXED_PMI 8u

unsigned pmu_general_counters(const struct cpu_profile *profile)
{
    const struct cpuid_leaf *row = cpuid_find(profile, 0xa, 0);
    return row && (row->eax & 0xff) >= 2 ? row->eax >> 8 & 0xff : 0;
}

unsigned pmu_fixed_counters(const struct cpu_profile *profile)
{
    const struct cpuid_leaf *row = cpuid_find(profile, 0xa, 0);
    return row && (row->eax & 0xff) >= 2 ? row->edx & 0x1f : 0;
}

unsigned pmu_width(const struct cpu_profile *profile)
{
    const struct cpuid_leaf *row = cpuid_find(profile, 0xa, 0);
    return row ? row->eax >> 16 & 0xff : 0;
}

/* SDM volume 3B, table of the pre-defined architectural events. */
static enum pmu_quantity event_quantity(uint64_t select)
{
    static const struct {
        uint16_t event; /* with its unit mask in bits 15:8 */
        enum pmu_quantity quantity;
    } events[] = {
        {0x003c, QUANTITY_CYCLES},       /* UnHalted Core Cycles */
        {0x00c0, QUANTITY_INSTRUCTIONS}, /* Instruction Retired */
        {0x013c, QUANTITY_CYCLES},       /* UnHalted Reference Cycles: the clock never changes its speed */
    };
    if (select & SELECT_UNMODELLED)
        return QUANTITY_NONE;
    for (unsigned i = 0; i < sizeof events / sizeof events[0]; i++)
        if ((select & SELECT_EVENT) == events[i].event)
            return events[i].quantity;
    return QUANTITY_NONE;
}

static uint64_t quantity_now(const struct cpu *cpu, enum pmu_quantity quantity)
{
    const struct cycle_account *a = &cpu->account;
    if (quantity == QUANTITY_INSTRUCTIONS) /* what is under way has not retired */
        return cpu->instructions - cpu->pmu.not_retired - cpu->pmu.executing;
    return a->now - a->by[CYCLES_ROOT][CYCLES_HALTED] - a->by[CYCLES_NON_ROOT][CYCLES_HALTED];
}

static uint64_t global_bit(unsigned counter)
{
    return counter < PMU_GENERAL ? 1ull << counter : 1ull << (32 + counter - PMU_GENERAL);
}

/* How a counter's own control has it. */
struct setting {
    enum pmu_quantity quantity;
    bool enabled; /* at the present CPL */
    bool interrupts;
};

static struct setting setting_of(const struct cpu *cpu, unsigned counter)
{
    static const enum pmu_quantity fixed[PMU_FIXED] = {QUANTITY_INSTRUCTIONS, QUANTITY_CYCLES,
                                                       QUANTITY_CYCLES};
    const bool user = cpu->pmu.applied_cpl != 0;
    if (counter >= PMU_GENERAL) {
        const unsigned n = counter - PMU_GENERAL;
        const uint64_t control = cpu->pmu.fixed_ctrl >> (4 * n);
        return (struct setting){fixed[n], control & (user ? FIXED_USR : FIXED_OS), control & FIXED_PMI};
    }
    const uint64_t select = cpu->pmu.select[counter];
    return (struct setting){event_quantity(select),
                            select & SELECT_EN && select & (user ? SELECT_USR : SELECT_OS),
                            select & SELECT_INT};
}

/* What has been counted since the counter was brought up to date. */
static uint64_t counted(const struct cpu *cpu, const struct pmu_counter *c)
{
    return c->counting ? quantity_now(cpu, (enum pmu_quantity)c->quantity) - c->from : 0;
}

void pmu_bring_up_to_date(struct cpu *cpu)
{
    const uint64_t mask = (1ull << pmu_width(cpu->profile)) - 1;
    bool interrupt = false;
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        struct pmu_counter *c = &cpu->pmu.counter[i];
        if (!c->counting)
            continue;
        const uint64_t value = c->value + counted(cpu, c);
        c->from = quantity_now(cpu, (enum pmu_quantity)c->quantity);
        c->value = value & mask;
        if (value > mask) {
            cpu->pmu.status |= global_bit(i);
            interrupt |= c->interrupts;
        }
    }
    if (interrupt)
        cpu->bus->performance_interrupt(cpu->bus->opaque);
}

static void apply(struct cpu *cpu, unsigned counter)
{
    struct pmu *pmu = &cpu->pmu;
    struct pmu_counter *c = &pmu->counter[counter];
    const struct setting setting = setting_of(cpu, counter);
    const bool counts = setting.enabled && pmu->applied_ctrl & global_bit(counter);
    if (counts && setting.quantity == QUANTITY_NONE)
        pmu->unmodelled =
            "a performance counter was enabled for an event, or with a counter mask, inversion or "
            "edge detection, that vtsim does not count (CPUID.0AH:EBX tells the events)";
    c->interrupts = setting.interrupts;
    if (counts && (!c->counting || c->quantity != setting.quantity)) {
        c->quantity = (uint8_t)setting.quantity;
        c->from = quantity_now(cpu, setting.quantity);
    }
    c->counting = counts;
    pmu->watched |= counts && c->interrupts;
}

void pmu_apply_controls(struct cpu *cpu)
{
    struct pmu *pmu = &cpu->pmu;
    pmu->applied_ctrl = cpu->state.msr.perf_global_ctrl;
    pmu->applied_cpl = (uint8_t)cpu_cpl(&cpu->state);
    pmu->watched = false;
    pmu->programmed = pmu->fixed_ctrl != 0;
    for (unsigned i = 0; i < PMU_GENERAL; i++)
        pmu->programmed |= (pmu->select[i] & SELECT_EN) != 0;
    for (unsigned i = 0; i < PMU_COUNTERS; i++)
        apply(cpu, i);
}

void pmu_follow(struct cpu *cpu)
{
    const struct pmu *pmu = &cpu->pmu;
    if (!pmu->programmed ||
        (pmu->applied_ctrl == cpu->state.msr.perf_global_ctrl && pmu->applied_cpl == cpu_cpl(&cpu->state)))
        return;
    pmu_bring_up_to_date(cpu);
    pmu_apply_controls(cpu);
}

/* A quantity grows by one a cycle at most: looked at then, the counter has overflowed or has so much less to
 * go. Nothing grows while the processor is halted. */
uint64_t pmu_next_deadline(const struct cpu *cpu)
{
    uint64_t least = UINT64_MAX;
    if (!cpu->pmu.watched || cpu->state.activity_state != ACTIVITY_ACTIVE)
        return UINT64_MAX;
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        const struct pmu_counter *c = &cpu->pmu.counter[i];
        if (!c->counting || !c->interrupts)
            continue;
        const uint64_t room = (1ull << pmu_width(cpu->profile)) - c->value, gone = counted(cpu, c);
        const uint64_t left = room > gone ? room - gone : 0;
        least = left < least ? left : least;
    }
    return least > UINT64_MAX - cpu->account.now ? UINT64_MAX : cpu->account.now + least;
}
