/* simulated.c: the same code in vtsim: whole machine, all checks, statistics as `vtsim run --stats` keeps them but for the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "sim/machine_private.h"
#include "traces/stats/stats.h"

enum { PAGE_PRESENT = 1, PAGE_WRITE = 2, PAGE_TABLES = 80 };

static void check(const struct machine_result *result, enum machine_outcome wanted, const char *what)
{
    if (result->outcome == wanted)
        return;
    fprintf(stderr, "bench: %s ended as %s: %s\n", what, machine_outcome_name(result->outcome), result->message);
    exit(1);
}

/* Four levels of tables with 4-KiB pages, RAM 1:1. */
static void map_ram(uint8_t *ram)
{
    uint64_t *pml4 = (uint64_t *)(void *)(ram + BENCH_TABLES_AT), *pdpt = pml4 + 512, *pd = pdpt + 512, *pt = pd + 512;
    pml4[0] = (BENCH_TABLES_AT + 0x1000) | PAGE_PRESENT | PAGE_WRITE;
    pdpt[0] = (BENCH_TABLES_AT + 0x2000) | PAGE_PRESENT | PAGE_WRITE;
    for (uint64_t i = 0; i < BENCH_RAM >> 21; i++)
        pd[i] = (BENCH_TABLES_AT + 0x3000 + i * 0x1000) | PAGE_PRESENT | PAGE_WRITE;
    for (uint64_t i = 0; i < BENCH_RAM >> 12; i++)
        pt[i] = i << 12 | PAGE_PRESENT | PAGE_WRITE;
}

static void start_in_64_bit_mode(struct machine *m, uint64_t rounds)
{
    struct cpu_state *s = &m->processors[0].cpu.state;
    s->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
    s->cr3 = BENCH_TABLES_AT;
    s->cr4 = CR4_PAE;
    s->msr.efer = EFER_LME | EFER_LMA;
    s->rip = BENCH_CODE_AT;
    s->rflags = RFLAGS_FIXED1;
    for (int i = SEG_ES; i <= SEG_GS; i++)
        s->seg[i] = (struct cpu_segment){.limit = UINT32_MAX, .access_rights = i == SEG_CS ? 0xa09b : 0xc093};
    s->gpr[GPR_RSI] = BENCH_DATA_AT;
    s->gpr[GPR_RDI] = BENCH_DATA_AT + 0x1000;
    s->gpr[GPR_RCX] = rounds;
    vmx_update_regime(&m->processors[0].cpu.vmx);
}

double simulated_run(const struct kernel *kernel, int accounting)
{
    struct stats *stats = accounting ? stats_new() : NULL;
    struct trace trace = stats ? stats_observer(stats) : (struct trace){0};
    const struct machine_options options = {
        .cpu = "skylake", .memory_bytes = BENCH_RAM, .serial = SERIAL_NULL, .trace = &trace, .messages = stderr};
    struct machine machine;
    struct machine_result result;
    if (!machine_open(&machine, &options, &result)) {
        fprintf(stderr, "bench: %s\n", result.message);
        exit(1);
    }
    machine.accounting = accounting;
    map_ram(machine.mem.ram);
    memcpy(machine.mem.ram + BENCH_CODE_AT, kernel->code, (size_t)(kernel->end - kernel->code));
    start_in_64_bit_mode(&machine, kernel->rounds);
    double start = bench_seconds();
    machine_go(&machine);
    double seconds = bench_seconds() - start;
    check(&result, MACHINE_HALTED_FOREVER, kernel->name);
    machine_close(&machine);
    stats_free(stats);
    return seconds;
}

double simulated_round_trips(const char *image, uint64_t count)
{
    struct stats *stats = stats_new();
    struct trace trace = stats_observer(stats);
    char append[32];
    struct machine_result result;
    snprintf(append, sizeof append, "%llu", (unsigned long long)count);
    const struct machine_options options = {.cpu = "skylake", .memory_bytes = BENCH_RAM, .image = image,
                                            .append = append,  .serial = SERIAL_NULL,    .trace = &trace,
                                            .messages = stderr};
    double start = bench_seconds();
    machine_run(&options, &result);
    double seconds = bench_seconds() - start;
    check(&result, MACHINE_POWER_OFF, "the round trip");
    stats_free(stats);
    return seconds;
}
