/*
 * dispatch.c: vmx_execute: the checks that all VMX instructions share, in the order of the "Operation"
 * sections of SDM "VMX Instructions", then the instruction's own file; its cost and its trace event.
 */
#include "vmx_model/capabilities.h"
#include "vmx_model/instructions/instructions.h"

enum {
    MEMORY_ONLY = 1,       /* a register form is #UD */
    NO_PREFIX = 2,         /* opcode "NP": 66, F2 and F3 give #UD */
    OUTSIDE_VMX = 4,       /* VMXON: needs CR4.VMXE instead of VMX operation */
    EXITS_IN_ANY_MODE = 8, /* VMCALL: in non-root operation the VM exit comes before the check of the mode */
    GUEST_ONLY = 16 /* VMFUNC: in non-root operation, in any mode, at any CPL; it checks what else there is */
};

struct vmx_instruction {
    struct cpu_outcome (*execute)(struct vmx *vmx, const struct insn *insn);
    bool (*supported)(const struct vmx *vmx); /* null: by every processor with VMX */
    uint16_t cost;                            /* offset in struct cpu_costs */
    uint8_t flags;
    uint8_t trace; /* enum trace_vmx_instruction */
    uint8_t cause; /* enum cycle_cause */
    bool free;     /* VMLAUNCH, VMRESUME: the entry charges for itself */
};

/* #UD conditions of INVEPT and INVVPID: the control and the instruction must be supported. */
static bool invept_supported(const struct vmx *vmx)
{
    return vmx->profile->has_ept && vmx->profile->vmx.ept_vpid_cap & EPT_CAP_INVEPT &&
           vmx_controls_may_be_1(&vmx->profile->vmx, VMX_SECONDARY) & SECONDARY_ENABLE_EPT;
}

static bool invvpid_supported(const struct vmx *vmx)
{
    return vmx->profile->has_vpid && vmx->profile->vmx.ept_vpid_cap & EPT_CAP_INVVPID &&
           vmx_controls_may_be_1(&vmx->profile->vmx, VMX_SECONDARY) & SECONDARY_ENABLE_VPID;
}

#define COST(field) offsetof(struct cpu_costs, field)
#define BOTH(name) TRACE_##name, CYCLES_##name

/* clang-format off */
static const struct vmx_instruction instructions[] = {
    [INSN_VMXON]    = {vmx_instruction_vmxon,    NULL,              COST(vmxon),              MEMORY_ONLY | OUTSIDE_VMX, BOTH(VMXON),    false},
    [INSN_VMXOFF]   = {vmx_instruction_vmxoff,   NULL,              COST(vmxon),              0,                         BOTH(VMXOFF),   false},
    [INSN_VMCLEAR]  = {vmx_instruction_vmclear,  NULL,              COST(vmclear),            MEMORY_ONLY,               BOTH(VMCLEAR),  false},
    [INSN_VMPTRLD]  = {vmx_instruction_vmptrld,  NULL,              COST(vmptrld),            MEMORY_ONLY | NO_PREFIX,   BOTH(VMPTRLD),  false},
    [INSN_VMPTRST]  = {vmx_instruction_vmptrst,  NULL,              COST(system_instruction), MEMORY_ONLY | NO_PREFIX,   BOTH(VMPTRST),  false},
    [INSN_VMREAD]   = {vmx_instruction_vmread,   NULL,              COST(vmread),             NO_PREFIX,                 BOTH(VMREAD),   false},
    [INSN_VMWRITE]  = {vmx_instruction_vmwrite,  NULL,              COST(vmwrite),            NO_PREFIX,                 BOTH(VMWRITE),  false},
    [INSN_VMLAUNCH] = {vmx_instruction_vmlaunch, NULL,              COST(vm_entry),           0,                         BOTH(VMLAUNCH), true},
    [INSN_VMRESUME] = {vmx_instruction_vmlaunch, NULL,              COST(vm_entry),           0,                         BOTH(VMRESUME), true},
    [INSN_VMCALL]   = {vmx_instruction_vmcall,   NULL,              COST(system_instruction), EXITS_IN_ANY_MODE,         BOTH(VMCALL),   false},
    [INSN_INVEPT]   = {vmx_instruction_invept,   invept_supported,  COST(invept),             MEMORY_ONLY,               BOTH(INVEPT),   false},
    [INSN_INVVPID]  = {vmx_instruction_invvpid,  invvpid_supported, COST(invvpid),            MEMORY_ONLY,               BOTH(INVVPID),  false},
    [INSN_VMFUNC]   = {vmx_instruction_vmfunc,   NULL,              COST(system_instruction), NO_PREFIX | GUEST_ONLY,    BOTH(VMFUNC),   false},
};
/* clang-format on */

static uint32_t cost_of(const struct vmx *vmx, const struct vmx_instruction *row)
{
    return ((const struct cpu_cost *)(const void *)((const uint8_t *)&vmx->profile->cost + row->cost))
        ->cycles;
}

static bool encoding_valid(const struct vmx_instruction *row, const struct insn *insn)
{
    if (insn->lock || (row->flags & MEMORY_ONLY && !insn->is_memory))
        return false;
    return !(row->flags & NO_PREFIX && (insn->operand_prefix || insn->rep != INSN_REP_NONE));
}

/* Not in real-address, virtual-8086 or compatibility mode. */
static bool mode_valid(const struct cpu_state *state)
{
    return !cpu_real_mode(state) && !cpu_v86_mode(state) && (!cpu_long_mode(state) || cpu_64bit_mode(state));
}

/* #UD conditions but for those of the encoding in VMX non-root operation that come as VM exits. */
static bool defined(const struct vmx *vmx, const struct vmx_instruction *row, const struct insn *insn)
{
    const bool enabled = row->flags & OUTSIDE_VMX ? (vmx->state->cr4 & CR4_VMXE) != 0 : vmx->on;

    if (!encoding_valid(row, insn) || !enabled)
        return false;
    if (row->flags & GUEST_ONLY)
        return vmx->non_root;
    if (!mode_valid(vmx->state) && !(vmx->non_root && row->flags & EXITS_IN_ANY_MODE))
        return false;
    return !row->supported || row->supported(vmx);
}

/* The checks, then the instruction. An outcome is some cache lines: each is made where it is sure to be
 * wanted. */
static struct cpu_outcome check_and_execute(struct vmx *vmx, const struct vmx_instruction *row,
                                            const struct insn *insn)
{
    if (!defined(vmx, row, insn))
        return outcome_fault(VECTOR_UD);
    if (row->flags & GUEST_ONLY)
        return row->execute(vmx, insn);
    /* Of those that get here VMREAD and VMWRITE alone may go on, by "VMCS shadowing". */
    if (vmx->non_root) {
        struct vm_exit exit = {0};
        if (vmx_instruction_exits(vmx, insn, &exit))
            return outcome_vm_exit(&exit);
    }
    if (cpu_cpl(vmx->state) != 0)
        return outcome_fault_code(VECTOR_GP, 0);
    return row->execute(vmx, insn);
}

/* How the instruction ended, as TRACE_VMX_INSTRUCTION tells it. */
static uint64_t result_of(const struct vmx *vmx, const struct vmx_instruction *row,
                          const struct cpu_outcome *outcome)
{
    if (outcome->kind == OUTCOME_EVENT)
        return ~0ull;
    if (outcome->kind != OUTCOME_DONE || row->flags & GUEST_ONLY)
        return 0; /* flags that VMFUNC leaves alone, a VM entry, or an entry failure that has an event of its
                     own */
    if (vmx->state->rflags & RFLAGS_CF)
        return ~1ull;
    return vmx->state->rflags & RFLAGS_ZF ? vmx->vmcs.vm_instruction_error : 0;
}

static void report(const struct vmx *vmx, const struct vmx_instruction *row,
                   const struct cpu_outcome *outcome, uint32_t cost)
{
    trace_emit(vmx->trace, &(struct trace_event){.kind = TRACE_VMX_INSTRUCTION,
                                                 .processor = vmx->processor,
                                                 .code = row->trace,
                                                 .a = result_of(vmx, row, outcome),
                                                 .cost = cost,
                                                 .cycles = vmx->account->now});
}

static struct cpu_outcome execute_known(struct vmx *vmx, const struct vmx_instruction *row,
                                        const struct insn *insn)
{
    const struct cpu_outcome outcome = check_and_execute(vmx, row, insn);
    const uint32_t cost = !row->free && outcome.kind == OUTCOME_DONE ? cost_of(vmx, row) : 0;
    cycles_charge(vmx->account, (enum cycle_cause)row->cause, cost);
    /* A VM exit of the guest's instruction, or an EPT violation, is told by the exit's own event. */
    if (outcome.kind != OUTCOME_VM_EXIT && trace_wants(vmx->trace, TRACE_VMX_INSTRUCTION))
        report(vmx, row, &outcome, cost);
    return outcome;
}

struct cpu_outcome vmx_execute(struct vmx *vmx, const struct insn *insn)
{
    if (insn->id >= sizeof(instructions) / sizeof(instructions[0]) || !instructions[insn->id].execute)
        return outcome_fault(VECTOR_UD);
    return execute_known(vmx, &instructions[insn->id], insn);
}
