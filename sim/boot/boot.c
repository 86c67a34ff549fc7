/* boot.c: from file names to a loaded image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sim/boot/multiboot.h"

static enum boot_status read_failed(struct boot_result *result, const char *what, const char *path,
                                    const char *why)
{
    return boot_fail(result, BOOT_UNREADABLE, "%s %s: %s; check the path and its permissions", what, path,
                     why);
}

/* Reads an open file of `size` bytes. */
static enum boot_status read_contents(FILE *stream, size_t size, const char *what, struct boot_file *file,
                                      struct boot_result *result)
{
    uint8_t *data = malloc(size ? size : 1);
    if (!data)
        return boot_fail(result, BOOT_OUT_OF_MEMORY, "%s %s: out of memory for its %zu bytes", what,
                         file->name, size);
    if (fread(data, 1, size, stream) != size) {
        free(data);
        return read_failed(result, what, file->name,
                           ferror(stream) ? strerror(errno) : "it shrank while it was read");
    }
    file->data = data;
    file->size = size;
    return BOOT_OK;
}

/* limit: guest RAM; a bigger file could not be loaded anyway. */
static enum boot_status read_file(const char *what, uint64_t limit, struct boot_file *file,
                                  struct boot_result *result)
{
    struct stat info;
    if (stat(file->name, &info))
        return read_failed(result, what, file->name, strerror(errno));
    if (!S_ISREG(info.st_mode)) /* before opening: to open a pipe would wait for a writer */
        return read_failed(result, what, file->name, "not a regular file");
    if ((uint64_t)info.st_size > limit)
        return boot_fail(
            result, BOOT_OUTSIDE_RAM,
            "%s %s: its %lld bytes are more than the guest's RAM below 4 GiB; give more with --mem", what,
            file->name, (long long)info.st_size);
    FILE *stream = fopen(file->name, "rb");
    if (!stream)
        return read_failed(result, what, file->name, strerror(errno));
    enum boot_status status = read_contents(stream, (size_t)info.st_size, what, file, result);
    fclose(stream);
    return status;
}

/* "NAME" or "NAME REST": the first word is the file's name, as QEMU gives it. Null: out of memory. */
static char *command_line(const char *name, const char *rest)
{
    bool has_rest = rest && *rest;
    size_t size = strlen(name) + (has_rest ? strlen(rest) + 1 : 0) + 1;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s%s", name, has_rest ? " " : "", has_rest ? rest : "");
    return text;
}

static enum boot_status open_one(const char *what, const char *path, const char *rest, uint64_t limit,
                                 struct boot_file *file, struct boot_result *result)
{
    *file = (struct boot_file){.name = path};
    if (read_file(what, limit, file, result) != BOOT_OK)
        return result->status;
    file->string = command_line(path, rest);
    if (!file->string)
        return boot_fail(result, BOOT_OUT_OF_MEMORY, "%s %s: out of memory for its command line", what, path);
    return BOOT_OK;
}

static void close_one(struct boot_file *file)
{
    free((void *)file->data);
    free((void *)file->string);
}

static enum boot_status load_open(const struct phys_mem *mem, const struct boot_options *options,
                                  struct boot_file *files, struct boot_result *result)
{
    if (open_one("image", options->image_path, options->append, mem->low_size, &files[0], result) != BOOT_OK)
        return result->status;
    for (size_t i = 0; i < options->module_count; i++)
        if (open_one("module", options->modules[i].path, options->modules[i].command_line, mem->low_size,
                     &files[i + 1], result) != BOOT_OK)
            return result->status;
    return multiboot_load(mem, &files[0], files + 1, options->module_count, result);
}

enum boot_status boot_load(const struct phys_mem *mem, const struct boot_options *options,
                           struct boot_result *result)
{
    *result = (struct boot_result){0};
    struct boot_file *files = calloc(options->module_count + 1, sizeof *files);
    if (!files)
        return boot_fail(result, BOOT_OUT_OF_MEMORY, "out of memory for %zu modules", options->module_count);
    enum boot_status status = load_open(mem, options, files, result);
    for (size_t i = 0; i <= options->module_count; i++)
        close_one(&files[i]);
    free(files);
    return status;
}
