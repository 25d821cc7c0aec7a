/* test_io_save.c - saving: what cannot be read back is refused before a file is touched, and whatever fails leaves the
 * old file whole. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* unshare */
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* clang-format off */
#include <weft/io.h>
/* clang-format on */
#include "fake_device.h"
#include "harness/structs.h"
#include "harness/test_ctx.h"
#include "harness/test_folder.h"
#include "harness/weft_test.h"
#include "io/replace.h"

typedef weft_status save_fn(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n);
typedef weft_status load_fn(weft_ctx *ctx, const char *path, weft_named_tensor **tensors, int *n);

static const struct {
    const char *name;
    save_fn *save;
    load_fn *load;
} formats[] = {{"npz", weft_save_npz, weft_load_npz}, {"safetensors", weft_save_safetensors, weft_load_safetensors}};
enum { FORMATS = 2 };

static const char old_contents[] = "the old file";

/* ---- Refused before anything is touched ---- */

static weft_ctx *open_ctx(void)
{
    weft_ctx *ctx = NULL;
    return weft_ctx_open(NULL, &ctx) == WEFT_OK ? ctx : NULL;
}

/* Saves n entries over an old file, which must stay, and wants this status and part of the message: of this call, or of
 * an error that sticks. */
static void refused(weft_ctx *ctx, const weft_named_tensor *all, int n, weft_status status, const char *part)
{
    const bool sticks = weft_ctx_status(ctx) != WEFT_OK;
    for (int f = 0; f < FORMATS; f++) {
        test_folder folder;
        WEFT_REQUIRE(test_folder_make(&folder));
        const char *path = test_path(&folder, "old");
        WEFT_REQUIRE(test_file_write(path, old_contents, sizeof old_contents));
        const weft_status got = formats[f].save(ctx, path, all, n);
        if (got != status)
            WEFT_FAIL("%s, %s: %s", formats[f].name, part, weft_status_name(got));
        WEFT_CHECK_STATUS(weft_ctx_status(ctx), status);
        WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), part);
        WEFT_CHECK(test_file_is(path, old_contents, sizeof old_contents));
        WEFT_CHECK_EQ_INT(test_folder_count(&folder), 1);
        if (!sticks)
            weft_ctx_clear(ctx);
        test_folder_drop(&folder);
    }
    weft_ctx_clear(ctx);
}

WEFT_TEST(Save, NamesThatNobodyCouldReadBack)
{
    weft_ctx *ctx = open_ctx();
    WEFT_REQUIRE(ctx != NULL);
    weft_tensor *a = weft_ones(ctx, WEFT_F32, WEFT_DIMS(3));
    char *endless = malloc((1 << 20) + 2);
    memset(endless, 'x', (1 << 20) + 1);
    endless[(1 << 20) + 1] = '\0';
    refused(ctx, (weft_named_tensor[]){{"w", a}, {"v", a}, {"w", a}}, 3, WEFT_E_INVALID, "two entries are named \"w\"");
    refused(ctx, (weft_named_tensor[]){{"w", a}, {NULL, a}}, 2, WEFT_E_INVALID, "entry 1 has no name");
    refused(ctx, &(weft_named_tensor){"a\xff", a}, 1, WEFT_E_INVALID, "not UTF-8");
    refused(ctx, &(weft_named_tensor){"\xed\xa0\x80", a}, 1, WEFT_E_INVALID, "not UTF-8");
    refused(ctx, &(weft_named_tensor){endless, a}, 1, WEFT_E_INVALID, "1048577 bytes");
    free(endless);
    WEFT_CHECK_STATUS(weft_save_safetensors(ctx, "/tmp/weft_never", &(weft_named_tensor){"__metadata__", a}, 1),
                      WEFT_E_INVALID);
    WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "__metadata__");
    WEFT_CHECK(access("/tmp/weft_never", F_OK) != 0);
    weft_ctx_close(ctx);
}

WEFT_TEST(Save, ListsThatAreNone)
{
    weft_ctx *ctx = open_ctx(), *other = open_ctx();
    WEFT_REQUIRE(ctx && other);
    weft_tensor *a = weft_ones(ctx, WEFT_F32, WEFT_DIMS(3)), *foreign = weft_ones(other, WEFT_F32, WEFT_DIMS(3));
    const weft_named_tensor one = {"w", a};
    refused(ctx, &one, -5, WEFT_E_INVALID, "n is -5");
    refused(ctx, NULL, 1, WEFT_E_NULL_ARGUMENT, "the list of tensors is NULL");
    refused(ctx, (weft_named_tensor[]){{"w", a}, {"v", NULL}}, 2, WEFT_E_INVALID, "entry 1, \"v\", has no tensor");
    refused(ctx, (weft_named_tensor[]){{"w", a}, {"v", foreign}}, 2, WEFT_E_MIXED_CONTEXTS, "entry 1, \"v\"");
    const int mark = weft_scope_push(ctx);
    weft_tensor *dead = weft_ones(ctx, WEFT_F32, WEFT_DIMS(3));
    WEFT_CHECK_OK(weft_scope_pop(ctx, mark));
    refused(ctx, (weft_named_tensor[]){{"w", a}, {"v", dead}}, 2, WEFT_E_DEAD_TENSOR, "freed");
    weft_expand(weft_ones(ctx, WEFT_F32, WEFT_DIMS(3)), WEFT_DIMS(5)); /* an error that sticks */
    refused(ctx, &one, 1, WEFT_E_SHAPE, "expand");
    for (int f = 0; f < FORMATS; f++) {
        WEFT_CHECK_STATUS(formats[f].save(ctx, NULL, &one, 1), WEFT_E_NULL_ARGUMENT);
        WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "the path is NULL");
        weft_ctx_clear(ctx);
        WEFT_CHECK_STATUS(formats[f].save(NULL, "x", &one, 1), WEFT_E_NULL_ARGUMENT);
    }
    weft_ctx_close(other);
    weft_ctx_close(ctx);
}

/* A tensor is NULL because memory ran out: that is the status. */
WEFT_TEST(Save, OutOfMemoryIsNotInvalid)
{
    weft_ctx *ctx;
    WEFT_REQUIRE(weft_ctx_open(&WITH_OPTIONS(.memory_budget = 1 << 20), &ctx) == WEFT_OK);
    const weft_named_tensor all = {"w", weft_zeros(ctx, WEFT_F32, WEFT_DIMS(1 << 20))};
    WEFT_CHECK(!all.tensor);
    refused(ctx, &all, 1, WEFT_E_NOMEM, "");
    weft_ctx_close(ctx);
}

WEFT_TEST(Save, AnNpzOfNothingIsOneForNumPy)
{
    static const unsigned char nothing[22] = {'P', 'K', 5, 6}; /* what numpy.savez() writes */
    weft_ctx *ctx = open_ctx();
    test_folder folder;
    WEFT_REQUIRE(ctx && test_folder_make(&folder));
    WEFT_CHECK_OK(weft_save_npz(ctx, test_path(&folder, "x"), NULL, 0));
    WEFT_CHECK(test_file_is(test_path(&folder, "x"), nothing, sizeof nothing));
    test_folder_drop(&folder);
    weft_ctx_close(ctx);
}

/* ---- What fails half-way ---- */

/* Whether the file at path holds one tensor of n elements, all of that value. */
static bool holds(load_fn *load, const char *path, int64_t n, double value)
{
    weft_ctx *ctx = open_ctx();
    weft_named_tensor *all;
    int count;
    bool fine = load(ctx, path, &all, &count) == WEFT_OK && count == 1 && weft_count(all[0].tensor) == n;
    if (fine) {
        weft_tensor *same = weft_all(weft_eq(all[0].tensor, weft_full_like(all[0].tensor, value)), WEFT_ALL, false);
        fine = weft_item_i64(ctx, same) == 1;
        weft_named_free(ctx, all, count);
    }
    weft_ctx_close(ctx);
    return fine;
}

static weft_status save_ones(save_fn *save, const char *path, int64_t n, double value, char message[256])
{
    weft_ctx *ctx = open_ctx();
    const weft_named_tensor one = {"w", weft_full(ctx, WEFT_F32, WEFT_DIMS(n), value)};
    const weft_status status = save(ctx, path, &one, 1);
    snprintf(message, 256, "%s", weft_ctx_message(ctx));
    weft_ctx_close(ctx);
    return status;
}

/* Runs body in a process of its own, for limits and rights; its exit status, or -1 if a signal ended it. */
static int apart(int (*body)(const test_folder *folder, int format), const test_folder *folder, int format)
{
    int status;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0)
        _exit(body(folder, format));
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum { FINE, NOT_REFUSED, OTHER_SENTENCE, OLD_IS_GONE, LEFT_BEHIND, NOT_POSSIBLE };
enum { SMALL = 1000, LARGE = 100000 };

/* The save must fail with that text; the old file of SMALL ones must be whole and alone. */
static int must_fail(const test_folder *folder, int format, const char *text)
{
    char message[256];
    const char *path = test_path(folder, "w");
    if (save_ones(formats[format].save, path, LARGE, 2, message) != WEFT_E_IO)
        return NOT_REFUSED;
    if (!strstr(message, text)) {
        fprintf(stderr, "%s\n", message);
        return OTHER_SENTENCE;
    }
    if (!holds(formats[format].load, path, SMALL, 1))
        return OLD_IS_GONE;
    return test_folder_count(folder) == 1 ? FINE : LEFT_BEHIND;
}

static int beyond_limit(const test_folder *folder, int format)
{
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){200000, 200000}) != 0)
        return NOT_POSSIBLE;
    return must_fail(folder, format, "File too large"); /* the signal SIGXFSZ keeps its default: to end the process */
}

/* By so little that the last write alone is cut short. */
static int beyond_limit_by_little(const test_folder *folder, int format)
{
    char message[256];
    struct stat about;
    const char *path = test_path(folder, "probe");
    if (save_ones(formats[format].save, path, LARGE, 2, message) != WEFT_OK || stat(path, &about) != 0)
        return NOT_POSSIBLE;
    unlink(path);
    const rlim_t limit = (rlim_t)about.st_size - 3;
    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit}) != 0)
        return NOT_POSSIBLE;
    return must_fail(folder, format, "File too large");
}

/* As nobody: root may write everywhere. */
static int read_only_folder(const test_folder *folder, int format)
{
    chmod(test_path(folder, "w"), 0666);
    chmod(folder->path, 0555);
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return NOT_POSSIBLE;
    return must_fail(folder, format, "Permission denied");
}

static int read_only_file(const test_folder *folder, int format)
{
    chmod(test_path(folder, "w"), 0444);
    chmod(folder->path, 0777);
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return NOT_POSSIBLE;
    return must_fail(folder, format, "Permission denied");
}

static void half_way(int (*body)(const test_folder *folder, int format))
{
    for (int f = 0; f < FORMATS; f++) {
        test_folder folder;
        char message[256];
        WEFT_REQUIRE(test_folder_make(&folder));
        WEFT_CHECK_OK(save_ones(formats[f].save, test_path(&folder, "w"), SMALL, 1, message));
        WEFT_CHECK_EQ_INT(apart(body, &folder, f), FINE);
        chmod(folder.path, 0777);
        test_folder_drop(&folder);
    }
}

WEFT_TEST(Save, ALimitOnTheSizeLeavesTheOldFile)
{
    half_way(beyond_limit);
    half_way(beyond_limit_by_little);
}

WEFT_TEST(Save, AReadOnlyFolderLeavesTheOldFile)
{
    half_way(read_only_folder);
}

WEFT_TEST(Save, AReadOnlyFileIsNotReplaced)
{
    half_way(read_only_file);
}

/* A disk of 256 KiB, seen by this process only. */
static int full_disk(const test_folder *folder, int format)
{
    char message[256];
    if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", folder->path, "tmpfs", 0, "size=256k") != 0)
        return NOT_POSSIBLE;
    if (save_ones(formats[format].save, test_path(folder, "w"), SMALL, 1, message) != WEFT_OK)
        return NOT_POSSIBLE;
    return must_fail(folder, format, "No space left on device");
}

WEFT_TEST(Save, AFullDiskLeavesTheOldFile)
{
    for (int f = 0; f < FORMATS; f++) {
        test_folder folder;
        WEFT_REQUIRE(test_folder_make(&folder));
        const int end = apart(full_disk, &folder, f);
        test_folder_drop(&folder);
        if (end == NOT_POSSIBLE)
            WEFT_SKIP("this process may not mount a file system of its own");
        WEFT_CHECK_EQ_INT(end, FINE);
    }
}

/* ---- What the path is ---- */

WEFT_TEST(Save, LinksAndModesStay)
{
    char message[256], target[512];
    struct stat st;
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    const char *file = test_path(&folder, "file"), *link = test_path(&folder, "link");
    const mode_t mask = umask(027);
    WEFT_CHECK_OK(save_ones(weft_save_npz, file, SMALL, 1, message));
    umask(mask);
    WEFT_CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0640);
    WEFT_REQUIRE(chmod(file, 0604) == 0 && symlink("file", link) == 0);
    WEFT_CHECK_OK(save_ones(weft_save_npz, link, SMALL, 2, message));
    WEFT_CHECK(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    WEFT_CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0604);
    WEFT_CHECK(holds(weft_load_npz, file, SMALL, 2));
    WEFT_REQUIRE(symlink("new", test_path(&folder, "dangling")) == 0);
    WEFT_CHECK_OK(save_ones(weft_save_npz, test_path(&folder, "dangling"), SMALL, 3, message));
    WEFT_CHECK(holds(weft_load_npz, test_path(&folder, "new"), SMALL, 3));
    snprintf(target, sizeof target, "%s/ring", folder.path);
    WEFT_REQUIRE(symlink("ring", target) == 0);
    WEFT_CHECK_STATUS(save_ones(weft_save_npz, target, SMALL, 3, message), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(message, "symbolic links");
    WEFT_CHECK_STATUS(save_ones(weft_save_npz, folder.path, SMALL, 3, message), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(message, "Is a directory");
    WEFT_CHECK_EQ_INT(test_folder_count(&folder), 5);
    test_folder_drop(&folder);
}

/* What cannot be replaced is written as it comes: here through a FIFO, by a child. */
static int save_to_fifo(const test_folder *folder, int format)
{
    char message[256];
    return save_ones(formats[format].save, test_path(folder, "fifo"), LARGE, 4, message) != WEFT_OK;
}

WEFT_TEST(Save, AFifoIsWrittenAsItComes)
{
    for (int f = 0; f < FORMATS; f++) {
        char message[256];
        size_t size;
        int status;
        test_folder folder;
        WEFT_REQUIRE(test_folder_make(&folder));
        const char *fifo = test_path(&folder, "fifo"), *copy = test_path(&folder, "copy");
        WEFT_REQUIRE(mkfifo(fifo, 0600) == 0);
        WEFT_CHECK_STATUS(save_ones(formats[f].save, fifo, LARGE, 4, message),
                          WEFT_E_IO); /* does not wait for a reader */
        WEFT_CHECK_STR_HAS(message, "nobody reads");
        fflush(NULL);
        const int held = open(fifo, O_RDONLY | O_NONBLOCK); /* so that the child finds a reader */
        const pid_t child = fork();
        if (child == 0)
            _exit(save_to_fifo(&folder, f));
        fcntl(held, F_SETFL, 0);
        FILE *in = fopen(fifo, "rb");
        close(held);
        unsigned char *bytes = malloc(1 << 20);
        size = fread(bytes, 1, 1 << 20, in);
        fclose(in);
        WEFT_CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        WEFT_CHECK(test_file_write(copy, bytes, size));
        free(bytes);
        WEFT_CHECK(holds(formats[f].load, copy, LARGE, 4));
        test_folder_drop(&folder);
    }
}

static void no_handler(int signal)
{
    (void)signal;
}

typedef struct slow_reader {
    int fd;
    pthread_t writer;
    unsigned char *bytes;
    size_t n;
    int interrupted;
} slow_reader;

/* Whenever the pipe is full, so that the writer waits in the middle of a write, it gets a signal. */
static void *read_slowly(void *user)
{
    slow_reader *r = user;
    ssize_t n;
    do {
        int full = 0;
        for (int k = 0; k < 50 && full < 4096 && r->interrupted < 8; k++) {
            usleep(1000);
            ioctl(r->fd, FIONREAD, &full);
        }
        if (full >= 4096 && r->interrupted < 8) {
            usleep(2000);
            pthread_kill(r->writer, SIGUSR1);
            r->interrupted++;
            usleep(2000);
        }
        n = read(r->fd, r->bytes + r->n, 4096);
        r->n += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    return NULL;
}

/* A write that a signal cuts short goes on where it stopped. */
WEFT_TEST(Save, SignalsBetweenThePartsOfAWrite)
{
    enum { N = 20000 };
    test_folder folder;
    weft_ctx *ctx = open_ctx();
    pthread_t thread;
    struct sigaction before;
    const struct sigaction quiet = {.sa_handler = no_handler}; /* without SA_RESTART */
    WEFT_REQUIRE(ctx && test_folder_make(&folder) && sigaction(SIGUSR1, &quiet, &before) == 0);
    const char *fifo = test_path(&folder, "fifo"), *file = test_path(&folder, "file");
    const weft_named_tensor all = {"w", weft_arange(ctx, WEFT_F32, 0, N, 1)};
    for (int f = 0; f < FORMATS; f++) {
        size_t size = 0;
        WEFT_CHECK_OK(formats[f].save(ctx, file, &all, 1));
        unsigned char *want = test_file_read(file, &size);
        slow_reader r = {.writer = pthread_self(), .bytes = malloc(1 << 20)};
        WEFT_REQUIRE(want && r.bytes && mkfifo(fifo, 0600) == 0);
        r.fd = open(fifo, O_RDONLY | O_NONBLOCK);
        WEFT_REQUIRE(r.fd >= 0 && fcntl(r.fd, F_SETPIPE_SZ, 4096) == 4096 && fcntl(r.fd, F_SETFL, 0) == 0);
        const int held = open(fifo, O_WRONLY); /* no end of the file before the writer is there */
        WEFT_REQUIRE(held >= 0 && pthread_create(&thread, NULL, read_slowly, &r) == 0);
        WEFT_CHECK_OK(formats[f].save(ctx, fifo, &all, 1));
        close(held);
        pthread_join(thread, NULL);
        close(r.fd);
        WEFT_CHECK(r.interrupted > 0);
        WEFT_CHECK(r.n == size && memcmp(r.bytes, want, size) == 0);
        free(r.bytes);
        free(want);
        unlink(fifo);
    }
    sigaction(SIGUSR1, &before, NULL);
    test_folder_drop(&folder);
    weft_ctx_close(ctx);
}

/* A program without a standard input opens its files as number 0. */
WEFT_TEST(Save, WithoutAStandardInput)
{
    test_folder folder;
    weft_ctx *ctx = open_ctx();
    WEFT_REQUIRE(ctx && test_folder_make(&folder));
    const weft_named_tensor all = {"w", weft_ones(ctx, WEFT_F32, WEFT_DIMS(3))};
    const int input = fcntl(0, F_DUPFD_CLOEXEC, 10);
    close(0);
    for (int f = 0; f < FORMATS; f++)
        for (int stream = 0; stream < 2; stream++) {
            WEFT_CHECK_OK(formats[f].save(ctx, stream ? "/dev/null" : test_path(&folder, "file"), &all, 1));
            const int next = open("/dev/null", O_RDONLY);
            close(next);
            WEFT_CHECK_EQ_INT(next, 0); /* and closes them */
        }
    if (input >= 0) {
        dup2(input, 0);
        close(input);
    }
    WEFT_CHECK_EQ_INT(test_folder_count(&folder), 1);
    test_folder_drop(&folder);
    weft_ctx_close(ctx);
}

/* What stands behind the end of the text is no part of the path. */
WEFT_TEST(Save, AnEmptyPathIsNoFile)
{
    weft_ctx *ctx = open_ctx();
    WEFT_REQUIRE(ctx);
    const weft_named_tensor all = {"w", weft_ones(ctx, WEFT_F32, WEFT_DIMS(3))};
    for (int f = 0; f < FORMATS; f++) {
        WEFT_CHECK_STATUS(formats[f].save(ctx, "\0x", &all, 1), WEFT_E_IO);
        WEFT_CHECK_STR_HAS(weft_ctx_message(ctx), "No such file or directory");
        weft_ctx_clear(ctx);
    }
    weft_ctx_close(ctx);
}

WEFT_TEST(Save, DevicesAndClosedPipesAreErrors)
{
    char message[256], path[64];
    int ends[2];
    WEFT_CHECK_STATUS(save_ones(weft_save_npz, "/dev/full", LARGE, 4, message), WEFT_E_IO);
    WEFT_CHECK_STR_HAS(message, "No space left on device");
    WEFT_CHECK_OK(save_ones(weft_save_npz, "/dev/null", LARGE, 4, message));
    WEFT_REQUIRE(pipe(ends) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    close(ends[0]);
    WEFT_CHECK_STATUS(save_ones(weft_save_npz, path, LARGE, 4, message),
                      WEFT_E_IO); /* SIGPIPE would end this program */
    close(ends[1]);
}

/* ---- The helper itself, in both of its ways ---- */

static void replace_twice(bool (*open_file)(weft__replace *r, const char *path))
{
    weft__replace r;
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    const char *path = test_path(&folder, "x");
    WEFT_REQUIRE(open_file(&r, path));
    fprintf(r.out, "first");
    WEFT_CHECK(access(path, F_OK) != 0);
    WEFT_CHECK(weft__replace_commit(&r));
    WEFT_CHECK(test_file_is(path, "first", 5));
    WEFT_REQUIRE(open_file(&r, path));
    fprintf(r.out, "second");
    fflush(r.out);
    WEFT_CHECK(test_file_is(path, "first", 5));
    weft__replace_drop(&r);
    WEFT_CHECK(test_file_is(path, "first", 5));
    WEFT_REQUIRE(open_file(&r, path));
    fprintf(r.out, "third");
    WEFT_CHECK(weft__replace_commit(&r));
    WEFT_CHECK(test_file_is(path, "third", 5));
    WEFT_CHECK_EQ_INT(test_folder_count(&folder), 1);
    test_folder_drop(&folder);
}

WEFT_TEST(Save, Replaces)
{
    replace_twice(weft__replace_open);
    replace_twice(weft__replace_open_named);
}

/* /dev/stdout of a program whose output goes to a file: appended to, never replaced. */
static int stdout_to_file(const test_folder *folder, int format)
{
    (void)format;
    weft__replace r;
    const int fd = open(test_path(folder, "log"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, 1) != 1 || write(1, "before ", 7) != 7 || !weft__replace_open(&r, "/dev/stdout"))
        return 1;
    fprintf(r.out, "saved");
    return weft__replace_commit(&r) && test_file_is(test_path(folder, "log"), "before saved", 12) ? 0 : 2;
}

WEFT_TEST(Save, StandardOutputIsWrittenTo)
{
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    WEFT_CHECK_EQ_INT(apart(stdout_to_file, &folder, 0), 0);
    test_folder_drop(&folder);
}

/* A tensor does not come from the device, when the file has been begun. */
WEFT_TEST(Save, ADeviceThatFailsLeavesTheOldFile)
{
    weft__backend *fake = fake_device();
    const weft__backend was = *fake;
    test_folder folder;
    WEFT_REQUIRE(test_folder_make(&folder));
    for (int f = 0; f < FORMATS; f++) {
        fault_memory m = {0};
        weft_options o = fault_options(&m);
        o.device = "test";
        weft_ctx *c = NULL;
        WEFT_REQUIRE(weft_ctx_open(&o, &c) == WEFT_OK);
        const weft_named_tensor old = {.name = "a", .tensor = weft_full(c, WEFT_F32, WEFT_DIMS(2), 3)};
        const weft_named_tensor now = {.name = "a", .tensor = weft_full(c, WEFT_F32, WEFT_DIMS(2), 4)};
        const char *path = test_path(&folder, formats[f].name);
        WEFT_CHECK_OK(formats[f].save(c, path, &old, 1));
        fake->to_host = fake_no_download;
        WEFT_CHECK_STATUS(formats[f].save(c, path, &now, 1), WEFT_E_DEVICE);
        *fake = was;
        weft_ctx_clear(c);
        weft_named_tensor *all = NULL;
        int n = 0;
        WEFT_CHECK_OK(formats[f].load(c, path, &all, &n));
        WEFT_CHECK(n == 1 && weft_item(c, weft_select(all[0].tensor, 0, 0)) == 3); /* not 4 */
        weft_named_free(c, all, n);
        fault_ctx_close(c, &m);
    }
    test_folder_drop(&folder);
}
