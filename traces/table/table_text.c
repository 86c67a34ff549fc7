/* table_text.c: a table as aligned text. */
#include "traces/table/table.h"

#include <stdlib.h>
#include <string.h>

size_t utf8_length(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    if (*p < 0x80)
        return *p != 0;
    size_t length = *p >= 0xc2 && *p <= 0xdf ? 2 : (*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p <= 0xf4 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates and what lies beyond U+10FFFF. */
    if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
        (*p == 0xf4 && p[1] > 0x8f))
        return 0;
    return length;
}

/* A C1 control (U+0080 to U+009F) acts on a terminal just as ESC [ does. */
static bool printable(const char *text, size_t length)
{
    unsigned char first = (unsigned char)text[0];
    if (length == 1)
        return first >= 0x20 && first != 0x7f;
    return length > 1 && !(first == 0xc2 && (unsigned char)text[1] < 0xa0);
}

/* Prints text so that it cannot steer a terminal. Returns its characters. Null file: only counts them. */
static size_t put_plain(FILE *file, const char *text)
{
    size_t count = 0;
    while (*text) {
        size_t length = utf8_length(text);
        if (file) {
            if (printable(text, length))
                fwrite(text, 1, length, file);
            else
                fputc('?', file);
        }
        text += length ? length : 1;
        count++;
    }
    return count;
}

static void put_spaces(FILE *file, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fputc(' ', file);
}

static const char *text_of(const struct table_cell *cell)
{
    return cell->kind == TABLE_NULL ? "-" : cell->text;
}

static void print_pairs(FILE *file, const struct table *table)
{
    size_t width = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        size_t length = put_plain(NULL, table->columns[i].text);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < table->column_count && i < table->cell_count; i++) {
        fputs("  ", file);
        put_spaces(file, width - put_plain(file, table->columns[i].text));
        fputs("  ", file);
        put_plain(file, text_of(&table->cells[i]));
        fputc('\n', file);
    }
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = put_plain(NULL, table->columns[column].text);
    for (size_t i = column; i < table->cell_count; i += table->column_count) {
        size_t length = put_plain(NULL, text_of(&table->cells[i]));
        width = length > width ? length : width;
    }
    return width;
}

static bool column_is_numeric(const struct table *table, size_t column)
{
    for (size_t i = column; i < table->cell_count; i += table->column_count)
        if (table->cells[i].kind == TABLE_STRING)
            return false;
    return true;
}

static void print_row(FILE *file, const struct table *table, const struct table_cell *row,
                      const size_t *widths)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const char *text = text_of(&row[i]);
        size_t padding = widths[i] - put_plain(NULL, text);
        fputs("  ", file);
        if (column_is_numeric(table, i)) {
            put_spaces(file, padding);
            put_plain(file, text);
        } else {
            put_plain(file, text);
            if (i + 1 < table->column_count)
                put_spaces(file, padding);
        }
    }
    fputc('\n', file);
}

void table_print_text(FILE *file, const struct table *table)
{
    size_t rows = table_rows(table);
    if (*table->title)
        fprintf(file, "%s%s\n", table->title, rows ? "" : ": none");
    if (!rows)
        return;
    if (table->single) {
        print_pairs(file, table);
        return;
    }
    size_t *widths = calloc(table->column_count, sizeof *widths);
    if (!widths) {
        fputs("  (out of memory)\n", file);
        return;
    }
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = column_width(table, i);
    print_row(file, table, table->columns, widths);
    for (size_t row = 0; row < rows; row++)
        print_row(file, table, &table->cells[row * table->column_count], widths);
    free(widths);
}
