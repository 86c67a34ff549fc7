/* selection.c: runs as people name them: ID, LABEL, last, FILE:RUN, FILE. */
#include "sim/cli/selection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/cli/cli.h"

struct report_file {
    char *path;
    struct store *store;
};

bool selection_init(struct selection *selection, size_t most)
{
    *selection = (struct selection){.runs = calloc(most + 1, sizeof *selection->runs),
                                    .files = calloc(most + 1, sizeof *selection->files)};
    return selection->runs && selection->files;
}

void selection_free(struct selection *selection)
{
    for (size_t i = 0; i < selection->file_count; i++) {
        store_close(selection->files[i].store);
        free(selection->files[i].path);
    }
    free(selection->files);
    free(selection->runs);
}

static struct report_file *open_file(struct selection *selection, const char *path, char *error,
                                     size_t error_size)
{
    for (size_t i = 0; i < selection->file_count; i++)
        if (!strcmp(selection->files[i].path, path))
            return &selection->files[i];
    struct report_file *file = &selection->files[selection->file_count];
    file->path = strdup(path);
    if (!file->path)
        snprintf(error, error_size, "out of memory");
    else if ((file->store = store_open(path, STORE_READ, error, error_size))) {
        selection->file_count++;
        return file;
    }
    free(file->path);
    return NULL;
}

/* False: error says why. */
static bool add_from(struct selection *selection, const char *path, const char *name, char *error,
                     size_t error_size)
{
    struct report_file *file = open_file(selection, path, error, error_size);
    if (!file)
        return false;
    int64_t id = store_find_run(file->store, name);
    if (id < 0) {
        snprintf(error, error_size, "%s: %s", path, store_error(file->store));
        return false;
    }
    selection->runs[selection->count++] =
        (struct report_run){.store = file->store, .path = file->path, .id = id};
    return true;
}

static bool is_file(const char *path)
{
    struct stat status;
    return !stat(path, &status) && S_ISREG(status.st_mode);
}

static int refuse_twice(const struct selection *selection, const char *name)
{
    const struct report_run *added = &selection->runs[selection->count - 1];
    for (const struct report_run *run = selection->runs; run < added; run++)
        if (run->store == added->store && run->id == added->id)
            return cli_fail(CLI_USAGE, "'%s' is the same run as another one that was named", name);
    return CLI_OK;
}

int selection_add(struct selection *selection, const char *stats, const char *name)
{
    char error[1024];
    if (add_from(selection, stats, name, error, sizeof error))
        return refuse_twice(selection, name);
    bool found = is_file(name) && add_from(selection, name, "last", error, sizeof error);
    const char *colon = strchr(name, ':');
    if (!found && colon && colon[1]) {
        char *path = strndup(name, (size_t)(colon - name));
        found = path && is_file(path) && add_from(selection, path, colon + 1, error, sizeof error);
        if (path && !is_file(path) && !is_file(stats))
            snprintf(error, sizeof error, "statistics file %s: there is no such file, and no %s either", path,
                     stats);
        free(path);
    }
    return found ? refuse_twice(selection, name) : cli_fail(CLI_USAGE, "%s", error);
}
