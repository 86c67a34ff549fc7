/* table_json.c: a table as JSON (RFC 8259). */
#include "traces/table/table.h"

#include <string.h>

void json_print_string(FILE *file, const char *text)
{
    fputc('"', file);
    while (*text) {
        size_t length = utf8_length(text);
        if (length == 0)
            fputs("\\ufffd", file);
        else if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fwrite(text, 1, length, file);
        text += length ? length : 1;
    }
    fputc('"', file);
}

static void print_object(FILE *file, const struct table *table, const struct table_cell *row)
{
    for (size_t i = 0; i < table->column_count; i++) {
        fputs(i ? ", " : "{", file);
        json_print_string(file, table->columns[i].text);
        fputs(": ", file);
        if (row[i].kind == TABLE_STRING)
            json_print_string(file, row[i].text);
        else
            fputs(row[i].kind == TABLE_NULL ? "null" : row[i].text, file);
    }
    fputc('}', file);
}

void table_print_json(FILE *file, const struct table *table)
{
    size_t rows = table_rows(table);
    if (table->single) {
        if (rows)
            print_object(file, table, table->cells);
        else
            fputs("null", file);
        return;
    }
    fputc('[', file);
    for (size_t row = 0; row < rows; row++) {
        fputs(row ? ",\n  " : "\n  ", file);
        print_object(file, table, &table->cells[row * table->column_count]);
    }
    fputs(rows ? "\n]" : "]", file);
}
