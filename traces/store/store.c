/* store.c: opening a statistics file: ours or not, which version, for reading or for writing. */
#include "traces/store/store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "traces/store/schema.h"
#include "traces/store/store_private.h"

/* How long to wait for another process's transaction: milliseconds of the host. What is stored does not
 * depend on it. */
#define BUSY_TIMEOUT 10000
/* Readers of a file with a write-ahead log wait for nobody, unless somebody locks the whole file. */
#define READER_BUSY_TIMEOUT 2000

void store_note_error(struct store *store, const char *what)
{
    int code = store->db ? sqlite3_errcode(store->db) & 0xff : SQLITE_NOMEM; /* without the extended part */
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        snprintf(store->error, sizeof store->error,
                 "%s: another process has locked it; try again when that is done (`fuser FILE` names it)",
                 what);
    else if (code == SQLITE_CANTOPEN && sqlite3_system_errno(store->db))
        snprintf(store->error, sizeof store->error, "%s: %s (%s; check the path and its permissions)", what,
                 sqlite3_errmsg(store->db), strerror(sqlite3_system_errno(store->db)));
    else
        snprintf(store->error, sizeof store->error, "%s: %s", what,
                 store->db ? sqlite3_errmsg(store->db) : "out of memory");
}

const char *store_error(const struct store *store)
{
    return store->error;
}

struct sqlite3 *store_database(struct store *store)
{
    return store->db;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (unsigned i = 0; i < STORE_STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free(store);
}

bool store_execute(struct store *store, const char *sql)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    store_note_error(store, "cannot be used");
    return false;
}

/* The single number that a query gives. */
static bool query_integer(struct store *store, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *value = sqlite3_column_int64(statement, 0);
    else
        store_note_error(store, "cannot be used");
    sqlite3_finalize(statement);
    return ok;
}

static enum store_file refuse_version(struct store *store, int64_t version)
{
    snprintf(
        store->error, sizeof store->error,
        "has schema version %lld, and this vtsim knows versions up to %d; use the vtsim that wrote it, or "
        "another file",
        (long long)version, SCHEMA_VERSION);
    return STORE_FILE_UNUSABLE;
}

enum store_file store_examine(struct store *store)
{
    int64_t application, version, objects;
    if (!query_integer(store, "PRAGMA application_id", &application) ||
        !query_integer(store, "PRAGMA user_version", &version) ||
        !query_integer(store, "SELECT count(*) FROM sqlite_schema", &objects))
        return STORE_FILE_UNUSABLE;
    if (!objects && !application && !version)
        return STORE_FILE_EMPTY;
    if (application != SCHEMA_APPLICATION_ID) {
        snprintf(store->error, sizeof store->error, "is a database of another program; it was not touched");
        return STORE_FILE_UNUSABLE;
    }
    if (version == SCHEMA_VERSION)
        return STORE_FILE_OURS;
    store->version = (int)version;
    return version < SCHEMA_VERSION && schema_migration_from((int)version) ? STORE_FILE_OLD
                                                                           : refuse_version(store, version);
}

/* The journal mode is a property of the file: it stays as it is when another process is using the file just
 * now. */
static void use_write_ahead_log(struct store *store)
{
    sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
}

static bool open_for_writing(struct store *store)
{
    enum store_file kind = store_examine(store);
    if (kind == STORE_FILE_UNUSABLE)
        return false;
    use_write_ahead_log(store);
    if (kind != STORE_FILE_OURS && !store_bring_up_to_date(store))
        return false;
    return store_execute(store, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON") &&
           store_prepare_statements(store);
}

static bool open_for_reading(struct store *store)
{
    enum store_file kind = store_examine(store);
    if (kind == STORE_FILE_EMPTY)
        snprintf(store->error, sizeof store->error, "holds no statistics: `vtsim run --stats` writes some");
    return kind == STORE_FILE_OURS;
}

static bool connect(struct store *store, const char *path, int flags)
{
    sqlite3_close(store->db);
    store->db = NULL;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK) {
        store_note_error(store, "cannot be opened");
        return false;
    }
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT);
    return true;
}

/* A file that nobody is writing, in a folder where no lock file can be made: https://sqlite.org/wal.html,
 * "Read-Only Databases". A log with something in it would be missed, so then it is not tried. */
static bool connect_immutable(struct store *store, const char *path)
{
    static const char prefix[] = "file:", suffix[] = "?immutable=1", log_suffix[] = "-wal";
    size_t length = strlen(path), used = sizeof prefix - 1;
    char *uri = malloc(sizeof prefix + 3 * length + sizeof suffix);
    if (!uri)
        return false;
    struct stat log;
    sprintf(uri, "%s%s", path, log_suffix);
    bool ok = stat(uri, &log) != 0 || log.st_size == 0;
    memcpy(uri, prefix, sizeof prefix);
    for (const char *p = path; *p; p++) {
        if (strchr("%?#", *p))
            used += (size_t)sprintf(uri + used, "%%%02X", (unsigned char)*p);
        else
            uri[used++] = *p;
    }
    memcpy(uri + used, suffix, sizeof suffix);
    ok = ok && connect(store, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    free(uri);
    return ok;
}

/* An older file is brought up to date for readers too: they then have one form to know. */
static bool upgrade_for_reading(struct store *store, const char *path)
{
    const int version = store->version;
    if (connect(store, path, SQLITE_OPEN_READWRITE) && store_bring_up_to_date(store))
        return connect(store, path, SQLITE_OPEN_READONLY) && open_for_reading(store);
    char why[sizeof store->error];
    snprintf(why, sizeof why, "%s", store->error);
    snprintf(store->error, sizeof store->error,
             "has schema version %d and has to be brought up to date first, which failed: %.300s; copy it to "
             "where it can be written",
             version, why);
    return false;
}

static bool open_existing(struct store *store, const char *path)
{
    struct stat status;
    if (stat(path, &status) && errno == ENOENT) {
        snprintf(store->error, sizeof store->error,
                 "there is no such file; `vtsim run --stats` makes one, and --stats names another");
        return false;
    }
    if (!connect(store, path, SQLITE_OPEN_READONLY))
        return false;
    sqlite3_busy_timeout(store->db, READER_BUSY_TIMEOUT);
    if (open_for_reading(store))
        return true;
    if (store->version)
        return upgrade_for_reading(store, path);
    int code = sqlite3_errcode(store->db) & 0xff; /* without the extended part */
    return (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && connect_immutable(store, path) &&
           open_for_reading(store);
}

static bool open_store(struct store *store, const char *path, enum store_mode mode)
{
    if (!*path) {
        snprintf(store->error, sizeof store->error, "the path is empty");
        return false;
    }
    if (mode == STORE_READ)
        return open_existing(store, path);
    return connect(store, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) && open_for_writing(store);
}

struct store *store_open(const char *path, enum store_mode mode, char *error, size_t error_size)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(error, error_size, "statistics file %s: out of memory", path);
        return NULL;
    }
    if (open_store(store, path, mode))
        return store;
    snprintf(error, error_size, "statistics file %s: %s", path, store->error);
    store_close(store);
    return NULL;
}
