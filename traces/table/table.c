/* table.c: filling tables, and printing some of them one after another. */
#define _GNU_SOURCE /* vasprintf */
#include "traces/table/table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void table_init(struct table *table, const char *name, const char *title)
{
    *table = (struct table){.name = name, .title = title};
}

static void free_cells(struct table_cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(cells[i].text);
    free(cells);
}

void table_free(struct table *table)
{
    free_cells(table->columns, table->column_count);
    free_cells(table->cells, table->cell_count);
    *table = (struct table){0};
}

/* Takes text over. */
static void append(struct table *table, struct table_cell **cells, size_t *count, size_t *capacity,
                   enum table_cell_kind kind, char *text)
{
    if (*count == *capacity) {
        size_t wanted = *capacity ? 2 * *capacity : 32;
        struct table_cell *grown = realloc(*cells, wanted * sizeof *grown);
        if (!grown) {
            table->out_of_memory = true;
            free(text);
            return;
        }
        *cells = grown;
        *capacity = wanted;
    }
    if (kind != TABLE_NULL && !text)
        table->out_of_memory = true;
    else
        (*cells)[(*count)++] = (struct table_cell){kind, text};
}

void table_column(struct table *table, const char *name)
{
    append(table, &table->columns, &table->column_count, &table->column_capacity, TABLE_STRING, strdup(name));
}

static void append_cell(struct table *table, enum table_cell_kind kind, char *text)
{
    append(table, &table->cells, &table->cell_count, &table->cell_capacity, kind, text);
}

static char *format_text(const char *format, va_list arguments)
{
    char *text = NULL;
    return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

void table_stringf(struct table *table, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_cell(table, TABLE_STRING, format_text(format, arguments));
    va_end(arguments);
}

static void __attribute__((format(printf, 3, 4)))
append_number(struct table *table, enum table_cell_kind kind, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    append_cell(table, kind, format_text(format, arguments));
    va_end(arguments);
}

void table_string(struct table *table, const char *text)
{
    append_cell(table, text ? TABLE_STRING : TABLE_NULL, text ? strdup(text) : NULL);
}

void table_integer(struct table *table, int64_t value)
{
    append_number(table, TABLE_NUMBER, "%" PRId64, value);
}

void table_identifier(struct table *table, int64_t value)
{
    append_number(table, TABLE_IDENTIFIER, "%" PRId64, value);
}

void table_real(struct table *table, double value)
{
    append_number(table, TABLE_NUMBER, "%.1f", value);
}

void table_null(struct table *table)
{
    append_cell(table, TABLE_NULL, NULL);
}

size_t table_rows(const struct table *table)
{
    return table->column_count ? table->cell_count / table->column_count : 0;
}

static void print_several_json(FILE *file, const struct table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ",\n" : "{\n", file);
        json_print_string(file, tables[i].name);
        fputs(": ", file);
        table_print_json(file, &tables[i]);
    }
    fputs("\n}\n", file);
}

bool tables_print(FILE *file, enum table_format format, const struct table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tables[i].out_of_memory)
            return false;
    if (format == TABLE_HTML) {
        tables_print_html(file, tables, count);
        return fflush(file) == 0 && !ferror(file);
    }
    if (format == TABLE_JSON && count > 1) {
        print_several_json(file, tables, count);
        return fflush(file) == 0 && !ferror(file);
    }
    for (size_t i = 0; i < count; i++) {
        if (format == TABLE_JSON) {
            table_print_json(file, &tables[i]);
            fputc('\n', file);
            continue;
        }
        if (i)
            fputc('\n', file);
        if (format == TABLE_TEXT)
            table_print_text(file, &tables[i]);
        else
            table_print_csv(file, &tables[i], count > 1);
    }
    return fflush(file) == 0 && !ferror(file);
}

bool table_format_parse(const char *name, enum table_format *format)
{
    static const char *const names[] = {
        [TABLE_TEXT] = "text", [TABLE_JSON] = "json", [TABLE_CSV] = "csv", [TABLE_HTML] = "html"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) {
            *format = (enum table_format)i;
            return true;
        }
    return false;
}
