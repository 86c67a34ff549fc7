/* table_html.c: tables as one page that needs nothing else: no script, no font, no picture. */
#include "traces/table/table.h"

#include <string.h>

/* How many characters of a column "chart" are its whole width. */
#define CHART_WIDTH 40

static const char head[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>vtsim</title>\n"
    "<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1em; }\n"
    "h2 { font-size: 1.15em; margin: 2em 0 .4em; }\n"
    "section { overflow-x: auto; }\n"
    "table { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
    "th, td { padding: .15em .7em; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }\n"
    "thead th { vertical-align: bottom; border-bottom: 2px solid #8888; }\n"
    ".number { text-align: right; white-space: nowrap; }\n"
    ".chart { min-width: 16em; }\n"
    ".chart div { background: #4a7fb5; height: 1em; }\n"
    "</style>\n"
    "</head>\n"
    "<body>\n";

/* What is not UTF-8, or a control character, becomes U+FFFD. */
static void put_escaped(FILE *file, const char *text)
{
    while (*text) {
        size_t length = utf8_length(text);
        if (length == 0 || (length == 1 && ((unsigned char)*text < 0x20 || *text == 0x7f)) ||
            (length == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0))
            fputs("&#xfffd;", file);
        else if (strchr("&<>\"'", *text))
            fprintf(file, "&#%d;", *text);
        else
            fwrite(text, 1, length, file);
        text += length ? length : 1;
    }
}

static bool is_chart(const struct table *table, size_t column)
{
    return !strcmp(table->columns[column].text, "chart");
}

static void put_cell(FILE *file, const struct table *table, size_t column, const struct table_cell *cell)
{
    char buffer[TABLE_TEXT_SIZE];
    if (is_chart(table, column)) {
        fprintf(file, "<td class=\"chart\"><div style=\"width: %.1f%%\"></div></td>",
                cell->text ? 100.0 * (double)strlen(cell->text) / CHART_WIDTH : 0);
        return;
    }
    fputs(cell->kind == TABLE_NUMBER || cell->kind == TABLE_IDENTIFIER ? "<td class=\"number\">" : "<td>",
          file);
    put_escaped(file, table_cell_text(table, cell, buffer));
    fputs("</td>", file);
}

static bool column_is_numeric(const struct table *table, size_t column)
{
    for (size_t i = column; i < table->cell_count; i += table->column_count)
        if (table->cells[i].kind == TABLE_STRING)
            return false;
    return true;
}

static void put_pairs(FILE *file, const struct table *table)
{
    char buffer[TABLE_TEXT_SIZE];
    for (size_t i = 0; i < table->column_count && i < table->cell_count; i++) {
        if (table->cells[i].kind == TABLE_NULL)
            continue;
        fputs("<tr><th scope=\"row\">", file);
        put_escaped(file, table_heading(table, i, buffer));
        fputs("</th><td>", file);
        put_escaped(file, table_cell_text(table, &table->cells[i], buffer));
        fputs("</td></tr>\n", file);
    }
}

static void put_rows(FILE *file, const struct table *table)
{
    char buffer[TABLE_TEXT_SIZE];
    fputs("<thead><tr>", file);
    for (size_t i = 0; i < table->column_count; i++) {
        fputs(column_is_numeric(table, i) ? "<th scope=\"col\" class=\"number\">" : "<th scope=\"col\">",
              file);
        put_escaped(file, table_heading(table, i, buffer));
        fputs("</th>", file);
    }
    fputs("</tr></thead>\n<tbody>\n", file);
    for (size_t row = 0; row < table_rows(table); row++) {
        fputs("<tr>", file);
        for (size_t i = 0; i < table->column_count; i++)
            put_cell(file, table, i, &table->cells[row * table->column_count + i]);
        fputs("</tr>\n", file);
    }
    fputs("</tbody>\n", file);
}

void tables_print_html(FILE *file, const struct table *tables, size_t count)
{
    fputs(head, file);
    for (const struct table *table = tables; table < tables + count; table++) {
        fprintf(file, "<section id=\"%s\">\n<h2>", table->name);
        put_escaped(file, table->title);
        fputs("</h2>\n", file);
        if (!table_rows(table)) {
            fprintf(file, "<p>%s</p>\n</section>\n", table->empty ? table->empty : "none");
            continue;
        }
        fputs("<table>\n", file);
        if (table->single)
            put_pairs(file, table);
        else
            put_rows(file, table);
        fputs("</table>\n</section>\n", file);
    }
    fputs("</body>\n</html>\n", file);
}
