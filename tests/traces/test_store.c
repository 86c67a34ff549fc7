/* test_store.c: what was stored is there again: after reopening, beside a reader, after a kill, on a full
 * disk. */
#include "tests/traces/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "traces/report/query.h"
#include "traces/store/schema.h"

/* The first column of a query's first row, as an integer; -1 if there is no row. */
static int64_t number(struct store *store, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    return value;
}

static void figures_come_back_after_reopening(void **state)
{
    const char *path = in_folder(state, "a.db");
    struct store *store = open_ok(path, STORE_WRITE);
    add_sample_run(store, "first");
    store_close(store);
    store = open_ok(path, STORE_READ);
    assert_int_equal(number(store, "SELECT count FROM vm_exits WHERE run = 1 AND vpid = 1 AND reason = 10"),
                     2);
    assert_int_equal(number(store, "SELECT cycles FROM exits WHERE name = 'EPT violation' AND vpid = 2"),
                     3000);
    assert_int_equal(number(store, "SELECT count FROM failed_entries WHERE rule = 'guest_rflags_reserved'"
                                   " AND kind = 'exit reason'"),
                     1);
    assert_int_equal(
        number(store, "SELECT count FROM vmx_instructions WHERE result = 'VMfailValid(12)' AND error = 12"),
        1);
    assert_int_equal(
        number(store,
               "SELECT memory_references FROM page_walks WHERE mapping = 'combined' AND page_size = '4K'"),
        24);
    assert_int_equal(number(store, "SELECT dropped FROM tlb_flushes WHERE cause = 'MOV to CR3'"), 17);
    assert_int_equal(number(store, "SELECT cycles FROM tlb_hits WHERE level = 2"), 7);
    assert_int_equal(number(store, "SELECT refill_cycles FROM flush_costs"), 120);
    assert_int_equal(number(store, "SELECT count FROM tlb_dropped WHERE page_size = '2M' AND global = 0"), 1);
    assert_int_equal(number(store, "SELECT total_cycles FROM top_exits WHERE name = 'CPUID'"),
                     2200 + 250 + 400 + 120);
    assert_int_equal(
        number(store, "SELECT count FROM exit_spread WHERE measure = 'round trip' AND from_cycles = 1024"
                      " AND to_cycles = 2047"),
        1);
    assert_int_equal(number(store, "SELECT count FROM events WHERE kind = 'exception' AND name = '#PF'"), 1);
    assert_int_equal(number(store,
                            "SELECT count(*) FROM runs WHERE outcome = 'power-off' AND digest IS NOT NULL"
                            " AND image_digest = '0123456789abcdef'"),
                     1);
    store_close(store);
}

static void many_runs_share_one_file(void **state)
{
    const char *path = in_folder(state, "many.db");
    for (int i = 0; i < 20; i++) {
        struct store *store = open_ok(path, STORE_WRITE);
        assert_int_equal(add_sample_run(store, i % 2 ? "odd" : "even"), i + 1);
        store_close(store);
    }
    struct store *store = open_ok(path, STORE_READ);
    assert_int_equal(number(store, "SELECT count(DISTINCT digest) FROM runs"), 1);
    assert_int_equal(number(store, "SELECT count(*) FROM vm_exits"), 40);
    assert_int_equal(store_find_run(store, "last"), 20);
    assert_int_equal(store_find_run(store, "even"), -1);
    assert_string_equal(
        store_error(store),
        "more than one run has the label 'even': give an id, one of 19, 17, 15, 13, 11, 9, 7, 5, 3, ...");
    assert_int_equal(store_find_run(store, "7"), 7);
    assert_int_equal(store_find_run(store, "21"), -1);
    assert_non_null(strstr(store_error(store), "no run '21'"));
    assert_int_equal(store_find_run(store, "evening"), -1);
    assert_non_null(strstr(store_error(store), "(labels: \"even\", \"odd\")"));
    assert_int_equal(store_find_run(store, "' OR 1=1 --"), -1);
    store_close(store);
}

static void the_digest_does_not_depend_on_label_or_path(void **state)
{
    struct store *one = open_ok(in_folder(state, "one.db"), STORE_WRITE);
    add_sample_run(one, "a label");
    add_sample_run(one, NULL);
    assert_int_equal(number(one, "SELECT count(DISTINCT digest) FROM runs"), 1);
    store_close(one);
}

static void a_reader_sees_whole_updates_while_a_run_is_written(void **state)
{
    const char *path = in_folder(state, "live.db");
    struct store *writer = open_ok(path, STORE_WRITE);
    struct stats *stats = stats_new();
    struct run_description description = sample_description("live");
    int64_t id = store_begin_run(writer, &description);
    struct store *reader = open_ok(path, STORE_READ);
    for (unsigned i = 1; i <= 5; i++) {
        event(stats, TRACE_VM_EXIT, 1, 12, 0, 0, 1000);
        assert_true(store_update_run(writer, id, stats, i * 1000, i * 10));
        assert_int_equal(number(reader, "SELECT count FROM vm_exits WHERE reason = 12"), i);
        assert_int_equal(number(reader, "SELECT cycles FROM runs"), i * 1000);
        assert_int_equal(number(reader, "SELECT state = 'unfinished' AND outcome IS NULL FROM runs"), 1);
    }
    store_close(reader);
    store_close(writer);
    stats_free(stats);
}

static void two_processes_write_at_once(void **state)
{
    const char *path = in_folder(state, "two.db");
    for (int child = 0; child < 2; child++)
        if (fork() == 0) {
            char error[600];
            struct store *store = store_open(path, STORE_WRITE, error, sizeof error);
            struct run_description description = sample_description("child");
            for (int i = 0; store && i < 25; i++)
                if (store_begin_run(store, &description) < 0)
                    _exit(1);
            store_close(store);
            _exit(store ? 0 : 1);
        }
    for (int child = 0; child < 2; child++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct store *store = open_ok(path, STORE_READ);
    assert_int_equal(number(store, "SELECT count(*) FROM runs"), 50);
    store_close(store);
}

static void a_killed_run_leaves_a_readable_file(void **state)
{
    const char *path = in_folder(state, "killed.db");
    pid_t child = fork();
    if (child == 0) {
        char error[600];
        struct store *store = store_open(path, STORE_WRITE, error, sizeof error);
        struct run_description description = sample_description("killed");
        struct stats *stats = stats_new();
        int64_t id = store_begin_run(store, &description);
        sample_events(stats);
        if (!store_update_run(store, id, stats, 777, 333))
            _exit(1);
        /* In the middle of the next update: its transaction is open and half written. */
        sqlite3_exec(store_database(store),
                     "BEGIN IMMEDIATE; UPDATE runs SET cycles = 999999; DELETE FROM vm_exits", NULL, NULL,
                     NULL);
        raise(SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    struct store *store = open_ok(path, STORE_READ);
    assert_int_equal(number(store, "SELECT cycles FROM runs WHERE state = 'unfinished'"), 777);
    assert_int_equal(number(store, "SELECT count(*) FROM vm_exits"), 2);
    assert_int_equal(
        number(store, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    store_close(store);
    store = open_ok(path, STORE_WRITE); /* and the next run goes into the same file */
    assert_int_equal(add_sample_run(store, "next"), 2);
    store_close(store);
}

/* A limit on the file's size stands for a full disk: the write fails with the same kind of error. */
static void a_full_disk_keeps_what_was_recorded(void **state)
{
    const char *path = in_folder(state, "full.db");
    struct store *store = open_ok(path, STORE_WRITE);
    struct run_description description = sample_description("full");
    struct stats *stats = stats_new();
    int64_t id = store_begin_run(store, &description);
    sample_events(stats);
    assert_true(store_update_run(store, id, stats, 777, 333));
    struct rlimit unlimited, small = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &unlimited);
    small.rlim_max = unlimited.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    for (unsigned vpid = 3; vpid < 3000; vpid++)
        event(stats, TRACE_VM_EXIT, (uint16_t)vpid, 12, 0, 0, 1);
    struct run_result result = sample_result();
    bool ok = store_finish_run(store, id, stats, &result);
    setrlimit(RLIMIT_FSIZE, &unlimited);
    assert_false(ok);
    assert_non_null(strstr(store_error(store), "cannot be written"));
    store_close(store);
    store = open_ok(path, STORE_READ);
    assert_int_equal(number(store, "SELECT cycles FROM runs WHERE state = 'unfinished'"), 777);
    assert_int_equal(number(store, "SELECT count(*) FROM vm_exits"), 2);
    store_close(store);
    stats_free(stats);
}

static void expect_refusal(const char *path, enum store_mode mode, const char *why)
{
    char error[600] = "";
    assert_null(store_open(path, mode, error, sizeof error));
    if (!strstr(error, why) || !strstr(error, path))
        fail_msg("'%s' is not in: %s", why, error);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void unusable_paths_are_refused_with_a_reason(void **state)
{
    const char *path = in_folder(state, "text.db");
    write_file(
        path,
        "This is a letter, not a database. It is long enough to have a header of a hundred bytes, really.\n");
    expect_refusal(path, STORE_WRITE, "not a database");
    expect_refusal(path, STORE_READ, "not a database");
    expect_refusal(in_folder(state, "text.db/below.db"), STORE_WRITE, "unable to open");
    expect_refusal(in_folder(state, "no/such/folder.db"), STORE_WRITE, "unable to open");
    expect_refusal(in_folder(state, "."), STORE_WRITE, "unable to open");
    expect_refusal(in_folder(state, "missing.db"), STORE_READ, "there is no such file");
    expect_refusal("", STORE_WRITE, "empty");
    path = in_folder(state, "empty.db");
    write_file(path, "");
    expect_refusal(path, STORE_READ, "holds no statistics");
}

static void other_databases_and_newer_schemas_are_left_alone(void **state)
{
    const char *path = in_folder(state, "other.db");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE recipes(name)", NULL, NULL, NULL);
    expect_refusal(path, STORE_WRITE, "another program");
    char *mode = NULL;
    sqlite3_stmt *statement;
    sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &statement, NULL);
    sqlite3_step(statement);
    mode = strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    assert_string_equal(mode, "delete"); /* not even its journal mode was changed */
    free(mode);
    sqlite3_close(db);

    path = in_folder(state, "newer.db");
    store_close(open_ok(path, STORE_WRITE));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
    sqlite3_close(db);
    expect_refusal(path, STORE_WRITE, "schema version 99");
    expect_refusal(path, STORE_READ, "schema version 99");
}

/* As a user without root's powers: a folder that cannot be written. */
static void a_read_only_folder_can_be_read_but_not_written(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(state, "folder"));
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s", in_folder(state, "folder/a 100%?#.db"));
    struct store *store = open_ok(path, STORE_WRITE);
    add_sample_run(store, "kept");
    store_close(store);
    assert_int_equal(chmod(*state, 0755), 0);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(in_folder(state, "folder"), 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        char error[600] = "";
        if (geteuid() == 0 && setuid(65534))
            _exit(10);
        if (store_open(in_folder(state, "folder/new.db"), STORE_WRITE, error, sizeof error))
            _exit(11);
        struct store *written = store_open(path, STORE_WRITE, error, sizeof error);
        struct run_description description = sample_description(NULL);
        if (written && store_begin_run(written, &description) >= 0)
            _exit(12);
        store_close(written);
        struct store *read = store_open(path, STORE_READ, error, sizeof error);
        if (!read || number(read, "SELECT count(*) FROM runs") != 1)
            _exit(13);
        store_close(read);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(in_folder(state, "folder"), 0755), 0);
}

/* Whoever locks the whole file keeps readers out; they say so after a while, and what to do. */
static void a_locked_file_is_told_as_such(void **state)
{
    const char *path = in_folder(state, "locked.db");
    struct store *store = open_ok(path, STORE_WRITE);
    add_sample_run(store, "one");
    store_close(store);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE",
                     NULL, NULL, NULL),
        SQLITE_OK);
    expect_refusal(path, STORE_READ, "another process has locked it");
    sqlite3_close(db);
    store_close(open_ok(path, STORE_READ));
}

/* Three parts of a third each are 33.4, 33.3 and 33.3 %. */
static void shares_add_up_to_a_hundred_percent(void **state)
{
    struct store *store = open_ok(in_folder(state, "shares.db"), STORE_WRITE);
    struct stats *stats = stats_new();
    struct cycle_account account = {.now = 3000};
    account.by[CYCLES_ROOT][CYCLES_INSTRUCTIONS] = 1000;
    account.by[CYCLES_NON_ROOT][CYCLES_INSTRUCTIONS] = 1000;
    account.by[CYCLES_ROOT][CYCLES_HALTED] = 1000;
    assert_true(stats_take_account(stats, 0, &account));
    struct run_description description = sample_description(NULL);
    int64_t id = store_begin_run(store, &description);
    assert_true(store_update_run(store, id, stats, 3000, 10));
    assert_int_equal(number(store, "SELECT round(10 * sum(share_percent)) FROM where_cycles_went"), 1000);
    assert_int_equal(number(store, "SELECT count(*) FROM where_cycles_went WHERE share_percent = 33.3"), 2);
    assert_int_equal(number(store, "SELECT sum(cycles) FROM where_cycles_went"), 3000);
    /* What no cause is known of is not spread over the others. */
    assert_true(store_update_run(store, id, stats, 4000, 10));
    assert_int_equal(number(store, "SELECT cycles FROM where_cycles_went WHERE cause = 'not attributed'"),
                     1000);
    assert_int_equal(number(store, "SELECT count(*) FROM where_cycles_went WHERE share_percent = 25.0"), 4);
    /* A second processor lives through the same 4000 cycles; while the run goes on it may be behind. */
    account.by[CYCLES_ROOT][CYCLES_INSTRUCTIONS] = 2000;
    assert_true(stats_take_account(stats, 0, &account));
    account.by[CYCLES_ROOT][CYCLES_INSTRUCTIONS] = 1000;
    assert_true(stats_take_account(stats, 1, &account));
    assert_true(store_update_run(store, id, stats, 4000, 10));
    assert_int_equal(number(store, "SELECT sum(cycles) FROM where_cycles_went"), 7000);
    struct run_result result = {.outcome = "limit", .message = "", .cycles = 4000, .instructions = 10};
    assert_true(store_finish_run(store, id, stats, &result));
    assert_int_equal(number(store, "SELECT sum(cycles) FROM where_cycles_went"), 8000);
    assert_int_equal(number(store, "SELECT cycles FROM where_cycles_went WHERE cause = 'not attributed'"),
                     1000);
    stats_free(stats);
    store_close(store);
}

/* Slices that are written are not written again, unless they were joined. */
static void a_timeline_that_is_written_bit_by_bit_is_the_whole_one(void **state)
{
    struct store *store = open_ok(in_folder(state, "timeline.db"), STORE_WRITE);
    struct stats *stats = stats_new();
    struct run_description description = sample_description(NULL);
    int64_t id = store_begin_run(store, &description);
    uint64_t count = 0;
    for (uint64_t cycles = 0; cycles < 3000000; cycles += 1500) {
        event_at(stats, cycles, (struct trace_event){.kind = TRACE_VM_EXIT, .code = 12, .cost = 2});
        count++;
        if (count % 37)
            continue;
        assert_true(store_update_run(store, id, stats, cycles, 10));
        assert_int_equal(number(store, "SELECT sum(count) FROM timeline"), count);
        assert_int_equal(number(store, "SELECT sum(exit_cycles) FROM exit_timeline"), 2 * count);
        assert_int_equal(number(store, "SELECT count(DISTINCT width) FROM timeline"), 1);
    }
    assert_int_equal(number(store, "SELECT width FROM timeline"), 16384); /* 3000000 / 16384 is 183 */
    stats_free(stats);
    store_close(store);
}

static void what_makes_no_sense_is_refused_by_the_file(void **state)
{
    struct store *store = open_ok(in_folder(state, "checks.db"), STORE_WRITE);
    add_sample_run(store, "one");
    static const char *const nonsense[] = {
        "INSERT INTO vm_exits VALUES(99, 0, 0, 12, 1, 1)",        /* no such run */
        "INSERT INTO vm_exits VALUES(1, 0, 0, 99, 1, 1)",         /* a reason without a name */
        "INSERT INTO vm_exits VALUES(1, 256, 0, 12, 1, 1)",       /* processor */
        "INSERT INTO vm_exits VALUES(1, 0, 65536, 12, 1, 1)",     /* VPID */
        "INSERT INTO vm_exits VALUES(1, 0, 0, 12, 0, 1)",         /* counted, but never happened */
        "INSERT INTO vm_exits VALUES(1, 0, 0, 12, 1, -1)",        /* cycles */
        "INSERT INTO timeline VALUES(1, 0, 100, 4096, 12, 1, 1)", /* begins within a slice */
        "INSERT INTO tlb_hits VALUES(1, 0, 0, 'linear', 3, '4K', 1, 1)",
        "INSERT INTO tlb_hits VALUES(1, 0, 0, 'linear', 1, '8K', 1, 1)",
        "INSERT INTO tlb_flushes VALUES(1, 0, 0, 'a whim', 1, 1, 1, 0)",
        "INSERT INTO tlb_flushes VALUES(1, 0, 0, 'INVLPG', 1, 1, 1, 2)", /* more global ones than all */
        "INSERT INTO cycles_by_cause VALUES(1, 0, 'root', 'a whim', 1)",
        "INSERT INTO cycles_by_cause VALUES(1, 0, 'ring 0', 'vmread', 1)",
        "UPDATE runs SET state = 'unfinished'", /* with an outcome */
        "UPDATE runs SET outcome = NULL",
        "UPDATE runs SET state = 'gone'",
    };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        int code = sqlite3_exec(store_database(store), nonsense[i], NULL, NULL, NULL);
        if (code != SQLITE_CONSTRAINT_FOREIGNKEY && code != SQLITE_CONSTRAINT_CHECK)
            fail_msg("%s: %s", nonsense[i], sqlite3_errstr(code));
    }
    /* With a run its figures go. */
    assert_int_equal(sqlite3_exec(store_database(store), "DELETE FROM runs", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(number(store,
                            "SELECT (SELECT count(*) FROM vm_exits) + (SELECT count(*) FROM timeline)"
                            " + (SELECT count(*) FROM cycles_by_cause) + (SELECT count(*) FROM events)"),
                     0);
    store_close(store);
}

static void the_file_is_in_wal_mode(void **state)
{
    struct store *store = open_ok(in_folder(state, "wal.db"), STORE_WRITE);
    struct table table;
    char error[600];
    table_init(&table, "mode", "");
    assert_true(
        query_into_table(store_database(store), &table, "PRAGMA journal_mode", NULL, 0, error, sizeof error));
    assert_string_equal(table.cells[0].text, "wal");
    table_free(&table);
    assert_int_equal(number(store, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_int_equal(number(store, "PRAGMA foreign_keys"), 1);
    store_close(store);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(figures_come_back_after_reopening),
        IN_FOLDER(many_runs_share_one_file),
        IN_FOLDER(the_digest_does_not_depend_on_label_or_path),
        IN_FOLDER(a_reader_sees_whole_updates_while_a_run_is_written),
        IN_FOLDER(two_processes_write_at_once),
        IN_FOLDER(a_killed_run_leaves_a_readable_file),
        IN_FOLDER(a_full_disk_keeps_what_was_recorded),
        IN_FOLDER(unusable_paths_are_refused_with_a_reason),
        IN_FOLDER(other_databases_and_newer_schemas_are_left_alone),
        IN_FOLDER(a_read_only_folder_can_be_read_but_not_written),
        IN_FOLDER(a_locked_file_is_told_as_such),
        IN_FOLDER(shares_add_up_to_a_hundred_percent),
        IN_FOLDER(a_timeline_that_is_written_bit_by_bit_is_the_whole_one),
        IN_FOLDER(what_makes_no_sense_is_refused_by_the_file),
        IN_FOLDER(the_file_is_in_wal_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
