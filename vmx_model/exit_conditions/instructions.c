/*
 * instructions.c: which instructions cause VM exits in VMX non-root operation, by one table.
 *
 * Source: SDM "Instructions That Cause VM Exits Unconditionally" and "Instructions That Cause VM Exits
 * Conditionally". Faults that go before a VM exit (SDM "Relative Priority of Faults and VM Exits") are the
 * caller's.
 */
#include "vmx_model/capabilities.h"
#include "vmx_model/effective_controls.h"
#include "vmx_model/exit_conditions/exit_conditions.h"

#define WBNOINVD_SUPPORTED (1u << 9) /* CPUID.80000008H:EBX */

/* What decides; with none of them the instruction never exits. */
enum decision {
    NEVER,
    ALWAYS,
    PRIMARY,   /* any bit of control in the primary processor-based controls */
    SECONDARY, /* the same in the secondary ones */
    CONDITION, /* the function */
};

struct instruction_exit {
    uint8_t decision;
    uint8_t reason;
    uint8_t information; /* enum information_format */
    bool displacement;   /* the qualification is the operand's displacement */
    uint32_t control;
    exit_condition *condition;
};

#define EXITS(what, reason_) .decision = what, .reason = EXIT_REASON_##reason_
#define ON_PRIMARY(reason_, control_)                                                                        \
    {                                                                                                        \
        EXITS(PRIMARY, reason_), .control = PRIMARY_##control_                                               \
    }
#define ON_SECONDARY(reason_, control_)                                                                      \
    {                                                                                                        \
        EXITS(SECONDARY, reason_), .control = SECONDARY_##control_                                           \
    }
#define ON_CONDITION(reason_, function)                                                                      \
    {                                                                                                        \
        EXITS(CONDITION, reason_), .condition = function                                                     \
    }
#define IN_FORMAT(format) .information = INFORMATION_##format, .displacement = true
#define ON_DESCRIPTOR_TABLE_EXITING(reason_, format)                                                         \
    {                                                                                                        \
        EXITS(SECONDARY, reason_), .control = SECONDARY_DESCRIPTOR_TABLE_EXITING, IN_FORMAT(format)          \
    }

/* clang-format off */
static const struct instruction_exit table[INSN_COUNT] = {
    /* Unconditional. GETSEC faults before with CR4.SMXE = 0; VMFUNC exits by itself (instructions/vmfunc.c). */
    [INSN_CPUID]    = {EXITS(ALWAYS, CPUID)},
    [INSN_GETSEC]   = {EXITS(ALWAYS, GETSEC)},
    [INSN_INVD]     = {EXITS(ALWAYS, INVD)},
    [INSN_XSETBV]   = {EXITS(ALWAYS, XSETBV)},
    [INSN_VMCALL]   = {EXITS(ALWAYS, VMCALL)},
    [INSN_VMLAUNCH] = {EXITS(ALWAYS, VMLAUNCH)},
    [INSN_VMRESUME] = {EXITS(ALWAYS, VMRESUME)},
    [INSN_VMXOFF]   = {EXITS(ALWAYS, VMXOFF)},
    [INSN_VMXON]    = {EXITS(ALWAYS, VMXON),   IN_FORMAT(MEMORY)},
    [INSN_VMCLEAR]  = {EXITS(ALWAYS, VMCLEAR), IN_FORMAT(MEMORY)},
    [INSN_VMPTRLD]  = {EXITS(ALWAYS, VMPTRLD), IN_FORMAT(MEMORY)},
    [INSN_VMPTRST]  = {EXITS(ALWAYS, VMPTRST), IN_FORMAT(MEMORY)},
    [INSN_INVEPT]   = {EXITS(ALWAYS, INVEPT),  IN_FORMAT(MEMORY_REG2)},
    [INSN_INVVPID]  = {EXITS(ALWAYS, INVVPID), IN_FORMAT(MEMORY_REG2)},

    /* By one control. */
    [INSN_HLT]     = ON_PRIMARY(HLT, HLT_EXITING),
    [INSN_RDPMC]   = ON_PRIMARY(RDPMC, RDPMC_EXITING),
    [INSN_RDTSC]   = ON_PRIMARY(RDTSC, RDTSC_EXITING),
    [INSN_MWAIT]   = {EXITS(PRIMARY, MWAIT), .control = PRIMARY_MWAIT_EXITING, .condition = vmx_exit_mwait},
    [INSN_MONITOR] = ON_PRIMARY(MONITOR, MONITOR_EXITING),
    [INSN_PAUSE]   = ON_CONDITION(PAUSE, vmx_exit_pause),
    [INSN_WBINVD]  = {EXITS(SECONDARY, WBINVD), .control = SECONDARY_WBINVD_EXITING, .condition = vmx_exit_wbinvd},
    [INSN_RDRAND]  = {EXITS(SECONDARY, RDRAND), .control = SECONDARY_RDRAND_EXITING, .information = INFORMATION_RANDOM},
    [INSN_RDSEED]  = {EXITS(SECONDARY, RDSEED), .control = SECONDARY_RDSEED_EXITING, .information = INFORMATION_RANDOM},
    [INSN_SGDT]    = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_GDTR_OR_IDTR, GDTR_IDTR),
    [INSN_SIDT]    = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_GDTR_OR_IDTR, GDTR_IDTR),
    [INSN_LGDT]    = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_GDTR_OR_IDTR, GDTR_IDTR),
    [INSN_LIDT]    = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_GDTR_OR_IDTR, GDTR_IDTR),
    [INSN_SLDT]    = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_LDTR_OR_TR, LDTR_TR),
    [INSN_STR]     = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_LDTR_OR_TR, LDTR_TR),
    [INSN_LLDT]    = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_LDTR_OR_TR, LDTR_TR),
    [INSN_LTR]     = ON_DESCRIPTOR_TABLE_EXITING(ACCESS_TO_LDTR_OR_TR, LDTR_TR),

    /* By more than one control, by operands or bitmaps. RSM exits in SMM only, which is not modelled. */
    [INSN_VMREAD]      = {EXITS(CONDITION, VMREAD), .condition = vmx_exit_vmread, IN_FORMAT(VMREAD_VMWRITE)},
    [INSN_VMWRITE]     = {EXITS(CONDITION, VMWRITE), .condition = vmx_exit_vmwrite, IN_FORMAT(VMREAD_VMWRITE)},
    [INSN_INVLPG]      = ON_CONDITION(INVLPG, vmx_exit_invlpg),
    [INSN_INVPCID]     = {EXITS(CONDITION, INVPCID), .condition = vmx_exit_invpcid, IN_FORMAT(MEMORY_REG2)},
    [INSN_RDTSCP]      = ON_CONDITION(RDTSCP, vmx_exit_rdtscp),
    [INSN_UMWAIT]      = {EXITS(CONDITION, UMWAIT), .condition = vmx_exit_user_wait, .information = INFORMATION_RANDOM},
    [INSN_TPAUSE]      = {EXITS(CONDITION, TPAUSE), .condition = vmx_exit_user_wait, .information = INFORMATION_RANDOM},
    [INSN_XSAVES]      = {EXITS(CONDITION, XSAVES), .condition = vmx_exit_xsaves, IN_FORMAT(MEMORY)},
    [INSN_XRSTORS]     = {EXITS(CONDITION, XRSTORS), .condition = vmx_exit_xsaves, IN_FORMAT(MEMORY)},
    [INSN_MOV_TO_CR]   = ON_CONDITION(CONTROL_REGISTER_ACCESSES, vmx_exit_mov_to_cr),
    [INSN_MOV_FROM_CR] = ON_CONDITION(CONTROL_REGISTER_ACCESSES, vmx_exit_mov_from_cr),
    [INSN_CLTS]        = ON_CONDITION(CONTROL_REGISTER_ACCESSES, vmx_exit_clts),
    [INSN_LMSW]        = ON_CONDITION(CONTROL_REGISTER_ACCESSES, vmx_exit_lmsw),
    [INSN_MOV_TO_DR]   = ON_CONDITION(MOV_DR, vmx_exit_mov_dr),
    [INSN_MOV_FROM_DR] = ON_CONDITION(MOV_DR, vmx_exit_mov_dr),
    [INSN_RDMSR]       = ON_CONDITION(RDMSR, vmx_exit_rdmsr),
    [INSN_WRMSR]       = ON_CONDITION(WRMSR, vmx_exit_wrmsr),
    [INSN_IN]          = ON_CONDITION(IO_INSTRUCTION, vmx_exit_io),
    [INSN_OUT]         = ON_CONDITION(IO_INSTRUCTION, vmx_exit_io),
    [INSN_INS]         = {EXITS(CONDITION, IO_INSTRUCTION), .condition = vmx_exit_io, .information = INFORMATION_STRING_IO},
    [INSN_OUTS]        = {EXITS(CONDITION, IO_INSTRUCTION), .condition = vmx_exit_io, .information = INFORMATION_STRING_IO},
};
/* clang-format on */

bool vmx_exit_invlpg(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    if (!(vmx->vmcs.primary_proc_based_controls & PRIMARY_INVLPG_EXITING))
        return false;
    exit->qualification =
        vmx_exit_linear_address(vmx->state, insn->segment, seg_effective_address(vmx->state, insn));
    return true;
}

bool vmx_exit_mwait(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    exit->qualification = vmx->monitoring;
    return true;
}

/* WBNOINVD is WBINVD with F3, a prefix that processors without it ignore: SDM "Basic VM-Exit Information" and
 * volume 2, "WBNOINVD". */
bool vmx_exit_wbinvd(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    uint32_t address_sizes[4];
    profile_cpuid(vmx->profile, 0x80000008, 0, address_sizes);
    exit->qualification = insn->rep == INSN_REP && address_sizes[1] & WBNOINVD_SUPPORTED;
    return true;
}

/* With "enable INVPCID" 0 the instruction is #UD, which the caller has raised. */
bool vmx_exit_invpcid(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    (void)exit;
    return (vmx->vmcs.primary_proc_based_controls & PRIMARY_INVLPG_EXITING) &&
           (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_ENABLE_INVPCID);
}

/* With "enable RDTSCP" 0 the instruction is #UD, which the caller has raised. */
bool vmx_exit_rdtscp(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    (void)exit;
    return (vmx->vmcs.primary_proc_based_controls & PRIMARY_RDTSC_EXITING) &&
           (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_ENABLE_RDTSCP);
}

/* UMWAIT and TPAUSE; with "enable user wait and pause" 0 they are #UD, which the caller has raised. */
bool vmx_exit_user_wait(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    (void)exit;
    return (vmx->vmcs.primary_proc_based_controls & PRIMARY_RDTSC_EXITING) &&
           (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_ENABLE_USER_WAIT_AND_PAUSE);
}

/* XSAVES and XRSTORS: a component that is asked for, enabled in IA32_XSS and named in the XSS-exiting bitmap.
 * With "enable XSAVES/XRSTORS" 0 they are #UD, which the caller has raised. */
bool vmx_exit_xsaves(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    const uint64_t *gpr = vmx->state->gpr;
    const uint64_t mask = gpr[GPR_RDX] << 32 | (uint32_t)gpr[GPR_RAX];
    (void)insn;
    (void)exit;
    return (vmcs_secondary_controls(&vmx->vmcs) & SECONDARY_ENABLE_XSAVES_XRSTORS) &&
           (mask & vmx->state->msr.xss & vmx->vmcs.xss_exiting_bitmap);
}

/* SDM "Instructions That Cause VM Exits Conditionally", PAUSE, with the controls of "Controls for PAUSE-Loop
 * Exiting". Time is that of the TSC, which here counts cycles. */
static bool pause_loop_exits(struct vmx *vmx)
{
    const struct vmcs *v = &vmx->vmcs;
    const uint64_t now = vmx->account->now;
    if (!(vmcs_secondary_controls(v) & SECONDARY_PAUSE_LOOP_EXITING) || cpu_cpl(vmx->state) != 0)
        return false;
    const bool first = !vmx->pause_seen || now - vmx->pause_last > v->ple_gap;
    vmx->pause_seen = true;
    vmx->pause_last = now;
    if (first)
        vmx->pause_first = now;
    return !first && now - vmx->pause_first > v->ple_window;
}

bool vmx_exit_pause(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    (void)insn;
    (void)exit;
    return (vmx->vmcs.primary_proc_based_controls & PRIMARY_PAUSE_EXITING) || pause_loop_exits(vmx);
}

/* SDM table "Exit Qualification for MOV DR". */
bool vmx_exit_mov_dr(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    if (!(vmx->vmcs.primary_proc_based_controls & PRIMARY_MOV_DR_EXITING))
        return false;
    const uint32_t from = insn->id == INSN_MOV_FROM_DR;
    exit->qualification = (insn->reg & 7u) | from << 4 | (insn->rm & 15u) << 8;
    return true;
}

uint64_t vmx_exit_linear_address(const struct cpu_state *state, unsigned segment, uint64_t offset)
{
    if (!cpu_64bit_mode(state))
        return (uint32_t)(state->seg[segment].base + offset);
    return segment == SEG_FS || segment == SEG_GS ? state->seg[segment].base + offset : offset;
}

static bool decides(const struct vmcs *v, const struct instruction_exit *row)
{
    switch (row->decision) {
    case NEVER:
        return false;
    case PRIMARY:
        return (v->primary_proc_based_controls & row->control) != 0;
    case SECONDARY:
        return (vmcs_secondary_controls(v) & row->control) != 0;
    default:
        return true;
    }
}

bool vmx_instruction_exits(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit)
{
    if (!vmx->non_root || insn->id >= INSN_COUNT)
        return false;
    const struct instruction_exit *row = &table[insn->id];
    if (!decides(&vmx->vmcs, row))
        return false;
    *exit = (struct vm_exit){.reason = row->reason, .instruction_length = insn->length};
    if (row->condition && !row->condition(vmx, insn, exit))
        return false;
    if (row->displacement)
        exit->qualification = vmx_displacement_qualification(vmx->state, insn);
    exit->instruction_information =
        vmx_instruction_information(insn, (enum information_format)row->information);
    return true;
}
