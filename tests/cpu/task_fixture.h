/* task_fixture.h: two tasks in the machine of events_fixture.h: the current one, and one that a test goes to.
 */
#ifndef VTSIM_TESTS_CPU_TASK_FIXTURE_H
#define VTSIM_TESTS_CPU_TASK_FIXTURE_H

#include "events_fixture.h"

#define NEW_TSS_AT 0x3200u
#define NEW_PD_AT 0x16000u /* a copy of the page directory */
#define NEW_STACK 0xc800u
#define NEW_EIP 0x6a00u
#define NEW_TASK FREE
#define TASK_GATE_AT (FREE + 8)
#define SPARE (FREE + 16) /* a descriptor of the test's own */
#define DATA16 (FREE + 24)

/* Offsets: SDM volume 3A figure "32-Bit Task-State Segment (TSS)" and "16-Bit TSS Format". */
enum {
    TSS32_CR3 = 28,
    TSS32_EIP = 32,
    TSS32_EFLAGS = 36,
    TSS32_EAX = 40,
    TSS32_ESP = 56,
    TSS32_ES = 72,
    TSS32_CS = 76,
    TSS32_SS = 80,
    TSS32_DS = 84,
    TSS32_FS = 88,
    TSS32_GS = 92,
    TSS32_LDT = 96,
    TSS32_T = 100,
    TSS16_IP = 14,
    TSS16_FLAGS = 16,
    TSS16_AX = 18,
    TSS16_SP = 26,
    TSS16_ES = 34,
    TSS16_CS = 36,
    TSS16_SS = 38,
    TSS16_DS = 40,
    TSS16_LDT = 42,
};

static inline void make_task32(struct machine *m)
{
    const uint32_t at = NEW_TSS_AT;
    set_descriptor(m, NEW_TASK, at, 0x67, 0x0089);
    poke(m, GDT_AT + TASK_GATE_AT, gate(NEW_TASK, 0, GATE_TASK, 0), 8);
    poke(m, at, 0xbeef, 2);
    poke(m, at + TSS32_CR3, NEW_PD_AT, 4);
    poke(m, at + TSS32_EIP, NEW_EIP, 4);
    poke(m, at + TSS32_EFLAGS, RFLAGS_FIXED1 | RFLAGS_CF | RFLAGS_AC, 4);
    for (unsigned i = 0; i < 8; i++)
        poke(m, at + TSS32_EAX + 4 * i, 0xa0a0a000 + i, 4);
    poke(m, at + TSS32_ESP, NEW_STACK, 4);
    for (unsigned i = 0; i < 6; i++)
        poke(m, at + TSS32_ES + 4 * i, i == SEG_CS ? CODE0 : DATA0, 2);
    for (unsigned i = 0; i < 512; i++)
        poke(m, NEW_PD_AT + 4 * i, peek(m, PD32_AT + 4 * i, 4), 4);
}

static inline void make_task16(struct machine *m)
{
    const uint32_t at = NEW_TSS_AT;
    set_descriptor(m, NEW_TASK, at, 0x2b, 0x0081);
    poke(m, GDT_AT + TASK_GATE_AT, gate(NEW_TASK, 0, GATE_TASK, 0), 8);
    poke(m, at + TSS16_IP, NEW_EIP, 2);
    poke(m, at + TSS16_FLAGS, RFLAGS_FIXED1 | RFLAGS_CF, 2);
    for (unsigned i = 0; i < 8; i++)
        poke(m, at + TSS16_AX + 2 * i, 0xa000 + i, 2);
    poke(m, at + TSS16_SP, NEW_STACK, 2);
    for (unsigned i = 0; i < 4; i++)
        poke(m, at + TSS16_ES + 2 * i, i == SEG_CS ? CODE0 : DATA16, 2);
    set_descriptor(m, DATA16, 0, 0xffff, 0x0093);
}

static inline struct cpu_outcome switch_by(struct machine *m, unsigned id, unsigned selector)
{
    const struct insn insn = {.id = (uint16_t)id,
                              .length = 7,
                              .mode_bits = 32,
                              .operand_bits = 32,
                              .address_bits = 32,
                              .far_selector = (uint16_t)selector};
    return cpu_far_transfer(&m->cpu, &insn);
}

static inline void check_switched(struct cpu_outcome outcome)
{
    if (outcome.kind == OUTCOME_EVENT)
        print_error("fault: vector %u, error code %#x\n", outcome.event.vector, outcome.event.error_code);
    assert_int_equal(outcome.kind, OUTCOME_TASK_SWITCHED);
}

/* Type of the descriptor in the GDT, with S, DPL and P. */
static inline unsigned rights_of(const struct machine *m, unsigned selector)
{
    return (unsigned)peek(m, GDT_AT + (selector & 0xfff8u) + 5, 1);
}

#endif
