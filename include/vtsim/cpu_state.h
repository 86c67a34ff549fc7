/*
 * cpu_state.h: the architectural state of one logical processor.
 *
 * Plain data, shared by every room. Values are the architectural ones (SDM volume 3C, "Guest Register
 * State" gives the form of segment access rights); no emulator's own encoding appears here.
 */
#ifndef VTSIM_CPU_STATE_H
#define VTSIM_CPU_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum cpu_gpr {
    GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI,
    GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15,
    GPR_COUNT
};

/* Encoding order of segment registers in instructions, then the two system segments. */
enum cpu_segment_index { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* Segment access rights in the VMCS form: SDM "Format of Access Rights". */
enum {
    AR_TYPE = 0xf,
    AR_S = 1u << 4,
    AR_DPL_SHIFT = 5,
    AR_DPL = 3u << 5,
    AR_P = 1u << 7,
    AR_AVL = 1u << 12,
    AR_L = 1u << 13,
    AR_DB = 1u << 14,
    AR_G = 1u << 15,
    AR_UNUSABLE = 1u << 16,
};

struct cpu_segment {
    uint64_t base;
    uint32_t limit; /* in bytes, already expanded by G */
    uint32_t access_rights;
    uint16_t selector;
};

struct cpu_descriptor_table {
    uint64_t base;
    uint16_t limit;
};

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

/* Linear-address masking for user pointers. */
#define CR3_LAM_U57 (1ull << 61)
#define CR3_LAM_U48 (1ull << 62)

#define CR4_VME (1ull << 0)
#define CR4_PVI (1ull << 1)
#define CR4_TSD (1ull << 2)
#define CR4_DE (1ull << 3)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_MCE (1ull << 6)
#define CR4_PGE (1ull << 7)
#define CR4_PCE (1ull << 8)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_LA57 (1ull << 12)
#define CR4_VMXE (1ull << 13)
#define CR4_SMXE (1ull << 14)
#define CR4_FSGSBASE (1ull << 16)
#define CR4_PCIDE (1ull << 17)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define CR4_PKE (1ull << 22)
#define CR4_CET (1ull << 23)
#define CR4_PKS (1ull << 24)
#define CR4_LAM_SUP (1ull << 28)

/* XCR0: the state components of Intel MPX, BNDREGS and BNDCSR. */
#define XCR0_BNDREGS (1ull << 3)
#define XCR0_BNDCSR (1ull << 4)
#define XCR0_MPX (XCR0_BNDREGS | XCR0_BNDCSR)

/* BNDCFGU and IA32_BNDCFGS: enable, preserve the bounds registers in branches, base of the bound directory. */
#define BNDCFG_ENABLE (1ull << 0)
#define BNDCFG_PRESERVE (1ull << 1)
#define BNDCFG_RESERVED 0xffcull
#define BNDCFG_BASE (~0xfffull)

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

#define RFLAGS_CF (1ull << 0)
#define RFLAGS_FIXED1 (1ull << 1)
#define RFLAGS_PF (1ull << 2)
#define RFLAGS_AF (1ull << 4)
#define RFLAGS_ZF (1ull << 6)
#define RFLAGS_SF (1ull << 7)
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_OF (1ull << 11)
#define RFLAGS_IOPL (3ull << 12)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_NT (1ull << 14)
#define RFLAGS_RF (1ull << 16)
#define RFLAGS_VM (1ull << 17)
#define RFLAGS_AC (1ull << 18)
#define RFLAGS_VIF (1ull << 19)
#define RFLAGS_VIP (1ull << 20)
#define RFLAGS_ID (1ull << 21)
#define RFLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* Exception vectors: SDM volume 3A, "Exception and Interrupt Reference". */
enum cpu_vector {
    VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3, VECTOR_OF = 4, VECTOR_BR = 5, VECTOR_UD = 6,
    VECTOR_NM = 7, VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12, VECTOR_GP = 13,
    VECTOR_PF = 14, VECTOR_MF = 16, VECTOR_AC = 17, VECTOR_MC = 18, VECTOR_XM = 19, VECTOR_VE = 20, VECTOR_CP = 21
};

/* Page-fault error code bits. */
/* IA32_DEBUGCTL: a bus lock at CPL above 0 raises #DB. DR6: cleared by that exception; in pending debug exceptions and exit
 * qualifications set. SDM volume 3B, "OS Bus-Lock Detection". */
#define DEBUGCTL_BUS_LOCK_DETECT (1ull << 2)
#define DR6_BUS_LOCK (1ull << 11)
/* MSR_TEST_CTRL: a locked access that crosses a cache line raises #AC(0). SDM volume 3A, "Split-Lock Disable". */
#define TEST_CTRL_SPLIT_LOCK (1ull << 29)

#define PF_P 1u
#define PF_W 2u
#define PF_U 4u
#define PF_RSVD 8u
#define PF_I 16u
#define PF_PK 32u
#define PF_HLAT 128u /* met in HLAT paging: there is no translation */

/* As in the VMCS: SDM "Guest Non-Register State", activity state. */
enum cpu_activity_state { ACTIVITY_ACTIVE = 0, ACTIVITY_HLT = 1, ACTIVITY_SHUTDOWN = 2, ACTIVITY_WAIT_FOR_SIPI = 3 };

/* As in the VMCS: SDM "Format of Interruptibility State". */
#define BLOCKING_BY_STI 1u
#define BLOCKING_BY_MOV_SS 2u
#define BLOCKING_BY_SMI 4u
#define BLOCKING_BY_NMI 8u

/* MSRs that a VM entry, a VM exit, paging or a system instruction reads; the rest live in sim/cpu. */
struct cpu_msrs {
    uint64_t efer;
    uint64_t star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat;
    uint64_t debugctl;
    uint64_t perf_global_ctrl;
    uint64_t tsc_aux;
    uint64_t tsc_adjust;
    uint64_t misc_enable;
    uint64_t feature_control;
    uint64_t apic_base;
    uint64_t test_ctrl;
    uint64_t spec_ctrl;
    uint64_t xss;
    uint64_t pkrs;
    uint64_t u_cet, s_cet;
    uint64_t pl_ssp[4]; /* IA32_PL0_SSP to IA32_PL3_SSP */
    uint64_t interrupt_ssp_table;
    uint64_t bndcfgs;
};

/* A bounds register of Intel MPX: SDM volume 1, chapter "Intel Memory Protection Extensions". upper is the upper bound's one's
 * complement; both 0: the initial configuration, which allows every address. */
struct cpu_bounds {
    uint64_t lower, upper;
};
enum { BOUNDS_COUNT = 4 };

struct cpu_state {
    uint64_t gpr[GPR_COUNT];
    uint64_t rip;
    uint64_t rflags; /* materialised, all bits */
    struct cpu_segment seg[SEG_COUNT];
    struct cpu_descriptor_table gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t xcr0;
    uint32_t pkru;
    uint64_t ssp; /* shadow-stack pointer */
    struct cpu_bounds bounds[BOUNDS_COUNT]; /* BND0 to BND3 */
    uint64_t bndcfgu, bndstatus;
    uint64_t dr[4], dr6, dr7;
    struct cpu_msrs msr;
    uint64_t pdpte[4]; /* the PDPTE registers of PAE paging */
    uint32_t activity_state;         /* enum cpu_activity_state */
    uint32_t interruptibility_state; /* BLOCKING_BY_* */
    uint64_t pending_debug_exceptions;
    /* Time-stamp counter: what RDTSC gives in root operation is cycles + tsc_offset_root. */
    uint64_t tsc_offset_root;
};

static inline unsigned cpu_cpl(const struct cpu_state *s)
{
    if (!(s->cr0 & CR0_PE))
        return 0;
    if (s->rflags & RFLAGS_VM)
        return 3;
    return (s->seg[SEG_SS].access_rights & AR_DPL) >> AR_DPL_SHIFT;
}

/* Would an access of the program's (not an implicit one of the supervisor's) be an #AC? alignment: bytes, 0
 * for none. SDM volume 3A, "Interrupt 17--Alignment Check Exception (#AC)". */
static inline bool cpu_misaligned(const struct cpu_state *s, uint64_t linear, unsigned alignment)
{
    return alignment && (s->rflags & RFLAGS_AC) && (s->cr0 & CR0_AM) && cpu_cpl(s) == 3 && linear % alignment;
}

static inline bool cpu_long_mode(const struct cpu_state *s) { return (s->msr.efer & EFER_LMA) != 0; }

static inline bool cpu_64bit_mode(const struct cpu_state *s)
{
    return cpu_long_mode(s) && (s->seg[SEG_CS].access_rights & AR_L);
}

/* Code size in bits of the current mode: 16, 32 or 64. */
static inline unsigned cpu_code_bits(const struct cpu_state *s)
{
    if (cpu_64bit_mode(s))
        return 64;
    return (s->seg[SEG_CS].access_rights & AR_DB) ? 32 : 16;
}

static inline bool cpu_real_mode(const struct cpu_state *s) { return !(s->cr0 & CR0_PE); }
static inline bool cpu_v86_mode(const struct cpu_state *s)
{
    return (s->cr0 & CR0_PE) && (s->rflags & RFLAGS_VM);
}

/* Linear-address bits of the paging mode: 57 with 5-level paging, else 48. SDM volume 1, "Canonical Addressing"; volume 3A,
 * "Paging Modes and Control Bits". What is accessed through, or put into RIP, is canonical by these. What is kept in an MSR,
 * a descriptor-table register or a segment's base, and the operands of INVPCID and INVVPID are canonical by the processor's
 * width (cpu_profile.linear_address_bits), whatever the paging mode is. */
static inline unsigned cpu_linear_bits(const struct cpu_state *s)
{
    return (s->cr4 & CR4_LA57) && cpu_long_mode(s) ? 57 : 48;
}

/* Linear-address masking: the linear address of a data access by way of this pointer. Source: SDM volume 3A,
 * "Linear-Address Masking (LAM)", and the chapter of that name in the Instruction Set Extensions Programming
 * Reference. Bit 63 alone, not the CPL, tells a user pointer from a supervisor pointer. LAM48 puts bit 47
 * into bits 62:48, LAM57 bit 56 into bits 62:57; whether the result is canonical is to be asked afterwards. A
 * linear address of 32 bits stays as it is. Not for fetches, nor for what INVLPG, INVPCID and INVVPID name.
 */
static inline uint64_t cpu_data_address(const struct cpu_state *s, uint64_t pointer)
{
    const bool supervisor = pointer >> 63;
    if (__builtin_expect(!(supervisor ? s->cr4 & CR4_LAM_SUP : s->cr3 & (CR3_LAM_U48 | CR3_LAM_U57)), 1))
        return pointer;
    const unsigned bits = supervisor ? cpu_linear_bits(s) : s->cr3 & CR3_LAM_U57 ? 57 : 48;
    const uint64_t masked = (1ull << 63) - (1ull << bits);
    return pointer >> (bits - 1) & 1 ? pointer | masked : pointer & ~masked;
}

/* Are bits 63:bits-1 identical? bits: 48 or 57. */
static inline bool cpu_canonical(uint64_t address, unsigned bits)
{
    const unsigned unused = 64 - bits;
    return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

/* BNDCFGU at privilege level 3, else IA32_BNDCFGS: SDM volume 1, chapter "Intel Memory Protection Extensions". */
static inline uint64_t cpu_bounds_configuration(const struct cpu_state *s)
{
    return cpu_cpl(s) == 3 ? s->bndcfgu : s->msr.bndcfgs;
}

/* Is Intel MPX enabled where the processor is: SDM volume 1, "MPX State" and "BOUND Instruction and Intel MPX". Otherwise its
 * instructions do nothing. */
static inline bool cpu_mpx_enabled(const struct cpu_state *s)
{
    return (s->xcr0 & XCR0_MPX) == XCR0_MPX && (s->cr4 & CR4_OSXSAVE) && (cpu_bounds_configuration(s) & BNDCFG_ENABLE);
}

#endif
