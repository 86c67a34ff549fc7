/* store_upgrade.c: making the tables of a new file, and bringing an older file up to date. */
#include "traces/store/schema.h"
#include "traces/store/store_private.h"

#include <stdio.h>

static bool create(struct store *store)
{
    return store_execute(store, schema_tables_sql) && store_execute(store, schema_views_sql) &&
           store_execute(store, schema_numbers_sql);
}

/* Views are made anew, so all of them go, whatever their names were. */
static bool drop_views(struct store *store)
{
    sqlite3_stmt *statement = NULL;
    char *sql = NULL;
    bool ok = sqlite3_prepare_v2(
                  store->db,
                  "SELECT group_concat('DROP VIEW main.\"' || name || '\"', ';') FROM main.sqlite_schema"
                  " WHERE type = 'view'",
                  -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        ok = (sql = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(statement, 0)));
    if (!ok)
        store_note_error(store, "cannot be used");
    sqlite3_finalize(statement);
    ok = ok && (!sql || store_execute(store, sql));
    sqlite3_free(sql);
    return ok;
}

static bool migrate(struct store *store)
{
    const struct schema_migration *migration = schema_migration_from(store->version);
    if (!migration || !drop_views(store))
        return false;
    if (migration->set_aside &&
        !(store_execute(store, migration->set_aside) && store_execute(store, schema_tables_sql) &&
          store_execute(store, migration->bring_back)))
        return false;
    if (migration->add && !store_execute(store, migration->add))
        return false;
    return store_execute(store, schema_views_sql) && store_execute(store, schema_numbers_sql);
}

bool store_bring_up_to_date(struct store *store)
{
    if (!store_execute(store, "BEGIN IMMEDIATE"))
        return false;
    /* Whoever gets the lock second finds it done. */
    enum store_file kind = store_examine(store);
    bool ok = kind == STORE_FILE_OURS || (kind == STORE_FILE_EMPTY && create(store)) ||
              (kind == STORE_FILE_OLD && migrate(store));
    if (ok && store_execute(store, "COMMIT"))
        return true;
    sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}
