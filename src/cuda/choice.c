/* choice.c - the file of choices: which algorithm each product uses, as text.
 *
 *   weft matmul choices 2
 *   cuBLASLt 130100, compute capability 9.0, 132 multiprocessors
 *   <the parts of the key> <the algorithm: 8 words, hexadecimal> <checksum of the line, hexadecimal>
 *
 * Later lines come before earlier ones of the same key. An algorithm is cuBLASLt's own: only the same version can read
 * it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "blas.h"

enum { WORDS = sizeof(cublasLtMatmulAlgo_t) / sizeof(uint64_t), FIRST_ROOM = 32, LINE = 1024 };

static const char title[] = "weft matmul choices 2";

/* What the choices hold for. */
static void describe(const weft__cuda_device *d, const weft__blas *blas, char *line, size_t size)
{
    snprintf(line, size, "cuBLASLt %d, compute capability %d.%d, %d multiprocessors", blas->library.version,
             d->compute_major, d->compute_minor, d->sm_count);
}

static weft_status fail_with_system(const weft__exec *e, const char *path, const char *what)
{
    return e->host->fail(e, WEFT_E_IO, "the file of choices \"%.200s\" cannot be %s: %s", path, what, strerror(errno));
}

/* ---- In memory ---- */

static bool add_choice(const weft__cuda_device *d, weft__blas *blas, const weft__blas_choice *choice)
{
    const weft__device_options *o = &d->options;
    if (blas->choice_count == blas->choice_room) {
        const size_t room = blas->choice_room ? blas->choice_room * 2 : FIRST_ROOM;
        weft__blas_choice *choices = o->alloc(o->user, room * sizeof *choices, 64);
        if (!choices)
            return false;
        if (blas->choices) {
            memcpy(choices, blas->choices, blas->choice_count * sizeof *choices);
            o->free(o->user, blas->choices, blas->choice_room * sizeof *choices);
        }
        blas->choices = choices;
        blas->choice_room = room;
    }
    blas->choices[blas->choice_count++] = *choice;
    return true;
}

const cublasLtMatmulAlgo_t *weft__blas_find_choice(const weft__blas *blas, const weft__blas_key *key)
{
    for (size_t k = blas->choice_count; k-- > 0;)
        if (memcmp(&blas->choices[k].key, key, sizeof *key) == 0)
            return &blas->choices[k].algorithm;
    return NULL;
}

/* ---- Lines ---- */

static uint64_t checksum(const weft__blas_choice *choice)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int k = 0; k < WEFT__KEYS; k++)
        hash = (hash ^ (uint64_t)choice->key.part[k]) * 0x100000001b3u;
    for (int k = 0; k < WORDS; k++)
        hash = (hash ^ choice->algorithm.data[k]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

static void print_line(FILE *file, const weft__blas_choice *choice)
{
    for (int k = 0; k < WEFT__KEYS; k++)
        fprintf(file, "%" PRId64 " ", choice->key.part[k]);
    for (int k = 0; k < WORDS; k++)
        fprintf(file, "%" PRIx64 " ", choice->algorithm.data[k]);
    fprintf(file, "%" PRIx64 "\n", checksum(choice));
}

/* False: the line is not one that print_line has written. */
static bool read_line(const char *line, weft__blas_choice *choice)
{
    char *end;
    for (int k = 0; k < WEFT__KEYS; k++, line = end) {
        choice->key.part[k] = strtoll(line, &end, 10);
        if (end == line)
            return false;
    }
    for (int k = 0; k < WORDS; k++, line = end) {
        choice->algorithm.data[k] = strtoull(line, &end, 16);
        if (end == line)
            return false;
    }
    return strtoull(line, &end, 16) == checksum(choice) && end != line && strcmp(end, "\n") == 0;
}

/* ---- The file ---- */

static weft_status begin_file(const weft__exec *e, const char *path, const char *holds_for)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return fail_with_system(e, path, "written");
    const bool written = fprintf(file, "%s\n%s\n", title, holds_for) > 0;
    return fclose(file) == 0 && written ? WEFT_OK : fail_with_system(e, path, "written");
}

static weft_status read_choices(const weft__exec *e, weft__blas *blas, FILE *file, const char *path)
{
    const weft__cuda_device *d = weft__cuda_device_of(e);
    char line[LINE];
    for (int number = 3; fgets(line, sizeof line, file); number++) {
        weft__blas_choice choice;
        if (!read_line(line, &choice))
            return e->host->fail(e, WEFT_E_IO,
                                 "the file of choices \"%.200s\" is damaged in line %d; delete it, or the line", path,
                                 number);
        if (!add_choice(d, blas, &choice))
            return e->host->fail(e, WEFT_E_NOMEM, "out of host memory for the choices of \"%.200s\"", path);
    }
    return ferror(file) ? fail_with_system(e, path, "read") : WEFT_OK;
}

/* A line without its end; false if there is none. */
static bool next_line(FILE *file, char *line, int size)
{
    line[0] = '\0';
    if (!fgets(line, size, file))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* *anew: it is a file of choices, for another GPU or library. */
static weft_status read_file(const weft__exec *e, weft__blas *blas, FILE *file, const char *holds_for, bool *anew)
{
    const weft__device_options *o = &weft__cuda_device_of(e)->options;
    char line[LINE];
    *anew = false;
    if (!next_line(file, line, LINE) || strcmp(line, title) != 0)
        return e->host->fail(
            e, WEFT_E_IO,
            "\"%.200s\" is no file of choices of matrix products that this library can read; name another "
            "in matmul_choices, or delete it",
            o->matmul_choices);
    if (next_line(file, line, LINE) && strcmp(line, holds_for) == 0)
        return read_choices(e, blas, file, o->matmul_choices);
    *anew = o->time_matmul;
    if (*anew)
        return WEFT_OK;
    return e->host->fail(
        e, WEFT_E_IO, "the choices in \"%.200s\" are for %.100s, but this is %.100s; make them anew with time_matmul",
        o->matmul_choices, line, holds_for);
}

weft_status weft__blas_load_choices(const weft__exec *e, weft__blas *blas)
{
    const weft__cuda_device *d = weft__cuda_device_of(e);
    const char *path = d->options.matmul_choices;
    char holds_for[128];
    if (!path)
        return WEFT_OK;
    describe(d, blas, holds_for, sizeof holds_for);
    FILE *file = fopen(path, "r");
    if (!file)
        return d->options.time_matmul && errno == ENOENT ? begin_file(e, path, holds_for)
                                                         : fail_with_system(e, path, "read");
    bool anew;
    weft_status status = read_file(e, blas, file, holds_for, &anew);
    fclose(file);
    return anew ? begin_file(e, path, holds_for) : status;
}

weft_status weft__blas_save_choice(const weft__exec *e, weft__blas *blas, const weft__blas_key *key,
                                   const cublasLtMatmulAlgo_t *algorithm)
{
    const weft__cuda_device *d = weft__cuda_device_of(e);
    const char *path = d->options.matmul_choices;
    const weft__blas_choice choice = {.key = *key, .algorithm = *algorithm};
    if (!add_choice(d, blas, &choice))
        return e->host->fail(e, WEFT_E_NOMEM, "out of host memory for the choices of matrix products");
    if (!path)
        return WEFT_OK;
    FILE *file = fopen(path, "a");
    if (!file)
        return fail_with_system(e, path, "written");
    print_line(file, &choice);
    const bool written = !ferror(file);
    return fclose(file) == 0 && written ? WEFT_OK : fail_with_system(e, path, "written");
}
