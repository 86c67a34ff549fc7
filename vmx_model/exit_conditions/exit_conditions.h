/*
 * exit_conditions.h: does what happens in VMX non-root operation cause a VM exit? Private to the folder; the
 * way in is vmx_model/vmx.h (vmx_instruction_exits, vmx_event_exits, vmx_external_interrupt_exits,
 * vmx_pending_exit).
 */
#ifndef VTSIM_VMX_MODEL_EXIT_CONDITIONS_H
#define VTSIM_VMX_MODEL_EXIT_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx_model/vmx.h"

/* Does the instruction exit? Called with exit's reason and instruction length set and the rest 0; adds what
 * is the instruction's own (qualification, guest-linear address). */
typedef bool exit_condition(struct vmx *vmx, const struct insn *insn, struct vm_exit *exit);

/* control_registers.c */
exit_condition vmx_exit_mov_to_cr, vmx_exit_mov_from_cr, vmx_exit_clts, vmx_exit_lmsw;
/* instructions.c */
exit_condition vmx_exit_invlpg, vmx_exit_invpcid, vmx_exit_rdtscp, vmx_exit_mov_dr, vmx_exit_pause,
    vmx_exit_xsaves, vmx_exit_user_wait, vmx_exit_wbinvd, vmx_exit_mwait;
/* io.c */
exit_condition vmx_exit_io;
/* msr_bitmap.c */
exit_condition vmx_exit_rdmsr, vmx_exit_wrmsr;
/* vmcs_shadowing.c */
exit_condition vmx_exit_vmread, vmx_exit_vmwrite;

/* Formats of the VM-exit instruction-information field: SDM "Information for VM Exits Due to Instruction
 * Execution". */
enum information_format {
    INFORMATION_NONE,
    INFORMATION_STRING_IO,   /* INS, OUTS */
    INFORMATION_MEMORY,      /* VMCLEAR, VMPTRLD, VMPTRST, VMXON */
    INFORMATION_MEMORY_REG2, /* INVEPT, INVPCID, INVVPID */
    INFORMATION_GDTR_IDTR,   /* LGDT, LIDT, SGDT, SIDT */
    INFORMATION_LDTR_TR,     /* LLDT, LTR, SLDT, STR */
    INFORMATION_RANDOM,      /* RDRAND, RDSEED, TPAUSE, UMWAIT */
    INFORMATION_VMREAD_VMWRITE,
};

/* instruction_information.c */
uint32_t vmx_instruction_information(const struct insn *insn, enum information_format format);
/* The exit qualification of instructions that report their displacement: SDM "Basic VM-Exit Information". */
uint64_t vmx_displacement_qualification(const struct cpu_state *state, const struct insn *insn);

/* The linear address of an offset, without any check. Bits 63:32 are clear outside of 64-bit mode. */
uint64_t vmx_exit_linear_address(const struct cpu_state *state, unsigned segment, uint64_t offset);
/* The low bits of a register that an operand or address of that size has. */
static inline uint64_t vmx_exit_low_bits(uint64_t value, unsigned bits)
{
    return bits >= 64 ? value : value & ((1ull << bits) - 1);
}

/* SDM "Basic VM-Exit Information", guest-linear address: bits 63:32 are cleared outside of 64-bit mode, also those
 * of a descriptor table or a TSS that lies above 4 GBytes. */
static inline uint64_t vmx_reported_linear_address(const struct cpu_state *s, const struct vm_exit *exit)
{
    return cpu_64bit_mode(s) ? exit->guest_linear_address : (uint32_t)exit->guest_linear_address;
}

#endif
