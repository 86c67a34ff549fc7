/* foreign.h: TLB fills of an engine that is not the core's. For the benchmark's yardstick; null otherwise. */
#ifndef VTSIM_CORE_FOREIGN_H
#define VTSIM_CORE_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

extern bool (*core_foreign_fill)(void *cpu, uint64_t va, int mmu_index);

#endif
