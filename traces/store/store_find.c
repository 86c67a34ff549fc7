/* store_find.c: which run is meant. */
#include "traces/store/store_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The runs that selector can mean, newest first, ids before labels. */
static const char matches_sql[] =
    "SELECT id, CAST(id AS TEXT) = ?1 FROM runs WHERE ?1 = 'last' OR CAST(id AS TEXT) = ?1 OR label = ?1"
    " ORDER BY CAST(id AS TEXT) = ?1 DESC, id DESC";

/* Labels that begin alike, or the newest ones: for somebody who mistyped one. */
static void add_known_labels(struct store *store, const char *selector)
{
    static const char sql[] =
        "SELECT group_concat('\"' || label || '\"', ', '), (SELECT count(DISTINCT label) > 5 FROM runs) FROM"
        " (SELECT label FROM runs WHERE label IS NOT NULL"
        " GROUP BY label ORDER BY substr(label, 1, 3) = substr(?1, 1, 3) DESC, max(id) DESC LIMIT 5)";
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, selector, -1, SQLITE_STATIC);
        size_t used = strlen(store->error);
        if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
            snprintf(store->error + used, sizeof store->error - used, " (labels: %.200s%s)",
                     (const char *)sqlite3_column_text(statement, 0),
                     sqlite3_column_int(statement, 1) ? ", ..." : "");
    }
    sqlite3_finalize(statement);
}

/* More than one run has that label. statement stands at the second. */
static void note_ambiguity(struct store *store, sqlite3_stmt *statement, const char *selector, int64_t newest)
{
    size_t used = (size_t)snprintf(store->error, sizeof store->error,
                                   "more than one run has the label '%.100s': give an id, one of %" PRId64,
                                   selector, newest);
    int code = SQLITE_ROW;
    for (unsigned i = 0; i < 8 && code == SQLITE_ROW; i++, code = sqlite3_step(statement))
        used += (size_t)snprintf(store->error + used, sizeof store->error - used, ", %" PRId64,
                                 (int64_t)sqlite3_column_int64(statement, 0));
    snprintf(store->error + used, sizeof store->error - used, "%s", code == SQLITE_ROW ? ", ..." : "");
}

static int64_t take(struct store *store, sqlite3_stmt *statement, const char *selector)
{
    int64_t id = sqlite3_column_int64(statement, 0);
    if (!strcmp(selector, "last") || sqlite3_column_int(statement, 1) ||
        sqlite3_step(statement) != SQLITE_ROW)
        return id;
    note_ambiguity(store, statement, selector, id);
    return -1;
}

int64_t store_find_run(struct store *store, const char *selector)
{
    sqlite3_stmt *statement = NULL;
    int64_t id = -1;
    int code = sqlite3_prepare_v2(store->db, matches_sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, selector, -1, SQLITE_STATIC);
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_ROW) {
        id = take(store, statement, selector);
    } else if (code == SQLITE_DONE) {
        snprintf(store->error, sizeof store->error,
                 "there is no run '%.100s': an id, a label or 'last' is wanted; `vtsim runs` lists them",
                 selector);
        add_known_labels(store, selector);
    } else {
        store_note_error(store, "cannot be read");
    }
    sqlite3_finalize(statement);
    return id;
}
