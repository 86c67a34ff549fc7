/*
 * mmu.h: address translation for one logical processor. Enter the room here.
 *
 * mmu_translate looks a linear address up in the modelled TLB under the current tags (VPID, PCID, EP4TA),
 * else walks the guest's tables and the EPT, sets accessed and dirty flags, charges cycles and inserts. The
 * outer (emulator's) cache is kept a subset of the modelled TLB by the drop callbacks.
 *
 * Sources: SDM volume 3A chapter "Paging"; volume 3C "VMX Support for Address Translation".
 */
#ifndef VTSIM_TLB_MMU_H
#define VTSIM_TLB_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtsim/cpu_state.h"
#include "vtsim/cycles.h"
#include "vtsim/insn.h"
#include "vtsim/outcome.h"
#include "vtsim/phys_mem.h"
#include "vtsim/profile.h"
#include "vtsim/trace.h"

/* libunicorn's archive has a global function of this name. */
#define mmu_translate vtsim_mmu_translate

enum mmu_access { MMU_READ, MMU_WRITE, MMU_FETCH };

#define MMU_RIGHT_READ 1u
#define MMU_RIGHT_WRITE 2u
#define MMU_RIGHT_EXECUTE 4u

/* How an access is made. */
struct mmu_mode {
    bool user;         /* CPL 3, and not an implicit supervisor access (IDT, GDT, LDT, TSS) */
    bool smap_ignored; /* explicit supervisor access with RFLAGS.AC = 1: user pages may be read and written */
    bool narrow;       /* compatibility mode: linear addresses wrap at 4 GiB though EFER.LMA is 1 */
    uint8_t size;      /* bytes accessed, cut to the page; 0: one. Sub-page write permissions look at it */
};

enum mmu_status {
    MMU_OK,
    MMU_PAGE_FAULT,
    MMU_EPT_VIOLATION,
    MMU_EPT_MISCONFIGURATION,
    MMU_SPP_EVENT, /* SPP miss or misconfiguration */
    MMU_PML_FULL, /* page-modification log-full event: no flag was set, no access made */
    MMU_APIC_ACCESS,
};

struct mmu_translation {
    uint64_t physical; /* host-physical address of the byte */
    uint8_t rights;    /* MMU_RIGHT_*: what the same mode may do to this page from now on with no further
                        * bookkeeping; write only when the dirty flags are set already. A write that was allowed by
                        * sub-page write permissions has no right to write here: the next one is to be asked for */
    uint8_t page_bits; /* 12, 21, 22 or 30: the smaller of the guest's and the EPT's page */
};

struct mmu_fault {
    uint32_t error_code; /* page fault */
    uint64_t linear;
    uint64_t guest_physical;    /* EPT violation, EPT misconfiguration, SPP-related event */
    uint64_t qualification;     /* EPT violation, SPP-related event, APIC access: the exit qualification */
    bool convertible;           /* EPT violation: bit 63 (suppress #VE) of the entry that decides is 0 */
    uint8_t instruction_length; /* APIC access: of the instruction that made it; 0 if the MMU's caller does
                                   not say */
};

/* All that a translation depends on besides the tables themselves. */
struct mmu_regime {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t pdpte[4];   /* PAE paging */
    uint32_t pkru, pkrs; /* protection keys of user-mode and of supervisor-mode addresses */
    bool non_root;
    uint16_t vpid; /* tag: 0 in root operation and with "enable VPID" off */
    bool ept;      /* "enable EPT" is on (non-root only) */
    uint64_t eptp;
    bool mode_based_execute; /* "mode-based execute control for EPT" */
    bool hlat;               /* "enable HLAT" (with EPT) */
    uint64_t hlat_pointer;
    bool hlat_upper_only;    /* the HLAT prefix size is not 0 */
    bool paging_write;       /* "EPT paging-write control" */
    bool verify_guest_paging; /* "guest-paging verification" */
    bool sub_page_write; /* "sub-page write permissions for EPT" */
    uint64_t spptp;
    uint64_t pml_address; /* page-modification log: 512 entries of 8 bytes */
    uint16_t *pml_index;  /* the VMCS's; null: "enable PML" is off */
    bool apic_access;          /* "virtualize APIC accesses" is on (non-root only): the two pages count */
    uint64_t apic_access_page; /* physical addresses */
    uint64_t virtual_apic_page;
};

/* Who decides about linear accesses to the APIC-access page. Both are null where nobody sets
 * regime.apic_access. */
struct mmu_apic {
    /* True: the access goes to the virtual-APIC page. False: it is a VM exit. size in bytes. */
    bool (*virtualizes)(void *opaque, unsigned offset, unsigned size, enum mmu_access access);
    /* A write was made to the virtual-APIC page. */
    void (*written)(void *opaque, unsigned offset, unsigned size);
    void *opaque;
};

/* Would the same tables and the same TLB give the same translations and rights under both? */
bool mmu_same_translation(const struct mmu_regime *a, const struct mmu_regime *b);

/* Callbacks that keep the outer cache a subset of the modelled TLB. Any may be null. A cache without tags is
 * emptied by drop_all when the regime changes; one that keeps what it has of other regimes for their return
 * has switch_regime (and drop_others), and decides by mmu_same_translation what it may use again. */
struct mmu_outer_cache {
    void (*drop_page)(void *opaque, uint64_t linear, unsigned page_bits); /* of every regime */
    void (*drop_all)(void *opaque);                                       /* of the present regime */
    void (*drop_others)(void *opaque); /* of all regimes but the present one */
    void (*switch_regime)(void *opaque, const struct mmu_regime *to);
    void *opaque;
};

/* Ten entries of guest paging structures (HLAT paging and its restart), each through five of the EPT, and the page. */
#define MMU_PATH_ENTRIES 65
/* The entries of paging structures that one translation depends on. */
struct mmu_path {
    uint64_t address[MMU_PATH_ENTRIES]; /* physical, of each entry, in the order of the walk */
    bool ept[MMU_PATH_ENTRIES];         /* of an EPT paging structure */
    unsigned count;
};

/* A translation that was used, and that the tables do not give. */
struct mmu_stale {
    uint64_t linear;
    enum mmu_access access;
    enum trace_mapping mapping; /* what is kept: guest-physical when a combined mapping was made from it just now */
    uint64_t cached;            /* physical address of the byte, as kept */
    enum mmu_status status;     /* of a walk now */
    uint64_t now;               /* MMU_OK: physical address of the byte, as the tables have it */
    enum { MMU_STALE_PAGE, MMU_STALE_RIGHT, MMU_STALE_DIRTY } what; /* MMU_OK: what differs */
    uint8_t page_bits;
    bool global;
    uint16_t vpid, pcid; /* the entry's tags, as is the next */
    uint64_t ep4ta;      /* physical address; 0: none */
    uint64_t root;       /* the guest's top-level table that it was read from; 0: not known */
    const struct mmu_path *path; /* of the walk now, up to where it ended */
};

/* Who watches what is translated and accessed: stale.c. With one each use of a translation that the caller
 * asks for is held against the tables. The callbacks may not be null. */
struct mmu_watch {
    const uint8_t *pages; /* a bit for each page of RAM (by offset in it): accesses to it are told */
    void (*accessed)(void *opaque, uint64_t physical, size_t size, enum mmu_access access);
    /* The tables that a translation depends on. */
    void (*tables)(void *opaque, const struct mmu_path *path);
    /* True: the outer cache must not keep the translation. */
    bool (*stale)(void *opaque, const struct mmu_stale *stale);
    /* Set by the core while translated code is about to access memory: where, and the time. */
    bool in_translated_code;
    uint64_t rip, cycles;
    bool ask_again; /* the outer cache is not to keep the translation made last */
    void *opaque;
};

struct tlb;        /* tlb.h */
struct walk_cache; /* walk_cache.h */

struct mmu {
    struct mmu_regime regime;
    struct tlb *tlb;
    struct walk_cache *walk_cache;
    const struct cpu_profile *profile;
    const struct phys_mem *mem;
    const struct trace *trace;
    struct cycle_account *account; /* charged for walks and flushes */
    struct mmu_outer_cache outer;
    struct mmu_apic apic;
    struct mmu_watch *watch; /* null: nobody */
    uint8_t processor;
};

/* Allocates the TLB and the caches of the profile's geometry. False: out of memory. */
bool mmu_init(struct mmu *mmu, const struct cpu_profile *profile, const struct phys_mem *mem,
              const struct trace *trace, struct cycle_account *account);
void mmu_free(struct mmu *mmu);

/* Changes the regime (after MOV CR, a mode change, a VM entry or exit) and tells the outer cache
 * if the change matters to translation. Invalidates nothing in the modelled TLB: that is the
 * caller's duty through the functions below. */
void mmu_set_regime(struct mmu *mmu, const struct mmu_regime *regime);

/* Translates one byte's address. On a fault *fault is filled and nothing is inserted; what the SDM lets a
 * fault drop (page fault: that linear page; EPT violation: guest-physical and combined mappings) is dropped
 * and recorded. error_code of a page fault is complete. With paging off the linear address is the
 * (guest-)physical one. For a 32-bit linear address outside of 64-bit mode the caller passes it truncated. */
enum mmu_status mmu_translate(struct mmu *mmu, uint64_t linear, enum mmu_access access, struct mmu_mode mode,
                              struct mmu_translation *translation, struct mmu_fault *fault);

/* To be asked after mmu_translate about each access of size bytes, before it is made: SDM "Virtualizing
 * Memory-Mapped APIC Accesses". MMU_OK: make it, at *physical, which may have become that on the virtual-APIC
 * page; *virtualized says so, and for a write mmu->apic.written is to be called. MMU_APIC_ACCESS: VM exit,
 * *fault is filled. */
enum mmu_status mmu_check_apic_access(struct mmu *mmu, uint64_t linear, size_t size, enum mmu_access access,
                                      uint64_t *physical, bool *virtualized, struct mmu_fault *fault);
/* Is this physical address on the APIC-access page of the present guest? */
static inline bool mmu_on_apic_access_page(const struct mmu *mmu, uint64_t physical)
{
    return mmu->regime.apic_access && (physical & ~0xfffull) == mmu->regime.apic_access_page;
}

/* The model's own accesses to linear memory, at most 16 bytes or any length that crosses at most one page
 * boundary. A write translates both pages before it changes either. size in bytes. Addresses wrap at 32 bits
 * outside of 64-bit mode (regime.efer LMA clear). */
enum mmu_status mmu_read(struct mmu *mmu, uint64_t linear, void *to, size_t size, struct mmu_mode mode,
                         struct mmu_fault *fault);
enum mmu_status mmu_write(struct mmu *mmu, uint64_t linear, const void *from, size_t size,
                          struct mmu_mode mode, struct mmu_fault *fault);
/* Would a write be allowed? Translates for writing (and sets A and D as a write does) without changing
 * memory. */
enum mmu_status mmu_probe_write(struct mmu *mmu, uint64_t linear, size_t size, struct mmu_mode mode,
                                struct mmu_fault *fault);
/* Instruction bytes: reads up to size bytes; *got says how many before a fault. MMU_OK when *got > 0. */
enum mmu_status mmu_fetch(struct mmu *mmu, uint64_t linear, void *to, size_t size, struct mmu_mode mode,
                          size_t *got, struct mmu_fault *fault);
/* Guest-physical accesses by the processor itself in non-root operation (PDPTE load): through EPT when it is
 * on. */
enum mmu_status mmu_read_guest_physical(struct mmu *mmu, uint64_t guest_physical, void *to, size_t size,
                                        struct mmu_fault *fault);

/* stale.c: tells the watch of an access to physical memory that is about to be made, if it is on a page that it watches. */
void mmu_tell_access(const struct mmu *mmu, uint64_t physical, size_t size, enum mmu_access access);
/* Empties the outer cache, so that each translation is asked for again. */
void mmu_drop_outer_all(const struct mmu *mmu);

/* For a debugger or a report: walks without side effects or statistics. */
enum mmu_status mmu_peek(const struct mmu *mmu, uint64_t linear, uint64_t *physical);

/* The reserved-bit check of PDPTEs and their loading for PAE paging: SDM "PDPTE Registers". Reads 32 bytes at
 * cr3 through EPT if on. On success fills pdpte. *invalid: a present PDPTE has a reserved bit set (the caller
 * raises #GP or fails the entry). */
enum mmu_status mmu_load_pdptes(struct mmu *mmu, uint64_t cr3, uint64_t pdpte[4], bool *invalid,
                                struct mmu_fault *fault);
/* The reserved-bit check alone, for guest PDPTE fields. */
bool mmu_pdptes_valid(const uint64_t pdpte[4], unsigned physical_address_bits);

/* Invalidation. Each records a TRACE_TLB_FLUSH with its cause, books it under account->flush and drops the
 * outer cache's part. What comes with an instruction of its own (INVLPG, INVPCID, INVVPID, INVEPT) is charged
 * where that is executed; the others are charged cost.tlb_flush here. */
void mmu_invlpg(struct mmu *mmu, uint64_t linear); /* current VPID; current PCID and global, any page size */
/* The current VPID. keep_global: entries with G stay. pcid < 0: every PCID. */
void mmu_flush_pcid(struct mmu *mmu, int pcid, bool keep_global, enum trace_flush_cause cause);
/* INVPCID type 0: one address of one PCID, not global. */
void mmu_flush_pcid_address(struct mmu *mmu, uint16_t pcid, uint64_t linear);
/* INVVPID and entries and exits with VPID off (linear and combined mappings of that VPID, any PCID and
 * EP4TA). */
void mmu_flush_vpid(struct mmu *mmu, uint16_t vpid, bool keep_global, enum trace_flush_cause cause);
void mmu_flush_vpid_address(struct mmu *mmu, uint16_t vpid, uint64_t linear);
void mmu_flush_all_vpids(struct mmu *mmu); /* INVVPID type 2: all but VPID 0 */
/* INVEPT: guest-physical and combined mappings of that EP4TA (bits 51:12 of the EPTP), or of all. */
void mmu_flush_ept(struct mmu *mmu, uint64_t eptp);
void mmu_flush_all_ept(struct mmu *mmu);
/* WBINVD and INVD: page walks find the caches empty. */
void mmu_empty_caches(struct mmu *mmu);

/* Segmentation (segmentation.c): logical to linear address.
 * ----------------------------------------------------- */

/* The effective address of a memory operand: base + index * scale + displacement, cut to the address size. */
uint64_t seg_effective_address(const struct cpu_state *state, const struct insn *insn);
/* Checks segment (null, type, limit; canonical form in 64-bit mode) and gives the linear address, of data
 * after linear-address masking. False: *outcome is the #GP(0) or #SS(0) to raise. */
bool seg_linear_address(const struct cpu_state *state, enum cpu_segment_index segment, uint64_t offset,
                        size_t size, enum mmu_access access, uint64_t *linear, struct cpu_outcome *outcome);
/* The whole way for a memory operand of an instruction: effective address, checks, translation by
 * mmu_read/mmu_write at the current CPL (with RFLAGS.AC for SMAP). False: *outcome is the fault (#PF as event
 * with CR2) or the VM exit (EPT violation, EPT misconfiguration) to take. Breakpoints that are hit wait in
 * the pending debug exceptions of *state (vtsim/breakpoints.h). */
bool mmu_read_operand(struct mmu *mmu, struct cpu_state *state, const struct insn *insn, void *to,
                      size_t size, struct cpu_outcome *outcome);
bool mmu_write_operand(struct mmu *mmu, struct cpu_state *state, const struct insn *insn, const void *from,
                       size_t size, struct cpu_outcome *outcome);
/* Turns a translation failure into the event or VM exit that it causes. The VM exit has reason 48 or 49,
 * qualification, guest-linear and guest-physical address; for an APIC access reason 44 and qualification. */
struct cpu_outcome mmu_fault_outcome(enum mmu_status status, const struct mmu_fault *fault);

#endif
