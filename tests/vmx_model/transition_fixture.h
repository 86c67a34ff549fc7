/*
 * transition_fixture.h: a processor in VMX root operation with a current VMCS, for the tests of VM entry, VM
 * exit and exit conditions. The VMCS is one of checks_fixture.h; MSRs are a small table; events, explanations
 * and abort are recorded.
 */
#ifndef VTSIM_TESTS_TRANSITION_FIXTURE_H
#define VTSIM_TESTS_TRANSITION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/vmx_model/checks_fixture.h"
#include "vmx_model/transition.h"
#include "vmx_model/vmx.h"

#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_FS_BASE 0xc0000100u
#define MSR_TSC 0x10u
#define MSR_EFER 0xc0000080u
#define MSR_MISSING 0xdeadu

#define COST_ENTRY 1000u
#define COST_EXIT 900u
#define COST_MSR 10u
#define TIMER_SHIFT 5u

/* Pages of the fixture's RAM that are free for a test. */
#define IO_BITMAP_A 0x9000u
#define IO_BITMAP_B 0xa000u
#define MSR_BITMAP 0xb000u
#define MSR_LIST_1 0xc000u
#define MSR_LIST_2 0xd000u
#define MSR_LIST_3 0xe000u

struct bench {
    struct fixture f;
    struct cpu_state state;
    struct mmu mmu;
    struct trace trace;
    struct vmx vmx;
    struct cycle_account account;
    struct trace_event event[64];
    unsigned events;
    unsigned explanations;
    char explained[1024]; /* all their lines, one after the other */
    unsigned acknowledged, interrupts_ended, notifications;
    uint32_t notified;       /* destination of the last notification */
    uint8_t notified_vector; /* and its vector */
    uint8_t external_vector; /* what acknowledging gives; 0: 31H */
};

static inline void bench_emit(void *observer, const struct trace_event *event)
{
    struct bench *b = observer;
    if (b->events < 64)
        b->event[b->events++] = *event;
}

/* The last event of that kind, or null. */
static inline const struct trace_event *bench_event(const struct bench *b, enum trace_kind kind)
{
    for (unsigned i = b->events; i-- > 0;)
        if (b->event[i].kind == kind)
            return &b->event[i];
    return NULL;
}

static inline bool bench_read_msr(void *opaque, uint32_t index, uint64_t *value)
{
    struct bench *b = opaque;
    if (index == MSR_KERNEL_GS_BASE)
        *value = b->state.msr.kernel_gs_base;
    else if (index == MSR_TSC)
        *value = vmx_tsc(&b->vmx);
    else
        return false;
    return true;
}

static inline bool bench_write_msr(void *opaque, uint32_t index, uint64_t value)
{
    struct bench *b = opaque;
    if (index == MSR_KERNEL_GS_BASE || index == MSR_FS_BASE) /* the list must refuse the latter by itself */
        b->state.msr.kernel_gs_base = value;
    else if (index == MSR_EFER)
        b->state.msr.efer = value;
    else
        return false;
    return true;
}

static inline uint64_t bench_read_cr8(void *opaque)
{
    (void)opaque;
    return 0;
}

static inline uint8_t bench_acknowledge(void *opaque)
{
    struct bench *b = opaque;
    b->acknowledged++;
    return b->external_vector ? b->external_vector : 0x31;
}

static inline void bench_end_of_interrupt(void *opaque)
{
    ((struct bench *)opaque)->interrupts_ended++;
}

static inline void bench_notify(void *opaque, uint32_t destination, uint8_t vector)
{
    struct bench *b = opaque;
    b->notifications++;
    b->notified = destination;
    b->notified_vector = vector;
}

static inline void bench_explain(void *opaque, const char *line)
{
    assert_non_null(line);
    struct bench *b = opaque;
    size_t used = strlen(b->explained);
    snprintf(b->explained + used, sizeof b->explained - used, "%s\n", line);
    b->explanations++;
}

/* A 64-bit host that uses nothing of what the VMCS's host area says, so that loading can be told from not
 * loading. */
static inline void bench_host_state(struct cpu_state *s)
{
    memset(s, 0, sizeof *s);
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    s->cr3 = 0x7000;
    s->cr4 = CR4_PAE | CR4_VMXE;
    s->msr.efer = EFER_LMA | EFER_LME | EFER_NXE | EFER_SCE;
    s->msr.pat = 0x0606060606060606ull;
    s->rflags = RFLAGS_FIXED1;
    s->rip = 0x1234;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x402;
    s->msr.debugctl = 1;
    s->seg[SEG_CS] = (struct cpu_segment){.limit = 0xffffffff, .access_rights = 0xa09b, .selector = 8};
    s->seg[SEG_SS] = (struct cpu_segment){.limit = 0xffffffff, .access_rights = 0xc093, .selector = 16};
}

static const struct vmx_ops bench_ops = {.read_msr = bench_read_msr,
                                         .write_msr = bench_write_msr,
                                         .read_cr8 = bench_read_cr8,
                                         .acknowledge_interrupt = bench_acknowledge,
                                         .end_of_interrupt = bench_end_of_interrupt,
                                         .send_notification = bench_notify,
                                         .explain = bench_explain};

/* make: one of fixture_long, fixture_pae, fixture_real, fixture_v86. Change b->vmx.vmcs afterwards, then
 * enter. */
static inline void bench_setup(struct bench *b, void (*make)(struct fixture *))
{
    memset(b, 0, sizeof *b);
    make(&b->f);
    fixture_context(&b->f);
    struct cpu_profile *p = &b->f.profile;
    p->vmx.misc |= 1u << 5 | TIMER_SHIFT; /* stores LMA on exits; rate of the preemption timer */
    /* Skylake's shape in small. */
    p->tlb = (struct tlb_geometry){.main_4k_2m = {64, 4, "test"},
                                   .main_1g = {4, 4, "test"},
                                   .guest_physical = {16, 16, "test"},
                                   .main_holds_2m = true};
    p->cost.vm_entry.cycles = COST_ENTRY;
    p->cost.vm_exit.cycles = COST_EXIT;
    p->cost.msr_list_entry.cycles = COST_MSR;
    b->trace = (struct trace){.wanted = UINT32_MAX, .emit = bench_emit, .observer = b};
    bench_host_state(&b->state);
    assert_true(mmu_init(&b->mmu, p, &b->f.mem, &b->trace, &b->account));
    vmx_init(&b->vmx, &b->state, &b->mmu, &b->f.mem, p, &b->trace, &b->account, &bench_ops, b);
    b->vmx.on = true;
    b->vmx.current_vmcs = FIXTURE_VMCS;
    b->vmx.vmcs = b->f.vmcs;
    vmx_update_regime(&b->vmx);
}

static inline void bench_end(struct bench *b)
{
    mmu_free(&b->mmu);
}

static inline void bench_enter(struct bench *b)
{
    const struct cpu_outcome outcome = vmx_enter(&b->vmx, true, 3);
    assert_int_equal(outcome.kind, OUTCOME_VM_ENTRY);
    assert_true(b->vmx.non_root);
}

/* Straight into non-root operation with the VMCS as it is: for exit conditions. */
static inline void bench_non_root(struct bench *b)
{
    vmx_load_guest_state(&b->vmx);
    b->vmx.non_root = true;
    vmx_update_regime(&b->vmx);
}

static inline void bench_exit(struct bench *b, const struct vm_exit *exit)
{
    assert_int_equal(vmx_exit(&b->vmx, exit).kind, OUTCOME_DONE);
    assert_false(b->vmx.non_root);
}

static inline void bench_put(struct bench *b, uint32_t address, uint64_t value)
{
    memcpy(b->f.ram + address, &value, sizeof value);
}

static inline uint64_t bench_get(const struct bench *b, uint32_t address)
{
    uint64_t value;
    memcpy(&value, b->f.ram + address, sizeof value);
    return value;
}

static inline void bench_put_msr(struct bench *b, uint32_t list, unsigned i, uint32_t index, uint64_t value)
{
    bench_put(b, list + i * 16, index);
    bench_put(b, list + i * 16 + 8, value);
}

#endif
