/* insn_layout.c: the tables of insn_layout.h. Source: SDM volume 2, appendix "Opcode Map". */
#include "sim/core/insn_layout.h"

#include <stddef.h>

/* Sixteen opcodes in a row; prefixes, REX and escapes never get here. */
/* clang-format off */
static const char one_byte_map[] =
    "MMMMbz..MMMMbz.." /* 00 */
    "MMMMbz..MMMMbz.." /* 10 */
    "MMMMbz..MMMMbz.." /* 20 */
    "MMMMbz..MMMMbz.." /* 30 */
    "................" /* 40 */
    "................" /* 50 */
    "..MM....zZbm...." /* 60 */
    "bbbbbbbbbbbbbbbb" /* 70 */
    "mZmmMMMMMMMMMMMM" /* 80 */
    "..........f....." /* 90 */
    "aaaa....bz......" /* A0 */
    "bbbbbbbbvvvvvvvv" /* B0 */
    "mmw.MMmZe.w..b.." /* C0 */
    "MMMMbb..MMMMMMMM" /* D0 */
    "bbbbbbbbjjfb...." /* E0 */
    "......tT......MM" /* F0 */;

static const char map_0f[] =
    "MMMM.........M.m" /* 00 */
    "MMMMMMMMMMMMMMMM" /* 10 */
    "RRRR....MMMMMMMM" /* 20 */
    "................" /* 30 */
    "MMMMMMMMMMMMMMMM" /* 40 */
    "MMMMMMMMMMMMMMMM" /* 50 */
    "MMMMMMMMMMMMMMMM" /* 60 */
    "mmmmMMM.MM..MMMM" /* 70 */
    "jjjjjjjjjjjjjjjj" /* 80 */
    "MMMMMMMMMMMMMMMM" /* 90 */
    "...MmM.....MmMMM" /* A0 */
    "MMMMMMMMMMmMMMMM" /* B0 */
    "MMmMmmmM........" /* C0 */
    "MMMMMMMMMMMMMMMM" /* D0 */
    "MMMMMMMMMMMMMMMM" /* E0 */
    "MMMMMMMMMMMMMMMM" /* F0 */;
/* clang-format on */

_Static_assert(sizeof(one_byte_map) == 257 && sizeof(map_0f) == 257, "one character for each opcode");

enum insn_layout insn_layout(enum insn_map map, uint8_t opcode)
{
    switch (map) {
    case INSN_MAP_ONE_BYTE:
        return (enum insn_layout)one_byte_map[opcode];
    case INSN_MAP_0F:
        return (enum insn_layout)map_0f[opcode];
    case INSN_MAP_0F38:
        return LAYOUT_MODRM;
    case INSN_MAP_0F3A:
        break;
    }
    return LAYOUT_MODRM_IMM8;
}

/* Initialisers: PLAIN has no ModRM or takes any; REG is an opcode extended by ModRM.reg; EXACT by the whole
 * byte. */
#define PLAIN(map, opcode, prefix, size, where, id)                                                          \
    {                                                                                                        \
        INSN_MAP_##map, opcode, -1, -1, FORM_ANY, PREFIX_##prefix, SIZE_##size, where, 0, INSN_##id          \
    }
#define REG(map, opcode, reg, form, prefix, size, id)                                                        \
    {                                                                                                        \
        INSN_MAP_##map, opcode, reg, -1, FORM_##form, PREFIX_##prefix, SIZE_##size, IN_ALL_MODES, 0,         \
            INSN_##id                                                                                        \
    }
#define EXACT(opcode, modrm, prefix, id)                                                                     \
    {                                                                                                        \
        INSN_MAP_0F, opcode, -1, modrm, FORM_REGISTER, PREFIX_##prefix, SIZE_USUAL, IN_ALL_MODES, 0,         \
            INSN_##id                                                                                        \
    }
#define IO(opcode, bytes, id)                                                                                \
    {                                                                                                        \
        INSN_MAP_ONE_BYTE, opcode, -1, -1, FORM_ANY, PREFIX_ANY, SIZE_USUAL, IN_ALL_MODES, bytes, INSN_##id  \
    }

/* The frequent ones first: the table is searched from its start. */
static const struct insn_row rows[] = {
    PLAIN(0F, 0xa2, ANY, USUAL, IN_ALL_MODES, CPUID),
    EXACT(0x01, 0xc1, NONE, VMCALL),
    EXACT(0x01, 0xc2, NONE, VMLAUNCH),
    EXACT(0x01, 0xc3, NONE, VMRESUME),
    PLAIN(0F, 0x78, NONE, FORCED, IN_ALL_MODES, VMREAD),
    PLAIN(0F, 0x79, NONE, FORCED, IN_ALL_MODES, VMWRITE),
    PLAIN(0F, 0x20, ANY, FORCED, IN_ALL_MODES, MOV_FROM_CR),
    PLAIN(0F, 0x22, ANY, FORCED, IN_ALL_MODES, MOV_TO_CR),
    PLAIN(0F, 0x30, ANY, USUAL, IN_ALL_MODES, WRMSR),
    PLAIN(0F, 0x32, ANY, USUAL, IN_ALL_MODES, RDMSR),
    PLAIN(0F, 0x31, ANY, USUAL, IN_ALL_MODES, RDTSC),
    PLAIN(ONE_BYTE, 0xf4, ANY, USUAL, IN_ALL_MODES, HLT),
    PLAIN(ONE_BYTE, 0xcf, ANY, USUAL, IN_ALL_MODES, IRET),
    IO(0xe4, 1, IN),
    IO(0xe5, IO_SIZE_Z, IN),
    IO(0xe6, 1, OUT),
    IO(0xe7, IO_SIZE_Z, OUT),
    IO(0xec, 1, IN),
    IO(0xed, IO_SIZE_Z, IN),
    IO(0xee, 1, OUT),
    IO(0xef, IO_SIZE_Z, OUT),
    IO(0x6c, 1, INS),
    IO(0x6d, IO_SIZE_Z, INS),
    IO(0x6e, 1, OUTS),
    IO(0x6f, IO_SIZE_Z, OUTS),

    REG(0F, 0xc7, 6, MEMORY, NONE, USUAL, VMPTRLD),
    REG(0F, 0xc7, 6, MEMORY, 66, USUAL, VMCLEAR),
    REG(0F, 0xc7, 6, MEMORY, F3, USUAL, VMXON),
    REG(0F, 0xc7, 7, MEMORY, NONE, USUAL, VMPTRST),
    EXACT(0x01, 0xc4, NONE, VMXOFF),
    EXACT(0x01, 0xd4, NONE, VMFUNC),
    REG(0F38, 0x80, -1, MEMORY, 66, FORCED, INVEPT),
    REG(0F38, 0x81, -1, MEMORY, 66, FORCED, INVVPID),
    REG(0F38, 0x82, -1, MEMORY, 66, FORCED, INVPCID),

    REG(0F, 0x01, 7, MEMORY, ANY, USUAL, INVLPG),
    EXACT(0x01, 0xf9, ANY, RDTSCP),
    PLAIN(0F, 0x33, ANY, USUAL, IN_ALL_MODES, RDPMC),
    PLAIN(0F, 0x08, ANY, USUAL, IN_ALL_MODES, INVD),
    PLAIN(0F, 0x09, ANY, USUAL, IN_ALL_MODES, WBINVD),
    PLAIN(ONE_BYTE, 0x90, F3, USUAL, IN_ALL_MODES, PAUSE),
    EXACT(0x01, 0xc8, NONE, MONITOR),
    EXACT(0x01, 0xc9, NONE, MWAIT),
    PLAIN(0F, 0xaa, ANY, USUAL, IN_ALL_MODES, RSM),
    PLAIN(0F, 0x37, NONE, USUAL, IN_ALL_MODES, GETSEC),
    EXACT(0x01, 0xd0, NONE, XGETBV),
    EXACT(0x01, 0xd1, NONE, XSETBV),
    REG(0F, 0xc7, 5, MEMORY, NONE, USUAL, XSAVES),
    REG(0F, 0xc7, 3, MEMORY, NONE, USUAL, XRSTORS),
    REG(0F, 0xae, 4, MEMORY, NONE, USUAL, XSAVE),
    REG(0F, 0xae, 5, MEMORY, NONE, USUAL, XRSTOR),
    REG(0F, 0xae, 6, MEMORY, NONE, USUAL, XSAVEOPT),
    REG(0F, 0xc7, 4, MEMORY, NONE, USUAL, XSAVEC),
    REG(0F, 0xc7, 7, REGISTER, F3, FORCED, RDPID),
    REG(0F, 0xae, 7, MEMORY, NONE, USUAL, CLFLUSH),
    REG(0F, 0xae, 7, MEMORY, 66, USUAL, CLFLUSHOPT),
    REG(0F, 0xae, 6, MEMORY, 66, USUAL, CLWB),
    REG(0F, 0xae, 6, REGISTER, F3, USUAL, UMONITOR),
    REG(0F, 0xae, 6, REGISTER, F2, 32, UMWAIT),
    REG(0F, 0xae, 6, REGISTER, 66, 32, TPAUSE),
    EXACT(0x01, 0xe8, NONE, SERIALIZE),
    EXACT(0x01, 0xee, NONE, RDPKRU),
    EXACT(0x01, 0xef, NONE, WRPKRU),
    REG(0F, 0xc7, 6, REGISTER, NONE, USUAL, RDRAND),
    REG(0F, 0xc7, 6, REGISTER, 66, USUAL, RDRAND),
    REG(0F, 0xc7, 7, REGISTER, NONE, USUAL, RDSEED),
    REG(0F, 0xc7, 7, REGISTER, 66, USUAL, RDSEED),

    PLAIN(0F, 0x21, ANY, FORCED, IN_ALL_MODES, MOV_FROM_DR),
    PLAIN(0F, 0x23, ANY, FORCED, IN_ALL_MODES, MOV_TO_DR),
    PLAIN(0F, 0x06, ANY, USUAL, IN_ALL_MODES, CLTS),
    REG(0F, 0x01, 6, ANY, ANY, USUAL, LMSW),
    REG(0F, 0x01, 4, ANY, ANY, USUAL, SMSW),
    REG(0F, 0x01, 0, MEMORY, ANY, DEFAULT_64, SGDT),
    REG(0F, 0x01, 1, MEMORY, ANY, DEFAULT_64, SIDT),
    REG(0F, 0x01, 2, MEMORY, ANY, DEFAULT_64, LGDT),
    REG(0F, 0x01, 3, MEMORY, ANY, DEFAULT_64, LIDT),
    REG(0F, 0x00, 0, ANY, ANY, USUAL, SLDT),
    REG(0F, 0x00, 1, ANY, ANY, USUAL, STR),
    REG(0F, 0x00, 2, ANY, ANY, USUAL, LLDT),
    REG(0F, 0x00, 3, ANY, ANY, USUAL, LTR),
    EXACT(0x01, 0xca, NONE, CLAC),
    EXACT(0x01, 0xcb, NONE, STAC),
    {INSN_MAP_0F, 0x01, -1, 0xf8, FORM_REGISTER, PREFIX_ANY, SIZE_USUAL, ONLY_IN_64_BIT_MODE, 0, INSN_SWAPGS},

    /* Intel MPX: hints that do nothing where it is not enabled. */
    PLAIN(0F, 0x1a, F3, BOUNDS, IN_ALL_MODES, BNDCL),
    PLAIN(0F, 0x1a, F2, BOUNDS, IN_ALL_MODES, BNDCU),
    PLAIN(0F, 0x1a, 66, BOUNDS, IN_ALL_MODES, BNDMOV_TO),
    PLAIN(0F, 0x1a, NONE, BOUNDS, IN_ALL_MODES, BNDLDX),
    PLAIN(0F, 0x1b, F3, BOUNDS, IN_ALL_MODES, BNDMK),
    PLAIN(0F, 0x1b, F2, BOUNDS, IN_ALL_MODES, BNDCN),
    PLAIN(0F, 0x1b, 66, BOUNDS, IN_ALL_MODES, BNDMOV_FROM),
    PLAIN(0F, 0x1b, NONE, BOUNDS, IN_ALL_MODES, BNDSTX),

    PLAIN(0F, 0x05, ANY, USUAL, IN_ALL_MODES, SYSCALL),
    PLAIN(0F, 0x07, ANY, USUAL, IN_ALL_MODES, SYSRET),
    PLAIN(0F, 0x34, ANY, USUAL, IN_ALL_MODES, SYSENTER),
    PLAIN(0F, 0x35, ANY, USUAL, IN_ALL_MODES, SYSEXIT),
    PLAIN(ONE_BYTE, 0xcd, ANY, USUAL, IN_ALL_MODES, INT_N),
    PLAIN(ONE_BYTE, 0xcc, ANY, USUAL, IN_ALL_MODES, INT3),
    PLAIN(ONE_BYTE, 0xce, ANY, USUAL, NOT_IN_64_BIT_MODE, INTO),
    PLAIN(ONE_BYTE, 0xf1, ANY, USUAL, IN_ALL_MODES, INT1),
    PLAIN(ONE_BYTE, 0x9a, ANY, USUAL, NOT_IN_64_BIT_MODE, CALL_FAR),
    PLAIN(ONE_BYTE, 0xea, ANY, USUAL, NOT_IN_64_BIT_MODE, JMP_FAR),
    REG(ONE_BYTE, 0xff, 3, MEMORY, ANY, USUAL, CALL_FAR),
    REG(ONE_BYTE, 0xff, 5, MEMORY, ANY, USUAL, JMP_FAR),
    PLAIN(ONE_BYTE, 0xca, ANY, USUAL, IN_ALL_MODES, RET_FAR),
    PLAIN(ONE_BYTE, 0xcb, ANY, USUAL, IN_ALL_MODES, RET_FAR),
    PLAIN(ONE_BYTE, 0x9c, ANY, DEFAULT_64, IN_ALL_MODES, PUSHF),
    PLAIN(ONE_BYTE, 0x9d, ANY, DEFAULT_64, IN_ALL_MODES, POPF),
    PLAIN(ONE_BYTE, 0xfa, ANY, USUAL, IN_ALL_MODES, CLI),
    PLAIN(ONE_BYTE, 0xfb, ANY, USUAL, IN_ALL_MODES, STI),
    /* POP r/m is /0 alone: SDM volume 2, "Opcode Extensions for One- and Two-byte Opcodes", group 1A. */
    REG(ONE_BYTE, 0x8f, 1, ANY, ANY, USUAL, RESERVED),
    REG(ONE_BYTE, 0x8f, 2, ANY, ANY, USUAL, RESERVED),
    REG(ONE_BYTE, 0x8f, 3, ANY, ANY, USUAL, RESERVED),
    REG(ONE_BYTE, 0x8f, 4, ANY, ANY, USUAL, RESERVED),
    REG(ONE_BYTE, 0x8f, 5, ANY, ANY, USUAL, RESERVED),
    REG(ONE_BYTE, 0x8f, 6, ANY, ANY, USUAL, RESERVED),
    REG(ONE_BYTE, 0x8f, 7, ANY, ANY, USUAL, RESERVED),
    /* SSE4a is AMD's: EXTRQ and INSERTQ beside VMREAD and VMWRITE, MOVNTSD and MOVNTSS. */
    PLAIN(0F, 0x78, 66, USUAL, IN_ALL_MODES, RESERVED),
    PLAIN(0F, 0x78, F2, USUAL, IN_ALL_MODES, RESERVED),
    PLAIN(0F, 0x79, 66, USUAL, IN_ALL_MODES, RESERVED),
    PLAIN(0F, 0x79, F2, USUAL, IN_ALL_MODES, RESERVED),
    PLAIN(0F, 0x2b, F2, USUAL, IN_ALL_MODES, RESERVED),
    PLAIN(0F, 0x2b, F3, USUAL, IN_ALL_MODES, RESERVED),
    PLAIN(0F, 0x0b, ANY, USUAL, IN_ALL_MODES, UD), /* UD2 */
    PLAIN(0F, 0xb9, ANY, USUAL, IN_ALL_MODES, UD), /* UD1 */
    PLAIN(0F, 0xff, ANY, USUAL, IN_ALL_MODES, UD), /* UD0 */
};

/* F2 and F3 win over 66 as a mandatory prefix: SDM volume 2, "Using Opcode Superscripts", "Mandatory Prefix".
 */
static bool prefix_matches(enum insn_mandatory prefix, const struct insn *insn)
{
    switch (prefix) {
    case PREFIX_ANY:
        return true;
    case PREFIX_NONE:
        return insn->rep == INSN_REP_NONE && !insn->operand_prefix;
    case PREFIX_66:
        return insn->rep == INSN_REP_NONE && insn->operand_prefix;
    case PREFIX_F2:
        return insn->rep == INSN_REPNE;
    case PREFIX_F3:
        break;
    }
    return insn->rep == INSN_REP;
}

static bool row_matches(const struct insn_row *row, uint8_t modrm_byte, const struct insn *insn)
{
    bool wide = insn->mode_bits == 64;

    return (row->reg < 0 || row->reg == (modrm_byte >> 3 & 7)) &&
           (row->modrm < 0 || row->modrm == modrm_byte) &&
           (row->form == FORM_ANY || (row->form == FORM_MEMORY) == insn->is_memory) &&
           (row->where == IN_ALL_MODES || (row->where == ONLY_IN_64_BIT_MODE) == wide) &&
           prefix_matches((enum insn_mandatory)row->prefix, insn);
}

const struct insn_row *insn_row_find(enum insn_map map, uint8_t opcode, uint8_t modrm_byte,
                                     const struct insn *insn)
{
    /* F3 with REX.B before 90 is XCHG with R8, not PAUSE: SDM volume 2, "XCHG". */
    bool exchange = map == INSN_MAP_ONE_BYTE && opcode == 0x90 && insn->rex & 1;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !exchange; i++)
        if (rows[i].opcode == opcode && rows[i].map == (uint8_t)map &&
            row_matches(&rows[i], modrm_byte, insn))
            return &rows[i];
    return NULL;
}
