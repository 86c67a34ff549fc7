/* compare.c: runs side by side: a column of values for each, then the differences to the first. */
#include "traces/report/report.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
    const int64_t *runs;
    size_t count;
    struct table *table;
    char section[64], metric[256]; /* of the row that is being gathered; empty: none yet */
    int64_t *values;
};

static void add_header(struct comparison *c)
{
    char text[64];
    table_column(c->table, "section");
    table_column(c->table, "metric");
    for (size_t i = 0; i < c->count; i++) {
        snprintf(text, sizeof text, "run_%" PRId64, c->runs[i]);
        table_column(c->table, text);
    }
    for (size_t i = 1; i < c->count; i++) {
        snprintf(text, sizeof text, "difference_%" PRId64, c->runs[i]);
        table_column(c->table, text);
        snprintf(text, sizeof text, "percent_%" PRId64, c->runs[i]);
        table_column(c->table, text);
    }
}

static void finish_row(struct comparison *c)
{
    if (!*c->section)
        return;
    table_string(c->table, c->section);
    table_string(c->table, c->metric);
    for (size_t i = 0; i < c->count; i++)
        table_integer(c->table, c->values[i]);
    for (size_t i = 1; i < c->count; i++) {
        int64_t difference = c->values[i] - c->values[0];
        table_integer(c->table, difference);
        if (c->values[0])
            table_real(c->table, 100.0 * (double)difference / (double)c->values[0]);
        else
            table_null(c->table); /* of nothing there is no percentage */
    }
}

/* Columns: section, metric, run, value; sorted by section and metric. */
static void add_value(struct comparison *c, sqlite3_stmt *statement)
{
    const char *section = (const char *)sqlite3_column_text(statement, 0);
    const char *metric = (const char *)sqlite3_column_text(statement, 1);
    if (!section || !metric) {
        c->table->out_of_memory = true;
        return;
    }
    if (strncmp(section, c->section, sizeof c->section - 1) ||
        strncmp(metric, c->metric, sizeof c->metric - 1)) {
        finish_row(c);
        snprintf(c->section, sizeof c->section, "%s", section);
        snprintf(c->metric, sizeof c->metric, "%s", metric);
        memset(c->values, 0, c->count * sizeof *c->values);
    }
    int64_t run = sqlite3_column_int64(statement, 2);
    for (size_t i = 0; i < c->count; i++)
        if (c->runs[i] == run)
            c->values[i] = sqlite3_column_int64(statement, 3);
}

/* "1,2,3": numbers only, safe inside a query. */
static char *id_list(const int64_t *runs, size_t count)
{
    char *text = malloc(count * 24 + 1);
    size_t used = 0;
    for (size_t i = 0; text && i < count; i++)
        used += (size_t)sprintf(text + used, "%s%" PRId64, i ? "," : "", runs[i]);
    return text;
}

static bool gather(struct store *store, struct comparison *c, const char *ids, char *error, size_t error_size)
{
    char *sql = sqlite3_mprintf("SELECT section, metric, run, value FROM run_metrics WHERE run IN (%s)"
                                " ORDER BY ord, section, metric, run",
                                ids);
    sqlite3_stmt *statement = NULL;
    int code = sql ? sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL) : SQLITE_NOMEM;
    if (code == SQLITE_OK) {
        add_header(c);
        while ((code = sqlite3_step(statement)) == SQLITE_ROW)
            add_value(c, statement);
        finish_row(c);
    }
    if (code != SQLITE_DONE)
        snprintf(error, error_size, "the statistics file cannot be read: %s", sqlite3_errstr(code));
    sqlite3_finalize(statement);
    sqlite3_free(sql);
    return code == SQLITE_DONE;
}

static bool describe(struct store *store, struct table *table, const char *ids, char *error,
                     size_t error_size)
{
    char *sql =
        sqlite3_mprintf("SELECT id, label, image, image_digest, cpu, memory_bytes / 1048576 AS memory_mib,"
                        " options, outcome, exit_status, digest FROM runs WHERE id IN (%s) ORDER BY id",
                        ids);
    if (!sql) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    bool ok = report_query(store, table, sql, 0, error, error_size);
    sqlite3_free(sql);
    return ok;
}

bool report_compare(struct store *store, const int64_t *runs, size_t count, enum table_format format,
                    FILE *file, char *error, size_t error_size)
{
    struct table tables[2];
    table_init(&tables[0], "runs", "Runs");
    table_init(&tables[1], "differences", "Differences to the first");
    struct comparison comparison = {.runs = runs, .count = count, .table = &tables[1]};
    char *ids = id_list(runs, count);
    comparison.values = calloc(count, sizeof *comparison.values);
    bool ok = ids && comparison.values;
    if (!ok)
        snprintf(error, error_size, "out of memory");
    ok = ok && describe(store, &tables[0], ids, error, error_size) &&
         gather(store, &comparison, ids, error, error_size);
    if (ok && !tables_print(file, format, tables, 2)) {
        snprintf(error, error_size, "the comparison cannot be written");
        ok = false;
    }
    free(ids);
    free(comparison.values);
    table_free(&tables[0]);
    table_free(&tables[1]);
    return ok;
}
