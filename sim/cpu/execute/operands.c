/* operands.c: registers by size and 16-bit operands. Source: SDM volume 1, "General-Purpose Registers in
 * 64-Bit Mode". */
#include "sim/cpu/execute/execute.h"

uint64_t operand_gpr(const struct cpu *cpu, unsigned gpr, unsigned bits)
{
    uint64_t value = cpu->state.gpr[gpr];

    return bits == 64 ? value : value & ((1ull << bits) - 1);
}

void operand_set_gpr(struct cpu *cpu, unsigned gpr, unsigned bits, uint64_t value)
{
    uint64_t *to = &cpu->state.gpr[gpr];

    if (bits == 64)
        *to = value;
    else if (bits == 32)
        *to = (uint32_t)value;
    else {
        uint64_t mask = (1ull << bits) - 1;
        *to = (*to & ~mask) | (value & mask);
    }
}

void operand_set_edx_eax(struct cpu *cpu, uint64_t value)
{
    cpu->state.gpr[GPR_RAX] = (uint32_t)value;
    cpu->state.gpr[GPR_RDX] = value >> 32;
}

uint64_t operand_edx_eax(const struct cpu *cpu)
{
    return (uint64_t)(uint32_t)cpu->state.gpr[GPR_RDX] << 32 | (uint32_t)cpu->state.gpr[GPR_RAX];
}

bool operand_read_16(struct cpu *cpu, const struct insn *insn, uint16_t *value, struct cpu_outcome *outcome)
{
    if (insn->is_memory)
        return mmu_read_operand(&cpu->mmu, &cpu->state, insn, value, sizeof(*value), outcome);
    *value = (uint16_t)cpu->state.gpr[insn->rm];
    return true;
}

bool operand_store_16(struct cpu *cpu, const struct insn *insn, uint64_t value, struct cpu_outcome *outcome)
{
    uint16_t low = (uint16_t)value;

    if (insn->is_memory)
        return mmu_write_operand(&cpu->mmu, &cpu->state, insn, &low, sizeof(low), outcome);
    operand_set_gpr(cpu, insn->rm, insn->operand_bits, value);
    return true;
}

bool check_umip(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = general_protection();
    return !(cpu->state.cr4 & CR4_UMIP) || cpu_cpl(&cpu->state) == 0;
}
