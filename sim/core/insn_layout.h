/* insn_layout.h: what follows each opcode, and which instruction an opcode is. Private to insn_decode.c. */
#ifndef VTSIM_SIM_CORE_INSN_LAYOUT_H
#define VTSIM_SIM_CORE_INSN_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "vtsim/insn.h"

/* What follows an opcode: one of these characters for each opcode in the maps. */
enum insn_layout {
    LAYOUT_NOTHING = '.',
    LAYOUT_MODRM = 'M',
    LAYOUT_MODRM_REGISTER = 'R', /* MOV CR and MOV DR: ModRM whose mod field is ignored */
    LAYOUT_MODRM_IMM8 = 'm',
    LAYOUT_MODRM_IMM_Z = 'Z', /* immediate of 16 or 32 bits */
    LAYOUT_MODRM_TEST8 = 't', /* group 3: an immediate only for TEST, /0 and /1 */
    LAYOUT_MODRM_TEST_Z = 'T',
    LAYOUT_IMM8 = 'b',
    LAYOUT_IMM16 = 'w',
    LAYOUT_IMM_Z = 'z',
    LAYOUT_IMM_V = 'v',   /* 16, 32 or 64 bits */
    LAYOUT_OFFSET = 'a',  /* of the address size */
    LAYOUT_FAR = 'f',     /* far pointer */
    LAYOUT_ENTER = 'e',   /* 16 and 8 bits */
    LAYOUT_BRANCH_Z = 'j' /* 66 is ignored in 64-bit mode */
};

enum insn_map { INSN_MAP_ONE_BYTE, INSN_MAP_0F, INSN_MAP_0F38, INSN_MAP_0F3A };

enum insn_layout insn_layout(enum insn_map map, uint8_t opcode);

enum insn_form { FORM_ANY, FORM_MEMORY, FORM_REGISTER };
enum insn_mandatory { PREFIX_ANY, PREFIX_NONE, PREFIX_66, PREFIX_F2, PREFIX_F3 };
/* How the operand size comes about: SDM volume 2, "Operand-Size"; the opcode map's footnotes d64 and f64. */
enum insn_size { SIZE_USUAL, SIZE_DEFAULT_64, SIZE_FORCED, SIZE_32, SIZE_BOUNDS };
enum insn_where { IN_ALL_MODES, NOT_IN_64_BIT_MODE, ONLY_IN_64_BIT_MODE };

struct insn_row {
    uint8_t map; /* enum insn_map */
    uint8_t opcode;
    int8_t reg;      /* ModRM.reg without REX.R, or -1: any */
    int16_t modrm;   /* the whole byte, or -1: any */
    uint8_t form;    /* enum insn_form */
    uint8_t prefix;  /* enum insn_mandatory */
    uint8_t size;    /* enum insn_size; SIZE_FORCED: 64 in 64-bit mode, else 32; SIZE_32: always 32;
                        SIZE_BOUNDS: as SIZE_FORCED, and 64-bit mode ignores 67 */
    uint8_t where;   /* enum insn_where */
    uint8_t io_size; /* 0: not I/O; IO_SIZE_Z: 2 or 4 by the operand size */
    uint8_t id;      /* enum insn_id */
};
#define IO_SIZE_Z 0xff

/* The row for an instruction decoded so far (modrm_byte is meaningful with has_modrm), or null. */
const struct insn_row *insn_row_find(enum insn_map map, uint8_t opcode, uint8_t modrm_byte,
                                     const struct insn *insn);

#endif
