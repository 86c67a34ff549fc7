/* query.c: a query's result as a table; its column names are the table's. */
#include "traces/report/query.h"

#include <sqlite3.h>
#include <string.h>

/* Numbers that count nothing. */
static bool is_identifier(const char *column)
{
    static const char *const names[] = {"id",   "run",   "processor", "vpid",  "reason",
                                        "code", "error", "vector",    "level", "exit_status"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], column))
            return true;
    return false;
}

static void add_cell(struct table *table, sqlite3_stmt *statement, int column)
{
    const int64_t number = sqlite3_column_int64(statement, column);
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        if (is_identifier(sqlite3_column_name(statement, column)))
            table_identifier(table, number);
        else
            table_integer(table, number);
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

static void bind(sqlite3_stmt *statement, const struct query_argument *arguments, size_t count)
{
    const int wanted = sqlite3_bind_parameter_count(statement);
    for (int i = 0; i < wanted && (size_t)i < count; i++) {
        if (arguments[i].text)
            sqlite3_bind_text(statement, i + 1, arguments[i].text, -1, SQLITE_STATIC);
        else if (!arguments[i].null)
            sqlite3_bind_int64(statement, i + 1, arguments[i].number);
    }
}

bool query_into_table(struct sqlite3 *db, struct table *table, const char *sql,
                      const struct query_argument *arguments, size_t count, char *error, size_t error_size)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        bind(statement, arguments, count);
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

bool query_print(struct table *tables, size_t count, const struct report_output *output, char *error,
                 size_t error_size)
{
    for (size_t i = 0; i < count; i++) {
        tables[i].report = true;
        tables[i].width = output->width;
    }
    if (tables_print(output->file, output->format, tables, count))
        return true;
    snprintf(error, error_size, "the report cannot be written");
    return false;
}
