/* descriptors.c: see descriptors.h. */
#include "sim/cpu/descriptors.h"
#include "sim/cpu/watch.h"

/* SDM volume 1, "Canonical Addressing": a table register or base may be canonical by the processor's width
 * and not by the paging mode's, and the end of a table may lie beyond: #GP(0). Volume 3A, "Linear-Address
 * Masking (LAM)": what such a register holds is masked when it is used to access memory. */
static bool addressable(const struct cpu *cpu, uint64_t *linear, size_t size, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;
    const unsigned bits = cpu_linear_bits(state);
    const uint64_t last = cpu_data_address(state, *linear + size - 1);
    *linear = cpu_data_address(state, *linear);
    if (!cpu_long_mode(state) || (cpu_canonical(*linear, bits) && cpu_canonical(last, bits)))
        return true;
    *outcome = outcome_fault_code(VECTOR_GP, 0);
    return false;
}

bool system_read(struct cpu *cpu, uint64_t linear, void *to, size_t size, struct cpu_outcome *outcome)
{
    struct mmu_fault fault = {0};
    if (!addressable(cpu, &linear, size, outcome))
        return false;
    enum mmu_status status = mmu_read(&cpu->mmu, linear, to, size, (struct mmu_mode){0}, &fault);
    if (status == MMU_OK) {
        watch_read(cpu, linear, size);
        return true;
    }
    *outcome = mmu_fault_outcome(status, &fault);
    return false;
}

bool system_write(struct cpu *cpu, uint64_t linear, const void *from, size_t size,
                  struct cpu_outcome *outcome)
{
    struct mmu_fault fault = {0};
    if (!addressable(cpu, &linear, size, outcome))
        return false;
    enum mmu_status status = mmu_write(&cpu->mmu, linear, from, size, (struct mmu_mode){0}, &fault);
    if (status == MMU_OK) {
        watch_write(cpu, linear, size);
        return true;
    }
    *outcome = mmu_fault_outcome(status, &fault);
    return false;
}

struct cpu_segment descriptor_segment(const struct descriptor *d)
{
    /* SDM "Segment Descriptors": the fields lie scattered over the eight bytes. */
    uint64_t base = (d->low >> 16 & 0xffffff) | (d->low >> 56 & 0xff) << 24 | (d->high & 0xffffffff) << 32;
    uint32_t limit = (uint32_t)(d->low & 0xffff) | (uint32_t)(d->low >> 48 & 0xf) << 16;
    uint32_t rights = (uint32_t)(d->low >> 40) & 0xf0ff;
    if (rights & AR_G)
        limit = limit << 12 | 0xfff;
    return (struct cpu_segment){
        .base = base, .limit = limit, .access_rights = rights, .selector = d->selector};
}

/* The table that selector names. False: it names the LDT and there is none. */
static bool table_of(const struct cpu_state *state, uint16_t selector, uint64_t *base, uint32_t *limit)
{
    if (!(selector & SELECTOR_TI)) {
        *base = state->gdtr.base;
        *limit = state->gdtr.limit;
        return true;
    }
    const struct cpu_segment *ldtr = &state->seg[SEG_LDTR];
    *base = ldtr->base;
    *limit = ldtr->limit;
    return !(ldtr->access_rights & AR_UNUSABLE);
}

static bool read_entry(struct cpu *cpu, uint16_t selector, unsigned part, uint64_t *value,
                       struct descriptor *d, struct cpu_outcome *outcome, struct cpu_outcome fault)
{
    uint64_t base;
    uint32_t limit;
    uint32_t last = (selector & 0xfff8u) + part + 7;
    if (!table_of(&cpu->state, selector, &base, &limit) || last > limit) {
        *outcome = fault;
        return false;
    }
    d->address = base + (selector & 0xfff8u);
    if (!cpu_long_mode(&cpu->state))
        d->address &= 0xffffffff;
    return system_read(cpu, d->address + part, value, 8, outcome);
}

bool descriptor_read(struct cpu *cpu, uint16_t selector, uint8_t vector, uint32_t ext, struct descriptor *d,
                     struct cpu_outcome *outcome)
{
    struct cpu_outcome fault = outcome_fault_code(vector, (selector & 0xfffcu) | ext);
    *d = (struct descriptor){.selector = selector};
    return read_entry(cpu, selector, 0, &d->low, d, outcome, fault);
}

bool descriptor_read_system(struct cpu *cpu, uint16_t selector, uint8_t vector, uint32_t ext,
                            struct descriptor *d, struct cpu_outcome *outcome)
{
    if (!descriptor_read(cpu, selector, vector, ext, d, outcome))
        return false;
    if (!cpu_long_mode(&cpu->state) || !descriptor_is_system(d))
        return true;
    struct cpu_outcome fault = outcome_fault_code(vector, (selector & 0xfffcu) | ext);
    if (!read_entry(cpu, selector, 8, &d->high, d, outcome, fault))
        return false;
    /* SDM "Segment Descriptor Tables in IA-32e Mode": the second type field must be 0. */
    if (d->high >> 40 & 0x1f) {
        *outcome = fault;
        return false;
    }
    return true;
}

static bool set_type_bit(struct cpu *cpu, struct descriptor *d, unsigned bit, struct cpu_outcome *outcome)
{
    uint8_t type_byte = (uint8_t)((d->low >> 40 & 0xff) | bit);
    if (!system_write(cpu, d->address + 5, &type_byte, 1, outcome))
        return false;
    d->low |= (uint64_t)bit << 40;
    return true;
}

bool descriptor_set_accessed(struct cpu *cpu, struct descriptor *d, struct cpu_outcome *outcome)
{
    if (descriptor_type(d) & SEGMENT_TYPE_ACCESSED)
        return true;
    return set_type_bit(cpu, d, SEGMENT_TYPE_ACCESSED, outcome);
}

bool descriptor_set_busy(struct cpu *cpu, struct descriptor *d, struct cpu_outcome *outcome)
{
    return set_type_bit(cpu, d, 2, outcome); /* types 1 and 9 become 3 and 11 */
}

void segment_load_null(struct cpu_segment *segment, uint16_t selector, unsigned dpl)
{
    segment->selector = selector;
    segment->access_rights = AR_UNUSABLE | dpl << AR_DPL_SHIFT;
}

void segment_load_v86(struct cpu_segment *segment, uint16_t selector)
{
    *segment = (struct cpu_segment){
        .base = (uint64_t)selector << 4, .limit = 0xffff, .access_rights = 0xf3, .selector = selector};
}
