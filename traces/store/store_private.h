/* store_private.h: shared by store.c (opening, finding) and store_run.c (writing). */
#ifndef VTSIM_TRACES_STORE_PRIVATE_H
#define VTSIM_TRACES_STORE_PRIVATE_H

#include <sqlite3.h>

#include "traces/store/store.h"

/* The prepared statements; their text is in store_run.c. */
enum store_statement {
    STORE_BEGIN,
    STORE_COMMIT,
    STORE_ROLLBACK,
    STORE_NAME_EXIT_REASON,
    STORE_NAME_INSTRUCTION_ERROR,
    STORE_RUN,
    STORE_PROGRESS,
    STORE_FINISH,
    STORE_EXIT,
    STORE_ENTRY,
    STORE_ENTRY_FAILURE,
    STORE_VMX_INSTRUCTION,
    STORE_TLB_FILL,
    STORE_TLB_FLUSH,
    STORE_EVENT,
    STORE_STATEMENT_COUNT
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STORE_STATEMENT_COUNT];
    char error[512];
};

/* Keeps what SQLite has to say, after what. */
void store_note_error(struct store *store, const char *what);
/* False: *store's error is set. */
bool store_prepare_statements(struct store *store);

#endif
