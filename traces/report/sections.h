/* sections.h: what a report on one run is made of. */
#ifndef VTSIM_TRACES_REPORT_SECTIONS_H
#define VTSIM_TRACES_REPORT_SECTIONS_H

#include <stdbool.h>

struct report_section {
    const char *name, *title; /* name: stable, in JSON and CSV */
    bool single;              /* one row */
    const char *sql;          /* for JSON and CSV: all there is, columns with stable names. ?1: the run */
    const char *text_sql;     /* for people, or null: the same. ?2: how many rows a long list may have */
};

/* Up to one without a name. */
extern const struct report_section report_sections[];
#define REPORT_SECTIONS_MOST 24

#endif
