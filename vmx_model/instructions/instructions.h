/*
 * instructions.h: the VMX instructions, one file each, behind the checks that they share (dispatch.c).
 *
 * A handler runs in VMX root operation (VMXON's: also outside VMX operation; VMREAD's and VMWRITE's: also in
 * non-root operation, with "VMCS shadowing") at CPL 0, in a mode in which the instruction exists. It gives
 * OUTCOME_DONE with RFLAGS set as SDM "Conventions" says, a fault of its operand, or what vmx_enter says.
 * Source: SDM chapter "VMX Instruction Reference".
 */
#ifndef VTSIM_VMX_MODEL_INSTRUCTIONS_H
#define VTSIM_VMX_MODEL_INSTRUCTIONS_H

#include "vmx_model/vmx.h"

struct cpu_outcome vmx_instruction_vmxon(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmxoff(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmclear(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmptrld(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmptrst(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmread(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmwrite(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmlaunch(struct vmx *vmx, const struct insn *insn); /* and VMRESUME */
struct cpu_outcome vmx_instruction_vmcall(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_vmfunc(struct vmx *vmx,
                                          const struct insn *insn); /* in non-root operation */
struct cpu_outcome vmx_instruction_invept(struct vmx *vmx, const struct insn *insn);
struct cpu_outcome vmx_instruction_invvpid(struct vmx *vmx, const struct insn *insn);

/* VMsucceed, VMfailInvalid and VMfail as results of a handler. */
static inline struct cpu_outcome vmx_done_succeed(struct vmx *vmx)
{
    vmx_succeed(vmx);
    return outcome_of(OUTCOME_DONE);
}

static inline struct cpu_outcome vmx_done_fail_invalid(struct vmx *vmx)
{
    vmx_fail_invalid(vmx);
    return outcome_of(OUTCOME_DONE);
}

static inline struct cpu_outcome vmx_done_fail(struct vmx *vmx, uint32_t error)
{
    vmx_fail(vmx, error);
    return outcome_of(OUTCOME_DONE);
}

/* The size in bytes of register operands and of VMREAD's and VMWRITE's operands: 8 in 64-bit mode, else 4,
 * whatever CS.D and prefixes say. */
static inline unsigned vmx_operand_size(const struct vmx *vmx)
{
    return cpu_64bit_mode(vmx->state) ? 8 : 4;
}

/* The value of a general-purpose register operand, cut to that size. */
static inline uint64_t vmx_register_operand(const struct vmx *vmx, unsigned gpr)
{
    uint64_t value = vmx->state->gpr[gpr];

    return vmx_operand_size(vmx) == 8 ? value : (uint32_t)value;
}

#endif
