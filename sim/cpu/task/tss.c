/* tss.c: see tss.h. */
#include "sim/cpu/task/tss.h"

#include <string.h>

#define TSS32_SIZE 104u

/* Offsets in bytes. 0: there is no such field. */
struct tss_layout {
    uint8_t size;
    uint8_t width; /* of EIP, EFLAGS and the registers */
    uint8_t cr3, eip, eflags, gpr;
    uint8_t segment, segment_step, segments;
    uint8_t ldt, debug_trap;
};

static const struct tss_layout layouts[2] = {
    {.size = 44,
     .width = 2,
     .eip = 14,
     .eflags = 16,
     .gpr = 18,
     .segment = 34,
     .segment_step = 2,
     .segments = 4,
     .ldt = 42},
    {.size = TSS32_SIZE,
     .width = 4,
     .cr3 = 28,
     .eip = 32,
     .eflags = 36,
     .gpr = 40,
     .segment = 72,
     .segment_step = 4,
     .segments = 6,
     .ldt = 96,
     .debug_trap = 100},
};

static const struct tss_layout *layout_of(const struct cpu_segment *tss)
{
    return &layouts[tss_is_32_bit(tss)];
}

uint32_t tss_least_limit(bool is_32_bit)
{
    return layouts[is_32_bit].size - 1u;
}

static uint32_t get(const uint8_t *bytes, unsigned offset, unsigned width)
{
    uint32_t value = 0;
    memcpy(&value, bytes + offset, width);
    return value;
}

static void put(uint8_t *bytes, unsigned offset, unsigned width, uint64_t value)
{
    memcpy(bytes + offset, &value, width);
}

bool tss_load(struct cpu *cpu, const struct cpu_segment *tss, struct task_image *image,
              struct cpu_outcome *outcome)
{
    const struct tss_layout *at = layout_of(tss);
    uint8_t bytes[TSS32_SIZE] = {0};
    if (!system_read(cpu, tss->base & 0xffffffff, bytes, at->size, outcome))
        return false;
    *image = (struct task_image){.eip = get(bytes, at->eip, at->width),
                                 .eflags = get(bytes, at->eflags, at->width),
                                 .ldt = (uint16_t)get(bytes, at->ldt, 2)};
    /* The SDM does not say what the upper halves become where the TSS has 16 bits only: all ones, as the
     * known models of these processors have it. */
    for (unsigned i = 0; i < TSS_GPRS; i++)
        image->gpr[i] = get(bytes, at->gpr + i * at->width, at->width) | (at->width == 2 ? 0xffff0000u : 0);
    for (unsigned i = 0; i < at->segments; i++)
        image->segment[i] = (uint16_t)get(bytes, at->segment + i * at->segment_step, 2);
    if (at->cr3)
        image->cr3 = get(bytes, at->cr3, 4);
    if (at->debug_trap)
        image->debug_trap = bytes[at->debug_trap] & 1;
    return true;
}

/* The part that a switch saves: from EIP up to the last segment selector. */
static unsigned saved_size(const struct tss_layout *at)
{
    return at->segment + (at->segments - 1u) * at->segment_step + 2u - at->eip;
}

bool tss_may_save(struct cpu *cpu, uint32_t ext, struct cpu_outcome *outcome)
{
    const struct cpu_segment *tr = &cpu->state.seg[SEG_TR];
    const struct tss_layout *at = layout_of(tr);
    struct mmu_fault fault = {0};
    /* SDM volume 3A "Invalid TSS Exception (#TS)", the table: stores to the old TSS that meet a fault. */
    if ((tr->access_rights & AR_UNUSABLE) || at->eip + saved_size(at) - 1 > tr->limit) {
        *outcome = outcome_fault_code(VECTOR_TS, (tr->selector & 0xfffcu) | ext);
        return false;
    }
    const enum mmu_status status = mmu_probe_write(&cpu->mmu, (tr->base + at->eip) & 0xffffffff,
                                                   saved_size(at), (struct mmu_mode){0}, &fault);
    if (status != MMU_OK)
        *outcome = mmu_fault_outcome(status, &fault);
    return status == MMU_OK;
}

bool tss_save(struct cpu *cpu, uint64_t rip, uint64_t rflags, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;
    const struct cpu_segment *tr = &state->seg[SEG_TR];
    const struct tss_layout *at = layout_of(tr);
    const uint64_t linear = (tr->base + at->eip) & 0xffffffff;
    uint8_t bytes[TSS32_SIZE] = {0};
    /* Selectors are written as words: what lies between them stays as it is read here. */
    if (!system_read(cpu, linear, bytes + at->eip, saved_size(at), outcome))
        return false;
    put(bytes, at->eip, at->width, rip);
    put(bytes, at->eflags, at->width, rflags);
    for (unsigned i = 0; i < TSS_GPRS; i++)
        put(bytes, at->gpr + i * at->width, at->width, state->gpr[i]);
    for (unsigned i = 0; i < at->segments; i++)
        put(bytes, at->segment + i * at->segment_step, 2, state->seg[i].selector);
    return system_write(cpu, linear, bytes + at->eip, saved_size(at), outcome);
}
