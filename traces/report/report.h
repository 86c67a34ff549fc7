/*
 * report.h: what a statistics file says, as tables. Enter here to show runs.
 */
#ifndef VTSIM_TRACES_REPORT_REPORT_H
#define VTSIM_TRACES_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "traces/store/store.h"
#include "traces/table/table.h"

/* How and where to. */
struct report_output {
    FILE *file;
    enum table_format format;
    size_t width; /* of text, in characters; 0: as wide as it needs to be */
    size_t top;   /* as text: rows of the table of exits; 0: all */
};

/* A run, and the file that it is in. */
struct report_run {
    struct store *store;
    const char *path;
    int64_t id;
};

/* Each prints to output. False: error says why. */

/* One run, all sections; section (may be null): that one only. */
bool report_run(const struct report_run *run, const char *section, const struct report_output *output,
                char *error, size_t error_size);
/* The index'th section's name, null past the end: "run", "exits" ... */
const char *report_section_name(size_t index);

/* What the list of runs is narrowed to; null or 0: no matter. */
struct report_filter {
    const char *label, *image, *cpu, *outcome, *state; /* label and image: a pattern with * and ? */
    int64_t last;                                      /* the newest so many */
};
/* The list of runs, oldest first. */
bool report_runs(struct store *store, const struct report_filter *filter, const struct report_output *output,
                 char *error, size_t error_size);

/* Two or more runs side by side, with the differences to the first. Runs may come from different files. */
bool report_compare(const struct report_run *runs, size_t count, const struct report_output *output,
                    char *error, size_t error_size);

#endif
