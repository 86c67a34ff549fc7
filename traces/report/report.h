/*
 * report.h: what a statistics file says, as tables. Enter here to show runs.
 */
#ifndef VTSIM_TRACES_REPORT_H
#define VTSIM_TRACES_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "traces/store/store.h"
#include "traces/table/table.h"

/* Each prints to file. False: error says why. */

/* One run, all sections; section (may be null): that one only. */
bool report_run(struct store *store, int64_t run, const char *section, enum table_format format, FILE *file,
                char *error, size_t error_size);
/* The index'th section's name, null past the end: "run", "exits" ... */
const char *report_section_name(size_t index);
/* The list of runs, oldest first. */
bool report_runs(struct store *store, enum table_format format, FILE *file, char *error, size_t error_size);
/* Two or more runs side by side, with the differences to the first. */
bool report_compare(struct store *store, const int64_t *runs, size_t count, enum table_format format,
                    FILE *file, char *error, size_t error_size);

/* Adds columns and rows of a query's result; parameter ?1 is bound to run. False: SQLite's message is in
 * error. */
bool report_query(struct store *store, struct table *table, const char *sql, int64_t run, char *error,
                  size_t error_size);

#endif
