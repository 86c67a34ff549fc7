/*
 * test_crash.c: SIGKILL and a full disk at every moment at which SQLite touches the file.
 *
 * A VFS of our own stands between SQLite and the system and counts the operations that change files: writes,
 * truncations, syncs, deletions. A child process keeps runs through it; at the n-th operation it is killed
 * (with half of a write done), or from then on the disk is full. What it had committed by then, which it
 * tells through a pipe, must be there when the file is opened again: a hundred moments each, the same ones
 * every time.
 */
#include "tests/traces/fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

/* The address sanitizer keeps freed memory for a while; two hundred processes would each copy it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1";
}

#define UPDATES 12
#define MOMENTS 100

static sqlite3_vfs *real;
static unsigned operations, fatal; /* done so far; the one at which it happens, 0: never */
static bool disk_fills;            /* instead of a kill */

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real;
};

/* True: the operation fails because the disk is full. */
static bool disaster(void)
{
    operations++;
    if (!fatal || operations < fatal)
        return false;
    if (disk_fills)
        return true;
    raise(SIGKILL);
    return true;
}

#define REAL(file) ((struct shim_file *)(file))->real
static int shim_close(sqlite3_file *f)
{
    return REAL(f)->pMethods->xClose(REAL(f));
}
static int shim_read(sqlite3_file *f, void *to, int size, sqlite3_int64 at)
{
    return REAL(f)->pMethods->xRead(REAL(f), to, size, at);
}
static int shim_write(sqlite3_file *f, const void *from, int size, sqlite3_int64 at)
{
    if (fatal && operations + 1 >= fatal && !disk_fills)
        REAL(f)->pMethods->xWrite(REAL(f), from, size / 2, at); /* half of it gets there */
    return disaster() ? SQLITE_FULL : REAL(f)->pMethods->xWrite(REAL(f), from, size, at);
}
static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return disaster() && !disk_fills ? SQLITE_IOERR : REAL(f)->pMethods->xTruncate(REAL(f), size);
}
static int shim_sync(sqlite3_file *f, int flags)
{
    return disaster() ? SQLITE_FULL : REAL(f)->pMethods->xSync(REAL(f), flags);
}
static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}
static int shim_lock(sqlite3_file *f, int lock)
{
    return REAL(f)->pMethods->xLock(REAL(f), lock);
}
static int shim_unlock(sqlite3_file *f, int lock)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), lock);
}
static int shim_reserved(sqlite3_file *f, int *out)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}
static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int shim_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}
static int shim_characteristics(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}
static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **to)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, to);
}
static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}
static void shim_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}
static int shim_shm_unmap(sqlite3_file *f, int delete)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), delete);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_characteristics,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    struct shim_file *f = (struct shim_file *)file;
    f->real = (sqlite3_file *)(f + 1);
    int code = real->xOpen(real, name, f->real, flags, out);
    f->base.pMethods = code == SQLITE_OK ? &shim_methods : NULL;
    return code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    disaster();
    return real->xDelete(real, name, sync);
}

static void use_shim(void)
{
    static sqlite3_vfs shim;
    real = sqlite3_vfs_find(NULL);
    shim = *real;
    shim.zName = "shim";
    shim.szOsFile = (int)sizeof(struct shim_file) + real->szOsFile;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.pNext = NULL;
    sqlite3_vfs_register(&shim, 1);
}

/* What the child tells after each step that succeeded. */
static void tell(int pipe, int step)
{
    if (write(pipe, &step, sizeof step) != sizeof step)
        _exit(20);
}

/* A run of UPDATES updates and its end: steps 1 (begun), 2 ... (update i: cycles are 1000 * i), the last one
 * the end. The disk may fill at any step; then the run goes on all the same. Returns operations. */
static unsigned keep_a_run(const char *path, int pipe)
{
    char error[600];
    use_shim();
    struct store *store = store_open(path, STORE_WRITE, error, sizeof error);
    struct stats *stats = stats_new();
    struct run_description description = sample_description("crash");
    struct run_result result = sample_result();
    int64_t id = store ? store_begin_run(store, &description) : -1;
    if (id > 0)
        tell(pipe, 1);
    for (int i = 1; id > 0 && i <= UPDATES; i++) {
        sample_events(stats);
        for (uint16_t vpid = 10; vpid < 10 + 20 * i; vpid++) /* pages are needed */
            event(stats, TRACE_VM_EXIT, vpid, 12, 0, 0, 1);
        if (store_update_run(store, id, stats, (uint64_t)i * 1000, 10))
            tell(pipe, 1 + i);
    }
    if (id > 0 && store_finish_run(store, id, stats, &result))
        tell(pipe, 2 + UPDATES);
    store_close(store);
    stats_free(stats);
    return operations;
}

/* The last step that the child told of; 0: none. */
static int run_child(const char *path, unsigned moment, bool full, int *status)
{
    int ends[2], step, last = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        fatal = moment;
        disk_fills = full;
        keep_a_run(path, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &step, sizeof step) == sizeof step)
        last = step;
    close(ends[0]);
    assert_int_equal(waitpid(child, status, 0), child);
    return last;
}

static int64_t number(struct store *store, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    sqlite3_finalize(statement);
    return value;
}

/* The file opens, is whole, and has what was told, or the step after it: a kill may fall between the commit
 * and the telling. */
static void expect_file(const char *path, int told, unsigned moment)
{
    char error[600];
    struct store *store = store_open(path, STORE_READ, error, sizeof error);
    if (!store && told == 0)
        return; /* nothing was promised yet: no file, or an empty one */
    if (!store)
        fail_msg("moment %u, after step %d: %s", moment, told, error);
    assert_int_equal(
        number(store, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    assert_int_equal(number(store, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    int64_t runs = number(store, "SELECT count(*) FROM runs"), step = 0;
    if (runs == 1) {
        int64_t cycles = number(store, "SELECT cycles FROM runs");
        bool finished = number(store, "SELECT state = 'finished' FROM runs");
        step = finished ? 2 + UPDATES : 1 + cycles / 1000;
        if (!finished) {
            /* All figures are of one moment: each update has two more exits by CPUID. */
            assert_int_equal(number(store, "SELECT coalesce(sum(count), 0) FROM vm_exits WHERE reason = 10"),
                             2 * (step - 1));
            assert_int_equal(number(store, "SELECT coalesce(sum(count), 0) FROM timeline WHERE reason = 10"),
                             2 * (step - 1));
            assert_int_equal(number(store, "SELECT count(*) FROM runs WHERE outcome IS NOT NULL"), 0);
        }
    }
    if (step != told && step != told + 1)
        fail_msg("moment %u: %d was told, %d is there", moment, told, (int)step);
    store_close(store);
}

/* And the next run finds its place in it. */
static void expect_use(const char *path)
{
    struct store *store = open_ok(path, STORE_WRITE);
    int64_t before = number(store, "SELECT count(*) FROM runs");
    assert_int_equal(add_sample_run(store, "next"), before + 1);
    assert_int_equal(
        number(store, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    store_close(store);
}

static unsigned count_operations(void **state)
{
    int ends[2];
    unsigned count = 0;
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(state, "whole.db"));
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        int null[2];
        if (pipe(null))
            _exit(20);
        unsigned done = keep_a_run(path, null[1]);
        _exit(write(ends[1], &done, sizeof done) == sizeof done ? 0 : 21);
    }
    assert_int_equal(read(ends[0], &count, sizeof count), sizeof count);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
    expect_file(path, 2 + UPDATES, 0);
    return count;
}

static void at_a_hundred_moments(void **state, bool full)
{
    const unsigned count = count_operations(state);
    unsigned unfinished = 0;
    assert_true(count > MOMENTS);
    for (unsigned i = 0; i < MOMENTS; i++) {
        char path[512];
        int status;
        const unsigned moment = 1 + (unsigned)((uint64_t)i * (count - 1) / (MOMENTS - 1));
        snprintf(path, sizeof path, "%s/moment-%u.db", (char *)*state, moment);
        int told = run_child(path, moment, full, &status);
        if (full)
            assert_int_equal(status, 0);
        else
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        unfinished += told > 1 && told < 2 + UPDATES;
        expect_file(path, told, moment);
        expect_use(path);
    }
    assert_true(unfinished > MOMENTS / 2); /* most moments are in the middle of a run */
}

static void killed_at_a_hundred_moments(void **state)
{
    at_a_hundred_moments(state, false);
}
static void a_full_disk_at_a_hundred_moments(void **state)
{
    at_a_hundred_moments(state, true);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(killed_at_a_hundred_moments),
        IN_FOLDER(a_full_disk_at_a_hundred_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
