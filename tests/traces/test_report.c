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

/* The host's dates would be others each time. */
static void set_dates(struct store *store)
{
    assert_int_equal(
        sqlite3_exec(store_database(store),
                     "UPDATE runs SET started = '2026-01-02T03:04:05Z', recorded = '2026-01-02T03:04:06Z'",
                     NULL, NULL, NULL),
        SQLITE_OK);
}

/* Run 1: the sample. Run 2: three more exits later on, fewer cycles of instructions in non-root operation,
 * and a label that has to be escaped everywhere. */
static struct store *two_runs(void **state)
{
    struct store *store = open_ok(in_folder(state, "report.db"), STORE_WRITE);
    add_sample_run(store, "plain");
    struct stats *stats = stats_new();
    struct run_description description = sample_description("b, \"quoted\"\x1b[1m\n\xff \xc2\x9b \xc3\xa4");
    struct run_result result = sample_result();
    struct cycle_account account = {.now = 150000};
    account.by[CYCLES_ROOT][CYCLES_INSTRUCTIONS] = 93199;
    account.by[CYCLES_ROOT][CYCLES_VM_EXIT] = 6801;
    account.by[CYCLES_NON_ROOT][CYCLES_INSTRUCTIONS] = 50000;
    result.cycles = 150000;
    sample_events(stats);
    event_at(stats, 70000, (struct trace_event){.kind = TRACE_VM_EXIT, .vpid = 1, .code = 10, .cost = 800});
    event_at(stats, 100000, (struct trace_event){.kind = TRACE_VM_EXIT, .vpid = 1, .code = 12, .cost = 800});
    /* A reason that the SDM does not have. */
    event_at(stats, 140000, (struct trace_event){.kind = TRACE_VM_EXIT, .vpid = 1, .code = 127, .cost = 1});
    assert_true(stats_take_account(stats, 0, &account));
    int64_t id = store_begin_run(store, &description);
    assert_true(store_finish_run(store, id, stats, &result));
    stats_free(stats);
    set_dates(store);
    return store;
}

static FILE *print_run(struct store *store, int64_t id, const char *section, enum table_format format,
                       size_t width)
{
    char error[600] = "";
    const struct report_run run = {.store = store, .path = "report.db", .id = id};
    const struct report_output output = {.file = tmpfile(), .format = format, .width = width, .top = 3};
    if (!report_run(&run, section, &output, error, sizeof error))
        fail_msg("%s", error);
    return output.file;
}

static FILE *print_runs(struct store *store, const struct report_filter *filter, enum table_format format)
{
    char error[600] = "";
    const struct report_output output = {.file = tmpfile(), .format = format};
    if (!report_runs(store, filter, &output, error, sizeof error))
        fail_msg("%s", error);
    return output.file;
}

static FILE *print_comparison(const struct report_run *runs, size_t count, enum table_format format)
{
    char error[600] = "";
    const struct report_output output = {.file = tmpfile(), .format = format};
    if (!report_compare(runs, count, &output, error, sizeof error))
        fail_msg("%s", error);
    return output.file;
}

static void one_run_in_each_format(void **state)
{
    struct store *store = two_runs(state);
    expect_golden("report.txt", print_run(store, 1, NULL, TABLE_TEXT, 0));
    expect_golden("report.json", print_run(store, 1, NULL, TABLE_JSON, 0));
    expect_golden("report.csv", print_run(store, 1, NULL, TABLE_CSV, 0));
    expect_golden("report.html", print_run(store, 1, NULL, TABLE_HTML, 0));
    expect_golden("run.html", print_run(store, 2, "run", TABLE_HTML, 0));
    expect_golden("exits.csv", print_run(store, 2, "exits", TABLE_CSV, 0));
    store_close(store);
}

/* Four reasons, of which three are shown one by one; and 60 characters for a table that wants more. */
static void long_and_wide_tables(void **state)
{
    struct store *store = two_runs(state);
    expect_golden("exits.txt", print_run(store, 2, "exits", TABLE_TEXT, 0));
    expect_golden("exits-60.txt", print_run(store, 2, "exits", TABLE_TEXT, 60));
    expect_golden("cycles-60.txt", print_run(store, 1, "cycles", TABLE_TEXT, 60));
    char *text = read_all(print_run(store, 1, NULL, TABLE_TEXT, 60));
    bool table = false;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        table =
            *line == ' ' ? table : strcmp(line, "Run") != 0; /* the pairs of the first section are not cut */
        if (table && *line == ' ' && table_text_length(line) > 60)
            fail_msg("wider than 60: %s", line);
        if (line[strlen(line) - 1] == ' ')
            fail_msg("ends in a space: '%s'", line);
    }
    free(text);
    store_close(store);
}

static void list_and_comparison(void **state)
{
    struct store *store = two_runs(state);
    const struct report_filter all = {0};
    const struct report_run runs[] = {{store, "report.db", 1}, {store, "report.db", 2}};
    expect_golden("runs.txt", print_runs(store, &all, TABLE_TEXT));
    expect_golden("runs.csv", print_runs(store, &all, TABLE_CSV));
    expect_golden("compare.txt", print_comparison(runs, 2, TABLE_TEXT));
    expect_golden("compare.csv", print_comparison(runs, 2, TABLE_CSV));
    store_close(store);
}

static void the_list_can_be_narrowed(void **state)
{
    struct store *store = two_runs(state);
    struct run_description description = sample_description("third");
    description.cpu = "prescott";
    description.image = "images/other.elf";
    assert_int_equal(store_begin_run(store, &description), 3);
    static const struct {
        struct report_filter filter;
        const char *ids;
    } cases[] = {
        {{.label = "plain"}, "1"},
        {{.label = "*i*"}, "13"},
        {{.image = "guest.elf"}, "12"},
        {{.image = "other.elf"}, "3"},
        {{.image = "images/*"}, "3"},
        {{.cpu = "prescott"}, "3"},
        {{.outcome = "power-off"}, "12"},
        {{.state = "unfinished"}, "3"},
        {{.last = 2}, "23"},
        {{.last = 1, .state = "finished"}, "2"},
        {{.label = "nothing"}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char ids[16] = "";
        char *text = read_all(print_runs(store, &cases[i].filter, TABLE_CSV));
        for (char *at = strchr(text, '\n'); at && at[1]; at = strchr(at + 1, '\n'))
            if (at[2] == ',') /* not within a quoted label */
                strncat(ids, at + 1, 1);
        assert_string_equal(ids, cases[i].ids);
        free(text);
    }
    store_close(store);
}

/* In every table and measure the rows add up to the row of totals, in every column of numbers. */
static void expect_sums(const char *csv)
{
    char table[64] = "", measure[64] = "", line[1024];
    int64_t sums[5] = {0};
    unsigned totals = 0;
    for (const char *at = csv; *at;) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        at += length + (at[length] == '\n');
        char *field[10], *rest = line;
        size_t count = 0;
        for (char *c = strchr(line, '"'); c && *++c && *c != '"';)
            *c = *c == ',' ? ';' : *c; /* the commas of an item that is quoted */
        while (count < 10 && (field[count] = strsep(&rest, ",")))
            count++;
        if (count < 7 || !strcmp(field[0], "table") || !strcmp(field[0], "runs") ||
            !strcmp(field[0], "totals"))
            continue;
        if (strcmp(table, field[0]) || strcmp(measure, field[2])) {
            snprintf(table, sizeof table, "%s", field[0]);
            snprintf(measure, sizeof measure, "%s", field[2]);
            memset(sums, 0, sizeof sums);
        }
        for (size_t i = 0; i < 3; i++) /* two runs: values, difference */
            if (!strcmp(field[1], "total"))
                assert_int_equal(sums[i], strtoll(field[3 + i], NULL, 10));
            else
                sums[i] += strtoll(field[3 + i], NULL, 10);
        totals += !strcmp(field[1], "total");
    }
    assert_true(totals > 10);
}

static void a_comparison_adds_up(void **state)
{
    struct store *store = two_runs(state);
    const struct report_run runs[] = {{store, "report.db", 1}, {store, "report.db", 2}};
    char *csv = read_all(print_comparison(runs, 2, TABLE_CSV));
    /* Three fields before the values: with three runs a value would stand where the difference is. */
    assert_non_null(strstr(csv, "table,item,measure,run_1,run_2,difference_2,percent_2\n"));
    expect_sums(csv);
    /* And to the difference of the runs' cycles. */
    assert_non_null(strstr(csv, "cycles,total,cycles,100000,150000,50000,50.0\n"));
    assert_non_null(strstr(csv, "totals,run,cycles,100000,150000,50000,50.0\n"));
    assert_non_null(strstr(csv, "totals,cycles,cycles,100000,150000,50000,50.0\n"));
    free(csv);
    store_close(store);
}

static void runs_of_two_files_are_compared(void **state)
{
    struct store *store = two_runs(state);
    struct store *other = open_ok(in_folder(state, "other.db"), STORE_WRITE);
    add_sample_run(other, "third");
    const struct report_run runs[] = {
        {store, "report.db", 2}, {other, "other.db", 1}, {store, "report.db", 1}};
    char *text = read_all(print_comparison(runs, 3, TABLE_CSV));
    assert_non_null(
        strstr(text, "table,item,measure,run_1,run_2,run_3,difference_2,percent_2,difference_3,percent_3\n"));
    assert_non_null(strstr(text, "totals,run,cycles,150000,100000,100000,-50000,-33.3,-50000,-33.3\n"));
    assert_non_null(strstr(text, "runs,2,other.db,1,third,"));
    free(text);
    store_close(other);
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
    char *json = read_all(print_run(store, 2, NULL, TABLE_JSON, 0));
    expect_json(json, "$.run.cycles", "150000");
    expect_json(json, "$.run.label", "b, \"quoted\"\x1b[1m\n\xef\xbf\xbd \xc2\x9b \xc3\xa4");
    expect_json(json, "$.exits[0].name", "CPUID"); /* 3000 and 770 cycles, the EPT violation 3000 */
    expect_json(json, "$.exits[3].name", "reason 127");
    expect_json(json, "$.exits[0].total_cycles", "3770");
    expect_json(json, "$.tlb[0].cycles_each_walk", "120.0");
    expect_json(json, "$.cycles[0].cause", "instructions");
    free(json);
    json = read_all(print_run(store, 2, "exits", TABLE_JSON, 0));
    expect_json(json, "$[0].count", "3");
    free(json);
    const struct report_run runs[] = {{store, "report.db", 1}, {store, "report.db", 2}};
    json = read_all(print_comparison(runs, 2, TABLE_JSON));
    expect_json(json, "$.totals[0].percent_2", "50.0");
    expect_json(json, "$.cycles[0].item", "root instructions");
    expect_json(json, "$.cycles[0].difference_2", "59865");
    free(json);
    store_close(store);
}

static void an_unfinished_run_is_shown_as_such(void **state)
{
    struct store *store = open_ok(in_folder(state, "running.db"), STORE_WRITE);
    struct run_description description = sample_description(NULL);
    int64_t id = store_begin_run(store, &description);
    char *text = read_all(print_run(store, id, NULL, TABLE_TEXT, 0));
    assert_non_null(strstr(text, "unfinished"));
    assert_non_null(strstr(text, "was killed"));
    assert_non_null(strstr(text, "VM exits, by what they cost in cycles: none\n"));
    free(text);
    text = read_all(print_run(store, id, NULL, TABLE_JSON, 0));
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
    const struct report_run run = {store, "report.db", 1};
    struct report_output output = {.file = full, .format = TABLE_TEXT};
    assert_false(report_run(&run, NULL, &output, error, sizeof error));
    assert_non_null(strstr(error, "cannot be written"));
    fclose(full);
    output.file = stdout;
    assert_false(report_run(&run, "no-such", &output, error, sizeof error));
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
        IN_FOLDER(long_and_wide_tables),
        IN_FOLDER(the_list_can_be_narrowed),
        IN_FOLDER(a_comparison_adds_up),
        IN_FOLDER(runs_of_two_files_are_compared),
        IN_FOLDER(json_can_be_read_back),
        IN_FOLDER(an_unfinished_run_is_shown_as_such),
        IN_FOLDER(what_cannot_be_written_is_an_error),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
