/*
 * core.h: the x86 core: Unicorn's translator, with every sensitive event handed out as a trap. Enter the room
 * here.
 *
 * The core runs translated code of the state that its client keeps. Before a trap reaches the client the state is
 * complete and time is exact; after it the client's state is what goes on.
 *
 * One core runs one processor. Several cores may be open at once when they share their physical memory, and one of them
 * runs at a time (the library's internals are replaced process-wide). Each has a translation of its own of the code that it
 * ran; a store by any of them, or by the model, retires what all of them translated from there.
 */
#ifndef VTSIM_CORE_CORE_H
#define VTSIM_CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "tlb/mmu.h"
#include "vtsim/cpu_state.h"
#include "vtsim/cycles.h"
#include "vtsim/fpu_state.h"
#include "vtsim/insn.h"
#include "vtsim/phys_mem.h"
#include "vtsim/profile.h"

#define CORE_AT_ONCE 0u

/* What the core asks of the machine. None may be null. Each trap callback returns false to end the run. */
struct core_client {
    bool (*instruction)(void *opaque, const struct insn *insn);
    /* vector with its error code; for #DB, debug_conditions as in DR6. */
    bool (*exception)(void *opaque, const struct cpu_event *event);
    bool (*memory_fault)(void *opaque, enum mmu_status status, const struct mmu_fault *fault);
    /* Between two instructions, at the deadline or when an event may be taken. */
    bool (*poll)(void *opaque);
    /* The next cycle at which poll must be called; CORE_AT_ONCE: again before anything runs. */
    uint64_t (*deadline)(void *opaque);
    /* Must poll be called as soon as RFLAGS.IF is set and no shadow blocks? */
    bool (*wants_interrupt_window)(void *opaque);
    void *opaque;
    /* Executes insn, in the middle of translated code: state->rip and gpr are those before it, the rest is that
     * of the last callback. It may change gpr and, if it says so, the arithmetic flags. False: nothing was
     * changed, and it will come by instruction(). Null: all do. */
    bool (*quick)(void *opaque, const struct insn *insn, bool *sets_flags);
};

/* One instruction of translated code at a time, for the monitor trap flag. wanted null: never. */
struct core_single_step {
    const bool *wanted; /* looked at between blocks */
    /* An instruction, or one iteration of a repeated one, has completed; a poll follows. RFLAGS.RF is 1
     * between iterations. */
    void (*done)(void *opaque);
    void *opaque;
};

/* Bus locks: locked accesses that cross a cache line, or that are not to RAM. */
struct core_bus_locks {
    const bool *wanted; /* to be told of; looked at between blocks. Null: never, but for IA32_DEBUGCTL */
    /* An instruction that asserted one has completed; a poll follows. Gives the conditions of a debug trap that it adds. */
    uint64_t (*asserted)(void *opaque);
    void *opaque;
};

struct core_config {
    const struct core_client *client;
    struct cpu_state *state;
    struct mmu *mmu;           /* core_open sets its outer cache */
    struct phys_mem *mem;      /* core_open attaches the record of pages with code; one for all cores */
    const struct cpu_profile *profile;
    struct cycle_account *account;
    uint64_t *instructions;
    uint64_t *repetitions; /* of the instructions: iterations after which a repeated string instruction goes
                            * on; null: nobody asks */
    struct core_single_step single_step;
    struct core_bus_locks bus_locks;
    bool accounting; /* false: neither cycles nor instructions are counted (for measuring what that costs) */
};

struct core;

#define CORE_MOST 16 /* cores open at once */

/* Opens the core, proves the library's layout and the replacements. Null: *error says why and what to do. */
struct core *core_open(const struct core_config *config, const char **error);
void core_close(struct core *core);

/* Runs until a callback returns false. False: the library failed; *error says how. */
bool core_run(struct core *core, const char **error);

/* Brings account->now up to date from inside a callback of the memory-mapped devices, and makes the core look
 * at the deadline again at the next block. */
void core_sync_time(struct core *core);

/* x87 and SSE state, which the core keeps: the functions of a struct fpu_access whose opaque is the core. Only from inside
 * a callback, or while the core is not running. */
void core_read_fpu(void *opaque, struct fpu_state *to);
void core_write_fpu(void *opaque, const struct fpu_state *from);

/* Blocks translated, and instructions checked one by one, so far. */
uint64_t core_blocks_translated(const struct core *core);
uint64_t core_checked_steps(const struct core *core);

#endif
