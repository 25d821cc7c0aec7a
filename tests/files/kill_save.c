/* kill_save.c - kill -9 at random moments while a file is saved again and again: its path must always hold one of the
 * two files, whole.
 *
 *     weft_kill_save [--times 1000] [--seed 1]
 *
 * A child saves a file of ones and one of twos, in turn, as npz or safetensors. A random time after it has begun it is
 * killed and the file is loaded. Exit status 0: every time whole, with both files seen. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weft/io.h>

enum { TENSORS = 5, ELEMENTS = 40000, MOST_MICROSECONDS = 50000 };

typedef weft_status save_fn(weft_ctx *ctx, const char *path, const weft_named_tensor *tensors, int n);

static uint64_t state = 1;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static int fill(weft_ctx *ctx, weft_named_tensor all[TENSORS], double value)
{
    static const char *const names[TENSORS] = {"a", "b", "c", "d", "e"};
    for (int k = 0; k < TENSORS; k++)
        all[k] = (weft_named_tensor){names[k], weft_full(ctx, WEFT_F32, WEFT_DIMS(ELEMENTS), value)};
    return TENSORS;
}

/* The child: never returns. A byte into begun says that it saves from now on. */
static void save_forever(save_fn *save, const char *path, int begun)
{
    weft_ctx *ctx;
    weft_named_tensor ones[TENSORS], twos[TENSORS];
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        _exit(1);
    fill(ctx, ones, 1);
    fill(ctx, twos, 2);
    if (write(begun, "!", 1) != 1)
        _exit(1);
    for (;;)
        if (save(ctx, path, ones, TENSORS) != WEFT_OK || save(ctx, path, twos, TENSORS) != WEFT_OK) {
            fprintf(stderr, "%s\n", weft_ctx_message(ctx));
            _exit(1);
        }
}

/* The value that every element of the file has; 0 if it is not whole. */
static int value_of(const char *path)
{
    static float x[ELEMENTS];
    weft_ctx *ctx;
    weft_named_tensor *all;
    int n, value = 0;
    if (weft_ctx_open(NULL, &ctx) != WEFT_OK)
        return 0;
    weft_source source = WEFT_SOURCE_DEFAULTS;
    source.path = path;
    if (weft_load(ctx, &source, NULL, &all, &n) != WEFT_OK) {
        fprintf(stderr, "%s\n", weft_ctx_message(ctx));
    } else {
        value = n == TENSORS ? 3 : 0; /* both bits: those of all elements remain */
        for (int k = 0; k < n; k++)
            if (weft_count(all[k].tensor) == ELEMENTS && weft_read(ctx, all[k].tensor, x, sizeof x) == WEFT_OK)
                for (int i = 0; i < ELEMENTS; i++)
                    value &= (int)x[i];
            else
                value = 0;
        weft_named_free(ctx, all, n);
    }
    weft_ctx_close(ctx);
    return value;
}

/* Removes what was left beside the file, and counts it. */
static int sweep(const char *folder, const char *file)
{
    DIR *dir = opendir(folder);
    char path[512];
    int n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && strcmp(entry->d_name, file) != 0) {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            n += unlink(path) == 0;
        }
    if (dir)
        closedir(dir);
    return n;
}

/* False: the child could not save. */
static bool kill_once(save_fn *save, const char *path)
{
    char byte;
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        return false;
    const pid_t child = fork();
    if (child == 0)
        save_forever(save, path, ends[1]);
    close(ends[1]);
    const bool begun = read(ends[0], &byte, 1) == 1;
    close(ends[0]);
    nanosleep(&(struct timespec){.tv_nsec = (long)(next_random() % (MOST_MICROSECONDS * 1000))}, NULL);
    kill(child, SIGKILL);
    return waitpid(child, &status, 0) == child && begun && WIFSIGNALED(status);
}

static int run(int times, const char *folder)
{
    char path[256];
    int seen[4] = {0}, left = 0;
    snprintf(path, sizeof path, "%s/w", folder);
    for (int k = 0; k < times; k++) {
        save_fn *save = k % 2 ? weft_save_safetensors : weft_save_npz;
        if (!kill_once(save, path))
            return 1;
        if (access(path, F_OK) != 0 && seen[1] + seen[2] == 0)
            continue; /* killed before the very first file was there */
        seen[value_of(path)]++;
        left += sweep(folder, "w");
    }
    unlink(path);
    printf("killed %d times: the first file whole %d times, the second %d, neither %d; %d left beside it\n", times,
           seen[1], seen[2], seen[0] + seen[3], left);
    return seen[1] > 0 && seen[2] > 0 && seen[0] + seen[3] == 0 ? 0 : 1;
}

int main(int n, char **words)
{
    char folder[] = "/tmp/weft_kill_XXXXXX";
    int times = 1000;
    for (int k = 1; k + 1 < n; k += 2) {
        if (strcmp(words[k], "--times") == 0)
            times = atoi(words[k + 1]);
        else if (strcmp(words[k], "--seed") == 0)
            state = strtoull(words[k + 1], NULL, 10) * 2654435761u + 1;
        else
            return fprintf(stderr, "weft_kill_save: --times N, --seed N\n"), 2;
    }
    if (!mkdtemp(folder))
        return perror(folder), 2;
    const int status = run(times, folder);
    sweep(folder, "");
    rmdir(folder);
    return status;
}
