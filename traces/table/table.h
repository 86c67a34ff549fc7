/*
 * table.h: tables for people and programs: as aligned text, JSON, CSV or a page. Reports and lists are made
 * of them.
 *
 * A table is filled cell by cell, row after row. Where memory runs out it remembers that, and tables_print
 * says so.
 */
#ifndef VTSIM_TRACES_TABLE_H
#define VTSIM_TRACES_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum table_format { TABLE_TEXT, TABLE_JSON, TABLE_CSV, TABLE_HTML };

/* Text and pages are for people, the other formats for programs. */
static inline bool table_for_people(enum table_format format)
{
    return format == TABLE_TEXT || format == TABLE_HTML;
}

/* An identifier is a number that counts nothing: text does not group its digits. */
enum table_cell_kind { TABLE_NULL, TABLE_NUMBER, TABLE_IDENTIFIER, TABLE_STRING };

struct table_cell {
    enum table_cell_kind kind;
    char *text; /* of a number: its digits */
};

struct table {
    const char *name;  /* key in JSON, section in CSV: stable, static */
    const char *title; /* above the text: static */
    const char *empty; /* behind the title when there are no rows; null: "none" */
    bool single;       /* one row: printed as pairs in text, as an object in JSON */
    bool report;       /* as text: headings in words, digits in groups, no wider than width */
    size_t width;      /* characters; 0: as wide as it needs to be */
    struct table_cell *columns;
    size_t column_count, column_capacity;
    struct table_cell *cells; /* row by row */
    size_t cell_count, cell_capacity;
    bool out_of_memory;
};

void table_init(struct table *table, const char *name, const char *title);
void table_free(struct table *table);

/* All columns come before the first cell. */
void table_column(struct table *table, const char *name);
void table_string(struct table *table, const char *text); /* null: an empty cell (JSON: null) */
void table_stringf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_integer(struct table *table, int64_t value);
void table_identifier(struct table *table, int64_t value);
void table_real(struct table *table, double value); /* one decimal */
void table_null(struct table *table);

size_t table_rows(const struct table *table);

/* Prints the tables to file. JSON: one table is an array of objects (single: an object); several are an
 * object of those by name. CSV (RFC 4180): several tables follow each other with an empty line between, each
 * with its header line, and their first column is the table's name. HTML: one page. False: out of memory, or
 * the file could not be written. */
bool tables_print(FILE *file, enum table_format format, const struct table *tables, size_t count);

/* "text", "json", "csv" or "html". False: none of them. */
bool table_format_parse(const char *name, enum table_format *format);

/* Each format's own file. */
void table_print_text(FILE *file, const struct table *table);
void table_print_json(FILE *file, const struct table *table);
/* A whole page; a column named "chart" becomes bars. */
void tables_print_html(FILE *file, const struct table *tables, size_t count);
/* section: print the table's name as the first column. */
void table_print_csv(FILE *file, const struct table *table, bool section);

/* Text as it is shown: a report's headings in words ("share_percent" is "share %"), its numbers in groups of
 * three, a null as "-". buffer is used where the text differs from what the table holds. */
#define TABLE_TEXT_SIZE 128
const char *table_heading(const struct table *table, size_t column, char *buffer);
const char *table_cell_text(const struct table *table, const struct table_cell *cell, char *buffer);
/* Characters that text takes on a terminal. */
size_t table_text_length(const char *text);
/* How many characters each column gets, two more stand before each. Headings are broken between words; where
 * that is not enough to keep within table->width, columns of text are cut, down to TABLE_LEAST_WIDTH. */
#define TABLE_LEAST_WIDTH 12
void table_widths(const struct table *table, size_t *widths);

/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void json_print_string(FILE *file, const char *text);
/* Bytes of the UTF-8 character at text: 1 to 4, 0 if it is not one (or the end). RFC 3629. */
size_t utf8_length(const char *text);

#endif
