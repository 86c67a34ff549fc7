/* report.c: one run's sections, and the list of runs. */
#include "traces/report/report.h"

#include <sqlite3.h>
#include <string.h>

#include "traces/report/query.h"
#include "traces/report/sections.h"

const char *report_section_name(size_t index)
{
    return report_sections[index].name;
}

static bool add_section(const struct report_run *run, const struct report_section *section,
                        const struct report_output *output, struct table *table, char *error,
                        size_t error_size)
{
    const struct query_argument arguments[] = {
        {.number = run->id}, {.number = output->top ? (int64_t)output->top : INT64_MAX}, {.text = run->path}};
    const bool text = table_for_people(output->format) && section->text_sql;
    table_init(table, section->name, section->title);
    table->single = section->single;
    return query_into_table(store_database(run->store), table, text ? section->text_sql : section->sql,
                            arguments, 3, error, error_size);
}

bool report_run(const struct report_run *run, const char *section, const struct report_output *output,
                char *error, size_t error_size)
{
    struct table tables[REPORT_SECTIONS_MOST];
    size_t count = 0;
    bool ok = true;
    /* One transaction: all sections show the same moment of a run that is still being written. */
    sqlite3_exec(store_database(run->store), "BEGIN", NULL, NULL, NULL);
    for (const struct report_section *s = report_sections; ok && s->name && count < REPORT_SECTIONS_MOST; s++)
        if (!section || !strcmp(section, s->name))
            ok = add_section(run, s, output, &tables[count++], error, error_size);
    sqlite3_exec(store_database(run->store), "COMMIT", NULL, NULL, NULL);
    if (ok && !count) {
        snprintf(error, error_size, "there is no section '%.100s'", section);
        ok = false;
    }
    ok = ok && query_print(tables, count, output, error, error_size);
    for (size_t i = 0; i < count; i++)
        table_free(&tables[i]);
    return ok;
}

bool report_runs(struct store *store, const struct report_filter *filter, const struct report_output *output,
                 char *error, size_t error_size)
{
#define COLUMNS                                                                                              \
    ", cpu, memory_bytes / 1048576 AS memory_mib, started, state, outcome, exit_status, cycles, "            \
    "instructions,"                                                                                          \
    " (SELECT coalesce(sum(count), 0) FROM vm_exits WHERE run = id) AS vm_exits, digest"
#define NARROWED                                                                                             \
    " FROM runs WHERE (?1 IS NULL OR label GLOB ?1) AND (?2 IS NULL OR image GLOB ?2 OR " REPORT_BASE_NAME(  \
        "image") " GLOB ?2) AND (?3 IS NULL OR cpu = ?3) AND (?4 IS NULL OR outcome = ?4) AND (?5 IS NULL "  \
                 "OR state = ?5)"                                                                            \
                 " ORDER BY id DESC LIMIT ?6) ORDER BY id"
    static const char sql[] = "SELECT * FROM (SELECT id, label, image" COLUMNS NARROWED;
    static const char text_sql[] =
        "SELECT * FROM (SELECT id, label, " REPORT_BASE_NAME("image") " AS image" COLUMNS NARROWED;
    const struct query_argument arguments[] = {
        {.text = filter->label, .null = !filter->label}, {.text = filter->image, .null = !filter->image},
        {.text = filter->cpu, .null = !filter->cpu},     {.text = filter->outcome, .null = !filter->outcome},
        {.text = filter->state, .null = !filter->state}, {.number = filter->last ? filter->last : INT64_MAX},
    };
    struct table table;
    table_init(&table, "runs", "Runs");
    bool ok =
        query_into_table(store_database(store), &table, table_for_people(output->format) ? text_sql : sql,
                         arguments, 6, error, error_size) &&
        query_print(&table, 1, output, error, error_size);
    table_free(&table);
    return ok;
}
