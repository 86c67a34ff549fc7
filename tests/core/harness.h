/* harness.h: a core with 1:1 memory and a client that records what it is told. */
#ifndef VTSIM_TESTS_CORE_HARNESS_H
#define VTSIM_TESTS_CORE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/core.h"

enum { HARNESS_RAM = 4 << 20, HARNESS_CODE = 0x10000, HARNESS_STACK = 0x8000, HARNESS_TABLES = 0x20000 };

struct harness {
    struct cpu_state state;
    struct mmu mmu;
    struct phys_mem mem;
    struct cycle_account account;
    uint64_t instructions, deadline;
    struct core *core;
    struct core_client client;
    /* recorded */
    struct insn insn; /* the last one handed out */
    struct cpu_event event;
    struct mmu_fault fault;
    enum mmu_status fault_status;
    unsigned traps, exceptions, faults, polls;
    uint64_t instructions_at_trap;
    /* behaviour */
    unsigned stop_after_traps; /* HLT always stops */
    unsigned
        faults_to_repeat; /* after a fault the same instruction is tried again until there were so many */
    bool (*on_poll)(struct harness *);
    bool window;
    struct cpu_profile profile; /* a copy: looked at again for each block that is translated */
};

static uint64_t harness_mmio_read(void *o, uint64_t p, unsigned size)
{
    (void)o, (void)p, (void)size;
    return UINT64_MAX;
}
static void harness_mmio_write(void *o, uint64_t p, uint64_t v, unsigned size)
{
    (void)o, (void)p, (void)v, (void)size;
}

static bool harness_instruction(void *opaque, const struct insn *insn)
{
    struct harness *h = opaque;
    h->insn = *insn;
    h->instructions_at_trap = h->instructions;
    h->traps++;
    if (insn->id == INSN_HLT)
        return false;
    h->state.rip += insn->length;
    return h->traps != h->stop_after_traps;
}

static bool harness_exception(void *opaque, const struct cpu_event *event)
{
    struct harness *h = opaque;
    h->event = *event;
    h->exceptions++;
    h->instructions_at_trap = h->instructions;
    return false;
}

static bool harness_memory_fault(void *opaque, enum mmu_status status, const struct mmu_fault *fault)
{
    struct harness *h = opaque;
    h->fault = *fault;
    h->fault_status = status;
    h->faults++;
    h->instructions_at_trap = h->instructions;
    return h->faults < h->faults_to_repeat;
}

static bool harness_poll(void *opaque)
{
    struct harness *h = opaque;
    h->polls++;
    return h->on_poll ? h->on_poll(h) : true;
}

static uint64_t harness_deadline(void *opaque)
{
    return ((struct harness *)opaque)->deadline;
}
static bool harness_window(void *opaque)
{
    return ((struct harness *)opaque)->window;
}

static inline void harness_flat_32(struct harness *h)
{
    struct cpu_state *s = &h->state;
    *s = (struct cpu_state){.rip = HARNESS_CODE, .rflags = RFLAGS_FIXED1, .cr0 = CR0_PE | CR0_ET};
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = (struct cpu_segment){.limit = UINT32_MAX, .access_rights = i == SEG_CS ? 0xc09b : 0xc093};
    s->gpr[GPR_RSP] = HARNESS_STACK;
    mmu_set_regime(&h->mmu, &(struct mmu_regime){.cr0 = s->cr0});
}

/* 32-bit paging, 4-KiB pages, 1:1 over RAM; *entry(linear) is the page-table entry. */
static inline uint32_t *harness_page_entry(struct harness *h, uint32_t linear)
{
    return (uint32_t *)(void *)(h->mem.ram + HARNESS_TABLES + 0x1000) + (linear >> 12);
}

static inline void harness_paged_32(struct harness *h)
{
    harness_flat_32(h);
    uint32_t *directory = (uint32_t *)(void *)(h->mem.ram + HARNESS_TABLES);
    directory[0] = (HARNESS_TABLES + 0x1000) | 3;
    for (uint32_t i = 0; i < HARNESS_RAM >> 12; i++)
        *harness_page_entry(h, i << 12) = i << 12 | 3;
    h->state.cr0 |= CR0_PG | CR0_WP;
    h->state.cr3 = HARNESS_TABLES;
    mmu_set_regime(&h->mmu, &(struct mmu_regime){.cr0 = h->state.cr0, .cr3 = HARNESS_TABLES});
}

static inline int harness_open(void **state)
{
    struct harness *h = calloc(1, sizeof *h);
    const char *error = NULL;
    h->mem = (struct phys_mem){.ram = aligned_alloc(4096, HARNESS_RAM),
                               .low_size = HARNESS_RAM,
                               .mmio_read = harness_mmio_read,
                               .mmio_write = harness_mmio_write};
    memset(h->mem.ram, 0, HARNESS_RAM);
    h->deadline = UINT64_MAX;
    h->client = (struct core_client){.instruction = harness_instruction,
                                     .exception = harness_exception,
                                     .memory_fault = harness_memory_fault,
                                     .poll = harness_poll,
                                     .deadline = harness_deadline,
                                     .wants_interrupt_window = harness_window,
                                     .opaque = h};
    h->profile = *cpu_profile_find("skylake");
    assert_true(mmu_init(&h->mmu, &h->profile, &h->mem, NULL, &h->account));
    harness_flat_32(h);
    const struct core_config config = {.client = &h->client,
                                       .state = &h->state,
                                       .mmu = &h->mmu,
                                       .mem = &h->mem,
                                       .profile = &h->profile,
                                       .account = &h->account,
                                       .instructions = &h->instructions,
                                       .accounting = true};
    h->core = core_open(&config, &error);
    if (!h->core)
        fail_msg("core_open: %s", error);
    *state = h;
    return 0;
}

static inline int harness_close(void **state)
{
    struct harness *h = *state;
    core_close(h->core);
    mmu_free(&h->mmu);
    free(h->mem.ram);
    free(h);
    return 0;
}

static inline void harness_load(struct harness *h, uint64_t at, const void *code, size_t bytes)
{
    memcpy(h->mem.ram + at, code, bytes);
    phys_note_write(&h->mem, at, (unsigned)bytes);
}

static inline void harness_run(struct harness *h)
{
    const char *error = NULL;
    if (!core_run(h->core, &error))
        fail_msg("core_run: %s", error);
}

#endif
