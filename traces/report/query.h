/* query.h: a query's result as a table. */
#ifndef VTSIM_TRACES_REPORT_QUERY_H
#define VTSIM_TRACES_REPORT_QUERY_H

#include "traces/report/report.h"

struct sqlite3;

/* One argument of a query: a text, or a number where text is null. */
struct query_argument {
    const char *text;
    int64_t number;
    bool null; /* neither */
};

/* Adds columns and rows of a query's result. The first arguments are bound to ?1, ?2 ...; those that the
 * query does not have are left out. False: SQLite's message is in error. */
bool query_into_table(struct sqlite3 *db, struct table *table, const char *sql,
                      const struct query_argument *arguments, size_t count, char *error, size_t error_size);

/* SQL: what stands behind the last slash of a path. */
#define REPORT_BASE_NAME(path) "replace(" path ", rtrim(" path ", replace(" path ", '/', '')), '')"

/* Prints tables of a report; text is kept within output->width. */
bool query_print(struct table *tables, size_t count, const struct report_output *output, char *error,
                 size_t error_size);

#endif
