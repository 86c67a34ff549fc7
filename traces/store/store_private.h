/* store_private.h: shared by store.c (opening, finding) and store_run.c (writing). */
#ifndef VTSIM_TRACES_STORE_PRIVATE_H
#define VTSIM_TRACES_STORE_PRIVATE_H

#include <sqlite3.h>

#include "traces/store/store.h"

enum store_file { STORE_FILE_OURS, STORE_FILE_OLD, STORE_FILE_EMPTY, STORE_FILE_UNUSABLE };

/* The prepared statements; their text is in statements.def. */
enum store_statement {
#define STATEMENT(name, sql) STORE_##name,
#include "traces/store/statements.def"
#undef STATEMENT
    STORE_STATEMENT_COUNT
};

/* What of a processor's time line is in the file already. */
struct store_timeline {
    uint64_t width; /* 0: nothing */
    size_t slices;  /* all but the last of them are complete */
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_STATEMENT_COUNT];
    int version;          /* of an older file that was found; else 0 */
    int64_t timeline_run; /* whose time line timelines[] speaks of */
    struct store_timeline timelines[STATS_PROCESSORS];
    char error[768];
};

/* Keeps what SQLite has to say, after what. */
void store_note_error(struct store *store, const char *what);
/* False: *store's error is set. */
bool store_prepare_statements(struct store *store);

/* False: *store's error is set. */
bool store_execute(struct store *store, const char *sql);
/* What is open there. STORE_FILE_UNUSABLE: *store's error says why. STORE_FILE_OLD: version is set. */
enum store_file store_examine(struct store *store);
/* Makes the tables in an empty file, or brings an older one up to date: in one transaction. */
bool store_bring_up_to_date(struct store *store);
/* Runs a statement. Each letter of types says what one argument is: i int64_t, t text (or null). */
bool store_run(struct store *store, enum store_statement which, const char *types, ...);
/* The figures of one run as they are now, within an open transaction. */
bool store_write_figures(struct store *store, int64_t id, const struct stats *stats);

#endif
