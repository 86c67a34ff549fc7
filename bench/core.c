/*
 * core.c: vtsim against bare Unicorn, the same guest code, in turn, in one process. Ratios are what counts: they hold on any
 * machine. Each pair is run several times and the best of each side is taken, so that another load on the host matters little.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"

enum { REPEATS = 3 };

extern const uint8_t kernel_compute5[], kernel_compute5_end[], kernel_compute2[], kernel_compute2_end[], kernel_pages[],
    kernel_pages_end[];

double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct pair {
    double bare, simulated;
};

static double best(double a, double b) { return a == 0 || b < a ? b : a; }

static struct pair measure_kernel(const struct kernel *kernel, int fills, int accounting)
{
    struct pair p = {0, 0};
    for (int i = 0; i < REPEATS; i++) {
        p.bare = best(p.bare, bare_run(kernel, fills));
        p.simulated = best(p.simulated, simulated_run(kernel, accounting));
    }
    return p;
}

/* Two counts, so that what comes before the first exit falls out. */
static struct pair measure_round_trips(const char *image, uint64_t count)
{
    struct pair p = {0, 0};
    for (int i = 0; i < REPEATS; i++) {
        p.bare = best(p.bare, bare_round_trips(count));
        double once = simulated_round_trips(image, count), twice = simulated_round_trips(image, 2 * count);
        p.simulated = best(p.simulated, twice - once);
    }
    return p;
}

static void print_row(const char *name, double bare_ns, double simulated_ns, double ratio, const char *goal)
{
    printf("%-44s %10.2f %10.2f %8.2f  %s\n", name, bare_ns, simulated_ns, ratio, goal);
}

/* What keeping cycles, causes and statistics costs a compute loop: off and on, in turn. */
static void print_accounting(const struct kernel *kernel)
{
    double on = 0, off = 0;
    for (int i = 0; i < REPEATS; i++) {
        off = best(off, simulated_run(kernel, 0));
        on = best(on, simulated_run(kernel, 1));
    }
    printf("%-44s %10.2f %10.2f %8.2f  %s\n", "the same, accounting off and on (speed)", off / (double)kernel->units * 1e9,
           on / (double)kernel->units * 1e9, off / on, ">= 0.80");
}

int main(int argc, char **argv)
{
    const char *image = argc > 1 ? argv[1] : BENCH_ROUND_TRIP_IMAGE;
    const uint64_t rounds = 100000000, page_rounds = 400, trips = 300000;
    const struct kernel five = {"compute5", kernel_compute5, kernel_compute5_end, rounds, rounds * 5};
    const struct kernel two = {"compute2", kernel_compute2, kernel_compute2_end, rounds, rounds * 5};
    const struct kernel pages = {"pages", kernel_pages, kernel_pages_end, page_rounds, page_rounds * BENCH_PAGES};
    printf("%-44s %10s %10s %8s  %s\n", "nanoseconds each", "bare", "vtsim", "ratio", "goal");
    struct pair p = measure_kernel(&five, 0, 1);
    print_row("instruction, 5 a block (speed against bare)", p.bare / (double)five.units * 1e9,
              p.simulated / (double)five.units * 1e9, p.bare / p.simulated, ">= 0.50");
    print_accounting(&five);
    p = measure_kernel(&two, 0, 1);
    print_row("instruction, 2 and 3 a block", p.bare / (double)two.units * 1e9, p.simulated / (double)two.units * 1e9,
              p.bare / p.simulated, ">= 0.25");
    p = measure_kernel(&pages, 1, 1);
    print_row("TLB miss, one-dimensional walk (cost)", p.bare / (double)pages.units * 1e9,
              p.simulated / (double)pages.units * 1e9, p.simulated / p.bare, "<= 4");
    p = measure_round_trips(image, trips);
    print_row("VM exit and entry, CPUID (cost)", p.bare / (double)trips * 1e9, p.simulated / (double)trips * 1e9,
              p.simulated / p.bare, "<= 5");
    return 0;
}
