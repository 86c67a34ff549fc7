/*
 * x87_core.h: the x87 unit in the place of the library's: sim/core/x87.
 *
 * The library's functions for x87 instructions are replaced (x87_helpers.c, x87_environment.c). Before each
 * x87 or MMX instruction translated code calls x87_wait.c, which raises what is pending and keeps the opcode;
 * code without such instructions is as it was. An instruction that an unmasked exception ends leaves its
 * block at once by a trap of our own, so that nothing of it is done after that.
 */
#ifndef VTSIM_CORE_X87_CORE_H
#define VTSIM_CORE_X87_CORE_H

#include "sim/core/core_private.h"
#include "sim/core/x87/x87.h"

/* What is known of an instruction when it is translated. */
enum {
    X87_OPCODE = 0x7ff,    /* 11 bits, as the opcode register has them */
    X87_MMX_WRITES = 1 << 3, /* without X87_RECORDS: an MMX register is written, whose number is in bits 2:0 */
    X87_MMX_STAYS = 1 << 4,  /* likewise: no change to MMX state */
    X87_WAITS = 1 << 11,   /* #MF comes before it */
    X87_RECORDS = 1 << 12, /* its opcode and pointers are kept */
    X87_MOVES = 1 << 13,   /* FCMOVcc: looks at the stack whether it moves or not */
    X87_WIDE = 1 << 14,    /* FXSAVE, FXRSTOR with pointers of 64 bits */
    X87_KEEPS = 1 << 15,   /* leaves the pointers alone, though the library writes them */
};

/* core_open's part. False: another layout. */
bool x87_prove_layout(struct core *core);
/* Of insn, decoded with detail from bytes, for a block with these flags of the library; 0: nothing to do. */
uint16_t x87_word(const cs_insn *insn, const uint8_t *bytes, uint32_t hflags);
/* At the beginning of an instruction's translation. */
void x87_translate_begin(struct core *core, void *context, uint16_t word);
/* guard.c: calls a helper of the library with the state, and with a constant. */
void core_call_helper(struct core *core, void *context, void (*helper)(void), int32_t constant);

/* Ends the instruction that host_pc is in: nothing more of it is done. */
_Noreturn void x87_end(struct core *core, uintptr_t host_pc);
/* What is pending becomes #MF, or is told outside. */
void x87_raise_pending(struct core *core, uintptr_t host_pc);
/* A memory access failed. If the instruction at RIP is one of the x87 unit, it has changed nothing. */
void x87_take_back(struct core *core);
/* trap.c's parts: the rest of what those two do, between blocks; false ends the run. */
bool x87_on_end(struct core *core);
bool x87_on_external(struct core *core);
/* The pointers and the opcode are about to be looked at. */
void x87_settle_pointers(struct core *core);
/* After FXRSTOR of the library: what it leaves out. */
void x87_after_fxrstor(struct core *core, uint64_t address, uintptr_t host_pc);

#endif
