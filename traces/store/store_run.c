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

static const char *const statement_sql[STORE_STATEMENT_COUNT] = {
#define STATEMENT(name, sql) [STORE_##name] = sql,
#include "traces/store/statements.def"
#undef STATEMENT
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

bool store_run(struct store *store, enum store_statement which, const char *types, ...)
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
    if (ok && store_run(store, STORE_COMMIT, ""))
        return true;
    roll_back(store);
    store->timeline_run = 0; /* what was written of it is not there */
    return false;
}

static bool write_names(struct store *store)
{
    bool ok = true;
    const struct vmx_exit_reason_info *reason;
    for (size_t i = 0; ok && (reason = vmx_exit_reason_at(i)); i++)
        ok = store_run(store, STORE_NAME_EXIT_REASON, "itt", (int64_t)reason->number, reason->name,
                       reason->kvm_name);
    for (uint32_t i = 0; ok && i <= VMX_ERROR_LAST; i++)
        if (vmx_instruction_error_text(i))
            ok = store_run(store, STORE_NAME_INSTRUCTION_ERROR, "it", (int64_t)i,
                           vmx_instruction_error_text(i));
    for (unsigned i = 0; ok && i < FLUSH_CAUSE_COUNT; i++)
        ok = store_run(store, STORE_NAME_FLUSH_CAUSE, "t", trace_flush_cause_name(i));
    for (unsigned i = 0; ok && i < CYCLE_CAUSE_COUNT; i++)
        ok = store_run(store, STORE_NAME_CYCLE_CAUSE, "tt", cycle_cause_name((enum cycle_cause)i),
                       cycle_cause_text((enum cycle_cause)i));
    return ok;
}

int64_t store_begin_run(struct store *store, const struct run_description *description)
{
    if (!store_run(store, STORE_BEGIN, ""))
        return -1;
    bool ok = write_names(store) &&
              store_run(store, STORE_RUN, "tttti", description->label, description->image,
                        description->options, description->cpu, (int64_t)description->memory_bytes);
    int64_t id = sqlite3_last_insert_rowid(store->db);
    return end_transaction(store, ok) ? id : -1;
}

static bool write_progress(struct store *store, int64_t id, const struct stats *stats, uint64_t cycles,
                           uint64_t instructions)
{
    return store_run(store, STORE_PROGRESS, "iiiii", id, (int64_t)cycles, (int64_t)instructions,
                     (int64_t)(stats->unknown_events + stats->uncounted), (int64_t)stats->checked_steps) &&
           store_write_figures(store, id, stats);
}

bool store_update_run(struct store *store, int64_t id, const struct stats *stats, uint64_t cycles,
                      uint64_t instructions)
{
    if (!store_run(store, STORE_BEGIN, ""))
        return false;
    return end_transaction(store, write_progress(store, id, stats, cycles, instructions));
}

bool store_finish_run(struct store *store, int64_t id, const struct stats *stats,
                      const struct run_result *result)
{
    char digest[17], image_digest[17];
    snprintf(digest, sizeof digest, "%016" PRIx64, stats_digest(stats, result));
    snprintf(image_digest, sizeof image_digest, "%016" PRIx64, result->image_digest);
    if (!store_run(store, STORE_BEGIN, ""))
        return false;
    bool ok = write_progress(store, id, stats, result->cycles, result->instructions) &&
              store_run(store, STORE_FINISH, "itittt", id, result->outcome, (int64_t)result->exit_status,
                        result->message, image_digest, digest);
    return end_transaction(store, ok);
}
