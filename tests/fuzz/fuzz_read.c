/* fuzz_read.c - the readers of files, fed with files that are almost right, from memory.
 *
 *     weft_fuzz_read npy|npz|deflated|safetensors|torch|old_torch|gguf [--seed 1] [--seconds 10 | --runs N] [--only K]
 *
 * Run K of a seed is the same file everywhere: a failure prints K, and --only K repeats it. Each file is listed,
 * loaded, and what was loaded is saved and loaded again. Checked: the status is OK, IO, or NOMEM by the budget; a
 * failure gives nothing and leaves nothing; memory stays within the budget and a fixed sum; what is listed as loadable
 * by name is what loads; the saved file gives the same bytes. Meant for AddressSanitizer (the asan preset); each file
 * is a block of exactly its size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <weft/io.h>

#include "deflated_npz.h"
#include "harness/structs.h"
#include "harness/test_archive.h"

enum { BESIDE = 600 << 10, MOST_ROWS = 64 };

/* ---- Chance ---- */

static uint64_t state;

static uint64_t next_random(void)
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return n ? (size_t)(next_random() % n) : 0;
}

static bool chance(int of)
{
    return below((size_t)of) == 0;
}

static const char *pick(const char *const *texts, size_t n)
{
    return texts[below(n)];
}
#define PICK(texts) pick(texts, sizeof(texts) / sizeof *(texts))

/* ---- Damage ---- */

static void resize(test_bytes *b, size_t at, size_t out, size_t in)
{
    test_bytes next = {0};
    test_put(&next, b->p, at);
    for (size_t k = 0; k < in; k++)
        test_put(&next, &(unsigned char){(unsigned char)next_random()}, 1);
    test_put(&next, b->p + at + out, b->n - at - out);
    free(b->p);
    *b = next;
}

static void put_odd_number(unsigned char *p, size_t bytes)
{
    static const uint64_t odd[] = {0,          1,          2,          0x7F,           0x80,
                                   0xFF,       0x7FFF,     0xFFFF,     0x7FFFFFFF,     0x80000000,
                                   0xFFFFFFFF, 0xFFFFFFFE, 1ULL << 32, INT64_MAX,      1ULL << 63,
                                   UINT64_MAX, 1000,       65536,      UINT64_MAX - 7, 1ULL << 40};
    uint64_t value = odd[below(sizeof odd / sizeof *odd)];
    for (size_t k = 0; k < bytes; k++, value >>= 8)
        p[k] = (unsigned char)value;
}

static void damage_once(test_bytes *b)
{
    static const char words[] = "0123456789[]{}(),:'\"-eE. \\u<>|TrueFalseNULL";
    const size_t at = below(b->n), left = b->n - at;
    const size_t few = 1 + below(left < 9 ? left : 9);
    if (!b->n)
        return;
    switch (below(8)) {
    case 0:
        b->p[at] ^= (unsigned char)(1u << below(8));
        break;
    case 1:
        b->p[at] = (unsigned char)next_random();
        break;
    case 2:
        b->p[at] = (unsigned char)words[below(sizeof words - 1)];
        break;
    case 3:
        put_odd_number(b->p + at, left >= 8 && chance(2) ? 8 : left >= 4 ? 4 : 1);
        break;
    case 4:
        resize(b, at, few <= left ? few : left, 0);
        break;
    case 5:
        resize(b, at, 0, few);
        break;
    case 6:
        memmove(b->p + below(b->n - few + 1), b->p + at, few);
        break;
    default:
        if (chance(4))
            b->n = at;
        else
            b->p[at] = (unsigned char)(b->p[at] + (chance(2) ? 1 : -1));
    }
}

static void damage(test_bytes *b)
{
    for (size_t k = 1 + below(4); k > 0; k--)
        damage_once(b);
}

#include "fuzz_models.h"

/* ---- Files ---- */

static test_bytes any_npy(void)
{
    static const char *const descr[] = {"'<f4'", "'<f8'", "'<f2'", "'<V2'",   "'<i8'",
                                        "'>i4'", "'<i2'", "'|i1'", "'|u1'",   "'>u2'",
                                        "'<u4'", "'|b1'", "'=f4'", "\"<f4\"", "'|O'",
                                        "'<U3'", "'<c8'", "'<u8'", "'>f8'",   "[('x', '<f4', (2,)), ('y', 'i1')]"};
    static const char *const shapes[] = {"()",       "(3,)",         "(2, 3)",  "(0, 5)",  "(4, 1, 2)",         "(6,)",
                                         "(2L, 3L)", "(1, 2, 3, 4)", "( 3 , )", "(5000,)", "(1,1,1,1,1,1,1,2)", "(3)"};
    static const char *const order[] = {"False", "True"};
    unsigned char data[512];
    for (size_t k = 0; k < sizeof data; k++)
        data[k] = (unsigned char)next_random();
    return test_npy(PICK(descr), PICK(order), PICK(shapes), data, chance(3) ? below(sizeof data) : sizeof data);
}

static test_bytes npy_file(void)
{
    test_bytes b = any_npy();
    if (!chance(8))
        damage(&b);
    return b;
}

static test_bytes npz_file(void)
{
    static const char *const names[] = {"a.npy",     "b.npy",        "c",       "d.npy.npy", ".npy",
                                        "dir/e.npy", "\xc3\xa4.npy", "\xff.npy"};
    test_zip z = {0};
    for (size_t k = 1 + below(4); k > 0; k--) {
        test_bytes content = any_npy();
        if (chance(3))
            damage(&content);
        test_zip_add(&z, PICK(names), chance(2) ? TEST_DEFLATED : TEST_STORED, content);
    }
    test_bytes b = test_zip_close(&z);
    if (chance(2))
        damage(&b);
    return b;
}

/* Damage to the packed bytes is seen by the checksum at the latest; here zlib comes first. */
static test_bytes deflated_file(void)
{
    test_bytes b = {0};
    test_put(&b, deflated_npz, sizeof deflated_npz);
    damage(&b);
    return b;
}

static size_t put_json_tensor(char *text, size_t room, size_t *at)
{
    static const char *const dtypes[] = {"F64", "F32", "F16", "BF16", "I64", "I32",     "I16", "I8",
                                         "U8",  "U16", "U32", "BOOL", "U64", "F8_E4M3", "F4"};
    static const int sizes[] = {8, 4, 2, 2, 8, 4, 2, 1, 1, 2, 4, 1, 8, 1, 1};
    static const char *const names[] = {"a",    "b", "c/d",          "\\u00e4", "\\ud83d\\ude00",
                                        "\\\"", "",  "\xe2\x82\xac", "e.weight"};
    const size_t k = below(sizeof sizes / sizeof *sizes), rows = below(4), columns = 1 + below(5);
    const size_t bytes = rows * columns * (size_t)sizes[k], begin = *at;
    *at += bytes;
    return (size_t)snprintf(text, room, "\"%s%zu\":{\"dtype\":\"%s\",\"shape\":[%zu, %zu],\"data_offsets\":[%zu,%zu]}",
                            PICK(names), below(6), dtypes[k], rows, columns, begin, *at);
}

static test_bytes safetensors_file(void)
{
    char header[2048] = "{";
    unsigned char data[2048];
    size_t n = 1, at = 0, tensors = below(5);
    if (chance(3))
        n += (size_t)snprintf(header + n, sizeof header - n, "\"__metadata__\":{\"k\":\"v\\n\"}%s", tensors ? "," : "");
    for (size_t k = 0; k < tensors; k++) {
        if (k)
            header[n++] = ',';
        n += put_json_tensor(header + n, sizeof header - n - 16, &at);
    }
    snprintf(header + n, sizeof header - n, "}%s", chance(2) ? "   " : "");
    for (size_t k = 0; k < sizeof data; k++)
        data[k] = (unsigned char)next_random();
    test_bytes b = test_safetensors(header, data, at);
    if (!chance(4))
        damage(&b);
    if (b.n >= 8 && chance(2)) /* a header that was cut or stretched, with its right length */
        for (size_t length = b.n - 8 > at ? b.n - 8 - at : 0, k = 0; k < 8; k++, length >>= 8)
            b.p[k] = (unsigned char)length;
    return b;
}

static const struct {
    const char *name;
    test_bytes (*make)(void);
} readers[] = {{"npy", npy_file},           {"npz", npz_file},
               {"deflated", deflated_file}, {"safetensors", safetensors_file},
               {"torch", torch_file},       {"old_torch", old_torch_file},
               {"gguf", gguf_file}};

/* ---- Checks ---- */

static long run_number;
static const char *reader_name = "";
static long verdicts[3]; /* loaded, refused, beyond the budget */
static size_t host_now, host_peak;

static void wrong(const char *what, const char *detail)
{
    fprintf(stderr, "fuzz_read %s: run %ld: %s: %s\n", reader_name, run_number, what, detail);
    abort();
}

static void *count_alloc(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    host_now += bytes;
    host_peak = host_now > host_peak ? host_now : host_peak;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void count_free(void *user, void *block, size_t bytes)
{
    (void)user;
    host_now -= bytes;
    free(block);
}

typedef struct listing {
    int n, good;
    char names[MOST_ROWS][64];
} listing;

static void note_row(void *user, const weft_file_tensor *t)
{
    listing *l = user;
    l->n++;
    if (t->problem || l->good == MOST_ROWS || strlen(t->name) >= sizeof l->names[0])
        return;
    strcpy(l->names[l->good++], t->name);
}

static void check_failure(weft_ctx *ctx, weft_status status, const weft_named_tensor *all, int n, int64_t live)
{
    if (status != WEFT_E_IO && status != WEFT_E_NOMEM)
        wrong(weft_status_name(status), weft_ctx_message(ctx));
    if (all || n || memory_of(ctx).live_tensors != live)
        wrong("a failure left something", weft_ctx_message(ctx));
    if (!weft_ctx_message(ctx)[0] || weft_ctx_status(ctx) != status)
        wrong("a failure without a sentence", weft_status_name(status));
    weft_ctx_clear(ctx);
}

static bool same(weft_ctx *ctx, weft_tensor *a, weft_tensor *b)
{
    const size_t bytes = (size_t)weft_count(a) * weft_dtype_size(weft_dtype_of(a));
    unsigned char *x = malloc(bytes + 1), *y = malloc(bytes + 1);
    bool fine =
        b && weft_dtype_of(a) == weft_dtype_of(b) && weft_ndim(a) == weft_ndim(b) && weft_count(a) == weft_count(b);
    for (int d = 0; fine && d < weft_ndim(a); d++)
        fine = weft_shape(a)[d] == weft_shape(b)[d];
    fine = fine && weft_read(ctx, a, x, bytes) == WEFT_OK && weft_read(ctx, b, y, bytes) == WEFT_OK &&
           memcmp(x, y, bytes) == 0;
    if (fine && weft_dtype_of(a) == WEFT_BOOL)
        for (size_t k = 0; k < bytes; k++)
            fine = fine && x[k] <= 1;
    free(x);
    free(y);
    return fine;
}

/* What was loaded goes into a file of the other format, and comes back. */
static void there_and_back(weft_ctx *ctx, const weft_named_tensor *all, int n, const char *path)
{
    weft_named_tensor *back;
    int m;
    const weft_status status = chance(2) ? weft_save_npz(ctx, path, all, n) : weft_save_safetensors(ctx, path, all, n);
    if (status != WEFT_OK)
        wrong("it was loaded and cannot be saved", weft_ctx_message(ctx));
    if (weft_load(ctx, &WITH_SOURCE(.path = path), NULL, &back, &m) != WEFT_OK) {
        if (weft_ctx_status(ctx) != WEFT_E_NOMEM)
            wrong("it was saved and cannot be loaded", weft_ctx_message(ctx));
        weft_ctx_clear(ctx);
        return;
    }
    if (m != n)
        wrong("it came back with another number of tensors", path);
    for (int k = 0; k < n; k++)
        if (!same(ctx, all[k].tensor, weft_named(back, m, all[k].name)))
            wrong("it came back with other values", all[k].name);
    weft_named_free(ctx, back, m);
}

static bool load_by_name(weft_ctx *ctx, const weft_source *source, const listing *l)
{
    const char *names[MOST_ROWS];
    weft_named_tensor *some;
    int n;
    for (int k = 0; k < l->good; k++)
        names[k] = l->names[k];
    const int64_t live = memory_of(ctx).live_tensors;
    const weft_load_options options =
        INIT_LOAD(.names = names, .n_names = l->good, .max_tensors = 100, .max_name = 1000);
    const weft_status status = weft_load(ctx, source, &options, &some, &n);
    if (status != WEFT_OK) { /* its data may be damaged, or too much beside what is loaded */
        check_failure(ctx, status, some, n, live);
        return status == WEFT_E_NOMEM;
    }
    for (int k = 0; k < n; k++)
        if (strcmp(some[k].name, names[k]) != 0)
            wrong("names in another order", names[k]);
    weft_named_free(ctx, some, n);
    return true;
}

static void try_file(const test_bytes *b, const char *path)
{
    unsigned char *exact = malloc(b->n ? b->n : 1);
    weft_ctx *ctx;
    weft_named_tensor *all;
    listing l = {0};
    int n;
    if (b->n)
        memcpy(exact, b->p, b->n);
    const weft_source source = INIT_SOURCE(.bytes = exact, .size = b->n);
    const size_t budget = (size_t)256 << below(13);
    const weft_options options = INIT_OPTIONS(.memory_budget = budget, .alloc = count_alloc, .free = count_free);
    if (weft_ctx_open(&options, &ctx) != WEFT_OK)
        wrong("no context", "");
    const size_t before = host_peak = host_now;
    const weft_status listed = weft_list_tensors(ctx, &source, NULL, note_row, &l);
    if (listed != WEFT_OK)
        check_failure(ctx, listed, NULL, 0, 0);
    const weft_status status = weft_load(ctx, &source, NULL, &all, &n);
    if (host_peak - before > budget + budget / 2 + BESIDE)
        wrong("more memory than budget", "");
    verdicts[status == WEFT_OK ? 0 : status == WEFT_E_NOMEM ? 2 : 1]++;
    if (status != WEFT_OK)
        check_failure(ctx, status, all, n, 0);
    if (status == WEFT_OK && (listed != WEFT_OK || l.n != n))
        wrong("it loads, and the list says otherwise", "");
    if (listed == WEFT_OK && l.good && !load_by_name(ctx, &source, &l) && status == WEFT_OK)
        wrong("it loads, but not by name", l.names[0]);
    if (status == WEFT_OK) {
        if (chance(16))
            there_and_back(ctx, all, n, path);
        weft_named_free(ctx, all, n);
    }
    weft_ctx_close(ctx);
    if (host_now)
        wrong("a leak", "");
    free(exact);
}

/* ---- The program ---- */

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int usage(void)
{
    fprintf(stderr, "weft_fuzz_read npy|npz|deflated|safetensors|torch|old_torch|gguf [--seed S] [--seconds T | --runs "
                    "N] [--only K]\n");
    return 2;
}

int main(int n_words, char **words)
{
    uint64_t seed = 1;
    double seconds = 10;
    long runs = -1, only = -1;
    size_t reader = 0;
    char path[] = "/tmp/weft_fuzz_XXXXXX";
    while (n_words > 1 && reader < sizeof readers / sizeof *readers && strcmp(words[1], readers[reader].name) != 0)
        reader++;
    if (n_words < 2 || n_words % 2 || reader == sizeof readers / sizeof *readers)
        return usage();
    for (int k = 2; k < n_words; k += 2) {
        if (strcmp(words[k], "--seed") == 0)
            seed = strtoull(words[k + 1], NULL, 10);
        else if (strcmp(words[k], "--seconds") == 0)
            seconds = strtod(words[k + 1], NULL);
        else if (strcmp(words[k], "--runs") == 0)
            runs = strtol(words[k + 1], NULL, 10);
        else if (strcmp(words[k], "--only") == 0)
            only = strtol(words[k + 1], NULL, 10);
        else
            return usage();
    }
    const int fd = mkstemp(path);
    if (fd < 0)
        return perror(path), 2;
    close(fd);
    reader_name = readers[reader].name;
    const double end = seconds_now() + seconds;
    long done = 0;
    for (run_number = only < 0 ? 0 : only;; run_number++, done++) {
        if (only >= 0 ? run_number > only : runs >= 0 ? done >= runs : done % 64 == 0 && seconds_now() >= end)
            break;
        state = seed * 0x9E3779B97F4A7C15u + (uint64_t)run_number * 0xD1B54A32D192ED03u;
        test_bytes b = readers[reader].make();
        try_file(&b, path);
        free(b.p);
    }
    unlink(path);
    printf("%s: %ld files: %ld loaded, %ld refused, %ld beyond the budget; all as they should be\n", reader_name, done,
           verdicts[0], verdicts[1], verdicts[2]);
    return done > 0 && (only >= 0 || (verdicts[0] > 0 && verdicts[1] > 0)) ? 0 : 1;
}
