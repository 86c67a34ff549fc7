/* msr_access.c: RDMSR, WRMSR, XGETBV, XSETBV. Source: SDM volume 2, the pages of that name. */
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/msr.h"

#define XCR0_X87 1u
#define XCR0_SSE 2u

struct cpu_outcome execute_rdmsr(struct cpu *cpu, const struct insn *insn)
{
    uint64_t value;

    (void)insn;
    if (!cpu_read_msr(cpu, (uint32_t)cpu->state.gpr[GPR_RCX], &value))
        return general_protection();
    operand_set_edx_eax(cpu, value);
    return done();
}

struct cpu_outcome execute_wrmsr(struct cpu *cpu, const struct insn *insn)
{
    uint32_t index = (uint32_t)cpu->state.gpr[GPR_RCX];
    uint64_t value = operand_edx_eax(cpu);

    (void)insn;
    if (!cpu_write_msr(cpu, index, value))
        return general_protection();
    return done();
}

bool check_xsave(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = undefined_opcode();
    return (cpu->state.cr4 & CR4_OSXSAVE) != 0;
}

struct cpu_outcome execute_xgetbv(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    if ((uint32_t)cpu->state.gpr[GPR_RCX] != 0)
        return general_protection();
    operand_set_edx_eax(cpu, cpu->state.xcr0);
    return done();
}

/* SDM volume 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features": bit 0 must be 1; only x87 and
 * SSE state exist. */
struct cpu_outcome execute_xsetbv(struct cpu *cpu, const struct insn *insn)
{
    uint64_t value = operand_edx_eax(cpu);

    (void)insn;
    if ((uint32_t)cpu->state.gpr[GPR_RCX] != 0 || !(value & XCR0_X87) ||
        value & ~(uint64_t)(XCR0_X87 | XCR0_SSE))
        return general_protection();
    cpu->state.xcr0 = value;
    return done();
}
