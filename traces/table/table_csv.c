/* table_csv.c: a table as CSV (RFC 4180; lines end in a newline alone, as other Unix tools write them). */
#include "traces/table/table.h"

#include <string.h>

static void print_field(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void print_row(FILE *file, const char *section, const struct table_cell *row, size_t count)
{
    if (section)
        fprintf(file, "%s,", section);
    for (size_t i = 0; i < count; i++) {
        if (i)
            fputc(',', file);
        if (row[i].kind != TABLE_NULL)
            print_field(file, row[i].text);
    }
    fputc('\n', file);
}

void table_print_csv(FILE *file, const struct table *table, bool section)
{
    print_row(file, section ? "table" : NULL, table->columns, table->column_count);
    for (size_t row = 0; row < table_rows(table); row++)
        print_row(file, section ? table->name : NULL, &table->cells[row * table->column_count],
                  table->column_count);
}
