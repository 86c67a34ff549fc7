/*
 * instructions_fixture.h: a processor in 64-bit mode with 2 MiB of RAM, mapped one to one, for tests of VMX
 * instructions.
 */
#ifndef VTSIM_TESTS_INSTRUCTIONS_FIXTURE_H
#define VTSIM_TESTS_INSTRUCTIONS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmx_model/capabilities.h"
#include "vmx_model/vmx.h"

enum {
    RAM_SIZE = 0x200000,
    REVISION = 0x11e57,
    OPERAND = 0x10000, /* where memory operands are */
    VMXON_REGION = 0x20000,
    VMCS_A = 0x21000,
    VMCS_B = 0x22000,
    UNMAPPED = 0x40000000, /* no translation: #PF */
    EVENTS = 16
};

#define ALLOWED(may, must) ((uint64_t)(may) << 32 | (must))

/* Everything that the instructions look at is on; the numbers are those of no real processor. */
static inline struct cpu_profile fixture_profile(void)
{
    return (struct cpu_profile){
        .name = "test",
        .physical_address_bits = 39,
        .linear_address_bits = 48,
        .has_nx = true,
        .has_vmx = true,
        .has_ept = true,
        .has_vpid = true,
        .vmx = {.basic = REVISION | 0x1000ull << 32 | 6ull << 50 | VMX_BASIC_TRUE_CONTROLS,
                .pinbased_ctls = ALLOWED(0x7f, 0x16),
                .procbased_ctls = ALLOWED(0xfff9fffe, 0x0401e172),
                .procbased_ctls2 = ALLOWED(SECONDARY_ENABLE_EPT | SECONDARY_ENABLE_VPID, 0),
                .exit_ctls = ALLOWED(0x7fffff, 0x36dff),
                .entry_ctls = ALLOWED(0xffff, 0x11ff),
                .true_pinbased_ctls = ALLOWED(0x7f, 0x16),
                .true_procbased_ctls = ALLOWED(0xfff9fffe, 0x04006172),
                .true_exit_ctls = ALLOWED(0x7fffff, 0x36dfb),
                .true_entry_ctls = ALLOWED(0xffff, 0x11fb),
                .misc = 4u << 16,
                .cr0_fixed0 = 0x80000021,
                .cr0_fixed1 = 0xffffffff,
                .cr4_fixed0 = CR4_VMXE,
                .cr4_fixed1 = 0x3727ff,
                .ept_vpid_cap = EPT_CAP_WALK_LENGTH_4 | EPT_CAP_MEMORY_TYPE_WB | EPT_CAP_INVEPT |
                                EPT_CAP_INVEPT_TYPE(1) | EPT_CAP_INVEPT_TYPE(2) | EPT_CAP_INVVPID |
                                EPT_CAP_INVVPID_TYPE(0) | EPT_CAP_INVVPID_TYPE(1) | EPT_CAP_INVVPID_TYPE(2) |
                                EPT_CAP_INVVPID_TYPE(3)},
        .tlb = {.main_4k_2m = {64, 4, "test"},
                .main_1g = {4, 4, "test"},
                .guest_physical = {16, 16, "test"},
                .main_holds_2m = true},
        .cost = {.vmxon = {100, "test"}, .vmread = {30, "test"}, .vmwrite = {40, "test"}},
    };
}

struct fixture {
    struct cpu_profile profile;
    struct cpu_state state;
    struct phys_mem mem;
    struct trace trace;
    struct mmu mmu;
    struct vmx vmx;
    struct cycle_account account;
    unsigned event_count;
    struct trace_event events[EVENTS];
    char explained[256]; /* the last explanation's first line */
};

static inline uint64_t fixture_mmio_read(void *opaque, uint64_t physical, unsigned size)
{
    (void)opaque, (void)physical, (void)size;
    return UINT64_MAX;
}

static inline void fixture_mmio_write(void *opaque, uint64_t physical, uint64_t value, unsigned size)
{
    (void)opaque, (void)physical, (void)value, (void)size;
}

static inline void fixture_emit(void *observer, const struct trace_event *event)
{
    struct fixture *f = (struct fixture *)observer;

    if (f->event_count < EVENTS)
        f->events[f->event_count++] = *event;
}

static inline bool fixture_msr(void *opaque, uint32_t index, uint64_t *value)
{
    (void)opaque, (void)index, (void)value;
    return false;
}

static inline bool fixture_set_msr(void *opaque, uint32_t index, uint64_t value)
{
    (void)opaque, (void)index, (void)value;
    return false;
}

static inline uint64_t fixture_cr8(void *opaque)
{
    (void)opaque;
    return 0;
}

static inline uint8_t fixture_acknowledge(void *opaque)
{
    (void)opaque;
    return 0;
}

static inline void fixture_explain(void *opaque, const char *line)
{
    if (*line != ' ')
        snprintf(((struct fixture *)opaque)->explained, sizeof((struct fixture *)opaque)->explained, "%s",
                 line);
}

static inline void fixture_end_of_interrupt(void *opaque)
{
    (void)opaque;
}

static inline void fixture_notify(void *opaque, uint32_t destination, uint8_t vector)
{
    (void)opaque, (void)destination, (void)vector;
}

static const struct vmx_ops fixture_ops = {.read_msr = fixture_msr,
                                           .write_msr = fixture_set_msr,
                                           .read_cr8 = fixture_cr8,
                                           .acknowledge_interrupt = fixture_acknowledge,
                                           .end_of_interrupt = fixture_end_of_interrupt,
                                           .send_notification = fixture_notify,
                                           .explain = fixture_explain};

static inline void fixture_64bit_state(struct cpu_state *state)
{
    state->cr0 = CR0_PE | CR0_NE | CR0_WP | CR0_PG;
    state->cr3 = 0x1000;
    state->cr4 = CR4_PAE | CR4_VMXE;
    state->msr.efer = EFER_LME | EFER_LMA;
    state->msr.feature_control = 5;
    state->rflags = RFLAGS_FIXED1;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        state->seg[i] = (struct cpu_segment){.limit = UINT32_MAX, .access_rights = 0xc093, .selector = 16};
    state->seg[SEG_CS].access_rights = 0xa09b;
}

static inline struct fixture *fixture_new(void)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    struct mmu_regime regime;

    f->profile = fixture_profile();
    f->mem = (struct phys_mem){.ram = test_calloc(1, RAM_SIZE),
                               .low_size = RAM_SIZE,
                               .mmio_read = fixture_mmio_read,
                               .mmio_write = fixture_mmio_write};
    f->trace = (struct trace){1u << TRACE_VMX_INSTRUCTION | 1u << TRACE_TLB_FLUSH, fixture_emit, f};
    phys_write64(&f->mem, 0x1000, 0x2007);
    phys_write64(&f->mem, 0x2000, 0x3007);
    phys_write64(&f->mem, 0x3000, 0xe7); /* 2-MByte page at 0 */
    phys_write(&f->mem, VMXON_REGION, REVISION, 4);
    phys_write(&f->mem, VMCS_A, REVISION, 4);
    phys_write(&f->mem, VMCS_B, REVISION, 4);
    fixture_64bit_state(&f->state);
    assert_true(mmu_init(&f->mmu, &f->profile, &f->mem, &f->trace, &f->account));
    regime = (struct mmu_regime){
        .cr0 = f->state.cr0, .cr3 = f->state.cr3, .cr4 = f->state.cr4, .efer = f->state.msr.efer};
    mmu_set_regime(&f->mmu, &regime);
    vmx_init(&f->vmx, &f->state, &f->mmu, &f->mem, &f->profile, &f->trace, &f->account, &fixture_ops, f);
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    mmu_free(&f->mmu);
    test_free(f->mem.ram);
    test_free(f);
}

/* An instruction with its memory operand at address; reg is RAX, a register operand in rm is RCX. */
static inline struct insn fixture_insn(enum insn_id id, uint64_t address)
{
    return (struct insn){.id = (uint16_t)id,
                         .length = 4,
                         .mode_bits = 64,
                         .operand_bits = 64,
                         .address_bits = 64,
                         .has_modrm = true,
                         .is_memory = true,
                         .reg = GPR_RAX,
                         .rm = GPR_RCX,
                         .segment = SEG_DS,
                         .displacement = (int64_t)address};
}

static inline struct cpu_outcome fixture_execute_at(struct fixture *f, enum insn_id id, uint64_t address)
{
    struct insn insn = fixture_insn(id, address);

    return vmx_execute(&f->vmx, &insn);
}

/* The form without a memory operand. */
static inline struct cpu_outcome fixture_execute_register(struct fixture *f, enum insn_id id)
{
    struct insn insn = fixture_insn(id, 0);

    insn.is_memory = false;
    return vmx_execute(&f->vmx, &insn);
}

/* An instruction with a 64-bit pointer in memory. */
static inline struct cpu_outcome fixture_execute_pointer(struct fixture *f, enum insn_id id, uint64_t pointer)
{
    phys_write64(&f->mem, OPERAND, pointer);
    return fixture_execute_at(f, id, OPERAND);
}

static inline void assert_event(struct cpu_outcome outcome, uint8_t vector)
{
    assert_int_equal(outcome.kind, OUTCOME_EVENT);
    assert_int_equal(outcome.event.vector, vector);
    assert_int_equal(outcome.event.error_code, 0);
    assert_int_equal(outcome.event.has_error_code, vector != VECTOR_UD);
}

static inline void assert_succeeds(struct fixture *f, struct cpu_outcome outcome)
{
    assert_int_equal(outcome.kind, OUTCOME_DONE);
    assert_int_equal(f->state.rflags & RFLAGS_ARITHMETIC, 0);
}

static inline void assert_fails_invalid(struct fixture *f, struct cpu_outcome outcome)
{
    assert_int_equal(outcome.kind, OUTCOME_DONE);
    assert_int_equal(f->state.rflags & RFLAGS_ARITHMETIC, RFLAGS_CF);
}

static inline void assert_fails(struct fixture *f, struct cpu_outcome outcome, uint32_t error)
{
    assert_int_equal(outcome.kind, OUTCOME_DONE);
    assert_int_equal(f->state.rflags & RFLAGS_ARITHMETIC, RFLAGS_ZF);
    assert_int_equal(f->vmx.vmcs.vm_instruction_error, error);
}

/* VMX root operation, no current VMCS. */
static inline struct fixture *fixture_in_vmx(void)
{
    struct fixture *f = fixture_new();

    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMXON, VMXON_REGION));
    f->event_count = 0;
    return f;
}

/* VMX root operation with VMCS A current. */
static inline struct fixture *fixture_with_vmcs(void)
{
    struct fixture *f = fixture_in_vmx();

    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMCLEAR, VMCS_A));
    assert_succeeds(f, fixture_execute_pointer(f, INSN_VMPTRLD, VMCS_A));
    f->event_count = 0;
    return f;
}

#endif
