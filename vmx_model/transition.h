/*
 * transition.h: what VM entry (entry*.c, injection.c) and VM exit (exit*.c) share. Private to vmx_model.
 */
#ifndef VTSIM_VMX_MODEL_TRANSITION_H
#define VTSIM_VMX_MODEL_TRANSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "vmx_model/vmx.h"

/* VMX-abort indicators: SDM "VMX Aborts". */
enum vmx_abort {
    VMX_ABORT_NONE = 0,
    VMX_ABORT_SAVING_GUEST_MSRS = 1,
    VMX_ABORT_HOST_PDPTES = 2,
    VMX_ABORT_LOADING_HOST_MSRS = 4,
    VMX_ABORT_HOST_NOT_IA32E = 6,
};

/* CR0 bits that VM entries and VM exits load; they never modify the others (ET, CD, NW and the reserved
 * ones): SDM "Loading Guest Control Registers, Debug Registers, and MSRs" and "Loading Host Control
 * Registers, ...". */
#define TRANSITION_CR0_LOADED (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_PG)

/* Bits of the access-rights fields that are defined: SDM "Format of Access Rights". */
#define TRANSITION_ACCESS_RIGHTS (AR_TYPE | AR_S | AR_DPL | AR_P | AR_AVL | AR_L | AR_DB | AR_G | AR_UNUSABLE)

/* Bits of the pending debug exceptions field: SDM "Format of Pending-Debug-Exceptions". */
#define PENDING_DEBUG_ENABLED_BREAKPOINT (1u << 12)
#define PENDING_DEBUG_BS (1u << 14)

/* PAE paging is in use: SDM volume 3A, "PAE Paging". */
static inline bool transition_pae_paging(const struct cpu_state *s)
{
    return (s->cr0 & CR0_PG) && (s->cr4 & CR4_PAE) && !(s->msr.efer & EFER_LMA);
}

/* entry_load.c: the whole guest-state area into the processor, PDPTEs excepted. */
void vmx_load_guest_state(struct vmx *vmx);
/* The PDPTEs of a guest that uses PAE paging, into pdpte, before any other guest state is loaded. False: they
 * are not valid. SDM "Loading Page-Directory-Pointer-Table Entries". */
bool vmx_guest_pdptes(struct vmx *vmx, uint64_t pdpte[4]);

/* injection.c: is the entry vectoring (SDM "Special Features of VM Entry")? */
bool vmx_entry_is_vectoring(const struct vmcs *v);
/* Decodes the VM-entry interruption information into vmx->injection and sets NMI blocking for an injected
 * NMI. */
void vmx_load_injection(struct vmx *vmx);
/* Pending debug exceptions after the entry: SDM "Delivery of Pending Debug Exceptions after VM Entry". */
uint64_t vmx_entry_pending_debug_exceptions(const struct vmcs *v);

/* preemption_timer.c: started by VM entry; its value at a VM exit. */
void vmx_start_preemption_timer(struct vmx *vmx);
uint32_t vmx_preemption_timer_left(const struct vmx *vmx);

/* exit_save.c: the processor into the guest-state area. */
void vmx_save_guest_state(struct vmx *vmx, const struct vm_exit *exit);
/* exit_load.c: the host-state area into the processor, invalidations included; vmx->non_root must be false.
 * Not the MSR list. VMX_ABORT_NONE on success. Blocking by NMI is not touched. */
enum vmx_abort vmx_load_host_state(struct vmx *vmx);
/* exit.c: what is kept about a guest only while it runs; vmx->non_root becomes false. */
void vmx_forget_guest(struct vmx *vmx);
/* exit.c: VMX abort; the outcome to return. */
struct cpu_outcome vmx_do_abort(struct vmx *vmx, enum vmx_abort indicator);

/* transition_cost.c: what an entry or exit costs before its MSR lists, PDPTEs and flush, which are charged
 * where they are processed. */
void vmx_charge_entry(struct vmx *vmx);
void vmx_charge_exit(struct vmx *vmx);

/* exit_cost.c: began: the time when the exit began. The vpid is the guest's. */
void vmx_exit_begins(struct vmx *vmx);
void vmx_exit_ended(struct vmx *vmx, uint32_t reason, uint16_t vpid, uint64_t began);
void vmx_entry_ended(struct vmx *vmx);

/* msr_list.c: entries of the three MSR areas. Physical address, 16-byte aligned; count of entries. They
 * charge cost.msr_list_entry for each entry. 0: all processed; else the number (1 is the first) of the entry
 * that failed. */
uint32_t vmx_load_msr_list(struct vmx *vmx, uint64_t address, uint32_t count, enum cycle_cause cause);
uint32_t vmx_store_msr_list(struct vmx *vmx, uint64_t address, uint32_t count);

#endif
