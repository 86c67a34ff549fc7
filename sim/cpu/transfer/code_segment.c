/* code_segment.c: checks and loads that several transfers share. SDM volume 3A "Loading of segment
 * registers". */
#include "sim/cpu/transfer/transfer.h"

/* SDM "8086 Emulation": base is selector * 16; virtual-8086 segments always have limit FFFFH and DPL 3. */
void jump_like_8086(struct cpu_state *state, const struct far_target *target)
{
    struct cpu_segment *cs = &state->seg[SEG_CS];
    cs->selector = target->selector;
    cs->base = (uint64_t)target->selector << 4;
    if (cpu_v86_mode(state)) {
        cs->limit = 0xffff;
        cs->access_rights = 0xf3;
    }
    state->rip = target->offset;
}

static struct cpu_outcome selector_fault(uint8_t vector, uint16_t selector)
{
    return outcome_fault_code(vector, selector & 0xfffcu);
}

/* SDM "RET" and "IRET", PROTECTED-MODE-RETURN and the same names in IA-32e mode. */
bool read_return_code_segment(struct cpu *cpu, uint16_t selector, struct descriptor *d,
                              struct cpu_outcome *outcome)
{
    const unsigned rpl = selector_rpl(selector);
    *outcome = outcome_fault_code(VECTOR_GP, 0);
    if (selector_is_null(selector))
        return false;
    if (!descriptor_read(cpu, selector, VECTOR_GP, 0, d, outcome))
        return false;
    *outcome = selector_fault(VECTOR_GP, selector);
    if (!descriptor_is_code(d) || rpl < cpu_cpl(&cpu->state))
        return false;
    if (descriptor_is_conforming(d) ? descriptor_dpl(d) > rpl : descriptor_dpl(d) != rpl)
        return false;
    if (cpu_long_mode(&cpu->state) && descriptor_long(d) && descriptor_big(d))
        return false;
    *outcome = selector_fault(VECTOR_NP, selector);
    return descriptor_present(d);
}

bool code_offset_valid(const struct cpu *cpu, const struct descriptor *code, uint64_t offset,
                       struct cpu_outcome *outcome)
{
    *outcome = outcome_fault_code(VECTOR_GP, 0);
    if (cpu_long_mode(&cpu->state) && descriptor_long(code))
        return cpu_canonical(offset, cpu_linear_bits(&cpu->state));
    return offset <= descriptor_segment(code).limit;
}

void load_code_segment(struct cpu *cpu, const struct descriptor *code, unsigned cpl, uint64_t offset)
{
    struct cpu_segment *cs = &cpu->state.seg[SEG_CS];
    *cs = descriptor_segment(code);
    cs->selector = (uint16_t)((code->selector & ~SELECTOR_RPL) | cpl);
    cpu->state.rip = offset;
}

bool read_return_stack_segment(struct cpu *cpu, uint16_t selector, unsigned cpl, bool long_target,
                               struct cpu_segment *ss, struct cpu_outcome *outcome)
{
    struct descriptor d;
    if (selector_is_null(selector)) {
        *outcome = outcome_fault_code(VECTOR_GP, 0);
        if (!long_target || cpl == 3 || selector_rpl(selector) != cpl)
            return false;
        *ss = (struct cpu_segment){0};
        segment_load_null(ss, selector, cpl);
        return true;
    }
    if (!descriptor_read(cpu, selector, VECTOR_GP, 0, &d, outcome))
        return false;
    *outcome = selector_fault(VECTOR_GP, selector);
    if (selector_rpl(selector) != cpl || !descriptor_is_writable_data(&d) || descriptor_dpl(&d) != cpl)
        return false;
    *outcome = selector_fault(VECTOR_SS, selector);
    if (!descriptor_present(&d))
        return false;
    if (!descriptor_set_accessed(cpu, &d, outcome))
        return false;
    *ss = descriptor_segment(&d);
    return true;
}

void null_inaccessible_segments(struct cpu_state *state, unsigned cpl)
{
    static const uint8_t data_segments[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    for (unsigned i = 0; i < sizeof data_segments; i++) {
        struct cpu_segment *segment = &state->seg[data_segments[i]];
        const uint32_t rights = segment->access_rights;
        const unsigned dpl = (rights & AR_DPL) >> AR_DPL_SHIFT;
        const bool conforming = (rights & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_CONFORMING)) ==
                                (SEGMENT_TYPE_CODE | SEGMENT_TYPE_CONFORMING);
        if (!(rights & AR_UNUSABLE) && !conforming && dpl < cpl)
            segment_load_null(segment, 0, 0);
    }
}
