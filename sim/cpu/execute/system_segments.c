/* system_segments.c: SLDT, STR, LLDT, LTR. Source: SDM volume 2, the pages of that name. */
#include "sim/cpu/descriptors.h"
#include "sim/cpu/execute/execute.h"

struct cpu_outcome execute_sldt(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_outcome outcome;

    return operand_store_16(cpu, insn, cpu->state.seg[SEG_LDTR].selector, &outcome) ? done() : outcome;
}

struct cpu_outcome execute_str(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_outcome outcome;

    return operand_store_16(cpu, insn, cpu->state.seg[SEG_TR].selector, &outcome) ? done() : outcome;
}

/* Reads a system descriptor of the GDT and checks its type (a set of bits by type number) and that it is
 * present. */
static bool read_system_segment(struct cpu *cpu, uint16_t selector, unsigned types, struct descriptor *d,
                                struct cpu_outcome *outcome)
{
    uint32_t error_code = selector & ~SELECTOR_RPL;

    if (selector & SELECTOR_TI) {
        *outcome = outcome_fault_code(VECTOR_GP, error_code);
        return false;
    }
    if (!descriptor_read_system(cpu, selector, VECTOR_GP, 0, d, outcome))
        return false;
    if (!descriptor_is_system(d) || !(types >> descriptor_type(d) & 1)) {
        *outcome = outcome_fault_code(VECTOR_GP, error_code);
        return false;
    }
    if (!descriptor_present(d)) {
        *outcome = outcome_fault_code(VECTOR_NP, error_code);
        return false;
    }
    if (!cpu_canonical(descriptor_segment(d).base, cpu->profile->linear_address_bits)) {
        *outcome = outcome_fault_code(VECTOR_GP, error_code);
        return false;
    }
    return true;
}

/* A null selector makes LDTR unusable and is no fault. */
struct cpu_outcome execute_lldt(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_segment *ldtr = &cpu->state.seg[SEG_LDTR];
    struct cpu_outcome outcome;
    struct descriptor d;
    uint16_t selector;

    if (!operand_read_16(cpu, insn, &selector, &outcome))
        return outcome;
    if (selector_is_null(selector)) {
        segment_load_null(ldtr, selector, 0);
        return done();
    }
    if (!read_system_segment(cpu, selector, 1u << DESCRIPTOR_LDT, &d, &outcome))
        return outcome;
    *ldtr = descriptor_segment(&d);
    ldtr->selector = selector;
    return done();
}

/* The TSS must be available, and becomes busy. In IA-32e mode there is no 16-bit TSS. */
struct cpu_outcome execute_ltr(struct cpu *cpu, const struct insn *insn)
{
    unsigned types = 1u << DESCRIPTOR_TSS32;
    struct cpu_outcome outcome;
    struct descriptor d;
    uint16_t selector;

    if (!cpu_long_mode(&cpu->state))
        types |= 1u << DESCRIPTOR_TSS16;
    if (!operand_read_16(cpu, insn, &selector, &outcome))
        return outcome;
    if (selector_is_null(selector))
        return general_protection();
    if (!read_system_segment(cpu, selector, types, &d, &outcome) || !descriptor_set_busy(cpu, &d, &outcome))
        return outcome;
    cpu->state.seg[SEG_TR] = descriptor_segment(&d);
    cpu->state.seg[SEG_TR].selector = selector;
    return done();
}
