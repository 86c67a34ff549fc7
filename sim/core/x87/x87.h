/*
 * x87.h: what the instructions of the x87 unit do to its registers: the stack, the status word, and whether
 * an unmasked exception leaves the rest of the instruction undone. Pure C.
 *
 * Every function gives false when the instruction ends there: its destination, the stack and memory stay as
 * they are, the status word tells why, and the next instruction that waits raises #MF. Source: SDM volume 1,
 * "x87 FPU Floating-Point Exception Conditions" and "x87 FPU Floating-Point Exception Handling".
 */
#ifndef VTSIM_CORE_X87_X87_H
#define VTSIM_CORE_X87_X87_H

#include "sim/core/x87/float80.h"

enum { X87_REGISTERS = 8, X87_TOP_SHIFT = 11 };

/* Bits of the status word. */
enum {
    X87_SF = 1 << 6,
    X87_ES = 1 << 7,
    X87_C0 = 1 << 8,
    X87_C1 = 1 << 9,
    X87_C2 = 1 << 10,
    X87_C3 = 1 << 14,
    X87_B = 1 << 15,
};

/* The registers, laid out as the library has them. */
struct x87_registers {
    uint32_t not_ours;
    uint32_t top;
    uint16_t status; /* without TOP */
    uint16_t control;
    uint8_t empty[X87_REGISTERS]; /* 1: yes */
    struct float80 r[X87_REGISTERS];
    uint16_t opcode, cs, ds;
    uint64_t ip, dp; /* offsets of the last instruction and of its operand */
};

/* Between the parts of one instruction. */
struct x87_operand {
    struct float80 value;
    bool empty, denormal; /* a register that is empty; denormal in its own format */
};

/* ES and B follow from the flags and the masks. */
void x87_summarize(struct x87_registers *x);
void x87_initialize(struct x87_registers *x); /* FNINIT */
void x87_pop(struct x87_registers *x);

struct x87_operand x87_operand_register(const struct x87_registers *x, unsigned i);
void x87_take_operand(const struct x87_registers *x, unsigned i, struct x87_operand *to); /* the same */
struct x87_operand x87_operand_real(uint64_t value, unsigned bits);
struct x87_operand x87_operand_integer(int64_t value);

bool x87_load_real(struct x87_registers *x, uint64_t value, unsigned bits);
bool x87_load_extended(struct x87_registers *x, struct float80 value);
bool x87_load_register(struct x87_registers *x, unsigned i);
enum x87_constant {
    X87_ONE,
    X87_LOG2_10,
    X87_LOG2_E,
    X87_PI,
    X87_LOG10_2,
    X87_LN_2,
    X87_ZERO,
};
bool x87_load_constant(struct x87_registers *x, enum x87_constant which);

bool x87_store_real(struct x87_registers *x, unsigned bits, uint64_t *value);
/* bits: 60 for FBSTP. */
bool x87_store_integer(struct x87_registers *x, unsigned bits, bool cut, int64_t *value);
bool x87_store_extended(struct x87_registers *x, struct float80 *value);
bool x87_store_register(struct x87_registers *x, unsigned i);
bool x87_exchange(struct x87_registers *x, unsigned i);
bool x87_conditional_move(struct x87_registers *x, unsigned i, bool holds);

enum x87_operation {
    X87_ADD,
    X87_MULTIPLY,
    X87_SUBTRACT,
    X87_SUBTRACT_REVERSED,
    X87_DIVIDE,
    X87_DIVIDE_REVERSED,
};
/* ST(i) = ST(i) operation operand. */
bool x87_arithmetic(struct x87_registers *x, enum x87_operation operation, unsigned i,
                    const struct x87_operand *operand);
/* Leaves C1 alone of the condition codes to the caller. */
bool x87_compare(struct x87_registers *x, const struct x87_operand *operand, bool quiet,
                 enum float80_order *order);
void x87_set_order(struct x87_registers *x, enum float80_order order); /* C3, C2, C0 */

bool x87_change_sign(struct x87_registers *x, bool absolute);
void x87_examine(struct x87_registers *x);
bool x87_square_root(struct x87_registers *x);
bool x87_round(struct x87_registers *x);
bool x87_scale(struct x87_registers *x);
bool x87_extract(struct x87_registers *x);
bool x87_remainder(struct x87_registers *x, bool nearest);

bool x87_power(struct x87_registers *x); /* F2XM1 */
enum x87_function { X87_ARCTANGENT, X87_LOGARITHM, X87_LOGARITHM_PLUS_ONE };
bool x87_of_two(struct x87_registers *x, enum x87_function function);
bool x87_sine(struct x87_registers *x, bool cosine);
bool x87_sine_cosine(struct x87_registers *x);
bool x87_tangent(struct x87_registers *x);

#endif
