/* bare.c: Unicorn alone, and with the least seam that can make a world switch: the yardstick. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#include "bench/bench.h"
#include "sim/core/foreign.h"
#include "sim/core/unicorn_internal.h"

static void check(uc_err error, const char *what)
{
    if (error == UC_ERR_OK)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, uc_strerror(error));
    exit(1);
}

static uc_engine *open_engine(uint8_t **ram)
{
    uc_engine *uc;
    *ram = aligned_alloc(4096, BENCH_RAM);
    memset(*ram, 0, BENCH_RAM);
    check(uc_open(UC_ARCH_X86, UC_MODE_64, &uc), "open");
    check(uc_ctl_set_cpu_model(uc, UC_CPU_X86_SKYLAKE_CLIENT), "model");
    check(uc_ctl_exits_enable(uc), "exits");
    check(uc_mem_map_ptr(uc, 0, BENCH_RAM, UC_PROT_ALL, *ram), "map");
    return uc;
}

static bool identity_fill(uc_engine *uc, uint64_t va, uc_mem_type type, uc_tlb_entry *entry, void *opaque)
{
    (void)uc, (void)type, (void)opaque;
    entry->paddr = va;
    entry->perms = UC_PROT_ALL;
    return true;
}

double bare_run(const struct kernel *kernel, int count_fills)
{
    uint8_t *ram;
    uc_engine *uc = open_engine(&ram);
    uc_hook hook;
    uint64_t at = BENCH_DATA_AT, out = BENCH_DATA_AT + 0x1000, rounds = kernel->rounds;
    if (count_fills) {
        check(uc_ctl_tlb_mode(uc, UC_TLB_VIRTUAL), "tlb mode");
        check(uc_hook_add(uc, &hook, UC_HOOK_TLB_FILL, (void *)(uintptr_t)identity_fill, NULL, 1, 0), "hook");
    }
    memcpy(ram + BENCH_CODE_AT, kernel->code, (size_t)(kernel->end - kernel->code));
    uc_reg_write(uc, UC_X86_REG_RSI, &at);
    uc_reg_write(uc, UC_X86_REG_RDI, &out);
    uc_reg_write(uc, UC_X86_REG_RCX, &rounds);
    double start = bench_seconds();
    uc_emu_start(uc, BENCH_CODE_AT, 0, 0, 0);
    double seconds = bench_seconds() - start;
    uc_reg_read(uc, UC_X86_REG_RCX, &rounds);
    if (rounds) {
        fprintf(stderr, "bench: the bare run of %s did not reach its end\n", kernel->name);
        exit(1);
    }
    uc_close(uc);
    free(ram);
    return seconds;
}

/* The bare round trip: a 64-bit host whose UD2 stands for VMLAUNCH, a real-mode guest that runs CPUID. All state is rewritten
 * inside the trap hook and the library's cache is flushed both times, as a world switch must; nothing is checked. */
struct switcher {
    struct lib_cpu *cpu;
    struct lib_state *env;
    struct lib_state host;
    struct lib_traps *traps;
    uint64_t *efer, host_efer;
    uint64_t guest_rip, trips, last;
    bool non_root;
    uc_engine *uc;
};

static struct switcher world;

enum { HOST_AT = 0x11000, GUEST_BASE = 0x100000, GUEST_AT = 0x7c00, TRAP_UD = 0x146 };

static bool bare_fill(void *cs, uint64_t va, int mmu_index)
{
    uint64_t physical = (world.non_root ? GUEST_BASE : 0) + (va & 0xff000);
    tlb_set_page_x86_64(cs, va & ~0xfffull, physical, 7, mmu_index, 4096);
    return true;
}

static void enter_guest(void)
{
    struct lib_state *env = world.env;
    world.host = *env;
    world.host_efer = *world.efer;
    world.non_root = true;
    *world.efer = 0;
    env->cr[0] = 0x30;
    env->cr[4] = 0;
    env->rflags = 2;
    env->rip = world.guest_rip;
    env->gpr[4] = 0x7000;
    for (int i = 0; i < 6; i++)
        env->seg[i] = (struct lib_segment){0, 0, 0xffff, i == 1 ? 0x9b00 : 0x9300};
    x86_update_hflags_x86_64(env);
    tlb_flush_x86_64(world.cpu);
}

static void leave_guest(void)
{
    struct lib_state *env = world.env;
    uint64_t gpr[16];
    memcpy(gpr, env->gpr, sizeof gpr);
    uint64_t rsp = world.host.gpr[4];
    *env = world.host;
    memcpy(env->gpr, gpr, sizeof gpr);
    env->gpr[4] = rsp;
    env->rip = HOST_AT;
    *world.efer = world.host_efer;
    world.non_root = false;
    x86_update_hflags_x86_64(env);
    tlb_flush_x86_64(world.cpu);
}

static void on_trap(uc_engine *uc, uint32_t number, void *opaque)
{
    (void)opaque;
    if (!world.non_root && number == TRAP_UD) {
        enter_guest();
        return;
    }
    world.guest_rip = GUEST_AT;
    if (world.non_root)
        leave_guest();
    if (++world.trips >= world.last)
        uc_emu_stop(uc);
}

static uint64_t *find(void *from, size_t bytes, uint64_t magic)
{
    for (size_t at = 0; at + 8 <= bytes; at += 8)
        if (memcmp((char *)from + at, &magic, 8) == 0)
            return (uint64_t *)(void *)((char *)from + at);
    fprintf(stderr, "bench: this libunicorn has another layout than 2.1.1\n");
    exit(1);
}

static void find_state(uc_engine *uc)
{
    uint64_t dr0 = 0xdeadbeef00112233;
    uc_x86_msr efer = {0xc0000080, 0x501};
    uc_reg_write(uc, UC_X86_REG_DR0, &dr0);
    uc_reg_write(uc, UC_X86_REG_MSR, &efer);
    world.cpu = qemu_get_cpu_x86_64((struct uc_struct *)uc, -1);
    world.env = world.cpu->state;
    world.traps = (struct lib_traps *)(void *)((char *)find(world.env, 8192, dr0) - offsetof(struct lib_traps, dr));
    world.efer = find((char *)world.env + offsetof(struct lib_state, a20_mask), 1024, 0x501);
}

double bare_round_trips(uint64_t count)
{
    uint8_t *ram;
    uc_hook hook;
    world = (struct switcher){.guest_rip = GUEST_AT, .last = count};
    uc_engine *uc = open_engine(&ram);
    check(uc_ctl_tlb_mode(uc, UC_TLB_VIRTUAL), "tlb mode");
    find_state(uc);
    core_foreign_fill = bare_fill;
    world.traps->intercept = ~0ull;
    world.traps->exceptions = ~0u;
    struct lib_state *env = world.env;
    *world.efer = 0x500;
    env->cr[0] = 0x80000033;
    env->cr[4] = 0x620;
    for (int i = 0; i < 6; i++)
        env->seg[i] = (struct lib_segment){(uint16_t)(i == 1 ? 8 : 16), 0, ~0u, i == 1 ? 0xaf9b00 : 0xcf9300};
    x86_update_hflags_x86_64(env);
    env->hflags |= LIB_HF_INTERCEPTS;
    env->hflags2 |= LIB_HF2_GIF;
    memcpy(ram + HOST_AT, "\x0f\x0b", 2);
    memcpy(ram + GUEST_BASE + GUEST_AT, "\x0f\xa2\xeb\xfc", 4);
    check(uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)(uintptr_t)on_trap, NULL, 1, 0), "hook");
    double start = bench_seconds();
    uc_emu_start(uc, HOST_AT, 0, 0, 0);
    double seconds = bench_seconds() - start;
    if (world.trips < count) {
        fprintf(stderr, "bench: the bare round trip ended after %llu\n", (unsigned long long)world.trips);
        exit(1);
    }
    core_foreign_fill = NULL;
    uc_close(uc);
    free(ram);
    return seconds;
}
