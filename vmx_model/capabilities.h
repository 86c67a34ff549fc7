/*
 * capabilities.h: what the capability MSRs allow: controls, VMCS addresses, EPT pointers.
 *
 * Source: SDM appendix "VMX Capability Reporting Facility" and the section titles beside each function.
 */
#ifndef VTSIM_VMX_MODEL_CAPABILITIES_H
#define VTSIM_VMX_MODEL_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

#include "vtsim/profile.h"

/* IA32_VMX_BASIC. */
#define VMX_BASIC_REVISION 0x7fffffffull
#define VMX_BASIC_ADDRESSES_32_BITS (1ull << 48)
#define VMX_BASIC_INS_OUTS_INFORMATION (1ull << 54)
#define VMX_BASIC_TRUE_CONTROLS (1ull << 55)

/* IA32_VMX_MISC. */
#define VMX_MISC_PREEMPTION_TIMER_SHIFT 0x1full
#define VMX_MISC_STORES_LMA (1ull << 5)
#define VMX_MISC_ACTIVITY_HLT (1ull << 6)
#define VMX_MISC_ACTIVITY_SHUTDOWN (1ull << 7)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI (1ull << 8)
#define VMX_MISC_CR3_TARGETS_SHIFT 16
#define VMX_MISC_CR3_TARGETS 0x1ffull
#define VMX_MISC_MSR_LIST_SHIFT 25
#define VMX_MISC_VMWRITE_ALL (1ull << 29)
#define VMX_MISC_INJECT_LENGTH_0 (1ull << 30)

/* IA32_VMX_EPT_VPID_CAP. */
#define EPT_CAP_EXECUTE_ONLY (1ull << 0)
#define EPT_CAP_WALK_LENGTH_4 (1ull << 6)
#define EPT_CAP_WALK_LENGTH_5 (1ull << 7)
#define EPT_CAP_MEMORY_TYPE_UC (1ull << 8)
#define EPT_CAP_MEMORY_TYPE_WB (1ull << 14)
#define EPT_CAP_PAGE_2M (1ull << 16)
#define EPT_CAP_PAGE_1G (1ull << 17)
#define EPT_CAP_INVEPT (1ull << 20)
#define EPT_CAP_ACCESSED_AND_DIRTY (1ull << 21)
#define EPT_CAP_ADVANCED_INFORMATION (1ull << 22) /* advanced VM-exit information for EPT violations */
#define EPT_CAP_INVEPT_TYPE(type) (1ull << (24 + (type))) /* 1 single-context, 2 global */
#define EPT_CAP_INVVPID (1ull << 32)
#define EPT_CAP_INVVPID_TYPE(type) (1ull << (40 + (type))) /* 0..3 as the instruction's types */


enum vmx_control_word { VMX_PIN_BASED, VMX_PRIMARY, VMX_SECONDARY, VMX_EXIT, VMX_ENTRY, VMX_CONTROL_WORDS };

/* The MSR that counts for a control word, the TRUE one where IA32_VMX_BASIC[55] says that it exists: bits
 * 31:0 are the controls that must be 1, bits 63:32 those that may be. Secondary controls on a processor
 * without them: 0. */
uint64_t vmx_control_capability(const struct vmx_capabilities *caps, enum vmx_control_word word);
/* Bits of the word that must be 1. */
uint32_t vmx_controls_must_be_1(const struct vmx_capabilities *caps, enum vmx_control_word word);
/* Bits of the word that may be 1. */
uint32_t vmx_controls_may_be_1(const struct vmx_capabilities *caps, enum vmx_control_word word);
/* Does the word have every bit that must be 1 and none that must be 0? */
bool vmx_controls_allowed(const struct vmx_capabilities *caps, enum vmx_control_word word, uint32_t value);

/* May cr (0 or 4) hold the value in VMX root operation: SDM "Restrictions on VMX Operation". */
/* The tertiary processor-based controls that may be 1; 0 without "activate tertiary controls". */
uint64_t vmx_tertiary_controls_may_be_1(const struct vmx_capabilities *caps);
/* The VM functions that may be enabled, as IA32_VMX_VMFUNC reports them; 0 without "enable VM functions". */
uint64_t vmx_vm_functions(const struct vmx_capabilities *caps);
bool vmx_cr_fixed_bits_ok(const struct vmx_capabilities *caps, unsigned cr, uint64_t value);

/* A VMCS or VMXON pointer: 4-KByte aligned, no bits beyond the physical-address width, below 4 GiB if
 * IA32_VMX_BASIC[48] is 1: SDM "Overview" of the VMCS chapter. */
bool vmx_vmcs_pointer_valid(const struct cpu_profile *profile, uint64_t address);

/* One leaf of CPUID; all zero if the profile has none. registers: EAX, EBX, ECX, EDX. */
void profile_cpuid(const struct cpu_profile *profile, uint32_t leaf, uint32_t subleaf, uint32_t registers[4]);

/* Would VM entry with "enable EPT" accept this EPTP: SDM "VM-Execution Control Fields" of the checks. */
bool vmx_ept_pointer_valid(const struct cpu_profile *profile, uint64_t ept_pointer);

#endif
