/* insn_decode.c: see insn_decode.h. Source: SDM volume 2, chapter "Instruction Format". */
#include "sim/core/insn_decode.h"

#include <string.h>

#include "sim/core/insn_layout.h"
#include "vtsim/cpu_state.h"

#define INSN_MAXIMUM_LENGTH 15

struct cursor {
    const uint8_t *bytes;
    size_t got;
    size_t at;
    bool ended; /* more bytes are needed */
};

/* The next size bytes (0 to 8), little-endian. */
static uint64_t take(struct cursor *c, unsigned size)
{
    uint64_t value = 0;

    if (c->ended || c->got - c->at < size) {
        c->ended = true;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)c->bytes[c->at + i] << (8 * i);
    c->at += size;
    return value;
}

static int64_t take_signed(struct cursor *c, unsigned size)
{
    uint64_t value = take(c, size);
    unsigned shift = 64 - 8 * size;

    return size ? (int64_t)(value << shift) >> shift : 0;
}

struct prefixes {
    bool address;
    bool operand;
    bool segment_present;
    uint8_t segment;
};

/* Takes one legacy prefix into account. False: byte is none. */
static bool legacy_prefix(uint8_t byte, struct insn *insn, struct prefixes *p)
{
    static const uint8_t segment_bytes[] = {0x26, 0x2e, 0x36,
                                            0x3e, 0x64, 0x65}; /* in enum cpu_segment_index order */

    for (unsigned i = 0; i < sizeof(segment_bytes); i++)
        if (byte == segment_bytes[i]) {
            /* SDM volume 1, "Segmentation in 64-Bit Mode": only FS and GS overrides act there. */
            if (insn->mode_bits != 64 || i >= SEG_FS) {
                p->segment_present = true;
                p->segment = (uint8_t)i;
            }
            return true;
        }
    switch (byte) {
    case 0x66:
        p->operand = true;
        return true;
    case 0x67:
        p->address = true;
        return true;
    case 0xf0:
        insn->lock = true;
        return true;
    case 0xf2:
        insn->rep = INSN_REPNE;
        return true;
    case 0xf3:
        insn->rep = INSN_REP;
        return true;
    default:
        return false;
    }
}

/* Legacy prefixes in any order, then REX, which counts only right before the opcode. Gives the opcode byte.
 */
static uint8_t take_prefixes(struct cursor *c, struct insn *insn, struct prefixes *p)
{
    uint8_t byte = (uint8_t)take(c, 1);

    while (!c->ended) {
        if (legacy_prefix(byte, insn, p))
            insn->rex = 0;
        else if (insn->mode_bits == 64 && (byte & 0xf0) == 0x40)
            insn->rex = byte;
        else
            break;
        byte = (uint8_t)take(c, 1);
    }
    insn->operand_prefix = p->operand;
    return byte;
}

static void set_sizes(struct insn *insn, const struct prefixes *p)
{
    if (insn->mode_bits == 16) {
        insn->operand_bits = p->operand ? 32 : 16;
        insn->address_bits = p->address ? 32 : 16;
    } else {
        insn->operand_bits = p->operand ? 16 : 32;
        insn->address_bits = insn->mode_bits;
        if (p->address)
            insn->address_bits = insn->mode_bits == 64 ? 32 : 16;
    }
    if (insn->rex & 8)
        insn->operand_bits = 64;
}

static void set_base(struct insn *insn, unsigned gpr)
{
    insn->has_base = true;
    insn->base = (uint8_t)gpr;
    if ((gpr == GPR_RSP || gpr == GPR_RBP) && !insn->segment_override)
        insn->segment = SEG_SS; /* SDM volume 1, "Specifying a Segment Selector": default of stack pointers */
}

static void set_index(struct insn *insn, unsigned gpr, unsigned scale)
{
    insn->has_index = true;
    insn->index = (uint8_t)gpr;
    insn->scale = (uint8_t)scale;
}

/* SDM volume 2, table "16-Bit Addressing Forms with the ModR/M Byte". */
static void memory_16(struct cursor *c, struct insn *insn, unsigned mod, unsigned rm)
{
    static const int8_t bases[8] = {GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX};
    static const int8_t indexes[8] = {GPR_RSI, GPR_RDI, GPR_RSI, GPR_RDI, -1, -1, -1, -1};

    if (mod == 0 && rm == 6) {
        insn->displacement = take_signed(c, 2);
        return;
    }
    set_base(insn, (unsigned)bases[rm]);
    if (indexes[rm] >= 0)
        set_index(insn, (unsigned)indexes[rm], 0);
    insn->displacement = take_signed(c, mod); /* mod 0, 1, 2: no, one or two bytes */
}

/* SDM volume 2, tables "32-Bit Addressing Forms with the ModR/M Byte" and "... with the SIB Byte". */
static void memory_32(struct cursor *c, struct insn *insn, unsigned mod, unsigned rm)
{
    unsigned base = rm;

    if (rm == 4) {
        unsigned sib = (unsigned)take(c, 1);
        unsigned index = (sib >> 3 & 7) | (insn->rex & 2u) << 2;
        base = sib & 7;
        if (index != 4)
            set_index(insn, index, sib >> 6);
    }
    if (mod == 0 && base == 5) {
        insn->rip_relative = rm == 5 && insn->mode_bits == 64;
        insn->displacement = take_signed(c, 4);
        return;
    }
    set_base(insn, base | (insn->rex & 1u) << 3);
    insn->displacement = take_signed(c, mod == 0 ? 0 : mod == 1 ? 1 : 4);
}

/* ModRM and what belongs to it. Gives the ModRM byte. */
static uint8_t take_modrm(struct cursor *c, struct insn *insn, bool register_only)
{
    uint8_t modrm = (uint8_t)take(c, 1);
    unsigned mod = modrm >> 6;
    unsigned rm = modrm & 7;

    insn->has_modrm = true;
    insn->reg = (uint8_t)((modrm >> 3 & 7) | (insn->rex & 4u) << 1);
    insn->is_memory = mod != 3 && !register_only;
    if (!insn->is_memory)
        insn->rm = (uint8_t)(rm | (insn->rex & 1u) << 3);
    else if (insn->address_bits == 16)
        memory_16(c, insn, mod, rm);
    else
        memory_32(c, insn, mod, rm);
    return modrm;
}

static unsigned immediate_z(const struct insn *insn)
{
    return insn->operand_bits == 16 ? 2 : 4;
}

/* Immediates after ModRM; reg is ModRM.reg without REX.R. */
static void take_immediate(struct cursor *c, struct insn *insn, enum insn_layout layout, unsigned reg)
{
    switch (layout) {
    case LAYOUT_IMM8:
    case LAYOUT_MODRM_IMM8:
        insn->immediate = take(c, 1);
        break;
    case LAYOUT_IMM16:
        insn->immediate = take(c, 2);
        break;
    case LAYOUT_IMM_Z:
    case LAYOUT_MODRM_IMM_Z:
        insn->immediate = take(c, immediate_z(insn));
        break;
    case LAYOUT_IMM_V:
        insn->immediate = take(c, insn->operand_bits / 8u);
        break;
    case LAYOUT_MODRM_TEST8:
        insn->immediate = take(c, reg < 2 ? 1 : 0);
        break;
    case LAYOUT_MODRM_TEST_Z:
        insn->immediate = take(c, reg < 2 ? immediate_z(insn) : 0);
        break;
    case LAYOUT_OFFSET:
        insn->immediate = take(c, insn->address_bits / 8u);
        break;
    case LAYOUT_FAR: /* no such instruction in 64-bit mode */
        insn->immediate = take(c, insn->mode_bits == 64 ? 0 : immediate_z(insn));
        insn->far_selector = (uint16_t)take(c, insn->mode_bits == 64 ? 0 : 2);
        break;
    case LAYOUT_ENTER:
        insn->immediate = take(c, 3);
        break;
    case LAYOUT_BRANCH_Z:
        insn->immediate = take(c, insn->mode_bits == 64 ? 4 : immediate_z(insn));
        break;
    case LAYOUT_NOTHING:
    case LAYOUT_MODRM:
    case LAYOUT_MODRM_REGISTER:
        break;
    }
}

static bool layout_has_modrm(enum insn_layout layout)
{
    return layout != LAYOUT_NOTHING && strchr("MRmZtT", (int)layout) != NULL;
}

static enum insn_map take_map(struct cursor *c, uint8_t *opcode)
{
    if (*opcode != 0x0f)
        return INSN_MAP_ONE_BYTE;
    *opcode = (uint8_t)take(c, 1);
    if (*opcode != 0x38 && *opcode != 0x3a)
        return INSN_MAP_0F;
    enum insn_map map = *opcode == 0x38 ? INSN_MAP_0F38 : INSN_MAP_0F3A;
    *opcode = (uint8_t)take(c, 1);
    return map;
}

static void apply_row(struct insn *insn, const struct insn_row *row, uint8_t opcode)
{
    bool wide = insn->mode_bits == 64;

    insn->id = row->id;
    if (row->size == SIZE_FORCED || row->size == SIZE_BOUNDS)
        insn->operand_bits = wide ? 64 : 32;
    else if (row->size == SIZE_32)
        insn->operand_bits = 32;
    else if (row->size == SIZE_DEFAULT_64 && wide)
        insn->operand_bits =
            (row->id == INSN_PUSHF || row->id == INSN_POPF) && insn->operand_prefix && !(insn->rex & 8) ? 16
                                                                                                        : 64;
    /* SDM volume 1, "Intel MPX and Operating Modes": the 67H prefix is ignored in 64-bit mode. */
    if (row->size == SIZE_BOUNDS && wide)
        insn->address_bits = 64;
    if (row->io_size)
        insn->io_size = row->io_size == IO_SIZE_Z ? (insn->operand_bits == 16 ? 2 : 4) : row->io_size;
    insn->port_is_immediate = (row->id == INSN_IN || row->id == INSN_OUT) && opcode < 0xe8;
    if (row->id == INSN_INS)
        insn->segment = SEG_ES; /* SDM volume 2, "INS": the ES segment cannot be overridden */
}

bool insn_decode(const uint8_t *bytes, size_t got, unsigned mode_bits, struct insn *insn)
{
    struct cursor c = {.bytes = bytes, .got = got < INSN_MAXIMUM_LENGTH ? got : INSN_MAXIMUM_LENGTH};
    struct prefixes p = {0};
    uint8_t modrm = 0;

    memset(insn, 0, sizeof(*insn));
    insn->mode_bits = (uint8_t)mode_bits;
    uint8_t opcode = take_prefixes(&c, insn, &p);
    set_sizes(insn, &p);
    insn->segment_override = p.segment_present;
    insn->segment = p.segment_present ? p.segment : SEG_DS;
    enum insn_map map = take_map(&c, &opcode);
    enum insn_layout layout = insn_layout(map, opcode);
    if (layout_has_modrm(layout))
        modrm = take_modrm(&c, insn, layout == LAYOUT_MODRM_REGISTER);
    take_immediate(&c, insn, layout, modrm >> 3 & 7);
    if (c.ended)
        return false;
    insn->length = (uint8_t)c.at;
    memcpy(insn->bytes, bytes, c.at);
    const struct insn_row *row = insn_row_find(map, opcode, modrm, insn);
    if (row)
        apply_row(insn, row, opcode);
    return true;
}
