/*
 * reset.c: a processor at power-on.
 *
 * Source: SDM volume 3A, "Initial State of the Processor", table "IA-32 and Intel 64 Processor States
 * Following Power-up, Reset, or INIT".
 */
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/cpu/features.h"
#include "sim/cpu/msr.h"
#include "sim/cpu/random.h"
#include "sim/cpu/xstate.h"

static bool op_read_msr(void *opaque, uint32_t index, uint64_t *value)
{
    return cpu_read_msr(opaque, index, value);
}

static bool op_write_msr(void *opaque, uint32_t index, uint64_t value)
{
    return cpu_write_msr(opaque, index, value);
}

static uint64_t op_read_cr8(void *opaque)
{
    struct cpu *cpu = opaque;

    return cpu->bus->read_cr8(cpu->bus->opaque);
}

static uint8_t op_acknowledge_interrupt(void *opaque)
{
    struct cpu *cpu = opaque;

    return cpu->bus->interrupt_acknowledge(cpu->bus->opaque);
}

static void op_explain(void *opaque, const char *line)
{
    struct cpu *cpu = opaque;

    if (cpu->explain)
        cpu->explain(cpu->explain_opaque, line);
}

/* The local APIC's registers lie at IA32_APIC_BASE or, in x2APIC mode, in MSRs: SDM volume 3A, "Local APIC".
 */
#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2APIC (1ull << 10)
#define MSR_X2APIC_EOI 0x80bu
#define MSR_X2APIC_ICR 0x830u
enum { APIC_PAGE_EOI = 0xb0, APIC_PAGE_ICR_LOW = 0x300, APIC_PAGE_ICR_HIGH = 0x310 };

static bool apic_page(const struct cpu *cpu, uint64_t *page)
{
    uint64_t base = 0;
    cpu->bus->apic_read_msr(cpu->bus->opaque, MSR_APIC_BASE, &base);
    *page = base & ~0xfffull;
    return !(base & APIC_BASE_X2APIC);
}

static void op_end_of_interrupt(void *opaque)
{
    struct cpu *cpu = opaque;
    uint64_t page;

    if (apic_page(cpu, &page))
        phys_write(cpu->mem, page + APIC_PAGE_EOI, 0, 4);
    else
        cpu->bus->apic_write_msr(cpu->bus->opaque, MSR_X2APIC_EOI, 0);
}

/* SDM volume 3C, "IPI Virtualization": in xAPIC mode bits 15:8 of NDST are the destination. */
static void op_send_notification(void *opaque, uint32_t destination, uint8_t vector)
{
    struct cpu *cpu = opaque;
    uint64_t page;

    if (apic_page(cpu, &page)) {
        phys_write(cpu->mem, page + APIC_PAGE_ICR_HIGH, (destination >> 8 & 0xff) << 24, 4);
        phys_write(cpu->mem, page + APIC_PAGE_ICR_LOW, vector, 4);
    } else {
        cpu->bus->apic_write_msr(cpu->bus->opaque, MSR_X2APIC_ICR, (uint64_t)destination << 32 | vector);
    }
}

static const struct vmx_ops vmx_ops = {
    .read_msr = op_read_msr,
    .write_msr = op_write_msr,
    .read_cr8 = op_read_cr8,
    .acknowledge_interrupt = op_acknowledge_interrupt,
    .end_of_interrupt = op_end_of_interrupt,
    .send_notification = op_send_notification,
    .explain = op_explain,
};

static void reset_segments(struct cpu_state *state)
{
    const uint32_t data = AR_P | AR_S | 3;  /* present, read/write, accessed */
    const uint32_t ldt = AR_P | 2;          /* present, LDT */
    const uint32_t task_state = AR_P | 0xb; /* present, busy 32-bit TSS */

    for (int i = 0; i < SEG_COUNT; i++)
        state->seg[i] = (struct cpu_segment){.limit = 0xffff,
                                             .access_rights = i == SEG_LDTR ? ldt
                                                              : i == SEG_TR ? task_state
                                                                            : data};
    state->seg[SEG_CS].selector = 0xf000;
    state->seg[SEG_CS].base = 0xffff0000;
    state->gdtr.limit = 0xffff;
    state->idtr.limit = 0xffff;
}

/* What reset and INIT have in common. */
static void reset_registers(struct cpu *cpu)
{
    struct cpu_state *state = &cpu->state;
    const struct cpuid_leaf *signature = cpuid_find(cpu->profile, 1, 0);

    memset(state->gpr, 0, sizeof state->gpr);
    reset_segments(state);
    state->rip = 0xfff0;
    state->rflags = RFLAGS_FIXED1;
    state->gpr[GPR_RDX] = signature ? signature->eax : 0;
    memset(state->dr, 0, sizeof state->dr);
    state->dr6 = 0xffff0ff0;
    state->dr7 = 0x400;
    state->activity_state = cpu->processor == 0 ? ACTIVITY_ACTIVE : ACTIVITY_WAIT_FOR_SIPI;
}

static void reset_state(struct cpu *cpu)
{
    struct cpu_state *state = &cpu->state;

    memset(state, 0, sizeof(*state));
    reset_registers(cpu);
    state->cr0 = CR0_CD | CR0_NW | CR0_ET;
    state->xcr0 = 1;
    msr_reset(cpu);
}

void cpu_reset_by_init(struct cpu *cpu)
{
    struct cpu_state *state = &cpu->state;

    reset_registers(cpu);
    state->gdtr = state->idtr = (struct cpu_descriptor_table){.limit = 0xffff};
    state->cr0 = CR0_ET | (state->cr0 & (CR0_CD | CR0_NW));
    state->cr2 = state->cr3 = state->cr4 = 0;
    state->msr.efer = 0;
    memset(state->bounds, 0, sizeof state->bounds);
    state->bndcfgu = state->bndstatus = state->msr.bndcfgs = 0;
    state->interruptibility_state = 0;
    state->pending_debug_exceptions = 0;
    vmx_update_regime(&cpu->vmx);
    mmu_flush_vpid(&cpu->mmu, 0, false, FLUSH_MOV_CR0);
}

static void read_fpu(void *opaque, struct fpu_state *to)
{
    *to = *(const struct fpu_state *)opaque;
}

static void write_fpu(void *opaque, const struct fpu_state *from)
{
    *(struct fpu_state *)opaque = *from;
}

static void reset_fpu(struct cpu *cpu)
{
    xstate_initial_x87(&cpu->fpu_state);
    cpu->fpu_state.mxcsr = FPU_MXCSR_INITIAL;
    cpu->fpu = (struct fpu_access){.read = read_fpu, .write = write_fpu, .opaque = &cpu->fpu_state};
}

bool cpu_init(struct cpu *cpu, const struct cpu_profile *profile, const struct phys_mem *mem,
              const struct trace *trace, const struct cpu_bus *bus)
{
    const uint8_t processor = cpu->processor, processors = cpu->processors;

    memset(cpu, 0, sizeof(*cpu));
    cpu->processor = processor;
    cpu->processors = processors;
    cpu->profile = profile;
    cpu->mem = mem;
    cpu->trace = trace;
    cpu->bus = bus;
    cpu->random_state = random_seed(processor);
    reset_state(cpu);
    reset_fpu(cpu);
    if (!mmu_init(&cpu->mmu, profile, mem, trace, &cpu->account))
        return false;
    cpu->mmu.processor = processor;
    vmx_init(&cpu->vmx, &cpu->state, &cpu->mmu, mem, profile, trace, &cpu->account, &vmx_ops, cpu);
    cpu->vmx.processor = processor;
    vmx_update_regime(&cpu->vmx);
    return true;
}

void cpu_free(struct cpu *cpu)
{
    mmu_free(&cpu->mmu);
}
