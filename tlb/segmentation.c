/* segmentation.c: logical to linear address. SDM volume 3A, "Protected-Mode Memory Management": limit, type
 * and null checks; "Segmentation in IA-32e Mode". */
#include "tlb/mmu.h"

#define TYPE_CODE 8u
#define TYPE_EXPAND_DOWN 4u       /* data segments */
#define TYPE_WRITE_OR_READABLE 2u /* data: writable; code: readable */

static uint64_t cut(uint64_t address, unsigned bits)
{
    return bits >= 64 ? address : address & ((1ull << bits) - 1);
}

uint64_t seg_effective_address(const struct cpu_state *state, const struct insn *insn)
{
    uint64_t address = (uint64_t)insn->displacement;
    if (insn->rip_relative)
        address += state->rip + insn->length;
    if (insn->has_base)
        address += state->gpr[insn->base];
    if (insn->has_index)
        address += state->gpr[insn->index] << insn->scale;
    return cut(address, insn->address_bits);
}

/* SDM volume 3A, "Limit Checking": offsets below or above the limit, by the direction of expansion. */
static bool within_limit(const struct cpu_segment *segment, bool expand_down, uint64_t offset, size_t size)
{
    uint64_t last = offset + (size ? size : 1) - 1;
    uint64_t top = segment->access_rights & AR_DB ? 0xffffffffull : 0xffffull;
    if (last < offset)
        return false;
    return expand_down ? offset > segment->limit && last <= top : last <= segment->limit;
}

/* SDM volume 3A, "Type Checking". */
static bool type_allows(unsigned type, enum mmu_access access)
{
    bool code = (type & TYPE_CODE) != 0;
    switch (access) {
    case MMU_FETCH:
        return code;
    case MMU_WRITE:
        return !code && (type & TYPE_WRITE_OR_READABLE);
    case MMU_READ:
        break;
    }
    return !code || (type & TYPE_WRITE_OR_READABLE);
}

static bool protected_mode_ok(const struct cpu_segment *segment, uint64_t offset, size_t size,
                              enum mmu_access access)
{
    unsigned type = segment->access_rights & AR_TYPE;
    bool expand_down = !(type & TYPE_CODE) && (type & TYPE_EXPAND_DOWN);
    return !(segment->access_rights & AR_UNUSABLE) && type_allows(type, access) &&
           within_limit(segment, expand_down, offset, size);
}

/* SDM volume 3A, "Segmentation in IA-32e Mode": bases of CS, DS, ES and SS count as zero; LDTR and TR keep
 * theirs. */
static uint64_t base_in_64bit_mode(const struct cpu_state *state, enum cpu_segment_index segment)
{
    return segment >= SEG_FS ? state->seg[segment].base : 0;
}

bool seg_linear_address(const struct cpu_state *state, enum cpu_segment_index segment, uint64_t offset,
                        size_t size, enum mmu_access access, uint64_t *linear, struct cpu_outcome *outcome)
{
    const struct cpu_segment *s = &state->seg[segment];
    bool ok;
    if (cpu_64bit_mode(state)) {
        const uint64_t pointer = base_in_64bit_mode(state, segment) + offset;
        const uint64_t last = pointer + (size ? size : 1) - 1;
        const bool data = access != MMU_FETCH;
        const unsigned bits = cpu_linear_bits(state);
        *linear = data ? cpu_data_address(state, pointer) : pointer;
        ok = cpu_canonical(*linear, bits) && cpu_canonical(data ? cpu_data_address(state, last) : last, bits);
    } else {
        *linear = (uint32_t)(s->base + offset);
        /* SDM volume 3B, "8086 Emulation": real-address and virtual-8086 mode know only the limit. */
        ok = cpu_real_mode(state) || cpu_v86_mode(state) ? within_limit(s, false, offset, size)
                                                         : protected_mode_ok(s, offset, size, access);
    }
    if (!ok)
        *outcome = outcome_fault_code(segment == SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
    return ok;
}
