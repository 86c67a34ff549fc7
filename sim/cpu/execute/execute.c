/*
 * execute.c: cpu_execute: the checks that all instructions share and their order, by one table.
 *
 * Order: #UD, then the faults based on privilege, then VM exits, then the rest. A row's check has the #UD
 * conditions that the row itself does not name, and the privilege checks that are not simply "CPL 0". Source:
 * SDM volume 2, each instruction's page; volume 3C, "Relative Priority of Faults and VM Exits".
 */
#include "sim/cpu/execute/execute.h"

#include <stddef.h>

#include "sim/cpu/features.h"

/* Where in the profile the cost stands, and the cause that its cycles are booked under. */
#define COST(field, cause) offsetof(struct cpu_costs, field), CYCLES_##cause
#define WITH(name) (FEATURE_##name + 1)

/* clang-format off */
static const struct execute_row table[INSN_COUNT] = {
    [INSN_CPUID]       = {execute_cpuid,       NULL,             0,              COST(system_instruction, SYSTEM), 0},
    [INSN_RDTSC]       = {execute_rdtsc,       check_rdtsc,      WITH(TSC),      COST(system_instruction, SYSTEM), 0},
    [INSN_RDTSCP]      = {execute_rdtscp,      check_rdtscp,     WITH(RDTSCP),   COST(system_instruction, SYSTEM), 0},
    [INSN_RDPMC]       = {execute_rdpmc,       check_rdpmc,      0,              COST(system_instruction, SYSTEM), 0},
    [INSN_RDMSR]       = {execute_rdmsr,       NULL,             0,              COST(system_instruction, MSR_ACCESS), PRIVILEGED},
    [INSN_WRMSR]       = {execute_wrmsr,       NULL,             0,              COST(system_instruction, MSR_ACCESS), PRIVILEGED},
    [INSN_RDRAND]      = {execute_rdrand,      NULL,             WITH(RDRAND),   COST(system_instruction, SYSTEM), 0},
    [INSN_RDSEED]      = {execute_rdseed,      NULL,             WITH(RDSEED),   COST(system_instruction, SYSTEM), 0},
    [INSN_HLT]         = {execute_hlt,         NULL,             0,              COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_PAUSE]       = {execute_pause,       NULL,             0,              COST(system_instruction, SYSTEM), 0},
    [INSN_MONITOR]     = {execute_monitor,     check_monitor,    WITH(MONITOR),  COST(system_instruction, SYSTEM), 0},
    [INSN_MWAIT]       = {execute_mwait,       check_monitor,    WITH(MONITOR),  COST(system_instruction, SYSTEM), 0},
    [INSN_INVD]        = {execute_cache,       NULL,             0,              COST(wbinvd, SYSTEM), PRIVILEGED},
    [INSN_WBINVD]      = {execute_cache,       NULL,             0,              COST(wbinvd, SYSTEM), PRIVILEGED},
    [INSN_INVLPG]      = {execute_invlpg,      NULL,             0,              COST(invlpg, INVLPG),             PRIVILEGED},
    [INSN_INVPCID]     = {execute_invpcid,     check_invpcid,    WITH(INVPCID),  COST(invlpg, INVPCID),             PRIVILEGED},
    [INSN_XSETBV]      = {execute_xsetbv,      check_xsave,      WITH(XSAVE),    COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_XGETBV]      = {execute_xgetbv,      check_xsave,      WITH(XSAVE),    COST(system_instruction, SYSTEM), 0},
    [INSN_XSAVE]       = {execute_xsave,       check_xsave,      WITH(XSAVE),    COST(system_instruction, SYSTEM), 0},
    [INSN_XRSTOR]      = {execute_xrstor,      check_xsave,      WITH(XSAVE),    COST(system_instruction, SYSTEM), 0},
    [INSN_XSAVEOPT]    = {execute_xsaveopt,    check_xsave,      WITH(XSAVEOPT), COST(system_instruction, SYSTEM), 0},
    [INSN_XSAVEC]      = {execute_xsavec,      check_xsave,      WITH(XSAVEC),   COST(system_instruction, SYSTEM), 0},
    [INSN_XSAVES]      = {execute_xsaves,      check_xsaves,     WITH(XSAVES),   COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_XRSTORS]     = {execute_xrstors,     check_xsaves,     WITH(XSAVES),   COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_RDPID]       = {execute_rdpid,       check_rdpid,      WITH(RDPID),    COST(system_instruction, SYSTEM), 0},
    [INSN_CLFLUSH]     = {execute_cache_line,  NULL,             WITH(CLFSH),    COST(system_instruction, SYSTEM), 0},
    [INSN_CLFLUSHOPT]  = {execute_cache_line,  NULL,             WITH(CLFLUSHOPT), COST(system_instruction, SYSTEM), 0},
    [INSN_CLWB]        = {execute_cache_line,  NULL,             WITH(CLWB),     COST(system_instruction, SYSTEM), 0},
    [INSN_SERIALIZE]   = {execute_serialize,   NULL,             WITH(SERIALIZE), COST(system_instruction, SYSTEM), 0},
    [INSN_UMONITOR]    = {execute_umonitor,    check_user_wait,  WITH(WAITPKG),  COST(system_instruction, SYSTEM), 0},
    [INSN_UMWAIT]      = {execute_user_wait,   check_user_wait,  WITH(WAITPKG),  COST(system_instruction, SYSTEM), 0},
    [INSN_TPAUSE]      = {execute_user_wait,   check_user_wait,  WITH(WAITPKG),  COST(system_instruction, SYSTEM), 0},
    [INSN_RDPKRU]      = {execute_rdpkru,      check_pke,        WITH(PKU),      COST(system_instruction, SYSTEM), 0},
    [INSN_WRPKRU]      = {execute_wrpkru,      check_pke,        WITH(PKU),      COST(system_instruction, SYSTEM), 0},
    [INSN_MOV_TO_CR]   = {execute_mov_to_cr,   check_mov_cr,     0,              COST(mov_cr, MOV_CR),             PRIVILEGED},
    [INSN_MOV_FROM_CR] = {execute_mov_from_cr, check_mov_cr,     0,              COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_CLTS]        = {execute_clts,        NULL,             0,              COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_LMSW]        = {execute_lmsw,        check_lmsw,       0,              COST(mov_cr, MOV_CR),             PRIVILEGED},
    [INSN_SMSW]        = {execute_smsw,        check_umip,       0,              COST(system_instruction, SYSTEM), 0},
    [INSN_MOV_TO_DR]   = {execute_mov_to_dr,   check_mov_dr,     0,              COST(system_instruction, SYSTEM), 0},
    [INSN_MOV_FROM_DR] = {execute_mov_from_dr, check_mov_dr,     0,              COST(system_instruction, SYSTEM), 0},
    [INSN_SGDT]        = {execute_sgdt,        check_umip,       0,              COST(system_instruction, SYSTEM), 0},
    [INSN_SIDT]        = {execute_sidt,        check_umip,       0,              COST(system_instruction, SYSTEM), 0},
    [INSN_LGDT]        = {execute_lgdt,        NULL,             0,              COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_LIDT]        = {execute_lidt,        NULL,             0,              COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_SLDT]        = {execute_sldt,        check_umip,       0,              COST(system_instruction, SYSTEM), PROTECTED_MODE},
    [INSN_STR]         = {execute_str,         check_umip,       0,              COST(system_instruction, SYSTEM), PROTECTED_MODE},
    [INSN_LLDT]        = {execute_lldt,        NULL,             0,              COST(system_instruction, SYSTEM), PROTECTED_MODE | PRIVILEGED},
    [INSN_LTR]         = {execute_ltr,         NULL,             0,              COST(system_instruction, SYSTEM), PROTECTED_MODE | PRIVILEGED},
    [INSN_SWAPGS]      = {execute_swapgs,      check_64_bit,     0,              COST(system_instruction, SYSTEM), PRIVILEGED},
    [INSN_CLAC]        = {execute_clac_stac,   check_clac_stac,  WITH(SMAP),     COST(instruction, SYSTEM),        0},
    [INSN_STAC]        = {execute_clac_stac,   check_clac_stac,  WITH(SMAP),     COST(instruction, SYSTEM),        0},
    [INSN_PUSHF]       = {execute_pushf,       NULL,             0,              COST(instruction, SYSTEM),        0},
    [INSN_POPF]        = {execute_popf,        NULL,             0,              COST(instruction, SYSTEM),        0},
    [INSN_CLI]         = {execute_cli,         NULL,             0,              COST(instruction, SYSTEM),        0},
    [INSN_STI]         = {execute_sti,         NULL,             0,              COST(instruction, SYSTEM),        0},
    [INSN_IN]          = {execute_in,          check_io,         0,              COST(io_port, IO),            0},
    [INSN_OUT]         = {execute_out,         check_io,         0,              COST(io_port, IO),            0},
    [INSN_INS]         = {execute_ins,         check_io,         0,              COST(io_port, IO),            0},
    [INSN_OUTS]        = {execute_outs,        check_io,         0,              COST(io_port, IO),            0},
    [INSN_INT_N]       = {execute_int_n,       NULL,             0,              COST(instruction, SYSTEM),        0},
    [INSN_INT3]        = {execute_int3,        NULL,             0,              COST(instruction, SYSTEM),        0},
    [INSN_INTO]        = {execute_into,        check_into,       0,              COST(instruction, SYSTEM),        0},
    [INSN_X87]         = {execute_x87,         NULL,             0,              COST(instruction, INSTRUCTIONS),  0},
    [INSN_X87_EXTERNAL] = {execute_x87_external, NULL,           0,              COST(instruction, SYSTEM),        0},
    [INSN_INT1]        = {execute_int1,        NULL,             0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDMK]       = {execute_bndmk,       check_mpx,        0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDCL]       = {execute_bndcl,       check_mpx,        0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDCU]       = {execute_bndcu,       check_mpx,        0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDCN]       = {execute_bndcu,       check_mpx,        0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDMOV_TO]   = {execute_bndmov,      check_mpx,        0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDMOV_FROM] = {execute_bndmov,      check_mpx,        0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDLDX]      = {execute_bndldx,      check_mpx,        0,              COST(instruction, SYSTEM),        0},
    [INSN_BNDSTX]      = {execute_bndstx,      check_mpx,        0,              COST(instruction, SYSTEM),        0},
    /* The rooms that these go to charge for them, and order their checks themselves. */
    [INSN_VMXON]    = {execute_vmx, NULL, 0, 0, 0, 0}, [INSN_VMXOFF]   = {execute_vmx, NULL, 0, 0, 0, 0},
    [INSN_VMCLEAR]  = {execute_vmx, NULL, 0, 0, 0, 0}, [INSN_VMPTRLD]  = {execute_vmx, NULL, 0, 0, 0, 0},
    [INSN_VMPTRST]  = {execute_vmx, NULL, 0, 0, 0, 0}, [INSN_VMREAD]   = {execute_vmx, NULL, 0, 0, 0, 0},
    [INSN_VMWRITE]  = {execute_vmx, NULL, 0, 0, 0, 0}, [INSN_VMLAUNCH] = {execute_vmx, NULL, 0, 0, 0, 0},
    [INSN_VMRESUME] = {execute_vmx, NULL, 0, 0, 0, 0}, [INSN_VMCALL]   = {execute_vmx, NULL, 0, 0, 0, 0},
    [INSN_VMFUNC]   = {execute_vmx, NULL, 0, 0, 0, 0}, [INSN_INVEPT]   = {execute_vmx, NULL, 0, 0, 0, 0},
    [INSN_INVVPID]  = {execute_vmx, NULL, 0, 0, 0, 0},
    [INSN_SYSCALL]  = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    [INSN_SYSRET]   = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    [INSN_SYSENTER] = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    [INSN_SYSEXIT]  = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    [INSN_IRET]     = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    [INSN_CALL_FAR] = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    [INSN_JMP_FAR]  = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    [INSN_RET_FAR]  = {execute_far_transfer, NULL, 0, COST(system_instruction, FAR_TRANSFER), 0},
    /* CR4.SMXE cannot be set: #UD before anything else. With RSM (no SMM), UD0 to UD2 and
     * INSN_UNKNOWN they have no row: #UD. */
};
/* clang-format on */

struct cpu_outcome execute_vmx(struct cpu *cpu, const struct insn *insn)
{
    return vmx_execute(&cpu->vmx, insn);
}

struct cpu_outcome execute_far_transfer(struct cpu *cpu, const struct insn *insn)
{
    return cpu_far_transfer(cpu, insn);
}

/* #UD conditions that rows name. LOCK: SDM volume 2, "LOCK": #UD with any instruction that is not on its
 * list, which has none of these. */
static bool recognised(const struct cpu *cpu, const struct insn *insn, const struct execute_row *row)
{
    if (!row->effect || insn->lock)
        return false;
    if (row->feature && !cpu_has_feature(cpu->profile, (enum cpu_feature)(row->feature - 1)))
        return false;
    return !(row->flags & PROTECTED_MODE && (cpu_real_mode(&cpu->state) || cpu_v86_mode(&cpu->state)));
}

struct cpu_outcome cpu_execute(struct cpu *cpu, const struct insn *insn)
{
    const struct execute_row *row = &table[insn->id < INSN_COUNT ? insn->id : INSN_UNKNOWN];
    struct cpu_outcome outcome;
    struct vm_exit exit;

    if (!recognised(cpu, insn, row))
        return undefined_opcode();
    if (row->effect == execute_vmx)
        return execute_vmx(cpu, insn);
    if (row->check && !row->check(cpu, insn, &outcome))
        return outcome;
    if (row->flags & PRIVILEGED && cpu_cpl(&cpu->state) != 0)
        return general_protection();
    if (vmx_instruction_exits(&cpu->vmx, insn, &exit))
        return outcome_vm_exit(&exit);
    const char *costs = (const char *)&cpu->profile->cost;
    cycles_charge(&cpu->account, (enum cycle_cause)row->cause,
                  ((const struct cpu_cost *)(const void *)(costs + row->cost))->cycles);
    return row->effect(cpu, insn);
}
