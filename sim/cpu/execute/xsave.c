/*
 * xsave.c: XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS.
 *
 * Source: SDM volume 1, "Managing State Using the XSAVE Feature Set", a section for each instruction; volume
 * 2, their pages. The init optimization is used where they allow it; the modified optimization, which may
 * never be relied on, is not. All of an area that an instruction touches is looked at before any of it is
 * written, and before any state is loaded.
 */
#include <string.h>

#include "sim/cpu/execute/execute.h"
#include "sim/cpu/features.h"
#include "sim/cpu/watch.h"
#include "sim/cpu/xstate.h"
#include "vmx_model/effective_controls.h"

#define XSAVE_ALIGNMENT 64u
#define HEADER_RESERVED_FROM 16 /* of the header: bytes 63:16 */
#define HEADER_STANDARD_ZERO 16 /* bytes 23:8 in the standard form of XRSTOR */
#define MXCSR_BYTES 8           /* MXCSR and MXCSR_MASK */

/* An XSAVE area in the making, and which parts of it are read or written. */
struct area {
    struct cpu *cpu;
    const struct insn *insn;
    uint8_t bytes[XSAVE_AREA_MAXIMUM];
    struct {
        uint16_t at, size;
    } part[16];
    unsigned parts;
};

static void add_part(struct area *area, uint32_t at, uint32_t size)
{
    area->part[area->parts].at = (uint16_t)at;
    area->part[area->parts].size = (uint16_t)size;
    area->parts++;
}

static void put(struct area *area, uint32_t at, const void *from, uint32_t size)
{
    memcpy(area->bytes + at, from, size);
    add_part(area, at, size);
}

static bool linear_of(const struct area *area, uint32_t at, size_t size, enum mmu_access access,
                      uint64_t *linear, struct cpu_outcome *outcome)
{
    const struct insn *insn = area->insn;
    uint64_t offset = seg_effective_address(&area->cpu->state, insn) + at;

    if (insn->address_bits < 64)
        offset &= (1ull << insn->address_bits) - 1;
    return seg_linear_address(&area->cpu->state, (enum cpu_segment_index)insn->segment, offset, size, access,
                              linear, outcome);
}

static struct mmu_mode mode_of(const struct cpu *cpu)
{
    bool user = cpu_cpl(&cpu->state) == 3;

    return (struct mmu_mode){.user = user, .smap_ignored = !user && cpu->state.rflags & RFLAGS_AC};
}

static bool read_part(struct area *area, uint32_t at, size_t size, struct cpu_outcome *outcome)
{
    struct mmu_fault fault;
    uint64_t linear;

    if (!linear_of(area, at, size, MMU_READ, &linear, outcome))
        return false;
    enum mmu_status status =
        mmu_read(&area->cpu->mmu, linear, area->bytes + at, size, mode_of(area->cpu), &fault);
    if (status == MMU_OK)
        watch_read(area->cpu, linear, size);
    else
        *outcome = mmu_fault_outcome(status, &fault);
    return status == MMU_OK;
}

static bool read_parts(struct area *area, struct cpu_outcome *outcome)
{
    for (unsigned i = 0; i < area->parts; i++)
        if (!read_part(area, area->part[i].at, area->part[i].size, outcome))
            return false;
    return true;
}

/* write false: only looks whether it could be. */
static bool write_parts(struct area *area, bool write, struct cpu_outcome *outcome)
{
    struct mmu *mmu = &area->cpu->mmu;
    const struct mmu_mode mode = mode_of(area->cpu);

    for (unsigned i = 0; i < area->parts; i++) {
        const uint16_t at = area->part[i].at, size = area->part[i].size;
        struct mmu_fault fault;
        uint64_t linear;
        if (!linear_of(area, at, size, MMU_WRITE, &linear, outcome))
            return false;
        enum mmu_status status = write ? mmu_write(mmu, linear, area->bytes + at, size, mode, &fault)
                                       : mmu_probe_write(mmu, linear, size, mode, &fault);
        if (status != MMU_OK) {
            *outcome = mmu_fault_outcome(status, &fault);
            return false;
        }
        if (write)
            watch_write(area->cpu, linear, size);
    }
    return true;
}

static unsigned xmm_registers(const struct cpu *cpu)
{
    return cpu_64bit_mode(&cpu->state) ? 16 : 8;
}

/* SDM volume 1, "x87 State": with REX.W pointers of 64 bits, else 32 bits and a selector. */
static void put_x87(struct area *area, const struct fpu_state *fpu)
{
    uint8_t *b = area->bytes;

    memcpy(b, &fpu->control, 2);
    memcpy(b + 2, &fpu->status, 2);
    b[4] = fpu->valid;
    b[5] = 0;
    memcpy(b + 6, &fpu->opcode, 2);
    memcpy(b + 8, &fpu->instruction_pointer, 8);
    memcpy(b + 16, &fpu->data_pointer, 8);
    if (area->insn->operand_bits != 64) {
        memset(b + 14, 0, 2);
        memset(b + 22, 0, 2);
        memcpy(b + 12, &fpu->instruction_selector, 2);
        memcpy(b + 20, &fpu->data_selector, 2);
    }
    add_part(area, 0, XSAVE_MXCSR);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(b + XSAVE_ST + (size_t)16 * i, fpu->st[i], 10);
        memset(b + XSAVE_ST + (size_t)16 * i + 10, 0, 6);
    }
    add_part(area, XSAVE_ST, XSAVE_XMM - XSAVE_ST);
}

static void put_mxcsr(struct area *area, const struct fpu_state *fpu)
{
    const uint32_t words[2] = {fpu->mxcsr, FPU_MXCSR_MASK};

    put(area, XSAVE_MXCSR, words, MXCSR_BYTES);
}

static void take_x87(const struct area *area, struct fpu_state *fpu)
{
    const uint8_t *b = area->bytes;

    memcpy(&fpu->control, b, 2);
    memcpy(&fpu->status, b + 2, 2);
    fpu->valid = b[4];
    memcpy(&fpu->opcode, b + 6, 2);
    memcpy(&fpu->instruction_pointer, b + 8, 8);
    memcpy(&fpu->data_pointer, b + 16, 8);
    if (area->insn->operand_bits != 64) {
        fpu->instruction_pointer = (uint32_t)fpu->instruction_pointer;
        fpu->data_pointer = (uint32_t)fpu->data_pointer;
        memcpy(&fpu->instruction_selector, b + 12, 2);
        memcpy(&fpu->data_selector, b + 20, 2);
    }
    for (unsigned i = 0; i < 8; i++)
        memcpy(fpu->st[i], b + XSAVE_ST + (size_t)16 * i, 10);
}

static uint64_t word(const struct area *area, uint32_t at)
{
    uint64_t value;

    memcpy(&value, area->bytes + at, sizeof(value));
    return value;
}

/* CR4.OSXSAVE, and in a guest "enable XSAVES/XRSTORS": SDM volume 3C, "Changes to Instruction Behavior in VMX
 * Non-Root Operation". */
bool check_xsaves(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    if (cpu->vmx.non_root && !(vmcs_secondary_controls(&cpu->vmx.vmcs) & SECONDARY_ENABLE_XSAVES_XRSTORS)) {
        *outcome = undefined_opcode();
        return false;
    }
    return check_xsave(cpu, insn, outcome);
}

/* #NM with CR0.TS, then #GP(0) for an area that is not aligned to 64 bytes. */
static bool begin(struct area *area, struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    uint64_t linear;

    area->cpu = cpu;
    area->insn = insn;
    area->parts = 0;
    if (cpu->state.cr0 & CR0_TS) {
        *outcome = outcome_fault(VECTOR_NM);
        return false;
    }
    if (!linear_of(area, 0, 1, MMU_READ, &linear, outcome))
        return false;
    *outcome = general_protection();
    return linear % XSAVE_ALIGNMENT == 0;
}

static void put_extended(struct area *area, uint64_t bits, uint64_t format)
{
    const struct xstate_component *c;

    for (size_t i = 0; (c = xstate_component_at(i)); i++) {
        if (!(bits >> c->bit & 1))
            continue;
        uint32_t at = xstate_offset(c, format);
        c->save(area->cpu, area->bytes + at);
        add_part(area, at, c->size);
    }
}

/* XSAVE and XSAVEOPT: the standard format; bits of XSTATE_BV that were not asked for stay as they are. */
static struct cpu_outcome save_standard(struct cpu *cpu, const struct insn *insn, bool init_optimization)
{
    struct area area;
    struct fpu_state fpu;
    struct cpu_outcome outcome;
    const uint64_t requested = operand_edx_eax(cpu) & cpu->state.xcr0;

    if (!begin(&area, cpu, insn, &outcome) || !read_part(&area, XSAVE_HEADER, 8, &outcome))
        return outcome;
    cpu->fpu.read(cpu->fpu.opaque, &fpu);
    const uint64_t in_use = xstate_in_use(cpu, &fpu);
    const uint64_t saved = init_optimization ? requested & in_use : requested;
    const uint64_t state_bits = (word(&area, XSAVE_HEADER) & ~requested) | (in_use & requested);
    if (saved & XSTATE_X87)
        put_x87(&area, &fpu);
    if (requested & (XSTATE_SSE | XSTATE_AVX)) /* no optimization is for MXCSR */
        put_mxcsr(&area, &fpu);
    if (saved & XSTATE_SSE)
        put(&area, XSAVE_XMM, fpu.xmm, (size_t)16 * xmm_registers(cpu));
    put_extended(&area, saved, 0);
    put(&area, XSAVE_HEADER, &state_bits, sizeof(state_bits));
    if (!write_parts(&area, false, &outcome) || !write_parts(&area, true, &outcome))
        return outcome;
    return done();
}

struct cpu_outcome execute_xsave(struct cpu *cpu, const struct insn *insn)
{
    return save_standard(cpu, insn, false);
}

struct cpu_outcome execute_xsaveopt(struct cpu *cpu, const struct insn *insn)
{
    return save_standard(cpu, insn, true);
}

/* XSAVEC and XSAVES: the compacted format with the init optimization. MXCSR counts for XSTATE_BV[1] here. */
static struct cpu_outcome save_compacted(struct cpu *cpu, const struct insn *insn, uint64_t requested)
{
    struct area area;
    struct fpu_state fpu;
    struct cpu_outcome outcome;

    if (!begin(&area, cpu, insn, &outcome))
        return outcome;
    cpu->fpu.read(cpu->fpu.opaque, &fpu);
    uint64_t saved = requested & xstate_in_use(cpu, &fpu);
    if (requested & XSTATE_SSE && fpu.mxcsr != FPU_MXCSR_INITIAL)
        saved |= XSTATE_SSE;
    const uint64_t header[2] = {saved, requested | XSTATE_COMPACTED};
    if (saved & XSTATE_X87)
        put_x87(&area, &fpu);
    if (saved & XSTATE_SSE) {
        put_mxcsr(&area, &fpu);
        put(&area, XSAVE_XMM, fpu.xmm, (size_t)16 * xmm_registers(cpu));
    }
    put_extended(&area, saved, header[1]);
    put(&area, XSAVE_HEADER, header, sizeof(header));
    if (!write_parts(&area, false, &outcome) || !write_parts(&area, true, &outcome))
        return outcome;
    return done();
}

struct cpu_outcome execute_xsavec(struct cpu *cpu, const struct insn *insn)
{
    return save_compacted(cpu, insn, operand_edx_eax(cpu) & cpu->state.xcr0);
}

struct cpu_outcome execute_xsaves(struct cpu *cpu, const struct insn *insn)
{
    return save_compacted(cpu, insn, operand_edx_eax(cpu) & (cpu->state.xcr0 | cpu->state.msr.xss));
}

static bool zero(const struct area *area, uint32_t at, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (area->bytes[at + i])
            return false;
    return true;
}

/* The header that has been read: is it one that the form of XRSTOR(S) accepts? enabled: XCR0, with IA32_XSS
 * for XRSTORS. */
static bool header_valid(const struct area *area, uint64_t enabled)
{
    const uint64_t state_bits = word(area, XSAVE_HEADER), format = word(area, XSAVE_HEADER + 8);

    if (!(format & XSTATE_COMPACTED))
        return zero(area, XSAVE_HEADER + 8, HEADER_STANDARD_ZERO) && !(state_bits & ~enabled);
    return !(format & ~XSTATE_COMPACTED & ~enabled) && !(state_bits & ~format) &&
           zero(area, XSAVE_HEADER + HEADER_RESERVED_FROM, XSAVE_HEADER_SIZE - HEADER_RESERVED_FROM);
}

/* Names the parts that the loading will read. */
static void plan_load(struct area *area, uint64_t loaded, bool mxcsr, uint64_t format)
{
    const struct xstate_component *c;

    if (loaded & XSTATE_X87) {
        add_part(area, 0, XSAVE_MXCSR);
        add_part(area, XSAVE_ST, XSAVE_XMM - XSAVE_ST);
    }
    if (mxcsr)
        add_part(area, XSAVE_MXCSR, 4);
    if (loaded & XSTATE_SSE)
        add_part(area, XSAVE_XMM, 16 * xmm_registers(area->cpu));
    for (size_t i = 0; (c = xstate_component_at(i)); i++)
        if (loaded >> c->bit & 1)
            add_part(area, xstate_offset(c, format), c->size);
}

static void load_legacy(struct area *area, uint64_t requested, uint64_t loaded, bool load_mxcsr,
                        bool reset_mxcsr)
{
    struct cpu *cpu = area->cpu;
    struct fpu_state fpu;

    cpu->fpu.read(cpu->fpu.opaque, &fpu);
    if (loaded & XSTATE_X87)
        take_x87(area, &fpu);
    else if (requested & XSTATE_X87)
        xstate_initial_x87(&fpu);
    if (loaded & XSTATE_SSE)
        memcpy(fpu.xmm, area->bytes + XSAVE_XMM, (size_t)16 * xmm_registers(cpu));
    else if (requested & XSTATE_SSE)
        xstate_initial_sse(&fpu, xmm_registers(cpu));
    if (load_mxcsr)
        memcpy(&fpu.mxcsr, area->bytes + XSAVE_MXCSR, 4);
    else if (reset_mxcsr)
        fpu.mxcsr = FPU_MXCSR_INITIAL;
    cpu->fpu.write(cpu->fpu.opaque, &fpu);
}

static bool load_extended(struct area *area, uint64_t requested, uint64_t loaded, uint64_t format)
{
    static const uint8_t initial[64];
    const struct xstate_component *c;

    for (size_t i = 0; (c = xstate_component_at(i)); i++)
        if (requested >> c->bit & 1 &&
            !c->load(area->cpu, loaded >> c->bit & 1 ? area->bytes + xstate_offset(c, format) : initial))
            return false;
    return true;
}

/* compacted_only: XRSTORS, which has no standard form. */
static struct cpu_outcome restore(struct cpu *cpu, const struct insn *insn, uint64_t enabled,
                                  bool compacted_only)
{
    struct area area;
    struct cpu_outcome outcome;
    const uint64_t requested = operand_edx_eax(cpu) & enabled;

    if (!begin(&area, cpu, insn, &outcome) || !read_part(&area, XSAVE_HEADER, XSAVE_HEADER_SIZE, &outcome))
        return outcome;
    const uint64_t format = word(&area, XSAVE_HEADER + 8);
    const bool compacted = (format & XSTATE_COMPACTED) != 0;
    if (!header_valid(&area, enabled) || (compacted_only && !compacted) ||
        (compacted && !cpu_has_feature(cpu->profile, FEATURE_XSAVEC)))
        return general_protection();
    const uint64_t loaded = requested & word(&area, XSAVE_HEADER);
    /* The standard form loads MXCSR whatever XSTATE_BV says; the compacted form goes by it. */
    const bool mxcsr = compacted ? (loaded & XSTATE_SSE) != 0 : (requested & (XSTATE_SSE | XSTATE_AVX)) != 0;
    plan_load(&area, loaded, mxcsr, format);
    if (!read_parts(&area, &outcome))
        return outcome;
    if (mxcsr && (uint32_t)word(&area, XSAVE_MXCSR) & ~FPU_MXCSR_MASK)
        return general_protection();
    if (!load_extended(&area, requested, loaded, format))
        return general_protection();
    load_legacy(&area, requested, loaded, mxcsr, compacted && requested & XSTATE_SSE);
    return cpu_done_unless_cet(cpu);
}

struct cpu_outcome execute_xrstor(struct cpu *cpu, const struct insn *insn)
{
    return restore(cpu, insn, cpu->state.xcr0, false);
}

struct cpu_outcome execute_xrstors(struct cpu *cpu, const struct insn *insn)
{
    return restore(cpu, insn, cpu->state.xcr0 | cpu->state.msr.xss, true);
}
