/*
 * instruction_information.c: the VM-exit instruction-information field and the displacement as exit
 * qualification.
 *
 * Source: SDM "Information for VM Exits Due to Instruction Execution", tables 28-8 to 28-15. Undefined bits
 * are 0.
 */
#include "vmx_model/exit_conditions/exit_conditions.h"

#define REG1_SHIFT 3
#define ADDRESS_SIZE_SHIFT 7
#define IS_REGISTER (1u << 10)
#define GDTR_IDTR_OPERAND_SIZE_SHIFT 11
#define RANDOM_OPERAND_SIZE_SHIFT 11
#define SEGMENT_SHIFT 15
#define INDEX_SHIFT 18
#define INDEX_INVALID (1u << 22)
#define BASE_SHIFT 23
#define BASE_INVALID (1u << 27)
#define IDENTITY_SHIFT 28
#define REG2_SHIFT 28

/* Sizes of addresses and operands: 0 for 16 bits, 1 for 32, 2 for 64. */
static uint32_t size_code(unsigned bits)
{
    return bits == 64 ? 2 : bits == 32 ? 1 : 0;
}

static uint32_t memory_operand(const struct insn *insn)
{
    uint32_t information = size_code(insn->address_bits) << ADDRESS_SIZE_SHIFT | (uint32_t)insn->segment
                                                                                     << SEGMENT_SHIFT;
    if (insn->has_index)
        information |= insn->scale | (uint32_t)insn->index << INDEX_SHIFT;
    else
        information |= INDEX_INVALID;
    if (insn->has_base)
        information |= (uint32_t)insn->base << BASE_SHIFT;
    else
        information |= BASE_INVALID;
    return information;
}

static uint32_t memory_or_register_operand(const struct insn *insn)
{
    return insn->is_memory ? memory_operand(insn) : IS_REGISTER | (uint32_t)insn->rm << REG1_SHIFT;
}

/* The instruction identity of tables 28-10 and 28-11. */
static uint32_t identity(unsigned id)
{
    switch (id) {
    case INSN_SIDT:
    case INSN_STR:
        return 1;
    case INSN_LGDT:
    case INSN_LLDT:
        return 2;
    case INSN_LIDT:
    case INSN_LTR:
        return 3;
    default:
        return 0; /* SGDT, SLDT */
    }
}

uint32_t vmx_instruction_information(const struct insn *insn, enum information_format format)
{
    switch (format) {
    case INFORMATION_NONE:
        break;
    case INFORMATION_STRING_IO:
        return size_code(insn->address_bits) << ADDRESS_SIZE_SHIFT |
               (insn->id == INSN_OUTS ? (uint32_t)insn->segment << SEGMENT_SHIFT : 0);
    case INFORMATION_MEMORY:
        return memory_operand(insn);
    case INFORMATION_MEMORY_REG2:
        return memory_operand(insn) | (uint32_t)insn->reg << REG2_SHIFT;
    case INFORMATION_GDTR_IDTR:
        return memory_operand(insn) | (insn->operand_bits == 16 ? 0u : 1u) << GDTR_IDTR_OPERAND_SIZE_SHIFT |
               identity(insn->id) << IDENTITY_SHIFT;
    case INFORMATION_LDTR_TR:
        return memory_or_register_operand(insn) | identity(insn->id) << IDENTITY_SHIFT;
    case INFORMATION_RANDOM:
        return (uint32_t)insn->rm << REG1_SHIFT | size_code(insn->operand_bits) << RANDOM_OPERAND_SIZE_SHIFT;
    case INFORMATION_VMREAD_VMWRITE:
        return memory_or_register_operand(insn) | (uint32_t)insn->reg << REG2_SHIFT;
    }
    return 0;
}

uint64_t vmx_displacement_qualification(const struct cpu_state *state, const struct insn *insn)
{
    if (!insn->is_memory)
        return 0;
    const uint64_t displacement = (uint64_t)insn->displacement;
    return insn->rip_relative ? state->rip + insn->length + displacement : displacement;
}
