/* msr_access.c: RDMSR, WRMSR, XGETBV, XSETBV, RDPKRU, WRPKRU. Source: SDM volume 2, the pages of that name.
 */
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/features.h"
#include "sim/cpu/msr.h"
#include "sim/cpu/xstate.h"

struct cpu_outcome execute_rdmsr(struct cpu *cpu, const struct insn *insn)
{
    const uint32_t index = (uint32_t)cpu->state.gpr[GPR_RCX];
    uint64_t value;

    (void)insn;
    if (vmx_read_virtual_apic_msr(&cpu->vmx, index, &value) == VMX_MSR_NORMAL &&
        !cpu_read_msr(cpu, index, &value))
        return general_protection();
    operand_set_edx_eax(cpu, value);
    return done();
}

struct cpu_outcome execute_wrmsr(struct cpu *cpu, const struct insn *insn)
{
    uint32_t index = (uint32_t)cpu->state.gpr[GPR_RCX];
    uint64_t value = operand_edx_eax(cpu);

    (void)insn;
    switch (vmx_write_virtual_apic_msr(&cpu->vmx, index, value)) {
    case VMX_MSR_NORMAL:
        return cpu_write_msr(cpu, index, value) ? cpu_done_unless_cet(cpu) : general_protection();
    case VMX_MSR_FAULTS:
        return general_protection();
    case VMX_MSR_VIRTUALIZED:
        break;
    }
    return done();
}

bool check_xsave(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = undefined_opcode();
    return (cpu->state.cr4 & CR4_OSXSAVE) != 0;
}

/* ECX 1, with XGETBV with ECX = 1 in CPUID: XCR0 and XINUSE. */
struct cpu_outcome execute_xgetbv(struct cpu *cpu, const struct insn *insn)
{
    const uint32_t index = (uint32_t)cpu->state.gpr[GPR_RCX];
    struct fpu_state fpu;

    (void)insn;
    if (index > 1 || (index == 1 && !cpu_has_feature(cpu->profile, FEATURE_XGETBV_1)))
        return general_protection();
    uint64_t value = cpu->state.xcr0;
    if (index == 1) {
        cpu->fpu.read(cpu->fpu.opaque, &fpu);
        value &= xstate_in_use(cpu, &fpu);
    }
    operand_set_edx_eax(cpu, value);
    return done();
}

struct cpu_outcome execute_xsetbv(struct cpu *cpu, const struct insn *insn)
{
    uint64_t value = operand_edx_eax(cpu);

    (void)insn;
    if ((uint32_t)cpu->state.gpr[GPR_RCX] != 0 || !xstate_xcr0_valid(cpu->profile, value))
        return general_protection();
    cpu->state.xcr0 = value;
    return done();
}

bool check_pke(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = undefined_opcode();
    return (cpu->state.cr4 & CR4_PKE) != 0;
}

struct cpu_outcome execute_rdpkru(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    if ((uint32_t)cpu->state.gpr[GPR_RCX] != 0)
        return general_protection();
    operand_set_edx_eax(cpu, cpu->state.pkru);
    return done();
}

struct cpu_outcome execute_wrpkru(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    if ((uint32_t)cpu->state.gpr[GPR_RCX] != 0 || (uint32_t)cpu->state.gpr[GPR_RDX] != 0)
        return general_protection();
    cpu_write_pkru(cpu, (uint32_t)cpu->state.gpr[GPR_RAX]);
    return done();
}
