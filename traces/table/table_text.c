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

/* Prints text so that it cannot steer a terminal, at most so many characters of it, the last of which says
 * that there were more. Returns how many it printed. Null file: only counts them. */
static size_t put_plain(FILE *file, const char *text, size_t most)
{
    size_t count = 0;
    while (*text && count < most) {
        size_t length = utf8_length(text);
        const char *next = text + (length ? length : 1);
        if (file && count + 1 == most && *next)
            fputs("\u2026", file);
        else if (file && printable(text, length))
            fwrite(text, 1, length, file);
        else if (file)
            fputc('?', file);
        text = next;
        count++;
    }
    return count;
}

size_t table_text_length(const char *text)
{
    return put_plain(NULL, text, SIZE_MAX);
}

static void put_spaces(FILE *file, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fputc(' ', file);
}

static void print_pairs(FILE *file, const struct table *table)
{
    char buffer[TABLE_TEXT_SIZE];
    size_t width = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        size_t length = table_text_length(table_heading(table, i, buffer));
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < table->column_count && i < table->cell_count; i++) {
        if (table->report && table->cells[i].kind == TABLE_NULL)
            continue;
        fputs("  ", file);
        put_spaces(file, width - put_plain(file, table_heading(table, i, buffer), SIZE_MAX));
        fputs("  ", file);
        put_plain(file, table_cell_text(table, &table->cells[i], buffer), SIZE_MAX);
        fputc('\n', file);
    }
}

static bool column_is_numeric(const struct table *table, size_t column)
{
    for (size_t i = column; i < table->cell_count; i += table->column_count)
        if (table->cells[i].kind == TABLE_STRING)
            return false;
    return true;
}

/* Some columns of a table that stand beside each other. */
struct block {
    const struct table *table;
    const size_t *widths;
    size_t *columns;
    size_t count;
    size_t spaces; /* that are due before the next character: no line ends in spaces */
};

static void put_cell(FILE *file, struct block *b, size_t index, const char *text)
{
    const size_t column = b->columns[index], width = b->widths[column], length = table_text_length(text);
    const size_t padding = length < width ? width - length : 0;
    const bool numeric = column_is_numeric(b->table, column);
    b->spaces += 2 + (numeric ? padding : 0);
    if (*text) {
        put_spaces(file, b->spaces);
        b->spaces = 0;
        put_plain(file, text, width);
    }
    b->spaces += numeric ? 0 : padding;
}

static void end_line(FILE *file, struct block *b)
{
    b->spaces = 0;
    fputc('\n', file);
}

/* The words of text that go on its first line: their length. */
static size_t line_length(const char *text, size_t width)
{
    size_t length = strcspn(text, " ");
    for (;;) {
        size_t more = text[length] ? strcspn(text + length + 1, " ") + 1 : 0;
        if (!more || length + more > width)
            return length;
        length += more;
    }
}

static size_t heading_lines(const char *text, size_t width)
{
    size_t lines = 0;
    for (; *text; lines++) {
        size_t length = line_length(text, width);
        text += length + (text[length] == ' ');
    }
    return lines;
}

/* A heading is broken where its column is narrower; all end on the same line. */
static void print_headings(FILE *file, struct block *b)
{
    char buffer[TABLE_TEXT_SIZE], part[TABLE_TEXT_SIZE];
    size_t most = 1;
    for (size_t i = 0; b->table->report && i < b->count; i++) {
        size_t lines =
            heading_lines(table_heading(b->table, b->columns[i], buffer), b->widths[b->columns[i]]);
        most = lines > most ? lines : most;
    }
    for (size_t line = 0; line < most; line++) {
        for (size_t i = 0; i < b->count; i++) {
            const char *text = table_heading(b->table, b->columns[i], buffer);
            const size_t width = b->widths[b->columns[i]];
            if (!b->table->report) {
                put_cell(file, b, i, text);
                continue;
            }
            const size_t lines = heading_lines(text, width), empty = most - lines;
            for (size_t skip = empty; skip < line; skip++) {
                size_t length = line_length(text, width);
                text += length + (text[length] == ' ');
            }
            snprintf(part, sizeof part, "%.*s", line < empty ? 0 : (int)line_length(text, width), text);
            put_cell(file, b, i, part);
        }
        end_line(file, b);
    }
}

static void print_block(FILE *file, struct block *b)
{
    char buffer[TABLE_TEXT_SIZE];
    print_headings(file, b);
    for (size_t row = 0; row < table_rows(b->table); row++) {
        const struct table_cell *cells = &b->table->cells[row * b->table->column_count];
        for (size_t i = 0; i < b->count; i++)
            put_cell(file, b, i, table_cell_text(b->table, &cells[b->columns[i]], buffer));
        end_line(file, b);
    }
}

/* What is too wide is printed in blocks, one below the other; each begins with the first column. */
static void print_blocks(FILE *file, struct block *b)
{
    const struct table *table = b->table;
    size_t next = 0, total = 0;
    while (next < table->column_count) {
        if (next) {
            fputc('\n', file);
            b->columns[0] = 0;
            total = b->widths[0] + 2;
        }
        b->count = next ? 1 : 0;
        do {
            total += b->widths[next] + 2;
            b->columns[b->count++] = next++;
        } while (next < table->column_count &&
                 (!table->width || total + b->widths[next] + 2 <= table->width));
        print_block(file, b);
        total = 0;
    }
}

void table_print_text(FILE *file, const struct table *table)
{
    size_t rows = table_rows(table);
    if (*table->title)
        fprintf(file, "%s%s%s\n", table->title, rows ? "" : ": ",
                rows           ? ""
                : table->empty ? table->empty
                               : "none");
    if (!rows)
        return;
    if (table->single) {
        print_pairs(file, table);
        return;
    }
    size_t *numbers = calloc(2 * table->column_count, sizeof *numbers);
    if (!numbers) {
        fputs("  (out of memory)\n", file);
        return;
    }
    struct block block = {.table = table, .widths = numbers, .columns = numbers + table->column_count};
    table_widths(table, numbers);
    print_blocks(file, &block);
    free(numbers);
}
