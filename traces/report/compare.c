/*
 * compare.c: runs side by side. What each run came to is gathered, from whatever file it is in, in a database
 * in memory; there it is turned so that each run has a column.
 *
 * Within a table and a measure the rows add up to the row "total", and so do their differences.
 */
#include "traces/report/report.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "traces/report/query.h"

struct section {
    const char *name, *title;
};

/* Names are those of the view run_metrics. */
static const struct section sections[] = {
    {"cycles", "Where the cycles went: differences to the first run"},
    {"exits", "VM exits"},
    {"entries", "VM entries"},
    {"failed_entries", "VM entries that failed"},
    {"vmx_instructions", "VMX instructions"},
    {"tlb_hits", "Translations found in the TLB"},
    {"page_walks", "Page walks"},
    {"flushes", "TLB flushes"},
    {"events", "Exceptions and interrupts delivered"},
};
#define SECTIONS (sizeof sections / sizeof *sections)

/* The table of runs, the table of totals, and one for each section. */
#define TABLES (SECTIONS + 2)

static const char create_sql[] =
    "CREATE TABLE metrics(run INTEGER, ord INTEGER, section TEXT, item TEXT, measure TEXT, value INTEGER);"
    "CREATE TABLE runs(run INTEGER, file TEXT, id INTEGER, label TEXT, image TEXT, image_digest TEXT, cpu "
    "TEXT,"
    " memory_mib INTEGER, options TEXT, state TEXT, outcome TEXT, exit_status INTEGER, digest TEXT)";

/* Copies a query's rows of one run, as columns behind its place among the compared ones and more (may be
 * null). */
static int copy(sqlite3 *from, const char *select, int64_t id, sqlite3 *to, const char *insert, int place,
                const char *more)
{
    sqlite3_stmt *read = NULL, *write = NULL;
    int code = sqlite3_prepare_v2(from, select, -1, &read, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(to, insert, -1, &write, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_int64(read, 1, id);
        while ((code = sqlite3_step(read)) == SQLITE_ROW) {
            sqlite3_bind_int(write, 1, place);
            sqlite3_bind_text(write, 2, more, -1, SQLITE_STATIC);
            for (int i = 0; i < sqlite3_column_count(read); i++)
                sqlite3_bind_value(write, i + 3, sqlite3_column_value(read, i));
            if (sqlite3_step(write) != SQLITE_DONE)
                break;
            sqlite3_reset(write);
        }
    }
    sqlite3_finalize(read);
    sqlite3_finalize(write);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static bool gather(sqlite3 *memory, const struct report_run *runs, size_t count, char *error,
                   size_t error_size)
{
    int code = sqlite3_exec(memory, create_sql, NULL, NULL, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < count; i++) {
        sqlite3 *db = store_database(runs[i].store);
        const int place = (int)i + 1;
        sqlite3_exec(db, "BEGIN", NULL, NULL, NULL); /* one moment of a run that is still being written */
        code = copy(
            db,
            "SELECT id, label, image, image_digest, cpu, memory_bytes / 1048576, options, state, outcome,"
            " exit_status, digest FROM runs WHERE id = ?1",
            runs[i].id, memory,
            "INSERT INTO runs VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)", place,
            runs[i].path);
        if (code == SQLITE_OK)
            code = copy(db, "SELECT ord, section, item, measure, value FROM run_metrics WHERE run = ?1",
                        runs[i].id, memory,
                        "INSERT INTO metrics VALUES(?1 + 0 * length(?2), ?3, ?4, ?5, ?6, ?7)", place, "");
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK)
        snprintf(error, error_size, "the statistics file cannot be read: %s", sqlite3_errstr(code));
    return code == SQLITE_OK;
}

/* "run_1, run_2, difference_2, percent_2 ...": a column of values for each run, then what it differs from the
 * first. For people two runs have one difference, which needs no number. */
static char *value_columns(size_t count, bool people)
{
    char *text = sqlite3_mprintf("%s", "");
    for (size_t i = 1; text && i <= count; i++)
        text = sqlite3_mprintf("%z, run_%d", text, (int)i);
    for (size_t i = 2; text && i <= count; i++) {
        char suffix[16] = "";
        if (!people || count > 2)
            snprintf(suffix, sizeof suffix, "_%d", (int)i);
        text = sqlite3_mprintf("%z, run_%d - run_1 AS difference%s,"
                               " round(100.0 * (run_%d - run_1) / nullif(run_1, 0), 1) AS percent%s",
                               text, (int)i, suffix, (int)i, suffix);
    }
    return text;
}

/* The same values as sums over rows of metrics. */
static char *value_sums(size_t count)
{
    char *text = sqlite3_mprintf("%s", "");
    for (size_t i = 1; text && i <= count; i++)
        text = sqlite3_mprintf("%z, coalesce(sum(value) FILTER (WHERE run = %d), 0) AS run_%d", text, (int)i,
                               (int)i);
    return text;
}

/* How far apart a row's values are, and whether they are apart at all. */
static char *spread(size_t count)
{
    char *text = sqlite3_mprintf("%s", "0");
    for (size_t i = 2; text && i <= count; i++)
        text = sqlite3_mprintf("%z + abs(run_%d - run_1)", text, (int)i);
    return text;
}

/* The rows of a section, the largest differences first, and their totals. For people rows without a
 * difference are one. */
static char *section_sql(size_t count, bool people)
{
    char *columns = value_columns(count, people), *sums = value_sums(count), *apart = spread(count),
         *sql = NULL;
    const char *unchanged = people ? "NOT changed" : "0";
    if (columns && sums && apart)
        sql = sqlite3_mprintf(
            "WITH rows AS (SELECT item, measure, min(rowid) AS place %s FROM metrics WHERE section = ?1"
            "  GROUP BY item, measure HAVING %d OR measure IN (SELECT measure FROM metrics WHERE section = "
            "?1 AND value <> 0)),"
            " told AS (SELECT *, %s AS apart, %s > 0 AS changed, min(place) OVER (PARTITION BY measure) AS "
            "first,"
            "  count(*) FILTER (WHERE %s = 0) OVER (PARTITION BY measure) AS same FROM rows),"
            " named AS (SELECT CASE WHEN %s THEN same || ' without a difference' ELSE item END AS item, "
            "measure, run,"
            "  value, first, CASE WHEN %s THEN -1 ELSE apart END AS apart, 0 AS sums FROM told"
            "  JOIN metrics USING(item, measure) WHERE section = ?1"
            "  UNION ALL SELECT 'total', measure, run, value, first, 0, 1 FROM told JOIN metrics USING(item, "
            "measure)"
            "  WHERE section = ?1),"
            " lines AS (SELECT item, measure, first, apart, sums %s FROM named GROUP BY measure, sums, item)"
            " SELECT item, measure %s FROM lines WHERE %d OR measure IN (SELECT measure FROM told WHERE "
            "changed)"
            " ORDER BY first, sums, apart DESC, item",
            sums, !people, apart, apart, apart, unchanged, unchanged, sums, columns, !people);
    sqlite3_free(columns);
    sqlite3_free(sums);
    sqlite3_free(apart);
    return sql;
}

static char *totals_sql(size_t count, bool people)
{
    char *columns = value_columns(count, people), *sums = value_sums(count), *sql = NULL;
    if (columns && sums)
        sql = sqlite3_mprintf(
            "SELECT section, measure %s FROM (SELECT ord, section, measure, min(rowid) AS place %s"
            " FROM metrics GROUP BY section, measure HAVING %d OR max(abs(value)) > 0) ORDER BY ord, place",
            columns, sums, !people);
    sqlite3_free(columns);
    sqlite3_free(sums);
    return sql;
}

static bool fill(sqlite3 *memory, struct table *tables, size_t count, bool people, char *error,
                 size_t error_size)
{
    char *totals = totals_sql(count, people), *section = section_sql(count, people);
    bool ok = totals && section;
    if (!ok)
        snprintf(error, error_size, "out of memory");
    ok = ok &&
         query_into_table(
             memory, &tables[0],
             people
                 ? "SELECT run, file, id, label, " REPORT_BASE_NAME(
                       "image") " AS image, cpu, memory_mib, coalesce(outcome, state) AS outcome, exit_status"
                                " FROM runs ORDER BY run"
                 : "SELECT * FROM runs ORDER BY run",
             NULL, 0, error, error_size) &&
         query_into_table(memory, &tables[1], totals, NULL, 0, error, error_size);
    for (size_t i = 0; ok && i < SECTIONS; i++) {
        const struct query_argument name = {.text = sections[i].name};
        ok = query_into_table(memory, &tables[i + 2], section, &name, 1, error, error_size);
    }
    sqlite3_free(totals);
    sqlite3_free(section);
    return ok;
}

bool report_compare(const struct report_run *runs, size_t count, const struct report_output *output,
                    char *error, size_t error_size)
{
    struct table tables[TABLES];
    table_init(&tables[0], "runs", "Runs");
    table_init(&tables[1], "totals", "Totals");
    for (size_t i = 0; i < SECTIONS; i++) {
        table_init(&tables[i + 2], sections[i].name, sections[i].title);
        tables[i + 2].empty = "no difference";
    }
    sqlite3 *memory = NULL;
    bool ok = sqlite3_open(":memory:", &memory) == SQLITE_OK;
    if (!ok)
        snprintf(error, error_size, "out of memory");
    ok = ok && gather(memory, runs, count, error, error_size) &&
         fill(memory, tables, count, table_for_people(output->format), error, error_size) &&
         query_print(tables, TABLES, output, error, error_size);
    sqlite3_close(memory);
    for (size_t i = 0; i < TABLES; i++)
        table_free(&tables[i]);
    return ok;
}
