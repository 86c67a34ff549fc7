/* bench.h: what the files of the benchmark share. */
#ifndef VTSIM_BENCH_BENCH_H
#define VTSIM_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>

struct kernel {
    const char *name;
    const uint8_t *code, *end;
    uint64_t rounds;
    uint64_t units; /* instructions, fills or round trips that it performs */
};

enum {
    BENCH_CODE_AT = 0x10000,
    BENCH_TABLES_AT = 0x20000,
    BENCH_DATA_AT = 0x400000,
    BENCH_RAM = 64 << 20,
    BENCH_PAGES = 8192,
};

/* Host seconds. Only benchmarks read the host's clock. */
double bench_seconds(void);

/* bare.c: the library alone. Each gives seconds. */
double bare_run(const struct kernel *kernel, int count_fills);
double bare_round_trips(uint64_t count);
/* simulated.c: the same code in vtsim. accounting 0: no cycles, no statistics. */
double simulated_run(const struct kernel *kernel, int accounting);
double simulated_round_trips(const char *image, uint64_t count);

#endif
