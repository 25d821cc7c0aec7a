/* golden.c - reads tests/ops/(name).gold and tests/parity/(name).parity. Memory stays for the life of the process. */
#include "golden.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The files of one folder. */
typedef struct collection {
    const char *folder, *ending, *variable; /* the last one may name another folder */
    gold_record *first, **last;
    bool loaded;
} collection;

static collection gold = {"tests/ops", ".gold", "WEFT_GOLDEN_DIR", NULL, &gold.first, false};
static collection parity = {"tests/parity", ".parity", "WEFT_PARITY_DIR", NULL, &parity.first, false};
static char error[512];

/* ---- Where the sources are ---- */

const char *gold_source_dir(void)
{
    static char dir[1024];
    if (dir[0])
        return dir;
#ifdef WEFT_SOURCE_DIR
    snprintf(dir, sizeof dir, "%s", WEFT_SOURCE_DIR);
#else
    snprintf(dir, sizeof dir, "%s", __FILE__); /* <dir>/tests/samples/golden.c */
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(dir, '/');
        if (slash)
            *slash = '\0';
        else
            strcpy(dir, ".");
    }
#endif
    return dir;
}

/* ---- Parsing ---- */

typedef struct reader {
    collection *into;
    const char *file;
    int line;
    bool failed;
} reader;

static void complain(reader *r, const char *what)
{
    if (!r->failed)
        snprintf(error, sizeof error, "%s:%d: %s", r->file, r->line, what);
    r->failed = true;
}

static void *take(size_t n, size_t size)
{
    void *block = calloc(n ? n : 1, size);
    if (!block)
        abort(); /* a test machine without memory has no result to report */
    return block;
}

static char *word(char **at)
{
    while (**at == ' ')
        ++*at;
    char *start = *at;
    while (**at && **at != ' ')
        ++*at;
    if (**at)
        *(*at)++ = '\0';
    return *start ? start : NULL;
}

static double real(reader *r, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text)
        complain(r, "not a number");
    return value;
}

static int64_t integer(reader *r, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || errno)
        complain(r, "not an integer");
    return value;
}

static int count_words(const char *at)
{
    int n = 0;
    for (; *at; at++)
        n += *at != ' ' && (at[1] == ' ' || at[1] == '\0');
    return n;
}

static double *reals(reader *r, char *at, int64_t n)
{
    double *list = take((size_t)n, sizeof *list);
    if (count_words(at) != n)
        return complain(r, "wrong number of values"), list;
    for (int64_t k = 0; k < n; k++)
        list[k] = real(r, word(&at));
    return list;
}

static int64_t *integers(reader *r, char *at, int64_t n)
{
    int64_t *list = take((size_t)n, sizeof *list);
    if (count_words(at) != n)
        return complain(r, "wrong number of values"), list;
    for (int64_t k = 0; k < n; k++)
        list[k] = integer(r, word(&at));
    return list;
}

static weft_dtype dtype_named(reader *r, const char *name)
{
    for (int d = 0; d < WEFT_DTYPE_COUNT; d++)
        if (strcmp(weft_dtype_name((weft_dtype)d), name) == 0)
            return (weft_dtype)d;
    complain(r, "unknown dtype");
    return WEFT_F32;
}

/* Whether the values of a tensor are integers. */
static bool holds_integers(const gold_record *record, const gold_tensor *t)
{
    switch (t->kind) {
    case 'n':
    case 'x':
    case 'c':
    case 'I':
    case 'B':
        return true;
    case 'N':
    case 'A':
    case 'D':
        return record->integer;
    case 'T':
        return !weft_dtype_is_float(t->dtype);
    default:
        return false;
    }
}

/* KIND DIM... = X... */
static void tensor(reader *r, gold_record *record, gold_tensor *t, char *at)
{
    char *kind = word(&at), *size;
    if (!kind)
        complain(r, "no kind");
    if (!kind || strcmp(kind, "null") == 0)
        return;
    t->kind = kind[0];
    if (strcmp(kind, "any") == 0)
        return;
    if (t->kind == 'T')
        t->dtype = dtype_named(r, kind + 2);
    record->integer |= t->kind == 'n';
    t->count = 1;
    while ((size = word(&at)) && *size != '=') {
        if (t->ndim == WEFT_MAX_DIMS) {
            complain(r, "too many dims");
            return;
        }
        t->shape[t->ndim] = integer(r, size);
        t->count *= t->shape[t->ndim++];
    }
    if (holds_integers(record, t))
        t->n = integers(r, at, t->count);
    else
        t->f = reals(r, at, t->count);
}

static unsigned flags_of(reader *r, char *at)
{
    static const char *const names[] = {"f32",     "f64",    "special", "signzero", "nograd",
                                        "inplace", "nobool", "dense",   "bytes"};
    enum { N = sizeof names / sizeof names[0] };
    unsigned flags = 0;
    for (char *name; (name = word(&at));) {
        unsigned k = 0;
        while (k < N && strcmp(names[k], name) != 0)
            k++;
        if (k == N)
            complain(r, "unknown flag");
        flags |= 1u << k;
    }
    return flags;
}

static gold_compare compare_of(reader *r, const char *text)
{
    if (strcmp(text, "exact") == 0)
        return GOLD_EXACT;
    if (strcmp(text, "ulp") == 0)
        return GOLD_ULP;
    if (strcmp(text, "mag") != 0)
        complain(r, "unknown comparison");
    return GOLD_MAG;
}

static gold_record *new_record(const char *op)
{
    gold_record *record = take(1, sizeof *record);
    record->op = op;
    record->k = 1;
    record->in = take(GOLD_MAX_IN, sizeof *record->in);
    record->out = take(GOLD_MAX_OUT, sizeof *record->out);
    record->grad = take(GOLD_MAX_IN, sizeof *record->grad);
    record->second = take(GOLD_MAX_IN, sizeof *record->second);
    return record;
}

static void line(reader *r, gold_record **open, char *text)
{
    char *key = word(&text);
    if (!key || key[0] == '#')
        return;
    gold_record *record = *open;
    if (strcmp(key, "op") == 0)
        *open = new_record(text);
    else if (!record)
        complain(r, "no record is open");
    else if (strcmp(key, "name") == 0)
        record->name = text;
    else if (strcmp(key, "flags") == 0)
        record->flags = flags_of(r, text);
    else if (strcmp(key, "cmp") == 0)
        record->compare = compare_of(r, text);
    else if (strcmp(key, "k") == 0)
        record->k = integer(r, text);
    else if (strcmp(key, "i") == 0)
        record->i = integers(r, text, record->ni = count_words(text));
    else if (strcmp(key, "f") == 0)
        record->f = reals(r, text, record->nf = count_words(text));
    else if (strcmp(key, "in") == 0 && record->n_in < GOLD_MAX_IN)
        tensor(r, record, &record->in[record->n_in++], text);
    else if (strcmp(key, "out") == 0 && record->n_out < GOLD_MAX_OUT)
        tensor(r, record, &record->out[record->n_out++], text);
    else if (strcmp(key, "nth") == 0)
        record->nth = (int)integer(r, text);
    else if (strcmp(key, "grad") == 0 && record->n_grad < GOLD_MAX_IN)
        tensor(r, record, &record->grad[record->n_grad++], text);
    else if (strcmp(key, "second") == 0 && record->n_second < GOLD_MAX_IN)
        tensor(r, record, &record->second[record->n_second++], text);
    else if (strcmp(key, "mag") == 0 && record->n_out > 0)
        record->out[record->n_out - 1].mag = reals(r, text, record->out[record->n_out - 1].count);
    else if (strcmp(key, "end") == 0) {
        *r->into->last = record;
        r->into->last = &record->next;
        *open = NULL;
    } else
        complain(r, "unknown line, or too many tensors");
}

/* ---- Files ---- */

static char *contents(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = NULL;
    long size;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        text = take((size_t)size + 1, 1);
        if (fread(text, 1, (size_t)size, file) != (size_t)size) {
            free(text);
            text = NULL;
        }
    }
    fclose(file);
    return text;
}

static bool read_file(collection *into, const char *path)
{
    char *text = contents(path);
    if (!text) {
        snprintf(error, sizeof error, "%.400s: %s; %s may name the directory", path, strerror(errno), into->variable);
        return false;
    }
    reader r = {.into = into, .file = path};
    gold_record *open = NULL;
    for (char *at = text; at && *at && !r.failed;) {
        char *end = strchr(at, '\n');
        if (end)
            *end++ = '\0';
        r.line++;
        line(&r, &open, at);
        at = end;
    }
    if (open)
        complain(&r, "the last record has no end");
    return !r.failed;
}

static bool ends_in(const char *name, const char *ending)
{
    const size_t length = strlen(name), end = strlen(ending);
    return length > end && strcmp(name + length - end, ending) == 0;
}

/* Every file of the folder, in the order of their names. */
static void load(collection *c)
{
    if (c->loaded)
        return;
    c->loaded = true;
    const char *dir = getenv(c->variable);
    char folder[1100];
    if (dir)
        snprintf(folder, sizeof folder, "%s", dir);
    else
        snprintf(folder, sizeof folder, "%s/%s", gold_source_dir(), c->folder);
    struct dirent **entries = NULL;
    const int n = scandir(folder, &entries, NULL, alphasort);
    int files = 0;
    bool fine = true;
    for (int k = 0; k < n; k++) {
        char path[1400];
        snprintf(path, sizeof path, "%s/%s", folder, entries[k]->d_name);
        if (ends_in(entries[k]->d_name, c->ending)) {
            files++;
            fine = fine && read_file(c, path);
        }
        free(entries[k]);
    }
    free(entries);
    if (!files)
        snprintf(error, sizeof error, "%.400s: no files *%s: %.80s", folder, c->ending,
                 n < 0 ? strerror(errno) : "the folder has none");
    if (!files || !fine)
        c->first = NULL;
}

const char *gold_error(void)
{
    load(&gold);
    return error[0] ? error : NULL;
}

static const gold_record *next_of(collection *c, const char *op, const gold_record *after)
{
    load(c);
    for (const gold_record *record = after ? after->next : c->first; record; record = record->next)
        if (strcmp(record->op, op) == 0)
            return record;
    return NULL;
}

const gold_record *gold_next(const char *op, const gold_record *last)
{
    return next_of(&gold, op, last);
}

const gold_record *parity_next(const char *op, const gold_record *last)
{
    return next_of(&parity, op, last);
}

const gold_record *gold_of_parity(const gold_record *of)
{
    int nth = 0;
    for (const gold_record *record = gold_next(of->op, NULL); record; record = gold_next(of->op, record))
        if (strcmp(record->name, of->name) == 0 && nth++ == of->nth)
            return record;
    return NULL;
}
