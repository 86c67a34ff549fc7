/*
 * driver.c: main() of a fuzz target without libFuzzer, for ctest: the same inputs in each run.
 *
 * Arguments are seed files or folders of them. Each seed is fed whole; then come INPUTS inputs, one half
 * pseudo-random bytes of varied length, the other half (if there is a seed) seeds with a few changed bytes or
 * cut off. A single file as argument reproduces what libFuzzer found. Each input lies in a block of exactly
 * its size, so that ASan sees a read beyond its end.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef FUZZ_INPUTS
#define FUZZ_INPUTS 3000
#endif

enum { INPUTS = FUZZ_INPUTS, MAX_SEEDS = 256, MAX_LENGTH = 4096, MAX_SEED_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seed {
    uint8_t *bytes;
    size_t size;
};

struct driver {
    struct seed seeds[MAX_SEEDS];
    size_t seed_count;
    uint64_t random;
};

/* xorshift64*, with a constant start. */
static uint64_t next_random(struct driver *d)
{
    d->random ^= d->random >> 12;
    d->random ^= d->random << 25;
    d->random ^= d->random >> 27;
    return d->random * 0x2545f4914f6cdd1d;
}

static size_t random_below(struct driver *d, size_t limit)
{
    return (size_t)(next_random(d) >> 16) % limit;
}

static void feed(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void add_seed_file(struct driver *d, const char *path, FILE *file)
{
    uint8_t *bytes = malloc(MAX_SEED_BYTES);
    if (!bytes || d->seed_count == MAX_SEEDS) {
        fprintf(stderr, "%s: no room for this seed\n", path);
        exit(1);
    }
    d->seeds[d->seed_count++] = (struct seed){bytes, fread(bytes, 1, MAX_SEED_BYTES, file)};
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* A folder's files in the order of their names. */
static void add_seed(struct driver *d, const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, compare_names);
    if (count < 0) {
        FILE *file = fopen(path, "rb");
        if (!file) {
            perror(path);
            exit(1);
        }
        add_seed_file(d, path, file);
        fclose(file);
        return;
    }
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            add_seed(d, name);
        free(names[i]);
    }
    free(names);
}

/* Most inputs are short: a long one of random bytes says little more than its first bytes do. */
static void feed_random(struct driver *d)
{
    static uint8_t bytes[MAX_LENGTH];
    size_t longest = (size_t)MAX_LENGTH >> random_below(d, 11);
    size_t size = random_below(d, longest + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(next_random(d) >> 32);
    feed(bytes, size);
}

static void feed_changed_seed(struct driver *d)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff};
    const struct seed *seed = &d->seeds[random_below(d, d->seed_count)];
    size_t size = random_below(d, 4) ? seed->size : random_below(d, seed->size + 1);
    /* Headers stand at the front: half of the changes go to the first 256 bytes. */
    size_t reach = size > 256 && random_below(d, 2) ? 256 : size;
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        abort();
    memcpy(bytes, seed->bytes, size);
    for (size_t changes = 1 + random_below(d, 8); size && changes; changes--) {
        size_t at = random_below(d, reach);
        bytes[at] = random_below(d, 2) ? (uint8_t)random_below(d, 256) : edges[random_below(d, sizeof edges)];
    }
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
}

int main(int argc, char **argv)
{
    static struct driver d = {.random = 0x9e3779b97f4a7c15};
    for (int i = 1; i < argc; i++)
        add_seed(&d, argv[i]);
    for (size_t i = 0; i < d.seed_count; i++)
        feed(d.seeds[i].bytes, d.seeds[i].size);
    for (int i = 0; i < INPUTS; i++) {
        if (d.seed_count && i % 2)
            feed_changed_seed(&d);
        else
            feed_random(&d);
    }
    printf("%d inputs and %zu seeds\n", INPUTS, d.seed_count);
    for (size_t i = 0; i < d.seed_count; i++)
        free(d.seeds[i].bytes);
    return 0;
}
