/*
 * insn_decode.h: decodes the instructions that the processor's model executes itself.
 *
 * Pure C over bytes: no emulator, no state. Source: SDM volume 2, "Instruction Format" and "Opcode Map".
 */
#ifndef VTSIM_SIM_CORE_INSN_DECODE_H
#define VTSIM_SIM_CORE_INSN_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtsim/insn.h"

/* Decodes the instruction at bytes, of which got (0 to 15, more are not looked at) are known, for a code size
 * of mode_bits (16, 32 or 64). False: it does not end within got bytes; with got == 15 it is longer than the
 * 15 bytes that an instruction may have (the processor raises #GP). An instruction that is not in
 * vtsim/insn.h, or a form of one that does not exist in this mode, gives INSN_UNKNOWN; its length is right
 * for the one-byte and 0F maps without VEX, EVEX or XOP. */
bool insn_decode(const uint8_t *bytes, size_t got, unsigned mode_bits, struct insn *insn);

#endif
