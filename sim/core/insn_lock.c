/* insn_lock.c: see insn_lock.h. The library's translator generates broken code for some of those that may not
 * be locked. */
#include "sim/core/insn_lock.h"

#include <stddef.h>

enum { MAP_ONE_BYTE, MAP_0F };
#define REG(n) (1u << (n))
#define ANY_REG 0xffu

/* Instructions that read, change and write memory: their opcodes, and which ModRM.reg values stand for them.
 */
static const struct {
    uint8_t map, opcode, regs;
} lockable[] = {
    {MAP_ONE_BYTE, 0x00, ANY_REG},
    {MAP_ONE_BYTE, 0x01, ANY_REG},
    {MAP_ONE_BYTE, 0x08, ANY_REG}, /* ADD, OR */
    {MAP_ONE_BYTE, 0x09, ANY_REG},
    {MAP_ONE_BYTE, 0x10, ANY_REG},
    {MAP_ONE_BYTE, 0x11, ANY_REG}, /* ADC */
    {MAP_ONE_BYTE, 0x18, ANY_REG},
    {MAP_ONE_BYTE, 0x19, ANY_REG},
    {MAP_ONE_BYTE, 0x20, ANY_REG}, /* SBB, AND */
    {MAP_ONE_BYTE, 0x21, ANY_REG},
    {MAP_ONE_BYTE, 0x28, ANY_REG},
    {MAP_ONE_BYTE, 0x29, ANY_REG}, /* SUB */
    {MAP_ONE_BYTE, 0x30, ANY_REG},
    {MAP_ONE_BYTE, 0x31, ANY_REG}, /* XOR */
    {MAP_ONE_BYTE, 0x80, ANY_REG & ~REG(7)},
    {MAP_ONE_BYTE, 0x81, ANY_REG & ~REG(7)}, /* group 1 without CMP */
    {MAP_ONE_BYTE, 0x82, ANY_REG & ~REG(7)},
    {MAP_ONE_BYTE, 0x83, ANY_REG & ~REG(7)},
    {MAP_ONE_BYTE, 0x86, ANY_REG},
    {MAP_ONE_BYTE, 0x87, ANY_REG}, /* XCHG */
    {MAP_ONE_BYTE, 0xf6, REG(2) | REG(3)},
    {MAP_ONE_BYTE, 0xf7, REG(2) | REG(3)}, /* NOT, NEG */
    {MAP_ONE_BYTE, 0xfe, REG(0) | REG(1)},
    {MAP_ONE_BYTE, 0xff, REG(0) | REG(1)}, /* INC, DEC */
    {MAP_0F, 0xab, ANY_REG},
    {MAP_0F, 0xb3, ANY_REG},
    {MAP_0F, 0xbb, ANY_REG}, /* BTS, BTR, BTC */
    {MAP_0F, 0xba, REG(5) | REG(6) | REG(7)},
    {MAP_0F, 0xb0, ANY_REG},
    {MAP_0F, 0xb1, ANY_REG}, /* CMPXCHG */
    {MAP_0F, 0xc0, ANY_REG},
    {MAP_0F, 0xc1, ANY_REG}, /* XADD */
    {MAP_0F, 0xc7, REG(1)},  /* CMPXCHG8B, CMPXCHG16B */
};

static bool is_prefix(uint8_t byte, unsigned mode_bits)
{
    static const uint8_t legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    for (size_t i = 0; i < sizeof legacy; i++)
        if (byte == legacy[i])
            return true;
    return mode_bits == 64 && (byte & 0xf0) == 0x40;
}

bool insn_lock_allowed(const struct insn *insn)
{
    unsigned at = 0, map = MAP_ONE_BYTE;
    if (!insn->has_modrm || !insn->is_memory)
        return false;
    while (at < insn->length && is_prefix(insn->bytes[at], insn->mode_bits))
        at++;
    if (at < insn->length && insn->bytes[at] == 0x0f) {
        map = MAP_0F;
        at++;
    }
    for (size_t i = 0; at < insn->length && i < sizeof lockable / sizeof lockable[0]; i++)
        if (lockable[i].map == map && lockable[i].opcode == insn->bytes[at])
            return lockable[i].regs >> (insn->reg & 7) & 1;
    return false;
}
