/* selection.h: runs as people name them, and the files that they are in. */
#ifndef VTSIM_SIM_CLI_SELECTION_H
#define VTSIM_SIM_CLI_SELECTION_H

#include "traces/report/report.h"

/* Runs that were found. Their files stay open until selection_free. */
struct selection {
    struct report_run *runs;
    size_t count;
    struct report_file *files;
    size_t file_count;
};

/* Room for most runs. False: out of memory. */
bool selection_init(struct selection *selection, size_t most);
void selection_free(struct selection *selection);

/* Adds the run that name means: an id, a label or "last" in the file stats; else FILE:RUN, or FILE for its
 * last run. CLI_OK, or a status after it has printed why. */
int selection_add(struct selection *selection, const char *stats, const char *name);

#endif
