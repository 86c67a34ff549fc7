/*
 * machine_turns.c: several processors, in turn, on one thread.
 *
 * The one whose time is earliest runs, until it is SLICE cycles ahead of the next, sleeps, or has sent
 * another one an interrupt. Equal times go by number. Nothing but simulated time decides, so every run takes
 * the same turns. Between two processors no access is ever torn: turns change between blocks of translated
 * code.
 */
#include "sim/machine_private.h"

enum { SLICE = 4000 };

/* When it can do something next; UINT64_MAX: only another processor can wake it. */
static uint64_t time_of(struct machine_processor *p)
{
    if (!p->halted)
        return p->cpu.account.now;
    machine_select(p);
    return cpu_next_deadline(&p->cpu);
}

/* What was sent to a sleeping processor arrives at the sender's time, not at that of its falling asleep. */
static void wake_not_before(struct machine *m, uint64_t now)
{
    for (unsigned i = 0; i < m->processor_count; i++) {
        struct machine_processor *p = &m->processors[i];
        machine_select(p);
        if (p->halted && p->cpu.account.now < now && cpu_next_deadline(&p->cpu) <= p->cpu.account.now)
            cycles_charge(&p->cpu.account, CYCLES_HALTED, now - p->cpu.account.now);
    }
}

/* The next to run, and in *other the time of the next but one. Null: none can go on. */
static struct machine_processor *choose(struct machine *m, uint64_t *other)
{
    struct machine_processor *first = NULL;
    uint64_t best = UINT64_MAX;
    *other = UINT64_MAX;
    for (unsigned i = 0; i < m->processor_count; i++) {
        uint64_t time = time_of(&m->processors[i]);
        if (time < best) {
            *other = best;
            best = time;
            first = &m->processors[i];
        } else if (time < *other) {
            *other = time;
        }
    }
    return first;
}

static void end_asleep(struct machine *m)
{
    const struct cpu *cpu = &m->processors[0].cpu;
    machine_end(m, MACHINE_HALTED_FOREVER,
                "all %u processors are halted (the first at RIP %#llx, RFLAGS.IF = %d) and no timer is "
                "running that could wake one",
                m->processor_count, (unsigned long long)cpu->state.rip, (cpu->state.rflags & RFLAGS_IF) != 0);
}

void machine_take_turns(struct machine *m)
{
    while (!m->ended) {
        uint64_t other;
        struct machine_processor *p = choose(m, &other);
        if (!p) {
            end_asleep(m);
            return;
        }
        machine_select(p);
        if (p->halted) {
            machine_after(p, machine_sleep(p));
            machine_check_limits(p);
        } else {
            p->slice_end = other < UINT64_MAX - SLICE ? other + SLICE : UINT64_MAX;
            machine_run_processor(p);
        }
        if (m->platform.others_signalled)
            wake_not_before(m, p->cpu.account.now);
        m->platform.others_signalled = false;
    }
}
