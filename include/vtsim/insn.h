/*
 * insn.h: one decoded instruction, as far as the processor's model needs it.
 *
 * sim/core/insn_decode.c fills it for the instructions that trap (system, VMX, I/O, far transfers). Plain data,
 * so that vmx_model can form exit qualification and VM-exit instruction information from it.
 */
#ifndef VTSIM_INSN_H
#define VTSIM_INSN_H

#include <stdbool.h>
#include <stdint.h>

enum insn_id {
    INSN_UNKNOWN, /* not one of those below: #UD unless the core knows better */
    /* VMX */
    INSN_VMXON,
    INSN_VMXOFF,
    INSN_VMCLEAR,
    INSN_VMPTRLD,
    INSN_VMPTRST,
    INSN_VMREAD,
    INSN_VMWRITE,
    INSN_VMLAUNCH,
    INSN_VMRESUME,
    INSN_VMCALL,
    INSN_VMFUNC,
    INSN_INVEPT,
    INSN_INVVPID,
    /* system */
    INSN_CPUID,
    INSN_RDTSC,
    INSN_RDTSCP,
    INSN_RDPMC,
    INSN_RDMSR,
    INSN_WRMSR,
    INSN_HLT,
    INSN_INVD,
    INSN_WBINVD,
    INSN_INVLPG,
    INSN_INVPCID,
    INSN_PAUSE,
    INSN_MONITOR,
    INSN_MWAIT,
    INSN_RSM,
    INSN_GETSEC,
    INSN_XSETBV,
    INSN_XGETBV,
    INSN_XSAVES,
    INSN_XRSTORS,
    INSN_RDRAND,
    INSN_RDSEED,
    INSN_XSAVE,
    INSN_XSAVEOPT,
    INSN_XSAVEC,
    INSN_XRSTOR,
    INSN_RDPKRU,
    INSN_WRPKRU,
    INSN_RDPID,
    INSN_CLFLUSH,
    INSN_CLFLUSHOPT,
    INSN_CLWB,
    INSN_SERIALIZE,
    INSN_UMONITOR,
    INSN_UMWAIT,
    INSN_TPAUSE,
    INSN_MOV_TO_CR,
    INSN_MOV_FROM_CR,
    INSN_MOV_TO_DR,
    INSN_MOV_FROM_DR,
    INSN_CLTS,
    INSN_LMSW,
    INSN_SMSW,
    INSN_SGDT,
    INSN_SIDT,
    INSN_LGDT,
    INSN_LIDT,
    INSN_SLDT,
    INSN_STR,
    INSN_LLDT,
    INSN_LTR,
    /* Intel MPX; BNDMOV by its direction: to a bounds register (66 0F 1A), from one (66 0F 1B) */
    INSN_BNDMK,
    INSN_BNDCL,
    INSN_BNDCU,
    INSN_BNDCN,
    INSN_BNDMOV_TO,
    INSN_BNDMOV_FROM,
    INSN_BNDLDX,
    INSN_BNDSTX,
    INSN_SYSCALL,
    INSN_SYSRET,
    INSN_SYSENTER,
    INSN_SYSEXIT,
    INSN_SWAPGS,
    INSN_CLAC,
    INSN_STAC,
    /* I/O */
    INSN_IN,
    INSN_OUT,
    INSN_INS,
    INSN_OUTS,
    /* control transfer */
    INSN_INT_N,
    INSN_INT3,
    INSN_INTO,
    INSN_INT1,
    INSN_IRET,
    INSN_CALL_FAR,
    INSN_JMP_FAR,
    INSN_RET_FAR,
    INSN_PUSHF,
    INSN_POPF,
    INSN_CLI,
    INSN_STI,
    INSN_UD,
    INSN_X87,          /* one that an unmasked x87 exception ended: nothing is left to do but go on */
    INSN_X87_EXTERNAL, /* one that waits for a pending exception to be handled outside: CR0.NE is 0 */
    INSN_RESERVED, /* undefined, though the library would execute it */
    INSN_COUNT
};

enum insn_rep { INSN_REP_NONE, INSN_REP, INSN_REPNE };

struct insn {
    uint16_t id; /* enum insn_id */
    uint8_t length;       /* bytes, 1 to 15 */
    uint8_t mode_bits;    /* 16, 32 or 64: the code size that it was decoded for */
    uint8_t operand_bits; /* 16, 32 or 64 after prefixes and REX.W */
    uint8_t address_bits; /* 16, 32 or 64 */
    uint8_t rep;          /* enum insn_rep */
    bool lock;
    bool operand_prefix;  /* 66 present */
    uint8_t rex;          /* 0 if absent */
    bool has_modrm;
    bool is_memory;       /* ModRM names memory (always false for MOV CR and MOV DR) */
    uint8_t reg;          /* ModRM.reg with REX.R: the other operand, or the CR or DR number */
    uint8_t rm;           /* ModRM.rm with REX.B when it names a register */
    uint8_t segment;      /* enum cpu_segment_index of the memory operand after overrides and defaults; INS uses ES */
    bool segment_override;
    bool has_base, has_index, rip_relative;
    uint8_t base, index;  /* GPR numbers */
    uint8_t scale;        /* 0..3: factor 1, 2, 4, 8 */
    int64_t displacement; /* sign-extended; for rip_relative relative to the next instruction */
    uint64_t immediate;   /* INT n vector, IN/OUT port, RET FAR's bytes to release, far pointer's offset */
    uint16_t far_selector; /* direct far CALL and JMP */
    bool port_is_immediate; /* IN and OUT */
    uint8_t io_size;      /* IN, OUT, INS, OUTS: 1, 2 or 4 */
    uint8_t bytes[15];
};

#endif
