/*
 * mpx.c: Intel MPX: BNDMK, BNDCL, BNDCU, BNDCN, BNDMOV, BNDLDX, BNDSTX.
 *
 * Source: SDM volume 1, "Intel Memory Protection Extensions" (editions up to 2021); volume 2, each
 * instruction's page. What branches do to the bounds registers is in sim/core/bounds.c. All of them do
 * nothing where MPX is not enabled.
 */
#include <string.h>

#include "sim/cpu/execute/execute.h"
#include "sim/cpu/watch.h"

enum {
    STATUS_OUT_OF_BOUNDS = 1,     /* BNDSTATUS: a check failed */
    STATUS_INVALID_DIRECTORY = 2, /* with the entry's address: its table is not there */
    ENTRY_VALID = 1,              /* of a bound-directory entry */
    ENTRY_WORDS = 3, /* of a bound-table entry: lower bound, upper bound, pointer; a fourth is not used */
};

static bool wide(const struct cpu *cpu)
{
    return cpu_64bit_mode(&cpu->state);
}

/* SDM volume 1, "Intel MPX and Operating Modes": outside of 64-bit mode bounds and addresses have 32 bits,
 * and what a bounds register gets is zero-extended, as in general-purpose registers. */
static uint64_t narrowed(const struct cpu *cpu, uint64_t value)
{
    return wide(cpu) ? value : (uint32_t)value;
}

static void set_bounds(struct cpu *cpu, unsigned n, uint64_t lower, uint64_t upper)
{
    cpu->state.bounds[n] = (struct cpu_bounds){narrowed(cpu, lower), narrowed(cpu, upper)};
}

/* Register forms that are no instructions stay hints. */
static bool register_hint(const struct insn *insn)
{
    return !insn->is_memory && (insn->id == INSN_BNDMK || insn->id == INSN_BNDLDX || insn->id == INSN_BNDSTX);
}

static bool moves_registers(const struct insn *insn)
{
    return !insn->is_memory && (insn->id == INSN_BNDMOV_TO || insn->id == INSN_BNDMOV_FROM);
}

static bool needs_base(const struct insn *insn)
{
    return insn->id == INSN_BNDMK || insn->id == INSN_BNDLDX || insn->id == INSN_BNDSTX;
}

/* #UD: BND4 and up; 16-bit addressing (of memory forms: volume 1, table of the 67H prefix's effect); an
 * address relative to RIP where the base is looked at. LOCK is refused for all. */
bool check_mpx(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    *outcome = done();
    if (!cpu_mpx_enabled(&cpu->state) || register_hint(insn))
        return false;
    *outcome = undefined_opcode();
    if (insn->reg >= BOUNDS_COUNT || (moves_registers(insn) && insn->rm >= BOUNDS_COUNT))
        return false;
    return !(insn->is_memory && insn->address_bits == 16) && !(insn->rip_relative && needs_base(insn));
}

static struct cpu_outcome out_of_range(struct cpu *cpu, uint64_t status)
{
    cpu->state.bndstatus = status;
    return outcome_fault(VECTOR_BR);
}

/* The address to be checked: a register, or the address of memory that is not accessed. */
static uint64_t pointer(const struct cpu *cpu, const struct insn *insn)
{
    return narrowed(cpu,
                    insn->is_memory ? seg_effective_address(&cpu->state, insn) : cpu->state.gpr[insn->rm]);
}

struct cpu_outcome execute_bndcl(struct cpu *cpu, const struct insn *insn)
{
    if (pointer(cpu, insn) < narrowed(cpu, cpu->state.bounds[insn->reg].lower))
        return out_of_range(cpu, STATUS_OUT_OF_BOUNDS);
    return done();
}

/* BNDCU takes the upper bound as a one's complement, BNDCN as it is. */
struct cpu_outcome execute_bndcu(struct cpu *cpu, const struct insn *insn)
{
    const uint64_t upper = cpu->state.bounds[insn->reg].upper;

    if (pointer(cpu, insn) > narrowed(cpu, insn->id == INSN_BNDCU ? ~upper : upper))
        return out_of_range(cpu, STATUS_OUT_OF_BOUNDS);
    return done();
}

/* No memory is accessed; SDM volume 2, "BNDMK", "64-Bit Mode Exceptions": the address must be canonical all
 * the same. */
struct cpu_outcome execute_bndmk(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_state *s = &cpu->state;
    struct cpu_outcome outcome;
    uint64_t linear;

    if (wide(cpu) && !seg_linear_address(s, (enum cpu_segment_index)insn->segment,
                                         seg_effective_address(s, insn), 1, MMU_READ, &linear, &outcome))
        return outcome;
    set_bounds(cpu, insn->reg, insn->has_base ? s->gpr[insn->base] : 0, ~seg_effective_address(s, insn));
    return done();
}

/* Linear memory, as words of 8 bytes in 64-bit mode and of 4 otherwise. */
static unsigned word_bytes(const struct cpu *cpu)
{
    return wide(cpu) ? 8 : 4;
}

static struct mmu_mode mode_of(const struct cpu *cpu)
{
    return (struct mmu_mode){.user = cpu_cpl(&cpu->state) == 3,
                             .narrow = !wide(cpu),
                             .smap_ignored = (cpu->state.rflags & RFLAGS_AC) != 0};
}

static void unpack(const struct cpu *cpu, const uint8_t *memory, uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        words[i] = 0;
        memcpy(&words[i], memory + (size_t)i * word_bytes(cpu), word_bytes(cpu));
    }
}

static void pack(const struct cpu *cpu, const uint64_t *words, uint8_t *memory, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        memcpy(memory + (size_t)i * word_bytes(cpu), &words[i], word_bytes(cpu));
}

static bool read_words(struct cpu *cpu, uint64_t linear, uint64_t *words, unsigned count,
                       struct cpu_outcome *outcome)
{
    const unsigned bytes = count * word_bytes(cpu);
    uint8_t memory[8 * ENTRY_WORDS];
    struct mmu_fault fault;
    enum mmu_status status = mmu_read(&cpu->mmu, linear, memory, bytes, mode_of(cpu), &fault);

    if (status != MMU_OK) {
        *outcome = mmu_fault_outcome(status, &fault);
        return false;
    }
    watch_read(cpu, linear, bytes);
    unpack(cpu, memory, words, count);
    return true;
}

static bool write_words(struct cpu *cpu, uint64_t linear, const uint64_t *words, unsigned count,
                        struct cpu_outcome *outcome)
{
    const unsigned bytes = count * word_bytes(cpu);
    uint8_t memory[8 * ENTRY_WORDS];
    struct mmu_fault fault;

    pack(cpu, words, memory, count);
    enum mmu_status status = mmu_write(&cpu->mmu, linear, memory, bytes, mode_of(cpu), &fault);
    if (status != MMU_OK) {
        *outcome = mmu_fault_outcome(status, &fault);
        return false;
    }
    watch_write(cpu, linear, bytes);
    return true;
}

/* SDM volume 2, "BNDMOV": the exceptions of MOV, for all of the operand before any of it changes. */
struct cpu_outcome execute_bndmov(struct cpu *cpu, const struct insn *insn)
{
    const bool load = insn->id == INSN_BNDMOV_TO;
    const unsigned bytes = 2 * word_bytes(cpu);
    uint8_t memory[8 * 2];
    struct cpu_outcome outcome;
    uint64_t words[2];

    if (!insn->is_memory) {
        const struct cpu_bounds from = cpu->state.bounds[load ? insn->rm : insn->reg];
        set_bounds(cpu, load ? insn->reg : insn->rm, from.lower, from.upper);
        return done();
    }
    if (load) {
        if (!mmu_read_operand(&cpu->mmu, &cpu->state, insn, memory, bytes, &outcome))
            return outcome;
        unpack(cpu, memory, words, 2);
        set_bounds(cpu, insn->reg, words[0], words[1]);
        return done();
    }
    words[0] = cpu->state.bounds[insn->reg].lower;
    words[1] = cpu->state.bounds[insn->reg].upper;
    pack(cpu, words, memory, 2);
    return mmu_write_operand(&cpu->mmu, &cpu->state, insn, memory, bytes, &outcome) ? done() : outcome;
}

/* The linear address that BNDLDX and BNDSTX translate: of base and displacement, in the operand's segment,
 * unchecked; 0 in it without a base. */
static uint64_t pointer_address(const struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_state *s = &cpu->state;
    const bool flat = wide(cpu) && insn->segment != SEG_FS && insn->segment != SEG_GS;
    const uint64_t offset = insn->has_base ? s->gpr[insn->base] + (uint64_t)insn->displacement : 0;

    return narrowed(cpu, narrowed(cpu, offset) + (flat ? 0 : s->seg[insn->segment].base));
}

static uint64_t bits(uint64_t value, unsigned high, unsigned low)
{
    return value >> low & ((1ull << (high - low + 1)) - 1);
}

/*
 * SDM volume 2, "BNDLDX", Operation: where the bound-table entry lies. The addresses are linear; the entry's
 * is looked at as one in DS, whose limit and null selector count. MAWA is 0: CPUID does not report another.
 * False: *outcome is the fault.
 */
static bool entry_address(struct cpu *cpu, const struct insn *insn, enum mmu_access access, uint64_t *linear,
                          struct cpu_outcome *outcome)
{
    struct cpu_state *s = &cpu->state;
    const uint64_t directory = cpu_bounds_configuration(s) & BNDCFG_BASE,
                   address = pointer_address(cpu, insn);
    uint64_t at, table, checked;

    at = narrowed(cpu, directory + (wide(cpu) ? bits(address, 47, 20) << 3 : bits(address, 31, 12) << 2));
    *outcome = general_protection();
    if (wide(cpu) && !cpu_canonical(at, cpu_linear_bits(s)))
        return false;
    if (!read_words(cpu, at, &table, 1, outcome))
        return false;
    if (!(table & ENTRY_VALID)) {
        *outcome = out_of_range(cpu, at | STATUS_INVALID_DIRECTORY);
        return false;
    }
    if (wide(cpu))
        *linear = (table & ~7ull) + (bits(address, 19, 3) << 5);
    else
        *linear = (uint32_t)((table & ~3ull) + (bits(address, 11, 2) << 4));
    return seg_linear_address(s, SEG_DS, *linear, (size_t)word_bytes(cpu) * ENTRY_WORDS, access, &checked,
                              outcome);
}

static uint64_t pointer_value(const struct cpu *cpu, const struct insn *insn)
{
    return insn->has_index ? narrowed(cpu, cpu->state.gpr[insn->index]) : 0;
}

/* An entry of another pointer gives bounds that allow everything. */
struct cpu_outcome execute_bndldx(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_outcome outcome;
    uint64_t linear, entry[ENTRY_WORDS];

    if (!entry_address(cpu, insn, MMU_READ, &linear, &outcome) ||
        !read_words(cpu, linear, entry, ENTRY_WORDS, &outcome))
        return outcome;
    if (entry[2] == pointer_value(cpu, insn))
        set_bounds(cpu, insn->reg, entry[0], entry[1]);
    else
        set_bounds(cpu, insn->reg, 0, 0);
    return done();
}

struct cpu_outcome execute_bndstx(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_bounds *from = &cpu->state.bounds[insn->reg];
    const uint64_t entry[ENTRY_WORDS] = {from->lower, from->upper, pointer_value(cpu, insn)};
    struct cpu_outcome outcome;
    uint64_t linear;

    if (!entry_address(cpu, insn, MMU_WRITE, &linear, &outcome) ||
        !write_words(cpu, linear, entry, ENTRY_WORDS, &outcome))
        return outcome;
    return done();
}
