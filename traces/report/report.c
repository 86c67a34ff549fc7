/* report.c: one run's sections, and the list of runs. Each is a query; its column names are the table's. */
#include "traces/report/report.h"

#include <sqlite3.h>
#include <string.h>

struct section {
    const char *name, *title;
    bool single;
    const char *sql;
};

static const struct section sections[] = {
    {"run", "Run", true,
     "SELECT id, label, image, image_digest, cpu, memory_bytes / 1048576 AS memory_mib, options,"
     " outcome, exit_status,"
     " coalesce(message, CASE outcome WHEN 'running' THEN 'no end is recorded: it still runs, or was killed' "
     "END)"
     " AS message,"
     " cycles, instructions, digest, unknown_events FROM runs WHERE id = ?1"},
    {"exits", "VM exits, by cycles", false,
     "SELECT reason, name, kvm_name, vpid, count, cycles, cycles_each, percent_of_run FROM exits WHERE run = "
     "?1"
     " ORDER BY cycles DESC, count DESC, reason, vpid"},
    {"entries", "VM entries", false,
     "SELECT vpid, instruction, count, cycles, round(1.0 * cycles / count, 1) AS cycles_each"
     " FROM vm_entries WHERE run = ?1 ORDER BY vpid, instruction"},
    {"failed_entries", "VM entries that failed", false,
     "SELECT kind, code, name, rule, count FROM failed_entries WHERE run = ?1 ORDER BY count DESC, code, "
     "rule"},
    {"vmx_instructions", "VMX instructions", false,
     "SELECT instruction, result, count, cycles FROM vmx_instructions WHERE run = ?1"
     " ORDER BY instruction, error IS NOT NULL, error, result DESC"},
    {"tlb", "TLB", false,
     "SELECT vpid, mapping, hits, misses, memory_references, cycles,"
     " round(1.0 * cycles / max(misses, 1), 1) AS cycles_each FROM tlb_fills WHERE run = ?1 ORDER BY vpid, "
     "mapping DESC"},
    {"flushes", "TLB flushes, by translations dropped", false,
     "SELECT cause, count, dropped, dropped_global, cycles FROM tlb_flushes WHERE run = ?1"
     " ORDER BY dropped DESC, count DESC, cause"},
    {"events", "Exceptions and interrupts delivered", false,
     "SELECT kind, vector, name, count FROM events WHERE run = ?1 ORDER BY kind, vector"},
};

#define SECTION_COUNT (sizeof sections / sizeof *sections)

const char *report_section_name(size_t index)
{
    return index < SECTION_COUNT ? sections[index].name : NULL;
}

static void add_cell(struct table *table, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        table_integer(table, sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        table_real(table, sqlite3_column_double(statement, column));
        break;
    case SQLITE_NULL:
        table_null(table);
        break;
    default:
        table_string(table, (const char *)sqlite3_column_text(statement, column));
    }
}

bool report_query(struct store *store, struct table *table, const char *sql, int64_t run, char *error,
                  size_t error_size)
{
    sqlite3 *db = store_database(store);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        if (sqlite3_bind_parameter_count(statement))
            sqlite3_bind_int64(statement, 1, run);
        int columns = sqlite3_column_count(statement);
        for (int i = 0; i < columns; i++)
            table_column(table, sqlite3_column_name(statement, i));
        while ((code = sqlite3_step(statement)) == SQLITE_ROW)
            for (int i = 0; i < columns; i++)
                add_cell(table, statement, i);
    }
    if (code != SQLITE_DONE)
        snprintf(error, error_size, "the statistics file cannot be read: %s", sqlite3_errmsg(db));
    sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

static bool print_tables(FILE *file, enum table_format format, const struct table *tables, size_t count,
                         char *error, size_t error_size)
{
    if (tables_print(file, format, tables, count))
        return true;
    snprintf(error, error_size, "the report cannot be written");
    return false;
}

bool report_run(struct store *store, int64_t run, const char *section, enum table_format format, FILE *file,
                char *error, size_t error_size)
{
    struct table tables[SECTION_COUNT];
    size_t count = 0;
    bool ok = true;
    /* One transaction: all sections show the same moment of a run that is still being written. */
    sqlite3_exec(store_database(store), "BEGIN", NULL, NULL, NULL);
    for (size_t i = 0; ok && i < SECTION_COUNT; i++) {
        if (section && strcmp(section, sections[i].name))
            continue;
        table_init(&tables[count], sections[i].name, sections[i].title);
        tables[count].single = sections[i].single;
        ok = report_query(store, &tables[count++], sections[i].sql, run, error, error_size);
    }
    sqlite3_exec(store_database(store), "COMMIT", NULL, NULL, NULL);
    if (ok && !count) {
        snprintf(error, error_size, "there is no section '%.100s'", section);
        ok = false;
    }
    ok = ok && print_tables(file, format, tables, count, error, error_size);
    for (size_t i = 0; i < count; i++)
        table_free(&tables[i]);
    return ok;
}

bool report_runs(struct store *store, enum table_format format, FILE *file, char *error, size_t error_size)
{
    static const char sql[] =
        "SELECT id, label, image, cpu, memory_bytes / 1048576 AS memory_mib, outcome, exit_status,"
        " cycles, instructions, digest FROM runs ORDER BY id";
    struct table table;
    table_init(&table, "runs", "Runs");
    bool ok = report_query(store, &table, sql, 0, error, error_size) &&
              print_tables(file, format, &table, 1, error, error_size);
    table_free(&table);
    return ok;
}
