/*
 * io.c: IN, OUT, INS, OUTS.
 *
 * Source: SDM volume 1, "I/O Privilege Level" and "I/O Permission Bit Map"; volume 2, the instructions'
 * pages; volume 3C, "Relative Priority of Faults and VM Exits": permission, then the VM exit, then segment
 * and page faults.
 */
#include "sim/cpu/descriptors.h"
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/watch.h"

#define TSS_IO_MAP_BASE 102 /* of a 32-bit and a 64-bit TSS */

static uint16_t port_of(const struct cpu *cpu, const struct insn *insn)
{
    return insn->port_is_immediate ? (uint8_t)insn->immediate : (uint16_t)cpu->state.gpr[GPR_RDX];
}

/* Two bytes of the TSS at offset, within its limit. */
static bool read_task_state(struct cpu *cpu, uint32_t offset, uint16_t *value, struct cpu_outcome *outcome)
{
    const struct cpu_segment *tr = &cpu->state.seg[SEG_TR];

    *outcome = general_protection();
    return offset + 1 <= tr->limit && system_read(cpu, tr->base + offset, value, sizeof(*value), outcome);
}

/* Every port of the access needs its bit clear. The processor reads two bytes, so the map ends with a byte of
 * ones; a map beyond the limit, or a 16-bit TSS, denies all. */
static bool permitted_by_map(struct cpu *cpu, uint16_t port, unsigned size, struct cpu_outcome *outcome)
{
    uint32_t type = cpu->state.seg[SEG_TR].access_rights & AR_TYPE;
    uint16_t base, bits;

    if (type != DESCRIPTOR_TSS32 && type != DESCRIPTOR_TSS32_BUSY) {
        *outcome = general_protection();
        return false;
    }
    if (!read_task_state(cpu, TSS_IO_MAP_BASE, &base, outcome) ||
        !read_task_state(cpu, (uint32_t)base + port / 8, &bits, outcome))
        return false;
    *outcome = general_protection();
    const uint32_t denied = (uint32_t)bits >> (port & 7);
    return !(denied & ((1u << size) - 1));
}

static unsigned string_gpr(const struct insn *insn)
{
    return insn->id == INSN_INS ? GPR_RDI : GPR_RSI;
}

/* A repeated instruction with a count of 0 does nothing, not even check. */
static bool nothing_to_repeat(const struct cpu *cpu, const struct insn *insn)
{
    return insn->rep && (insn->id == INSN_INS || insn->id == INSN_OUTS) &&
           operand_gpr(cpu, GPR_RCX, insn->address_bits) == 0;
}

bool check_io(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    const struct cpu_state *state = &cpu->state;
    bool trusted = cpu_cpl(state) <= (state->rflags & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT;

    if (nothing_to_repeat(cpu, insn)) {
        *outcome = done();
        return false;
    }
    if (cpu_real_mode(state) || (trusted && !cpu_v86_mode(state)))
        return true;
    return permitted_by_map(cpu, port_of(cpu, insn), insn->io_size, outcome);
}

struct cpu_outcome execute_in(struct cpu *cpu, const struct insn *insn)
{
    uint32_t value = cpu->bus->port_in(cpu->bus->opaque, port_of(cpu, insn), insn->io_size);

    watch_port(cpu, port_of(cpu, insn), insn->io_size);
    operand_set_gpr(cpu, GPR_RAX, insn->io_size * 8u, value);
    return done();
}

struct cpu_outcome execute_out(struct cpu *cpu, const struct insn *insn)
{
    unsigned bits = insn->io_size * 8u;

    cpu->bus->port_out(cpu->bus->opaque, port_of(cpu, insn), (uint32_t)operand_gpr(cpu, GPR_RAX, bits),
                       insn->io_size);
    watch_port(cpu, port_of(cpu, insn), insn->io_size);
    return done();
}

/* Linear address of the string operand. */
static bool string_address(struct cpu *cpu, const struct insn *insn, enum mmu_access access, uint64_t *linear,
                           struct cpu_outcome *outcome)
{
    uint64_t offset = operand_gpr(cpu, string_gpr(insn), insn->address_bits);

    if (!seg_linear_address(&cpu->state, (enum cpu_segment_index)insn->segment, offset, insn->io_size, access,
                            linear, outcome))
        return false;
    *outcome = outcome_fault_code(VECTOR_AC, 0);
    return !cpu_misaligned(&cpu->state, *linear, insn->io_size);
}

static struct mmu_mode access_mode(const struct cpu_state *state)
{
    return (struct mmu_mode){.user = cpu_cpl(state) == 3,
                             .narrow = !cpu_64bit_mode(state),
                             .smap_ignored = (state->rflags & RFLAGS_AC) != 0};
}

/* Moves the index by DF; of a repeated instruction counts one iteration, and stays at it while some are left,
 * so that interrupts are taken between iterations: SDM volume 2, "REP/REPE/REPZ/REPNE/REPNZ". */
static struct cpu_outcome next_iteration(struct cpu *cpu, const struct insn *insn)
{
    unsigned gpr = string_gpr(insn);
    uint64_t step = cpu->state.rflags & RFLAGS_DF ? 0 - (uint64_t)insn->io_size : insn->io_size;

    operand_set_gpr(cpu, gpr, insn->address_bits, cpu->state.gpr[gpr] + step);
    if (!insn->rep)
        return done();
    uint64_t left = operand_gpr(cpu, GPR_RCX, insn->address_bits) - 1;
    operand_set_gpr(cpu, GPR_RCX, insn->address_bits, left);
    return left ? outcome_of(OUTCOME_JUMPED) : done();
}

/* The destination is probed before the port is read: a device must not see a read whose data is lost. */
struct cpu_outcome execute_ins(struct cpu *cpu, const struct insn *insn)
{
    struct mmu_mode mode = access_mode(&cpu->state);
    struct cpu_outcome outcome;
    struct mmu_fault fault;
    uint64_t linear;

    if (!string_address(cpu, insn, MMU_WRITE, &linear, &outcome))
        return outcome;
    enum mmu_status status = mmu_probe_write(&cpu->mmu, linear, insn->io_size, mode, &fault);
    if (status == MMU_OK) {
        uint32_t value = cpu->bus->port_in(cpu->bus->opaque, port_of(cpu, insn), insn->io_size);
        status = mmu_write(&cpu->mmu, linear, &value, insn->io_size, mode, &fault);
        watch_port(cpu, port_of(cpu, insn), insn->io_size);
        watch_write(cpu, linear, insn->io_size);
    }
    return status == MMU_OK ? next_iteration(cpu, insn) : mmu_fault_outcome(status, &fault);
}

struct cpu_outcome execute_outs(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_outcome outcome;
    struct mmu_fault fault;
    uint32_t value = 0;
    uint64_t linear;

    if (!string_address(cpu, insn, MMU_READ, &linear, &outcome))
        return outcome;
    enum mmu_status status =
        mmu_read(&cpu->mmu, linear, &value, insn->io_size, access_mode(&cpu->state), &fault);
    if (status != MMU_OK)
        return mmu_fault_outcome(status, &fault);
    cpu->bus->port_out(cpu->bus->opaque, port_of(cpu, insn), value, insn->io_size);
    watch_port(cpu, port_of(cpu, insn), insn->io_size);
    watch_read(cpu, linear, insn->io_size);
    return next_iteration(cpu, insn);
}
