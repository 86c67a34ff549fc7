/*
 * store.h: the statistics file: one SQLite database for many runs. Enter here to keep or to find runs.
 *
 * A run's row is there from its start, with outcome "running", and its figures are brought up to date in one
 * transaction at a time; so a run that was killed leaves what it had written last, in a file that can be
 * read. Several processes may read and write one file at once.
 */
#ifndef VTSIM_TRACES_STORE_H
#define VTSIM_TRACES_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/stats/stats.h"

struct sqlite3;
struct store;

enum store_mode {
    STORE_WRITE, /* opened or created */
    STORE_READ,  /* must exist */
};

/* Null: error says why, with the path. A file that is no statistics file of ours is left as it is. */
struct store *store_open(const char *path, enum store_mode mode, char *error, size_t error_size);
void store_close(struct store *store);

/* What the last function that failed had to say. */
const char *store_error(const struct store *store);

/* How a run was started. label may be null. */
struct run_description {
    const char *label;
    const char *image;
    const char *options; /* as they were given, in one line */
    const char *cpu;     /* the profile's name */
    uint64_t memory_bytes;
};

/* Adds the row of a run; its id, or -1 on failure. */
int64_t store_begin_run(struct store *store, const struct run_description *run);
/* Writes the figures as they are now; all or nothing. */
bool store_update_run(struct store *store, int64_t id, const struct stats *stats, uint64_t cycles,
                      uint64_t instructions);
/* Writes the last figures, the outcome and the digest; all or nothing. */
bool store_finish_run(struct store *store, int64_t id, const struct stats *stats,
                      const struct run_result *result);

/* The run that selector names: an id, else a label (the newest run of that label), or "last". -1: there is
 * none, and store_error says so. */
int64_t store_find_run(struct store *store, const char *selector);

/* For queries of reports. */
struct sqlite3 *store_database(struct store *store);

#endif
