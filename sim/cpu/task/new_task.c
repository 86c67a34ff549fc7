/*
 * new_task.c: see new_task.h.
 *
 * Source: SDM volume 3A "Task Switching", table "Exception Conditions Checked During a Task Switch", and
 * "Invalid TSS Exception (#TS)". The order of the segments is model specific, says the SDM: here LDTR, CS,
 * SS, DS, ES, FS, GS; for each of them the checks come in the order of the table.
 */
#include "sim/cpu/task/new_task.h"

static struct cpu_outcome selector_fault(uint8_t vector, uint16_t selector, uint32_t ext)
{
    return outcome_fault_code(vector, (selector & 0xfffcu) | ext);
}

static bool load_ldtr(struct cpu *cpu, uint16_t selector, uint32_t ext, struct cpu_outcome *outcome)
{
    struct descriptor d;
    if (selector_is_null(selector))
        return true;
    *outcome = selector_fault(VECTOR_TS, selector, ext);
    if (selector & SELECTOR_TI)
        return false;
    if (!descriptor_read(cpu, selector, VECTOR_TS, ext, &d, outcome))
        return false;
    *outcome = selector_fault(VECTOR_TS, selector, ext);
    if (!descriptor_is_system(&d) || descriptor_type(&d) != DESCRIPTOR_LDT || !descriptor_present(&d))
        return false;
    cpu->state.seg[SEG_LDTR] = descriptor_segment(&d);
    return true;
}

/* CS: its RPL is the CPL. */
static bool code_segment_valid(const struct descriptor *d, unsigned cpl, uint8_t *vector)
{
    *vector = VECTOR_TS;
    if (!descriptor_is_code(d))
        return false;
    if (descriptor_is_conforming(d) ? descriptor_dpl(d) > cpl : descriptor_dpl(d) != cpl)
        return false;
    *vector = VECTOR_NP;
    return descriptor_present(d);
}

static bool stack_segment_valid(const struct descriptor *d, unsigned cpl, uint8_t *vector)
{
    *vector = VECTOR_TS;
    if (!descriptor_is_writable_data(d))
        return false;
    *vector = VECTOR_SS;
    if (!descriptor_present(d))
        return false;
    *vector = VECTOR_TS;
    return descriptor_dpl(d) == cpl && selector_rpl(d->selector) == cpl;
}

static bool data_segment_valid(const struct descriptor *d, unsigned cpl, uint8_t *vector)
{
    *vector = VECTOR_TS;
    if (descriptor_is_system(d))
        return false;
    if (descriptor_is_code(d) && !(descriptor_type(d) & SEGMENT_TYPE_READABLE))
        return false;
    *vector = VECTOR_NP;
    if (!descriptor_present(d))
        return false;
    *vector = VECTOR_TS;
    return descriptor_is_conforming(d) ||
           (descriptor_dpl(d) >= cpl && descriptor_dpl(d) >= selector_rpl(d->selector));
}

typedef bool segment_check(const struct descriptor *d, unsigned cpl, uint8_t *vector);

static const struct {
    uint8_t index; /* enum cpu_segment_index */
    bool may_be_null;
    segment_check *valid;
} rows[TSS_SEGMENTS] = {
    {SEG_CS, false, code_segment_valid}, {SEG_SS, false, stack_segment_valid},
    {SEG_DS, true, data_segment_valid},  {SEG_ES, true, data_segment_valid},
    {SEG_FS, true, data_segment_valid},  {SEG_GS, true, data_segment_valid},
};

static bool load_segment(struct cpu *cpu, unsigned row, uint16_t selector, unsigned cpl, uint32_t ext,
                         struct cpu_outcome *outcome)
{
    struct descriptor d;
    uint8_t vector;
    *outcome = selector_fault(VECTOR_TS, selector, ext);
    if (selector_is_null(selector))
        return rows[row].may_be_null;
    if (!descriptor_read(cpu, selector, VECTOR_TS, ext, &d, outcome))
        return false;
    if (!rows[row].valid(&d, cpl, &vector)) {
        *outcome = selector_fault(vector, selector, ext);
        return false;
    }
    if (!descriptor_set_accessed(cpu, &d, outcome))
        return false;
    cpu->state.seg[rows[row].index] = descriptor_segment(&d);
    return true;
}

bool new_task_load_segments(struct cpu *cpu, const struct task_image *image, uint32_t ext,
                            struct cpu_outcome *outcome)
{
    struct cpu_state *state = &cpu->state;
    const unsigned cpl = selector_rpl(image->segment[SEG_CS]);
    if (!load_ldtr(cpu, image->ldt, ext, outcome))
        return false;
    if (cpu_v86_mode(state)) {
        for (unsigned i = 0; i < TSS_SEGMENTS; i++)
            segment_load_v86(&state->seg[i], image->segment[i]);
        return true;
    }
    for (unsigned row = 0; row < TSS_SEGMENTS; row++)
        if (!load_segment(cpu, row, image->segment[rows[row].index], cpl, ext, outcome))
            return false;
    return true;
}
