/*
 * execute.h: the parts of cpu_execute; private to this folder.
 *
 * An instruction has up to two functions. check: the faults that have priority over VM exits and are not in
 * the row (SDM volume 3C, "Relative Priority of Faults and VM Exits"). effect: the faults that come after,
 * and what it does. Both see the state before the instruction.
 */
#ifndef VTSIM_SIM_CPU_EXECUTE_H
#define VTSIM_SIM_CPU_EXECUTE_H

#include "sim/cpu/cpu.h"

/* False: *outcome is what the instruction comes to, a fault as a rule. */
typedef bool execute_check(struct cpu *cpu, const struct insn *insn, struct cpu_outcome *outcome);
typedef struct cpu_outcome execute_effect(struct cpu *cpu, const struct insn *insn);

enum execute_flags {
    PRIVILEGED = 1,    /* #GP(0) unless CPL is 0 (virtual-8086 mode is CPL 3) */
    PROTECTED_MODE = 2 /* #UD in real-address and virtual-8086 mode */
};

struct execute_row {
    execute_effect *effect; /* null: always #UD */
    execute_check *check;   /* may be null */
    uint16_t feature;       /* enum cpu_feature that it comes with, plus 1; 0: always there */
    uint16_t cost;          /* offset in struct cpu_costs of what the effect costs */
    uint8_t cause;          /* enum cycle_cause */
    uint8_t flags;          /* enum execute_flags */
};

static inline struct cpu_outcome done(void)
{
    return outcome_of(OUTCOME_DONE);
}
static inline struct cpu_outcome general_protection(void)
{
    return outcome_fault_code(VECTOR_GP, 0);
}
static inline struct cpu_outcome undefined_opcode(void)
{
    return outcome_fault(VECTOR_UD);
}

/* operands.c */

/* The low bits (16, 32 or 64) of a register, zero-extended. */
uint64_t operand_gpr(const struct cpu *cpu, unsigned gpr, unsigned bits);
/* Writes a register: 16 bits keep the rest, 32 clear bits 63:32. */
void operand_set_gpr(struct cpu *cpu, unsigned gpr, unsigned bits, uint64_t value);
/* EDX:EAX, as RDMSR, RDTSC and their like give it. */
void operand_set_edx_eax(struct cpu *cpu, uint64_t value);
uint64_t operand_edx_eax(const struct cpu *cpu);
/* A 16-bit operand in a register or in memory. */
bool operand_read_16(struct cpu *cpu, const struct insn *insn, uint16_t *value, struct cpu_outcome *outcome);
/* SLDT, STR, SMSW: memory gets 16 bits, a register the whole value by operand size. */
bool operand_store_16(struct cpu *cpu, const struct insn *insn, uint64_t value, struct cpu_outcome *outcome);
/* CR4.UMIP: #GP(0) for SGDT, SIDT, SLDT, SMSW, STR with CPL above 0. */
execute_check check_umip;

/* Families, one file each. */
execute_effect execute_cpuid, execute_rdtsc, execute_rdtscp, execute_rdpmc, execute_rdrand, execute_rdseed;
execute_check check_rdtsc, check_rdtscp, check_rdpmc;
execute_effect execute_rdmsr, execute_wrmsr;
execute_effect execute_x87, execute_x87_external;
execute_effect execute_hlt, execute_pause, execute_monitor, execute_mwait;
execute_check check_monitor;
execute_effect execute_cache, execute_invlpg, execute_invpcid;
execute_check check_invpcid;
execute_effect execute_xsetbv, execute_xgetbv;
execute_check check_xsave, check_xsaves;
execute_effect execute_xsave, execute_xsaveopt, execute_xsavec, execute_xsaves, execute_xrstor,
    execute_xrstors;
execute_effect execute_rdpid, execute_cache_line, execute_serialize, execute_umonitor, execute_user_wait;
execute_check check_rdpid, check_user_wait;
execute_effect execute_rdpkru, execute_wrpkru;
execute_check check_pke;
execute_check check_mov_cr, check_mov_dr, check_lmsw;
execute_effect execute_mov_to_cr, execute_mov_from_cr, execute_clts, execute_lmsw, execute_smsw;
execute_effect execute_mov_to_dr, execute_mov_from_dr;
execute_effect execute_sgdt, execute_sidt, execute_lgdt, execute_lidt;
execute_effect execute_sldt, execute_str, execute_lldt, execute_ltr;
execute_effect execute_swapgs, execute_clac_stac, execute_pushf, execute_popf, execute_cli, execute_sti;
execute_check check_64_bit, check_clac_stac;
execute_effect execute_in, execute_out, execute_ins, execute_outs;
execute_check check_io;
execute_effect execute_int_n, execute_int3, execute_into, execute_int1;
execute_check check_into;
execute_effect execute_bndmk, execute_bndcl, execute_bndcu, execute_bndmov, execute_bndldx, execute_bndstx;
execute_check check_mpx;
execute_effect execute_vmx, execute_far_transfer;

#endif
