/* descriptor_tables.c: SGDT, SIDT, LGDT, LIDT. Source: SDM volume 2, the pages of that name. */
#include <string.h>

#include "sim/cpu/execute/execute.h"

/* The operand in memory: a 16-bit limit, then the base: 8 bytes in 64-bit mode, else 4. */
struct table_operand {
    uint8_t bytes[10];
};

static size_t table_operand_size(const struct insn *insn)
{
    return insn->mode_bits == 64 ? 10 : 6;
}

static struct cpu_outcome store_table(struct cpu *cpu, const struct insn *insn,
                                      const struct cpu_descriptor_table *table)
{
    struct table_operand operand;
    struct cpu_outcome outcome;

    memcpy(operand.bytes, &table->limit, 2);
    memcpy(operand.bytes + 2, &table->base, 8);
    return mmu_write_operand(&cpu->mmu, &cpu->state, insn, operand.bytes, table_operand_size(insn), &outcome)
               ? done()
               : outcome;
}

/* With a 16-bit operand size the base has 24 bits. In 64-bit mode it must be canonical. */
static struct cpu_outcome load_table(struct cpu *cpu, const struct insn *insn,
                                     struct cpu_descriptor_table *table)
{
    struct table_operand operand = {{0}};
    struct cpu_descriptor_table loaded;
    struct cpu_outcome outcome;

    if (!mmu_read_operand(&cpu->mmu, &cpu->state, insn, operand.bytes, table_operand_size(insn), &outcome))
        return outcome;
    memcpy(&loaded.limit, operand.bytes, 2);
    memcpy(&loaded.base, operand.bytes + 2, 8);
    if (insn->operand_bits == 16)
        loaded.base &= 0xffffff;
    if (!cpu_canonical(loaded.base, cpu->profile->linear_address_bits))
        return general_protection();
    *table = loaded;
    return done();
}

struct cpu_outcome execute_sgdt(struct cpu *cpu, const struct insn *insn)
{
    return store_table(cpu, insn, &cpu->state.gdtr);
}

struct cpu_outcome execute_sidt(struct cpu *cpu, const struct insn *insn)
{
    return store_table(cpu, insn, &cpu->state.idtr);
}

struct cpu_outcome execute_lgdt(struct cpu *cpu, const struct insn *insn)
{
    return load_table(cpu, insn, &cpu->state.gdtr);
}

struct cpu_outcome execute_lidt(struct cpu *cpu, const struct insn *insn)
{
    return load_table(cpu, insn, &cpu->state.idtr);
}
