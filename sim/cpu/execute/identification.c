/* identification.c: CPUID, RDTSC, RDTSCP, RDPID, RDPMC, RDRAND, RDSEED, SERIALIZE. Source: SDM volume 2, the
 * pages of that name. */
#include "sim/cpu/execute/execute.h"
#include "sim/cpu/random.h"
#include "vmx_model/effective_controls.h"

struct cpu_outcome execute_cpuid(struct cpu *cpu, const struct insn *insn)
{
    uint64_t *gpr = cpu->state.gpr;
    uint32_t out[4];

    (void)insn;
    cpu_cpuid(cpu, (uint32_t)gpr[GPR_RAX], (uint32_t)gpr[GPR_RCX], out);
    gpr[GPR_RAX] = out[0];
    gpr[GPR_RBX] = out[1];
    gpr[GPR_RCX] = out[2];
    gpr[GPR_RDX] = out[3];
    return done();
}

/* CR4.TSD allows CPL 0 alone. */
bool check_rdtsc(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = general_protection();
    return !(cpu->state.cr4 & CR4_TSD) || cpu_cpl(&cpu->state) == 0;
}

/* SDM volume 3C, "Changes to Instruction Behavior in VMX Non-Root Operation": #UD with "enable RDTSCP" 0. */
bool check_rdtscp(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    if (cpu->vmx.non_root && !(vmcs_secondary_controls(&cpu->vmx.vmcs) & SECONDARY_ENABLE_RDTSCP)) {
        *outcome = undefined_opcode();
        return false;
    }
    return check_rdtsc(cpu, insn, outcome);
}

struct cpu_outcome execute_rdtsc(struct cpu *cpu, const struct insn *insn)
{
    (void)insn;
    operand_set_edx_eax(cpu, vmx_tsc(&cpu->vmx));
    return done();
}

struct cpu_outcome execute_rdtscp(struct cpu *cpu, const struct insn *insn)
{
    execute_rdtsc(cpu, insn);
    cpu->state.gpr[GPR_RCX] = (uint32_t)cpu->state.msr.tsc_aux;
    return done();
}

/* SDM volume 3C, "Changes to Instruction Behavior in VMX Non-Root Operation": #UD with "enable RDTSCP" 0. */
bool check_rdpid(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = undefined_opcode();
    return !cpu->vmx.non_root || vmcs_secondary_controls(&cpu->vmx.vmcs) & SECONDARY_ENABLE_RDTSCP;
}

struct cpu_outcome execute_rdpid(struct cpu *cpu, const struct insn *insn)
{
    operand_set_gpr(cpu, insn->rm, insn->operand_bits, (uint32_t)cpu->state.msr.tsc_aux);
    return done();
}

/* Everything is in order and complete at each trap. */
struct cpu_outcome execute_serialize(struct cpu *cpu, const struct insn *insn)
{
    (void)cpu;
    (void)insn;
    return done();
}

/* Allowed at CPL 0, and elsewhere with CR4.PCE. */
bool check_rdpmc(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome)
{
    (void)insn;
    *outcome = general_protection();
    return cpu->state.cr4 & CR4_PCE || cpu_cpl(&cpu->state) == 0;
}

struct cpu_outcome execute_rdpmc(struct cpu *cpu, const struct insn *insn)
{
    uint64_t value;

    (void)insn;
    if (!pmu_read_counter(cpu, (uint32_t)cpu->state.gpr[GPR_RCX], &value))
        return general_protection();
    operand_set_edx_eax(cpu, value);
    return done();
}

/* A number is always ready: CF = 1, the other arithmetic flags 0. */
struct cpu_outcome execute_rdrand(struct cpu *cpu, const struct insn *insn)
{
    operand_set_gpr(cpu, insn->rm, insn->operand_bits, random_next(&cpu->random_state));
    cpu->state.rflags = (cpu->state.rflags & ~RFLAGS_ARITHMETIC) | RFLAGS_CF;
    return done();
}

struct cpu_outcome execute_rdseed(struct cpu *cpu, const struct insn *insn)
{
    return execute_rdrand(cpu, insn);
}
