/* store_run.c: writing a run: its row at the start, its figures from time to time, its outcome at the end. */
#include "traces/store/store.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include "traces/stats/names.h"
#include "traces/store/store_private.h"
#include "vmx_model/errors.h"
#include "vmx_model/exit_reasons.h"

/* The figures are totals since the run's start, so a row is replaced by its newer self. */
static const char *const statement_sql[STORE_STATEMENT_COUNT] = {
    [STORE_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_COMMIT] = "COMMIT",
    [STORE_ROLLBACK] = "ROLLBACK",
    [STORE_NAME_EXIT_REASON] =
        "INSERT OR REPLACE INTO exit_reasons(reason, name, kvm_name) VALUES(?1, ?2, nullif(?3, ''))",
    [STORE_NAME_INSTRUCTION_ERROR] = "INSERT OR REPLACE INTO instruction_errors(error, name) VALUES(?1, ?2)",
    [STORE_RUN] = "INSERT INTO runs(label, image, options, cpu, memory_bytes, outcome, cycles, instructions)"
                  " VALUES(?1, ?2, ?3, ?4, ?5, 'running', 0, 0)",
    [STORE_PROGRESS] = "UPDATE runs SET cycles = ?2, instructions = ?3, unknown_events = ?4 WHERE id = ?1",
    [STORE_FINISH] =
        "UPDATE runs SET outcome = ?2, exit_status = ?3, message = nullif(?4, ''), image_digest = ?5,"
        " digest = ?6 WHERE id = ?1",
    [STORE_EXIT] =
        "INSERT OR REPLACE INTO vm_exits(run, vpid, reason, count, cycles) VALUES(?1, ?2, ?3, ?4, ?5)",
    [STORE_ENTRY] =
        "INSERT OR REPLACE INTO vm_entries(run, vpid, instruction, count, cycles) VALUES(?1, ?2, ?3, ?4, ?5)",
    [STORE_ENTRY_FAILURE] =
        "INSERT OR REPLACE INTO entry_failures(run, code, rule, count) VALUES(?1, ?2, ?3, ?4)",
    [STORE_VMX_INSTRUCTION] =
        "INSERT OR REPLACE INTO vmx_instructions(run, instruction, result, error, count, cycles)"
        " VALUES(?1, ?2, ?3, nullif(?4, 0), ?5, ?6)",
    [STORE_TLB_FILL] =
        "INSERT OR REPLACE INTO tlb_fills(run, vpid, mapping, hits, misses, memory_references, cycles)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [STORE_TLB_FLUSH] =
        "INSERT OR REPLACE INTO tlb_flushes(run, cause, count, cycles, dropped, dropped_global)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [STORE_EVENT] =
        "INSERT OR REPLACE INTO events(run, kind, vector, name, count) VALUES(?1, ?2, ?3, ?4, ?5)",
};

bool store_prepare_statements(struct store *store)
{
    for (unsigned i = 0; i < STORE_STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(store->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &store->statements[i], NULL) != SQLITE_OK) {
            store_note_error(store, "cannot be used");
            return false;
        }
    return true;
}

/* Runs a statement. Each letter of types says what one argument is: i int64_t, t text (or null). */
static bool run(struct store *store, enum store_statement which, const char *types, ...)
{
    sqlite3_stmt *statement = store->statements[which];
    va_list arguments;
    va_start(arguments, types);
    for (int i = 0; types[i]; i++) {
        if (types[i] == 'i')
            sqlite3_bind_int64(statement, i + 1, va_arg(arguments, int64_t));
        else
            sqlite3_bind_text(statement, i + 1, va_arg(arguments, const char *), -1, SQLITE_TRANSIENT);
    }
    va_end(arguments);
    bool ok = sqlite3_step(statement) == SQLITE_DONE;
    if (!ok)
        store_note_error(store, "cannot be written");
    sqlite3_reset(statement);
    return ok;
}

/* After a failure SQLite may have rolled back by itself (a full disk): then there is nothing left to roll
 * back. */
static void roll_back(struct store *store)
{
    if (sqlite3_get_autocommit(store->db))
        return;
    sqlite3_step(store->statements[STORE_ROLLBACK]);
    sqlite3_reset(store->statements[STORE_ROLLBACK]);
}

static bool end_transaction(struct store *store, bool ok)
{
    if (ok && run(store, STORE_COMMIT, ""))
        return true;
    roll_back(store);
    return false;
}

static bool write_names(struct store *store)
{
    bool ok = true;
    const struct vmx_exit_reason_info *reason;
    for (size_t i = 0; ok && (reason = vmx_exit_reason_at(i)); i++)
        ok = run(store, STORE_NAME_EXIT_REASON, "itt", (int64_t)reason->number, reason->name,
                 reason->kvm_name);
    for (uint32_t i = 0; ok && i <= VMX_ERROR_LAST; i++)
        if (vmx_instruction_error_text(i))
            ok = run(store, STORE_NAME_INSTRUCTION_ERROR, "it", (int64_t)i, vmx_instruction_error_text(i));
    return ok;
}

int64_t store_begin_run(struct store *store, const struct run_description *description)
{
    if (!run(store, STORE_BEGIN, ""))
        return -1;
    bool ok =
        write_names(store) && run(store, STORE_RUN, "tttti", description->label, description->image,
                                  description->options, description->cpu, (int64_t)description->memory_bytes);
    int64_t id = sqlite3_last_insert_rowid(store->db);
    return end_transaction(store, ok) ? id : -1;
}

static bool write_vpid(struct store *store, int64_t id, const struct stats_vpid *block)
{
    static const char *const entry_names[2] = {"VMLAUNCH", "VMRESUME"};
    int64_t vpid = block->vpid;
    bool ok = true;
    for (unsigned i = 0; ok && i < STATS_EXIT_REASONS; i++)
        if (block->exits[i].count)
            ok = run(store, STORE_EXIT, "iiiii", id, vpid, (int64_t)i, (int64_t)block->exits[i].count,
                     (int64_t)block->exits[i].cycles);
    for (unsigned i = 0; ok && i < 2; i++)
        if (block->entries[i].count)
            ok = run(store, STORE_ENTRY, "iitii", id, vpid, entry_names[i], (int64_t)block->entries[i].count,
                     (int64_t)block->entries[i].cycles);
    for (unsigned i = 0; ok && i < TRACE_MAPPING_COUNT; i++) {
        const struct stats_tlb *tlb = &block->tlb[i];
        if (tlb->hits || tlb->misses)
            ok = run(store, STORE_TLB_FILL, "iitiiii", id, vpid, trace_mapping_name(i), (int64_t)tlb->hits,
                     (int64_t)tlb->misses, (int64_t)tlb->references, (int64_t)tlb->cycles);
    }
    return ok;
}

static bool write_failures(struct store *store, int64_t id, const struct stats *stats)
{
    bool ok = true;
    for (size_t i = 0; ok && i < stats->failure_count; i++)
        ok = run(store, STORE_ENTRY_FAILURE, "iiti", id, (int64_t)stats->failures[i].code,
                 stats->failures[i].rule, (int64_t)stats->failures[i].count);
    return ok;
}

static bool write_instruction(struct store *store, int64_t id, unsigned instruction, unsigned result,
                              const struct stats_sum *sum)
{
    char text[32];
    int64_t error = 0;
    if (result == STATS_RESULT_SUCCESS) {
        snprintf(text, sizeof text, "success");
    } else if (result == STATS_RESULT_FAULT) {
        snprintf(text, sizeof text, "fault");
    } else if (result == STATS_RESULT_FAIL_INVALID) {
        snprintf(text, sizeof text, "VMfailInvalid");
    } else {
        snprintf(text, sizeof text, "VMfailValid(%u)", result);
        error = result;
    }
    return run(store, STORE_VMX_INSTRUCTION, "ittiii", id, trace_vmx_instruction_name(instruction), text,
               error, (int64_t)sum->count, (int64_t)sum->cycles);
}

static bool write_instructions(struct store *store, int64_t id, const struct stats *stats)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < TRACE_VMX_INSTRUCTION_COUNT; i++)
        for (unsigned result = 0; ok && result < STATS_RESULTS; result++)
            if (stats->instructions[i][result].count)
                ok = write_instruction(store, id, i, result, &stats->instructions[i][result]);
    return ok;
}

static bool write_flushes(struct store *store, int64_t id, const struct stats *stats)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < FLUSH_CAUSE_COUNT; i++) {
        const struct stats_flush *flush = &stats->flushes[i];
        if (flush->count)
            ok = run(store, STORE_TLB_FLUSH, "itiiii", id, trace_flush_cause_name(i), (int64_t)flush->count,
                     (int64_t)flush->cycles, (int64_t)flush->dropped, (int64_t)flush->dropped_global);
    }
    return ok;
}

static bool write_events(struct store *store, int64_t id, const struct stats *stats)
{
    bool ok = true;
    for (unsigned i = 0; ok && i < STATS_VECTORS; i++) {
        if (stats->exceptions[i])
            ok = run(store, STORE_EVENT, "ititi", id, "exception", (int64_t)i, trace_vector_name(i),
                     (int64_t)stats->exceptions[i]);
        if (ok && stats->interrupts[i])
            ok = run(store, STORE_EVENT, "ititi", id, "interrupt", (int64_t)i, i == 2 ? "NMI" : NULL,
                     (int64_t)stats->interrupts[i]);
    }
    if (ok && stats->triple_faults)
        ok = run(store, STORE_EVENT, "ititi", id, "triple fault", (int64_t)0, NULL,
                 (int64_t)stats->triple_faults);
    return ok;
}

static bool write_figures(struct store *store, int64_t id, const struct stats *stats, uint64_t cycles,
                          uint64_t instructions)
{
    bool ok = run(store, STORE_PROGRESS, "iiii", id, (int64_t)cycles, (int64_t)instructions,
                  (int64_t)(stats->unknown_events + stats->failures_uncounted));
    const struct stats_vpid *block;
    for (size_t i = 0; ok && (block = stats_vpid_at(stats, i)); i++)
        ok = write_vpid(store, id, block);
    return ok && write_failures(store, id, stats) && write_instructions(store, id, stats) &&
           write_flushes(store, id, stats) && write_events(store, id, stats);
}

bool store_update_run(struct store *store, int64_t id, const struct stats *stats, uint64_t cycles,
                      uint64_t instructions)
{
    if (!run(store, STORE_BEGIN, ""))
        return false;
    return end_transaction(store, write_figures(store, id, stats, cycles, instructions));
}

bool store_finish_run(struct store *store, int64_t id, const struct stats *stats,
                      const struct run_result *result)
{
    char digest[17], image_digest[17];
    snprintf(digest, sizeof digest, "%016" PRIx64, stats_digest(stats, result));
    snprintf(image_digest, sizeof image_digest, "%016" PRIx64, result->image_digest);
    if (!run(store, STORE_BEGIN, ""))
        return false;
    bool ok = write_figures(store, id, stats, result->cycles, result->instructions) &&
              run(store, STORE_FINISH, "itittt", id, result->outcome, (int64_t)result->exit_status,
                  result->message, image_digest, digest);
    return end_transaction(store, ok);
}
