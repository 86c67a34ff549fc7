/*
 * functions.h: the transcendental functions, in whole numbers. Within one unit in the last place, as the
 * manual asks of processors; which of the two neighbours a processor gives is its own. Source: SDM volume 1,
 * "Transcendental Instruction Accuracy", "Approximation of Pi"; volume 2, each instruction's table of special
 * operands.
 */
#ifndef VTSIM_CORE_X87_FUNCTIONS_H
#define VTSIM_CORE_X87_FUNCTIONS_H

#include "sim/core/x87/float80.h"

struct float80 float80_2_to_x_minus_1(struct float80_context *c, struct float80 a);
/* b * log2(a); plus_one: of a + 1. */
struct float80 float80_logarithm(struct float80_context *c, struct float80 a, struct float80 b,
                                 bool plus_one);
/* The angle of the point (x, y). */
struct float80 float80_arctangent(struct float80_context *c, struct float80 x, struct float80 y);
/* Sine and cosine, of what is asked for (not null); false: |a| is 2^63 or more, nothing is done. */
bool float80_sine_cosine(struct float80_context *c, struct float80 a, struct float80 *sine,
                         struct float80 *cosine);
bool float80_tangent(struct float80_context *c, struct float80 a, struct float80 *tangent);

#endif
