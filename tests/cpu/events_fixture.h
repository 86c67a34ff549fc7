/*
 * events_fixture.h: one processor in 2 MiB of RAM with descriptor tables, a TSS and identity page tables, for
 * the tests of event delivery, far transfers, settling and polling.
 */
#ifndef VTSIM_TESTS_CPU_EVENTS_FIXTURE_H
#define VTSIM_TESTS_CPU_EVENTS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/cpu/cpu.h"
#include "sim/cpu/descriptors.h"

#define RAM_SIZE (2u << 20)
#define GDT_AT 0x1000u
#define IDT_AT 0x2000u
#define TSS_AT 0x3000u
#define LDT_AT 0x3800u
#define HANDLERS_AT 0x5000u /* handler of vector v: HANDLERS_AT + 16 v */
#define CODE_AT 0x7000u
#define STACK0_TOP 0x9000u /* ring 0: current and, in the TSS, of that level */
#define STACK1_TOP 0xa000u
#define STACK3_TOP 0xb000u
#define IST1_TOP 0xc000u
#define PML4_AT 0x10000u
#define PD32_AT 0x14000u
#define LONG_PT_AT 0x13000u
#define PT32_AT 0x15000u
#define VMCS_AT 0x20000u

/* Selectors of the GDT. */
enum {
    CODE0 = 0x08,
    DATA0 = 0x10,
    CODE3 = 0x18 | 3,
    DATA3 = 0x20 | 3,
    TSS = 0x28, /* 16 bytes, so that it serves IA-32e mode too */
    CODE0_64 = 0x38,
    CODE3_64 = 0x40 | 3,
    CONFORMING0 = 0x48,
    CODE1 = 0x50 | 1,
    DATA1 = 0x58 | 1,
    CODE16 = 0x60,
    FREE = 0x80, /* tests put descriptors here and behind */
};

#define RIGHTS_CODE 0xc09bu /* present, DPL 0, readable, accessed, 32-bit, 4 KiB units */
#define RIGHTS_CODE64 0xa09bu
#define RIGHTS_DATA 0xc093u
#define RIGHTS_DPL(n) ((unsigned)(n) << 5)
#define RIGHTS_CONFORMING 4u

struct machine {
    struct cpu cpu;
    struct phys_mem mem;
    uint8_t *ram;
    struct cpu_bus bus;
    /* The platform that the bus shows. */
    bool interrupt, nmi;
    uint8_t signals, sipi_vector; /* CPU_SIGNAL_* */
    unsigned apic_resets;
    uint8_t interrupt_vector;
    unsigned interrupts_acknowledged, nmis_acknowledged, performance_interrupts;
    uint64_t advanced_to, deadline;
    uint32_t events_seen[TRACE_KIND_COUNT];
    struct trace trace;
};

static inline uint64_t peek(const struct machine *m, uint64_t at, unsigned size)
{
    return phys_read(&m->mem, at, size);
}

static inline void poke(struct machine *m, uint64_t at, uint64_t value, unsigned size)
{
    phys_write(&m->mem, at, value, size);
}

/* limit in units of the G bit of rights (the VMCS form of access rights). */
static inline uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t rights)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(rights & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(base >> 24) << 56;
}

static inline void set_descriptor(struct machine *m, unsigned selector, uint32_t base, uint32_t limit,
                                  uint32_t rights)
{
    poke(m, GDT_AT + (selector & 0xfff8u), descriptor(base, limit, rights), 8);
}

/* rights: type, S = 0, DPL and P, as the low byte of access rights. */
static inline uint64_t gate(unsigned selector, uint32_t offset, uint32_t rights, unsigned count_or_ist)
{
    return (offset & 0xffff) | (uint64_t)(selector & 0xffff) << 16 | (uint64_t)count_or_ist << 32 |
           (uint64_t)rights << 40 | (uint64_t)(offset >> 16) << 48;
}

#define GATE_INTERRUPT32 0x8eu
#define GATE_TRAP32 0x8fu
#define GATE_INTERRUPT16 0x86u
#define GATE_TASK 0x85u

static inline uint32_t handler_of(unsigned vector)
{
    return HANDLERS_AT + 16 * vector;
}

static inline void set_gate(struct machine *m, unsigned vector, unsigned selector, uint32_t rights)
{
    poke(m, IDT_AT + 8 * vector, gate(selector, handler_of(vector), rights, 0), 8);
}

static inline void set_long_gate(struct machine *m, unsigned vector, unsigned selector, uint32_t rights,
                                 unsigned ist)
{
    poke(m, IDT_AT + 16 * vector, gate(selector, handler_of(vector), rights, ist), 8);
    poke(m, IDT_AT + 16 * vector + 8, 0, 8);
}

/* Loads a segment register from the GDT, with no checks. */
static inline void load_segment(struct machine *m, enum cpu_segment_index index, unsigned selector)
{
    struct descriptor d = {.low = peek(m, GDT_AT + (selector & 0xfff8u), 8), .selector = (uint16_t)selector};
    m->cpu.state.seg[index] = descriptor_segment(&d);
}

static inline void load_ring(struct machine *m, unsigned cs, unsigned ss, uint64_t rsp)
{
    load_segment(m, SEG_CS, cs);
    load_segment(m, SEG_SS, ss);
    m->cpu.state.gpr[GPR_RSP] = rsp;
    m->cpu.state.rip = CODE_AT;
}

static uint32_t bus_in(void *o, uint16_t port, unsigned size)
{
    (void)o, (void)port, (void)size;
    return 0xffffffff;
}
static void bus_out(void *o, uint16_t port, uint32_t value, unsigned size)
{
    (void)o, (void)port, (void)value, (void)size;
}
static bool bus_interrupt_pending(void *o)
{
    return ((struct machine *)o)->interrupt;
}
static uint8_t bus_interrupt_acknowledge(void *o)
{
    struct machine *m = o;
    m->interrupts_acknowledged++;
    m->interrupt = false;
    return m->interrupt_vector;
}
static uint8_t bus_signals(void *o)
{
    return ((struct machine *)o)->signals;
}
static uint8_t bus_take_signal(void *o, uint8_t signal)
{
    struct machine *m = o;
    m->signals &= (uint8_t)~signal;
    return m->sipi_vector;
}
static void bus_reset_apic(void *o)
{
    ((struct machine *)o)->apic_resets++;
}
static bool bus_nmi_pending(void *o)
{
    return ((struct machine *)o)->nmi;
}
static void bus_nmi_acknowledge(void *o)
{
    struct machine *m = o;
    m->nmis_acknowledged++;
    m->nmi = false;
}
static uint64_t bus_read_cr8(void *o)
{
    (void)o;
    return 0;
}
static void bus_write_cr8(void *o, uint64_t value)
{
    (void)o, (void)value;
}
static bool bus_read_msr(void *o, uint32_t index, uint64_t *value)
{
    (void)o, (void)index;
    *value = 0;
    return false;
}
static bool bus_write_msr(void *o, uint32_t index, uint64_t value)
{
    (void)o, (void)index, (void)value;
    return false;
}
static void bus_performance_interrupt(void *o)
{
    ((struct machine *)o)->performance_interrupts++;
}
static uint64_t bus_next_deadline(void *o)
{
    return ((struct machine *)o)->deadline;
}
static void bus_advance(void *o, uint64_t cycles)
{
    ((struct machine *)o)->advanced_to = cycles;
}
static void count_event(void *o, const struct trace_event *event)
{
    ((struct machine *)o)->events_seen[event->kind]++;
}

static inline void build_tables(struct machine *m)
{
    const struct {
        unsigned selector;
        uint32_t rights;
    } segments[] = {
        {CODE0, RIGHTS_CODE},
        {DATA0, RIGHTS_DATA},
        {CODE3, RIGHTS_CODE | RIGHTS_DPL(3)},
        {DATA3, RIGHTS_DATA | RIGHTS_DPL(3)},
        {CODE0_64, RIGHTS_CODE64},
        {CODE3_64, RIGHTS_CODE64 | RIGHTS_DPL(3)},
        {CONFORMING0, RIGHTS_CODE | RIGHTS_CONFORMING},
        {CODE1, RIGHTS_CODE | RIGHTS_DPL(1)},
        {DATA1, RIGHTS_DATA | RIGHTS_DPL(1)},
    };
    for (unsigned i = 0; i < sizeof segments / sizeof segments[0]; i++)
        set_descriptor(m, segments[i].selector, 0, 0xfffff, segments[i].rights);
    set_descriptor(m, CODE16, 0, 0xffff, 0x009b);
    set_descriptor(m, TSS, TSS_AT, 0x67, 0x008b); /* busy 32-bit (or 64-bit) TSS */
    poke(m, TSS_AT + 4, STACK0_TOP, 4);
    poke(m, TSS_AT + 8, DATA0, 4);
    poke(m, TSS_AT + 12, STACK1_TOP, 4);
    poke(m, TSS_AT + 16, DATA1, 4);
    for (unsigned v = 0; v < 64; v++)
        set_gate(m, v, CODE0, GATE_INTERRUPT32 | RIGHTS_DPL(3));
}

/* Identity: 4-level tables of 4 KiB pages and 32-bit tables, all user-accessible and writable. */
static inline void build_page_tables(struct machine *m)
{
    poke(m, PML4_AT, (PML4_AT + 0x1000) | 7, 8);
    poke(m, PML4_AT + 0x1000, (PML4_AT + 0x2000) | 7, 8);
    poke(m, PML4_AT + 0x2000, LONG_PT_AT | 7, 8);
    poke(m, PD32_AT, PT32_AT | 7, 4);
    for (unsigned page = 0; page < 512; page++) {
        poke(m, LONG_PT_AT + 8 * page, page << 12 | 7, 8);
        poke(m, PT32_AT + 4 * page, page << 12 | 7, 4);
    }
}

/* Protected mode without paging, ring 0. */
static inline int set_up(void **state)
{
    struct machine *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->ram = calloc(1, RAM_SIZE);
    assert_non_null(m->ram);
    m->mem = (struct phys_mem){.ram = m->ram, .low_size = RAM_SIZE};
    m->deadline = UINT64_MAX;
    m->trace = (struct trace){.wanted = UINT32_MAX, .emit = count_event, .observer = m};
    m->bus = (struct cpu_bus){.port_in = bus_in,
                              .port_out = bus_out,
                              .interrupt_pending = bus_interrupt_pending,
                              .interrupt_acknowledge = bus_interrupt_acknowledge,
                              .nmi_pending = bus_nmi_pending,
                              .nmi_acknowledge = bus_nmi_acknowledge,
                              .read_cr8 = bus_read_cr8,
                              .write_cr8 = bus_write_cr8,
                              .signals = bus_signals,
                              .take_signal = bus_take_signal,
                              .reset_apic = bus_reset_apic,
                              .apic_read_msr = bus_read_msr,
                              .apic_write_msr = bus_write_msr,
                              .performance_interrupt = bus_performance_interrupt,
                              .next_deadline = bus_next_deadline,
                              .advance = bus_advance,
                              .opaque = m};
    assert_true(cpu_init(&m->cpu, cpu_profile_find("skylake"), &m->mem, &m->trace, &m->bus));
    build_tables(m);
    build_page_tables(m);
    struct cpu_state *s = &m->cpu.state;
    s->cr0 = CR0_PE | CR0_ET;
    s->gdtr = (struct cpu_descriptor_table){.base = GDT_AT, .limit = 0xff};
    s->idtr = (struct cpu_descriptor_table){.base = IDT_AT, .limit = 0x7ff};
    for (int i = 0; i < 6; i++)
        load_segment(m, (enum cpu_segment_index)i, DATA0);
    load_segment(m, SEG_TR, TSS);
    s->seg[SEG_LDTR].access_rights = AR_UNUSABLE;
    load_ring(m, CODE0, DATA0, STACK0_TOP);
    s->rflags = RFLAGS_FIXED1 | RFLAGS_IF;
    vmx_update_regime(&m->cpu.vmx);
    *state = m;
    return 0;
}

static inline int tear_down(void **state)
{
    struct machine *m = *state;
    cpu_free(&m->cpu);
    free(m->ram);
    free(m);
    return 0;
}

static inline void enable_paging32(struct machine *m)
{
    m->cpu.state.cr0 |= CR0_PG;
    m->cpu.state.cr3 = PD32_AT;
    vmx_update_regime(&m->cpu.vmx);
}

static inline void unmap_long(struct machine *m, uint32_t linear)
{
    poke(m, LONG_PT_AT + 8 * (linear >> 12), 0, 8);
    mmu_invlpg(&m->cpu.mmu, linear);
}

/* 64-bit mode, ring 0, with 64-bit gates to CODE0_64 for the vectors below 64. */
static inline void enable_long_mode(struct machine *m)
{
    struct cpu_state *s = &m->cpu.state;
    s->cr0 |= CR0_PG;
    s->cr4 |= CR4_PAE;
    s->cr3 = PML4_AT;
    s->msr.efer |= EFER_LME | EFER_LMA | EFER_SCE;
    s->idtr.limit = 0x3ff;
    for (unsigned v = 0; v < 64; v++)
        set_long_gate(m, v, CODE0_64, GATE_INTERRUPT32 | RIGHTS_DPL(3), 0);
    poke(m, TSS_AT, 0, 8);
    poke(m, TSS_AT + 4, STACK0_TOP, 8);
    poke(m, TSS_AT + 12, STACK1_TOP, 8);
    poke(m, TSS_AT + 36, IST1_TOP, 8);
    load_segment(m, SEG_CS, CODE0_64);
    vmx_update_regime(&m->cpu.vmx);
}

static inline void unmap32(struct machine *m, uint32_t linear)
{
    poke(m, PT32_AT + 4 * (linear >> 12), 0, 4);
    mmu_invlpg(&m->cpu.mmu, linear);
}

static inline struct cpu_event exception(uint8_t vector)
{
    return (struct cpu_event){.vector = vector, .type = EVENT_HARDWARE_EXCEPTION};
}

static inline struct cpu_event exception_with_code(uint8_t vector, uint32_t code)
{
    return (struct cpu_event){
        .vector = vector, .type = EVENT_HARDWARE_EXCEPTION, .has_error_code = true, .error_code = code};
}

static inline struct cpu_event software_interrupt(uint8_t vector)
{
    return (struct cpu_event){.vector = vector, .type = EVENT_SOFTWARE_INTERRUPT, .instruction_length = 2};
}

static inline struct cpu_event external_interrupt(uint8_t vector)
{
    return (struct cpu_event){.vector = vector, .type = EVENT_EXTERNAL_INTERRUPT};
}

static inline void check_jumped(struct cpu_outcome outcome)
{
    if (outcome.kind == OUTCOME_EVENT)
        print_error("fault: vector %u, error code %#x\n", outcome.event.vector, outcome.event.error_code);
    assert_int_equal(outcome.kind, OUTCOME_JUMPED);
}

static inline void check_fault(struct cpu_outcome outcome, unsigned vector, uint32_t code)
{
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.type, EVENT_HARDWARE_EXCEPTION);
    assert_int_equal(outcome.event.vector, vector);
    assert_true(outcome.event.has_error_code);
    assert_int_equal(outcome.event.error_code, code);
}

/* count items of size bytes from address up. */
static inline void check_frame(const struct machine *m, uint64_t address, unsigned size, unsigned count,
                               const uint64_t *expected)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(peek(m, address + (uint64_t)i * size, size), expected[i]);
}

#define FRAME(m, address, size, ...)                                                                         \
    check_frame(m, address, size, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__})

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
