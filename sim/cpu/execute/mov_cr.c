/* mov_cr.c: MOV to and from control registers, CLTS, LMSW, SMSW. Source: SDM volume 2, the pages of that
 * name. */
#include "sim/cpu/execute/execute.h"

#define LMSW_BITS 0xfull

/* CR1, CR5 to CR7 and CR9 up do not exist, nor does CR8 outside of 64-bit mode, where REX cannot name it. */
bool check_mov_cr(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)cpu;
    *outcome = undefined_opcode();
    return insn->reg == 0 || (insn->reg >= 2 && insn->reg <= 4) || insn->reg == 8;
}

static struct cpu_outcome write_cr8(struct cpu *cpu, uint64_t value)
{
    if (value > 15)
        return general_protection();
    if (vmx_virtualizes_cr8(&cpu->vmx))
        vmx_write_virtual_cr8(&cpu->vmx, value);
    else
        cpu->bus->write_cr8(cpu->bus->opaque, value);
    return done();
}

struct cpu_outcome execute_mov_to_cr(struct cpu *cpu, const struct insn *insn)
{
    uint64_t value = operand_gpr(cpu, insn->rm, insn->operand_bits);

    switch (insn->reg) {
    case 0:
        return cpu_write_cr0(cpu, vmx_write_cr_masked(&cpu->vmx, 0, value));
    case 2:
        cpu->state.cr2 = value;
        return done();
    case 3:
        return cpu_write_cr3(cpu, value);
    case 4:
        return cpu_write_cr4(cpu, vmx_write_cr_masked(&cpu->vmx, 4, value));
    default:
        return write_cr8(cpu, value);
    }
}

struct cpu_outcome execute_mov_from_cr(struct cpu *cpu, const struct insn *insn)
{
    const struct cpu_state *state = &cpu->state;
    uint64_t value;

    switch (insn->reg) {
    case 0:
        value = vmx_read_cr_shadowed(&cpu->vmx, 0, state->cr0);
        break;
    case 2:
        value = state->cr2;
        break;
    case 3:
        value = state->cr3;
        break;
    case 4:
        value = vmx_read_cr_shadowed(&cpu->vmx, 4, state->cr4);
        break;
    default:
        value = vmx_virtualizes_cr8(&cpu->vmx) ? vmx_read_virtual_cr8(&cpu->vmx)
                                               : cpu->bus->read_cr8(cpu->bus->opaque);
        break;
    }
    operand_set_gpr(cpu, insn->rm, insn->operand_bits, value);
    return done();
}

/* With the guest/host mask's TS bit set and the shadow's clear it completes and changes nothing: SDM volume
 * 3C, "Changes to Instruction Behavior in VMX Non-Root Operation". */
struct cpu_outcome execute_clts(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    return cpu_write_cr0(cpu, vmx_write_cr_masked(&cpu->vmx, 0, cpu->state.cr0 & ~CR0_TS));
}

/* Faults in reading the operand go before the VM exit that depends on it: SDM volume 3C, "Relative Priority
 * of Faults and VM Exits". The privilege check goes before both. */
bool check_lmsw(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    uint16_t operand;

    *outcome = general_protection();
    return cpu_cpl(&cpu->state) == 0 && operand_read_16(cpu, insn, &operand, outcome);
}

/* PE, MP, EM and TS; PE can be set and not cleared. */
struct cpu_outcome execute_lmsw(struct cpu *cpu, const struct insn *insn)
{
    uint64_t keep = ~LMSW_BITS | CR0_PE;
    struct cpu_outcome outcome;
    uint16_t operand;

    if (!operand_read_16(cpu, insn, &operand, &outcome))
        return outcome;
    uint64_t value = (cpu->state.cr0 & keep) | (operand & LMSW_BITS);
    return cpu_write_cr0(cpu, vmx_write_cr_masked(&cpu->vmx, 0, value));
}

struct cpu_outcome execute_smsw(struct cpu *cpu, const struct insn *insn)
{
    struct cpu_outcome outcome;
    uint64_t value = vmx_read_cr_shadowed(&cpu->vmx, 0, cpu->state.cr0);

    return operand_store_16(cpu, insn, value, &outcome) ? done() : outcome;
}
