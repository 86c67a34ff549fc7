/* test_report.c: reports against golden files (tests/traces/golden), and JSON read back by another parser. */
#include "tests/traces/fixture.h"

#include <sqlite3.h>

#include "traces/report/report.h"

static char *read_all(FILE *file)
{
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    assert_true(size >= 0);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

/* The golden files lie beside this source. To renew one after a wanted change: read it, and copy what the
 * failure shows. */
static void expect_golden(const char *name, FILE *output)
{
    char path[1024];
    const char *slash = strrchr(__FILE__, '/');
    snprintf(path, sizeof path, "%.*s/golden/%s", (int)(slash - __FILE__), __FILE__, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("no golden file %s", path);
    char *expected = read_all(file), *actual = read_all(output);
    if (strcmp(expected, actual))
        fail_msg("%s differs from the report, which is:\n%s", path, actual);
    free(expected);
    free(actual);
}

/* Run 1: the sample. Run 2: three more exits, and a label that has to be escaped everywhere. */
static struct store *two_runs(void **state)
{
    struct store *store = open_ok(in_folder(state, "report.db"), STORE_WRITE);
    add_sample_run(store, "plain");
    struct stats *stats = stats_new();
    struct run_description description = sample_description("b, \"quoted\"\x1b[1m\n\xff \xc2\x9b \xc3\xa4");
    struct run_result result = sample_result();
    result.cycles = 150000;
    sample_events(stats);
    event(stats, TRACE_VM_EXIT, 1, 10, 0, 0, 800);
    event(stats, TRACE_VM_EXIT, 1, 12, 0, 0, 800);
    event(stats, TRACE_VM_EXIT, 1, 127, 0, 0, 1); /* a reason that the SDM does not have */
    int64_t id = store_begin_run(store, &description);
    assert_true(store_finish_run(store, id, stats, &result));
    stats_free(stats);
    return store;
}

static FILE *run_report(struct store *store, int64_t run, const char *section, enum table_format format)
{
    char error[600] = "";
    FILE *file = tmpfile();
    if (!report_run(store, run, section, format, file, error, sizeof error))
        fail_msg("%s", error);
    return file;
}

static void one_run_in_each_format(void **state)
{
    struct store *store = two_runs(state);
    expect_golden("report.txt", run_report(store, 1, NULL, TABLE_TEXT));
    expect_golden("report.json", run_report(store, 1, NULL, TABLE_JSON));
    expect_golden("report.csv", run_report(store, 1, NULL, TABLE_CSV));
    expect_golden("exits.csv", run_report(store, 2, "exits", TABLE_CSV));
    store_close(store);
}

static void list_and_comparison(void **state)
{
    struct store *store = two_runs(state);
    char error[600] = "";
    FILE *file = tmpfile();
    assert_true(report_runs(store, TABLE_TEXT, file, error, sizeof error));
    expect_golden("runs.txt", file);
    file = tmpfile();
    assert_true(report_runs(store, TABLE_CSV, file, error, sizeof error));
    expect_golden("runs.csv", file);
    file = tmpfile();
    assert_true(report_compare(store, (const int64_t[]){1, 2}, 2, TABLE_TEXT, file, error, sizeof error));
    expect_golden("compare.txt", file);
    store_close(store);
}

static void three_runs_are_compared_with_the_first(void **state)
{
    struct store *store = two_runs(state);
    add_sample_run(store, "third");
    char error[600] = "";
    FILE *file = tmpfile();
    assert_true(report_compare(store, (const int64_t[]){2, 1, 3}, 3, TABLE_CSV, file, error, sizeof error));
    char *text = read_all(file);
    assert_non_null(strstr(
        text, "table,section,metric,run_2,run_1,run_3,difference_1,percent_1,difference_3,percent_3\n"));
    assert_non_null(strstr(text, "differences,run,cycles,150000,100000,100000,-50000,-33.3,-50000,-33.3\n"));
    free(text);
    store_close(store);
}

/* SQLite's JSON functions are a parser that is not ours. */
static void expect_json(const char *json, const char *path, const char *expected)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT json_valid(?1), json_extract(?1, ?2)", -1, &statement, NULL),
        SQLITE_OK);
    sqlite3_bind_text(statement, 1, json, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, path, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 1);
    assert_non_null(sqlite3_column_text(statement, 1));
    assert_string_equal((const char *)sqlite3_column_text(statement, 1), expected);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void json_can_be_read_back(void **state)
{
    struct store *store = two_runs(state);
    char *json = read_all(run_report(store, 2, NULL, TABLE_JSON));
    expect_json(json, "$.run.cycles", "150000");
    expect_json(json, "$.run.label", "b, \"quoted\"\x1b[1m\n\xef\xbf\xbd \xc2\x9b \xc3\xa4");
    expect_json(json, "$.exits[0].name", "CPUID"); /* 3000 cycles, more often than the EPT violation's 3000 */
    expect_json(json, "$.exits[3].name", "reason 127");
    expect_json(json, "$.tlb[0].cycles_each", "120.0");
    free(json);
    json = read_all(run_report(store, 2, "exits", TABLE_JSON));
    expect_json(json, "$[0].count", "3");
    free(json);
    char error[600] = "";
    FILE *file = tmpfile();
    assert_true(report_compare(store, (const int64_t[]){1, 2}, 2, TABLE_JSON, file, error, sizeof error));
    json = read_all(file);
    expect_json(json, "$.differences[0].percent_2", "50.0");
    free(json);
    store_close(store);
}

static void an_unfinished_run_is_shown_as_such(void **state)
{
    struct store *store = open_ok(in_folder(state, "running.db"), STORE_WRITE);
    struct run_description description = sample_description(NULL);
    int64_t id = store_begin_run(store, &description);
    char *text = read_all(run_report(store, id, NULL, TABLE_TEXT));
    assert_non_null(strstr(text, "running"));
    assert_non_null(strstr(text, "was killed"));
    assert_non_null(strstr(text, "VM exits, by cycles: none\n"));
    free(text);
    text = read_all(run_report(store, id, NULL, TABLE_JSON));
    expect_json(text, "$.exits", "[]");
    free(text);
    store_close(store);
}

static void what_cannot_be_written_is_an_error(void **state)
{
    struct store *store = two_runs(state);
    char error[600] = "";
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_false(report_run(store, 1, NULL, TABLE_TEXT, full, error, sizeof error));
    assert_non_null(strstr(error, "cannot be written"));
    fclose(full);
    assert_false(report_run(store, 1, "no-such", TABLE_TEXT, stdout, error, sizeof error));
    assert_non_null(strstr(error, "no section 'no-such'"));
    store_close(store);
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {
        {"a", 1},
        {"", 0},
        {"\xc3\xa4", 2},
        {"\xe2\x82\xac", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"\xc0\x80", 0},         /* overlong */
        {"\xe0\x80\x80", 0},     /* overlong */
        {"\xed\xa0\x80", 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xf0\x80\x80\x80", 0}, /* overlong */
        {"\xc3", 0},
        {"\xff", 0},
        {"\x80", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(utf8_length(cases[i].text), cases[i].length);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(one_run_in_each_format),
        IN_FOLDER(list_and_comparison),
        IN_FOLDER(three_runs_are_compared_with_the_first),
        IN_FOLDER(json_can_be_read_back),
        IN_FOLDER(an_unfinished_run_is_shown_as_such),
        IN_FOLDER(what_cannot_be_written_is_an_error),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
