/* random.h: what RDRAND and RDSEED return. */
#ifndef VTSIM_SIM_CPU_RANDOM_H
#define VTSIM_SIM_CPU_RANDOM_H

#include <stdint.h>

/* The generator's state of a processor at power-on: a constant for each, so that runs repeat. */
uint64_t random_seed(uint8_t processor);
/* The next 64 bits. */
uint64_t random_next(uint64_t *state);

#endif
