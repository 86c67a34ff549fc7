/* test_migration.c: files of older schema versions, stored as SQL in tests/traces/schema, are brought up to
 * date. */
#include "tests/traces/fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "traces/store/schema.h"

/* The file that tests/traces/schema/NAME makes. */
static void make_old_file(const char *path, const char *name)
{
    char sql_path[1024];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(sql_path, sizeof sql_path, "%.*s/schema/%s", (int)(slash - __FILE__), __FILE__, name);
    FILE *file = fopen(sql_path, "r");
    assert_non_null(file);
    static char sql[100000];
    size_t length = fread(sql, 1, sizeof sql - 1, file);
    fclose(file);
    assert_true(length < sizeof sql - 1);
    sql[length] = 0;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql_path, message);
    sqlite3_close(db);
}

static char *text(struct sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *value = (const char *)sqlite3_column_text(statement, 0);
    char *copy = strdup(value ? value : "(null)");
    sqlite3_finalize(statement);
    return copy;
}

static void expect_text(struct sqlite3 *db, const char *sql, const char *expected)
{
    char *actual = text(db, sql);
    if (strcmp(actual, expected))
        fail_msg("%s:\n  %s\nand not\n  %s", sql, actual, expected);
    free(actual);
}

/* All figures of the stored file, as they must be found again. */
static void expect_figures_of_version_1(struct sqlite3 *db)
{
    expect_text(
        db,
        "SELECT group_concat(id || ' ' || label || ' ' || state || ' ' || coalesce(outcome, '-') || ' '"
        " || coalesce(exit_status, '-') || ' ' || cycles || ' ' || coalesce(digest, '-'), '; ') FROM runs "
        "WHERE id < 3",
        "1 first finished power-off 0 100000 211b8c963ab1a079; 2 killed unfinished - - 777 -");
    expect_text(db,
                "SELECT group_concat(run || ' ' || processor || ' ' || vpid || ' ' || name || ' ' || count "
                "|| ' ' || cycles,"
                " '; ') FROM (SELECT * FROM exits ORDER BY run, vpid, reason)",
                "1 0 1 CPUID 2 2200; 1 0 2 EPT violation 1 3000; 2 0 0 reason 127 1 9; 2 0 1 CPUID 2 2200;"
                " 2 0 2 EPT violation 1 3000; 2 0 7 HLT 1 9");
    expect_text(db,
                "SELECT group_concat(instruction || ' ' || count || ' ' || cycles, '; ') FROM vm_entries "
                "WHERE run = 1",
                "VMLAUNCH 1 500; VMRESUME 1 400");
    expect_text(db,
                "SELECT group_concat(kind || ' ' || code || ' ' || rule || ' ' || count, '; ') FROM "
                "failed_entries WHERE run = 2",
                "VM-instruction error 7 pin_based_reserved_bits 1; exit reason 33 guest_rflags_reserved 1");
    expect_text(db,
                "SELECT group_concat(instruction || ' ' || result || ' ' || coalesce(error, '-') || ' ' || "
                "count || ' ' || cycles,"
                " '; ') FROM vmx_instructions WHERE run = 1",
                "VMREAD VMfailValid(12) 12 1 30; VMREAD success - 1 30");
    expect_text(db,
                "SELECT mapping || ' ' || page_size || ' ' || hits_of_any_level || ' ' || walks || ' ' || "
                "memory_references"
                " || ' ' || walk_cycles FROM tlb_by_page_size WHERE run = 1",
                "combined any 1 1 24 120");
    expect_text(
        db,
        "SELECT cause || ' ' || count || ' ' || dropped || ' ' || dropped_global || ' ' || direct_cycles"
        " FROM flush_costs WHERE run = 1",
        "MOV to CR3 1 17 2 50");
    expect_text(db,
                "SELECT group_concat(kind || ' ' || vector || ' ' || coalesce(name, '-') || ' ' || count, '; "
                "') FROM events"
                " WHERE run = 1",
                "exception 14 #PF 1; interrupt 32 - 1");
    /* It did not say where the cycles went. */
    expect_text(db,
                "SELECT cause || ' ' || cycles || ' ' || share_percent FROM where_cycles_went WHERE run = 1",
                "not attributed 100000 100.0");
}

static void expect_schema_of_a_new_file(struct sqlite3 *db, const char *new_path)
{
    static const char sql[] =
        "SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_schema ORDER BY type, name)";
    struct store *new = open_ok(new_path, STORE_WRITE);
    char *expected = text(store_database(new), sql);
    expect_text(db, sql, expected);
    free(expected);
    store_close(new);
    expect_text(db, "PRAGMA user_version", "3");
    expect_text(db, "PRAGMA integrity_check", "ok");
    expect_text(db, "SELECT count(*) FROM pragma_foreign_key_check", "0");
}

static void an_older_file_is_brought_up_to_date_for_writing(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(state, "old.db"));
    make_old_file(path, "v1.sql");
    struct store *store = open_ok(path, STORE_WRITE);
    expect_figures_of_version_1(store_database(store));
    expect_schema_of_a_new_file(store_database(store), in_folder(state, "new.db"));
    store_close(store);
    store = open_ok(path, STORE_READ); /* and it stays so */
    expect_figures_of_version_1(store_database(store));
    store_close(store);
    store = open_ok(path, STORE_WRITE);
    assert_int_equal(add_sample_run(store, "third"), 3);
    store_close(store);
}

static void an_older_file_is_brought_up_to_date_for_reading(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(state, "old.db"));
    make_old_file(path, "v1.sql");
    struct store *store = open_ok(path, STORE_READ);
    expect_figures_of_version_1(store_database(store));
    expect_schema_of_a_new_file(store_database(store), in_folder(state, "new.db"));
    assert_int_equal(sqlite3_db_readonly(store_database(store), "main"), 1);
    store_close(store);
}

/* Version 2 lacked the findings alone: everything else stays where it is. */
static void a_file_of_version_2_gets_the_table_of_findings(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(state, "old.db"));
    make_old_file(path, "v2.sql");
    struct store *store = open_ok(path, STORE_READ);
    struct sqlite3 *db = store_database(store);
    expect_schema_of_a_new_file(db, in_folder(state, "new.db"));
    expect_text(db, "SELECT count(*) FROM findings", "0");
    expect_text(db, "SELECT label || ' ' || outcome || ' ' || cycles || ' ' || instructions FROM runs",
                "first power-off 57574 13778");
    expect_text(db, "SELECT sum(count) FROM exits", "10");
    expect_text(db, "SELECT sum(cycles) FROM cycles_by_cause", "57574");
    store_close(store);
    store = open_ok(path, STORE_WRITE);
    assert_int_equal(add_sample_run(store, "second"), 2);
    store_close(store);
}

/* Ids of runs that were deleted are not given again: reports that name them would speak of others. */
static void ids_go_on_where_they_were(void **state)
{
    const char *path = in_folder(state, "old.db");
    make_old_file(path, "v1.sql");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA foreign_keys = ON; DELETE FROM runs WHERE id = 2", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    struct store *store = open_ok(path, STORE_WRITE);
    assert_int_equal(add_sample_run(store, "next"), 3);
    store_close(store);
}

/* A file that cannot be converted as a whole is not converted in part. */
static void a_migration_that_fails_changes_nothing(void **state)
{
    const char *path = in_folder(state, "old.db");
    make_old_file(path, "v1.sql");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    /* Version 1 took any text for a mapping; version 2 takes three. */
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO tlb_fills VALUES(1, 3, 'nonsense', 1, 1, 1, 1)", NULL, NULL, NULL),
        SQLITE_OK);
    char *before = text(db, "SELECT group_concat(sql) FROM sqlite_schema");
    char error[600] = "";
    assert_null(store_open(path, STORE_WRITE, error, sizeof error));
    assert_non_null(strstr(error, "CHECK constraint failed"));
    assert_null(store_open(path, STORE_READ, error, sizeof error));
    assert_non_null(
        strstr(error, "has schema version 1 and has to be brought up to date first, which failed"));
    expect_text(db, "PRAGMA user_version", "1");
    expect_text(db, "SELECT group_concat(sql) FROM sqlite_schema", before);
    expect_text(db, "SELECT count(*) FROM vm_exits", "6");
    free(before);
    sqlite3_close(db);
}

/* As somebody who may only read it. */
static void an_older_file_that_cannot_be_written_is_refused_with_the_way_out(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(state, "old.db"));
    make_old_file(path, "v1.sql");
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(*state, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        char error[600] = "";
        if (geteuid() == 0 && setuid(65534))
            _exit(10);
        if (store_open(path, STORE_READ, error, sizeof error))
            _exit(11);
        _exit(strstr(error, "schema version 1") && strstr(error, "copy it to where it can be written") ? 0
                                                                                                       : 12);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(*state, 0755), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(an_older_file_is_brought_up_to_date_for_writing),
        IN_FOLDER(an_older_file_is_brought_up_to_date_for_reading),
        IN_FOLDER(a_file_of_version_2_gets_the_table_of_findings),
        IN_FOLDER(ids_go_on_where_they_were),
        IN_FOLDER(a_migration_that_fails_changes_nothing),
        IN_FOLDER(an_older_file_that_cannot_be_written_is_refused_with_the_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
