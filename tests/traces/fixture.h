/* fixture.h: events by the handful, files that go away again, and output as a string, for the tests of
 * traces/. */
#ifndef VTSIM_TESTS_TRACES_FIXTURE_H
#define VTSIM_TESTS_TRACES_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "traces/stats/stats.h"
#include "traces/store/store.h"

static inline void event(struct stats *stats, enum trace_kind kind, uint16_t vpid, uint32_t code, uint64_t a,
                         uint64_t b, uint64_t cost)
{
    struct trace_event e = {.kind = (uint8_t)kind, .vpid = vpid, .code = code, .a = a, .b = b, .cost = cost};
    struct trace observer = stats_observer(stats);
    trace_emit(&observer, &e);
}

static inline void failed_entry(struct stats *stats, uint32_t code, const char *rule)
{
    struct trace_event e = {.kind = TRACE_VM_ENTRY_FAILED, .code = code, .text = rule};
    stats_record(stats, &e);
}

/* An event at a time, with all four numbers. */
static inline void event_at(struct stats *stats, uint64_t cycles, struct trace_event event)
{
    event.cycles = cycles;
    stats_record(stats, &event);
}

/* A little of everything: two VPIDs, both results of VMREAD, a flush and the walk that it made necessary, one
 * page fault. */
static inline void sample_events(struct stats *stats)
{
    event(stats, TRACE_VM_ENTRY, 1, 0, 0, 0, 500);
    event(stats, TRACE_VM_ENTRY, 1, 1, 0, 0, 400);
    event(stats, TRACE_VM_EXIT, 1, 10, 0, 0x1000, 1000);
    event(stats, TRACE_VM_EXIT, 1, 10, 0, 0x1000, 1200);
    event(stats, TRACE_VM_EXIT, 2, 48, 0x181, 0x2000, 3000);
    /* The first CPUID: exit 1000, monitor 250, entry 400, refill 120. */
    event_at(stats, 0,
             (struct trace_event){.kind = TRACE_EXIT_COST,
                                  .vpid = 1,
                                  .code = 10,
                                  .a = 1000,
                                  .b = 250,
                                  .c = 400,
                                  .d = 120,
                                  .cost = 1770});
    failed_entry(stats, 7, "pin_based_reserved_bits");
    failed_entry(stats, 33, "guest_rflags_reserved");
    event(stats, TRACE_VMX_INSTRUCTION, 0, TRACE_VMREAD, 0, 0, 30);
    event(stats, TRACE_VMX_INSTRUCTION, 0, TRACE_VMREAD, 12, 0, 30);
    /* A walk of 24 references, 20 of them to EPT structures, for a 4-KiB page; then it is found at both
     * levels. */
    event_at(stats, 0,
             (struct trace_event){.kind = TRACE_TLB_MISS,
                                  .vpid = 1,
                                  .code = TRACE_MAPPING_COMBINED,
                                  .a = 0x5000,
                                  .b = 24,
                                  .c = 12,
                                  .d = 20,
                                  .cost = 120});
    for (uint64_t level = 1; level <= 2; level++)
        event_at(stats, 0,
                 (struct trace_event){.kind = TRACE_TLB_HIT,
                                      .vpid = 1,
                                      .code = TRACE_MAPPING_COMBINED,
                                      .a = 0x5000,
                                      .b = level,
                                      .c = 12,
                                      .cost = 7 * (level - 1)});
    event(stats, TRACE_TLB_FLUSH, 1, FLUSH_MOV_CR3, 17, 2, 50);
    event(stats, TRACE_TLB_REFILL, 1, FLUSH_MOV_CR3, 0x5000, TRACE_MAPPING_COMBINED, 120);
    event(stats, TRACE_EXCEPTION, 1, 14, 4, 0, 0);
    event(stats, TRACE_INTERRUPT, 0, 32, 0, 0, 0);
}

/* Where the 100000 cycles of sample_result went, and what the flush above dropped. */
static inline void sample_account(struct stats *stats)
{
    struct cycle_account account = {.now = 100000};
    account.by[CYCLES_ROOT][CYCLES_INSTRUCTIONS] = 33334;
    account.by[CYCLES_ROOT][CYCLES_VM_EXIT] = 5200;
    account.by[CYCLES_NON_ROOT][CYCLES_INSTRUCTIONS] = 61346;
    account.by[CYCLES_NON_ROOT][CYCLES_WALK_EPT] = 120;
    account.flush[FLUSH_MOV_CR3].dropped[TRACE_MAPPING_COMBINED][TLB_PAGE_4K][0] = 14;
    account.flush[FLUSH_MOV_CR3].dropped[TRACE_MAPPING_COMBINED][TLB_PAGE_4K][1] = 2;
    account.flush[FLUSH_MOV_CR3].dropped[TRACE_MAPPING_LINEAR][TLB_PAGE_2M][0] = 1;
    assert_true(stats_take_account(stats, 0, &account));
}

static inline struct run_result sample_result(void)
{
    return (struct run_result){.outcome = "power-off",
                               .message = "",
                               .cycles = 100000,
                               .instructions = 40000,
                               .image_digest = 0x0123456789abcdefu};
}

static inline struct run_description sample_description(const char *label)
{
    return (struct run_description){.label = label,
                                    .image = "guest.elf",
                                    .options = "--cpu skylake guest.elf",
                                    .cpu = "skylake",
                                    .memory_bytes = 64u << 20};
}

/* A folder of the test's own, in *state. */
static inline int make_folder(void **state)
{
    char *folder = strdup("/tmp/vtsim-test-XXXXXX");
    *state = folder;
    return folder && mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+rwx '%s' && rm -rf '%s'", (char *)*state, (char *)*state);
    int status = system(command);
    free(*state);
    return status;
}

static inline const char *in_folder(void **state, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", (char *)*state, name);
    return path;
}

static inline struct store *open_ok(const char *path, enum store_mode mode)
{
    char error[600] = "";
    struct store *store = store_open(path, mode, error, sizeof error);
    if (!store)
        fail_msg("%s", error);
    return store;
}

/* One finished run with the sample's figures. */
static inline int64_t add_sample_run(struct store *store, const char *label)
{
    struct stats *stats = stats_new();
    struct run_description description = sample_description(label);
    struct run_result result = sample_result();
    sample_events(stats);
    sample_account(stats);
    int64_t id = store_begin_run(store, &description);
    assert_true(id > 0);
    assert_true(store_finish_run(store, id, stats, &result));
    stats_free(stats);
    return id;
}

#endif
